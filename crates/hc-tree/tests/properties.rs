//! The tree against a naive one: nodes by recursion over the blocks, and readers that may only ever store what that one says,
//! whatever a peer does to a proof.

mod support;

use hc_tree::{
    Batch, BlockRequest, HashRequest, Proof, ProofError, ProofRequest, SeekRequest, TreeHead, UpgradeRequest,
    Verified, byte_offset, missing_nodes, verify,
};
use proptest::prelude::*;
use proptest::sample::Index;
use support::{Log, Stored, Tamper, sizes, spoil, tamper};

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
