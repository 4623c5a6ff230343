//! A user's mistakes: both implementations refuse them, and with the same code.

mod support;

use hc_interop::{Value, b64, json};
use support::{Actor, Core, Side};

/// What came of each mistake: its error's code.
type Codes = Vec<(&'static str, String)>;

fn code(actor: &Actor, op: &str, fields: Value) -> String {
    match actor.peer.call(op, fields) {
        Ok(reply) => format!("no error: {reply}"),
        Err(error) => error.code().unwrap_or("lost").to_owned(),
    }
}

fn on(core: &Core<'_>, mut fields: Value) -> Value {
    fields["core"] = core.id.clone();
    fields
}

fn session<'a>(of: &Core<'a>, fields: Value) -> Core<'a> {
    let opened = of.call("core.session", fields);
    Core { peer: of.peer, id: opened["core"].clone(), opened }
}

/// Key pairs that both sides know: of the seeds of 32 times 2, and of 32 times 3.
fn key_pair(seed: u8) -> Value {
    let public = match seed {
        2 => "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394",
        _ => "ed4928c628d1c2c6eae90338905995612959273a5c63f93636c14614ac8737d1",
    };
    json!({ "publicKey": public, "secretKey": format!("{}{public}", hex_of(seed)) })
}

fn hex_of(byte: u8) -> String {
    format!("{byte:02x}").repeat(32)
}

/// Mistakes with one log that can be written to.
fn with_a_log(actor: &Actor, codes: &mut Codes) {
    let log = actor.get(json!({ "keyPair": key_pair(2) }));
    log.append(&["one", "two", "three"]);
    log.call("marks.start", json!({}));
    let block = || json!([b64("x")]);
    let mut note = |what, op, fields| codes.push((what, code(actor, op, fields)));

    let large = b64(vec![0; 15 * 1024 * 1024 + 1]);
    note("a block above 15 MiB", "append", on(&log, json!({ "blocks": [large] })));
    let other = key_pair(3);
    note("a key pair that is no signer", "append", on(&log, json!({ "blocks": block(), "keyPair": other })));
    let signature = "00".repeat(66);
    note("a wrong signature", "append", on(&log, json!({ "blocks": block(), "signature": signature })));
    note("a cut beyond the end", "truncate", on(&log, json!({ "length": 4 })));
    note("going back without a name", "core.session", on(&log, json!({ "checkout": 1 })));
    note("a block that nobody has", "get", on(&log, json!({ "index": 9, "timeout": 50 })));
    note("a second group", "core.setGroup", on(&log, json!({ "group": hex_of(6) })));
    note("marking twice", "marks.start", on(&log, json!({})));

    let locked = session(&log, json!({ "writable": false }));
    note("a session that may not write", "append", on(&locked, json!({ "blocks": block() })));
    note("a cut by such a session", "truncate", on(&locked, json!({ "length": 1 })));
    let snapshot = session(&log, json!({ "snapshot": true }));
    note("a block beyond a snapshot", "get", on(&snapshot, json!({ "index": 3, "wait": false })));
    log.call("truncate", json!({ "length": 1 }));
    let there = snapshot.call("get", json!({ "index": 2, "wait": false }));
    assert_eq!(there["block"], b64("three"), "a snapshot keeps what the log was");

    let named = session(&log, json!({ "name": "n" }));
    named.append(&["draft"]);
    named.call("core.close", json!({}));
    note("an append to a closed session", "append", on(&named, json!({ "blocks": block() })));
    note("a read of a closed session", "get", on(&named, json!({ "index": 0 })));
    note("a cut of a closed session", "truncate", on(&named, json!({ "length": 0 })));
}

/// Mistakes in opening, and with a log of somebody else's.
fn with_others(actor: &Actor, codes: &mut Codes) {
    let store = &actor.store;
    let of_log = actor.get(json!({ "keyPair": key_pair(2) }));
    let reader = actor.get(json!({ "key": hex_of(9) }));
    let mut note = |what, op, fields| codes.push((what, code(actor, op, fields)));

    note("an append to somebody's log", "append", on(&reader, json!({ "blocks": [b64("x")] })));
    note("a cut of somebody's log", "truncate", on(&reader, json!({ "length": 0, "fork": 4 })));
    let manifest = of_log.opened["manifest"].clone();
    note("a manifest of another log", "core.setManifest", on(&reader, json!({ "manifest": manifest })));
    let unknown = json!({ "store": store, "discoveryKey": hex_of(7) });
    note("a discovery key that is not stored", "store.get", unknown);
    let absent = json!({ "createIfMissing": false, "key": hex_of(8), "store": store });
    note("a log that is not to be made", "store.get", absent);
    let empty = tempfile::tempdir().unwrap();
    let none = json!({ "createIfMissing": false, "dir": empty.path() });
    note("a directory without a log", "core.open", none);
}

fn codes_of(side: Side) -> Codes {
    let actor = Actor::new(side);
    let mut codes = Codes::new();
    let grouped = actor.get(json!({ "keyPair": key_pair(2) }));
    grouped.call("core.setGroup", json!({ "group": hex_of(5) }));
    with_a_log(&actor, &mut codes);
    with_others(&actor, &mut codes);
    codes
}

#[test]
fn a_users_mistakes_get_the_codes_of_node() {
    if !hc_interop::node_or_skip("mistakes") {
        return;
    }
    let (ours, theirs) = (codes_of(Side::Rust), codes_of(Side::Node));
    let differ: Vec<String> = ours
        .iter()
        .zip(&theirs)
        .filter(|(ours, theirs)| ours != theirs)
        .map(|(ours, theirs)| format!("{}: ours {}, Node's {}", ours.0, ours.1, theirs.1))
        .collect();
    assert!(differ.is_empty(), "{}", differ.join("\n"));
    assert!(ours.iter().all(|(_, code)| !code.starts_with("no error") && code != "lost"), "{ours:#?}");
}
