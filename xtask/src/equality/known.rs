//! Where Node 11.37.1 is known to be wrong, so that scripts leave it out. `docs/COMPAT.md` has the list.
//!
//! - `clear` takes away tree nodes that other blocks still need, when its way up the tree comes to a stored subtree on the left.
//!   Ours stops there. Scripts clear only where both do the same; see [`clears_alike`].
//! - `commit` of a named session that was itself truncated is refused with INVALID_SIGNATURE: such sessions are not committed.
//! - `staticify` (corestore 7.12.5) writes the static core's keys over those of the core it is made from, which cannot be opened
//!   any more: it is not in scripts.
//! - A named session that is cut is signed there, with the core's key pair if it has one. Ours is not: a head that is never the log's
//!   must not be signed. The signatures of sessions are left out when stores are compared.
//! - A named session that goes back (`checkout`) is set to fork 0, whatever the log's is, and cannot be committed then: scripts go back
//!   on logs of fork 0.
//! - Snapshots take it for done when a log is cut in an atom, also if the atom is never flushed: such atoms cut nothing while there are
//!   snapshots.
//! - What an atom appends to an encrypted log that it cut before is encrypted for the fork before the cut: one nonce for two texts.
//!   Scripts append nothing there.
//! - An atom that appends and then cuts its own blocks off again leaves a contiguous length that is too long, and one that
//!   cuts twice forgets the first time: atoms cut first, and once.
//! - A named session that begins anew (`overwrite`) beside an empty log keeps its old head: it is done beside others only.
//! - A named session that is opened again when it is as long as the log gets the log's tree, whatever its own blocks are: scripts begin
//!   it anew then.
//! - A named session that the log is cut beneath shares what comes there later, and its hashes do not fit any more: such sessions are
//!   left alone, until they begin anew.
//! - A group's updates are left behind by atoms: none are made of logs with a group. And by commits that change nothing, after which
//!   the log in memory has no signature any more, either: they are not in scripts.
//! - `append` and `commit` return the bytes of the log with what encryption adds, everything else tells them without: their
//!   replies are compared without them.
//! - `commit` leaves the contiguous length on disk as it was, until the next change or opening: each script ends with an opening.
//! - A snapshot says that it is writable; appending to it fails then. Ours says that it is not. Its bytes, too, are told with
//!   what encryption adds.
//! - `clear` always says 0 blocks, `info` has no sizes, `userData` given when a core is opened in a store is not stored, `purge`
//!   throws, `proof` with a seek fails: replies are compared without the first two, the others are not in scripts.

use hc_interop::Value;

use super::part::{Reply, Step};

/// Whether Node takes away the same tree nodes as ours does when it clears from here on. `stored` are the blocks before that.
///
/// The way goes from the leaf up to a root. At each level node and sibling go, until a sibling has a stored block below it. Node
/// does not look at siblings that are on the left and end within the range.
pub(super) fn clears_alike(stored: &[bool], start: u64, end: u64) -> bool {
    let length = stored.len() as u64;
    let any = |from: u64, to: u64| (from..to).any(|at| stored.get(at as usize).copied().unwrap_or(false));
    let (mut first, mut width) = (start, 1);
    // a subtree that reaches beyond the log's end has no node: the one below it is a root
    while first / (2 * width) * (2 * width) + 2 * width <= length {
        let parent = first / (2 * width) * (2 * width);
        let sibling = if first == parent { first + width } else { parent };
        let node_looks = sibling > start || sibling + width > end;
        match (any(sibling, sibling + width), node_looks) {
            (true, true) => return true,
            (true, false) => return false,
            (false, _) => {}
        }
        (first, width) = (parent, 2 * width);
    }
    true
}

/// A reply without what Node is known to say wrongly, and without what differs between any two runs.
pub(super) fn comparable(step: &Step, reply: Reply) -> Reply {
    let mut reply = reply?;
    let of_snapshot = |name: Option<&str>| name.is_some_and(|name| name.starts_with("$snapshot"));
    let without: &[&str] = match step.op {
        "append" | "core.commit" => &["byteLength"],
        "clear" => &["blocks"],
        "core.session" if of_snapshot(step.gives.as_deref()) => &["writable", "byteLength"],
        "core.state" if of_snapshot(step.fields.get("core").and_then(Value::as_str)) => {
            &["writable", "byteLength"]
        }
        "info" => &["storage"],
        "appendMany" => &["seconds"],
        _ => &[],
    };
    if let Some(fields) = reply.as_object_mut() {
        for field in without {
            fields.remove(*field);
        }
        // updates of the same millisecond have no order
        if let Some(updates) = fields.get_mut("updates").and_then(Value::as_array_mut) {
            updates.sort_by_key(ToString::to_string);
        }
    }
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::clears_alike;

    #[test]
    fn node_goes_wrong_where_a_stored_block_is_on_the_left() {
        let full = [true; 8];
        // the sibling of an even block is on the right, where Node looks
        assert!((0..8).step_by(2).all(|start| clears_alike(&full, start, start + 1)));
        assert!((1..8).step_by(2).all(|start| !clears_alike(&full, start, start + 1)));
        // an older hole on the right lets both go up, to where the left is stored
        let hole = [true, true, true, false, true, true, true, true];
        assert!(!clears_alike(&hole, 2, 3));
        let left = [false, false, true, false, true, true, true, true];
        assert!(clears_alike(&left, 2, 3));
        // a root has no sibling
        assert!(clears_alike(&[true, true, true], 2, 3));
    }
}
