//! What peers hear of, and when: only what is on the device.

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::device::Device;
use futures_util::StreamExt;
use hc_storage::{Kv, WriteBatch};
use hypercore::core::{Core, CoreName};
use hypercore::storage::{Storage, StorageOptions};
use hypercore::{
    Durability, Event, Hypercore, OpenOptions, ReplicationOptions, Role, SessionOptions, UpdateOptions,
};

async fn writer(durability: Durability) -> (Arc<Device>, Hypercore) {
    let device = Arc::new(Device::default());
    let options = StorageOptions { durability, ..StorageOptions::default() };
    let storage = Storage::over(Arc::clone(&device) as Arc<dyn Kv>, options, false).unwrap();
    let core = Core::open(&storage, CoreName::default(), OpenOptions::new()).await.unwrap();
    (device, Hypercore::from_core(core, SessionOptions::new()).await.unwrap())
}

async fn reader(of: &Hypercore) -> Hypercore {
    let reader =
        Hypercore::builder().key(*of.key()).timeout(Some(Duration::from_secs(20))).memory().await.unwrap();
    let (here, there) = tokio::io::duplex(64 * 1024);
    of.replicate(here, Role::Responder).unwrap();
    reader.replicate(there, Role::Initiator).unwrap();
    reader
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_is_announced_only_once_it_is_on_the_device() {
    let (device, core) = writer(Durability::Buffered).await;
    core.append("before").await.unwrap();
    assert_eq!(device.syncs.load(Ordering::SeqCst), 0, "nobody is there to tell");
    let reader = reader(&core).await;
    assert_eq!(reader.get(0).await.unwrap(), "before");
    assert!(device.syncs.load(Ordering::SeqCst) > 0, "synced before the first peer was let in");

    device.held.store(true, Ordering::SeqCst);
    assert_eq!(core.append("after").await.unwrap().length, 2, "acknowledged without the sync");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(reader.length(), 1, "but not announced");
    device.held.store(false, Ordering::SeqCst);
    assert_eq!(reader.get(1).await.unwrap(), "after");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_synced_is_never_announced() {
    let (device, core) = writer(Durability::Buffered).await;
    let reader = reader(&core).await;
    core.append("one").await.unwrap();
    assert_eq!(reader.get(0).await.unwrap(), "one");
    device.broken.store(true, Ordering::SeqCst);
    core.append("two").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(reader.length(), 1);
    // but it is tried again where the store still takes something
    device.broken.store(false, Ordering::SeqCst);
    let blocks = tokio::time::timeout(Duration::from_secs(20), reader.get(1)).await.unwrap();
    assert_eq!(blocks.unwrap(), "two");
}

/// A peer is served up to the head that was announced, however long the log is by then.
#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_a_peer_asks_for_tells_of_no_head_that_is_not_on_the_device() {
    let (device, core) = writer(Durability::Buffered).await;
    core.append("announced").await.unwrap();
    let lazy = ReplicationOptions { eager_upgrade: false, ..ReplicationOptions::default() };
    let reader = Hypercore::builder().key(*core.key()).replication(lazy).memory().await.unwrap();
    let (here, there) = tokio::io::duplex(64 * 1024);
    core.replicate(here, Role::Responder).unwrap();
    reader.replicate(there, Role::Initiator).unwrap();
    while reader.peers().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    device.held.store(true, Ordering::SeqCst);
    core.append("not announced").await.unwrap();
    let ask = UpdateOptions::new().wait(true).timeout(Some(Duration::from_secs(20)));
    let (longer, told) = (reader.update_with(ask).await, reader.length());
    assert!(longer.unwrap(), "serving does not wait for the sync");
    assert_eq!(told, 1, "what is not on the device is not told");
    let ask = UpdateOptions::new().wait(true).timeout(Some(Duration::from_millis(300)));
    let _ = reader.update_with(ask).await;
    assert_eq!(reader.length(), 1);
    device.held.store(false, Ordering::SeqCst);
    while reader.length() < 2 {
        let ask = UpdateOptions::new().wait(true).timeout(Some(Duration::from_secs(20)));
        reader.update_with(ask).await.unwrap();
    }
}

#[tokio::test]
async fn with_sync_user_data_is_acknowledged_after_the_sync() {
    let (device, core) = writer(Durability::Sync).await;
    core.set_user_data("name", Some(b"value")).await.unwrap();
    assert_eq!(device.syncs.load(Ordering::SeqCst), 1);
    device.broken.store(true, Ordering::SeqCst);
    assert_eq!(core.set_user_data("name", None).await.unwrap_err().code(), "WRITE_FAILED");
}

#[tokio::test]
async fn regression_with_sync_a_draft_is_acknowledged_after_the_sync() {
    let (device, core) = writer(Durability::Sync).await;
    core.append_batch(["a", "b", "c"]).await.unwrap();
    let draft = core.session(SessionOptions::new().name("draft")).await.unwrap();
    let unsynced = || device.unsynced.load(Ordering::SeqCst);
    draft.append("d").await.unwrap();
    assert_eq!(unsynced(), 0, "an append");
    draft.truncate(2).await.unwrap();
    assert_eq!(unsynced(), 0, "a truncation");
    draft.append("e").await.unwrap();
    draft.clear(2..3).await.unwrap();
    assert_eq!(unsynced(), 0, "a clear");
    draft.catch_up(3).await.unwrap();
    assert_eq!(unsynced(), 0, "catching up");
    // an atom has nothing to bring to the device before it is flushed
    let atom = core.atom();
    core.session(SessionOptions::new().atom(&atom)).await.unwrap().append("f").await.unwrap();
    atom.flush().await.unwrap();
    assert_eq!(unsynced(), 0, "a flush");
}

#[tokio::test]
async fn with_sync_an_append_is_acknowledged_after_the_sync() {
    let (device, core) = writer(Durability::Sync).await;
    core.append("one").await.unwrap();
    assert_eq!(device.syncs.load(Ordering::SeqCst), 1);
    device.broken.store(true, Ordering::SeqCst);
    assert_eq!(core.append("two").await.unwrap_err().code(), "WRITE_FAILED");
}

/// Brings everything to the device; fails if there was nothing to bring, or if something was left.
async fn flushed(what: &str, device: &Device, storage: &Arc<Storage>) {
    assert!(device.unsynced.load(Ordering::SeqCst) > 0, "{what} wrote nothing");
    storage.sync().await.unwrap();
    assert_eq!(device.unsynced.load(Ordering::SeqCst), 0, "{what} is not on the device after a flush");
}

#[tokio::test]
async fn regression_a_flush_brings_whatever_was_written_to_the_device() {
    let device = Arc::new(Device::default());
    let storage = Storage::over(device.clone(), StorageOptions::default(), false).unwrap();
    storage.store().set_seed(&[1; 32]).unwrap();
    flushed("the seed of a new store", &device, &storage).await;

    let source = Hypercore::memory().await.unwrap();
    source.append_batch(["a", "b", "c"]).await.unwrap();
    let options = OpenOptions::new().key(*source.key());
    let core = Core::open(&storage, CoreName::default(), options).await.unwrap();
    let copy = Hypercore::from_core(core, SessionOptions::new()).await.unwrap();
    flushed("a new core", &device, &storage).await;

    let (here, there) = tokio::io::duplex(64 * 1024);
    source.replicate(here, Role::Responder).unwrap();
    copy.replicate(there, Role::Initiator).unwrap();
    copy.get(0).await.unwrap();
    flushed("a block of a peer", &device, &storage).await;
    // a hint, and nothing else: what the peer is known to have
    source.append("d").await.unwrap();
    while copy.remote_contiguous_length() < 4 {
        copy.update_with(UpdateOptions::new().wait(true)).await.unwrap();
    }
    flushed("what a peer has", &device, &storage).await;
    copy.recover_unconfirmed().await.unwrap();
    copy.set_user_data("name", Some(b"value")).await.unwrap();
    flushed("a record", &device, &storage).await;

    // the record of a core as an earlier version made it
    let key = hc_storage::keys::core(copy.discovery_key());
    let stored = storage.store().kv().get(&key).unwrap().unwrap();
    let mut batch = WriteBatch::new();
    batch.put(key, [&[1], &stored[1..]].concat());
    storage.store().kv().commit(batch).unwrap();
    flushed("a batch of somebody's", &device, &storage).await;
    storage.store().migrate_core(copy.discovery_key()).unwrap();
    flushed("a migrated core", &device, &storage).await;
}

#[tokio::test]
async fn a_full_device_is_a_typed_error_and_nothing_changes_until_there_is_room() {
    let (device, core) = writer(Durability::Buffered).await;
    core.append("one").await.unwrap();
    let before =
        (core.length(), core.byte_length(), core.contiguous_length(), core.tree_hash().await.unwrap());
    device.full.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        assert_eq!(core.append("two").await.unwrap_err().code(), "WRITE_FAILED");
    }
    let after =
        (core.length(), core.byte_length(), core.contiguous_length(), core.tree_hash().await.unwrap());
    assert_eq!(before, after);
    assert!(!core.has(1).await.unwrap());
    device.full.store(false, Ordering::SeqCst);
    assert_eq!(core.append("two").await.unwrap().length, 2);
    assert_eq!(core.get(1).await.unwrap(), "two");
}

#[tokio::test]
async fn regression_a_reader_whose_device_is_full_is_told_why_nothing_is_stored() {
    let core = Hypercore::memory().await.unwrap();
    core.append("one").await.unwrap();
    let device = Arc::new(Device::default());
    let engine = Arc::clone(&device) as Arc<dyn Kv>;
    let storage = Storage::over(engine, StorageOptions::default(), false).unwrap();
    let options = OpenOptions::new().key(*core.key());
    let copy = Core::open(&storage, CoreName::default(), options).await.unwrap();
    let copy = Hypercore::from_core(copy, SessionOptions::new()).await.unwrap();
    let mut events = copy.events();
    device.full.store(true, Ordering::SeqCst);
    let (here, there) = tokio::io::duplex(64 * 1024);
    core.replicate(here, Role::Responder).unwrap();
    copy.replicate(there, Role::Initiator).unwrap();
    let failed = async {
        loop {
            if let Some(Event::StorageFailed { reason }) = events.next().await {
                return reason;
            }
        }
    };
    let reason = tokio::time::timeout(Duration::from_secs(20), failed).await.unwrap();
    assert!(reason.contains("no space left on device"), "{reason}");
    assert_eq!(copy.length(), 0);
    // with room, another connection brings it
    device.full.store(false, Ordering::SeqCst);
    let (here, there) = tokio::io::duplex(64 * 1024);
    core.replicate(here, Role::Responder).unwrap();
    copy.replicate(there, Role::Initiator).unwrap();
    let got = tokio::time::timeout(Duration::from_secs(20), copy.get(0)).await.unwrap();
    assert_eq!(got.unwrap(), "one");
}
