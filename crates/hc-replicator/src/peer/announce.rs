//! What a peer is told about us: sync and range messages, and the bitfields that answer its wants.
//!
//! A sync that says nothing new is not sent again. Ranges below the last 256 blocks go only to those that want them,
//! and never to those that have them; that we have everything is told to everybody, once.
//!
//! Follows npm hypercore 11.37.1, lib/replicator.js (sendSync, signalUpgrade, broadcastRange, _onwant).

use crate::wire;

use super::Peer;
use super::interest::TheirWant;
use crate::event::{Output, PeerId, Time};
use crate::have::Have;
use crate::limits::{LAST_BLOCKS, WANT_BATCH};
use crate::outbox::Outbox;

/// The longest bitfield, in blocks (one segment of Node's bitfield).
const SEGMENT: u64 = WANT_BATCH;

/// A question to the driver that has no answer yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Probing {
    fork: u64,
    length: u64,
    /// Asked because of their sync (else because of a change here).
    of_sync: bool,
}

/// What was told to a peer.
#[derive(Debug)]
pub(crate) struct Told {
    /// Whether we can upgrade them, as far as they were told.
    can_upgrade: bool,
    probing: Option<Probing>,
    needs_sync: bool,
    /// The longest length from which we said we can upgrade them, and on which fork.
    upgradable: (u64, u64),
    /// The length up to which they were told that we have everything.
    full: u64,
    last: Option<wire::Sync>,
}

impl Default for Told {
    fn default() -> Self {
        Self { can_upgrade: true, probing: None, needs_sync: false, upgradable: (0, 0), full: 0, last: None }
    }
}

impl Told {
    pub(crate) const fn can_upgrade_them(&self) -> bool {
        self.can_upgrade && !self.is_syncing()
    }

    /// The length below which they can prove blocks to us although they are behind us.
    pub(crate) const fn upgradable_below(&self, fork: u64) -> u64 {
        if self.upgradable.1 == fork { self.upgradable.0 } else { 0 }
    }

    /// Whether their last sync is not worked off yet.
    pub(crate) const fn is_syncing(&self) -> bool {
        matches!(self.probing, Some(Probing { of_sync: true, .. }))
    }

    pub(crate) const fn truncated(&mut self, length: u64) {
        if self.full > length {
            self.full = length;
        }
    }
}

/// What is told about us beside the blocks.
#[derive(Clone, Copy)]
pub(crate) struct Us<'a> {
    pub(crate) have: &'a Have,
    pub(crate) downloading: bool,
}

impl Peer {
    /// The first words: sync, and the range from 0 where that is worth a message.
    pub(crate) fn greet(&mut self, us: Us<'_>, out: &mut Outbox) {
        self.send_sync(us, out);
        let contiguous = us.have.contiguous.min(us.have.length);
        if contiguous > 0 {
            self.announce(us.have, 0, contiguous, false, out);
        }
    }

    fn send_sync(&mut self, us: Us<'_>, out: &mut Outbox) {
        if self.told.is_syncing() {
            self.told.needs_sync = true;
            return;
        }
        let same_fork = us.have.fork == self.remote.fork;
        if !same_fork {
            self.told.can_upgrade = false;
        }
        self.told.needs_sync = false;
        let sync = wire::Sync {
            fork: us.have.fork,
            length: us.have.length,
            remote_length: if same_fork { self.remote.length } else { 0 },
            can_upgrade: self.told.can_upgrade,
            uploading: true,
            downloading: us.downloading,
            has_manifest: us.have.has_manifest,
            allow_push: false,
        };
        if self.told.last.as_ref() != Some(&sync) {
            out.send(self.id, wire::Message::Sync(sync.clone()));
            self.told.last = Some(sync);
        }
    }

    /// Something about us changed.
    pub(crate) fn signal(&mut self, us: Us<'_>, out: &mut Outbox) {
        let behind = us.have.fork == self.remote.fork && us.have.length > self.remote.length;
        if behind && !self.told.can_upgrade && !self.told.is_syncing() {
            match self.can_upgrade_from(us.have, false, out) {
                Some(true) => {
                    self.told_upgradable(us.have);
                    self.send_sync(us, out);
                }
                Some(false) => self.send_sync(us, out),
                // told once the driver has found that we can bring them up, else as soon as they are no longer behind us
                None => self.told.needs_sync = true,
            }
        } else {
            self.send_sync(us, out);
        }
    }

    fn told_upgradable(&mut self, have: &Have) {
        self.told.can_upgrade = true;
        self.told.upgradable = (self.remote.length, have.fork);
    }

    /// Whether we can prove to them everything above their length; `None` if the driver must look.
    fn can_upgrade_from(&mut self, have: &Have, of_sync: bool, out: &mut Outbox) -> Option<bool> {
        let (fork, length) = (have.fork, self.remote.length);
        if self.remote.fork != fork {
            return Some(false);
        }
        if length == 0 {
            return Some(true);
        }
        if length >= have.length {
            return Some(false);
        }
        if have.complete() {
            return Some(true);
        }
        let probing = Some(Probing { fork, length, of_sync });
        if self.told.probing != probing {
            self.told.probing = probing;
            out.push(Output::Probe { peer: self.id, fork, length });
        }
        None
    }

    /// Their sync was taken in; `length_changed` says whether it had another length than the one before.
    pub(crate) fn after_sync(&mut self, length_changed: bool, us: Us<'_>, out: &mut Outbox) {
        self.told.probing = None;
        let same_fork = self.remote.fork == us.have.fork;
        let can = if length_changed && same_fork {
            self.can_upgrade_from(us.have, true, out)
        } else {
            Some(self.told.can_upgrade && same_fork)
        };
        if let Some(can) = can {
            self.conclude_sync(can, us, out);
        }
    }

    fn conclude_sync(&mut self, can: bool, us: Us<'_>, out: &mut Outbox) {
        self.told.can_upgrade = can;
        if can {
            self.told_upgradable(us.have);
        }
        let behind = us.have.fork == self.remote.fork && us.have.length > self.remote.length;
        if std::mem::take(&mut self.told.needs_sync) || behind {
            self.signal(us, out);
        }
    }

    /// The driver looked.
    pub(crate) fn probed(&mut self, (fork, length, can): (u64, u64, bool), us: Us<'_>, out: &mut Outbox) {
        let Some(probing) = self.told.probing.filter(|asked| (asked.fork, asked.length) == (fork, length))
        else {
            return;
        };
        self.told.probing = None;
        let can = can && us.have.fork == fork && self.remote.fork == fork && self.remote.length == length;
        if probing.of_sync {
            self.conclude_sync(can, us, out);
        } else if can && !self.told.can_upgrade {
            self.told_upgradable(us.have);
            self.send_sync(us, out);
        }
    }

    /// Blocks `start..start + length` are here now, or were dropped.
    pub(crate) fn announce(&mut self, have: &Have, start: u64, length: u64, drop: bool, out: &mut Outbox) {
        if self.trust.paused {
            return;
        }
        let full = have.complete();
        let (mut start, mut length, mut force) = (start, length, false);
        if drop {
            out.send(self.id, range(start, length, true));
            return;
        }
        if start.saturating_add(LAST_BLOCKS) < have.length && !full && !self.theirs.has_range(start, length) {
            return;
        }
        if full {
            (start, length) = (0, have.length);
            force = self.told.full < length;
            self.told.full = self.told.full.max(length);
        }
        if force || self.remote.claims().first_unset(start) < start.saturating_add(length) {
            out.send(self.id, range(start, length, false));
        }
    }

    /// Answers a want; later, if there is no credit left for bitfields.
    pub(crate) fn answer_want(&mut self, have: &Have, now: Time, want: TheirWant, out: &mut Outbox) {
        if !self.try_answer_want(have, now, want, out) {
            self.theirs.postpone(want);
        }
    }

    /// Answers as many postponed wants as there is credit for.
    pub(crate) fn answer_postponed(&mut self, have: &Have, now: Time, out: &mut Outbox) {
        while let Some(want) = self.theirs.next() {
            if !self.try_answer_want(have, now, want, out) {
                self.theirs.unshift(want);
                return;
            }
        }
    }

    fn try_answer_want(&mut self, have: &Have, now: Time, want: TheirWant, out: &mut Outbox) -> bool {
        if self.trust.paused || have.length == 0 {
            return true;
        }
        let TheirWant { start, length, any } = want;
        let contiguous = have.contiguous.min(have.length);
        let end = start.saturating_add(length);
        if end < contiguous || have.length == contiguous || (any && start < contiguous) {
            out.send(self.id, range(0, contiguous, false));
            return true;
        }
        let end = end.min(have.length);
        if any {
            if let Some(index) = have.stored.first_set(start, end) {
                out.send(self.id, range(index, 1, false));
            }
            return true;
        }
        if start >= end {
            return true;
        }
        if !self.theirs.spend(now, (end - start) / 8) {
            return false;
        }
        send_bitfields(self.id, have, start, end, out);
        true
    }
}

fn send_bitfields(peer: PeerId, have: &Have, start: u64, end: u64, out: &mut Outbox) {
    let mut at = start / 32 * 32;
    while at < end {
        let stop = ((at / SEGMENT + 1) * SEGMENT).min(end);
        if have.stored.first_set(at, stop).is_some() {
            let words = have.stored.words(at, (stop - at).div_ceil(32) as usize);
            out.send(peer, wire::Message::Bitfield(wire::Bitfield { start: at, bitfield: words }));
        }
        at = stop;
    }
}

const fn range(start: u64, length: u64, drop: bool) -> wire::Message {
    wire::Message::Range(wire::Range { drop, start, length })
}
