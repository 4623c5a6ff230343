//! Flushing an atom: what its members became is written at once, and then becomes what everybody sees.
//!
//! All writers of the cores concerned are held meanwhile, in the order of their discovery keys, so that two atoms never wait
//! for each other. A core that was written beside the atom loses those writes where the two disagree: the atom wins, on a fork on
//! which the log has no other history. Where it cannot be signed for one, or would use a nonce twice, it is refused.
//!
//! Follows npm hypercore 11.37.1, `lib/session-state.js` (`_commit`, `_oncommit`).

use std::sync::Arc;

use hc_replicator::Local;
use hc_tree::TreeHead;
use hc_tree::bitfield::BitChange;

use super::Core;
use super::append::Signer;
use super::branch::{Branch, Kind, Now};
use super::effects::{Writing, WritingAll};
use crate::events::Event;
use crate::{Error, Result};

/// What becomes of an atom whose log was changed beside it.
enum Verdict {
    /// Nothing of the log is undone.
    AsItIs,
    /// It undoes what was written beside it, on this fork; signed anew if somebody is named.
    OnFork(u64, Option<Signer>),
}

/// A log that an atom changes.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) core: Core,
    pub(crate) branch: Arc<Branch>,
}

impl Member {
    /// Whether this is what an atom makes of that log.
    pub(crate) fn is_of(&self, core: &Core, branch: &Branch) -> bool {
        match (self.branch.kind(), branch.kind()) {
            (Kind::Atomic, Kind::Atomic) => self.core.discovery_key() == core.discovery_key(),
            // whichever core the session is of by now
            (Kind::AtomicNamed(one), Kind::AtomicNamed(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
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

    /// What becomes of the two where the core was changed beside the atom.
    fn verdict(&self) -> Result<Verdict> {
        if !self.branch.is_public() {
            return Ok(Verdict::AsItIs);
        }
        let there = self.core.0.state.read().head().clone();
        let ours = self.branch.head();
        let Some(signer) = self.branch.signed_by() else {
            // only blocks were taken away: what the log is now must stay
            return if ours == there {
                Ok(Verdict::AsItIs)
            } else {
                self.refused("the log was changed beside it")
            };
        };
        self.core.check_writable()?;
        if self.branch.began_with(&there) {
            return Ok(Verdict::AsItIs);
        }
        self.check_base(&ours)?;
        if self.goes_on(&there)? {
            return Ok(Verdict::AsItIs);
        }
        if self.branch.sealed_up_to(there.fork()) {
            return self.refused("its blocks are encrypted with nonces that were used beside it");
        }
        if ours.fork() > there.fork() {
            return Ok(Verdict::OnFork(ours.fork(), None));
        }
        match signer {
            Signer::Pair(_) => Ok(Verdict::OnFork(self.core.next_fork(there.fork(), None)?, Some(signer))),
            // it is for a fork on which there is another history by now
            _ => self.refused("it was signed elsewhere, for a fork on which the log was changed beside it"),
        }
    }

    fn refused<T>(&self, why: &str) -> Result<T> {
        let reason = format!("the atom cannot be flushed: {why}");
        Err(Error::InvalidOperation { reason, discovery_key: *self.core.discovery_key() })
    }

    /// Whether what the atom made of the log begins with the log as it is now.
    fn goes_on(&self, there: &TreeHead) -> Result<bool> {
        let ours = self.branch.head();
        if ours.length() < there.length() || ours.fork() < there.fork() {
            return Ok(false);
        }
        match self.core.head_at(Some(&self.branch), there.length()) {
            Ok(common) => Ok(common.hash() == there.hash()),
            Err(Error::TreeGap { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What the atom has of the log as it was must still be there.
    fn check_base(&self, ours: &TreeHead) -> Result<()> {
        if self.branch.still() < self.branch.base() {
            return self.refused("blocks that it goes on from were cut away beside it");
        }
        let disk = self.branch.disk();
        for root in ours.roots() {
            if disk.tree_node(root.index)?.is_none() {
                return self.refused("hashes that it goes on from were cleared beside it");
            }
        }
        Ok(())
    }

    /// Undoes in the atom what was written to the log beside it.
    fn overrule(&self, verdict: Verdict) -> Result<()> {
        if !self.branch.is_public() || !self.branch.was_overtaken() {
            return Ok(());
        }
        let disk = self.branch.disk();
        let (length, theirs) = (self.branch.status().length, self.core.status().length);
        let mut write = disk.write();
        let mut changes = self.branch.done();
        if let Verdict::OnFork(fork, signer) = verdict {
            let common = self.branch.still();
            if let Some(signer) = signer {
                let planned = self.branch.plan(|line| line.truncate(length, fork, &signer.into()))?;
                self.branch.commit(planned)?;
            }
            self.branch.tell(Event::Truncate { length: common, fork });
        }
        if length < theirs {
            write.cut(length, theirs);
            changes.push(BitChange { start: length, end: theirs, set: false });
        }
        let there = self.core.0.state.read();
        for (page, bytes) in there.bitfield().pages_with(&changes) {
            write.bitfield_page(page, &bytes);
        }
        write.hints(&self.branch.rebase(there.bitfield().clone(), changes));
        disk.commit(write)?;
        Ok(())
    }

    /// What is written becomes what everybody sees.
    fn publish(&self, writing: &mut Writing<'_>) {
        let events = self.branch.untold();
        if let Kind::AtomicNamed(parent) = self.branch.kind() {
            let disk = self.branch.disk().over(Arc::clone(parent.disk().kv()));
            parent.become_now(Now { state: self.branch.state(), disk });
            for event in events {
                if let Event::Truncate { length, .. } = event {
                    parent.cut_snapshots(length);
                }
                parent.tell(event);
            }
            return;
        }
        if !self.branch.was_changed() {
            return;
        }
        writing.become_state(self.branch.state());
        for event in events {
            match event {
                Event::Truncate { length, fork } => writing.truncated(length, fork),
                Event::Append { length, byte_length } => {
                    writing.replicate(Local::Appended { length });
                    writing.emit(|| Event::Append { length, byte_length });
                }
                _ => {}
            }
        }
        self.replicate_done(writing);
    }

    /// Has the replicator told which of the blocks that the atom stored or took away are here now. No event tells of these.
    fn replicate_done(&self, writing: &mut Writing<'_>) {
        let (done, state) = (self.branch.done(), self.branch.state());
        let (bitfield, length) = (state.bitfield(), state.head().length());
        for BitChange { start, end, .. } in done {
            let (mut at, end) = (start, end.min(length));
            while at < end {
                let stored = bitfield.get(at);
                let next = if stored { Some(bitfield.first_unset(at)) } else { bitfield.first_set(at) };
                let stop = next.map_or(end, |next| next.min(end));
                writing.replicate(if stored {
                    Local::Stored { start: at, end: stop }
                } else {
                    Local::Cleared { start: at, end: stop }
                });
                at = stop;
            }
        }
    }
}

/// Writes what the members of an atom became.
pub(crate) fn flush(members: &[Member], write: impl FnOnce() -> Result<()>) -> Result<()> {
    let mut cores: Vec<&Core> = members.iter().map(|member| &member.core).collect();
    cores.sort_by_key(|core| *core.discovery_key());
    cores.dedup_by_key(|core| *core.discovery_key());
    let mut writing = WritingAll::new(&cores);
    let parents = members.iter().filter_map(|member| match member.branch.kind() {
        Kind::AtomicNamed(parent) => Some(parent),
        _ => None,
    });
    let mut parents: Vec<&Arc<Branch>> = parents.collect();
    // each once, and in one order for everybody
    parents.sort_by_key(|parent| Arc::as_ptr(parent));
    parents.dedup_by_key(|parent| Arc::as_ptr(parent));
    let parents: Vec<_> = parents.into_iter().map(|parent| parent.writer().lock()).collect();
    let branches: Vec<_> = members.iter().map(|member| member.branch.writer().lock()).collect();
    for member in members {
        member.check_parent()?;
    }
    let changed = || members.iter().filter(|member| member.branch.was_changed());
    let verdicts = changed().map(Member::verdict).collect::<Result<Vec<_>>>()?;
    for (member, verdict) in changed().zip(verdicts) {
        member.overrule(verdict)?;
    }
    write()?;
    for member in members {
        if let Some(writing) = writing.of(|core| core.is(&member.core)) {
            member.publish(writing);
        }
        member.branch.settle();
    }
    drop((parents, branches));
    Ok(())
}
