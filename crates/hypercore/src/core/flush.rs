//! Flushing an atom: what its members became is written at once, and then becomes what everybody sees.
//!
//! All writers of the cores concerned are held meanwhile, in the order of their discovery keys, so that two atoms never wait
//! for each other. A core that was written beside the atom loses those writes where the two disagree: the atom wins.
//!
//! Follows npm hypercore 11.37.1, `lib/session-state.js` (`_commit`, `_oncommit`).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hc_tree::bitfield::BitChange;

use super::Core;
use super::branch::{Branch, Kind, Now};
use super::state::State;
use crate::events::Event;
use crate::{Error, Result};

/// A log that an atom changes.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) core: Core,
    pub(crate) branch: Arc<Branch>,
}

impl Member {
    /// Whether this is what an atom makes of that log.
    pub(crate) fn is_of(&self, core: &Core, branch: &Branch) -> bool {
        let same = match (self.branch.kind(), branch.kind()) {
            (Kind::Atomic, Kind::Atomic) => true,
            (Kind::AtomicNamed(one), Kind::AtomicNamed(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        same && self.core.discovery_key() == core.discovery_key()
    }

    /// Whether the log is still where the atom found it.
    fn check_parent(&self) -> Result<()> {
        let (pointers, moved) = match self.branch.kind() {
            Kind::AtomicNamed(parent) => (parent.disk().pointers(), !parent.core().is(&self.core)),
            _ => (self.core.0.disk.pointers(), false),
        };
        if pointers == self.branch.disk().pointers() && !moved && !self.core.is_closed() {
            return Ok(());
        }
        let reason = "the atom was made for another log than the one that is there now".into();
        Err(Error::InvalidOperation { reason, discovery_key: *self.core.discovery_key() })
    }

    /// The atom wins over what was written beside it, but not once peers may have seen that: two histories on one fork would
    /// end the log.
    fn check_history(&self) -> Result<()> {
        let (head, fork) = {
            let state = self.core.0.state.read();
            (state.head().clone(), state.head().fork())
        };
        let ours = self.branch.head();
        if !self.core.may_be_watched() || ours.fork() != fork {
            return Ok(());
        }
        let goes_on = ours.length() >= head.length()
            && self.core.head_at(Some(&self.branch), head.length())?.hash() == head.hash();
        if goes_on {
            return Ok(());
        }
        let reason = "the atom would undo, on the same fork, what peers may have been told".into();
        Err(Error::InvalidOperation { reason, discovery_key: *self.core.discovery_key() })
    }

    /// Undoes in the atom what was written to the log beside it.
    fn overrule(&self) -> Result<()> {
        if !self.branch.is_public() {
            return Ok(());
        }
        self.check_history()?;
        let there = self.core.0.state.read();
        let disk = self.branch.disk();
        let (length, theirs) = (self.branch.status().length, there.head().length());
        let mut changes = self.branch.done();
        let mut write = disk.write();
        if length < theirs {
            write.delete_blocks(length, theirs);
            changes.push(BitChange { start: length, end: theirs, set: false });
        }
        for (page, bytes) in there.bitfield().pages_with(&changes) {
            write.bitfield_page(page, &bytes);
        }
        write.hints(&self.branch.rebase(there.bitfield().clone(), changes));
        disk.commit(write)?;
        Ok(())
    }

    /// What is written becomes what everybody sees.
    fn publish(&self) {
        let events = self.branch.untold();
        if let Kind::AtomicNamed(parent) = self.branch.kind() {
            let disk = self.branch.disk().over(Arc::clone(parent.disk().kv()));
            parent.become_now(Now { state: self.branch.state(), disk });
            for event in events {
                parent.tell(event);
            }
            return;
        }
        if !self.branch.was_changed() {
            return;
        }
        self.core.become_state(self.branch.state());
        for event in events {
            match event {
                Event::Truncate { length, fork } => self.core.after_cut(length, fork),
                Event::Append { length, byte_length } => {
                    self.core.announce(length);
                    self.core.emit(|| Event::Append { length, byte_length });
                }
                _ => {}
            }
        }
    }
}

impl Core {
    pub(super) fn become_state(&self, next: State) {
        self.0.changes.fetch_add(1, Ordering::AcqRel);
        let mut state = self.0.state.write();
        *state = next;
        self.bear_witness(&state);
        let (status, group) = (state.status(), state.group().copied());
        drop(state);
        self.0.status.send_replace(status);
        if let Some(group) = group {
            self.tell_group(group, status);
        }
    }
}

/// Writes what the members of an atom became.
pub(crate) fn flush(members: &[Member], write: impl FnOnce() -> Result<()>) -> Result<()> {
    let mut cores: Vec<&Core> = members.iter().map(|member| &member.core).collect();
    cores.sort_by_key(|core| *core.discovery_key());
    cores.dedup_by_key(|core| *core.discovery_key());
    let writing: Vec<_> = cores.iter().map(|core| core.writing()).collect();
    let parents = members.iter().filter_map(|member| match member.branch.kind() {
        Kind::AtomicNamed(parent) => Some(parent),
        _ => None,
    });
    let _parents: Vec<_> = parents.map(|parent| parent.writer().lock()).collect();
    for member in members {
        member.check_parent()?;
    }
    for member in members.iter().filter(|member| member.branch.was_changed()) {
        if member.branch.was_overtaken() {
            member.overrule()?;
        }
    }
    write()?;
    for member in members {
        member.core.0.storage.committed();
        member.publish();
        member.branch.settle();
    }
    drop(writing);
    for core in cores {
        core.drive_writer();
    }
    Ok(())
}
