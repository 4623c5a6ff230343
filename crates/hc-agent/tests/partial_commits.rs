//! A named session that is committed in parts, by Node and by ours in turn, in one directory.

mod support;

use std::path::Path;

use hc_interop::{Value, json};
use support::{Actor, Core, Side, assert_same_store, dump};

fn open(side: Side, dir: &Path) -> Actor {
    Actor::open(side, json!({ "dir": dir, "primaryKey": "07".repeat(32), "unsafe": true }))
}

fn session<'a>(log: &Core<'a>) -> Core<'a> {
    let opened = log.call("core.session", json!({ "name": "draft" }));
    Core { peer: log.peer, id: opened["core"].clone(), opened }
}

/// Commits the session up to a length.
fn commit(log: &Core<'_>, session: &Core<'_>, length: u64) {
    let done = log.call("core.commit", json!({ "session": session.id, "length": length }));
    assert_eq!(done["length"], length, "{done}");
    assert_eq!(log.state("contiguousLength"), length);
}

/// The stored hints of the log, in hex: which of them there are, and the contiguous length.
fn stored_hints(dir: &Path) -> String {
    dump(dir)["040002"].clone()
}

#[test]
fn d4_a_session_is_committed_in_parts_by_either_side_in_turn() {
    if !hc_interop::node_or_skip("D4") {
        return;
    }
    for first in [Side::Node, Side::Rust] {
        let (shared, alone) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for turn in 0..6 {
            let other = if matches!(first, Side::Node) { Side::Rust } else { Side::Node };
            let side = if turn % 2 == 0 { first } else { other };
            for (side, dir) in [(side, shared.path()), (Side::Node, alone.path())] {
                let actor = open(side, dir);
                let log = actor.named("log");
                if turn == 0 {
                    log.append(&(0..11).map(|i| format!("block {i}")).collect::<Vec<_>>());
                }
                let length = 11 + turn * 2;
                assert_eq!((log.length(), log.state("contiguousLength")), (length, Value::from(length)));
                let draft = session(&log);
                // there is always more in it than is committed
                draft.append(&[format!("{turn} one"), format!("{turn} two"), format!("{turn} three")]);
                assert_eq!(draft.length(), 11 + (turn + 1) * 3);
                commit(&log, &draft, length + 2);
                assert_eq!(log.block(length + 1), draft.block(length + 1));
                actor.close();
            }
        }
        // the hint is as it should be once the log was opened again
        for (side, dir) in [(first, shared.path()), (Side::Node, alone.path())] {
            let actor = open(side, dir);
            let log = actor.named("log");
            assert_eq!((log.length(), log.state("contiguousLength")), (23, Value::from(23)));
            actor.close();
            assert_eq!(stored_hints(dir), "0117");
        }
        assert_same_store(("shared", shared.path()), ("alone", alone.path()));
    }
}

#[test]
fn d4_the_contiguous_length_is_stored_with_a_commit_and_node_corrects_its_own_later() {
    if !hc_interop::node_or_skip("D4") {
        return;
    }
    // a deliberate difference, see docs/COMPAT.md: Node's hint is that of before until the log is opened again
    for (side, stored) in [(Side::Rust, "010d"), (Side::Node, "010b")] {
        for reader in [Side::Rust, Side::Node] {
            let dir = tempfile::tempdir().unwrap();
            let actor = open(side, dir.path());
            let log = actor.named("log");
            log.append(&(0..11).map(|i| format!("block {i}")).collect::<Vec<_>>());
            let draft = session(&log);
            draft.append(&["a", "b", "c", "d", "e"]);
            commit(&log, &draft, 13);
            actor.close();
            assert_eq!(stored_hints(dir.path()), stored);
            let actor = open(reader, dir.path());
            assert_eq!(actor.named("log").state("contiguousLength"), 13);
            actor.close();
            assert_eq!(stored_hints(dir.path()), "010d");
        }
    }
}
