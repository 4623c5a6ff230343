//! Many cores in one store.

use std::time::Duration;

use corestore::{Corestore, OpenOptions, Role};
use futures_util::{FutureExt, StreamExt};
use hypercore::{Event, GetOptions, KeyPair, Manifest};

fn connect(a: &Corestore, b: &Corestore) {
    let (here, there) = tokio::io::duplex(64 * 1024);
    a.replicate(here, Role::Responder).unwrap();
    b.replicate(there, Role::Initiator).unwrap();
}

fn patient() -> OpenOptions {
    OpenOptions::new().timeout(Some(Duration::from_secs(20)))
}

#[tokio::test]
async fn p1_names_mean_the_same_cores_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let store = Corestore::open(dir.path()).await.unwrap();
    let log = store.get("log").await.unwrap();
    log.append("hello").await.unwrap();
    let (key, primary) = (*log.key(), *store.primary_key());
    store.close().await.unwrap();
    let store = Corestore::open(dir.path()).await.unwrap();
    assert_eq!(*store.primary_key(), primary);
    let log = store.get("log").await.unwrap();
    assert_eq!(*log.key(), key);
    assert_eq!(log.append("again").await.unwrap().length, 2);
}

#[tokio::test]
async fn p2_one_name_is_one_core_however_often_it_is_opened() {
    let store = Corestore::memory().await.unwrap();
    let (a, b) = tokio::join!(store.get("log"), store.get("log"));
    let (a, b) = (a.unwrap(), b.unwrap());
    a.append("from a").await.unwrap();
    assert_eq!(b.get(0).await.unwrap(), "from a");
    assert_ne!(store.get("other").await.unwrap().key(), a.key());
}

#[tokio::test]
async fn p4_another_primary_key_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = Corestore::builder().primary_key([1; 32]).open(dir.path()).await.unwrap();
    store.close().await.unwrap();
    let refused = Corestore::builder().primary_key([2; 32]).open(dir.path()).await.unwrap_err();
    assert_eq!(refused.code(), "STORAGE_CONFLICT");
    Corestore::builder().primary_key([1; 32]).open(dir.path()).await.unwrap();
}

#[tokio::test]
async fn p5_namespaces_nest_and_list_their_own() {
    let store = Corestore::memory().await.unwrap();
    let (a, b) = (store.namespace("a"), store.namespace("b"));
    let nested = a.namespace("b");
    let keys = [
        *store.get("x").await.unwrap().discovery_key(),
        *a.get("x").await.unwrap().discovery_key(),
        *b.get("x").await.unwrap().discovery_key(),
        *nested.get("x").await.unwrap().discovery_key(),
    ];
    for (i, key) in keys.iter().enumerate() {
        assert!(!keys[..i].contains(key));
    }
    assert_eq!(a.list(Some(a.current_namespace())).unwrap(), [keys[1]]);
    assert_eq!(a.names().unwrap(), [("x".to_owned(), keys[1])]);
    assert_eq!(store.list(None).unwrap().len(), 4);
}

#[tokio::test]
async fn p6_a_discovery_key_opens_only_what_is_stored() {
    let store = Corestore::memory().await.unwrap();
    let key = *store.get("log").await.unwrap().discovery_key();
    assert_eq!(store.get(key).await.unwrap().discovery_key(), &key);
    let unknown = hypercore::DiscoveryKey::from([9; 32]);
    assert_eq!(store.get(unknown).await.unwrap_err().code(), "STORAGE_EMPTY");
}

#[tokio::test]
async fn p8_open_stored_and_unknown_cores_on_one_connection() {
    let (store, reader) = (Corestore::memory().await.unwrap(), Corestore::memory().await.unwrap());
    let open = store.get("open").await.unwrap();
    open.append("of open").await.unwrap();
    let stored = store.get("stored").await.unwrap();
    stored.append("of stored").await.unwrap();
    let stored_key = *stored.key();
    stored.close().await.unwrap();
    drop(stored);
    connect(&store, &reader);

    let copy = reader.get_with(*open.key(), patient()).await.unwrap();
    assert_eq!(copy.get(0).await.unwrap(), "of open");
    let copy = reader.get_with(stored_key, patient()).await.unwrap();
    assert_eq!(copy.get(0).await.unwrap(), "of stored");
    let unknown = reader.get(hypercore::Key::from([9; 32])).await.unwrap();
    let options = GetOptions::new().timeout(Some(Duration::from_millis(200)));
    assert_eq!(unknown.get_with(0, options).await.unwrap_err().code(), "REQUEST_TIMEOUT");

    // opened after the connection stood
    let late = store.get("late").await.unwrap();
    late.append("of late").await.unwrap();
    let copy = reader.get_with(*late.key(), patient()).await.unwrap();
    assert_eq!(copy.get(0).await.unwrap(), "of late");
}

#[tokio::test]
async fn regression_a10_a_session_of_a_store_tells_of_its_close_at_once() {
    let store = Corestore::memory().await.unwrap();
    let (log, other) = (store.get("log").await.unwrap(), store.get("log").await.unwrap());
    let (mut events, mut of_other) = (log.events(), other.events());
    let download = log.download(5..6);
    log.close().await.unwrap();
    let soon = Duration::from_secs(1);
    assert_eq!(tokio::time::timeout(soon, events.next()).await.unwrap(), Some(Event::Close));
    assert_eq!(tokio::time::timeout(soon, events.next()).await.unwrap(), None);
    let settled = tokio::time::timeout(soon, download.done()).await.expect("it settles");
    assert_eq!(settled.unwrap_err().code(), "REQUEST_CANCELLED");
    // also where it is the last one, although the core stays for a while
    assert!(of_other.next().now_or_never().is_none());
    other.close().await.unwrap();
    assert_eq!(of_other.next().now_or_never(), Some(Some(Event::Close)));
    assert!(!other.core().is_closed());
    let again = store.get("log").await.unwrap();
    let mut events = again.events();
    store.close().await.unwrap();
    assert_eq!(tokio::time::timeout(soon, events.next()).await.unwrap(), Some(Event::Close));
    again.close().await.unwrap();
    assert_eq!(tokio::time::timeout(soon, events.next()).await.unwrap(), None);
}

#[tokio::test]
async fn p9_closing_a_store_closes_everything_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Corestore::open(dir.path()).await.unwrap();
    let log = store.get("log").await.unwrap();
    store.close().await.unwrap();
    assert!(log.is_closed());
    assert_eq!(log.append("x").await.unwrap_err().code(), "SESSION_CLOSED");
    assert_eq!(store.get("log").await.unwrap_err().code(), "SESSION_CLOSED");
    Corestore::open(dir.path()).await.unwrap();
}

#[tokio::test]
async fn p13_a_read_only_store_reads_beside_its_writer() {
    let dir = tempfile::tempdir().unwrap();
    let store = Corestore::open(dir.path()).await.unwrap();
    let log = store.get("log").await.unwrap();
    log.append("seen").await.unwrap();
    let beside = Corestore::builder().read_only(true).open(dir.path()).await.unwrap();
    let copy = beside.get("log").await.unwrap();
    assert_eq!(copy.get(0).await.unwrap(), "seen");
    assert_eq!(copy.append("x").await.unwrap_err().code(), "SESSION_NOT_WRITABLE");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_cores_go_over_one_connection() {
    let (store, reader) = (Corestore::memory().await.unwrap(), Corestore::memory().await.unwrap());
    let mut keys = Vec::new();
    for i in 0..1000 {
        let core = store.get(format!("core {i}")).await.unwrap();
        core.append(i.to_string()).await.unwrap();
        keys.push(*core.key());
    }
    connect(&store, &reader);
    let copies = keys.into_iter().enumerate().map(|(i, key)| {
        let reader = reader.clone();
        tokio::spawn(async move {
            let copy = reader.get_with(key, patient()).await.unwrap();
            assert_eq!(copy.get(0).await.unwrap(), i.to_string());
        })
    });
    for copy in copies.collect::<Vec<_>>() {
        copy.await.unwrap();
    }
}

#[tokio::test]
async fn m5_g7_what_is_said_of_a_core_that_is_open_already_counts() {
    let store = Corestore::memory().await.unwrap();
    let log = store.get("log").await.unwrap();
    assert_eq!(log.core().group(), None);
    store.get_with("log", OpenOptions::new().group([1; 32])).await.unwrap();
    assert_eq!(log.core().group(), Some([1; 32]));
    let other = store.get_with("log", OpenOptions::new().group([2; 32])).await.unwrap_err();
    assert_eq!((other.code(), log.core().group()), ("STORAGE_CONFLICT", Some([1; 32])));

    let manifest = Manifest::single(KeyPair::from_seed(&[5; 32]).public());
    let copy = store.get(manifest.key()).await.unwrap();
    assert_eq!(copy.manifest(), None);
    store.get(manifest.clone()).await.unwrap();
    assert_eq!(copy.manifest(), Some(manifest));
}
