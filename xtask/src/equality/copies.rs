//! Scripts on a copy of somebody's log: proofs that Node makes are applied on both sides, in random order, between clears and
//! openings. What a copy has learnt, and no more, is then stored.
//!
//! Upgrades go to the writer's whole length: ours does not store the additional nodes of a shorter one, whose sizes nothing
//! proves.

use hc_interop::{Peer, Value, json};

use super::part::Step;
use super::script::{Done, Script};
use super::world::{Head, Log, World, blocks};
use super::{changes, reads};

/// The log that is copied, at a store of Node's that is not compared.
pub(super) struct Writer {
    core: Value,
    length: u64,
}

const COPY: &str = "$copy";

/// Runs so many actions.
pub(super) fn run(script: &mut Script<'_>, count: u64) -> Done {
    let node = script.node()?;
    let say = |error: hc_interop::PeerError| error.to_string();
    let store =
        node.call("store.open", json!({ "primaryKey": "0b".repeat(32), "unsafe": true })).map_err(say)?;
    let opened = node.call("store.get", json!({ "store": store["store"], "name": "writer" })).map_err(say)?;
    let open = json!({ "store": "$store", "key": opened["key"], "timeout": 2000 });
    script.world = World::of(Log::new(COPY, open));
    script.open_store()?;
    let mut writer = Writer { core: opened["core"].clone(), length: 0 };
    for _ in 0..count {
        match script.random.below(20) {
            0..4 => write(script, node, &mut writer)?,
            4..14 => prove(script, node, &writer)?,
            14 | 15 => changes::clear(script)?,
            16 => changes::user_data(script)?,
            17 | 18 => reads::some(script)?,
            _ => script.reopen()?,
        }
    }
    node.call("store.close", json!({ "store": store["store"] })).map(drop).map_err(say)
}

fn write(script: &mut Script<'_>, node: &Peer, writer: &mut Writer) -> Done {
    let fields = json!({ "core": writer.core, "blocks": blocks(&mut script.random) });
    let appended = node.call("append", fields).map_err(|error| error.to_string())?;
    writer.length = appended["length"].as_u64().unwrap_or_default();
    Ok(())
}

/// A proof of a block, of the writer's length, or of both, as a peer would ask for it.
fn prove(script: &mut Script<'_>, node: &Peer, writer: &Writer) -> Done {
    let Some(head) = script.world.logs.first().map(|log| log.base) else { return Ok(()) };
    let mut fields = json!({ "core": writer.core });
    let longer = writer.length > head.length;
    let upgrade = longer && (head.length == 0 || script.random.once_in(3));
    if upgrade {
        fields["upgrade"] = json!({ "start": head.length, "length": writer.length - head.length });
    }
    let known = if upgrade { writer.length } else { head.length };
    if known == 0 {
        return Ok(());
    }
    if !upgrade || script.random.once_in(2) {
        let index = script.random.below(known);
        let missing = script.step(&Step::new("missingNodes", json!({ "core": COPY, "index": index })))?;
        let nodes = missing.ok().and_then(|missing| missing.get("nodes").cloned()).unwrap_or_default();
        fields["block"] = json!({ "index": index, "nodes": nodes });
    }
    let made = node.call("proof", fields).map_err(|error| error.to_string())?;
    let step = Step::new("applyProof", json!({ "core": COPY, "proof": made["proof"] }));
    let (_, head) = script.change(&step, COPY)?;
    keep(script, head);
    Ok(())
}

fn keep(script: &mut Script<'_>, head: Head) {
    changes::keep(script, 0, head);
}
