//! What waits for the cores of a store ends, whatever becomes of connections and of the store.

use std::time::Duration;

use corestore::Corestore;
use hypercore::{Error, Role, SessionOptions, UpdateOptions};

/// How long a wait may take that has nothing to wait for.
const SOON: Duration = Duration::from_secs(20);

async fn soon<T>(what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, wait).await.unwrap_or_else(|_| panic!("{what} does not end"))
}

/// Cores are put on a connection by tasks of their own: also on one that has ended meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn regression_updates_of_all_cores_end_beside_connections_that_come_and_go() {
    let (ours, theirs) = (Corestore::memory().await.unwrap(), Corestore::memory().await.unwrap());
    let mut copies = Vec::new();
    for index in 0..8 {
        let log = ours.get(format!("{index}").as_str()).await.unwrap();
        log.append("block").await.unwrap();
        copies.push((theirs.get(*log.key()).await.unwrap(), log));
    }
    for round in 0..200_u32 {
        let (here, there) = tokio::io::duplex(1 << 10);
        let one = ours.replicate(here, Role::Responder).unwrap();
        let other = theirs.replicate(there, Role::Initiator).unwrap();
        for _ in 0..round % 40 {
            tokio::task::yield_now().await;
        }
        let stops = if round % 2 == 0 { &one } else { &other };
        stops.stop();
        let (copy, _) = &copies[round as usize % copies.len()];
        soon("an update", copy.update_with(UpdateOptions::new().wait(true))).await.unwrap();
    }
    for (copy, log) in &copies {
        let gone = async {
            while copy.core().is_busy() || log.core().is_busy() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        soon("the last connection", gone).await;
        soon("the last update", copy.update_with(UpdateOptions::new().wait(true))).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn regression_all_waits_end_when_the_store_closes() {
    let store = Corestore::memory().await.unwrap();
    let copy = store.get(*Corestore::memory().await.unwrap().get("log").await.unwrap().key()).await.unwrap();
    let first = copy.session(SessionOptions::new().exclusive(true).writable(true)).await.unwrap();
    let _looking = copy.finding_peers();
    let waits = [
        tokio::spawn({
            let core = copy.clone();
            async move { core.get(3).await.map(drop) }
        }),
        tokio::spawn({
            let core = copy.clone();
            async move { core.update().await.map(drop) }
        }),
        tokio::spawn({
            let core = copy.clone();
            async move { core.download(0..3).done().await }
        }),
        tokio::spawn({
            let core = copy.clone();
            async move { core.session(SessionOptions::new().exclusive(true)).await.map(drop) }
        }),
    ];
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(waits.iter().all(|wait| !wait.is_finished()));
    store.close().await.unwrap();
    for (index, wait) in waits.into_iter().enumerate() {
        let ended = soon(&format!("wait {index}"), wait).await.unwrap();
        let closed = matches!(ended, Err(Error::RequestCancelled { .. } | Error::SessionClosed { .. }));
        assert!(closed, "wait {index}: {ended:?}");
    }
    drop(first);
}
