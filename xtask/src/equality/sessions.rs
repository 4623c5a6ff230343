//! Actions on named sessions, snapshots and atoms.

use hc_interop::{Value, json};

use super::changes::{chosen, keep, set_user_data};
use super::part::Step;
use super::script::{Done, Script};
use super::world::{Head, Session, blocks};

const NAMES: [&str; 3] = ["s", "t", "long name of a session"];
/// What a script has open at most.
const MAX_SNAPSHOTS: usize = 3;

pub(super) fn open(script: &mut Script<'_>) -> Done {
    let at = script.any_log();
    open_one_of(script, at)
}

/// Opens a named session of a log.
fn open_one_of(script: &mut Script<'_>, at: usize) -> Done {
    let Some((core, head)) = script.world.logs.get(at).map(|log| (log.symbol.clone(), log.base)) else {
        return Ok(());
    };
    let name = script.random.pick(&NAMES).copied().unwrap_or("s");
    let is_open = script.world.logs.get(at).is_some_and(|log| log.sessions.iter().any(|s| s.name == name));
    if is_open {
        return Ok(());
    }
    let symbol = script.world.fresh("session");
    let mut fields = json!({ "core": core, "name": name });
    // Node sets a session that goes back to fork 0, where it cannot be committed to a log on another one
    if script.random.once_in(4) && head.fork == 0 {
        fields["checkout"] = json!(script.random.below(head.length + 1));
    }
    // what became of one that the log was cut beneath is a matter of chance
    let mixed = script.world.logs.get(at).is_some_and(|log| log.shared.get(name) == Some(&None));
    // Node then takes the log's tree for the session's
    let twin = script.world.logs.get(at).is_some_and(|log| log.is_twin(name));
    if mixed || twin || script.random.once_in(6) {
        if head.length == 0 {
            return Ok(());
        }
        fields["overwrite"] = json!(true);
    }
    let Ok(opened) = script.step(&Step::new("core.session", fields).giving(&symbol))? else { return Ok(()) };
    keep_opened(script, at, symbol, name, &opened);
    Ok(())
}

fn keep_opened(script: &mut Script<'_>, at: usize, symbol: String, name: &'static str, opened: &Value) {
    if let Some(log) = script.world.logs.get_mut(at) {
        // one that was resumed may have been truncated before
        let head = Head::of(opened);
        let truncated = head.fork != log.base.fork;
        log.shared.insert(name, Some(head.signed_length));
        log.lengths.insert(name, head.length);
        log.sessions.push(Session { symbol, name, head, truncated, mixed: false });
    }
}

/// A named session by chance: its log, its place there, and how steps name it. None that the log was cut beneath.
fn any_session(script: &mut Script<'_>) -> Option<(usize, usize, String, Head)> {
    let at = script.any_log();
    let count = script.world.logs.get(at)?.sessions.len();
    let place = usize::try_from(script.random.below(count as u64)).ok()?;
    let session = script.world.logs.get(at)?.sessions.get(place).filter(|session| !session.mixed)?;
    Some((at, place, session.symbol.clone(), session.head))
}

fn keep_session(script: &mut Script<'_>, at: usize, place: usize, head: Head, truncated: bool) {
    let Some(log) = script.world.logs.get_mut(at) else { return };
    if let Some(session) = log.sessions.get_mut(place) {
        session.head = head;
        session.truncated |= truncated;
        log.shared.insert(session.name, Some(head.signed_length));
        log.lengths.insert(session.name, head.length);
    }
}

pub(super) fn append(script: &mut Script<'_>) -> Done {
    let Some((at, place, core, _)) = any_session(script) else { return Ok(()) };
    if script.random.once_in(8) {
        return set_user_data(script, &core);
    }
    let step = Step::new("append", json!({ "core": core, "blocks": blocks(&mut script.random) }));
    let (_, head) = script.change(&step, &core)?;
    keep_session(script, at, place, head, false);
    Ok(())
}

pub(super) fn truncate(script: &mut Script<'_>) -> Done {
    let Some((at, place, core, head)) = any_session(script) else { return Ok(()) };
    let length = script.random.below(head.length + 1);
    let (_, head) =
        script.change(&Step::new("truncate", json!({ "core": core, "length": length })), &core)?;
    keep_session(script, at, place, head, true);
    Ok(())
}

/// Commits a session, with more blocks in it at times. Where it was a part, the directory may be handed over, and the rest be
/// committed by the other side.
pub(super) fn commit(script: &mut Script<'_>) -> Done {
    let at = script.any_log();
    if committable(script, at).is_none() {
        open_one_of(script, at)?;
    }
    for _ in 0..4 {
        let Some((place, name, core, mut head)) = committable(script, at) else { return Ok(()) };
        if !script.random.once_in(3) {
            let step = Step::new("append", json!({ "core": core, "blocks": blocks(&mut script.random) }));
            head = script.change(&step, &core)?.1;
            keep_session(script, at, place, head, false);
        }
        let in_part = commit_some(script, (at, place), &core, head)?;
        if !in_part || script.random.once_in(3) {
            return Ok(());
        }
        script.reopen()?;
        resume(script, at, name)?;
    }
    Ok(())
}

/// A session of a log that Node can commit: its place, its name, how steps name it, and its head.
fn committable(script: &Script<'_>, at: usize) -> Option<(usize, &'static str, String, Head)> {
    let log = script.world.logs.get(at)?;
    let fits =
        |session: &&Session| !session.mixed && !session.truncated && session.head.fork == log.base.fork;
    let place = log.sessions.iter().rposition(|session| fits(&session))?;
    let session = log.sessions.get(place)?;
    Some((place, session.name, session.symbol.clone(), session.head))
}

/// Commits a session, or a part of it. Whether it was a part, and changed the log.
fn commit_some(
    script: &mut Script<'_>,
    (at, place): (usize, usize),
    core: &str,
    head: Head,
) -> Result<bool, String> {
    let Some(log) = script.world.logs.get(at) else { return Ok(false) };
    let (base, base_core) = (log.base, log.symbol.clone());
    let mut length = head.length;
    let mut fields = json!({ "core": base_core, "session": core });
    if script.random.once_in(2) && head.length > base.length {
        length = script.random.between(base.length, head.length);
        fields["length"] = json!(length);
    }
    // after a commit that changes nothing Node has no signature any more, and leaves updates of groups behind
    if length == base.length {
        return Ok(false);
    }
    let (reply, after) = script.change(&Step::new("core.commit", fields), &base_core)?;
    keep(script, at, after);
    let own = script.state(core)?;
    keep_session(script, at, place, own, false);
    Ok(length < head.length && reply.is_ok_and(|reply| reply.get("length").is_some()))
}

/// Opens a named session again as it was left.
fn resume(script: &mut Script<'_>, at: usize, name: &'static str) -> Done {
    let Some(core) = script.world.logs.get(at).map(|log| log.symbol.clone()) else { return Ok(()) };
    let symbol = script.world.fresh("session");
    let step = Step::new("core.session", json!({ "core": core, "name": name })).giving(&symbol);
    if let Ok(opened) = script.step(&step)? {
        keep_opened(script, at, symbol, name, &opened);
    }
    Ok(())
}

/// In atoms Node leaves updates of groups behind that nothing takes away again, and which ones is a matter of milliseconds.
fn is_grouped(script: &Script<'_>, at: usize) -> bool {
    script.world.logs.get(at).is_some_and(|log| log.grouped)
}

pub(super) fn close(script: &mut Script<'_>) -> Done {
    let Some((at, place, core, _)) = any_session(script) else { return Ok(()) };
    script
        .step(&Step::new("core.close", json!({ "core": core })))?
        .map_err(|code| format!("close: {code}"))?;
    if let Some(log) = script.world.logs.get_mut(at) {
        log.sessions.remove(place);
    }
    Ok(())
}

/// One atom over one or more logs: nothing is seen before it is flushed, everything after.
pub(super) fn atom(script: &mut Script<'_>) -> Done {
    let atom = script.world.fresh("atom");
    let create = Step::new("atom.create", json!({ "store": "$store" })).giving(&atom);
    script.step(&create)?.map_err(|code| format!("atom.create says {code}"))?;
    let first = script.any_log();
    let both = script.random.once_in(3);
    let flushed = !script.random.once_in(8);
    let mut sessions = Vec::new();
    for at in 0..script.world.logs.len() {
        if (at != first && !both) || is_grouped(script, at) {
            continue;
        }
        let Some(base) = script.world.logs.get(at).map(|log| log.symbol.clone()) else { continue };
        let symbol = script.world.fresh("atomic");
        let fields = json!({ "core": base, "atom": atom });
        let opened = script.step(&Step::new("core.session", fields).giving(&symbol))?;
        opened.map_err(|code| format!("a session of an atom says {code}"))?;
        let snapshots = script.world.logs.get(at).is_some_and(|log| !log.snapshots.is_empty());
        let encrypted = base == "$secret" || base == "$block";
        let cut = in_atom(script, &symbol, flushed || !snapshots, encrypted)?;
        script.state(&base)?;
        if let (Some(log), Some(length)) = (script.world.logs.get_mut(at).filter(|_| flushed), cut) {
            log.cut(length);
        }
        sessions.push((at, base, symbol));
    }
    if flushed {
        script
            .step(&Step::new("atom.flush", json!({ "atom": atom })))?
            .map_err(|code| format!("flush: {code}"))?;
    }
    for (at, base, symbol) in sessions {
        let head = script.state(&base)?;
        keep(script, at, head);
        script
            .step(&Step::new("core.close", json!({ "core": symbol })))?
            .map_err(|code| format!("close: {code}"))?;
    }
    Ok(())
}

/// To which length the log was cut in the atom. There is at most one cut, and it comes first: Node leaves the hint of an append behind that the same atom takes away again. And its
/// snapshots notice when a log is cut in an atom that then is never flushed: this can be left out.
///
/// Nothing encrypted is appended behind a cut: Node does it for the fork before, and so uses a nonce twice.
fn in_atom(
    script: &mut Script<'_>,
    core: &str,
    mut may_cut: bool,
    encrypted: bool,
) -> Result<Option<u64>, String> {
    let (mut head, mut cut) = (script.state(core)?, None);
    for _ in 0..script.random.between(1, 4) {
        let step = match script.random.below(6) {
            0 => {
                set_user_data(script, core)?;
                continue;
            }
            1 if may_cut => {
                let length = head.length.saturating_sub(script.random.below(5));
                (cut, may_cut) = (Some(length), false);
                Step::new("truncate", json!({ "core": core, "length": length }))
            }
            _ if encrypted && cut.is_some() => continue,
            _ => {
                may_cut = false;
                Step::new("append", json!({ "core": core, "blocks": blocks(&mut script.random) }))
            }
        };
        head = script.change(&step, core)?.1;
    }
    Ok(cut)
}

pub(super) fn snapshot(script: &mut Script<'_>) -> Done {
    let Some((at, core, _)) = chosen(script) else { return Ok(()) };
    let taken = script.world.logs.get(at).map(|log| log.snapshots.clone()).unwrap_or_default();
    if taken.len() < MAX_SNAPSHOTS {
        let symbol = script.world.fresh("snapshot");
        let step = Step::new("core.session", json!({ "core": core, "snapshot": true })).giving(&symbol);
        script.step(&step)?.map_err(|code| format!("a snapshot says {code}"))?;
        if let Some(log) = script.world.logs.get_mut(at) {
            log.snapshots.push(symbol);
        }
    }
    let marking = script.world.logs.get(at).is_some_and(|log| log.marking);
    let Some(core) = script.random.pick(&taken).cloned().filter(|_| !marking) else { return Ok(()) };
    let head = script.state(&core)?;
    for _ in 0..3 {
        let index = script.random.below(head.length + 2);
        script.step(&Step::new("get", json!({ "core": core, "index": index, "wait": false })))?.ok();
    }
    Ok(())
}
