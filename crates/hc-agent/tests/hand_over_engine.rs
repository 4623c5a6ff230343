//! Interop on disk, below the records: what RocksDB itself leaves behind.

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use support::{Actor, with_pairs};

/// Which RocksDB wrote the newest of the options files.
fn options_of(dir: &Path) -> String {
    let files = std::fs::read_dir(dir.join("db")).unwrap().map(|file| file.unwrap().path());
    let number = |path: &Path| {
        let name = path.file_name()?.to_str()?;
        name.strip_prefix("OPTIONS-")?.parse::<u64>().ok()
    };
    let newest = files.filter(|path| number(path).is_some()).max_by_key(|path| number(path)).unwrap();
    let text = std::fs::read_to_string(newest).unwrap();
    let version = text.lines().find_map(|line| line.trim().strip_prefix("rocksdb_version=")).unwrap();
    version.to_owned()
}

#[test]
fn s48_the_options_file_of_another_rocksdb_does_no_harm() {
    with_pairs("S48", |first, second| {
        let (dir, mut seen) = (tempfile::tempdir().unwrap(), BTreeSet::new());
        for hop in 0..6 {
            let actor = Actor::at(if hop % 2 == 0 { first } else { second }, dir.path());
            let log = actor.named("log");
            assert_eq!(log.length(), hop);
            log.append(&[vec![7; 6000]]);
            assert_eq!(log.block(0).len(), 6000);
            actor.close();
            seen.insert(options_of(dir.path()));
        }
        // otherwise this shows nothing
        assert_eq!(seen.len(), if first == second { 1 } else { 2 }, "releases of RocksDB: {seen:?}");
    });
}
