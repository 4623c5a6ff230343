//! Interop on disk: records of older versions.

mod support;

use std::path::Path;
use std::process::Command;

use hc_interop::{interop_dir, json};
use support::{Actor, Side, assert_same_store, dump};

/// A store with records of version 1, as Node with hypercore-storage 2.9.0 makes it.
fn make_version_1(dir: &Path) {
    let script = interop_dir().join("storage/version1.mjs");
    let made = Command::new("node").arg(script).arg(dir).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// The record that tells where a core is begins with its version.
fn versions(dir: &Path) -> Vec<String> {
    let dump = dump(dir);
    let cores = dump.iter().filter(|(key, _)| key.starts_with("01"));
    cores.map(|(_, value)| value.get(..2).unwrap().to_owned()).collect()
}

/// Opens one of the cores, reads it and appends.
fn work_on(side: Side, dir: &Path) {
    let actor = Actor::at(side, dir);
    let log = actor.named("log");
    assert_eq!(log.length(), 6);
    assert_eq!(log.state("fork"), 1);
    assert_eq!(log.block(4), b"five");
    assert_eq!(log.block(5), b"six");
    assert!(!log.has(3, 4));
    let who = log.call("userData.get", json!({ "key": "who" }));
    assert_eq!(who["value"], hc_interop::b64("2.9.0"));
    log.append(&["seven"]);
    actor.close();
}

#[test]
fn s42_a_store_with_records_of_version_1_is_migrated_as_node_does() {
    if !hc_interop::node_or_skip("S42") {
        return;
    }
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (side, dir) in [(Side::Rust, &ours), (Side::Node, &theirs)] {
        make_version_1(dir.path());
        assert_eq!(versions(dir.path()), ["01", "01"]);
        work_on(side, dir.path());
        let mut left = versions(dir.path());
        left.sort();
        assert_eq!(left, ["01", "02"], "{side:?} migrates the core that it opened, and no other");
    }
    assert_same_store(("ours", ours.path()), ("node's", theirs.path()));
    // each goes on with what the other made of it
    for (side, dir) in [(Side::Node, &ours), (Side::Rust, &theirs)] {
        let actor = Actor::at(side, dir.path());
        let log = actor.named("log");
        assert_eq!(log.block(6), b"seven");
        log.append(&["eight"]);
        assert_eq!(actor.named("untouched").block(0), b"nobody opens me");
        actor.close();
    }
    assert_same_store(("ours", ours.path()), ("node's", theirs.path()));
}
