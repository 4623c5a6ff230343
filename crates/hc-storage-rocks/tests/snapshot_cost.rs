//! What a snapshot costs: nothing that stays when it is let go. Alone in its process, for it is memory that is measured.

use std::ops::ControlFlow;
use std::path::Path;

use hc_storage::keys::Key;
use hc_storage::{Kv, WriteBatch};
use hc_storage_rocks::RocksKv;

const MIB: u64 = 1 << 20;

/// Memory of this process, in bytes. Pages of Linux on x86-64 have 4 KiB.
fn memory() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// Bytes of the files in a folder.
fn size_of(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap());
    entries.map(|metadata| metadata.len()).sum()
}

fn key(n: u32) -> Key {
    Key::from(&n.to_be_bytes()[..])
}

/// Values in tables, in files of their own, and in memory only.
fn fill(kv: &RocksKv) {
    for (round, len) in [(0, 100), (1, 5_000), (2, 1_000)] {
        let mut batch = WriteBatch::new();
        for n in 0..1_000 {
            batch.put(key(n * 3 + round), vec![7; len]);
        }
        kv.commit(batch).unwrap();
        if round < 2 {
            kv.compact(&[], &[0xff]).unwrap();
        }
    }
}

/// Reads a snapshot in every way.
fn read(snapshot: &dyn Kv, n: u32) {
    let at = n * 7 % 2_990;
    assert!(snapshot.get(&key(at)).unwrap().is_some());
    let found = snapshot.multi_get(&[key(at), key(at + 1), key(9_999)]).unwrap();
    assert!(found[0].is_some() && found[1].is_some() && found[2].is_none());
    let mut seen = 0;
    snapshot
        .scan(&key(at), &key(at + 8), &mut |_, _| {
            seen += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(seen, 8);
}

#[test]
fn ten_thousand_snapshots_that_were_read_and_let_go_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let kv = RocksKv::open(dir.path()).unwrap();
    fill(&kv);
    // what is read once stays in the cache
    (0..1_000).for_each(|n| read(&*kv.snapshot().unwrap(), n));
    let (memory_before, size_before) = (memory(), size_of(&dir.path().join("db")));
    for n in 0..10_000 {
        let snapshot = kv.snapshot().unwrap();
        read(&*snapshot, n);
        if n % 2 == 0 {
            snapshot.close().unwrap();
        }
    }
    let (memory_after, size_after) = (memory(), size_of(&dir.path().join("db")));
    println!("memory {memory_before} -> {memory_after}, size {size_before} -> {size_after}");
    assert!(memory_after.saturating_sub(memory_before) <= MIB, "{memory_before} -> {memory_after}");
    assert!(size_after.abs_diff(size_before) <= MIB, "{size_before} -> {size_after}");

    // a thousand that are closed and still known cost no more than their handles
    let mut known: Vec<_> = (0..1_000)
        .map(|n| {
            let snapshot = kv.snapshot().unwrap();
            read(&*snapshot, n);
            snapshot.close().unwrap();
            snapshot
        })
        .collect();
    let memory_known = memory();
    println!("known {memory_after} -> {memory_known}");
    assert!(memory_known.saturating_sub(memory_after) <= MIB, "{memory_after} -> {memory_known}");

    // and keep nothing of what was overwritten while they were open
    for n in 0..200 {
        let snapshot = kv.snapshot().unwrap();
        let mut batch = WriteBatch::new();
        batch.put(key(1), vec![u8::try_from(n).unwrap(); 50_000]);
        kv.commit(batch).unwrap();
        read(&*snapshot, n);
        if n % 2 == 0 {
            snapshot.close().unwrap();
            known.push(snapshot);
        }
    }
    kv.compact(&[], &[0xff]).unwrap();
    let size_last = size_of(&dir.path().join("db"));
    println!("overwritten: size {size_after} -> {size_last}, with {} known", known.len());
    assert!(size_last <= size_after + MIB, "{size_after} -> {size_last}");
}
