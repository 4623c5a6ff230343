//! What a store must hold after operations: a naive list of blocks for each core.

use std::collections::BTreeMap;

use hc_crypto::{Hash, hash};

use crate::script::{ENCRYPTED, Op, content, record_name};
use crate::view::{CoreView, Found, View};

/// A block that was appended.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Block {
    leaf: Hash,
    len: u64,
    cleared: bool,
}

/// What a core must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CoreModel {
    blocks: Vec<Block>,
    fork: u64,
    records: BTreeMap<String, u64>,
    /// What is stored is not what the application gave: the tree cannot be checked from here.
    encrypted: bool,
}

/// What a store must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) cores: Vec<CoreModel>,
}

/// A short hash that tells blocks apart.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    short(&hash::leaf(bytes))
}

fn short(hash: &Hash) -> u64 {
    let mut first = [0; 8];
    first.iter_mut().zip(hash.as_bytes()).for_each(|(to, from)| *to = *from);
    u64::from_le_bytes(first)
}

impl Block {
    fn shows(&self, found: &Found) -> bool {
        match found {
            Found::Bytes(digest) => !self.cleared && *digest == short(&self.leaf),
            Found::Missing => self.cleared,
            Found::Error(_) => false,
        }
    }
}

impl CoreModel {
    fn append(&mut self, blocks: &[Vec<u8>]) {
        let block =
            |bytes: &Vec<u8>| Block { leaf: hash::leaf(bytes), len: bytes.len() as u64, cleared: false };
        self.blocks.extend(blocks.iter().map(block));
    }

    pub(crate) const fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Whether the log can be cut to this length. The tree over blocks that are all cleared is forgotten, as Node does, and then
    /// nobody knows the hash of a log that ends there.
    pub(crate) fn can_end_at(&self, length: usize) -> bool {
        let mut start = 0;
        while start < length {
            let blocks = 1 << (length - start).ilog2();
            let tree = self.blocks.iter().skip(start).take(blocks);
            if tree.clone().all(|block| block.cleared) {
                return false;
            }
            start += blocks;
        }
        length <= self.blocks.len()
    }

    fn byte_length(&self) -> u64 {
        self.blocks.iter().map(|block| block.len).sum()
    }

    /// The hash of the tree, made from the leaves in the simplest way: two trees of a height become one of the next.
    fn tree_hash(&self) -> Hash {
        let mut roots: Vec<(u32, u64, u64, Hash)> = Vec::new();
        for (index, block) in (0..).zip(&self.blocks) {
            let mut root = (0, 2 * index, block.len, block.leaf);
            while let Some((_, left_index, left_len, left)) = roots.pop_if(|left| left.0 == root.0) {
                let len = left_len + root.2;
                root =
                    (root.0 + 1, u64::midpoint(left_index, root.1), len, hash::parent(len, &left, &root.3));
            }
            roots.push(root);
        }
        hash::tree(roots.iter().map(|(_, index, len, hash)| (*index, *len, hash)))
    }

    /// How a core that was found differs from this.
    pub(crate) fn compare(&self, found: &CoreView) -> Result<(), String> {
        if let Some(error) = &found.error {
            return Err(format!("it does not open: {error}"));
        }
        let head = (self.blocks.len() as u64, self.byte_length(), self.fork);
        let shown = (found.length, found.byte_length, found.fork);
        if head != shown {
            return Err(format!("(length, bytes, fork) is {shown:?}, not {head:?}"));
        }
        for (index, (block, found)) in self.blocks.iter().zip(&found.blocks).enumerate() {
            match found {
                found if block.shows(found) => {}
                Found::Bytes(_) if block.cleared => {
                    return Err(format!("block {index} is there, but was cleared"));
                }
                Found::Bytes(_) => return Err(format!("block {index} has other bytes")),
                Found::Missing => return Err(format!("block {index} is missing")),
                Found::Error(error) => return Err(format!("block {index}: {error}")),
            }
        }
        if !self.encrypted && self.tree_hash().as_bytes() != found.tree_hash.as_slice() {
            return Err("the tree hash is not that of the blocks".into());
        }
        if self.records != found.records {
            return Err(format!("the records are {:?}, not {:?}", found.records, self.records));
        }
        Ok(())
    }

    /// What was found that never was: other bytes, more blocks, another fork.
    pub(crate) fn first_wrong(&self, found: &CoreView) -> Option<String> {
        if found.length > self.blocks.len() as u64 && found.fork >= self.fork || found.fork > self.fork {
            return Some(format!("length {} and fork {} never were", found.length, found.fork));
        }
        // of an older fork, blocks were other ones
        let other = |(block, found): (&Block, &Found)| matches!(found, Found::Bytes(digest) if *digest != short(&block.leaf));
        if found.fork == self.fork
            && let Some(index) = self.blocks.iter().zip(&found.blocks).position(other)
        {
            return Some(format!("block {index} has other bytes"));
        }
        let whole = found.length == self.blocks.len() as u64 && found.fork == self.fork;
        if whole && !self.encrypted && self.tree_hash().as_bytes() != found.tree_hash.as_slice() {
            return Some("the tree hash is not that of the blocks".into());
        }
        None
    }

    /// Whether something of this was not found, without an error that says so.
    pub(crate) fn silently_lacks(&self, found: &CoreView) -> bool {
        let missing = |(block, found): (&Block, &Found)| *found == Found::Missing && !block.cleared;
        found.recovering == 0
            && (found.length < self.blocks.len() as u64
                || found.fork < self.fork
                || self.blocks.iter().zip(&found.blocks).any(missing)
                || found.records != self.records)
    }

    /// Whether what was found begins with these blocks.
    fn begins(&self, found: &CoreView) -> bool {
        found.blocks.len() >= self.len()
            && found.fork >= self.fork
            && self.blocks.iter().zip(&found.blocks).all(|(block, found)| block.cleared || block.shows(found))
    }
}

impl Model {
    pub(crate) fn new(cores: usize) -> Self {
        let core = |index| CoreModel {
            blocks: Vec::new(),
            fork: 0,
            records: BTreeMap::new(),
            encrypted: index == ENCRYPTED,
        };
        Self { cores: (0..cores).map(core).collect() }
    }

    /// What an operation changes. Of calls at the same time, the first is taken to come first.
    pub(crate) fn apply(&mut self, op: &Op) {
        match op {
            Op::Append { core, id, lens } | Op::Commit { core, id, lens } => {
                self.append(*core, &blocks(*id, lens));
            }
            Op::Atom { cores, id, lens } => {
                for (place, core) in cores.iter().enumerate() {
                    self.append(*core, &blocks(*id + place as u32, lens));
                }
            }
            Op::Concurrent { core, id, count, len } => {
                for place in 0..*count {
                    self.apply_one_of(*core, *id, place, *len);
                }
            }
            Op::UserData { core, id, key, len } => {
                let Some(core) = self.cores.get_mut(*core) else { return };
                match len {
                    Some(len) => core.records.insert(record_name(*key), digest(&content(*id, 0, *len))),
                    None => core.records.remove(&record_name(*key)),
                };
            }
            Op::Truncate { core, length } => {
                let Some(core) = self.cores.get_mut(*core) else { return };
                core.blocks.truncate(*length);
                core.fork += 1;
            }
            Op::Clear { core, start, end } => {
                let Some(core) = self.cores.get_mut(*core) else { return };
                let cleared = core.blocks.iter_mut().take(*end).skip(*start);
                cleared.for_each(|block| block.cleared = true);
            }
            Op::Flush | Op::Reopen | Op::Compact { .. } => {}
        }
    }

    /// One of several appends at the same time.
    pub(crate) fn apply_one_of(&mut self, core: usize, id: u32, place: u32, len: u32) {
        self.append(core, &[content(id, place, len)]);
    }

    fn append(&mut self, core: usize, blocks: &[Vec<u8>]) {
        if let Some(core) = self.cores.get_mut(core) {
            core.append(blocks);
        }
    }

    /// Takes over what a store shows of an operation that may or may not have happened.
    pub(crate) fn settle(&mut self, op: &Op, view: &View) {
        if matches!(op, Op::Concurrent { .. }) {
            return self.settle_until(op, view, u64::MAX);
        }
        let mut done = self.clone();
        done.apply(op);
        let core = match op {
            Op::Append { core, .. } | Op::Commit { core, .. } | Op::UserData { core, .. } => *core,
            Op::Truncate { core, .. } | Op::Clear { core, .. } => *core,
            Op::Atom { cores, .. } => cores.first().copied().unwrap_or(0),
            Op::Flush | Op::Reopen | Op::Compact { .. } | Op::Concurrent { .. } => return,
        };
        let (Some(after), Some(found)) = (done.cores.get(core), view.cores.get(core)) else { return };
        let happened = match op {
            Op::Clear { start, end, .. } => {
                let mut cleared = found.blocks.iter().take(*end).skip(*start);
                cleared.all(|block| *block == Found::Missing)
            }
            Op::Truncate { .. } => found.fork >= after.fork,
            Op::UserData { key, .. } => {
                let name = record_name(*key);
                after.records.get(&name) == found.records.get(&name)
            }
            _ => after.begins(found),
        };
        if happened {
            *self = done;
        }
    }

    /// As [`settle`](Self::settle), for appends at the same time: takes over those that come before a block.
    pub(crate) fn settle_until(&mut self, op: &Op, view: &View, end: u64) {
        let Op::Concurrent { core, id, count, len } = op else { return };
        let (Some(model), Some(found)) = (self.cores.get_mut(*core), view.cores.get(*core)) else { return };
        let bytes = |place| content(*id, place, *len);
        let mut left: BTreeMap<u64, u32> = (0..*count).map(|place| (digest(&bytes(place)), place)).collect();
        for block in &model.blocks {
            left.remove(&short(&block.leaf));
        }
        // any may have happened, in any order
        while (model.len() as u64) < end {
            let Some(Found::Bytes(next)) = found.blocks.get(model.len()) else { return };
            let Some(place) = left.remove(next) else { return };
            model.append(&[bytes(place)]);
        }
    }

    /// How a store that was found differs from this.
    pub(crate) fn compare(&self, view: &View) -> Result<(), String> {
        if self.cores.len() != view.cores.len() {
            return Err("another number of cores".into());
        }
        for (index, (core, found)) in self.cores.iter().zip(&view.cores).enumerate() {
            core.compare(found).map_err(|why| format!("core {index}: {why}"))?;
        }
        if view.findings.is_empty() { Ok(()) } else { Err(view.findings.join("; ")) }
    }
}

#[cfg(test)]
impl CoreModel {
    pub(crate) fn view(&self) -> CoreView {
        let shown =
            |block: &Block| if block.cleared { Found::Missing } else { Found::Bytes(short(&block.leaf)) };
        CoreView {
            length: self.blocks.len() as u64,
            byte_length: self.byte_length(),
            fork: self.fork,
            tree_hash: self.tree_hash().as_bytes().to_vec(),
            blocks: self.blocks.iter().map(shown).collect(),
            records: self.records.clone(),
            ..CoreView::default()
        }
    }
}

/// The blocks of an operation.
pub(crate) fn blocks(id: u32, lens: &[u32]) -> Vec<Vec<u8>> {
    (0..).zip(lens).map(|(place, len)| content(id, place, *len)).collect()
}

#[cfg(test)]
mod tests {
    use hc_tree::{Batch, TreeHead};

    use super::{Model, blocks};
    use crate::script::Op;
    use crate::view::View;

    fn append(id: u32) -> Op {
        Op::Append { core: 0, id, lens: vec![10, 20] }
    }

    #[test]
    fn an_operation_in_doubt_is_taken_over_if_it_shows() {
        let mut model = Model::new(1);
        model.apply(&append(1));
        for op in [append(2), Op::Truncate { core: 0, length: 1 }, Op::Clear { core: 0, start: 0, end: 1 }] {
            let mut done = model.clone();
            done.apply(&op);
            for state in [&done, &model] {
                let mut settled = model.clone();
                settled.settle(&op, &View::of(state));
                assert_eq!(settled, *state, "{op:?}");
            }
        }
    }

    #[test]
    fn appends_at_the_same_time_may_come_in_any_order() {
        let op = Op::Concurrent { core: 0, id: 3, count: 3, len: 30 };
        let mut other = Model::new(1);
        other.apply_one_of(0, 3, 2, 30);
        other.apply_one_of(0, 3, 0, 30);
        let mut settled = Model::new(1);
        settled.settle(&op, &View::of(&other));
        assert_eq!(settled, other);
        assert!(settled.compare(&View::of(&other)).is_ok());
    }

    #[test]
    fn a_lost_block_is_found() {
        let mut model = Model::new(1);
        let before = View::of(&model);
        model.apply(&append(1));
        assert!(model.compare(&before).is_err());
    }

    #[test]
    fn the_tree_hash_is_that_of_a_tree() {
        let mut model = Model::new(1);
        let mut batch = Batch::new(&TreeHead::empty(0));
        for id in 0..37 {
            model.apply(&append(id));
            blocks(id, &[10, 20]).iter().for_each(|block| batch.append(block));
        }
        assert_eq!(model.cores[0].tree_hash(), batch.finish().head().hash());
    }
}
