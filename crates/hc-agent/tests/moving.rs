//! Interop of moving a named session to another core: what it leaves in a store, for Node and for ours.

mod support;

use std::path::Path;
use std::time::Duration;

use hc_interop::dump::{Dump, difference};
use hc_interop::{b64, json};
use hypercore::{KeyPair, Manifest, Prologue};
use support::{Actor, Core, Side, dump, with_pairs};

const SEED: [u8; 32] = [9; 32];

fn session<'a>(of: &Core<'a>, name: &str) -> Core<'a> {
    let opened = of.call("core.session", json!({ "name": name }));
    Core { peer: of.peer, id: opened["core"].clone(), opened }
}

/// The core that begins with what the other one has now, in other hands.
fn heir<'a>(actor: &'a Actor, of: &Core<'_>) -> Core<'a> {
    let pair = KeyPair::from_seed(&SEED);
    let hash: [u8; 32] = hex::decode(of.tree_hash()).unwrap().try_into().unwrap();
    let prologue = Prologue { hash: hash.into(), length: of.length() };
    let manifest = Manifest { prologue: Some(prologue), ..Manifest::single(pair.public()) };
    let core = actor.get(json!({ "manifest": b64(manifest.to_bytes()) }));
    let secret = hex::encode(pair.secret_bytes().as_slice());
    core.call(
        "core.setKeyPair",
        json!({ "keyPair": { "publicKey": pair.public().to_string(), "secretKey": secret } }),
    );
    core.call("core.copyPrologue", json!({ "source": of.id }));
    core
}

fn move_to(session: &Core<'_>, target: &Core<'_>, length: u64) {
    session.call("core.moveTo", json!({ "target": target.id, "length": length }));
}

fn texts(core: &Core<'_>) -> String {
    (0..core.length()).map(|index| String::from_utf8(core.block(index)).unwrap()).collect()
}

/// Moves sessions of a log of three blocks to another core of that store: one that is all committed, one that is cut, one
/// that the other core has stored already. Returns the key of the core that they go to.
fn moves(side: Side, dir: &Path) -> String {
    let options = json!({ "dir": dir, "primaryKey": "07".repeat(32), "unsafe": true });
    let actor = Actor::open(side, options);
    let old = actor.named("old");
    let [kept, cut, stored] = ["kept", "cut", "stored"].map(|name| session(&old, name));
    kept.append(&["a", "b", "c"]);
    old.call("core.commit", json!({ "session": kept.id }));
    stored.append(&["a", "b", "c"]);
    cut.append(&["a", "b", "c", "own"]);
    let new = heir(&actor, &old);
    let there = session(&new, "stored");
    there.append(&["d"]);
    there.call("core.close", json!({}));

    kept.call("events.subscribe", json!({}));
    move_to(&kept, &new, 3);
    let told = actor.peer.event(Duration::from_secs(20)).unwrap();
    assert_eq!((&told["event"], &told["key"]), (&json!("migrate"), &new.opened["key"]));
    assert_eq!((kept.state("key"), kept.length()), (new.opened["key"].clone(), 3));
    kept.append(&["d", "e"]);
    move_to(&cut, &new, 3);
    assert_eq!((cut.length(), cut.state("fork")), (3, json!(1)));
    move_to(&stored, &new, 4);
    assert_eq!(texts(&stored), "abcd");
    stored.append(&["!"]);
    let key = new.key().to_owned();
    actor.close();
    key
}

#[test]
fn d22_the_blocks_of_a_moved_session_are_there_for_both() {
    with_pairs("D22", |mover, opener| {
        let dir = tempfile::tempdir().unwrap();
        let key = moves(mover, dir.path());
        for (n, side) in [opener, mover].into_iter().enumerate() {
            let actor = Actor::at(side, dir.path());
            let (old, new) = (actor.named("old"), actor.get(json!({ "key": key })));
            assert_eq!((texts(&old), texts(&new)), ("abc".into(), ["abc", "abcde"][n].into()));
            assert_eq!(texts(&session(&new, "kept")), "abcde");
            assert_eq!(texts(&session(&new, "cut")), "abc");
            assert_eq!(texts(&session(&new, "stored")), "abcd!");
            for name in ["kept", "cut", "stored"] {
                assert_eq!(texts(&session(&old, name)), "abc", "what stayed of {name}");
            }
            if n == 0 {
                let kept = session(&new, "kept");
                let pair = KeyPair::from_seed(&SEED);
                let secret = hex::encode(pair.secret_bytes().as_slice());
                let pair = json!({ "publicKey": pair.public().to_string(), "secretKey": secret });
                let done = new.call("core.commit", json!({ "session": kept.id, "keyPair": pair }));
                assert_eq!(done["length"], json!(5));
            }
            let problems = actor.peer.call("store.audit", json!({ "store": actor.store })).unwrap();
            assert_eq!(problems["problems"], json!([]));
            actor.close();
        }
    });
}

#[test]
fn d22_a_moved_session_leaves_what_it_leaves_with_node() {
    if !hc_interop::node_or_skip("D22") {
        return;
    }
    let (node, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    moves(Side::Node, node.path());
    moves(Side::Rust, ours.path());
    // Node writes how far a log is here without a hole with the next change only, after a commit and after a prologue
    let but_hints = |dir: &Path| -> Dump {
        let is_hints = |key: &String| key.len() == 6 && key.starts_with("04") && key.ends_with("02");
        dump(dir).into_iter().filter(|(key, _)| !is_hints(key)).collect()
    };
    let differs = difference(("node", &but_hints(node.path())), ("ours", &but_hints(ours.path())));
    assert_eq!(differs, None);
}
