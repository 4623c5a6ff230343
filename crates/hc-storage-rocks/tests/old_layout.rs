//! Directories of Hypercore 10 are refused as what they are, and nothing in them is touched.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hc_storage::keys::{self, Key};
use hc_storage::{Kv, KvRead, StorageError, WriteBatch};
use hc_storage_rocks::{RocksKv, refuse_older};

/// A core's place in a store of Corestore 6.
const CORE: &str = "cores/0a/f3/0af3b54fee8f3cf1c4a35be2b5e2a2d2bb0b19a8fb1f32f2f0a6a5ed9d4a7c11";

/// Writes files, with the folders that they are in.
fn files(dir: &Path, names: &[String]) {
    for name in names {
        let file = dir.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, [7; 32]).unwrap();
    }
}

fn core_files(prefix: &str) -> Vec<String> {
    ["oplog", "tree", "bitfield", "data"].iter().map(|file| format!("{prefix}{file}")).collect()
}

/// What version 10 leaves in a directory, and what such a directory is called.
fn layouts() -> Vec<(&'static str, Vec<String>)> {
    let (store, log) = ("Hypercore 10 / Corestore 6", "log of Hypercore 10");
    let cores = core_files(&format!("{CORE}/"));
    let key = vec!["primary-key".to_owned()];
    vec![
        (store, [key.clone(), cores.clone()].concat()),
        (store, cores),
        (store, key.clone()),
        (log, core_files("")),
        (store, [key, core_files("")].concat()),
    ]
}

/// Everything in a directory: contents of files, and when each was changed.
fn everything(dir: &Path) -> BTreeMap<PathBuf, (SystemTime, Option<Vec<u8>>)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        let changed = std::fs::metadata(&folder).unwrap().modified().unwrap();
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let changed = std::fs::metadata(&path).unwrap().modified().unwrap();
                found.insert(path.clone(), (changed, Some(std::fs::read(&path).unwrap())));
            }
        }
        found.insert(folder, (changed, None));
    }
    found
}

type Opening = fn(&Path) -> Result<RocksKv, StorageError>;
const OPENINGS: [(&str, Opening); 4] = [
    ("open", RocksKv::open),
    ("adopt", RocksKv::adopt),
    ("read only", RocksKv::open_read_only),
    ("follow", RocksKv::follow),
];

fn all_refuse(dir: &Path, what: &str, case: &str) {
    let before = everything(dir);
    let refused = refuse_older(dir).unwrap_err();
    assert!(matches!(&refused, StorageError::Unsupported(why) if why.contains(what)), "{case}: {refused}");
    assert!(refused.to_string().contains(dir.to_str().unwrap()), "{case}: {refused}");
    for (opening, open) in OPENINGS {
        let refused = open(dir).unwrap_err();
        assert!(
            matches!(&refused, StorageError::Unsupported(why) if why.contains(what)),
            "{case}: {refused}"
        );
        assert_eq!(everything(dir), before, "{case}: {opening} wrote something");
    }
}

#[test]
fn o13_every_opening_refuses_a_directory_of_version_10_and_writes_nothing() {
    for (number, (what, names)) in layouts().into_iter().enumerate() {
        let dir = tempfile::tempdir().unwrap();
        files(dir.path(), &names);
        all_refuse(dir.path(), what, &format!("layout {number}"));
    }
}

#[test]
fn o13_a_database_without_a_store_beside_version_10_changes_nothing() {
    // as a process leaves it that was killed while it migrated the directory, or just after it made the database
    for empty_folder in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        if empty_folder {
            std::fs::create_dir(dir.path().join("db")).unwrap();
        } else {
            RocksKv::open(dir.path()).unwrap().close().unwrap();
        }
        files(dir.path(), &[vec!["primary-key".to_owned()], core_files(&format!("{CORE}/"))].concat());
        all_refuse(dir.path(), "Corestore 6", &format!("empty folder: {empty_folder}"));
    }
}

#[test]
fn o13_a_store_beside_files_of_version_10_is_the_store() {
    // as a migration leaves it, which takes core after core
    let dir = tempfile::tempdir().unwrap();
    let kv = RocksKv::open(dir.path()).unwrap();
    let mut batch = WriteBatch::new();
    batch.put(keys::store_head(), vec![2, 0, 0, 0, 0]);
    batch.put(Key::from(&b"key"[..]), &b"value"[..]);
    kv.commit(batch).unwrap();
    kv.close().unwrap();
    files(dir.path(), &[vec!["primary-key".to_owned()], core_files(&format!("{CORE}/"))].concat());
    let before: Vec<_> = everything(&dir.path().join("cores")).into_values().collect();
    for (_, open) in OPENINGS {
        let kv = open(dir.path()).unwrap();
        assert_eq!(kv.get(b"key").unwrap().as_deref(), Some(&b"value"[..]));
        kv.close().unwrap();
    }
    assert_eq!(everything(&dir.path().join("cores")).into_values().collect::<Vec<_>>(), before);
}
