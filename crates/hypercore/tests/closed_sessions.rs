//! What closing a session ends: everything that it held and promised, however many handles of it are kept.

mod common;

use std::time::Duration;

use common::{connect, filled, named, reader, told, until};
use futures_util::future::BoxFuture;
use futures_util::{SinkExt, StreamExt, TryStreamExt};
use hypercore::{Encryption, Event, Hypercore, KeyPair, SessionOptions};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(10);
const MOMENT: Duration = Duration::from_millis(30);

#[tokio::test]
async fn a10_a_closed_session_says_what_it_was_and_does_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let core = Hypercore::builder().encryption(Encryption::key([1; 32])).open(dir.path()).await.unwrap();
    core.append_batch(["a", "bc"]).await.unwrap();
    let draft = named(&core, "draft").await;
    draft.append("def").await.unwrap();
    let sessions = [
        core.session(SessionOptions::new()).await.unwrap(),
        core.snapshot().await.unwrap(),
        draft,
        core.session(SessionOptions::new().atom(&core.atom())).await.unwrap(),
    ];
    let said = |session: &Hypercore| {
        let lengths = (session.length(), session.byte_length(), session.signed_length());
        let more = (session.contiguous_length(), session.fork(), session.padding(), session.public_key());
        (lengths, more, *session.key(), session.id(), session.is_snapshot(), session.manifest())
    };
    let before: Vec<_> = sessions.iter().map(said).collect();
    for session in &sessions {
        session.close().await.unwrap();
    }
    core.append("more").await.unwrap();
    for (session, before) in sessions.iter().zip(before) {
        assert_eq!(said(session), before);
        assert!(session.is_closed() && !session.writable() && session.peers().is_empty());
        let errors = [
            session.get(0).await.map(drop),
            session.has(0).await.map(drop),
            session.append("x").await.map(drop),
            session.truncate(0).await,
            session.clear(0..1).await.map(drop),
            session.seek(0).await.map(drop),
            session.update().await.map(drop),
            session.tree_hash().await.map(drop),
            session.info().await.map(drop),
            session.user_data("x").await.map(drop),
            session.set_user_data("x", None).await,
            session.local(b"x").await.map(drop),
            session.session(SessionOptions::new()).await.map(drop),
            session.snapshot().await.map(drop),
            core.commit(session).await.map(drop),
            session.download(..).done().await,
            session.read_stream(..).try_collect::<Vec<_>>().await.map(drop),
            session.byte_stream(..).try_collect::<Vec<_>>().await.map(drop),
            session.write_stream().send("x".into()).await,
        ];
        for (which, error) in errors.into_iter().enumerate() {
            assert_eq!(error.unwrap_err().code(), "SESSION_CLOSED", "call {which}");
        }
        session.set_key_pair(KeyPair::from_seed(&[1; 32]));
        session.set_encryption(None);
        assert_eq!(said(session).1, said(session).1);
        session.close().await.unwrap();
    }
    assert_eq!(core.length(), 3, "nothing of it reached the log");
}

#[tokio::test]
async fn regression_a10_each_session_tells_of_its_own_close_and_of_nothing_after_it() {
    let core = filled(2).await;
    let draft = named(&core, "draft").await;
    let closing = [
        core.session(SessionOptions::new()).await.unwrap(),
        core.snapshot().await.unwrap(),
        named(&core, "draft").await,
        core.session(SessionOptions::new().weak(true)).await.unwrap(),
        core.session(SessionOptions::new().atom(&core.atom())).await.unwrap(),
    ];
    let mut open = [core.events(), draft.events()];
    for (which, session) in closing.iter().enumerate() {
        let (mut events, mut same) = (session.events(), session.clone().events());
        session.close().await.unwrap();
        core.append("x").await.unwrap();
        draft.append("y").await.unwrap();
        for events in [&mut events, &mut same] {
            let last = timeout(SOON, events.next()).await.expect("the close is told at once");
            assert_eq!(last, Some(Event::Close), "session {which}");
            assert_eq!(timeout(SOON, events.next()).await.unwrap(), None, "session {which}");
        }
        assert_eq!(timeout(SOON, session.events().next()).await.unwrap(), None, "session {which}");
    }
    for events in &mut open {
        let told = told(events).await;
        assert_eq!(told.len(), closing.len(), "the others hear of what happens, and of no close: {told:?}");
        assert!(told.iter().all(|event| matches!(event, Event::Append { .. })));
    }
}

#[tokio::test]
async fn a10_dropping_the_last_handle_is_a_close_and_closing_the_core_ends_all() {
    let core = filled(1).await;
    let session = core.session(SessionOptions::new()).await.unwrap();
    let mut events = session.events();
    let clone = session.clone();
    drop(session);
    assert_eq!(told(&mut events).await, [], "there is still a handle");
    drop(clone);
    assert_eq!(told(&mut events).await, [Event::Close]);
    let sessions = [named(&core, "draft").await, core.snapshot().await.unwrap()];
    let mut streams = [core.events(), sessions[0].events(), sessions[1].events()];
    core.purge().await.unwrap();
    for events in &mut streams {
        assert_eq!(told(events).await, [Event::Close], "once, whoever closes it after that");
    }
    for session in sessions {
        session.close().await.unwrap();
    }
}

#[tokio::test]
async fn regression_a19_a_download_of_a_closed_session_settles_and_fetches_nothing_more() {
    let core = filled(64).await;
    let copy = reader(&core).await;
    let session = copy.session(SessionOptions::new()).await.unwrap();
    let (held, endless) = (session.download(..64), session.download(..));
    let blocks = session.download_blocks([1, 2]);
    let other = copy.download(70..71);
    session.close().await.unwrap();
    connect(&core, &copy);
    until("the copy knows the log", || copy.length() == 64).await;
    for download in [held, endless, blocks] {
        let settled = timeout(SOON, download.done()).await.expect("it settles");
        assert_eq!(settled.unwrap_err().code(), "REQUEST_CANCELLED");
    }
    // the download of another session goes on
    core.append_batch((64..71).map(|i| i.to_string())).await.unwrap();
    timeout(SOON, other.done()).await.unwrap().unwrap();
    for index in 0..64 {
        assert!(!copy.has(index).await.unwrap(), "block {index} was fetched for nobody");
    }
}

#[tokio::test]
async fn a19_whatever_a_closed_session_waits_for_ends() {
    let core = filled(8).await;
    let copy = reader(&core).await;
    assert!(copy.apply_proof(core.proof(&common::upgrade(8)).await.unwrap()).await.unwrap());
    let _searching = copy.finding_peers();
    let patient = SessionOptions::new().timeout(None);
    let others = [copy.session(patient.clone()).await.unwrap(), copy.snapshot().await.unwrap()];
    for session in [copy.session(patient.clone()).await.unwrap(), copy.snapshot().await.unwrap()] {
        let s = session.clone();
        let waits: [BoxFuture<'static, hypercore::Result<()>>; 8] = [
            {
                let s = s.clone();
                Box::pin(async move { s.get(0).await.map(drop) })
            },
            {
                let s = s.clone();
                Box::pin(async move { s.seek(1).await.map(drop) })
            },
            {
                let s = s.clone();
                Box::pin(async move { s.tree_hash_at(3).await.map(drop) })
            },
            {
                let s = s.clone();
                Box::pin(async move { s.signable_at(3, 0).await.map(drop) })
            },
            {
                let s = s.clone();
                Box::pin(async move { s.read_stream(2..).try_next().await.map(drop) })
            },
            {
                let s = s.clone();
                Box::pin(async move { s.byte_stream(3..).try_next().await.map(drop) })
            },
            {
                let s = s.clone();
                Box::pin(async move { s.download(..8).done().await })
            },
            {
                let s = s.clone();
                Box::pin(async move { s.encoded(hypercore::Utf8).get(5).await.map(drop) })
            },
        ];
        let waits = waits.map(tokio::spawn);
        let update =
            (!session.is_snapshot()).then(|| tokio::spawn(async move { s.update().await.map(drop) }));
        tokio::time::sleep(MOMENT).await;
        assert!(waits.iter().chain(&update).all(|wait| !wait.is_finished()));
        session.close().await.unwrap();
        for (which, wait) in waits.into_iter().chain(update).enumerate() {
            let ended = timeout(SOON, wait).await.unwrap_or_else(|_| panic!("wait {which} goes on")).unwrap();
            assert_eq!(ended.unwrap_err().code(), "REQUEST_CANCELLED", "wait {which}");
        }
    }
    assert!(others.iter().all(|other| !other.is_closed()));
}

#[tokio::test]
async fn a19_streams_of_a_closed_session_end() {
    let core = filled(10).await;
    let session = core.session(SessionOptions::new()).await.unwrap();
    let mut read = session.read_stream(..);
    let mut live = session.read_stream(10..).live(true);
    let mut bytes = session.byte_stream(..);
    assert_eq!(read.try_next().await.unwrap().unwrap(), "0");
    assert_eq!(bytes.try_next().await.unwrap().unwrap(), "0");
    let waiting = tokio::spawn(async move { live.next().await });
    tokio::task::yield_now().await;
    session.close().await.unwrap();
    let waited = timeout(SOON, waiting).await.expect("it does not wait on").unwrap();
    assert!(matches!(waited.unwrap().unwrap_err().code(), "REQUEST_CANCELLED" | "SESSION_CLOSED"));
    assert_eq!(read.next().await.unwrap().unwrap_err().code(), "SESSION_CLOSED");
    assert_eq!(bytes.next().await.unwrap().unwrap_err().code(), "SESSION_CLOSED");
    assert!(read.next().await.is_none() && bytes.next().await.is_none());
}

#[tokio::test]
async fn regression_j11_nobody_looks_for_peers_for_a_session_that_is_closed() {
    let core = filled(1).await;
    let copy = reader(&core).await;
    let session = copy.session(SessionOptions::new()).await.unwrap();
    let guard = session.finding_peers();
    let waiting = {
        let copy = copy.clone();
        tokio::spawn(async move { copy.update().await })
    };
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    session.close().await.unwrap();
    assert!(!timeout(SOON, waiting).await.expect("the search is over").unwrap().unwrap());
    assert!(!timeout(SOON, copy.update()).await.unwrap().unwrap());
    // dropping the guard then takes nobody else's search away
    let others = copy.finding_peers();
    drop(guard);
    drop(session.finding_peers());
    let update = {
        let copy = copy.clone();
        tokio::spawn(async move { copy.update().await })
    };
    tokio::task::yield_now().await;
    connect(&core, &copy);
    assert!(timeout(SOON, update).await.unwrap().unwrap().unwrap());
    drop(others);
}

#[tokio::test]
async fn a16_the_lock_of_an_exclusive_session_goes_with_its_close_and_with_the_core() {
    let core = filled(1).await;
    let exclusive = || SessionOptions::new().exclusive(true);
    let first = core.session(exclusive()).await.unwrap();
    // a call of it that is under way holds nobody up
    let waiting = {
        let first = first.clone();
        tokio::spawn(async move { first.get(9).await })
    };
    tokio::task::yield_now().await;
    first.close().await.unwrap();
    let second = timeout(SOON, core.session(exclusive())).await.expect("the lock is free").unwrap();
    assert_eq!(timeout(SOON, waiting).await.unwrap().unwrap().unwrap_err().code(), "REQUEST_CANCELLED");
    let third = {
        let core = core.clone();
        tokio::spawn(async move { core.session(exclusive()).await })
    };
    tokio::task::yield_now().await;
    core.core().shut();
    let refused = timeout(SOON, third).await.expect("nobody waits for the lock of a closed core").unwrap();
    assert_eq!(refused.unwrap_err().code(), "SESSION_CLOSED");
    drop(second);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_when_a_session_closes_ends_whole_and_reaches_no_other_log() {
    for round in 0..50_u64 {
        let core = filled(3).await;
        let draft = named(&core, "draft").await;
        let appends = (0..4).map(|i| {
            let draft = draft.clone();
            tokio::spawn(async move { draft.append(format!("draft {i}")).await })
        });
        let appends: Vec<_> = appends.collect();
        let closing = {
            let draft = draft.clone();
            tokio::spawn(async move { draft.close().await })
        };
        let mut appended = 0;
        for append in appends {
            match timeout(SOON, append).await.unwrap().unwrap() {
                Ok(_) => appended += 1,
                Err(error) => assert_eq!(error.code(), "SESSION_CLOSED", "round {round}"),
            }
        }
        closing.await.unwrap().unwrap();
        assert_eq!(core.length(), 3, "round {round}: a draft became the log's");
        let again = named(&core, "draft").await;
        assert_eq!(again.length(), 3 + appended, "round {round}");
    }
}
