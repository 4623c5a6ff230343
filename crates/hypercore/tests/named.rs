//! Named sessions: changes that are kept beside the log until they are committed.

mod common;

use common::{filled, named, texts, told};
use hypercore::{AppendOptions, CommitOptions, Event, GetOptions, Hypercore, SessionOptions};

#[tokio::test]
async fn d1_a_session_sees_the_log_and_its_own_and_the_log_does_not_change() {
    let core = filled(2).await;
    let draft = named(&core, "draft").await;
    let appended = draft.append_batch(["a", "b"]).await.unwrap();
    assert_eq!((appended.length, appended.byte_length), (4, 4));
    assert_eq!(texts(&draft).await, ["0", "1", "a", "b"]);
    assert_eq!(texts(&core).await, ["0", "1"]);
    assert!(draft.has(3).await.unwrap() && !core.has(2).await.unwrap());
    assert_eq!((draft.signed_length(), core.signed_length()), (2, 2));
    assert!(draft.writable());
}

#[tokio::test]
async fn d2_a_commit_returns_the_length_or_none_when_the_log_moved_on() {
    let core = filled(2).await;
    let (one, other) = (named(&core, "one").await, named(&core, "other").await);
    one.append("a").await.unwrap();
    other.append_batch(["b", "c"]).await.unwrap();
    let done = core.commit(&one).await.unwrap().unwrap();
    assert_eq!((done.length, done.byte_length), (3, 3));
    assert_eq!(core.commit(&other).await.unwrap(), None, "d7");
    assert_eq!(texts(&core).await, ["0", "1", "a"]);
    assert_eq!(texts(&other).await, ["0", "1", "b", "c"], "nothing is lost");
    assert_eq!(texts(&one).await, ["0", "1", "a"]);
}

#[tokio::test]
async fn d3_a_commit_over_the_same_content_succeeds() {
    let core = filled(2).await;
    let draft = named(&core, "draft").await;
    draft.append_batch(["a", "b", "c"]).await.unwrap();
    core.append_batch(["a", "b"]).await.unwrap();
    assert_eq!(core.commit(&draft).await.unwrap().unwrap().length, 5);
    assert_eq!(texts(&core).await, ["0", "1", "a", "b", "c"]);
    // nothing new is no conflict, and the log stays signed
    assert_eq!(core.commit(&draft).await.unwrap().unwrap().length, 5);
    let reader = Hypercore::builder().key(*core.key()).memory().await.unwrap();
    let request = hypercore::ProofRequest {
        upgrade: Some(hypercore::UpgradeRequest { start: 0, length: 5 }),
        ..Default::default()
    };
    assert!(reader.apply_proof(core.proof(&request).await.unwrap()).await.unwrap());
}

#[tokio::test]
async fn regression_d3_a_draft_of_a_read_only_copy_is_committed_once_the_owners_blocks_are_there() {
    let core = filled(1).await;
    let copy = common::reader(&core).await;
    common::connect(&core, &copy);
    assert_eq!(copy.get(0).await.unwrap(), "0");
    let draft = named(&copy, "draft").await;
    assert!(draft.writable() && !copy.writable());
    draft.append_batch(["a", "b", "x"]).await.unwrap();
    draft.truncate(3).await.unwrap();
    assert_eq!(texts(&draft).await, ["0", "a", "b"]);
    // as long as the owner has not signed it, nobody else can
    assert_eq!(copy.commit(&draft).await.unwrap_err().code(), "SESSION_NOT_WRITABLE");
    assert_eq!((copy.length(), draft.length(), draft.signed_length()), (1, 3, 1));
    // then it is the owner's: of its blocks none has to be fetched
    core.append_batch(["a", "b"]).await.unwrap();
    common::until("the copy knows the longer log", || copy.length() == 3).await;
    assert!(!copy.has(1).await.unwrap());
    let waiting = {
        let copy = common::reader(&core).await;
        common::connect(&copy, &core);
        copy
    };
    assert_eq!(copy.commit(&draft).await.unwrap().unwrap().length, 3);
    let here = GetOptions::new().wait(false);
    for (index, block) in [(0, "0"), (1, "a"), (2, "b")] {
        assert_eq!(copy.get_with(index, here).await.unwrap().unwrap(), block);
        assert_eq!(draft.get_with(index, here).await.unwrap().unwrap(), block);
    }
    assert_eq!((draft.signed_length(), copy.contiguous_length()), (3, 3));
    assert_eq!(waiting.get(1).await.unwrap(), "a");
    // what the copy now has, it can prove to others
    let third = common::reader(&core).await;
    common::connect(&copy, &third);
    assert_eq!(third.get(2).await.unwrap(), "b");
    // another draft is none of the owner's
    draft.append("y").await.unwrap();
    core.append("z").await.unwrap();
    common::until("the copy knows the longest log", || copy.length() == 4).await;
    assert_eq!(copy.commit(&draft).await.unwrap(), None);
}

#[tokio::test]
async fn regression_d3_a_read_of_the_log_that_waits_gets_the_block_that_a_commit_brings() {
    let core = filled(3).await;
    let copy = common::reader(&core).await;
    let upgrade = common::upgrade(3);
    assert!(copy.apply_proof(core.proof(&upgrade).await.unwrap()).await.unwrap());
    let draft = copy.session(SessionOptions::new().name("draft").checkout(0)).await.unwrap();
    draft.append_batch(["0", "1", "2"]).await.unwrap();
    let waiting = {
        let copy = copy.clone();
        tokio::spawn(async move { copy.get(1).await })
    };
    tokio::task::yield_now().await;
    assert_eq!(copy.commit(&draft).await.unwrap().unwrap().length, 3);
    let got = tokio::time::timeout(std::time::Duration::from_secs(10), waiting).await;
    assert_eq!(got.expect("it is here").unwrap().unwrap(), "1");
    assert_eq!(texts(&copy).await, ["0", "1", "2"]);
    // the signature is still the owner's
    let reader = common::reader(&core).await;
    assert!(reader.apply_proof(copy.proof(&upgrade).await.unwrap()).await.unwrap());
}

#[tokio::test]
async fn d4_a_part_is_committed_and_then_the_rest() {
    let core = filled(1).await;
    let draft = named(&core, "draft").await;
    draft.append_batch(["a", "b", "c"]).await.unwrap();
    let mut events = core.events();
    assert_eq!(core.commit_with(&draft, CommitOptions::new().length(2)).await.unwrap().unwrap().length, 2);
    assert_eq!(texts(&core).await, ["0", "a"]);
    assert_eq!(texts(&draft).await, ["0", "a", "b", "c"]);
    assert_eq!(core.commit(&draft).await.unwrap().unwrap().length, 4);
    assert_eq!(texts(&core).await, texts(&draft).await);
    let told = told(&mut events).await;
    assert_eq!(
        told,
        [Event::Append { length: 2, byte_length: 2 }, Event::Append { length: 4, byte_length: 4 }]
    );
    let too_much = core.commit_with(&draft, CommitOptions::new().length(9)).await.unwrap_err();
    assert_eq!(too_much.code(), "INVALID_OPERATION");
}

#[tokio::test]
async fn d4_where_the_sessions_own_blocks_begin_can_be_said() {
    let core = filled(2).await;
    let draft = named(&core, "draft").await;
    draft.append_batch(["a", "b"]).await.unwrap();
    core.append("a").await.unwrap();
    let from = |length| CommitOptions::new().tree_length(length);
    assert_eq!(core.commit_with(&draft, from(4)).await.unwrap(), None, "the log is not that long");
    assert_eq!(core.length(), 3);
    assert_eq!(core.commit_with(&draft, from(3)).await.unwrap().unwrap().length, 4);
    assert_eq!(texts(&core).await, ["0", "1", "a", "b"]);
    assert_eq!(texts(&draft).await, ["0", "1", "a", "b"]);
}

#[tokio::test]
async fn d4_a_session_that_was_cut_itself_is_committed_where_it_fits() {
    let core = filled(3).await;
    let draft = named(&core, "draft").await;
    draft.truncate(2).await.unwrap();
    draft.append_batch(["2", "3"]).await.unwrap();
    assert_eq!(core.commit(&draft).await.unwrap().unwrap().length, 4);
    assert_eq!((texts(&core).await, core.fork()), (["0", "1", "2", "3"].map(String::from).to_vec(), 0));
    draft.truncate(1).await.unwrap();
    draft.append_batch(["x", "y", "z", "w"]).await.unwrap();
    assert_eq!(core.commit(&draft).await.unwrap(), None, "that is another log");
}

#[tokio::test]
async fn d5_a_signature_that_was_made_elsewhere_is_checked_before_anything_is_written() {
    let pair = hypercore::KeyPair::from_seed(&[3; 32]);
    let core = Hypercore::builder().key_pair(pair.clone()).memory().await.unwrap();
    core.append("0").await.unwrap();
    let draft = named(&core, "draft").await;
    draft.append_batch(["a", "b"]).await.unwrap();
    let bad = core.commit_with(&draft, CommitOptions::new().signature(vec![0; 64])).await.unwrap_err();
    assert_eq!(bad.code(), "INVALID_SIGNATURE");
    assert_eq!((core.length(), texts(&draft).await.len()), (1, 3));
    // what is signed is the log after the commit: on the fork of the log
    let verifier = hc_crypto::Verifier::new(*core.key(), core.manifest().unwrap()).unwrap();
    let hash = draft.tree_hash().await.unwrap();
    let signature = verifier.sign(&pair, &hash, 3, core.fork()).unwrap();
    let short = core.commit_with(&draft, CommitOptions::new().length(2).signature(signature.clone())).await;
    assert_eq!(short.unwrap_err().code(), "INVALID_SIGNATURE", "it is one over the whole");
    assert_eq!(core.length(), 1);
    core.commit_with(&draft, CommitOptions::new().signature(signature)).await.unwrap().unwrap();
    assert_eq!(core.length(), 3);
}

#[tokio::test]
async fn d6_a_commit_fails_after_the_log_was_cut_and_after_the_session_was_closed() {
    let core = filled(4).await;
    let draft = named(&core, "draft").await;
    draft.append("a").await.unwrap();
    core.truncate(2).await.unwrap();
    core.append("other").await.unwrap();
    assert_eq!(core.commit(&draft).await.unwrap(), None);
    draft.close().await.unwrap();
    assert_eq!(core.commit(&draft).await.unwrap_err().code(), "SESSION_CLOSED");
    let plain = core.session(SessionOptions::new()).await.unwrap();
    assert_eq!(core.commit(&plain).await.unwrap_err().code(), "ERR_ASSERTION");
}

#[tokio::test]
async fn d8_a_session_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    core.append_batch(["0", "1"]).await.unwrap();
    let (written, silent) = (named(&core, "written").await, named(&core, "silent").await);
    written.append_batch(["a", "b"]).await.unwrap();
    written.set_user_data("of", Some(b"the session")).await.unwrap();
    core.append("2").await.unwrap();
    for session in [&core, &written, &silent] {
        session.close().await.unwrap();
    }
    let core = Hypercore::open(dir.path()).await.unwrap();
    assert_eq!(texts(&named(&core, "written").await).await, ["0", "1", "a", "b"]);
    assert_eq!(texts(&named(&core, "silent").await).await, ["0", "1"]);
    assert_eq!(texts(&core).await, ["0", "1", "2"]);
    let written = named(&core, "written").await;
    assert_eq!(written.user_data("of").await.unwrap().unwrap(), "the session");
    assert_eq!(core.user_data("of").await.unwrap(), None);
    let anew = core.session(SessionOptions::new().name("written").overwrite(true)).await.unwrap();
    assert_eq!(texts(&anew).await, ["0", "1", "2"]);
    assert_eq!(texts(&written).await, ["0", "1", "2"], "the name begins anew for everybody");
}

#[tokio::test]
async fn d9_a_checkout_has_the_hash_of_that_length() {
    let core = filled(8).await;
    let back = core.session(SessionOptions::new().name("back").checkout(5)).await.unwrap();
    assert_eq!(back.length(), 5);
    assert_eq!(back.tree_hash().await.unwrap(), filled(5).await.tree_hash().await.unwrap());
    assert_eq!(core.length(), 8);
    let plain = core.session(SessionOptions::new().checkout(5)).await;
    assert_eq!(plain.unwrap_err().code(), "ERR_ASSERTION");
    let ahead = core.session(SessionOptions::new().name("ahead").checkout(9)).await;
    assert_eq!(ahead.unwrap_err().code(), "ERR_ASSERTION");
}

#[tokio::test]
async fn d11_a_cut_in_a_session_leaves_the_log_alone() {
    let core = filled(6).await;
    let draft = named(&core, "draft").await;
    let mut events = draft.events();
    draft.append("a").await.unwrap();
    draft.truncate(3).await.unwrap();
    draft.append("b").await.unwrap();
    assert_eq!(texts(&draft).await, ["0", "1", "2", "b"]);
    assert_eq!(texts(&core).await.len(), 6);
    assert_eq!(
        told(&mut events).await,
        [
            Event::Append { length: 7, byte_length: 7 },
            Event::Truncate { length: 3, fork: 1 },
            Event::Append { length: 4, byte_length: 4 }
        ]
    );
    assert_eq!((draft.fork(), core.fork()), (1, 0));
}

#[tokio::test]
async fn d13_two_hundred_thousand_blocks_in_one_call() {
    let core = Hypercore::memory().await.unwrap();
    core.append_batch((0..200_000_u32).map(|i| i.to_le_bytes().to_vec())).await.unwrap();
    assert_eq!(core.length(), 200_000);
    assert_eq!(core.get(199_999).await.unwrap(), 199_999_u32.to_le_bytes().to_vec());
    let draft = named(&core, "draft").await;
    draft.append_batch((0..200_000_u32).map(|i| i.to_le_bytes().to_vec())).await.unwrap();
    assert_eq!(core.commit(&draft).await.unwrap().unwrap().length, 400_000);
    assert_eq!(core.get(300_000).await.unwrap(), 100_000_u32.to_le_bytes().to_vec());
}

#[tokio::test]
async fn d14_catching_up_drops_what_was_the_sessions_own() {
    let core = filled(3).await;
    let draft = named(&core, "draft").await;
    draft.append_batch(["a", "b"]).await.unwrap();
    core.append_batch(["3", "4", "5"]).await.unwrap();
    draft.catch_up(6).await.unwrap();
    assert_eq!(texts(&draft).await, ["0", "1", "2", "3", "4", "5"]);
    assert_eq!(draft.tree_hash().await.unwrap(), core.tree_hash().await.unwrap());
    assert_eq!(draft.catch_up(9).await.unwrap_err().code(), "INVALID_OPERATION");
    draft.append("more").await.unwrap();
    assert_eq!(core.commit(&draft).await.unwrap().unwrap().length, 7);
}

#[tokio::test]
async fn d15_compaction_keeps_everything() {
    let dir = tempfile::tempdir().unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    core.append_batch((0..500).map(|i| vec![i as u8; 5000])).await.unwrap();
    let draft = named(&core, "draft").await;
    draft.append_batch((0..100).map(|i| vec![i as u8; 5000])).await.unwrap();
    core.clear(100..200).await.unwrap();
    core.compact().await.unwrap();
    draft.compact().await.unwrap();
    for index in (0..100).chain(200..500) {
        assert_eq!(core.get(index).await.unwrap(), vec![index as u8; 5000]);
    }
    for index in 500..600 {
        assert_eq!(draft.get(index).await.unwrap(), vec![(index - 500) as u8; 5000]);
    }
}

#[tokio::test]
async fn d7_sessions_of_sessions_and_many_at_once() {
    let core = filled(2).await;
    let one = named(&core, "one").await;
    one.append_batch(["a", "b"]).await.unwrap();
    let two = one.session(SessionOptions::new().name("two")).await.unwrap();
    two.append("c").await.unwrap();
    assert_eq!(texts(&two).await, ["0", "1", "a", "b", "c"]);
    two.truncate(3).await.unwrap();
    two.append("d").await.unwrap();
    assert_eq!(texts(&two).await, ["0", "1", "a", "d"]);
    assert_eq!(texts(&one).await, ["0", "1", "a", "b"]);
    let many: Vec<Hypercore> = {
        let mut many = Vec::new();
        for i in 0..20 {
            many.push(named(&core, &format!("many {i}")).await);
        }
        many
    };
    for (i, session) in many.iter().enumerate() {
        session.append(format!("many {i}")).await.unwrap();
    }
    let mut committed = 0;
    for session in &many {
        committed += usize::from(core.commit(session).await.unwrap().is_some());
    }
    assert_eq!(committed, 1);
}

#[tokio::test]
async fn terms_of_an_append_hold_in_the_log_and_in_a_session() {
    let core = filled(2).await;
    for session in [core.clone(), named(&core, "draft").await] {
        let wrong = session.append_with(["x"], AppendOptions::new().expected_length(1)).await;
        assert_eq!(wrong.unwrap_err().code(), "INVALID_OPERATION");
        let full = session.append_with(["x", "y"], AppendOptions::new().max_length(3)).await.unwrap();
        assert_eq!((full.length, session.length()), (2, 2), "nothing was appended");
        let fits = AppendOptions::new().max_length(4).expected_length(2);
        assert_eq!(session.append_with(["x", "y"], fits).await.unwrap().length, 4);
        session.truncate(2).await.unwrap();
    }
}

#[tokio::test]
async fn regression_a_session_whose_roots_were_cleared_with_the_log_does_not_open_as_in_node() {
    let core = Hypercore::memory().await.unwrap();
    core.append_batch(["a", "b", "c", "d", "e"]).await.unwrap();
    common::named(&core, "draft").await.close().await.unwrap();
    core.append_batch(["f", "g", "h"]).await.unwrap();
    // with the second of two siblings go their nodes, of which the first is a root of the session
    core.clear(4..5).await.unwrap();
    core.clear(5..6).await.unwrap();
    let gone = core.session(SessionOptions::new().name("draft")).await.unwrap_err();
    assert_eq!(gone.code(), "INVALID_OPERATION", "{gone}");
    // the name can begin anew
    let anew = core.session(SessionOptions::new().name("draft").overwrite(true)).await.unwrap();
    assert_eq!(anew.length(), 8);
}

#[tokio::test]
async fn regression_a_part_is_committed_with_the_nodes_that_node_takes_along() {
    let dir = tempfile::tempdir().unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    core.append_batch((0..7).map(|i| i.to_string())).await.unwrap();
    let draft = named(&core, "draft").await;
    draft.append_batch((7..12).map(|i| i.to_string())).await.unwrap();
    let options = CommitOptions::new().length(11);
    assert_eq!(core.commit_with(&draft, options).await.unwrap().unwrap().length, 11);
    draft.close().await.unwrap();
    core.close().await.unwrap();
    // nodes 19 and 21 cover block 11 too, so no block of the log leads to them
    let stored: Vec<u64> = hypercore::storage::dump(dir.path())
        .await
        .unwrap()
        .into_iter()
        .filter_map(|(key, _)| {
            let (start, end) = hc_storage::keys::tree_nodes(0);
            (start.as_ref()..end.as_ref())
                .contains(&key.as_slice())
                .then(|| hc_storage::keys::parse_block(&key).unwrap())
        })
        .filter(|node| *node > 14)
        .collect();
    assert_eq!(stored, [16, 17, 18, 19, 20, 21]);
    let core = Hypercore::open(dir.path()).await.unwrap();
    let draft = core.session(SessionOptions::new().name("draft")).await.unwrap();
    assert_eq!((core.length(), draft.length()), (11, 12));
    assert_eq!(core.commit(&draft).await.unwrap().unwrap().length, 12);
}
