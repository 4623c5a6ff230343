//! Interop on disk: one directory, Rust and Node in turn.

mod support;

use std::path::Path;

use hc_interop::{Peer, json};
use support::{Actor, Side, assert_same_store, with_pairs};

#[test]
fn s39_twenty_hops_leave_the_same_bytes_as_node_alone() {
    if !hc_interop::node_or_skip("S39") {
        return;
    }
    let (shared, alone) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for hop in 0..20 {
        let side = if hop % 2 == 0 { Side::Node } else { Side::Rust };
        for (side, dir) in [(side, &shared), (Side::Node, &alone)] {
            let options = json!({ "dir": dir.path(), "primaryKey": "07".repeat(32), "unsafe": true });
            let actor = Actor::open(side, options);
            let log = actor.named("log");
            assert_eq!(log.length(), hop * 7);
            if hop > 0 {
                assert_eq!(log.block(hop * 7 - 1), format!("hop {} batch 5", hop - 1).into_bytes());
            }
            log.append(&[format!("hop {hop} alone")]);
            log.append(&(0..6).map(|i| format!("hop {hop} batch {i}")).collect::<Vec<_>>());
            actor.close();
        }
    }
    assert_same_store(("shared", shared.path()), ("alone", alone.path()));
}

#[test]
fn s41_a_killed_writer_loses_no_acknowledged_block() {
    with_pairs("S41", |writer, reader| {
        let dir = tempfile::tempdir().unwrap();
        let mut acknowledged = 0;
        for _ in 0..3 {
            let killed = Actor::at(writer, dir.path());
            let log = killed.named("log");
            assert!(log.length() >= acknowledged);
            let appends: Vec<_> = (0..200)
                .map(|i| {
                    let fields = json!({ "core": log.id, "blocks": [hc_interop::b64(format!("{i}"))] });
                    killed.peer.begin("append", fields)
                })
                .collect();
            // in the middle of the appends
            for (i, append) in appends.into_iter().enumerate() {
                if i == 100 {
                    killed.peer.kill();
                }
                if let Ok(appended) = append.wait() {
                    // requests run side by side: the last one that was sent need not be the last one that was carried out
                    acknowledged = acknowledged.max(appended["length"].as_u64().unwrap());
                }
            }
            assert!(acknowledged >= 100);
            let heir = Actor::at(reader, dir.path());
            let log = heir.named("log");
            assert!(log.length() >= acknowledged, "{} of {acknowledged}", log.length());
            assert!(log.has(0, acknowledged));
            let length = log.append(&["the heir's"]);
            assert_eq!(log.block(length - 1), b"the heir's");
            acknowledged = length;
            heir.close();
        }
    });
}

#[test]
fn s43_one_primary_key_gives_the_same_thousand_cores() {
    if !hc_interop::node_or_skip("S43") {
        return;
    }
    let options = || json!({ "primaryKey": "0102".repeat(16), "unsafe": true });
    let (ours, theirs) = (Actor::open(Side::Rust, options()), Actor::open(Side::Node, options()));
    for i in 0..1000 {
        let name = if i % 10 == 0 { format!("name \u{0} æ {i}") } else { format!("name {i}") };
        let (a, b) = (ours.named(&name), theirs.named(&name));
        assert_eq!(a.key(), b.key(), "{name}");
        assert_eq!(a.opened["discoveryKey"], b.opened["discoveryKey"]);
    }
    let nested = |actor: &Actor| {
        let inner =
            actor.peer.call("store.namespace", json!({ "store": actor.store, "name": "inner" })).unwrap();
        let pair =
            actor.peer.call("store.createKeyPair", json!({ "store": inner["store"], "name": "x" })).unwrap();
        (inner["namespace"].clone(), pair["publicKey"].clone())
    };
    assert_eq!(nested(&ours), nested(&theirs));
}

fn refused(peer: &Peer, dir: &Path) -> String {
    peer.call("store.open", json!({ "dir": dir })).expect_err("the second process is refused").to_string()
}

#[test]
fn s44_the_second_process_is_refused_in_both_directions() {
    with_pairs("S44", |first, second| {
        let dir = tempfile::tempdir().unwrap();
        let holder = Actor::at(first, dir.path());
        holder.named("log").append(&["held"]);
        let other = second.start();
        let message = refused(&other, dir.path());
        assert!(message.contains("lock"), "{message}");
        holder.close();
        drop(other);
        let next = Actor::at(second, dir.path());
        assert_eq!(next.named("log").block(0), b"held");
    });
}

#[test]
fn s45_a_reader_opens_beside_the_others_writer() {
    with_pairs("S45", |writer, reader| {
        let dir = tempfile::tempdir().unwrap();
        let holder = Actor::at(writer, dir.path());
        let log = holder.named("log");
        log.append(&["first", "second"]);
        let beside = Actor::open(reader, json!({ "dir": dir.path(), "readOnly": true }));
        let copy = beside.get(json!({ "key": log.key() }));
        assert_eq!(copy.block(1), b"second");
        log.append(&["third"]);
    });
}

#[test]
fn a_core_opened_by_directory_changes_hands() {
    with_pairs("directory", |writer, reader| {
        let dir = tempfile::tempdir().unwrap();
        let first = writer.start();
        let core = first.call("core.open", json!({ "dir": dir.path() })).unwrap();
        first.call("append", json!({ "core": core["core"], "blocks": ["YQ==", "Yg=="] })).unwrap();
        first.call("userData.set", json!({ "core": core["core"], "key": "k", "value": "dg==" })).unwrap();
        first.call("core.close", json!({ "core": core["core"] })).unwrap();
        assert!(first.finish());
        let second = reader.start();
        let again = second.call("core.open", json!({ "dir": dir.path() })).unwrap();
        for field in [
            "key",
            "discoveryKey",
            "manifest",
            "length",
            "byteLength",
            "contiguousLength",
            "fork",
            "writable",
        ] {
            assert_eq!(
                again[field],
                if field == "length" || field == "byteLength" || field == "contiguousLength" {
                    json!(2)
                } else {
                    core[field].clone()
                },
                "{field}"
            );
        }
        let data = second.call("userData.get", json!({ "core": again["core"], "key": "k" })).unwrap();
        assert_eq!(data["value"], "dg==");
        let appended = second.call("append", json!({ "core": again["core"], "blocks": ["Yw=="] })).unwrap();
        assert_eq!(appended["length"], 3);
    });
}
