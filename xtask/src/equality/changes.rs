//! Actions that change a log.

use hc_interop::{b64, json};

use super::part::Step;
use super::script::{Done, Script};
use super::world::{Head, blocks};

/// Runs a step on a log and keeps its state.
fn on_log(script: &mut Script<'_>, at: usize, step: &Step) -> Result<bool, String> {
    let Some(symbol) = script.world.logs.get(at).map(|log| log.symbol.clone()) else { return Ok(false) };
    let (reply, head) = script.change(step, &symbol)?;
    keep(script, at, head);
    Ok(reply.is_ok())
}

pub(super) fn keep(script: &mut Script<'_>, at: usize, head: Head) {
    if let Some(log) = script.world.logs.get_mut(at) {
        log.base = head;
    }
}

/// A log by chance: which one, how steps name it, and its head.
pub(super) fn chosen(script: &mut Script<'_>) -> Option<(usize, String, Head)> {
    let at = script.any_log();
    script.world.logs.get(at).map(|log| (at, log.symbol.clone(), log.base))
}

pub(super) fn append(script: &mut Script<'_>) -> Done {
    let Some((at, core, head)) = chosen(script) else { return Ok(()) };
    let mut fields = json!({ "core": core, "blocks": blocks(&mut script.random) });
    if script.random.once_in(10) {
        fields["maxLength"] = json!(head.length + script.random.below(3));
    }
    on_log(script, at, &Step::new("append", fields)).map(drop)
}

/// More than a page of the bitfield.
pub(super) fn append_many(script: &mut Script<'_>) -> Done {
    let Some((at, core, _)) = chosen(script) else { return Ok(()) };
    let n = script.random.between(32_760, 33_000);
    let fields = json!({ "core": core, "n": n, "size": 1, "batch": 20_000 });
    on_log(script, at, &Step::new("appendMany", fields)).map(drop)
}

pub(super) fn truncate(script: &mut Script<'_>) -> Done {
    let Some((at, core, head)) = chosen(script) else { return Ok(()) };
    let length = match script.random.below(20) {
        0 => head.length + 1,
        1 | 2 => 0,
        3..8 => head.length.saturating_sub(script.random.below(4)),
        _ => script.random.below(head.length + 1),
    };
    let mut fields = json!({ "core": core, "length": length });
    if script.random.once_in(6) {
        fields["fork"] = json!(head.fork + script.random.between(1, 300));
    }
    if on_log(script, at, &Step::new("truncate", fields))?
        && let Some(log) = script.world.logs.get_mut(at)
    {
        log.cut(length);
    }
    Ok(())
}

pub(super) fn clear(script: &mut Script<'_>) -> Done {
    let Some((at, core, head)) = chosen(script) else { return Ok(()) };
    if head.length > 2000 {
        return Ok(());
    }
    let start = script.random.below(head.length + 2);
    let end = match script.random.below(4) {
        0 | 1 => start + 1,
        2 => start + script.random.below(9),
        _ => head.length,
    };
    if !script.may_clear(at, start, end)? {
        script.trace.push(format!("— Node would clear {start}..{end} of {core} wrongly: left out"));
        return Ok(());
    }
    on_log(script, at, &Step::new("clear", json!({ "core": core, "start": start, "end": end }))).map(drop)
}

pub(super) fn user_data(script: &mut Script<'_>) -> Done {
    let Some((_, core, _)) = chosen(script) else { return Ok(()) };
    set_user_data(script, &core)
}

pub(super) fn set_user_data(script: &mut Script<'_>, core: &str) -> Done {
    let key = script.random.pick(&["k", "other", "a/b", "ä\u{0}ö"]).copied().unwrap_or("k");
    let value = match script.random.below(8) {
        0 => None,
        1 => Some(Vec::new()),
        2 => Some(script.random.bytes(5000)),
        _ => Some(vec![script.random.bytes(1).first().copied().unwrap_or(0) % 4; 9]),
    };
    let value = value.map(b64);
    let set = Step::new("userData.set", json!({ "core": core, "key": key, "value": value }));
    script.step(&set)?.map_err(|code| format!("userData.set says {code}"))?;
    script.step(&Step::new("userData.get", json!({ "core": core, "key": key }))).map(drop)
}

pub(super) fn set_group(script: &mut Script<'_>) -> Done {
    let Some((at, core, _)) = chosen(script) else { return Ok(()) };
    let topic = script.random.pick(&script.world.topics.clone()).cloned().unwrap_or_default();
    on_log(script, at, &Step::new("core.setGroup", json!({ "core": core, "group": topic })))?;
    if let Some(log) = script.world.logs.get_mut(at) {
        log.grouped = true;
    }
    script.step(&Step::new("group.updates", json!({ "store": "$store", "topic": topic }))).map(drop)
}

pub(super) fn mark(script: &mut Script<'_>) -> Done {
    let Some((at, core, head)) = chosen(script) else { return Ok(()) };
    let step = match script.random.below(4) {
        0 => Step::new("marks.start", json!({ "core": core })),
        1 => Step::new("marks.clear", json!({ "core": core })),
        _ => {
            let start = script.random.below(head.length + 1);
            let end = start + script.random.between(1, 5);
            Step::new("marks.mark", json!({ "core": core, "start": start, "end": end }))
        }
    };
    if let Some(log) = script.world.logs.get_mut(at) {
        log.marking |= step.op == "marks.start";
    }
    script.step(&step).map(drop)
}

pub(super) fn compact(script: &mut Script<'_>) -> Done {
    let Some((_, core, _)) = chosen(script) else { return Ok(()) };
    script.step(&Step::new("core.compact", json!({ "core": core }))).map(drop)
}
