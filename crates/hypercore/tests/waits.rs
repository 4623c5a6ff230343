//! Waits end.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{connect, ends, filled, in_store, reader, until};
use futures_util::TryStreamExt;
use hc_storage::MemKv;
use hypercore::storage::{Storage, StorageOptions};
use hypercore::{Error, Hypercore, OpenOptions, SessionOptions, UpdateOptions};

/// How long a single wait may take that has nothing to wait for.
const SOON: Duration = Duration::from_secs(10);

async fn soon<T>(what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, wait).await.unwrap_or_else(|_| panic!("{what} does not end"))
}

/// Connections that end at any moment: before the handshake, in it, while the channel is opened, and after.
#[test]
fn regression_updates_end_beside_connections_that_come_and_go() {
    ends(|| async {
        let writer = filled(5).await;
        let copy = Hypercore::builder().key(*writer.key()).memory().await.unwrap();
        for round in 0..1500_u32 {
            let (here, there) = tokio::io::duplex(64 * 1024);
            let ours = copy.replicate(here, hypercore::Role::Initiator).unwrap();
            let theirs = writer.replicate(there, hypercore::Role::Responder).unwrap();
            for _ in 0..round % 40 {
                tokio::task::yield_now().await;
            }
            let session = copy.clone();
            let update =
                tokio::spawn(async move { session.update_with(UpdateOptions::new().wait(true)).await });
            let stops = if round % 2 == 0 { &ours } else { &theirs };
            stops.stop();
            soon("an update", update).await.unwrap().unwrap();
        }
        until("all peers are gone", || !copy.core().is_busy() && !writer.core().is_busy()).await;
        assert!(!soon("the last update", copy.update_with(UpdateOptions::new().wait(true))).await.unwrap());
        let bytes: Vec<_> = soon("a stream", copy.byte_stream(..0).try_collect()).await.unwrap();
        assert!(bytes.is_empty());
    });
}

/// A core of a store stays open without sessions: what waits has to end with its session.
#[test]
fn regression_a_download_ends_with_its_session() {
    ends(|| async {
        let writer = filled(5).await;
        let storage = Storage::memory().unwrap();
        let copy = in_store(&storage, OpenOptions::new().key(*writer.key())).await;
        let other = copy.session(SessionOptions::new()).await.unwrap();
        let download = other.download(0..3);
        other.close().await.unwrap();
        let done = soon("a download", download.done()).await;
        assert!(matches!(done, Err(Error::RequestCancelled { .. })), "{done:?}");
        assert!(!copy.is_closed());
    });
}

/// A writer whose store was set back, and that other sessions keep open.
#[test]
fn regression_an_append_that_waits_for_recovery_ends_with_its_session() {
    ends(|| async {
        let options = StorageOptions { adopt: true, ..StorageOptions::default() };
        let storage = Storage::over(Arc::new(MemKv::new()), options, true).unwrap();
        let core = in_store(&storage, OpenOptions::new()).await;
        assert!(core.recovering() > 0);
        let _looking = core.finding_peers();
        let session = core.session(SessionOptions::new()).await.unwrap();
        let waiting = session.clone();
        let append = tokio::spawn(async move { waiting.append("a").await });
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!append.is_finished());
        session.close().await.unwrap();
        let append = soon("an append", append).await.unwrap();
        assert!(matches!(append, Err(Error::RequestCancelled { .. })), "{append:?}");
        assert!(!core.is_closed());
    });
}

/// A core that is closed by somebody else: its store, or another session that purges it.
#[test]
fn regression_whoever_waits_to_be_exclusive_hears_that_the_core_is_closed() {
    ends(|| async {
        let storage = Storage::memory().unwrap();
        let core = in_store(&storage, OpenOptions::new()).await;
        let _first = core.session(SessionOptions::new().exclusive(true)).await.unwrap();
        let waiting = core.session(SessionOptions::new()).await.unwrap();
        let second =
            tokio::spawn(async move { waiting.session(SessionOptions::new().exclusive(true)).await });
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!second.is_finished());
        core.purge().await.unwrap();
        let second = soon("the second session", second).await.unwrap();
        let closed = matches!(second, Err(Error::RequestCancelled { .. } | Error::SessionClosed { .. }));
        assert!(closed, "{second:?}");
    });
}

/// Waits that begin at the moment at which their core closes.
#[test]
fn regression_waits_that_begin_while_the_core_closes_end() {
    ends(|| async {
        let writer = filled(1).await;
        for _ in 0..100 {
            let copy = reader(&writer).await;
            let before: Vec<_> = (0..500).map(|_| copy.download(0..1)).collect();
            let (begun, begins) = std::sync::mpsc::channel();
            let begin = || {
                let (session, begun) = (copy.clone(), begun.clone());
                tokio::task::spawn_blocking(move || {
                    let mut waits = Vec::new();
                    while !session.is_closed() {
                        waits.push(session.download(0..1));
                        let _ = begun.send(());
                    }
                    waits
                })
            };
            let during = [begin(), begin()];
            begins.recv().unwrap();
            copy.core().shut();
            for waits in during {
                for wait in waits.await.unwrap() {
                    assert!(soon("a download", wait.done()).await.is_err());
                }
            }
            drop(before);
        }
    });
}

/// A session that is dropped where there is no runtime cannot set a timer; those that come after it have to.
#[tokio::test(start_paused = true)]
async fn regression_a_core_comes_to_rest_after_a_session_was_dropped_outside_of_the_runtime() {
    let (storage, other_storage) = (Storage::memory().unwrap(), Storage::memory().unwrap());
    let writer = in_store(&storage, OpenOptions::new()).await;
    writer.append("a").await.unwrap();
    let copy = in_store(&other_storage, OpenOptions::new().key(*writer.key())).await;
    let core = copy.core().clone();
    std::thread::spawn(move || drop(copy)).join().unwrap();
    tokio::time::sleep(Duration::from_secs(30)).await;
    let again = Hypercore::from_core(core.clone(), SessionOptions::new()).await.unwrap();
    connect(&writer, &again);
    assert_eq!(again.get(0).await.unwrap(), "a");
    assert!(core.is_busy());
    drop((writer, again));
    // nobody downloads any more: after a while the channel is closed
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!core.is_busy());
}
