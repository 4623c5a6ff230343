//! Actions that only read, and whose replies must be the same.

use hc_interop::{Value, json};

use super::changes::chosen;
use super::part::{Reply, Step};
use super::script::{Done, Script};
use super::world::Head;

pub(super) fn some(script: &mut Script<'_>) -> Done {
    let Some((at, core, head)) = chosen(script) else { return Ok(()) };
    // a session that marks notes what is read; with Node also those that are made from it
    let marking = script.world.logs.get(at).is_some_and(|log| log.marking);
    for _ in 0..script.random.between(2, 6) {
        let Some(step) = one(script, &core, head).filter(|_| !marking) else { continue };
        // Node has no answer to who asks for the proof of a block that is not there
        let block = step.fields.get("block").and_then(|block| block.get("index")?.as_u64());
        let there = match block {
            Some(index) => is_true(script.step(&Step::new("has", json!({ "core": core, "start": index })))?),
            None => true,
        };
        if there {
            script.step(&step)?.ok();
        }
    }
    let sessions =
        script.world.logs.get(at).map(|log| {
            log.sessions.iter().filter(|s| !s.mixed).map(|s| (s.symbol.clone(), s.head)).collect()
        });
    let sessions: Vec<(String, Head)> = sessions.unwrap_or_default();
    if let Some((core, head)) = script.random.pick(&sessions).cloned().filter(|_| !marking) {
        let index = script.random.below(head.length + 1);
        script.step(&Step::new("get", json!({ "core": core, "index": index, "wait": false })))?.ok();
        let end = index + script.random.between(1, 9);
        script.step(&Step::new("has", json!({ "core": core, "start": index, "end": end })))?.ok();
        // Node looks for the last block, where its head would do
        let last = json!({ "core": core, "start": head.length.saturating_sub(1), "end": head.length });
        if is_true(script.step(&Step::new("has", last))?) {
            script.step(&Step::new("treeHash", json!({ "core": core })))?.ok();
        }
    }
    whole(script, &core, head)
}

fn one(script: &mut Script<'_>, core: &str, head: Head) -> Option<Step> {
    let random = &mut script.random;
    let index = random.below(head.length + 1);
    Some(match random.below(10) {
        0 => Step::new("get", json!({ "core": core, "index": index, "wait": false, "raw": true })),
        1 => Step::new("get", json!({ "core": core, "index": index, "wait": false, "decrypt": false })),
        2 => Step::new("has", json!({ "core": core, "start": index, "end": index + random.below(9) })),
        3 => {
            let bytes = random.below(head.byte_length + 2);
            Step::new("seek", json!({ "core": core, "bytes": bytes, "wait": false }))
        }
        4 => Step::new("missingNodes", json!({ "core": core, "index": index })),
        5 => Step::new("info", json!({ "core": core })),
        6 if head.length > 0 => {
            let index = random.below(head.length);
            let block = json!({ "index": index, "nodes": 0 });
            let start = random.below(head.length);
            let upgrade = json!({ "start": start, "length": head.length - start });
            Step::new("proof", json!({ "core": core, "block": block, "upgrade": upgrade }))
        }
        7 if head.length > 0 => {
            let start = random.below(head.length);
            let length = random.between(1, head.length - start);
            Step::new("proof", json!({ "core": core, "upgrade": { "start": start, "length": length } }))
        }
        _ => Step::new("get", json!({ "core": core, "index": index, "wait": false })),
    })
}

/// What needs blocks that may be gone, and would wait for peers then.
fn whole(script: &mut Script<'_>, core: &str, head: Head) -> Done {
    let all = script.step(&Step::new("has", json!({ "core": core, "start": 0, "end": head.length })))?;
    if head.length == 0 || !is_true(all) {
        return Ok(());
    }
    let length = script.random.below(head.length + 1);
    script.step(&Step::new("treeHash", json!({ "core": core, "length": length })))?.ok();
    let fork = script.random.below(4);
    script.step(&Step::new("signable", json!({ "core": core, "length": length, "fork": fork })))?.ok();
    let from = script.random.below(head.byte_length + 1);
    let many = script.random.below((head.byte_length - from + 1).min(3000));
    // Node's stream looks for a block at the end, where there is none
    if many > 0 {
        let bytes = json!({ "core": core, "byteOffset": from, "byteLength": many });
        script.step(&Step::new("bytes", bytes))?.ok();
    }
    Ok(())
}

fn is_true(has: Reply) -> bool {
    has.is_ok_and(|has| has.get("has").and_then(Value::as_bool) == Some(true))
}
