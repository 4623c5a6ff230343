//! Truncating and clearing, against logs that were never longer.

use std::collections::BTreeMap;

use hc_tree::bitfield::BitChange;
use hc_tree::{
    Batch, BlockRequest, LocalBitfield, MissingNode, Node, NodeReader, ProofRequest, RequestError, TreeHead,
    cleared_nodes, plan, truncate,
};
use proptest::prelude::*;

#[derive(Default, Clone, Debug, PartialEq, Eq)]
struct Stored(BTreeMap<u64, Node>);

#[derive(Debug)]
struct Failed;

impl From<MissingNode> for Failed {
    fn from(_: MissingNode) -> Self {
        Self
    }
}

impl From<RequestError> for Failed {
    fn from(_: RequestError) -> Self {
        Self
    }
}

impl NodeReader for Stored {
    type Error = Failed;

    fn node(&self, index: u64) -> Result<Option<Node>, Failed> {
        Ok(self.0.get(&index).copied())
    }
}

/// A log of so many blocks: its head and all of its nodes.
fn log(length: u64) -> (TreeHead, Stored) {
    let mut batch = Batch::new(&TreeHead::empty(0));
    for block in 0..length {
        batch.append(format!("block {block}").as_bytes());
    }
    let change = batch.finish();
    (change.head().clone(), Stored(change.nodes().iter().map(|node| (node.index, *node)).collect()))
}

proptest! {
    #[test]
    fn c4_a_truncation_leaves_exactly_the_nodes_of_the_shorter_log(length in 0..200_u64, kept in 0..200_u64, fork in 1..9_u64) {
        let kept = kept.min(length);
        let (head, mut nodes) = log(length);
        let change = truncate(&nodes, &head, kept, fork).unwrap();
        let (shorter, expected) = log(kept);
        prop_assert_eq!(change.head().roots(), shorter.roots());
        prop_assert_eq!(change.head().byte_length(), shorter.byte_length());
        prop_assert_eq!((change.head().fork(), change.before(), change.ancestors()), (fork, length, kept));
        if let Some(removed) = change.removed() {
            nodes.0.retain(|index, _| !(removed.range.0..removed.range.1).contains(index) && !removed.across.contains(index));
            // the one that upstream leaves; see `truncate`
            if kept.is_power_of_two() && length >= kept * 2 {
                prop_assert!(nodes.0.remove(&(kept * 2 - 1)).is_some());
            }
        } else {
            prop_assert_eq!(kept, length);
        }
        prop_assert_eq!(nodes, expected);
    }

    #[test]
    fn e5_after_any_clears_every_block_that_is_left_can_be_proven(
        length in 1..80_u64,
        clears in prop::collection::vec((0..90_u64, 0..20_u64), 1..12),
    ) {
        let (head, mut nodes) = log(length);
        let mut bits = LocalBitfield::new();
        bits.apply(BitChange { start: 0, end: length, set: true });
        for (start, count) in clears {
            let end = (start + count).min(length);
            for node in cleared_nodes(&head, &bits, start) {
                nodes.0.remove(&node);
            }
            bits.apply(BitChange { start, end, set: false });
            for index in (0..length).filter(|index| bits.get(*index)) {
                let request = ProofRequest { block: Some(BlockRequest { index, nodes: 64 }), ..ProofRequest::default() };
                let plan = plan(&head, &request, &nodes);
                let Ok(plan) = plan else { continue };
                for node in plan.indices() {
                    prop_assert!(nodes.0.contains_key(&node), "block {index} needs node {node}");
                }
            }
            for root in head.roots() {
                prop_assert!(nodes.0.contains_key(&root.index));
            }
        }
    }
}

#[test]
fn c3_a_truncation_is_never_longer() {
    let (head, nodes) = log(4);
    assert!(truncate(&nodes, &head, 5, 1).is_err());
}

#[test]
fn e5_the_nodes_above_two_cleared_blocks_go() {
    let (head, _) = log(4);
    let mut bits = LocalBitfield::new();
    bits.apply(BitChange { start: 1, end: 4, set: true });
    // block 0 is gone already, so nobody needs the hashes of blocks 0 and 1 once block 1 goes
    assert_eq!(cleared_nodes(&head, &bits, 1), [2, 0]);
    bits.apply(BitChange { start: 0, end: 1, set: true });
    assert!(cleared_nodes(&head, &bits, 1).is_empty());
}
