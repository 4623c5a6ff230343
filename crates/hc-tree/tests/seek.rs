//! Bytes and blocks, against sums over the blocks.

mod support;

use std::collections::BTreeMap;

use bytes::Bytes;
use hc_tree::{Batch, Node, Seek, TreeHead, byte_offset, flat, missing_nodes, seek, upgradeable};
use proptest::prelude::*;
use proptest::sample::Index;
use support::json::vectors;
use support::{Log, Stored, sizes};

/// The block with a byte, by counting. A byte between two blocks belongs to the right one, whatever its size.
fn naive(sizes: &[u64], bytes: u64) -> Seek {
    let mut before = 0;
    if bytes == 0 {
        return Seek::Block { index: 0, offset: 0 };
    }
    for (index, size) in sizes.iter().enumerate() {
        if bytes < before + size {
            return Seek::Block { index: index as u64, offset: bytes - before };
        }
        before += size;
    }
    if bytes == before { Seek::Block { index: sizes.len() as u64, offset: 0 } } else { Seek::Beyond }
}

#[test]
fn f15_every_byte_is_found_where_node_finds_it() {
    // as in the script
    let log =
        Log::of_blocks(0, (0..24_u64).map(|i| vec![i as u8; 8 + (i as usize * 29) % 40].into()).collect());
    for place in vectors("places") {
        let (padding, bytes) = (place[0].as_u64().unwrap(), place[1].as_u64().unwrap());
        let expected = match place[2].as_array() {
            None => Seek::Beyond,
            Some(found) => {
                Seek::Block { index: found[0].as_u64().unwrap(), offset: found[1].as_u64().unwrap() }
            }
        };
        assert_eq!(seek(&log.nodes, &log.head(24), bytes, padding).unwrap(), expected, "{place}");
    }
}

proptest! {
    #[test]
    fn f15_every_byte_of_any_tree_is_in_the_block_that_holds_it(sizes in prop::collection::vec(1..30_u64, 0..40), padding in 0..10_u64) {
        let blocks = sizes.iter().map(|size| Bytes::from(vec![0; (size + padding) as usize]));
        let log = Log::of_blocks(0, blocks.collect());
        let head = log.head(sizes.len() as u64);
        for bytes in 0..=sizes.iter().sum::<u64>() + 2 {
            prop_assert_eq!(seek(&log.nodes, &head, bytes, padding).unwrap(), naive(&sizes, bytes));
        }
    }

    #[test]
    fn f15_where_nodes_are_missing_the_blocks_that_may_hold_the_byte_are_said(
        sizes in sizes(),
        kept in prop::collection::vec(any::<Index>(), 0..6),
        at in any::<Index>(),
    ) {
        let log = Log::new(&sizes);
        let head = log.head(sizes.len() as u64);
        let sparse = with_branches(&log, kept.iter().map(|kept| kept.index(sizes.len()) as u64));
        let bytes = at.index(head.byte_length() as usize + 2) as u64;
        let truth = seek(&log.nodes, &head, bytes, 0).unwrap();
        let found = seek(&sparse, &head, bytes, 0).unwrap();
        match (found, truth) {
            (Seek::Within { start, end }, Seek::Block { index, .. }) => {
                // where blocks are empty, a byte at a border is in each of them
                let border = (start..=end).any(|block| log.byte_offset(block) == bytes);
                prop_assert!((start..end).contains(&index) || border);
                prop_assert!(end - start > 1);
            }
            _ => prop_assert_eq!(found, truth),
        }
    }

    #[test]
    fn b7_a_node_lies_behind_all_blocks_before_it(sizes in sizes()) {
        let log = Log::new(&sizes);
        let head = log.head(sizes.len() as u64);
        for index in log.nodes.0.keys() {
            let first = flat::left_span(*index) / 2;
            prop_assert_eq!(byte_offset(&log.nodes, &head, *index).unwrap(), log.byte_offset(first));
        }
    }

    #[test]
    fn f9_a_length_can_be_upgraded_from_only_with_all_its_roots(length in 0..200_u64, lost in any::<Index>()) {
        let roots: Vec<u64> = flat::full_roots(length).collect();
        let mut stored = Stored(roots.iter().map(|index| (*index, Node { index: *index, size: 0, hash: [0; 32].into() })).collect());
        prop_assert!(upgradeable(&stored, length).unwrap());
        if !roots.is_empty() {
            stored.0.remove(&roots[lost.index(roots.len())]);
            prop_assert!(!upgradeable(&stored, length).unwrap());
        }
    }

    #[test]
    fn f16_a_batch_can_be_copied_cut_back_and_go_on(sizes in sizes(), base in any::<Index>(), to in any::<Index>()) {
        let log = Log::new(&sizes);
        let length = sizes.len() as u64;
        let (base, to) = (base.index(sizes.len() + 1) as u64, to.index(sizes.len() + 1) as u64);
        let stored = Stored(log.nodes.0.iter().filter(|(index, _)| flat::right_span(**index) / 2 < base).map(|(i, n)| (*i, *n)).collect());
        let mut whole = Batch::new(&log.head(base));
        log.blocks[base as usize..].iter().for_each(|block| whole.append(block));
        let mut cut = whole.clone();
        cut.checkout(to, &stored).unwrap();
        let expected = cut.clone().finish();
        prop_assert_eq!(expected.head(), &log.head(to));
        prop_assert_eq!(expected.ancestors(), base.min(to));
        // as if the rest had never been appended
        let mut fresh = Batch::new(&log.head(base.min(to)));
        log.blocks[base.min(to) as usize..to as usize].iter().for_each(|block| fresh.append(block));
        prop_assert_eq!(&sorted(expected.nodes()), &sorted(fresh.finish().nodes()));
        // it goes on, and the batch it was copied from knows nothing of that
        log.blocks[to as usize..].iter().for_each(|block| cut.append(block));
        let (cut, whole) = (cut.finish(), whole.finish());
        prop_assert_eq!(cut.head(), &log.head(length));
        prop_assert_eq!(whole.head(), &log.head(length));
        let longer = Batch::new(&TreeHead::empty(0)).checkout(1, &stored);
        prop_assert!(longer.is_err(), "there is nothing to go back to");
    }
}

fn sorted(nodes: &[Node]) -> BTreeMap<u64, Node> {
    nodes.iter().map(|node| (node.index, *node)).collect()
}

/// The roots and the branches of some blocks.
fn with_branches(log: &Log, blocks: impl Iterator<Item = u64>) -> Stored {
    let length = log.blocks.len() as u64;
    let mut stored = Stored(log.head(length).roots().iter().map(|root| (root.index, *root)).collect());
    for block in blocks {
        let mut cursor = flat::Cursor::new(block * 2);
        for _ in 0..missing_nodes(&stored, block * 2, length).unwrap() {
            for index in [cursor.index(), cursor.sibling()] {
                stored.0.insert(index, log.nodes.0[&index]);
            }
            cursor.parent().unwrap();
        }
    }
    stored
}
