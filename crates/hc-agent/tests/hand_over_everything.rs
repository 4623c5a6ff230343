//! Interop on disk: one directory, Node and ours in turn, with everything that a store can hold.

mod support;

use std::sync::Arc;

use hc_interop::{Value, b64, bytes, json};
use support::{Actor, Core, Side, assert_same_store};

const HOPS: u64 = 20;
/// A log that is never cut: with Node, sessions that go back on one that was are set to fork 0, and cannot be committed.
const STEADY: &str = "steady";

/// The logs of the store, by name, and how they are opened.
fn logs() -> [(&'static str, Value); 5] {
    let key = |byte: &str| byte.repeat(32);
    [
        ("plain", json!({})),
        (STEADY, json!({})),
        ("secret", json!({ "encryption": { "key": key("09") } })),
        ("block key", json!({ "encryption": { "key": key("08"), "block": true } })),
        ("grouped", json!({ "group": key("05") })),
    ]
}

fn open<'a>(actor: &'a Actor, name: &str, options: &Value) -> Core<'a> {
    let mut fields = options.clone();
    fields["name"] = json!(name);
    actor.get(fields)
}

fn session<'a>(of: &Core<'a>, fields: Value) -> Core<'a> {
    let opened = of.call("core.session", fields);
    Core { peer: of.peer, id: opened["core"].clone(), opened }
}

fn block(name: &str, hop: u64, i: u64) -> String {
    let long = if i == 3 { "long ".repeat(900) } else { String::new() };
    format!("{name}, hop {hop}, block {i} {long}")
}

/// What one owner of the directory does with one log. The same for every owner.
fn hop(core: &Core<'_>, name: &str, hop: u64) {
    if hop > 0 {
        check(core, name, hop - 1);
    }
    let length = core.append(&(0..8).map(|i| block(name, hop, i)).collect::<Vec<_>>());
    if hop % 3 == 1 && name != STEADY {
        core.call("truncate", json!({ "length": length - 2 }));
        core.append(&[block(name, hop, 6), block(name, hop, 7)]);
    }
    if hop % 4 == 2 {
        // an even start, and nothing was cleared beside it: where Node does it well
        let start = (length - 12) & !1;
        core.call("clear", json!({ "start": start, "end": start + 3 }));
    }
    core.call("userData.set", json!({ "key": "last hop", "value": b64(format!("{hop}")) }));
    core.call("userData.set", json!({ "key": format!("{hop}"), "value": b64("x") }));
    if hop % 2 == 1 {
        core.call("userData.set", json!({ "key": format!("{}", hop - 1), "value": null }));
    }
    drafts(core, name, hop);
}

/// The named session: written in every hop, left open at the end of it, committed now and then.
fn drafts(core: &Core<'_>, name: &str, hop: u64) {
    let overwrite = hop.is_multiple_of(5);
    let draft = session(core, json!({ "name": "draft", "overwrite": overwrite }));
    if overwrite {
        assert_eq!(draft.length(), core.length(), "a new session begins where the log is");
    } else {
        assert_eq!(draft.block(draft.length() - 1), block("draft", hop - 1, 1).into_bytes());
    }
    draft.append(&[block("draft", hop, 0), block("draft", hop, 1)]);
    if hop.is_multiple_of(5) {
        let committed = core.call("core.commit", json!({ "session": draft.id }));
        assert_eq!(committed["length"], json!(draft.length()), "{name}, hop {hop}");
    }
    // a second one that begins with less than there is
    if hop % 7 == 3 && name == STEADY {
        let length = core.length();
        let checkout = session(core, json!({ "name": format!("at {hop}"), "checkout": length - 3 }));
        checkout.append(&[block("checkout", hop, 0)]);
        assert_eq!(checkout.length(), length - 2);
        assert_eq!(core.length(), length);
    }
}

/// What the owner before left behind.
fn check(core: &Core<'_>, name: &str, last: u64) {
    let value = core.call("userData.get", json!({ "key": "last hop" }));
    assert_eq!(bytes(&value["value"]).unwrap(), format!("{last}").into_bytes());
    // two blocks of the draft came behind it where that was committed
    let end = core.length() - if last.is_multiple_of(5) { 2 } else { 0 };
    for i in [0, 3, 7] {
        let at = end - 8 + i;
        assert_eq!(core.block(at), block(name, last, i).into_bytes(), "{name}, block {at} of hop {last}");
    }
}

#[test]
fn s40_everything_that_a_store_holds_changes_hands_twenty_times() {
    if !hc_interop::node_or_skip("S40") {
        return;
    }
    let (shared, alone) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (node, ours) = (Arc::new(Side::Node.start()), Arc::new(Side::Rust.start()));
    for n in 0..HOPS {
        let owner = if n % 2 == 0 { &node } else { &ours };
        for (peer, dir) in [(owner, &shared), (&node, &alone)] {
            let options = json!({ "dir": dir.path(), "primaryKey": "07".repeat(32), "unsafe": true });
            let actor = Actor::with(peer, options);
            for (name, options) in logs() {
                hop(&open(&actor, name, &options), name, n);
            }
            let updates = json!({ "store": actor.store, "topic": "05".repeat(32) });
            let updates = actor.peer.call("group.updates", updates).unwrap();
            assert_eq!(updates["updates"].as_array().map(Vec::len), Some(1));
            actor.leave();
        }
        if n % 5 == 4 {
            assert_same_store(("shared", shared.path()), ("alone", alone.path()));
        }
    }
    assert_same_store(("shared", shared.path()), ("alone", alone.path()));
}
