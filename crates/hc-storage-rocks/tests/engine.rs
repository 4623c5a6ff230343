//! The RocksDB engine passes the suite of all engines, keeps what it was given, and guards its directory.

use std::sync::Arc;

use hc_storage::keys::Key;
use hc_storage::{Kv, KvRead, StorageError, WriteBatch, conformance};
use hc_storage_rocks::RocksKv;

fn put(kv: &RocksKv, name: &str, value: &str) -> Result<(), StorageError> {
    let mut batch = WriteBatch::new();
    batch.put(Key::from(name.as_bytes()), value.as_bytes().to_vec());
    kv.commit(batch)
}

#[test]
fn o2_the_rocksdb_engine_conforms() {
    let dir = tempfile::tempdir().unwrap();
    conformance::check_engine(Arc::new(RocksKv::open(dir.path()).unwrap()));
}

#[test]
fn o2_the_rocksdb_engine_does_as_the_one_in_memory() {
    for seed in 1..=20 {
        let dir = tempfile::tempdir().unwrap();
        let open = || -> Arc<dyn Kv> { Arc::new(RocksKv::open(dir.path()).unwrap()) };
        conformance::check_like_memory(open(), seed, |kv| {
            kv.close().unwrap();
            open()
        });
    }
}

#[test]
fn what_was_committed_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let kv = RocksKv::open(dir.path()).unwrap();
    put(&kv, "a", "1").unwrap();
    drop(kv);
    let kv = RocksKv::open(dir.path()).unwrap();
    assert_eq!(kv.get(b"a").unwrap().as_deref(), Some(b"1".as_slice()));
}

#[test]
fn o8_a_directory_is_open_once() {
    let dir = tempfile::tempdir().unwrap();
    let first = RocksKv::open(dir.path()).unwrap();
    assert!(matches!(RocksKv::open(dir.path()), Err(StorageError::Locked(_))));
    first.close().unwrap();
    RocksKv::open(dir.path()).unwrap();
}

#[test]
fn o8_a_copied_directory_is_refused() {
    let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(RocksKv::open(dir.path()).unwrap());
    std::fs::create_dir(copy.path().join("db")).unwrap();
    for entry in ["CORESTORE", "db/CURRENT"] {
        std::fs::copy(dir.path().join(entry), copy.path().join(entry)).unwrap();
    }
    let refused = RocksKv::open(copy.path()).unwrap_err();
    assert!(matches!(&refused, StorageError::Locked(why) if why.contains("fork")), "{refused}");
}

#[test]
fn o9_a_reader_opens_beside_the_writer_and_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let writer = RocksKv::open(dir.path()).unwrap();
    put(&writer, "a", "1").unwrap();
    let reader = RocksKv::open_read_only(dir.path()).unwrap();
    assert_eq!(reader.get(b"a").unwrap().as_deref(), Some(b"1".as_slice()));
    assert!(matches!(put(&reader, "b", "2"), Err(StorageError::ReadOnly)));
    put(&writer, "b", "2").unwrap();
}

#[test]
fn o10_writes_after_closing_fail() {
    let dir = tempfile::tempdir().unwrap();
    let kv = RocksKv::open(dir.path()).unwrap();
    kv.close().unwrap();
    assert!(matches!(put(&kv, "a", "1"), Err(StorageError::Closed)));
    assert!(matches!(kv.get(b"a"), Err(StorageError::Closed)));
}

#[test]
fn regression_a_snapshot_of_a_snapshot_is_closed_for_itself() {
    let dir = tempfile::tempdir().unwrap();
    let kv = RocksKv::open(dir.path()).unwrap();
    put(&kv, "a", "1").unwrap();
    let first = kv.snapshot().unwrap();
    let second = first.snapshot().unwrap();
    put(&kv, "a", "2").unwrap();
    second.close().unwrap();
    assert!(matches!(second.get(b"a"), Err(StorageError::Closed)));
    assert!(matches!(second.snapshot(), Err(StorageError::Closed)));
    assert_eq!(first.get(b"a").unwrap().as_deref(), Some(b"1".as_slice()));
}

#[test]
fn regression_a_store_is_closed_whichever_snapshots_are_known() {
    let dir = tempfile::tempdir().unwrap();
    let kv = RocksKv::open(dir.path()).unwrap();
    let first = kv.snapshot().unwrap();
    let second = first.snapshot().unwrap();
    drop(first);
    kv.close().unwrap();
    assert!(matches!(second.get(b"a"), Err(StorageError::Closed)));
    assert!(dir.path().join("SEAL").exists(), "the database is closed");
    RocksKv::open(dir.path()).unwrap();
}

#[test]
fn regression_what_is_too_large_for_the_database_is_refused_and_not_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let kv = RocksKv::open(dir.path()).unwrap();
    // memory that nobody touches is not there
    let large = vec![0_u8; 1 << 32];
    let mut batch = WriteBatch::new();
    batch.put(Key::from(&b"small"[..]), &b"1"[..]);
    batch.put(Key::from(&b"large"[..]), large);
    let refused = kv.commit(batch).unwrap_err();
    assert!(matches!(refused, StorageError::Unwritable(_)), "{refused}");
    assert_eq!(kv.get(b"small").unwrap(), None, "all of it or nothing");
    put(&kv, "small", "2").unwrap();
}

#[test]
fn names_and_values_of_any_length_are_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let entries: Vec<(Vec<u8>, Vec<u8>)> =
        [0, 1, 4096, 1 << 20].into_iter().map(|len| (vec![5; len + 1], vec![6; len * 3])).collect();
    let kv = RocksKv::open(dir.path()).unwrap();
    let mut batch = WriteBatch::new();
    for (key, value) in &entries {
        batch.put(Key::from(&key[..]), value.clone());
    }
    kv.commit(batch).unwrap();
    kv.close().unwrap();
    let kv = RocksKv::open(dir.path()).unwrap();
    for (key, value) in &entries {
        assert_eq!(kv.get(key).unwrap().as_deref(), Some(&value[..]));
    }
}

#[test]
fn a_suspended_process_can_tell_that_another_one_wrote() {
    let dir = tempfile::tempdir().unwrap();
    let mark = || std::fs::read(dir.path().join("db/SESSION_ID")).unwrap();
    drop(RocksKv::open(dir.path()).unwrap());
    let first = mark();
    assert_eq!(first.len(), 20);
    drop(RocksKv::open(dir.path()).unwrap());
    assert_ne!(mark(), first);
}

#[test]
fn other_peoples_files_stay_where_they_are() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("notes.txt"), b"mine").unwrap();
    drop(RocksKv::open(dir.path()).unwrap());
    assert_eq!(std::fs::read(dir.path().join("notes.txt")).unwrap(), b"mine");
}

#[test]
fn what_is_made_is_the_users_alone() {
    use std::os::unix::fs::PermissionsExt;
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("store");
    drop(RocksKv::open(&dir).unwrap());
    let mode = |path: &str| std::fs::metadata(dir.join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("db")), (0o700, 0o700));
    assert_eq!((mode("CORESTORE"), mode("db/SESSION_ID")), (0o600, 0o600));
}

#[test]
fn o8_a_device_file_that_was_never_written_is_written() {
    // as a process leaves it that was killed between making it and writing it
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("CORESTORE"), b"").unwrap();
    drop(RocksKv::open(dir.path()).unwrap());
    let text = std::fs::read_to_string(dir.path().join("CORESTORE")).unwrap();
    assert!(text.starts_with("device/platform="), "{text}");
    drop(RocksKv::open(dir.path()).unwrap());
}

#[test]
fn o8_a_device_file_of_zeros_is_written() {
    // as some file systems leave it after a power loss, if it was not synced
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("CORESTORE"), [0; 90]).unwrap();
    drop(RocksKv::open(dir.path()).unwrap());
    let text = std::fs::read_to_string(dir.path().join("CORESTORE")).unwrap();
    assert!(text.starts_with("device/platform="), "{text:?}");
    drop(RocksKv::open(dir.path()).unwrap());
}

#[test]
fn a_database_that_lost_something_after_it_was_closed_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let put = |value: &'static [u8]| {
        let store = RocksKv::open(dir.path()).unwrap();
        let mut batch = WriteBatch::new();
        batch.put(Key::from(&b"key"[..]), value);
        store.commit(batch).unwrap();
        store.close().unwrap();
    };
    put(b"old");
    put(b"new");
    let current = std::fs::read_to_string(dir.path().join("db/CURRENT")).unwrap();
    let list = dir.path().join("db").join(current.trim_end());
    let whole = std::fs::read(&list).unwrap();
    std::fs::write(&list, &whole[..whole.len() - 9]).unwrap();
    let refused = RocksKv::open(dir.path()).unwrap_err();
    assert!(refused.to_string().contains("is damaged"), "{refused}");
    assert!(RocksKv::open_read_only(dir.path()).is_err());
    std::fs::write(&list, &whole).unwrap();

    // closing leaves nothing in the write-ahead log that could be damaged: it is in tables, which have checksums
    let files = std::fs::read_dir(dir.path().join("db")).unwrap().map(|entry| entry.unwrap().path());
    for log in files.filter(|path| path.extension().is_some_and(|ending| ending == "log")) {
        assert_eq!(std::fs::metadata(&log).unwrap().len(), 0, "{}", log.display());
    }
    let store = RocksKv::open(dir.path()).unwrap();
    assert_eq!(store.get(b"key").unwrap().as_deref(), Some(&b"new"[..]));
}

#[test]
fn o8_a_device_file_is_written_once() {
    let dir = tempfile::tempdir().unwrap();
    let read = || {
        let path = dir.path().join("CORESTORE");
        (std::fs::read(&path).unwrap(), std::fs::metadata(path).unwrap().modified().unwrap())
    };
    drop(RocksKv::open(dir.path()).unwrap());
    let first = read();
    drop(RocksKv::open(dir.path()).unwrap());
    assert_eq!(read(), first);
}

#[test]
fn o8_a_device_file_of_garbage_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for garbage in [&b"\xff\xfe"[..], b"device/platform=plan9\n", b"device/inode=x\n", &[b'a'; 10_000]] {
        std::fs::write(dir.path().join("CORESTORE"), garbage).unwrap();
        let refused = RocksKv::open(dir.path()).unwrap_err();
        assert!(matches!(refused, StorageError::Locked(_)), "{refused}");
    }
    assert!(!dir.path().join("db").exists(), "nothing was made");
}
