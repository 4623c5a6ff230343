//! Truncation, forks and snapshots.

mod common;

use std::time::Duration;

use common::{filled, told};
use hypercore::{Event, GetOptions, Hypercore, SessionOptions, TruncateOptions};

#[tokio::test]
async fn c1_a_truncation_shortens_the_log_and_moves_it_to_the_next_fork() {
    let core = filled(10).await;
    let mut events = core.events();
    core.truncate(4).await.unwrap();
    assert_eq!((core.length(), core.byte_length(), core.fork()), (4, 4, 1));
    core.truncate_with(2, TruncateOptions::new().fork(7)).await.unwrap();
    assert_eq!((core.length(), core.byte_length(), core.fork()), (2, 2, 7));
    assert_eq!(
        told(&mut events).await,
        [Event::Truncate { length: 4, fork: 1 }, Event::Truncate { length: 2, fork: 7 }]
    );
    let reader = core.session(SessionOptions::new().wait(false)).await.unwrap();
    assert_eq!(reader.get(2).await.unwrap_err().code(), "BLOCK_NOT_AVAILABLE");
    assert_eq!(core.tree_hash().await.unwrap(), filled(2).await.tree_hash().await.unwrap());
}

#[tokio::test]
async fn c2_forks_only_ever_go_up_and_are_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    for round in 0..10_u64 {
        core.append_batch(["a", "b", "c"]).await.unwrap();
        assert_eq!(core.fork(), round);
        core.truncate(1).await.unwrap();
    }
    let lower = core.truncate_with(1, TruncateOptions::new().fork(3)).await.unwrap_err();
    assert_eq!(lower.code(), "INVALID_OPERATION");
    core.close().await.unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    assert_eq!((core.fork(), core.length()), (10, 1));
    assert_eq!(core.get(0).await.unwrap(), "a");
}

#[tokio::test]
async fn c3_a_truncation_above_the_length_changes_nothing() {
    let core = filled(3).await;
    assert_eq!(core.truncate(4).await.unwrap_err().code(), "INVALID_OPERATION");
    assert_eq!((core.length(), core.fork()), (3, 0));
    let reader = Hypercore::builder().key(*core.key()).memory().await.unwrap();
    assert_eq!(reader.truncate(0).await.unwrap_err().code(), "SESSION_NOT_WRITABLE");
}

#[tokio::test]
async fn c4_c5_blocks_and_bits_go_over_a_page_border_and_the_log_opens_again() {
    let dir = tempfile::tempdir().unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    core.append_batch(vec!["x"; 40_000]).await.unwrap();
    core.truncate(1).await.unwrap();
    for reopened in [false, true] {
        let core = if reopened { Hypercore::open(dir.path()).await.unwrap() } else { core.clone() };
        assert_eq!((core.length(), core.contiguous_length()), (1, 1));
        assert!(core.has(0).await.unwrap());
        for gone in [1, 2, 32_767, 32_768, 39_999] {
            assert!(!core.has(gone).await.unwrap(), "{gone}");
        }
        if reopened {
            assert_eq!(core.append("y").await.unwrap().length, 2);
            assert_eq!(core.get(1).await.unwrap(), "y");
        }
        core.close().await.unwrap();
    }
}

#[tokio::test]
async fn c6_a_snapshot_keeps_what_it_had() {
    let dir = tempfile::tempdir().unwrap();
    for core in [filled(5).await, Hypercore::open(dir.path()).await.unwrap()] {
        if core.is_empty() {
            core.append_batch((0..5).map(|i| i.to_string())).await.unwrap();
        }
        let snapshot = core.snapshot().await.unwrap();
        let again = snapshot.session(SessionOptions::new()).await.unwrap();
        core.append("5").await.unwrap();
        core.truncate(2).await.unwrap();
        core.append_batch(["new 2", "new 3"]).await.unwrap();
        for snapshot in [&snapshot, &again] {
            assert_eq!((snapshot.length(), snapshot.byte_length(), snapshot.fork()), (5, 5, 0));
            assert_eq!(common::texts(snapshot).await, ["0", "1", "2", "3", "4"]);
            assert!(!snapshot.writable() && snapshot.is_snapshot());
            assert_eq!(snapshot.append("x").await.unwrap_err().code(), "SESSION_NOT_WRITABLE");
        }
        assert_eq!(core.get(2).await.unwrap(), "new 2");
    }
}

#[tokio::test]
async fn c7_the_signed_length_of_a_snapshot_falls_with_the_log_and_never_rises() {
    let core = filled(10).await;
    let snapshot = core.snapshot().await.unwrap();
    assert_eq!(snapshot.signed_length(), 10);
    core.truncate(6).await.unwrap();
    core.append_batch(["a", "b", "c", "d", "e", "f"]).await.unwrap();
    assert_eq!(snapshot.signed_length(), 6);
    core.truncate(3).await.unwrap();
    core.truncate(1).await.unwrap();
    core.append_batch(vec!["x"; 20]).await.unwrap();
    assert_eq!((snapshot.signed_length(), snapshot.length()), (1, 10));
}

#[tokio::test]
async fn c9_beyond_its_end_a_snapshot_says_that_it_has_nothing() {
    let core = filled(3).await;
    let snapshot = core.snapshot().await.unwrap();
    core.append("3").await.unwrap();
    assert_eq!(snapshot.get(3).await.unwrap_err().code(), "SNAPSHOT_NOT_AVAILABLE");
    let options = GetOptions::new().wait(false);
    assert_eq!(snapshot.get_with(9, options).await.unwrap_err().code(), "SNAPSHOT_NOT_AVAILABLE");
}

#[tokio::test]
async fn c10_a_get_that_waits_for_a_block_that_is_cut_away_fails() {
    let core = filled(5).await;
    core.clear(1..2).await.unwrap();
    core.clear(3..4).await.unwrap();
    let waiting = |index| {
        let core = core.clone();
        tokio::spawn(async move { core.get(index).await })
    };
    let (kept, gone, later) = (waiting(1), waiting(3), waiting(7));
    tokio::time::sleep(Duration::from_millis(20)).await;
    core.truncate(2).await.unwrap();
    assert_eq!(gone.await.unwrap().unwrap_err().code(), "SNAPSHOT_NOT_AVAILABLE");
    core.append_batch(["2", "3", "4", "5", "6", "7"]).await.unwrap();
    assert_eq!(later.await.unwrap().unwrap(), "7", "it waited for a block that was not there yet");
    assert!(!kept.is_finished(), "nobody has it");
    core.truncate(0).await.unwrap();
    assert_eq!(kept.await.unwrap().unwrap_err().code(), "SNAPSHOT_NOT_AVAILABLE");
}

#[tokio::test]
async fn c11_a_snapshot_of_a_named_session_outlives_it() {
    let core = filled(2).await;
    let draft = common::named(&core, "draft").await;
    draft.append("draft").await.unwrap();
    let snapshot = draft.snapshot().await.unwrap();
    draft.truncate(1).await.unwrap();
    draft.close().await.unwrap();
    drop(draft);
    assert_eq!(common::texts(&snapshot).await, ["0", "1", "draft"]);
}

#[tokio::test]
async fn c12_a_snapshot_opens_beside_an_atom() {
    let core = filled(2).await;
    let atom = core.atom();
    let inside = core.session(SessionOptions::new().atom(&atom)).await.unwrap();
    inside.append("2").await.unwrap();
    let (of_core, of_atom) = (core.snapshot().await.unwrap(), inside.snapshot().await.unwrap());
    atom.flush().await.unwrap();
    assert_eq!((of_core.length(), of_atom.length(), core.length()), (2, 3, 3));
    assert_eq!(of_atom.get(2).await.unwrap(), "2");
}

#[tokio::test]
async fn c13_a_cut_to_the_same_length_is_signed_for_its_fork() {
    let core = filled(3).await;
    core.truncate(2).await.unwrap();
    core.truncate_with(2, TruncateOptions::new().fork(5)).await.unwrap();
    assert_eq!((core.length(), core.fork()), (2, 5));
    // a reader that starts from nothing takes the head only if it is signed for this fork
    let reader = Hypercore::builder().key(*core.key()).memory().await.unwrap();
    let upgrade = hypercore::UpgradeRequest { start: 0, length: 2 };
    let request = hypercore::ProofRequest { upgrade: Some(upgrade), ..Default::default() };
    let proof = core.proof(&request).await.unwrap();
    assert_eq!(proof.fork, 5);
    assert!(reader.apply_proof(proof).await.unwrap());
    assert_eq!((reader.length(), reader.fork()), (2, 5));
}
