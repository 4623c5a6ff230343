//! Cutting a log from which blocks were cleared: what can be had back is, and what cannot is said to be cleared.

mod common;

use common::{filled, numbers, reader, texts};
use hc_tree::{Batch, TreeHead, flat};
use hypercore::{BlockRequest, Error, Hash, Hypercore, ProofRequest, SessionOptions};

/// What a log must be, kept apart from it: its blocks, and which of them are stored.
#[derive(Default)]
struct Oracle {
    blocks: Vec<(String, bool)>,
    fork: u64,
    written: u64,
}

impl Oracle {
    fn len(&self) -> u64 {
        self.blocks.len() as u64
    }

    fn stored(&self, index: u64) -> bool {
        self.blocks.get(index as usize).is_some_and(|(_, stored)| *stored)
    }

    /// Whether the log can be cut here whatever was cleared.
    fn must_cut(&self, length: u64) -> bool {
        length == 0 || length == self.len() || self.stored(length - 1) || self.stored(length)
    }

    fn fresh(&mut self, count: u64) -> Vec<String> {
        self.written += count;
        let fresh: Vec<String> = (self.written - count..self.written).map(|n| format!("block {n}")).collect();
        self.blocks.extend(fresh.iter().map(|block| (block.clone(), true)));
        fresh
    }

    fn hash(&self) -> Hash {
        let mut whole = Batch::new(&TreeHead::empty(0));
        for (block, _) in &self.blocks {
            whole.append(block.as_bytes());
        }
        whole.hash()
    }
}

/// The log is what it must be, and each block that is stored can be proven.
async fn check(core: &Hypercore, oracle: &Oracle, what: &str) {
    assert_eq!((core.length(), core.fork()), (oracle.len(), oracle.fork), "{what}");
    assert_eq!(core.tree_hash().await.unwrap(), oracle.hash(), "{what}");
    for (index, (block, stored)) in (0..).zip(&oracle.blocks) {
        assert_eq!(core.has(index).await.unwrap(), *stored, "{what}: block {index}");
        if *stored {
            assert_eq!(core.get(index).await.unwrap(), block, "{what}: block {index}");
            // for somebody who has the roots only
            let root = flat::full_roots(oracle.len()).find(|root| flat::right_span(*root) / 2 >= index);
            let block = BlockRequest { index, nodes: u64::from(flat::depth(root.unwrap())) };
            let request = ProofRequest { block: Some(block), ..ProofRequest::default() };
            core.proof(&request).await.unwrap_or_else(|error| panic!("{what}: block {index}: {error}"));
        }
    }
}

/// The error says that these blocks were cleared, names the length, and is about none that is stored.
fn check_gap(error: &Error, oracle: &Oracle, asked: u64, what: &str) {
    assert_eq!(error.code(), "INVALID_OPERATION", "{what}");
    let Error::TreeGap { length, start, end, cleared, discovery_key } = error else {
        panic!("{what}: {error}");
    };
    assert_eq!((*length, *cleared, discovery_key.is_some()), (Some(asked), true, true), "{what}");
    assert!(start < end && *end <= asked, "{what}: {start}..{end}");
    assert!((*start..*end).all(|index| !oracle.stored(index)), "{what}: {start}..{end}");
    assert!(!error.to_string().contains("never fetched"), "{what}: {error}");
}

async fn run(seed: u64) -> (u64, u64) {
    let mut random = numbers(seed);
    let mut below = |end: u64| random.next().unwrap() % end;
    let (core, mut oracle) = (Hypercore::memory().await.unwrap(), Oracle::default());
    let (mut cut, mut refused) = (0, 0);
    for step in 0..30 {
        let what = format!("seed {seed}, step {step}");
        let length = oracle.len();
        match below(5) {
            0 | 1 => {
                let count = 1 + below(9);
                core.append_batch(oracle.fresh(count)).await.unwrap();
            }
            2 | 3 => {
                let start = below(length + 1);
                let end = start + below(length + 2 - start);
                core.clear(start..end).await.unwrap();
                for index in start..end.min(length) {
                    oracle.blocks[index as usize].1 = false;
                }
            }
            _ => {
                let asked = below(length + 1);
                match core.truncate(asked).await {
                    Ok(()) => {
                        cut += 1;
                        oracle.fork += 1;
                        oracle.blocks.truncate(asked as usize);
                    }
                    Err(error) => {
                        refused += 1;
                        assert!(!oracle.must_cut(asked), "{what}: not to {asked}: {error}");
                        check_gap(&error, &oracle, asked, &what);
                    }
                }
            }
        }
        check(&core, &oracle, &what).await;
    }
    (cut, refused)
}

#[tokio::test]
async fn e5_c1_after_any_clears_a_cut_succeeds_or_says_what_was_cleared() {
    let (mut cut, mut refused) = (0, 0);
    for seed in 0..150 {
        let (more, fewer) = run(seed).await;
        (cut, refused) = (cut + more, refused + fewer);
    }
    assert!(cut > 50 && refused > 50, "both are tried: {cut} cuts, {refused} refusals");
}

#[tokio::test]
async fn regression_a_cut_between_cleared_blocks_says_that_they_were_cleared() {
    let core = filled(6).await;
    for range in [4..6, 2..6, 4..6, 0..6, 2..6] {
        core.clear(range).await.unwrap();
    }
    let error = core.truncate(5).await.unwrap_err();
    let expected = Error::TreeGap {
        length: Some(5),
        start: 4,
        end: 5,
        cleared: true,
        discovery_key: Some(*core.discovery_key()),
    };
    assert_eq!(error.to_string(), expected.to_string());
    assert!(error.to_string().contains("blocks 4..5 went when they were cleared"), "{error}");
    assert_eq!((core.length(), core.fork()), (6, 0));
    // where the tree has no gap it can be cut
    core.truncate(4).await.unwrap();
    core.append("next").await.unwrap();
    assert_eq!((core.length(), core.fork(), core.get(4).await.unwrap()), (5, 1, "next".into()));
}

#[tokio::test]
async fn e5_a_hash_of_a_cleared_length_and_a_seek_there_say_so_too() {
    let core = filled(6).await;
    for range in [4..6, 2..6, 4..6, 0..6, 2..6] {
        core.clear(range).await.unwrap();
    }
    let draft = core.session(SessionOptions::new().name("draft")).await.unwrap();
    for error in [draft.catch_up(5).await.unwrap_err(), draft.truncate(5).await.unwrap_err()] {
        assert!(matches!(error, Error::TreeGap { length: Some(5), cleared: true, .. }), "{error}");
    }
    assert_eq!(draft.length(), 6);
}

#[tokio::test]
async fn e5_a_reader_is_not_told_that_it_cleared_what_it_may_never_have_had() {
    let writer = filled(8).await;
    let copy = reader(&writer).await;
    let head = writer.proof(&common::upgrade(8)).await.unwrap();
    assert!(copy.apply_proof(head).await.unwrap());
    let draft = copy.session(SessionOptions::new().name("draft")).await.unwrap();
    let error = draft.truncate(5).await.unwrap_err();
    assert!(matches!(error, Error::TreeGap { length: Some(5), cleared: false, .. }), "{error}");
    assert!(error.to_string().contains("cleared with them, or never fetched"), "{error}");
    assert_eq!(texts(&writer).await.len(), 8);
}
