//! No way to open a directory makes a store of version 11 of one of Hypercore 10.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use corestore::{Corestore, OpenOptions};
use hypercore::storage::{Storage, StorageOptions};
use hypercore::{Error, Hypercore};

/// A core's place in a store of Corestore 6.
const CORE: &str = "cores/0a/f3/0af3b54fee8f3cf1c4a35be2b5e2a2d2bb0b19a8fb1f32f2f0a6a5ed9d4a7c11";

fn everything(dir: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path.clone());
            }
            found.insert(path.clone(), std::fs::read(path).ok());
        }
    }
    found
}

fn refused<T>(how: &str, what: &str, opened: hypercore::Result<T>) {
    let Err(error) = opened else { panic!("{how} opened a {what}") };
    assert!(matches!(error, Error::Storage(_)) && error.code() == "STORAGE_CONFLICT", "{how}: {error:?}");
    assert!(error.to_string().contains(what), "{how}: {error}");
}

#[tokio::test]
async fn o13_every_way_to_open_refuses_a_directory_of_version_10() {
    for (what, prefix) in
        [("store of Hypercore 10", format!("{CORE}/")), ("log of Hypercore 10", String::new())]
    {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("old");
        std::fs::create_dir_all(dir.join(&prefix)).unwrap();
        for file in ["oplog", "tree", "bitfield", "data"] {
            std::fs::write(dir.join(&prefix).join(file), [7; 64]).unwrap();
        }
        if !prefix.is_empty() {
            std::fs::write(dir.join("primary-key"), [9; 32]).unwrap();
        }
        let before = everything(parent.path());
        refused("Hypercore::open", what, Hypercore::open(&dir).await);
        refused("OpenOptions::open", what, OpenOptions::new().writable(false).open(&dir).await);
        refused("Corestore::open", what, Corestore::open(&dir).await);
        for builder in [
            Corestore::builder().primary_key([1; 32]),
            Corestore::builder().adopt(true),
            Corestore::builder().read_only(true),
            Corestore::builder().follow(true),
        ] {
            refused(&format!("{builder:?}"), what, builder.open(&dir).await);
        }
        refused("Storage::open", what, Storage::open(&dir, StorageOptions::default()).await);
        refused("dump", what, hypercore::storage::dump(&dir).await);
        assert_eq!(everything(parent.path()), before, "{what}");
    }
}
