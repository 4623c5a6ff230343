//! A naive tree and log, by the definition, and what a hostile peer does to proofs.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of this")]

pub mod json;

use std::cell::RefCell;
use std::collections::BTreeMap;

use bytes::Bytes;
use hc_crypto::{Hash, KeyPair, Manifest, Verifier, hash};
use hc_tree::{MissingNode, Node, NodeReader, Proof, ProofError, ProofRequest, RequestError, TreeHead, plan};
use proptest::prelude::*;
use proptest::sample::Index;

/// A node's number, from its place: so many levels above the blocks, and the so many-th of that level.
pub fn number(level: u32, place: u64) -> u64 {
    (place * 2 + 1) * (1 << level) - 1
}

/// The node over some blocks, by the definition. All below it go to `nodes` too.
pub fn naive(blocks: &[Bytes], level: u32, place: u64, nodes: &mut BTreeMap<u64, Node>) -> Node {
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
pub fn naive_log(blocks: &[Bytes]) -> (Vec<Node>, BTreeMap<u64, Node>) {
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
pub struct Stored(pub BTreeMap<u64, Node>);

#[derive(Debug, PartialEq, Eq)]
pub enum Failed {
    Request(RequestError),
    Missing(MissingNode),
    Proof(ProofError),
}

impl From<ProofError> for Failed {
    fn from(error: ProofError) -> Self {
        Self::Proof(error)
    }
}

impl From<RequestError> for Failed {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl From<MissingNode> for Failed {
    fn from(error: MissingNode) -> Self {
        Self::Missing(error)
    }
}

impl NodeReader for Stored {
    type Error = Failed;

    fn node(&self, index: u64) -> Result<Option<Node>, Failed> {
        Ok(self.0.get(&index).copied())
    }
}

pub struct Log {
    pub fork: u64,
    pub blocks: Vec<Bytes>,
    pub nodes: Stored,
    pub pair: KeyPair,
    pub verifier: Verifier,
    /// Heads and their signatures that were asked for already.
    heads: RefCell<BTreeMap<u64, (TreeHead, Vec<u8>)>>,
}

impl Log {
    pub fn new(sizes: &[usize]) -> Self {
        let blocks = sizes.iter().enumerate().map(|(i, size)| Bytes::from(vec![i as u8; *size])).collect();
        Self::of_blocks(0, blocks)
    }

    pub fn of_blocks(fork: u64, blocks: Vec<Bytes>) -> Self {
        let nodes = Stored(naive_log(&blocks).1);
        let pair = KeyPair::from_seed(&[7; 32]);
        let manifest = Manifest::single(pair.public());
        let verifier = Verifier::new(manifest.key(), manifest).unwrap();
        Self { fork, blocks, nodes, pair, verifier, heads: RefCell::default() }
    }

    fn signed(&self, length: u64) -> (TreeHead, Vec<u8>) {
        let make = || {
            let roots = naive_log(&self.blocks[..length as usize]).0;
            let head = TreeHead::from_roots(self.fork, roots).unwrap();
            let signature = self.verifier.sign(&self.pair, &head.hash(), length, self.fork).unwrap();
            (head, signature)
        };
        self.heads.borrow_mut().entry(length).or_insert_with(make).clone()
    }

    pub fn head(&self, length: u64) -> TreeHead {
        self.signed(length).0
    }

    /// What a peer with so many blocks answers.
    pub fn prove(&self, length: u64, request: &ProofRequest) -> Result<Proof, Failed> {
        let (head, signature) = self.signed(length);
        let plan = plan(&head, request, &self.nodes)?;
        let value = request.block.map(|asked| self.blocks[asked.index as usize].clone());
        let nodes: Vec<_> = plan.indices().map(|index| self.nodes.0.get(&index).copied()).collect();
        Ok(plan.build(self.fork, &signature, value, None, nodes)?)
    }

    pub fn byte_offset(&self, block: u64) -> u64 {
        self.blocks[..block as usize].iter().map(|block| block.len() as u64).sum()
    }
}

/// All nodes in a proof.
pub fn nodes_of(proof: &mut Proof) -> Vec<&mut Node> {
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
pub enum Tamper {
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

pub fn tamper() -> impl Strategy<Value = Tamper> {
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

pub fn list(proof: &mut Proof, which: usize) -> Option<&mut Vec<Node>> {
    match which {
        0 => proof.block.as_mut().map(|part| &mut part.nodes),
        1 => proof.hash.as_mut().map(|part| &mut part.nodes),
        2 => proof.seek.as_mut().map(|part| &mut part.nodes),
        3 => proof.upgrade.as_mut().map(|part| &mut part.nodes),
        _ => proof.upgrade.as_mut().map(|part| &mut part.additional_nodes),
    }
}

pub fn spoil(proof: &mut Proof, how: &Tamper) {
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

pub fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..300_usize, 1..40)
}
