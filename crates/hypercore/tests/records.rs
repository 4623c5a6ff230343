//! Records beside the log, and a store with many cores: making them at once, closing, exporting, deleting.

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use common::{connect, filled, in_store, named, new_in, reader, texts};
use hypercore::core::{Core, CoreName};
use hypercore::storage::{Storage, StorageOptions};
use hypercore::{Encryption, Hypercore, Import, KeyPair, Manifest, OpenOptions, SessionOptions};

#[tokio::test]
async fn a22_records_are_replaced_deleted_listed_and_last() {
    let dir = tempfile::tempdir().unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    let names = ["a", "a/1", "a/2", "b", "ä", ""];
    for name in names {
        core.set_user_data(name, Some(name.as_bytes())).await.unwrap();
    }
    core.set_user_data("a/1", Some(b"replaced")).await.unwrap();
    core.set_user_data("b", Some(b"")).await.unwrap();
    for reopened in [false, true] {
        let core = if reopened { Hypercore::open(dir.path()).await.unwrap() } else { core.clone() };
        let listed = async |from: &str, until: Option<&str>| -> Vec<String> {
            let records = core.user_data_range(from, until).await.unwrap();
            records
                .into_iter()
                .map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(&value)))
                .collect()
        };
        assert_eq!(listed("", None).await, ["=", "a=a", "a/1=replaced", "a/2=a/2", "b=", "ä=ä"]);
        assert_eq!(listed("a/", Some("a0")).await, ["a/1=replaced", "a/2=a/2"]);
        assert_eq!(listed("a/2", None).await, ["a/2=a/2", "b=", "ä=ä"]);
        assert_eq!(listed("a", Some("a/2")).await, ["a=a", "a/1=replaced"]);
        assert!(listed("c", Some("b")).await.is_empty());
        assert_eq!(core.user_data("b").await.unwrap().unwrap(), "", "an empty record is one");
        assert_eq!(core.user_data("c").await.unwrap(), None);
        core.close().await.unwrap();
    }
    let core = Hypercore::open(dir.path()).await.unwrap();
    for name in names {
        core.set_user_data(name, None).await.unwrap();
    }
    assert!(core.user_data_range("", None).await.unwrap().is_empty());
}

#[tokio::test]
async fn regression_a22_records_given_when_a_core_is_opened_again_are_stored_too() {
    let dir = tempfile::tempdir().unwrap();
    let core = Hypercore::builder().user_data("hello", "world").open(dir.path()).await.unwrap();
    core.close().await.unwrap();
    let again = Hypercore::builder().user_data("other", "another").user_data("hello", "there");
    let core = again.open(dir.path()).await.unwrap();
    let named = SessionOptions::new().name("draft").user_data("hello", "draft");
    core.session(named).await.unwrap().close().await.unwrap();
    core.session(SessionOptions::new().user_data("third", "x")).await.unwrap();
    core.close().await.unwrap();
    let first = Hypercore::builder().session(SessionOptions::new().name("draft").user_data("more", "y"));
    let draft = first.open(dir.path()).await.unwrap();
    let core = Hypercore::from_core(draft.core().clone(), SessionOptions::new()).await.unwrap();
    let all = |records: Vec<(String, bytes::Bytes)>| -> Vec<(String, String)> {
        let text = |value: bytes::Bytes| String::from_utf8(value.to_vec()).unwrap();
        records.into_iter().map(|(key, value)| (key, text(value))).collect()
    };
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let of_core = all(core.user_data_range("", None).await.unwrap());
    assert_eq!(of_core, pairs(&[("hello", "there"), ("other", "another"), ("third", "x")]));
    let of_draft = all(draft.user_data_range("", None).await.unwrap());
    assert_eq!(of_draft, pairs(&[("hello", "draft"), ("more", "y")]));
    // a snapshot keeps the records that it has
    let refused = core.session(SessionOptions::new().snapshot(true).user_data("x", "y")).await;
    assert_eq!(refused.unwrap_err().code(), "WRITE_FAILED");
}

#[tokio::test]
async fn records_of_a_session_and_of_another_core_are_their_own() {
    let storage = Storage::memory().unwrap();
    let (core, other) = (new_in(&storage, 1).await, new_in(&storage, 2).await);
    core.append("0").await.unwrap();
    let draft = named(&core, "draft").await;
    for (session, value) in [(&core, "core"), (&draft, "draft"), (&other, "other")] {
        session.set_user_data("of", Some(value.as_bytes())).await.unwrap();
        session.set_local(b"of", Some(value.as_bytes())).await.unwrap();
    }
    for (session, value) in [(&core, "core"), (&draft, "draft"), (&other, "other")] {
        assert_eq!(session.user_data("of").await.unwrap().unwrap(), value);
        assert_eq!(session.local(b"of").await.unwrap().unwrap(), value);
    }
    let copy = reader(&core).await;
    connect(&core, &copy);
    copy.get(0).await.unwrap();
    assert_eq!(copy.user_data("of").await.unwrap(), None, "they are never sent");
}

#[tokio::test]
async fn local_records_are_bytes_and_last() {
    let dir = tempfile::tempdir().unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    let long = [0xff_u8; 2048];
    for (key, value) in [(&b""[..], &b"none"[..]), (&[0, 255, 0], b""), (&long, &[1; 50_000]), (b"x", b"x")] {
        core.set_local(key, Some(value)).await.unwrap();
    }
    core.set_local(b"x", None).await.unwrap();
    assert_eq!(core.set_local(&[0; 2049], Some(b"x")).await.unwrap_err().code(), "BAD_ARGUMENT");
    core.close().await.unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    assert_eq!(core.local(b"").await.unwrap().unwrap(), "none");
    assert_eq!(core.local(&[0, 255, 0]).await.unwrap().unwrap(), "");
    assert_eq!(core.local(&long).await.unwrap().unwrap().len(), 50_000);
    assert_eq!(core.local(b"x").await.unwrap(), None);
    core.close().await.unwrap();
    assert_eq!(core.local(b"").await.unwrap_err().code(), "SESSION_CLOSED");
    assert_eq!(core.set_local(b"", None).await.unwrap_err().code(), "SESSION_CLOSED");
}

/// A core with a record of every kind.
async fn furnished(storage: &Arc<Storage>, seed: u8) -> Hypercore {
    let core = new_in(storage, seed).await;
    core.append_batch((0..40_000).map(|i| format!("{i}"))).await.unwrap();
    core.clear(3..5).await.unwrap();
    core.truncate(39_000).await.unwrap();
    core.set_user_data("a", Some(b"b")).await.unwrap();
    core.set_local(b"a", Some(b"b")).await.unwrap();
    core.mark(4..50).await.unwrap();
    core.set_group([seed; 32]).await.unwrap();
    core.append("grouped").await.unwrap();
    for name in ["one", "two"] {
        let draft = named(&core, name).await;
        draft.append_batch(["x", "y"]).await.unwrap();
        draft.set_user_data("a", Some(b"b")).await.unwrap();
        let nested = draft.session(SessionOptions::new().name(format!("{name} nested"))).await.unwrap();
        nested.append("z").await.unwrap();
    }
    let again = core.session(SessionOptions::new().name("two").overwrite(true)).await.unwrap();
    again.append("anew").await.unwrap();
    core
}

fn keys(storage: &Storage) -> BTreeSet<Vec<u8>> {
    storage.store().dump().unwrap().into_iter().map(|(key, _)| key).collect()
}

#[tokio::test]
async fn a24_o12_purging_a_core_leaves_nothing_of_it_and_all_of_the_others() {
    let dir = tempfile::tempdir().unwrap();
    for storage in
        [Storage::memory().unwrap(), Storage::open(dir.path(), StorageOptions::default()).await.unwrap()]
    {
        let other = new_in(&storage, 1).await;
        other.append_batch(["kept 0", "kept 1"]).await.unwrap();
        let mut expected = keys(&storage);
        let core = furnished(&storage, 2).await;
        let session = core.session(SessionOptions::new()).await.unwrap();
        let (discovery_key, key) = (*core.discovery_key(), *core.key());
        // what a topic's number is stays known: it is the store's, not the core's
        expected.insert(hc_storage::keys::group_topic(&[2; 32]).as_ref().to_vec());
        core.purge().await.unwrap();
        assert_eq!(keys(&storage), expected);
        for session in [&core, &session] {
            assert!(session.is_closed());
            assert_eq!(session.get(0).await.unwrap_err().code(), "SESSION_CLOSED");
            assert_eq!(session.append("x").await.unwrap_err().code(), "SESSION_CLOSED");
            assert_eq!(session.purge().await.unwrap_err().code(), "SESSION_CLOSED");
        }
        let missing = OpenOptions::new().key(key).create_if_missing(false);
        let missing = Core::open(&storage, CoreName::default(), missing).await.unwrap_err();
        assert_eq!((missing.code(), missing.discovery_key()), ("STORAGE_EMPTY", Some(&discovery_key)));
        assert_eq!(texts(&other).await, ["kept 0", "kept 1"]);
        let anew = new_in(&storage, 2).await;
        // on a fork of its own: the key signed another log on the first two
        assert_eq!((anew.length(), anew.fork(), anew.user_data("a").await.unwrap()), (0, 2, None));
        assert_eq!(anew.local(b"a").await.unwrap(), None);
        assert_eq!(named(&anew, "one").await.length(), 0);
        storage.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a24_what_is_written_during_a_purge_goes_with_it() {
    for round in 0..10_u64 {
        let storage = Storage::memory().unwrap();
        new_in(&storage, 1).await.append("kept").await.unwrap();
        let expected = keys(&storage);
        let core = new_in(&storage, 2).await;
        let writers: Vec<_> = (0..6)
            .map(|writer| {
                let core = core.clone();
                tokio::spawn(async move {
                    for i in 0_u64.. {
                        tokio::task::yield_now().await;
                        let name = format!("{writer} {i}");
                        let done = match writer {
                            0 => core.set_user_data(&name, Some(b"x")).await,
                            1 => core.set_local(name.as_bytes(), Some(b"x")).await,
                            2 => core.mark(i..i + 1).await,
                            3 => core.session(SessionOptions::new().name(name)).await.map(drop),
                            _ => core.append(name).await.map(drop),
                        };
                        if let Err(error) = done {
                            return error;
                        }
                    }
                    unreachable!()
                })
            })
            .collect();
        tokio::time::sleep(std::time::Duration::from_millis(round)).await;
        core.purge().await.unwrap();
        for writer in writers {
            let error = writer.await.unwrap();
            assert!(["SESSION_CLOSED", "WRITE_FAILED"].contains(&error.code()), "{error}");
        }
        assert_eq!(keys(&storage), expected);
    }
}

#[tokio::test]
async fn a24_purging_ends_what_is_waiting_and_frees_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    core.append("0").await.unwrap();
    let (waiting, key) = (core.session(SessionOptions::new()).await.unwrap(), *core.key());
    let get = tokio::spawn(async move { waiting.get(5).await });
    tokio::task::yield_now().await;
    core.purge().await.unwrap();
    assert!(["REQUEST_CANCELLED", "SESSION_CLOSED"].contains(&get.await.unwrap().unwrap_err().code()));
    let core = Hypercore::open(dir.path()).await.unwrap();
    assert_ne!(*core.key(), key);
    assert_eq!(core.length(), 0);
}

#[tokio::test]
async fn o12_an_export_makes_the_same_core_elsewhere() {
    let core = Hypercore::builder().encryption(Encryption::key([1; 32])).memory().await.unwrap();
    core.append_batch((0..300).map(|i| format!("block {i}"))).await.unwrap();
    core.clear(20..30).await.unwrap();
    let mut file = Vec::new();
    let written = core.export(.., &mut file).await.unwrap();
    assert_eq!((written.length, written.blocks), (300, 290));
    let import = Import::open(file.as_slice()).await.unwrap();
    assert_eq!(import.key(), core.key());
    let copy = reader(&core).await;
    assert_eq!(import.into_core(&copy).await.unwrap(), written);
    assert_eq!((copy.length(), copy.fork()), (300, 0));
    assert_eq!(copy.tree_hash().await.unwrap(), core.tree_hash().await.unwrap());
    assert!(!copy.has(25).await.unwrap());
    copy.set_encryption(Encryption::key([1; 32]));
    assert_eq!(copy.get(260).await.unwrap(), "block 260");
    // a copy serves as the original does
    let third = reader(&core).await;
    connect(&copy, &third);
    third.set_encryption(Encryption::key([1; 32]));
    assert_eq!(third.get(299).await.unwrap(), "block 299");
}

#[tokio::test(flavor = "multi_thread")]
async fn o11_many_cores_are_made_at_once() {
    const CORES: u8 = 60;
    let dir = tempfile::tempdir().unwrap();
    let storage = Storage::open(dir.path(), StorageOptions::default()).await.unwrap();
    // each of them twice: the second one finds what the first one makes
    let making: Vec<_> = (0..2 * CORES)
        .map(|i| {
            let storage = Arc::clone(&storage);
            tokio::spawn(async move {
                let core = new_in(&storage, i / 2).await;
                core.set_user_data(if i % 2 == 0 { "even" } else { "odd" }, Some(&[i])).await.unwrap();
                if i % 2 == 0 {
                    core.append(format!("of {i}")).await.unwrap();
                }
            })
        })
        .collect();
    for making in making {
        making.await.unwrap();
    }
    storage.close().await.unwrap();
    let storage = Storage::open(dir.path(), StorageOptions::default()).await.unwrap();
    assert_eq!(storage.store().discovery_keys().unwrap().len(), usize::from(CORES));
    let mut places = BTreeSet::new();
    for i in 0..CORES {
        let core = new_in(&storage, i).await;
        assert_eq!(texts(&core).await, [format!("of {}", 2 * i)]);
        assert_eq!(core.user_data("even").await.unwrap().unwrap(), [2 * i][..]);
        assert_eq!(core.user_data("odd").await.unwrap().unwrap(), [2 * i + 1][..]);
        let pointers = storage.store().resume_core(core.discovery_key()).unwrap().unwrap().pointers();
        assert!(places.insert(("core", pointers.core)) && places.insert(("data", pointers.data)));
    }
    assert_eq!(places.len(), 2 * usize::from(CORES));
}

#[tokio::test(flavor = "multi_thread")]
async fn o10_writes_during_a_close_are_stored_whole_or_fail() {
    for round in 0..12 {
        let dir = tempfile::tempdir().unwrap();
        let core = Hypercore::open(dir.path()).await.unwrap();
        let writers: Vec<_> = (0..6)
            .map(|writer| {
                let core = core.clone();
                tokio::spawn(async move {
                    let mut acknowledged = Vec::new();
                    let error = loop {
                        // a write in memory may never wait: others, and the clock, need the thread too
                        tokio::task::yield_now().await;
                        let name = format!("{writer} {}", acknowledged.len());
                        let done = match writer {
                            0 => core.set_user_data(&name, Some(b"x")).await,
                            _ => core.append_batch([name.clone(), name.clone()]).await.map(drop),
                        };
                        match done {
                            Ok(()) => acknowledged.push(name),
                            Err(error) => break error,
                        }
                    };
                    (acknowledged, error)
                })
            })
            .collect();
        tokio::time::sleep(std::time::Duration::from_millis(round)).await;
        core.close().await.unwrap();
        let mut all = Vec::new();
        for writer in writers {
            let (acknowledged, error) = writer.await.unwrap();
            assert!(["SESSION_CLOSED", "WRITE_FAILED"].contains(&error.code()), "{error}");
            all.push(acknowledged);
        }
        drop(core);
        let core = Hypercore::open(dir.path()).await.unwrap();
        let stored = texts(&core).await;
        assert_eq!(stored.len() % 2, 0, "batches are whole");
        for name in &all[0] {
            assert!(core.user_data(name).await.unwrap().is_some(), "{name}");
        }
        for name in all[1..].iter().flatten() {
            assert_eq!(stored.iter().filter(|text| *text == name).count(), 2, "{name}");
        }
        core.append("on").await.unwrap();
    }
}

#[tokio::test]
async fn a_core_that_is_only_named_by_its_manifest_is_found_again() {
    let storage = Storage::memory().unwrap();
    let pair = KeyPair::from_seed(&[1; 32]);
    let manifest = Manifest::single(pair.public());
    let first = in_store(&storage, OpenOptions::new().manifest(manifest.clone()).key_pair(pair)).await;
    first.append("x").await.unwrap();
    let same = in_store(&storage, OpenOptions::new().manifest(manifest)).await;
    assert_eq!((same.key(), same.length(), same.writable()), (first.key(), 1, true));
    assert_eq!(filled(1).await.length(), 1);
}

#[tokio::test]
async fn f14_the_referrer_of_a_log_is_its_record() {
    let log = filled(1).await;
    assert!(!log.is_referred_by(&[1; 32]).await.unwrap());
    log.set_user_data("referrer", Some(&[1; 32])).await.unwrap();
    assert!(log.is_referred_by(&[1; 32]).await.unwrap() && !log.is_referred_by(&[2; 32]).await.unwrap());
}
