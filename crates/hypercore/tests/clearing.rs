//! Taking blocks away: which bits, blocks and tree nodes go, and what stays.

mod common;

use common::{connect, filled, in_store, named, numbers, reader};
use hc_storage::keys;
use hypercore::storage::Storage;
use hypercore::{BlockRequest, Hypercore, OpenOptions, ProofRequest, SessionOptions, UpgradeRequest};

async fn here(core: &Hypercore) -> Vec<u64> {
    let mut here = Vec::new();
    for index in 0..core.length() {
        if core.has(index).await.unwrap() {
            here.push(index);
        }
    }
    here
}

/// Every block that is here can be proven to somebody who has nothing but the key and a signed head.
async fn all_proven(core: &Hypercore, what: &str) {
    let reader = Hypercore::builder().key(*core.key()).memory().await.unwrap();
    let upgrade = Some(UpgradeRequest { start: 0, length: core.length() });
    let head = core.proof(&ProofRequest { upgrade, ..ProofRequest::default() }).await;
    assert!(reader.apply_proof(head.unwrap()).await.unwrap(), "{what}");
    for index in here(core).await {
        let nodes = reader.missing_nodes(index).await.unwrap();
        let request = ProofRequest { block: Some(BlockRequest { index, nodes }), ..ProofRequest::default() };
        let proof = core.proof(&request).await;
        let proof =
            proof.unwrap_or_else(|error| panic!("{what}: block {index} of {:?}: {error}", core.length()));
        assert!(reader.apply_proof(proof).await.unwrap(), "{what}: block {index}");
        assert_eq!(reader.get(index).await.unwrap(), core.get(index).await.unwrap());
    }
}

#[tokio::test]
async fn e1_blocks_go_and_the_log_stays_as_long_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    core.append_batch((0..10).map(|i| i.to_string())).await.unwrap();
    let hash = core.tree_hash().await.unwrap();
    assert_eq!(core.clear(4..5).await.unwrap(), 1);
    assert_eq!(core.clear(6..=8).await.unwrap(), 3);
    assert_eq!(core.clear(3..9).await.unwrap(), 2, "the others were gone already");
    for reopened in [false, true] {
        let core = if reopened { Hypercore::open(dir.path()).await.unwrap() } else { core.clone() };
        assert_eq!((core.length(), core.byte_length(), core.fork()), (10, 10, 0));
        assert_eq!(core.tree_hash().await.unwrap(), hash);
        assert_eq!(here(&core).await, [0, 1, 2, 9]);
        let quick = core.session(SessionOptions::new().wait(false)).await.unwrap();
        assert_eq!(quick.get(4).await.unwrap_err().code(), "BLOCK_NOT_AVAILABLE");
        assert_eq!(quick.get(9).await.unwrap(), "9");
        drop(quick);
        core.close().await.unwrap();
    }
    let dumped = hypercore::storage::dump(dir.path()).await.unwrap();
    assert!(!dumped.iter().any(|(_, value)| value == b"4" || value == b"7"), "the bytes are gone");
    assert!(dumped.iter().any(|(_, value)| value == b"9"));
}

#[tokio::test]
async fn e2_the_contiguous_length_falls_to_the_first_hole() {
    let dir = tempfile::tempdir().unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    core.append_batch(vec!["x"; 100]).await.unwrap();
    for (cleared, expected) in [(90..100, 90), (40..42, 40), (60..70, 40), (0..1, 0)] {
        core.clear(cleared).await.unwrap();
        assert_eq!(core.contiguous_length(), expected);
    }
    core.append("y").await.unwrap();
    core.close().await.unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    assert_eq!((core.contiguous_length(), core.length()), (0, 101));
    // filling the first hole makes it grow to the next one
    let writer = filled(100).await;
    let copy = reader(&writer).await;
    connect(&writer, &copy);
    copy.get(0).await.unwrap();
    copy.download(..100).done().await.unwrap();
    copy.clear(10..11).await.unwrap();
    copy.clear(50..51).await.unwrap();
    assert_eq!(copy.contiguous_length(), 10);
    copy.get(10).await.unwrap();
    assert_eq!(copy.contiguous_length(), 50);
}

#[tokio::test]
async fn e3_clearing_what_is_not_there_changes_nothing() {
    let storage = Storage::memory().unwrap();
    let core = in_store(&storage, OpenOptions::new()).await;
    core.append_batch((0..10).map(|i| i.to_string())).await.unwrap();
    core.clear(3..5).await.unwrap();
    let before = storage.store().dump().unwrap();
    for range in [3..5, 4..4, 10..11, 10..u64::MAX, u64::MAX - 1..u64::MAX] {
        assert_eq!(core.clear(range.clone()).await.unwrap(), 0, "{range:?}");
    }
    #[expect(clippy::reversed_empty_ranges, reason = "that is what it is about")]
    let reversed = core.clear(7..2).await.unwrap();
    assert_eq!(reversed, 0);
    assert_eq!(core.clear(3..).await.unwrap_err().code(), "BAD_ARGUMENT");
    assert_eq!(storage.store().dump().unwrap(), before);
    assert_eq!((core.length(), core.contiguous_length()), (10, 3));
    let empty = Hypercore::memory().await.unwrap();
    assert_eq!(empty.clear(0..10).await.unwrap(), 0);
    assert_eq!(core.clear(8..1 << 60).await.unwrap(), 2, "what is there of it goes");
}

#[tokio::test]
async fn e4_neighbours_of_a_border_stay() {
    let dir = tempfile::tempdir().unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    core.append_batch(vec!["x"; 70_000]).await.unwrap();
    let cleared = [127..129_u64, 32_767..32_768, 32_770..32_771, 65_535..65_538];
    for range in cleared.clone() {
        core.clear(range).await.unwrap();
    }
    core.close().await.unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    let mut next = 0;
    for range in cleared {
        assert!(core.has_range(next..range.start).await.unwrap(), "{next}..{}", range.start);
        for index in range.clone() {
            assert!(!core.has(index).await.unwrap(), "{index}");
        }
        assert_eq!(core.get(range.start - 1).await.unwrap(), "x");
        assert_eq!(core.get(range.end).await.unwrap(), "x");
        next = range.end;
    }
    assert!(core.has_range(next..70_000).await.unwrap());
    assert_eq!(core.contiguous_length(), 127);
}

#[tokio::test]
async fn e5_what_is_left_can_be_proven_whatever_was_cleared() {
    for seed in 0..25 {
        let mut random = numbers(seed);
        let length = 1 + random.next().unwrap() % 70;
        let core = filled(length).await;
        let hash = core.tree_hash().await.unwrap();
        let mut left: Vec<u64> = (0..length).collect();
        for (from, size) in (0..6).map(|_| (random.next().unwrap() % length, random.next().unwrap() % 9)) {
            core.clear(from..from + size).await.unwrap();
            left.retain(|index| !(from..from + size).contains(index));
            assert_eq!(here(&core).await, left);
            all_proven(&core, &format!("seed {seed}, {from} and {size} more")).await;
        }
        assert_eq!(core.tree_hash().await.unwrap(), hash);
        core.append("one more").await.unwrap();
        all_proven(&core, &format!("seed {seed}, appended")).await;
    }
}

#[tokio::test]
async fn e5_nodes_that_no_block_needs_any_more_go() {
    let storage = Storage::memory().unwrap();
    let core = in_store(&storage, OpenOptions::new()).await;
    core.append_batch(vec!["x"; 1024]).await.unwrap();
    let data = storage.store().resume_core(core.discovery_key()).unwrap().unwrap().pointers().data;
    let nodes = || {
        let (start, end) = keys::tree_nodes(data);
        let (start, end) = (start.as_ref().to_vec(), end.as_ref().to_vec());
        storage.store().dump().unwrap().iter().filter(|(key, _)| *key >= start && *key < end).count()
    };
    assert_eq!(nodes(), 2047);
    // as upstream, a node goes when the block that is cleared was the last one below it and its sibling
    for index in 512..1024 {
        core.clear(index..index + 1).await.unwrap();
    }
    assert!(nodes() <= 1025, "{}", nodes());
    for index in (0..512).rev() {
        core.clear(index..index + 1).await.unwrap();
    }
    assert_eq!(nodes(), 1, "the root stays");
    assert_eq!(core.append("y").await.unwrap().length, 1025);
    all_proven(&core, "after all went").await;
}

#[tokio::test]
async fn e6_a_cleared_block_is_fetched_again_also_by_the_writer() {
    let writer = filled(40).await;
    let copy = reader(&writer).await;
    connect(&writer, &copy);
    copy.get(0).await.unwrap();
    copy.download(..40).done().await.unwrap();
    for (core, name) in [(&copy, "the reader"), (&writer, "the writer")] {
        core.clear(3..30).await.unwrap();
        assert!(!core.has(11).await.unwrap(), "{name}");
        let timeout = Some(std::time::Duration::from_secs(20));
        let core = core.session(SessionOptions::new().timeout(timeout)).await.unwrap();
        for index in [11, 3, 29] {
            assert_eq!(core.get(index).await.unwrap(), index.to_string(), "{name}");
            assert!(core.has(index).await.unwrap());
        }
        assert!(!core.has(12).await.unwrap(), "{name} gets what it asks for");
        core.download(..40).done().await.unwrap();
        assert_eq!(core.contiguous_length(), 40);
    }
    all_proven(&writer, "fetched again").await;
}

#[tokio::test]
async fn e15_a_sweep_keeps_exactly_what_is_marked() {
    let core = filled(20).await;
    core.start_marking().await.unwrap();
    assert_eq!(core.start_marking().await.unwrap_err().code(), "ERR_ASSERTION", "not twice");
    for index in [2, 3, 11] {
        core.get(index).await.unwrap();
    }
    core.mark(15..17).await.unwrap();
    let other = core.session(SessionOptions::new()).await.unwrap();
    other.get(7).await.unwrap();
    assert_eq!(core.sweep().await.unwrap(), 15);
    assert_eq!(here(&core).await, [2, 3, 11, 15, 16]);
    all_proven(&core, "swept").await;
    // the marks are gone with the sweep, and reads no longer mark
    core.get(2).await.unwrap();
    assert_eq!(core.sweep().await.unwrap(), 5);
    assert!(here(&core).await.is_empty());
    for session in
        [named(&core, "draft").await, core.session(SessionOptions::new().atom(&core.atom())).await.unwrap()]
    {
        assert_eq!(session.start_marking().await.unwrap_err().code(), "ERR_ASSERTION");
    }
}

#[tokio::test]
async fn e15_marks_go_over_pages_and_last() {
    let dir = tempfile::tempdir().unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    core.append_batch(vec!["x"; 70_000]).await.unwrap();
    core.start_marking().await.unwrap();
    core.mark(32_760..32_780).await.unwrap();
    core.mark(65_535..65_537).await.unwrap();
    core.get(69_999).await.unwrap();
    core.close().await.unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    assert_eq!(core.sweep().await.unwrap(), 70_000 - 23);
    for (start, end) in [(32_760, 32_780), (65_535, 65_537), (69_999, 70_000)] {
        assert!(core.has_range(start..end).await.unwrap());
        assert!(!core.has(start - 1).await.unwrap() && !core.has(end).await.unwrap());
    }
    assert!(!core.has(0).await.unwrap());
}

#[tokio::test]
async fn e15_marks_can_be_taken_back_and_streams_mark_too() {
    let core = filled(10).await;
    core.start_marking().await.unwrap();
    core.mark(0..10).await.unwrap();
    core.clear_marks().await.unwrap();
    let read: Vec<bytes::Bytes> =
        futures_util::TryStreamExt::try_collect(core.read_stream(4..7)).await.unwrap();
    assert_eq!(read.len(), 3);
    assert_eq!(core.mark(3..).await.unwrap_err().code(), "BAD_ARGUMENT");
    core.sweep().await.unwrap();
    assert_eq!(here(&core).await, [4, 5, 6]);
}

#[tokio::test]
async fn e16_a_snapshot_is_not_swept_its_parent_is() {
    let core = filled(6).await;
    let snapshot = core.snapshot().await.unwrap();
    snapshot.start_marking().await.unwrap();
    snapshot.get(4).await.unwrap();
    assert_eq!(snapshot.sweep().await.unwrap_err().code(), "ERR_ASSERTION");
    assert_eq!(snapshot.clear(0..2).await.unwrap_err().code(), "ERR_ASSERTION");
    assert_eq!(here(&core).await.len(), 6);
    assert_eq!(core.sweep().await.unwrap(), 5, "the marks are the core's");
    assert_eq!(here(&core).await, [4]);
    assert_eq!(snapshot.get(1).await.unwrap(), "1", "the snapshot has what it had");
}

#[tokio::test]
async fn clearing_in_a_named_session_touches_its_own_blocks_only() {
    let core = filled(4).await;
    let draft = named(&core, "draft").await;
    draft.append_batch(["a", "b", "c"]).await.unwrap();
    assert_eq!(draft.clear(2..6).await.unwrap(), 2);
    assert_eq!(here(&core).await, [0, 1, 2, 3]);
    assert_eq!(here(&draft).await, [0, 1, 2, 3, 6]);
    assert_eq!(draft.get(6).await.unwrap(), "c");
}
