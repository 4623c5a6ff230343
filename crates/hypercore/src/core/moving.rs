//! Moving a named session to another core: it continues there with the blocks that both have.
//!
//! The session becomes the one of its name at the other core, which is made if there is none, as a session of the first blocks
//! of that log. Its blocks are not copied: they have to be there, and the hashes of the two trees are compared before anything
//! is written. What the session's old core has stored of it stays there.
//!
//! Follows npm hypercore 11.37.1, `lib/session-state.js` (`moveTo`, `_moveToCore`) and `index.js` (`transferSession`), which
//! compare nothing.

use std::sync::Arc;

use hc_storage::CoreStorage;
use hc_tree::{TreeHead, head_at};

use super::Core;
use super::branch::{Branch, Kind, Now};
use super::effects::WritingAll;
use super::line::{Line, NodesOf, Planned, session_head};
use super::state::{Committed, State};
use crate::events::Event;
use crate::{Error, Result};

/// What a session was and becomes.
struct Change {
    before: TreeHead,
    fork: u64,
    length: u64,
}

/// Where a session goes: the stored session of its name, or else the log itself.
struct Place {
    state: State,
    disk: CoreStorage,
    resumed: bool,
}

impl Branch {
    /// Makes this a session of another core with a length. Returns the core that it leaves.
    pub(crate) fn move_to(self: &Arc<Self>, target: &Core, length: u64) -> Result<Core> {
        let Kind::Named(name) = self.kind() else {
            return Err(Error::Assertion("only named sessions can be moved".into()));
        };
        let from = self.core().clone();
        if from.is(target) {
            return Err(Error::Assertion("the session is one of this core already".into()));
        }
        from.check_roots()?;
        target.check_roots()?;
        let mut order = [&from, target];
        order.sort_by_key(|core| (*core.discovery_key(), Arc::as_ptr(&core.0)));
        let held = WritingAll::new(&order);
        let writer = self.writer().lock();
        if !from.is(self.core()) {
            return Err(Error::SessionMoved { discovery_key: *from.discovery_key() });
        }
        let place = place(target, name)?;
        let change = self.checked(target, &place, length)?;
        let cut =
            match length < change.before.length() {
                true => Some(self.plan(|line| {
                    line.truncate(length, change.before.fork(), &super::Signer::Nobody.into())
                })?),
                false => None,
            };
        let there = settled(target, name, place, &change)?;
        let had_manifest = from.manifest().is_some();
        if let Some(cut) = cut {
            self.disk().commit(cut.write)?;
            from.0.branches.cut(length, Some(name));
        }
        self.go_to(target, there);
        drop(writer);
        drop(held);
        self.take_sessions_along();
        self.tell_of_move(&change, !had_manifest && target.manifest().is_some());
        Ok(from)
    }

    /// What is to change, if the other core has the session's blocks.
    fn checked(&self, target: &Core, there: &Place, length: u64) -> Result<Change> {
        let discovery_key = *target.discovery_key();
        let refused = |reason: String| Err(Error::InvalidOperation { reason, discovery_key });
        if target.is_closed() {
            return Err(target.reason_of_closing());
        }
        let before = self.head();
        let (has, prologue) = (there.state.head().length(), target.prologue_length());
        let what = if there.resumed { "stored session of this name" } else { "log" };
        if length > has {
            return refused(format!("the other core's {what} has {has} blocks, not {length}"));
        }
        if length < prologue {
            return refused(format!(
                "length {length} lies inside the other core's prologue of {prologue} blocks"
            ));
        }
        let common = length.min(before.length());
        let own = head_at(&NodesOf(&self.disk()), &before, common, 0)
            .map_err(|error| self.core().explained(error, Some(common)))?;
        let others = head_at(&NodesOf(&there.disk), there.state.head(), common, 0)
            .map_err(|error| target.explained(error, Some(common)))?;
        if own.hash() != others.hash() {
            return refused(format!("the other core's {what} has other blocks among the first {common}"));
        }
        let fork = match length < before.length() {
            true => target.next_fork(before.fork(), None)?,
            false => before.fork(),
        };
        Ok(Change { before, fork, length })
    }

    fn tell_of_move(&self, change: &Change, manifest: bool) {
        let core = self.core();
        self.tell(Event::Migrate { key: *core.key() });
        if manifest {
            self.tell(Event::Manifest);
        }
        let (before, length) = (change.before.length(), change.length);
        if length < before {
            self.tell(Event::Truncate { length, fork: change.fork });
        }
        if length > before {
            self.tell(Event::Append { length, byte_length: self.status().byte_length });
        }
    }
}

/// Where a session of this name begins at a core. Whoever calls holds the core's writer.
fn place(target: &Core, name: &str) -> Result<Place> {
    if target.0.branches.named(name).is_some_and(|open| open.has_sessions()) {
        let reason = "a session of this name is open at the other core";
        return Err(Error::StorageConflict { reason, discovery_key: Some(*target.discovery_key()) });
    }
    let of_core = target.0.state.read().clone();
    match target.0.storage.store().resume_session(&target.0.disk, name)? {
        None => Ok(Place { state: of_core, disk: target.0.disk.clone(), resumed: false }),
        Some(disk) => {
            let state = State::load_session(&disk, of_core.auth().clone(), of_core.verifier().cloned())?;
            Ok(Place { state, disk, resumed: true })
        }
    }
}

/// Writes the session at the other core, and returns what it is there.
fn settled(target: &Core, name: &str, place: Place, change: &Change) -> Result<Now> {
    let Place { mut state, mut disk, resumed } = place;
    let length = change.length;
    if resumed {
        if length < state.head().length() {
            let line = Line { key: target.key(), state: &state, disk: &disk, public: false };
            let Planned { write, committed } =
                line.truncate(length, change.fork, &super::Signer::Nobody.into())?;
            disk.commit(write)?;
            disk = committed.disk.clone().unwrap_or(disk);
            state.take_over(Committed { disk: None, ..committed });
        }
    } else {
        let head = head_at(&NodesOf(&disk), state.head(), length, change.fork)
            .map_err(|error| target.explained(error, Some(length)))?;
        let (auth, verifier) = (state.auth().clone(), state.verifier().cloned());
        let store = target.0.storage.store();
        disk = store.create_session(&disk, name, session_head(&state, &head).as_ref())?;
        state = State::load_session(&disk, auth, verifier)?;
    }
    Ok(Now { state: state.on_fork(change.fork)?, disk })
}
