//! Sessions: what opens and closes a core, who may write, and in which order changes happen.

mod common;

use std::time::Duration;

use common::{connect, filled, named, reader, texts, told};
use futures_util::future::join_all;
use hypercore::{
    AppendOptions, Event, GetOptions, Hypercore, KeyPair, Manifest, OpenOptions, ProofRequest,
    SessionOptions, UpgradeRequest,
};

const MOMENT: Duration = Duration::from_millis(40);

#[tokio::test]
async fn a1_without_a_key_one_is_made() {
    let (one, other) = (filled(1).await, filled(1).await);
    assert_ne!(one.key(), other.key());
    for (compat, dir) in [(false, tempfile::tempdir().unwrap()), (true, tempfile::tempdir().unwrap())] {
        let core = Hypercore::builder().compat(compat).open(dir.path()).await.unwrap();
        let manifest = core.manifest().unwrap();
        let public = core.public_key().unwrap();
        assert_eq!(manifest.signers[0].public_key, public);
        assert_eq!(core.key().as_bytes() == public.as_bytes(), compat);
        assert_eq!(*core.key() == manifest.key(), !compat);
        core.append("x").await.unwrap();
        let key = *core.key();
        core.close().await.unwrap();
        let core = Hypercore::open(dir.path()).await.unwrap();
        assert_eq!((*core.key(), core.public_key()), (key, Some(public)));
        core.append("y").await.unwrap();
        let copy = reader(&core).await;
        connect(&core, &copy);
        assert_eq!(copy.get(1).await.unwrap(), "y");
    }
    let pair = KeyPair::from_seed(&[5; 32]);
    let core = Hypercore::builder().key_pair(pair.clone()).memory().await.unwrap();
    assert_eq!(*core.key(), Manifest::single(pair.public()).key());
}

#[tokio::test]
async fn a6_overwriting_leaves_nothing_of_the_old_log() {
    let dir = tempfile::tempdir().unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    core.append_batch(vec!["an old block"; 40_000]).await.unwrap();
    core.set_user_data("old", Some(b"record")).await.unwrap();
    named(&core, "draft").await.append("an old draft").await.unwrap();
    let key = *core.key();
    core.close().await.unwrap();

    let core = Hypercore::builder().overwrite(true).open(dir.path()).await.unwrap();
    assert_ne!(*core.key(), key, "the old key signed another log already");
    assert_eq!((core.length(), core.fork(), core.contiguous_length(), core.byte_length()), (0, 0, 0, 0));
    assert!(core.writable() && !core.has(0).await.unwrap() && !core.has(39_999).await.unwrap());
    assert_eq!(core.user_data("old").await.unwrap(), None);
    assert_eq!(named(&core, "draft").await.length(), 0);
    core.append("new").await.unwrap();
    assert_eq!(texts(&core).await, ["new"]);
    let key = *core.key();
    core.close().await.unwrap();
    let dumped = hypercore::storage::dump(dir.path()).await.unwrap();
    assert!(dumped.iter().all(|(_, value)| !value.starts_with(b"an old")));
    assert!(dumped.len() < 20, "{}", dumped.len());
    let core = Hypercore::open(dir.path()).await.unwrap();
    assert_eq!((*core.key(), core.length()), (key, 1));
}

#[tokio::test]
async fn a6_overwriting_under_a_given_key_keeps_the_key_only() {
    let dir = tempfile::tempdir().unwrap();
    let core = filled(5).await;
    let copy = Hypercore::builder().key(*core.key()).open(dir.path()).await.unwrap();
    connect(&core, &copy);
    copy.get(0).await.unwrap();
    copy.download(..5).done().await.unwrap();
    copy.close().await.unwrap();
    let copy = Hypercore::builder().key(*core.key()).overwrite(true).open(dir.path()).await.unwrap();
    assert_eq!((copy.length(), copy.contiguous_length()), (0, 0));
    connect(&core, &copy);
    assert_eq!(copy.get(3).await.unwrap(), "3");
    assert!(!copy.has(2).await.unwrap());
}

#[tokio::test]
async fn a9_one_append_call_is_one_event() {
    let core = Hypercore::memory().await.unwrap();
    let session = core.session(SessionOptions::new()).await.unwrap();
    let (mut events, mut same) = (core.events(), session.events());
    core.append("a").await.unwrap();
    core.append_batch(vec!["b"; 5000]).await.unwrap();
    session.append_batch(["c", "d"]).await.unwrap();
    core.append_batch(Vec::<&str>::new()).await.unwrap();
    let expected = [1, 5001, 5003].map(|length| Event::Append { length, byte_length: length });
    assert_eq!(told(&mut events).await, expected);
    assert_eq!(told(&mut same).await, expected);
}

#[tokio::test]
async fn a12_a_session_can_write_only_with_a_key_pair_that_may_sign() {
    let pair = KeyPair::from_seed(&[7; 32]);
    let manifest = Manifest::single(pair.public());
    let options = || Hypercore::builder().manifest(manifest.clone());
    let core = options().memory().await.unwrap();
    let asking = core.session(SessionOptions::new().writable(true)).await.unwrap();
    for session in [&core, &asking] {
        assert!(!session.writable());
        assert_eq!(session.append("x").await.unwrap_err().code(), "SESSION_NOT_WRITABLE");
    }
    // somebody else's key pair opens no door
    let stranger = core.session(SessionOptions::new()).await.unwrap();
    stranger.set_key_pair(KeyPair::from_seed(&[8; 32]));
    assert_eq!(stranger.append("x").await.unwrap_err().code(), "BAD_ARGUMENT");
    assert_eq!(core.length(), 0);
    // the right one does: for the session, for its children, or for one call
    asking.set_key_pair(pair.clone());
    assert!(asking.writable() && !core.writable());
    asking.append("0").await.unwrap();
    asking.session(SessionOptions::new()).await.unwrap().append("1").await.unwrap();
    core.append_with(["2"], AppendOptions::new().key_pair(pair.clone())).await.unwrap();
    assert_eq!(texts(&core).await, ["0", "1", "2"]);
    // a core that was opened for reading can still have a session that writes
    let core = options().key_pair(pair).writable(false).memory().await.unwrap();
    assert!(!core.writable());
    let writer = core.session(SessionOptions::new().writable(true)).await.unwrap();
    writer.append("x").await.unwrap();
    assert_eq!(core.append("y").await.unwrap_err().code(), "SESSION_NOT_WRITABLE");
}

#[tokio::test]
async fn regression_a12_a_session_of_a_read_only_core_writes_with_a_key_pair_of_its_own() {
    let pair = KeyPair::from_seed(&[7; 32]);
    let manifest = Manifest::single(pair.public());
    let compat = hypercore::Key::from(pair.public().as_bytes());
    for core in [
        Hypercore::builder().manifest(manifest.clone()).memory().await.unwrap(),
        Hypercore::builder().key(manifest.key()).memory().await.unwrap(),
        Hypercore::builder().key(compat).memory().await.unwrap(),
    ] {
        let session = core.session(SessionOptions::new().key_pair(pair.clone())).await.unwrap();
        assert!(session.writable() && !core.writable());
        assert_eq!((session.public_key(), core.public_key()), (Some(pair.public()), None));
        session.append("0").await.unwrap();
        let child = session.session(SessionOptions::new()).await.unwrap();
        child.append("1").await.unwrap();
        assert_eq!(core.append("2").await.unwrap_err().code(), "SESSION_NOT_WRITABLE");
        assert_eq!(texts(&core).await, ["0", "1"]);
        // one that may not sign fails at the append, whichever way it came
        let wrong = KeyPair::from_seed(&[8; 32]);
        let stranger = core.session(SessionOptions::new().key_pair(wrong.clone())).await.unwrap();
        assert!(stranger.writable());
        session.set_key_pair(wrong);
        for session in [&session, &stranger] {
            assert_eq!(session.append("x").await.unwrap_err().code(), "BAD_ARGUMENT");
            assert_eq!(session.truncate(0).await.unwrap_err().code(), "BAD_ARGUMENT");
        }
        assert_eq!((core.length(), core.fork()), (2, 0));
    }
}

#[tokio::test]
async fn a16_an_exclusive_session_waits_for_the_one_before_it() {
    let core = filled(1).await;
    let exclusive = |core: &Hypercore| {
        let core = core.clone();
        tokio::spawn(async move { core.session(SessionOptions::new().exclusive(true)).await })
    };
    let first = exclusive(&core).await.unwrap().unwrap();
    let (second, third) = (exclusive(&core), exclusive(&core));
    tokio::time::sleep(MOMENT).await;
    assert!(!second.is_finished() && !third.is_finished());
    // others are not kept out
    core.session(SessionOptions::new()).await.unwrap().append("x").await.unwrap();
    core.session(SessionOptions::new().exclusive(true).writable(false)).await.unwrap();
    first.close().await.unwrap();
    let second = second.await.unwrap().unwrap();
    tokio::time::sleep(MOMENT).await;
    assert!(!third.is_finished(), "one after the other");
    drop(second);
    third.await.unwrap().unwrap().append("y").await.unwrap();
    // who waits hears of it when the session that it is to be made from closes
    let holder = exclusive(&core).await.unwrap().unwrap();
    let parent = core.session(SessionOptions::new()).await.unwrap();
    let waiting = exclusive(&parent);
    tokio::time::sleep(MOMENT).await;
    parent.close().await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap_err().code(), "REQUEST_CANCELLED");
    drop(holder);
    exclusive(&core).await.unwrap().unwrap();
}

#[tokio::test]
async fn a17_weak_sessions_do_not_keep_a_core_open() {
    let dir = tempfile::tempdir().unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    core.append("x").await.unwrap();
    let weak = core.session(SessionOptions::new().weak(true)).await.unwrap();
    assert_eq!(weak.get(0).await.unwrap(), "x");
    weak.close().await.unwrap();
    let weak = core.session(SessionOptions::new().weak(true)).await.unwrap();
    let inherited = weak.session(SessionOptions::new()).await.unwrap();
    let strong = weak.session(SessionOptions::new().weak(false)).await.unwrap();
    let mut events = weak.events();
    core.close().await.unwrap();
    assert!(!weak.is_closed() && weak.core().has_sessions());
    strong.close().await.unwrap();
    assert!(weak.is_closed() && inherited.is_closed() && !weak.core().has_sessions());
    assert_eq!(weak.get(0).await.unwrap_err().code(), "SESSION_CLOSED");
    assert_eq!(told(&mut events).await, [Event::Close]);
    Hypercore::open(dir.path()).await.unwrap();
}

#[tokio::test]
async fn a23_errors_have_a_code_and_name_the_core() {
    let core = filled(3).await;
    let read_only = reader(&core).await;
    let snapshot = core.snapshot().await.unwrap();
    let closed = core.session(SessionOptions::new()).await.unwrap();
    closed.close().await.unwrap();
    let quick = core.session(SessionOptions::new().wait(false)).await.unwrap();
    let soon = GetOptions::new().timeout(Some(Duration::from_millis(5)));
    let other = filled(1).await.manifest().unwrap();
    let conflicting = Hypercore::builder().key(*core.key()).manifest(other.clone());
    let missing = Hypercore::builder().key(*core.key()).create_if_missing(false);
    let errors = [
        ("SESSION_NOT_WRITABLE", read_only.append("x").await.unwrap_err()),
        ("SESSION_NOT_WRITABLE", snapshot.append("x").await.unwrap_err()),
        ("SNAPSHOT_NOT_AVAILABLE", snapshot.get(3).await.unwrap_err()),
        ("SESSION_CLOSED", closed.get(0).await.unwrap_err()),
        ("BLOCK_NOT_AVAILABLE", quick.get(3).await.unwrap_err()),
        ("REQUEST_TIMEOUT", core.get_with(3, soon).await.unwrap_err()),
        ("INVALID_OPERATION", core.truncate(9).await.unwrap_err()),
        (
            "INVALID_SIGNATURE",
            core.append_with(["x"], AppendOptions::new().signature([0; 64])).await.unwrap_err(),
        ),
        ("INVALID_CHECKSUM", read_only.set_manifest(other).await.unwrap_err()),
        ("STORAGE_CONFLICT", conflicting.memory().await.unwrap_err()),
        ("STORAGE_EMPTY", missing.memory().await.unwrap_err()),
    ];
    for (code, error) in errors {
        assert_eq!(error.code(), code, "{error}");
        assert_eq!(error.discovery_key(), Some(core.discovery_key()), "{error}");
        assert!(error.to_string().contains(&core.discovery_key().to_string()), "{error}");
    }
    assert_eq!(core.get(u64::MAX).await.unwrap_err().discovery_key(), None);
}

#[tokio::test]
async fn c8_a_snapshot_of_a_core_that_is_opened_has_what_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    core.append_batch(["0", "1", "2"]).await.unwrap();
    core.close().await.unwrap();
    let opening = async { Hypercore::open(dir.path()).await?.snapshot().await };
    let snapshot = opening.await.unwrap();
    assert_eq!((snapshot.length(), texts(&snapshot).await), (3, vec!["0".into(), "1".into(), "2".into()]));
    // likewise when the first session is the snapshot itself
    snapshot.close().await.unwrap();
    drop(snapshot);
}

/// What a task of [`a25_changes_come_one_after_the_other`] does.
async fn change(core: Hypercore, task: u64) -> u64 {
    let mut cuts = 0;
    for round in 0..25_u64 {
        match (task + round) % 6 {
            0 => cuts += u64::from(core.truncate(core.length().saturating_sub(1).max(1)).await.is_ok()),
            1 => drop(core.clear(0..1).await.unwrap()),
            2 => assert_eq!(core.truncate(u64::MAX).await.unwrap_err().code(), "INVALID_OPERATION"),
            3 => {
                let refused = core.append_with(["x"], AppendOptions::new().signature([0; 64])).await;
                assert_eq!(refused.unwrap_err().code(), "INVALID_SIGNATURE");
                let refused = core.append_with(["x"], AppendOptions::new().expected_length(1 << 40)).await;
                assert_eq!(refused.unwrap_err().code(), "INVALID_OPERATION");
            }
            _ => drop(core.append_batch([format!("{task} {round}"), "second".to_owned()]).await.unwrap()),
        }
    }
    cuts
}

#[tokio::test(flavor = "multi_thread")]
async fn a25_changes_come_one_after_the_other_and_an_error_stops_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    core.append_batch(["first", "second"]).await.unwrap();
    let mut events = core.events();
    let mut tasks = Vec::new();
    for task in 0..8 {
        let session = core.session(SessionOptions::new()).await.unwrap();
        tasks.push(tokio::spawn(change(session, task)));
    }
    let cuts: u64 = join_all(tasks).await.into_iter().map(Result::unwrap).sum();
    let (mut length, mut fork) = (2, 0);
    for event in told(&mut events).await {
        match event {
            Event::Append { length: after, .. } => {
                assert_eq!(after, length + 2, "each append begins where the change before it ended");
                length = after;
            }
            Event::Truncate { length: after, fork: next } => {
                assert!(after <= length && next == fork + 1, "{after} of {length}, fork {next} after {fork}");
                (length, fork) = (after, next);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((core.length(), core.fork()), (length, fork));
    assert_eq!(fork, cuts, "every cut that was answered happened");
    let hash = core.tree_hash().await.unwrap();
    let upgrade = Some(UpgradeRequest { start: 0, length });
    let proof = core.proof(&ProofRequest { upgrade, ..ProofRequest::default() }).await.unwrap();
    let signed = reader(&core).await.verify_fully_remote(&proof).unwrap();
    let signed = signed.head();
    assert_eq!((signed.length(), signed.fork(), signed.hash()), (length, fork, hash));
    core.close().await.unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    assert_eq!((core.length(), core.fork(), core.tree_hash().await.unwrap()), (length, fork, hash));
    assert!(core.has_range(1..length).await.unwrap() && !core.has(length).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a25_c2_cuts_at_the_same_time_go_to_forks_of_their_own() {
    let core = filled(50).await;
    let draft = named(&core, "draft").await;
    let atom = core.atom();
    let inside = core.session(SessionOptions::new().atom(&atom)).await.unwrap();
    for session in [&draft, &inside, &core] {
        let done = join_all((0..20).map(|i| session.truncate(40 - i))).await;
        let done = done.iter().filter(|done| done.is_ok()).count() as u64;
        assert!(done > 0, "a cut above the length is refused, the first one was not");
        assert_eq!(session.fork(), done);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a25_no_append_is_left_waiting_by_what_else_takes_the_writer() {
    let core = filled(1).await;
    let other = core.clone();
    let busy = tokio::spawn(async move {
        for i in 0..100 {
            other.mark(i..i + 1).await.unwrap();
            other.truncate(u64::MAX).await.unwrap_err();
        }
    });
    while !busy.is_finished() {
        // the last one has nobody after it who could carry it out
        let append = tokio::time::timeout(Duration::from_secs(10), core.append("x")).await;
        append.expect("the append is answered").unwrap();
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a25_closing_answers_whoever_still_waits() {
    for _ in 0..20 {
        let core = Hypercore::memory().await.unwrap();
        let waiting: Vec<_> = (0..8)
            .map(|i| {
                let core = core.clone();
                tokio::spawn(async move {
                    core.append(format!("{i}")).await.map(drop)?;
                    core.truncate(0).await?;
                    core.get(100).await.map(drop)
                })
            })
            .collect();
        tokio::task::yield_now().await;
        core.close().await.unwrap();
        for task in waiting {
            let code = task.await.unwrap().unwrap_err().code();
            assert!(["SESSION_CLOSED", "REQUEST_CANCELLED", "WRITE_FAILED"].contains(&code), "{code}");
        }
    }
}

#[tokio::test]
async fn options_show_no_secrets() {
    let options = OpenOptions::new()
        .key_pair(KeyPair::from_seed(&[0xab; 32]))
        .encryption(hypercore::Encryption::key([0xcd; 32]));
    let shown = format!("{options:?} {:?}", hypercore::Encryption::key([0xcd; 32]));
    assert!(!shown.contains("abab") && !shown.contains("171") && !shown.contains("205"), "{shown}");
}
