//! Interop on disk: large cores, compaction, and the garbage of blob files.

mod support;

use std::path::Path;

use hc_interop::json;
use support::{Actor, Core, Side, assert_same_store, with_pairs};

/// Larger than what RocksDB keeps beside the keys.
const BLOCK: u64 = 14_000;
/// Blocks between two compactions.
const ROUND: u64 = 50;

fn blob_bytes(dir: &Path) -> u64 {
    let files = std::fs::read_dir(dir.join("db")).unwrap().map(|file| file.unwrap());
    let blobs = files.filter(|file| file.file_name().to_string_lossy().ends_with(".blob"));
    blobs.map(|file| file.metadata().unwrap().len()).sum()
}

/// Blocks of a range are all there and what they were: each call of `appendMany` counts from 0.
fn read(log: &Core<'_>, start: u64, n: u64) {
    let fields = json!({ "start": start, "n": n, "order": "stream" });
    assert_eq!(log.call("getMany", fields)["bytes"], json!(n * BLOCK));
    for index in (start..start + n).step_by(37) {
        let number = index % ROUND;
        let mut expected = vec![u8::try_from(number).unwrap(); usize::try_from(BLOCK).unwrap()];
        expected[1..4].fill(0);
        assert_eq!(log.block(index), expected, "block {index}");
    }
}

#[test]
fn s46_one_side_compacts_and_the_other_deletes_ranges() {
    with_pairs("S46", |first, second| {
        let mut sizes = Vec::new();
        let (shared, alone) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let turns: [(Side, &Path); 2] = [(second, shared.path()), (first, alone.path())];
        for (heir, dir) in turns {
            let options = || json!({ "dir": dir, "primaryKey": "07".repeat(32), "unsafe": true });
            let actor = Actor::open(first, options());
            let log = actor.named("log");
            // each compaction leaves a blob file: those with nothing in them but garbage can go
            for _ in 0..12 {
                log.append_many(ROUND, BLOCK, ROUND);
                log.call("core.compact", json!({}));
            }
            actor.close();
            assert!(blob_bytes(dir) >= 600 * BLOCK);

            let actor = Actor::open(heir, options());
            let log = actor.named("log");
            log.call("clear", json!({ "start": 0, "end": 256 }));
            log.call("truncate", json!({ "length": 512 }));
            log.call("core.compact", json!({}));
            log.append_many(16, BLOCK, 16);
            read(&log, 256, 256);
            log.call("core.compact", json!({}));
            actor.close();

            let actor = Actor::open(first, options());
            let log = actor.named("log");
            assert_eq!(log.length(), 528);
            assert!(!log.has(0, 1));
            read(&log, 256, 256);
            log.call("core.compact", json!({}));
            actor.close();
            let left = blob_bytes(dir);
            sizes.push(left);
            assert!(left < 500 * BLOCK, "{heir:?}: {left} bytes of blobs for 272 blocks of {BLOCK}");
        }
        assert!(sizes[0].abs_diff(sizes[1]) < 20 * BLOCK, "both give back the same space: {sizes:?}");
        assert_same_store(("handed over", shared.path()), ("alone", alone.path()));
    });
}

/// A core that one makes and the other audits, and back.
fn large(writer: Side, reader: Side, blocks: u64, size: u64) {
    let dir = tempfile::tempdir().unwrap();
    let mut length = 0;
    for (writer, reader) in [(writer, reader), (reader, writer)] {
        let actor = Actor::at(writer, dir.path());
        let log = actor.named("log");
        assert_eq!(log.length(), length);
        log.append_many(blocks, size, 256);
        length += blocks;
        actor.close();

        let actor = Actor::at(reader, dir.path());
        let log = actor.named("log");
        assert_eq!(log.length(), length);
        assert!(log.has(0, length));
        let all = log.call("getMany", json!({ "start": 0, "n": length, "order": "stream" }));
        assert_eq!(all["bytes"], json!(length * size));
        let audited = actor.peer.call("store.audit", json!({ "store": actor.store })).unwrap();
        assert_eq!(audited["problems"].as_array().map(Vec::len), Some(0), "{audited}");
        actor.close();
    }
}

/// 32 MiB; a GiB where the environment says `HYPERCORE_LONG=1`.
#[test]
fn s47_a_large_core_is_handed_over_and_audited_by_both() {
    let long = std::env::var_os("HYPERCORE_LONG").is_some_and(|value| value == "1");
    with_pairs("S47", |writer, reader| large(writer, reader, if long { 65_536 } else { 2048 }, 8192));
}
