//! Audits of a store, repairs, blocks that were altered on disk, archives, following.

mod common;

use std::sync::Arc;

use bytes::Bytes;
use common::texts;
use hc_storage::WriteBatch;
use hc_storage::keys;
use hypercore::core::{Core, CoreName};
use hypercore::storage::{Storage, StorageOptions, audit};
use hypercore::{Hypercore, Import, OpenOptions, SessionOptions};

async fn store_with_logs() -> (Arc<Storage>, Vec<Hypercore>) {
    let storage = Storage::memory().unwrap();
    let mut cores = Vec::new();
    for _ in 0..3 {
        let pair = hypercore::KeyPair::from_seed(&hypercore::random().unwrap());
        let options =
            OpenOptions::new().key_pair(pair.clone()).manifest(hypercore::Manifest::single(pair.public()));
        let core = Core::open(&storage, CoreName::default(), options).await.unwrap();
        let core = Hypercore::from_core(core, SessionOptions::new()).await.unwrap();
        core.append_batch((0..100).map(|i| format!("block {i}"))).await.unwrap();
        core.truncate(64).await.unwrap();
        core.append_batch((64..70).map(|i| format!("again {i}"))).await.unwrap();
        core.clear(10..20).await.unwrap();
        core.clear(33..34).await.unwrap();
        let draft = common::named(&core, "draft").await;
        draft.append_batch(["x", "y"]).await.unwrap();
        draft.truncate(60).await.unwrap();
        draft.append("z").await.unwrap();
        core.set_user_data("k", Some(b"v")).await.unwrap();
        core.set_group([7; 32]).await.unwrap();
        core.append("in the group").await.unwrap();
        cores.push(core);
    }
    (storage, cores)
}

#[tokio::test]
async fn p12_an_audit_after_normal_work_finds_nothing() {
    let (storage, cores) = store_with_logs().await;
    let report = storage.audit(None).await.unwrap();
    assert_eq!(report.findings, []);
    assert_eq!(report.cores, 3);
    assert!(report.blocks >= 3 * 60 && report.nodes > report.blocks);
    let one = storage.audit(Some(*cores[0].discovery_key())).await.unwrap();
    assert_eq!((one.cores, one.findings), (1, vec![]));
}

#[tokio::test]
async fn p12_a_session_whose_log_was_cut_is_no_damage() {
    let storage = Storage::memory().unwrap();
    let core = Core::open(&storage, CoreName::default(), OpenOptions::new()).await.unwrap();
    let core = Hypercore::from_core(core, SessionOptions::new()).await.unwrap();
    core.append_batch((0..20).map(|i| i.to_string())).await.unwrap();
    let draft = common::named(&core, "draft").await;
    draft.append_batch(["a", "b", "c"]).await.unwrap();
    for length in [18, 7, 3] {
        core.truncate(length).await.unwrap();
        assert_eq!(storage.audit(None).await.unwrap().findings, [], "{length}");
        core.append_batch(["x", "y"]).await.unwrap();
        assert_eq!(storage.audit(None).await.unwrap().findings, [], "{length}");
    }
}

/// Writes behind the back of the store.
fn put(storage: &Storage, key: keys::Key, value: Option<Vec<u8>>) {
    let mut batch = WriteBatch::new();
    match value {
        Some(value) => batch.put(key, value),
        None => batch.delete(key),
    }
    storage.store().kv().commit(batch).unwrap();
}

#[tokio::test]
async fn everything_that_is_altered_is_found_and_what_can_be_repaired_is() {
    let alterations: Vec<(&str, keys::Key, Option<Vec<u8>>)> = vec![
        ("a block", keys::block(0, 5), Some(b"evil".to_vec())),
        ("a block is missing", keys::block(0, 6), None),
        ("a tree node", keys::tree_node(0, 12), Some(vec![12, 7, 0])),
        ("an inner node", keys::tree_node(0, 25), None),
        ("a page of the bitfield", keys::bitfield_page(0, 0), Some(vec![0xff; 4096])),
        ("hints", keys::hints(0), Some(vec![1, 50])),
        ("a block beyond the end", keys::block(0, 500), Some(b"stray".to_vec())),
        ("data of nobody", keys::block(77, 5), Some(b"stray".to_vec())),
        ("authority of nobody", keys::auth(99), Some(vec![1, 2, 3])),
        (
            "a name that leads nowhere",
            keys::alias(&hypercore::Namespace::from([1; 32]), "x"),
            Some(vec![9; 32]),
        ),
    ];
    for (what, key, value) in alterations {
        let (storage, cores) = store_with_logs().await;
        for core in cores {
            core.core().shut();
        }
        put(&storage, key, value);
        let report = storage.audit(None).await.unwrap();
        if what == "an inner node" {
            // nobody needs it where the nodes beside it are there: it is not checked, and nothing is wrong
            continue;
        }
        assert!(!report.is_clean(), "{what}");
        assert!(report.findings.iter().all(|finding| finding.repairable), "{what}: {:?}", report.findings);
        storage.repair(report).await.unwrap();
        let after = storage.audit(None).await.unwrap();
        assert_eq!(after.findings, [], "{what}");
    }
}

#[tokio::test]
async fn what_only_a_peer_can_repair_is_found_and_stays() {
    for (what, key, value) in [
        ("the head", keys::head(0), Some(vec![1, 2, 3])),
        ("a root", keys::tree_node(0, 63), None),
        ("authority", keys::auth(0), None),
    ] {
        let (storage, _cores) = store_with_logs().await;
        put(&storage, key, value);
        let report = storage.audit(None).await.unwrap();
        assert!(report.findings.iter().any(|finding| !finding.repairable), "{what}");
        storage.repair(report).await.unwrap();
        assert!(!storage.audit(None).await.unwrap().is_clean(), "{what}");
    }
    let (storage, cores) = store_with_logs().await;
    let head = cores[0].tree_hash().await.unwrap();
    let mut record = hc_storage::HeadRecord {
        fork: 1,
        length: 71,
        root_hash: head,
        signature: Some(vec![0; 64]),
        timestamp: 1,
    };
    for length in [70, 71] {
        record.length = length;
        put(&storage, keys::head(0), Some(compact_encoding::Encode::to_vec(&record)));
        let report = storage.audit(None).await.unwrap();
        assert!(!report.is_clean(), "{length}");
    }
    let _ = audit::audit(storage.store(), None).unwrap();
}

#[tokio::test]
async fn a_block_that_was_altered_is_noticed_when_reads_are_verified() {
    let (storage, cores) = store_with_logs().await;
    let core = &cores[0];
    put(&storage, keys::block(0, 5), Some(b"evil".to_vec()));
    assert_eq!(core.get(5).await.unwrap(), "evil", "as Node, by default");
    let careful = core.session(SessionOptions::new().verify_reads(true)).await.unwrap();
    assert_eq!(careful.get(5).await.unwrap_err().code(), "INVALID_CHECKSUM");
    for index in (0..5).chain(6..10).chain(20..33).chain(34..71) {
        careful.get(index).await.unwrap();
    }
}

#[tokio::test]
async fn o12_an_archive_verifies_with_nothing_but_the_key() {
    let (_storage, cores) = store_with_logs().await;
    let core = &cores[0];
    let mut file = Vec::new();
    let exported = core.export(.., &mut file).await.unwrap();
    assert_eq!((exported.length, exported.blocks), (71, 60));
    let import = Import::open(file.as_slice()).await.unwrap();
    assert_eq!(import.key(), core.key());
    let copy = Hypercore::builder().key(*core.key()).memory().await.unwrap();
    assert_eq!(import.into_core(&copy).await.unwrap(), exported);
    assert_eq!(copy.tree_hash().await.unwrap(), core.tree_hash().await.unwrap());
    for index in 0..71 {
        let there = core.has(index).await.unwrap();
        assert_eq!(copy.has(index).await.unwrap(), there, "{index}");
        if there {
            assert_eq!(copy.get(index).await.unwrap(), core.get(index).await.unwrap());
        }
    }
    // a second time changes nothing; a part fits too
    let again = Import::open(file.as_slice()).await.unwrap().into_core(&copy).await.unwrap();
    assert_eq!(again, exported);
    let mut part = Vec::new();
    core.export(30..40, &mut part).await.unwrap();
    let copy = Hypercore::builder().key(*core.key()).memory().await.unwrap();
    Import::open(part.as_slice()).await.unwrap().into_core(&copy).await.unwrap();
    assert!(copy.has(39).await.unwrap() && !copy.has(29).await.unwrap());
    let other = cores[1].clone();
    let wrong = Import::open(part.as_slice()).await.unwrap().into_core(&other).await;
    assert_eq!(wrong.unwrap_err().code(), "BAD_ARGUMENT");
}

#[tokio::test]
async fn o9_a_follower_catches_up_with_a_store_that_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    core.append_batch(["0", "1"]).await.unwrap();
    let options = StorageOptions { follow: true, ..StorageOptions::default() };
    let storage = Storage::open(dir.path(), options).await.unwrap();
    let name = CoreName { discovery_key: Some(*core.discovery_key()), alias: None };
    let follower = Core::open(&storage, name, OpenOptions::new().create_if_missing(false)).await.unwrap();
    let follower = Hypercore::from_core(follower, SessionOptions::new()).await.unwrap();
    assert_eq!(texts(&follower).await, ["0", "1"]);
    let mut events = follower.events();
    for round in 2..20 {
        core.append_batch([round.to_string(), "large".repeat(2000)]).await.unwrap();
        assert!(follower.catch_up_with_store().await.unwrap());
        assert_eq!(follower.length(), core.length());
        assert_eq!(follower.get(follower.length() - 2).await.unwrap(), round.to_string());
    }
    core.truncate(1).await.unwrap();
    core.append("new").await.unwrap();
    assert!(follower.catch_up_with_store().await.unwrap());
    assert_eq!(texts(&follower).await, ["0", "new"]);
    assert!(!follower.catch_up_with_store().await.unwrap());
    assert!(common::told(&mut events).await.len() > 18);
    assert!(follower.append("x").await.is_err());
    assert_eq!(core.catch_up_with_store().await.unwrap_err().code(), "ERR_ASSERTION");
}

#[tokio::test]
async fn o9_a_suspended_store_lets_another_process_in_and_notices_it() {
    let dir = tempfile::tempdir().unwrap();
    let storage = Storage::open(dir.path(), StorageOptions::default()).await.unwrap();
    let core = Core::open(&storage, CoreName::default(), OpenOptions::new()).await.unwrap();
    let core = Hypercore::from_core(core, SessionOptions::new()).await.unwrap();
    core.append("0").await.unwrap();
    storage.suspend().await.unwrap();
    assert!(core.append("1").await.is_err());
    storage.resume().await.unwrap();
    core.append("1").await.unwrap();
    storage.suspend().await.unwrap();
    let other = Hypercore::open(dir.path()).await.unwrap();
    assert!(storage.resume().await.is_err(), "it is in use");
    other.append("2").await.unwrap();
    other.close().await.unwrap();
    let refused = storage.resume().await.unwrap_err();
    assert!(refused.to_string().contains("another process"), "{refused}");
    storage.close().await.unwrap();
    let again = Hypercore::open(dir.path()).await.unwrap();
    assert_eq!(texts(&again).await, ["0", "1", "2"]);
    let _ = Bytes::new();
}

#[tokio::test]
async fn m8_a_directory_that_was_copied_opens_as_recovering_when_it_is_taken_over() {
    let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let core = Hypercore::open(dir.path()).await.unwrap();
    core.append("0").await.unwrap();
    core.close().await.unwrap();
    let to = copy.path().join("copied");
    std::process::Command::new("cp").arg("-r").arg(dir.path()).arg(&to).status().unwrap();
    assert!(Hypercore::open(&to).await.is_err(), "as Node");
    let options = StorageOptions { adopt: true, ..StorageOptions::default() };
    let storage = Storage::open(&to, options).await.unwrap();
    let core = Core::open(&storage, CoreName::default(), OpenOptions::new()).await.unwrap();
    let core = Hypercore::from_core(core, SessionOptions::new()).await.unwrap();
    assert_ne!(core.recovering(), 0);
    assert_eq!(core.append("1").await.unwrap_err().code(), "SESSION_NOT_WRITABLE");
    assert_eq!(core.get(0).await.unwrap(), "0");
    core.recover_unconfirmed().await.unwrap();
    assert_eq!(core.append("1").await.unwrap().length, 2);
}
