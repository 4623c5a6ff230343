//! Interop over the wire: each scenario with Rust and Node in both parts.

mod support;

use hc_interop::json;
use support::{Actor, with_pairs};

/// Block `i` as `appendMany` makes it.
fn generated(index: u64, size: usize) -> Vec<u8> {
    let mut block = vec![u8::try_from(index & 255).unwrap(); size];
    block[..4].copy_from_slice(&u32::try_from(index).unwrap().to_le_bytes());
    block
}

#[test]
fn s1_three_sparse_gets_of_many_and_a_third_peer_from_the_sparse_one() {
    with_pairs("S1", |writer, reader| {
        let (writer, first, second) = (Actor::new(writer), Actor::new(reader), Actor::new(reader));
        let log = writer.named("log");
        log.append_many(100_000, 16, 5000);
        let copy = first.copy(&log);
        let connection = first.connect(&writer.listen());
        for index in [0, 42_424, 99_999] {
            assert_eq!(copy.block(index), generated(index, 16));
        }
        assert!(!copy.has(1, 2));
        assert_eq!(copy.length(), 100_000);
        first.disconnect(&connection);

        let further = second.copy(&log);
        second.connect(&first.listen());
        assert_eq!(further.block(42_424), generated(42_424, 16));
    });
}

#[test]
fn s2_full_downloads_around_page_borders() {
    with_pairs("S2", |writer, reader| {
        for length in [1000, 32_768, 32_769, 98_303] {
            let (writer, reader) = (Actor::new(writer), Actor::new(reader));
            let log = writer.named("log");
            log.append_many(length, 8, 8192);
            let copy = reader.copy(&log);
            reader.connect(&writer.listen());
            copy.download_all(length);
            copy.assert_same_as(&log);
            assert_eq!(copy.state("contiguousLength"), length);
        }
    });
}

#[test]
fn s5_appends_during_a_download_arrive_too() {
    with_pairs("S5", |writer, reader| {
        let (writer, reader) = (Actor::new(writer), Actor::new(reader));
        let log = writer.named("log");
        log.append_many(5000, 100, 1000);
        let copy = reader.copy(&log);
        reader.connect(&writer.listen());
        let follow = copy.call("download.start", json!({ "start": 0 }))["download"].clone();
        for round in 0..20 {
            log.append(&[format!("late {round}")]);
        }
        copy.download_all(5020);
        for round in 0..20 {
            assert_eq!(copy.block(5000 + round), format!("late {round}").into_bytes());
        }
        copy.assert_same_as(&log);
        copy.peer.call("download.stop", json!({ "download": follow })).unwrap();
    });
}

#[test]
fn s7_sparse_then_full_then_a_third_from_the_second() {
    with_pairs("S7", |writer, reader| {
        let (writer, first, second) = (Actor::new(writer), Actor::new(reader), Actor::new(writer));
        let log = writer.named("log");
        log.append_many(3000, 64, 500);
        let copy = first.copy(&log);
        let connection = first.connect(&writer.listen());
        assert_eq!(copy.block(1234), generated(1234, 64));
        assert!(!copy.has(0, 3000));
        copy.download_all(3000);
        first.disconnect(&connection);

        let third = second.copy(&log);
        second.connect(&first.listen());
        third.download_all(3000);
        third.assert_same_as(&log);
    });
}

#[test]
fn s8_a_list_a_linear_range_and_the_rest_in_reverse() {
    with_pairs("S8", |writer, reader| {
        let (writer, reader) = (Actor::new(writer), Actor::new(reader));
        let log = writer.named("log");
        log.append_many(600, 32, 100);
        let copy = reader.copy(&log);
        reader.connect(&writer.listen());
        copy.wait_for_length(600);
        copy.call("download", json!({ "blocks": [7, 9, 4, 599, 7] }));
        assert!(copy.has(4, 5) && copy.has(7, 8) && copy.has(9, 10) && copy.has(599, 600) && !copy.has(8, 9));
        copy.call("download", json!({ "start": 100, "end": 200, "linear": true }));
        assert!(copy.has(100, 200));
        for index in (0..600).rev() {
            assert_eq!(copy.block(index), generated(index, 32));
        }
        copy.assert_same_as(&log);
    });
}

#[test]
fn s4_blocks_of_all_sizes_arrive_as_they_are() {
    with_pairs("S4", |writer, reader| {
        let (writer, reader) = (Actor::new(writer), Actor::new(reader));
        let log = writer.named("log");
        let sizes = [0, 1, 4095, 4096, 4097, 65_536, 1 << 20, 15 << 20];
        for size in sizes {
            log.append(&[vec![7_u8; size]]);
        }
        let copy = reader.copy(&log);
        reader.connect(&writer.listen());
        for (index, size) in sizes.into_iter().enumerate() {
            assert_eq!(copy.block(index as u64).len(), size);
        }
        copy.assert_same_as(&log);
    });
}

#[test]
fn s18_keys_of_version_1_and_of_version_10() {
    with_pairs("S18", |writer, reader| {
        for compat in [false, true] {
            let (writer, reader) = (writer.start(), reader.start());
            let seeded = json!({
                "publicKey": "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c",
                "secretKey": "0101010101010101010101010101010101010101010101010101010101010101\
                              8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c",
            });
            let log = writer.call("core.open", json!({ "keyPair": seeded, "compat": compat })).unwrap();
            assert_eq!(log["key"] == seeded["publicKey"], compat, "{log}");
            writer.call("append", json!({ "core": log["core"], "blocks": ["aGVsbG8="] })).unwrap();
            let port =
                writer.call("replicate.listen", json!({ "core": log["core"] })).unwrap()["port"].clone();
            let copy = reader.call("core.open", json!({ "key": log["key"], "timeout": 30_000 })).unwrap();
            reader.call("replicate.connect", json!({ "core": copy["core"], "port": port })).unwrap();
            let block = reader.call("get", json!({ "core": copy["core"], "index": 0 })).unwrap();
            assert_eq!(block["block"], "aGVsbG8=");
        }
    });
}

#[test]
fn s23_many_cores_on_one_stream_opened_when_they_are_asked_for() {
    with_pairs("S23", |writer, reader| {
        let dir = tempfile::tempdir().unwrap();
        let count = 300;
        let filled = Actor::at(writer, dir.path());
        let mut keys = Vec::new();
        for i in 0..count {
            let core = filled.named(&format!("core {i}"));
            core.append(&[format!("block of {i}")]);
            keys.push(core.key().to_owned());
        }
        filled.close();

        // opened again: none of the cores is open, so each is opened because the peer asks for it
        let (writer, reader) = (Actor::at(writer, dir.path()), Actor::new(reader));
        let listening = writer.listen();
        reader.connect(&listening);
        for (i, key) in keys.iter().enumerate() {
            let copy = reader.get(json!({ "key": key, "timeout": 30_000 }));
            assert_eq!(copy.block(0), format!("block of {i}").into_bytes());
        }
        // a key that the writer does not have: nothing comes, and nothing else suffers
        let unknown = reader.get(json!({ "key": "07".repeat(32) }));
        let fields = json!({ "core": unknown.id, "index": 0, "timeout": 300 });
        assert_eq!(reader.peer.call("get", fields).unwrap_err().code(), Some("REQUEST_TIMEOUT"));
        let again = reader.get(json!({ "key": keys[0] }));
        assert_eq!(again.block(0), b"block of 0");
    });
}
