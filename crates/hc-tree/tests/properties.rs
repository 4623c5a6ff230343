//! The tree against a naive one: nodes by recursion over the blocks, and readers that may only ever store what that one says,
//! whatever a peer does to a proof.

use std::collections::BTreeMap;

use bytes::Bytes;
use hc_crypto::{Hash, KeyPair, Manifest, Verifier, hash};
use hc_tree::{
    Batch, BlockRequest, HashRequest, MissingNode, Node, NodeReader, Proof, ProofError, ProofRequest,
    RequestError, SeekRequest, TreeHead, UpgradeRequest, Verified, byte_offset, missing_nodes, plan, verify,
};
use proptest::prelude::*;
use proptest::sample::Index;

/// A node's number, from its place: so many levels above the blocks, and the so many-th of that level.
fn number(level: u32, place: u64) -> u64 {
    (place * 2 + 1) * (1 << level) - 1
}

/// The node over some blocks, by the definition. All below it go to `nodes` too.
fn naive(blocks: &[Bytes], level: u32, place: u64, nodes: &mut BTreeMap<u64, Node>) -> Node {
    let index = number(level, place);
    let node = if level == 0 {
        Node { index, size: blocks[0].len() as u64, hash: hash::leaf(&blocks[0]) }
    } else {
        let (left, right) = blocks.split_at(blocks.len() / 2);
        let left = naive(left, level - 1, place * 2, nodes);
        let right = naive(right, level - 1, place * 2 + 1, nodes);
        let size = blocks.iter().map(|block| block.len() as u64).sum();
        Node { index, size, hash: hash::parent(size, &left.hash, &right.hash) }
    };
    nodes.insert(index, node);
    node
}

/// The roots of a log, and all its nodes.
fn naive_log(blocks: &[Bytes]) -> (Vec<Node>, BTreeMap<u64, Node>) {
    let (mut roots, mut nodes, mut start) = (Vec::new(), BTreeMap::new(), 0);
    for level in (0..64).rev() {
        if blocks.len() >> level & 1 == 1 {
            let end = start + (1 << level);
            roots.push(naive(&blocks[start..end], level, start as u64 >> level, &mut nodes));
            start = end;
        }
    }
    (roots, nodes)
}

#[derive(Default, Clone, Debug, PartialEq, Eq)]
struct Stored(BTreeMap<u64, Node>);

#[derive(Debug)]
struct Failed;

impl From<RequestError> for Failed {
    fn from(_: RequestError) -> Self {
        Self
    }
}

impl From<MissingNode> for Failed {
    fn from(_: MissingNode) -> Self {
        Self
    }
}

impl NodeReader for Stored {
    type Error = Failed;

    fn node(&self, index: u64) -> Result<Option<Node>, Failed> {
        Ok(self.0.get(&index).copied())
    }
}

struct Log {
    blocks: Vec<Bytes>,
    nodes: Stored,
    pair: KeyPair,
    verifier: Verifier,
}

impl Log {
    fn new(sizes: &[usize]) -> Self {
        let blocks: Vec<_> =
            sizes.iter().enumerate().map(|(i, size)| Bytes::from(vec![i as u8; *size])).collect();
        let nodes = Stored(naive_log(&blocks).1);
        let pair = KeyPair::from_seed(&[7; 32]);
        let manifest = Manifest::single(pair.public());
        let verifier = Verifier::new(manifest.key(), manifest).unwrap();
        Self { blocks, nodes, pair, verifier }
    }

    fn head(&self, length: u64) -> TreeHead {
        TreeHead::from_roots(0, naive_log(&self.blocks[..length as usize]).0).unwrap()
    }

    /// What a peer with so many blocks answers.
    fn prove(&self, length: u64, request: &ProofRequest) -> Result<Proof, Failed> {
        let head = self.head(length);
        let plan = plan(&head, request, &self.nodes)?;
        let signature = self.verifier.sign(&self.pair, &head.hash(), length, 0).unwrap();
        let value = request.block.map(|asked| self.blocks[asked.index as usize].clone());
        let nodes: Vec<_> = plan.indices().map(|index| self.nodes.0.get(&index).copied()).collect();
        Ok(plan.build(0, &signature, value, None, nodes)?)
    }

    fn byte_offset(&self, block: u64) -> u64 {
        self.blocks[..block as usize].iter().map(|block| block.len() as u64).sum()
    }
}

/// Somebody who reads the log.
#[derive(Clone)]
struct Reader {
    head: TreeHead,
    stored: Stored,
}

impl Reader {
    fn new() -> Self {
        Self { head: TreeHead::empty(0), stored: Stored::default() }
    }

    fn confirm(&self, log: &Log, proof: &Proof) -> Result<Verified, ProofError> {
        let unchecked = verify(&self.head, proof)?;
        let anchor = unchecked.anchor().and_then(|index| self.stored.0.get(&index).copied());
        unchecked.confirm(anchor.as_ref(), Some(&log.verifier))
    }

    /// Takes a proof over; what is stored then must be the truth.
    fn take(&mut self, log: &Log, proof: &Proof) -> Result<(), ProofError> {
        let verified = self.confirm(log, proof)?;
        for node in verified.nodes() {
            assert_eq!(Some(node), log.nodes.0.get(&node.index), "not a node of this log: {proof:?}");
            self.stored.0.insert(node.index, *node);
        }
        for node in verified.claimed() {
            let hash = log.nodes.0.get(&node.index).map(|node| node.hash);
            assert_eq!(Some(node.hash), hash, "a claimed node has another hash: {proof:?}");
        }
        if let Some((index, value)) = verified.block() {
            assert_eq!(Some(value), log.blocks.get(index as usize), "not a block of this log");
        }
        if let Some((head, _)) = verified.upgrade() {
            assert_eq!(*head, log.head(head.length()), "not a head of this log");
            self.head = head.clone();
        }
        for root in self.head.roots() {
            assert_eq!(self.stored.0.get(&root.index), Some(root), "a root is not stored");
        }
        Ok(())
    }

    /// A block and a longer log, as far as they are wanted.
    fn ask(&self, block: Option<u64>, upgrade: Option<u64>) -> ProofRequest {
        let length = self.head.length();
        let upgrade = upgrade.filter(|to| *to > length);
        let end = upgrade.unwrap_or(length);
        ProofRequest {
            block: block.filter(|index| *index < end).map(|index| BlockRequest {
                index,
                nodes: missing_nodes(&self.stored, index * 2, length).unwrap(),
            }),
            upgrade: upgrade.map(|to| UpgradeRequest { start: length, length: to - length }),
            ..ProofRequest::default()
        }
    }
}

/// All nodes in a proof.
fn nodes_of(proof: &mut Proof) -> Vec<&mut Node> {
    let mut all = Vec::new();
    all.extend(proof.block.iter_mut().flat_map(|part| &mut part.nodes));
    all.extend(proof.hash.iter_mut().flat_map(|part| &mut part.nodes));
    all.extend(proof.seek.iter_mut().flat_map(|part| &mut part.nodes));
    if let Some(part) = &mut proof.upgrade {
        all.extend(part.nodes.iter_mut().chain(&mut part.additional_nodes));
    }
    all
}

/// What a hostile peer does to a proof.
#[derive(Debug, Clone)]
enum Tamper {
    Size(Index, u64),
    MoveSize(Index, Index),
    Number(Index, u64),
    Hash(Index),
    Swap(Index, Index),
    Drop(usize, Index),
    Double(usize, Index),
    Value,
    BlockIndex(u64),
    Bounds(u64, u64),
    Signature(Index),
    Fork,
}

fn tamper() -> impl Strategy<Value = Tamper> {
    let at = any::<Index>;
    prop_oneof![
        (at(), 0..400_u64).prop_map(|(n, size)| Tamper::Size(n, size)),
        (at(), at()).prop_map(|(a, b)| Tamper::MoveSize(a, b)),
        (at(), 0..90_u64).prop_map(|(n, index)| Tamper::Number(n, index)),
        at().prop_map(Tamper::Hash),
        (at(), at()).prop_map(|(a, b)| Tamper::Swap(a, b)),
        (0..5_usize, at()).prop_map(|(list, n)| Tamper::Drop(list, n)),
        (0..5_usize, at()).prop_map(|(list, n)| Tamper::Double(list, n)),
        Just(Tamper::Value),
        (0..45_u64).prop_map(Tamper::BlockIndex),
        (0..45_u64, 0..45_u64).prop_map(|(start, length)| Tamper::Bounds(start, length)),
        at().prop_map(Tamper::Signature),
        Just(Tamper::Fork),
    ]
}

fn list(proof: &mut Proof, which: usize) -> Option<&mut Vec<Node>> {
    match which {
        0 => proof.block.as_mut().map(|part| &mut part.nodes),
        1 => proof.hash.as_mut().map(|part| &mut part.nodes),
        2 => proof.seek.as_mut().map(|part| &mut part.nodes),
        3 => proof.upgrade.as_mut().map(|part| &mut part.nodes),
        _ => proof.upgrade.as_mut().map(|part| &mut part.additional_nodes),
    }
}

fn spoil(proof: &mut Proof, how: &Tamper) {
    let count = nodes_of(proof).len();
    let at = |index: &Index| index.index(count.max(1));
    match how {
        Tamper::Size(n, size) if count > 0 => nodes_of(proof)[at(n)].size = *size,
        Tamper::Number(n, index) if count > 0 => nodes_of(proof)[at(n)].index = *index,
        Tamper::Hash(n) if count > 0 => nodes_of(proof)[at(n)].hash = Hash::from([9; 32]),
        Tamper::MoveSize(a, b) if count > 0 => {
            let mut nodes = nodes_of(proof);
            if at(a) != at(b) && nodes[at(a)].size > 0 {
                nodes[at(a)].size -= 1;
                nodes[at(b)].size += 1;
            }
        }
        Tamper::Swap(a, b) if count > 0 => {
            let mut nodes = nodes_of(proof);
            let (left, right) = (*nodes[at(a)], *nodes[at(b)]);
            (*nodes[at(a)], *nodes[at(b)]) = (right, left);
        }
        Tamper::Drop(which, n) | Tamper::Double(which, n) => {
            let Some(list) = list(proof, *which).filter(|list| !list.is_empty()) else { return };
            let place = n.index(list.len());
            let node = list.remove(place);
            if matches!(how, Tamper::Double(..)) {
                list.splice(place..place, [node, node]);
            }
        }
        Tamper::Value => {
            let part = proof.block.iter_mut();
            part.for_each(|block| block.value = Bytes::from_static(b"another"));
        }
        Tamper::BlockIndex(index) => proof.block.iter_mut().for_each(|block| block.index = *index),
        Tamper::Bounds(start, length) => proof.upgrade.iter_mut().for_each(|upgrade| {
            upgrade.start = *start;
            upgrade.length = *length;
        }),
        Tamper::Signature(n) => proof.upgrade.iter_mut().for_each(|upgrade| {
            let place = n.index(upgrade.signature.len());
            upgrade.signature[place] ^= 1;
        }),
        Tamper::Fork => proof.fork += 1,
        _ => {}
    }
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..300_usize, 1..40)
}

/// A request for which a reader may ask: a block, a length, and beside them an inner node or a byte.
type Wish = (Option<Index>, Option<Index>, Option<(Index, u64)>, Option<(Index, u64)>, Index);

fn wishes() -> impl Strategy<Value = Vec<(Wish, Option<Tamper>)>> {
    let index = any::<Index>;
    let maybe = || prop::option::of(any::<Index>());
    let pair = || prop::option::weighted(0.3, (index(), 0..4_u64));
    let wish = (maybe(), maybe(), pair(), pair(), index());
    prop::collection::vec((wish, prop::option::of(tamper())), 1..12)
}

fn request(log: &Log, reader: &Reader, (block, upgrade, hash, seek, _): &Wish) -> ProofRequest {
    let length = log.blocks.len();
    let place = |index: &Index| index.index(length) as u64;
    let wanted = upgrade.as_ref().map(|upgrade| place(upgrade) + 1);
    let mut request = reader.ask(block.as_ref().map(place), wanted);
    request.hash = hash
        .as_ref()
        .filter(|_| request.block.is_none())
        .map(|(index, nodes)| HashRequest { index: index.index(length * 2) as u64, nodes: *nodes });
    request.seek = seek.as_ref().map(|(at, padding)| SeekRequest {
        bytes: at.index(log.byte_offset(length as u64) as usize + 2) as u64,
        padding: *padding,
    });
    request
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn b3_heads_and_nodes_are_those_of_the_definition(sizes in sizes(), cut in any::<Index>()) {
        let log = Log::new(&sizes);
        let cut = cut.index(sizes.len() + 1);
        let mut first = Batch::new(&TreeHead::empty(0));
        log.blocks[..cut].iter().for_each(|block| first.append(block));
        let first = first.finish();
        prop_assert_eq!(first.head(), &log.head(cut as u64));
        let mut second = Batch::new(first.head());
        log.blocks[cut..].iter().for_each(|block| second.append(block));
        let second = second.finish();
        prop_assert_eq!(second.head(), &log.head(sizes.len() as u64));
        let nodes = Stored(first.nodes().iter().chain(second.nodes()).map(|n| (n.index, *n)).collect());
        prop_assert_eq!(&nodes, &log.nodes);
        for index in 0..sizes.len() as u64 {
            let offset = byte_offset(&nodes, second.head(), index * 2).unwrap();
            prop_assert_eq!(offset, log.byte_offset(index));
        }
    }

    #[test]
    fn f2_f3_f5_f7_f11_a_reader_stores_the_truth_or_nothing(sizes in sizes(), wishes in wishes()) {
        let log = Log::new(&sizes);
        let mut reader = Reader::new();
        for (wish, tamper) in wishes {
            let request = request(&log, &reader, &wish);
            // the peer may have more than what is asked for
            let asked = request.upgrade.map_or_else(|| reader.head.length(), |upgrade| upgrade.start + upgrade.length);
            let length = asked + wish.4.index(sizes.len() - asked as usize + 1) as u64;
            if length == 0 {
                continue;
            }
            let Ok(good) = log.prove(length, &request) else { continue };
            if let Some(tamper) = tamper {
                let mut bad = good.clone();
                spoil(&mut bad, &tamper);
                // what is accepted all the same is checked in there
                let mut fooled = reader.clone();
                if fooled.take(&log, &bad).is_ok() {
                    reader = fooled;
                    continue;
                }
            }
            if request.seek.is_none() && request.hash.is_none() && request != ProofRequest::default() {
                prop_assert_eq!(reader.take(&log, &good), Ok(()), "{:?}", request);
            } else {
                let _ = reader.take(&log, &good);
            }
        }
        // whatever happened: the whole log can still be had
        let length = log.blocks.len() as u64;
        for index in 0..=length {
            let request = match index {
                0 => reader.ask(None, Some(length)),
                _ => reader.ask(Some(index - 1), None),
            };
            if request != ProofRequest::default() {
                let proof = log.prove(length, &request).unwrap();
                prop_assert_eq!(reader.take(&log, &proof), Ok(()), "{:?}", request);
            }
        }
        prop_assert_eq!(&reader.stored, &log.nodes);
    }
}

/// The hash of a parent covers the sum of two sizes. A peer that moves bytes from one to the other breaks neither hash nor
/// signature; if both were stored, no honest proof would fit to them any more.
#[test]
fn f11_sizes_that_only_add_up_are_not_stored() {
    let log = Log::new(&[10, 20, 30, 40]);
    let request =
        ProofRequest { upgrade: Some(UpgradeRequest { start: 0, length: 3 }), ..ProofRequest::default() };
    let mut proof = log.prove(4, &request).unwrap();
    let upgrade = proof.upgrade.as_mut().unwrap();
    assert_eq!((upgrade.nodes[1].index, upgrade.additional_nodes[0].index), (4, 6));
    upgrade.nodes[1].size += 5;
    upgrade.additional_nodes[0].size -= 5;
    let mut reader = Reader::new();
    reader.take(&log, &proof).unwrap();
    assert_eq!(reader.head, log.head(4));
    assert!(reader.stored.0.keys().eq(&[1, 3, 5]));
    let proof = log.prove(4, &reader.ask(Some(2), None)).unwrap();
    reader.take(&log, &proof).unwrap();
}

/// A store that Node wrote may hold such sizes. A block corrects what is above it.
#[test]
fn f11_a_stored_size_that_is_wrong_does_not_shut_out_a_block() {
    let log = Log::new(&[10, 20, 30, 40]);
    let mut reader = Reader { head: log.head(4), stored: log.nodes.clone() };
    reader.stored.0.get_mut(&4).unwrap().size += 5;
    let proof = log.prove(4, &reader.ask(Some(2), None)).unwrap();
    reader.take(&log, &proof).unwrap();
    assert_eq!(reader.stored, log.nodes);
}
