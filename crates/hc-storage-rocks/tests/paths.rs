//! A path is never made text: each directory has its own database, whatever bytes its name has.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use hc_storage::keys::Key;
use hc_storage::{Kv, WriteBatch};
use hc_storage_rocks::RocksKv;

fn put(kv: &RocksKv, name: &[u8], value: &[u8]) {
    let mut batch = WriteBatch::new();
    batch.put(Key::from(name), value.to_vec());
    kv.commit(batch).unwrap();
}

fn get(kv: &dyn Kv, name: &[u8]) -> Option<Vec<u8>> {
    kv.get(name).unwrap().map(|value| value.to_vec())
}

/// Directories whose names become the same text.
fn alike(parent: &Path) -> Vec<PathBuf> {
    let names: [&[u8]; 3] = ["b\u{fffd}".as_bytes(), b"b\xff", b"b\xfe"];
    names.iter().map(|name| parent.join(OsStr::from_bytes(name))).collect()
}

#[test]
fn regression_directories_whose_names_are_no_text_have_a_database_each() {
    let parent = tempfile::tempdir().unwrap();
    let dirs = alike(parent.path());
    // all at once, and again after they were closed
    for round in 0..2_u8 {
        let stores: Vec<RocksKv> = dirs.iter().map(|dir| RocksKv::open(dir).unwrap()).collect();
        for (number, kv) in (0_u8..).zip(&stores) {
            let own = [number];
            assert_eq!(get(kv, b"whose"), (round > 0).then(|| own.to_vec()), "{number}");
            put(kv, b"whose", &own);
            put(kv, &[b"only", &own[..]].concat(), &own);
        }
        for (number, kv) in (0_u8..).zip(&stores) {
            let has = |other: u8| get(kv, &[b"only", &[other][..]].concat()).is_some();
            assert_eq!([has(0), has(1), has(2)], [number == 0, number == 1, number == 2]);
            kv.close().unwrap();
        }
    }
    for dir in &dirs {
        assert!(dir.join("db/CURRENT").is_file() && dir.join("CORESTORE").is_file());
    }
    assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 3, "nothing was made beside them");
}

#[test]
fn regression_a_directory_whose_name_is_no_text_works_in_every_way() {
    let parent = tempfile::tempdir().unwrap();
    let dir = &alike(parent.path())[1];
    let kv = RocksKv::open(dir).unwrap();
    put(&kv, b"a", b"1");
    let (reader, follower) = (RocksKv::open_read_only(dir).unwrap(), RocksKv::follow(dir).unwrap());
    let snapshot = kv.snapshot().unwrap();
    // values that go to files of their own, and files that are made while it is open
    for round in 0..3_u8 {
        put(&kv, b"a", &[round; 10_000]);
        kv.compact(&[], &[0xff]).unwrap();
    }
    follower.catch_up().unwrap();
    assert_eq!(get(&follower, b"a"), Some(vec![2; 10_000]));
    assert_eq!((get(&*snapshot, b"a"), get(&reader, b"a")), (Some(b"1".to_vec()), Some(b"1".to_vec())));
    kv.suspend().unwrap();
    kv.resume().unwrap();
    assert_eq!(get(&kv, b"a"), Some(vec![2; 10_000]));
    kv.close().unwrap();
    assert!(dir.join("SEAL").is_file(), "it was closed as a whole");
    let adopted = RocksKv::adopt(dir).unwrap();
    assert_eq!(get(&adopted, b"a"), Some(vec![2; 10_000]));
}

#[test]
fn regression_opening_what_is_not_there_for_reading_makes_nothing() {
    let parent = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(parent.path().join("empty/db")).unwrap();
    for name in [&b"missing"[..], b"missing\xff", b"empty"] {
        let dir = parent.path().join(OsStr::from_bytes(name));
        assert!(RocksKv::open_read_only(&dir).is_err(), "{dir:?}");
        assert!(RocksKv::follow(&dir).is_err(), "{dir:?}");
    }
    assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 1);
    assert_eq!(std::fs::read_dir(parent.path().join("empty/db")).unwrap().count(), 0);
}
