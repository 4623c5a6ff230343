//! Named sessions beside a log that changes meanwhile: which of them can be committed, and what becomes of their blocks.

mod common;

use std::sync::Arc;

use common::{connect, filled, named, reader, texts, until};
use compact_encoding::Decode;
use hypercore::storage::Storage;
use hypercore::{
    CommitOptions, GetOptions, Hypercore, KeyPair, OpenOptions, Role, SessionOptions, TruncateOptions,
};

fn here() -> GetOptions {
    GetOptions::new().wait(false)
}

#[tokio::test]
async fn d1_a_draft_has_the_blocks_of_the_log_and_its_own_and_says_so() {
    let core = filled(3).await;
    let draft = named(&core, "draft").await;
    draft.append_batch(["de", "fg"]).await.unwrap();
    for index in 0..5 {
        assert!(draft.has(index).await.unwrap(), "{index}");
    }
    assert!(draft.has_range(0..5).await.unwrap() && !draft.has_range(0..6).await.unwrap());
    let (of_draft, of_core) = (draft.info().await.unwrap(), core.info().await.unwrap());
    assert_eq!((of_draft.length, of_draft.byte_length, of_draft.fork), (5, 7, 0));
    assert_eq!((of_core.length, of_core.byte_length), (3, 3));
    core.commit(&draft).await.unwrap().unwrap();
    let committed = core.info().await.unwrap();
    assert_eq!(committed, draft.info().await.unwrap());
    assert_eq!((committed.length, committed.byte_length, committed.contiguous_length), (5, 7, 5));
}

#[tokio::test]
async fn d3_the_same_blocks_may_come_through_any_other_session_of_the_log() {
    for before in [true, false] {
        let core = filled(3).await;
        let session = core.session(SessionOptions::new()).await.unwrap();
        let draft = named(&core, "draft").await;
        draft.append("d").await.unwrap();
        let other = if before { session } else { core.session(SessionOptions::new()).await.unwrap() };
        other.append("d").await.unwrap();
        assert_eq!(core.commit(&draft).await.unwrap().unwrap().length, 4);
        assert_eq!((other.length(), other.get(3).await.unwrap()), (4, "d".into()));
    }
}

#[tokio::test]
async fn d4_d11_a_draft_that_was_cut_to_a_given_fork_is_committed_as_it_is() {
    let core = filled(3).await;
    let draft = named(&core, "draft").await;
    draft.append_batch(["de", "fg"]).await.unwrap();
    draft.truncate_with(4, TruncateOptions::new().fork(0)).await.unwrap();
    assert_eq!((draft.length(), draft.fork()), (4, 0));
    assert_eq!(draft.get_with(3, here()).await.unwrap().unwrap(), "de");
    assert_eq!(draft.get_with(4, here()).await.unwrap(), None);
    assert_eq!(core.commit(&draft).await.unwrap().unwrap().length, 4);
    // what is shorter than the log has nothing for it
    draft.truncate(2).await.unwrap();
    assert_eq!(core.commit(&draft).await.unwrap(), None);
    assert_eq!(texts(&core).await, ["0", "1", "2", "de"]);
}

#[tokio::test]
async fn d6_a_log_that_was_cut_below_a_draft_takes_nothing_of_it() {
    let core = filled(3).await;
    let draft = named(&core, "draft").await;
    draft.append("a").await.unwrap();
    core.truncate(2).await.unwrap();
    assert_eq!(core.commit(&draft).await.unwrap(), None);
    assert_eq!((core.length(), core.fork()), (2, 1));
    // nor after it has grown again
    core.append_batch(["2", "a"]).await.unwrap();
    assert_eq!(core.commit(&draft).await.unwrap().map(|done| done.length), Some(4), "it is the same again");
}

#[tokio::test]
async fn d6_a_draft_that_is_closed_or_was_never_written_leaves_the_log_alone() {
    let core = filled(3).await;
    let draft = named(&core, "draft").await;
    draft.append_batch(["de", "fg"]).await.unwrap();
    draft.close().await.unwrap();
    assert_eq!(core.length(), 3);
    core.append_batch(["d", "e"]).await.unwrap();
    assert_eq!(texts(&core).await, ["0", "1", "2", "d", "e"]);
    let silent = named(&core, "silent").await;
    assert_eq!(core.commit(&silent).await.unwrap().unwrap().length, 5);
    silent.close().await.unwrap();
    assert_eq!(core.commit(&silent).await.unwrap_err().code(), "SESSION_CLOSED");
}

#[tokio::test]
async fn d7_drafts_that_agree_are_committed_one_after_the_other() {
    let core = filled(3).await;
    let (one, more, other) = (named(&core, "1").await, named(&core, "2").await, named(&core, "3").await);
    one.append("a").await.unwrap();
    more.append_batch(["a", "c"]).await.unwrap();
    other.append("c").await.unwrap();
    assert_eq!(core.commit(&one).await.unwrap().unwrap().length, 4);
    assert_eq!(core.commit(&more).await.unwrap().unwrap().length, 5);
    assert_eq!(core.commit(&other).await.unwrap(), None);
    assert_eq!(texts(&core).await, ["0", "1", "2", "a", "c"]);
    // one that begins later begins where the log is, also by way of another session
    let session = core.session(SessionOptions::new()).await.unwrap();
    let later = session.session(SessionOptions::new().name("4")).await.unwrap();
    later.append("d").await.unwrap();
    assert_eq!(core.commit(&later).await.unwrap().unwrap().length, 6);
}

#[tokio::test]
async fn d4_a_draft_keeps_its_lengths_while_parts_of_it_are_committed() {
    let core = Hypercore::memory().await.unwrap();
    let draft = named(&core, "draft").await;
    draft.append_batch(["a", "b", "c", "d"]).await.unwrap();
    for length in [2, 3, 4] {
        core.commit_with(&draft, CommitOptions::new().length(length)).await.unwrap().unwrap();
        assert_eq!((core.length(), core.byte_length()), (length, length));
        assert_eq!((draft.length(), draft.byte_length(), draft.signed_length()), (4, 4, length));
    }
    assert_eq!(texts(&draft).await, texts(&core).await);
}

#[tokio::test]
async fn d9_a_checkout_is_committed_once_it_agrees_with_the_log() {
    let core = Hypercore::memory().await.unwrap();
    core.append_batch(["a", "b"]).await.unwrap();
    let hash = core.tree_hash().await.unwrap();
    core.append_batch(["c", "d"]).await.unwrap();
    let back = core.session(SessionOptions::new().name("back").checkout(2)).await.unwrap();
    assert_eq!((back.length(), back.byte_length(), back.tree_hash().await.unwrap()), (2, 2, hash));
    back.append_batch(["c", "z"]).await.unwrap();
    assert_eq!(core.commit(&back).await.unwrap(), None);
    back.truncate_with(3, TruncateOptions::new().fork(back.fork())).await.unwrap();
    back.append("d").await.unwrap();
    assert_eq!(core.commit(&back).await.unwrap().unwrap().length, 4);
    assert_eq!((texts(&core).await.concat(), core.fork()), ("abcd".into(), 0));
}

/// The owner's log, and a copy in other hands that can sign it too.
async fn two_writers() -> (Hypercore, Hypercore) {
    let options = || OpenOptions::new().key_pair(KeyPair::from_seed(&[1; 32]));
    (options().memory().await.unwrap(), options().memory().await.unwrap())
}

#[tokio::test]
async fn d2_a_draft_that_the_log_is_ahead_of_is_committed_once_it_has_caught_up() {
    let (core, copy) = two_writers().await;
    connect(&core, &copy);
    core.append("a").await.unwrap();
    assert_eq!(copy.get(0).await.unwrap(), "a");
    let draft = named(&copy, "draft").await;
    core.append_batch(["b", "c"]).await.unwrap();
    until("the copy follows", || copy.length() == 3).await;
    copy.get(1).await.unwrap();
    copy.get(2).await.unwrap();
    draft.append("b").await.unwrap();
    assert_eq!(copy.commit(&draft).await.unwrap(), None, "the log is ahead");
    draft.append("c").await.unwrap();
    assert_eq!(copy.commit(&draft).await.unwrap().unwrap().length, 3);
    assert_eq!(draft.signed_length(), 3);
}

#[tokio::test]
async fn d5_a_part_with_the_signature_of_then_leaves_a_log_alone_that_is_longer_now() {
    let core = Hypercore::memory().await.unwrap();
    let copy = reader(&core).await;
    let draft = named(&copy, "draft").await;
    core.append_batch(vec!["tick"; 10]).await.unwrap();
    let signature = core.proof(&common::upgrade(10)).await.unwrap().upgrade.unwrap().signature;
    core.append_batch(vec!["tick"; 10]).await.unwrap();
    connect(&core, &copy);
    until("the copy follows", || copy.length() == 20).await;
    assert_eq!(copy.get(19).await.unwrap(), "tick");
    draft.append_batch(vec!["tick"; 20]).await.unwrap();
    let part = CommitOptions::new().length(10).signature(signature);
    assert_eq!(copy.commit_with(&draft, part).await.unwrap(), None);
    assert_eq!((copy.length(), copy.get_with(19, here()).await.unwrap()), (20, Some("tick".into())));
}

#[tokio::test]
async fn d5_a_part_with_the_signature_of_then_becomes_the_log_of_a_copy() {
    let core = Hypercore::memory().await.unwrap();
    core.append_batch(vec!["tick"; 10]).await.unwrap();
    let signature = core.proof(&common::upgrade(10)).await.unwrap().upgrade.unwrap().signature;
    let copy = Hypercore::builder().manifest(core.manifest().unwrap()).memory().await.unwrap();
    let draft = named(&copy, "draft").await;
    draft.append_batch(vec!["tick"; 20]).await.unwrap();
    let part = CommitOptions::new().length(10).signature(signature);
    assert_eq!(copy.commit_with(&draft, part).await.unwrap().unwrap().length, 10);
    assert_eq!(copy.tree_hash().await.unwrap(), core.tree_hash().await.unwrap());
    assert_eq!(
        copy.commit(&draft).await.unwrap_err().code(),
        "SESSION_NOT_WRITABLE",
        "the rest is not signed"
    );
    assert_eq!((copy.length(), draft.length()), (10, 20));
}

/// What the store says a session continues: the data of another log, and how much of it.
fn dependency(storage: &Arc<Storage>, data: u64) -> (u64, u64) {
    let stored = storage.store().kv().get(&hc_storage::keys::dependency(data)).unwrap().unwrap();
    let dependency = hc_storage::Dependency::from_bytes(&stored).unwrap();
    (dependency.data_pointer, dependency.length)
}

#[tokio::test]
async fn d14_a_draft_that_catches_up_is_the_log_and_depends_on_nothing_else() {
    for own in [1, 5] {
        let storage = Storage::memory().unwrap();
        let core = common::in_store(&storage, OpenOptions::new()).await;
        let draft = named(&core, "draft").await;
        for _ in 0..own {
            draft.append("b").await.unwrap();
        }
        core.append("a").await.unwrap();
        assert_ne!(draft.tree_hash().await.unwrap(), core.tree_hash().await.unwrap());
        draft.catch_up(1).await.unwrap();
        assert_eq!((draft.length(), draft.get(0).await.unwrap()), (1, "a".into()));
        assert_eq!(draft.tree_hash().await.unwrap(), core.tree_hash().await.unwrap());
        assert_eq!(dependency(&storage, 1), (0, 1));
    }
}

#[tokio::test]
async fn d14_catching_up_with_the_same_content_drops_the_copies_of_it() {
    let core = filled(3).await;
    let storage = Storage::memory().unwrap();
    let copy = common::in_store(&storage, OpenOptions::new().key(*core.key())).await;
    let draft = named(&copy, "draft").await;
    draft.append_batch(["0", "1", "2"]).await.unwrap();
    connect(&core, &copy);
    until("the copy knows the log", || copy.length() == 3).await;
    assert!(draft.has(0).await.unwrap());
    assert_eq!(draft.tree_hash().await.unwrap(), core.tree_hash().await.unwrap());
    draft.catch_up(3).await.unwrap();
    assert_eq!(draft.tree_hash().await.unwrap(), core.tree_hash().await.unwrap());
    assert!(!draft.has(0).await.unwrap(), "the log does not have it");
    assert_eq!((draft.length(), dependency(&storage, 1)), (3, (0, 3)));
    assert_eq!(draft.get(1).await.unwrap(), "1", "it comes from peers");
}

#[tokio::test]
async fn d8_drafts_are_there_after_reopening_with_all_their_lengths() {
    let dir = tempfile::tempdir().unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    core.append_batch(["a", "b", "c"]).await.unwrap();
    let draft = named(&core, "draft").await;
    draft.append_batch(["d", "e", "f"]).await.unwrap();
    let silent = named(&core, "silent").await;
    assert_eq!((draft.length(), draft.byte_length(), draft.signed_length(), silent.length()), (6, 6, 3, 3));
    assert_eq!(draft.seek(4).await.unwrap(), Some((4, 0)));
    for session in [draft, silent, core] {
        session.close().await.unwrap();
    }
    let core = Hypercore::open(dir.path()).await.unwrap();
    core.append("later").await.unwrap();
    let (draft, silent) = (named(&core, "draft").await, named(&core, "silent").await);
    assert_eq!((draft.length(), draft.byte_length(), draft.signed_length(), silent.length()), (6, 6, 3, 3));
    assert_eq!(draft.seek(4).await.unwrap(), Some((4, 0)));
    assert_eq!(core.length(), 4);
}

#[tokio::test]
async fn regression_d3_the_blocks_of_a_copy_that_a_commit_fills_are_offered_to_its_peers() {
    let core = filled(4).await;
    let manifest = core.manifest().unwrap();
    let copy = Hypercore::builder().manifest(manifest).memory().await.unwrap();
    let upgrade = common::upgrade(4);
    assert!(copy.apply_proof(core.proof(&upgrade).await.unwrap()).await.unwrap());
    let third = reader(&core).await;
    let (here, there) = tokio::io::duplex(64 * 1024);
    copy.replicate(here, Role::Responder).unwrap();
    third.replicate(there, Role::Initiator).unwrap();
    let waiting = {
        let third = third.clone();
        tokio::spawn(async move { third.get(2).await })
    };
    until("they know each other", || third.length() == 4).await;
    assert!(!waiting.is_finished(), "nobody has it");
    let draft = copy.session(SessionOptions::new().name("draft").checkout(0)).await.unwrap();
    draft.append_batch(["0", "1", "2", "3"]).await.unwrap();
    copy.commit(&draft).await.unwrap().unwrap();
    let got = tokio::time::timeout(std::time::Duration::from_secs(10), waiting).await;
    assert_eq!(got.expect("it is offered").unwrap().unwrap(), "2");
}

#[tokio::test]
async fn regression_d17_a_read_that_waits_gets_the_block_that_a_commit_in_an_atom_brings() {
    let core = filled(4).await;
    let copy = reader(&core).await;
    assert!(copy.apply_proof(core.proof(&common::upgrade(4)).await.unwrap()).await.unwrap());
    let draft = copy.session(SessionOptions::new().name("draft").checkout(0)).await.unwrap();
    draft.append_batch(["0", "1", "2", "3"]).await.unwrap();
    let waiting = {
        let copy = copy.clone();
        tokio::spawn(async move { copy.get(2).await })
    };
    let atom = copy.atom();
    let inside = copy.session(SessionOptions::new().atom(&atom)).await.unwrap();
    let mut events = inside.events();
    assert_eq!(inside.commit(&draft).await.unwrap().unwrap().length, 4);
    assert!(!copy.has(2).await.unwrap() && !waiting.is_finished());
    atom.flush().await.unwrap();
    let got = tokio::time::timeout(std::time::Duration::from_secs(10), waiting).await;
    assert_eq!(got.expect("it is here").unwrap().unwrap(), "2");
    assert_eq!((copy.contiguous_length(), texts(&copy).await.concat()), (4, "0123".into()));
    assert_eq!(common::told(&mut events).await, [], "the log is not longer than before");
}

#[tokio::test]
async fn regression_a_snapshot_of_a_draft_takes_nothing_from_a_log_that_the_draft_has_left() {
    let core = filled(3).await;
    let draft = named(&core, "draft").await;
    draft.append_batch(["x", "y"]).await.unwrap();
    let snapshot = draft.snapshot().await.unwrap();
    draft.catch_up(3).await.unwrap();
    core.append_batch(["3", "4"]).await.unwrap();
    assert_eq!(texts(&snapshot).await, ["0", "1", "2", "x", "y"]);
    draft.append("z").await.unwrap();
    let later = draft.snapshot().await.unwrap();
    let atom = core.atom();
    let inside = draft.session(SessionOptions::new().atom(&atom)).await.unwrap();
    inside.truncate(1).await.unwrap();
    atom.flush().await.unwrap();
    assert_eq!((later.length(), later.signed_length()), (4, 1));
    assert_eq!(texts(&later).await, ["0", "1", "2", "z"]);
}
