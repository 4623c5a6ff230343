//! What a store must hold after operations: a naive list of blocks for each core.

use std::collections::BTreeMap;

use hc_crypto::hash;
use hc_tree::{Batch, TreeHead};

use crate::script::{Op, content, record_name};
use crate::view::{CoreView, Found, View};

/// A block that was appended: a short hash of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) digest: u64,
}

/// What a core must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CoreModel {
    pub(crate) blocks: Vec<Block>,
    head: TreeHead,
    records: BTreeMap<String, u64>,
}

/// What a store must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) cores: Vec<CoreModel>,
}

/// A short hash that tells blocks apart.
pub(crate) fn digest(bytes: &[u8]) -> u64 {
    let hash = hash::blake2b(&[bytes]);
    let mut first = [0; 8];
    first.iter_mut().zip(hash.as_bytes()).for_each(|(to, from)| *to = *from);
    u64::from_le_bytes(first)
}

impl CoreModel {
    const fn new() -> Self {
        Self { blocks: Vec::new(), head: TreeHead::empty(0), records: BTreeMap::new() }
    }

    fn append(&mut self, blocks: &[Vec<u8>]) {
        let mut batch = Batch::new(&self.head);
        for block in blocks {
            batch.append(block);
            self.blocks.push(Block { digest: digest(block) });
        }
        self.head = batch.finish().head().clone();
    }

    pub(crate) fn len(&self) -> usize {
        self.blocks.len()
    }

    /// How a core that was found differs from this.
    pub(crate) fn compare(&self, found: &CoreView) -> Result<(), String> {
        if let Some(error) = &found.error {
            return Err(format!("it does not open: {error}"));
        }
        let head = (self.head.length(), self.head.byte_length(), self.head.fork());
        let shown = (found.length, found.byte_length, found.fork);
        if head != shown {
            return Err(format!("(length, bytes, fork) is {shown:?}, not {head:?}"));
        }
        for (index, (block, found)) in self.blocks.iter().zip(&found.blocks).enumerate() {
            match found {
                Found::Bytes(digest) if *digest == block.digest => {}
                Found::Bytes(_) => return Err(format!("block {index} has other bytes")),
                Found::Missing => return Err(format!("block {index} is missing")),
                Found::Error(error) => return Err(format!("block {index}: {error}")),
            }
        }
        if self.head.hash().as_bytes() != found.tree_hash.as_slice() {
            return Err("the tree hash is not that of the blocks".into());
        }
        if self.records != found.records {
            return Err(format!("the records are {:?}, not {:?}", found.records, self.records));
        }
        Ok(())
    }
}

impl Model {
    pub(crate) fn new(cores: usize) -> Self {
        Self { cores: vec![CoreModel::new(); cores] }
    }

    /// What an operation changes. Of calls at the same time, the first is taken to come first.
    pub(crate) fn apply(&mut self, op: &Op) {
        match op {
            Op::Append { core, id, lens } => self.append(*core, &blocks(*id, lens)),
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
            Op::Flush | Op::Reopen => {}
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
        match op {
            Op::Concurrent { .. } => self.settle_until(op, view, u64::MAX),
            Op::Flush | Op::Reopen => {}
            Op::Append { core, .. } => {
                let mut done = self.clone();
                done.apply(op);
                let (Some(after), Some(found)) = (done.cores.get(*core), view.cores.get(*core)) else {
                    return;
                };
                if after.begins(found) {
                    *self = done;
                }
            }
            Op::UserData { core, key, .. } => {
                let mut done = self.clone();
                done.apply(op);
                let (Some(after), Some(found)) = (done.cores.get(*core), view.cores.get(*core)) else {
                    return;
                };
                let name = record_name(*key);
                if after.records.get(&name) == found.records.get(&name) {
                    *self = done;
                }
            }
        }
    }

    /// As [`settle`](Self::settle), for appends at the same time: takes over those that come before a block.
    pub(crate) fn settle_until(&mut self, op: &Op, view: &View, end: u64) {
        let Op::Concurrent { core, id, count, len } = op else { return };
        let Some(found) = view.cores.get(*core) else { return };
        let mut left: BTreeMap<u64, u32> =
            (0..*count).map(|place| (digest(&content(*id, place, *len)), place)).collect();
        for block in &self.cores[*core].blocks {
            left.remove(&block.digest);
        }
        // any may have happened, in any order
        while (self.cores[*core].len() as u64) < end {
            let Some(Found::Bytes(next)) = found.blocks.get(self.cores[*core].len()) else { return };
            let Some(place) = left.remove(next) else { return };
            self.apply_one_of(*core, *id, place, *len);
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

impl CoreModel {
    /// Whether what was found begins with these blocks.
    fn begins(&self, found: &CoreView) -> bool {
        let same = |(block, found): (&Block, &Found)| *found == Found::Bytes(block.digest);
        found.blocks.len() >= self.len() && self.blocks.iter().zip(&found.blocks).all(same)
    }
}

impl CoreModel {
    /// What was found that never was: other bytes, more blocks, other records.
    pub(crate) fn first_wrong(&self, found: &CoreView) -> Option<String> {
        if found.length > self.head.length() || found.fork > self.head.fork() {
            return Some(format!("length {} and fork {} never were", found.length, found.fork));
        }
        let other = |(block, found): (&Block, &Found)| matches!(found, Found::Bytes(digest) if *digest != block.digest);
        if let Some(index) = self.blocks.iter().zip(&found.blocks).position(other) {
            return Some(format!("block {index} has other bytes"));
        }
        if found.length == self.head.length() && self.head.hash().as_bytes() != found.tree_hash.as_slice() {
            return Some("the tree hash is not that of the blocks".into());
        }
        None
    }

    /// Whether something of this was not found, without an error that says so.
    pub(crate) fn silently_lacks(&self, found: &CoreView) -> bool {
        found.length < self.head.length()
            || found.blocks.contains(&Found::Missing)
            || found.records != self.records
    }
}

#[cfg(test)]
impl CoreModel {
    pub(crate) fn view(&self) -> CoreView {
        CoreView {
            error: None,
            length: self.head.length(),
            byte_length: self.head.byte_length(),
            fork: self.head.fork(),
            tree_hash: self.head.hash().as_bytes().to_vec(),
            blocks: self.blocks.iter().map(|block| Found::Bytes(block.digest)).collect(),
            records: self.records.clone(),
        }
    }
}

/// The blocks of an operation.
pub(crate) fn blocks(id: u32, lens: &[u32]) -> Vec<Vec<u8>> {
    (0..).zip(lens).map(|(place, len)| content(id, place, *len)).collect()
}

#[cfg(test)]
mod tests {
    use super::Model;
    use crate::script::Op;
    use crate::view::View;

    fn append(id: u32) -> Op {
        Op::Append { core: 0, id, lens: vec![10, 20] }
    }

    #[test]
    fn an_operation_in_doubt_is_taken_over_if_it_shows() {
        let mut model = Model::new(1);
        model.apply(&append(1));
        let mut longer = model.clone();
        longer.apply(&append(2));
        let mut settled = model.clone();
        settled.settle(&append(2), &View::of(&longer));
        assert_eq!(settled, longer);
        settled = model.clone();
        settled.settle(&append(2), &View::of(&model));
        assert_eq!(settled, model);
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
}
