//! A longer length than ours.
//!
//! There is at most one upgrade at a time: asked for by waiters, or eagerly because a peer is longer. It ends when our
//! length or fork differs from when it began (true), or when no peer can help (false).
//!
//! Follows npm hypercore 11.37.1, lib/replicator.js (UpgradeRequest, _checkUpgradeIfAvailable).

use crate::event::WantId;
use crate::have::Have;

#[derive(Debug)]
struct Pending {
    fork: u64,
    length: u64,
    waiters: Vec<WantId>,
}

#[derive(Debug, Default)]
pub(crate) struct Upgrade {
    pending: Option<Pending>,
    /// Requests in flight with an upgrade (one at a time).
    inflight: usize,
}

impl Upgrade {
    /// Begins one if none is under way.
    pub(crate) fn begin(&mut self, have: &Have) {
        if self.pending.is_none() {
            self.pending = Some(Pending { fork: have.fork, length: have.length, waiters: Vec::new() });
        }
    }

    pub(crate) fn add(&mut self, want: WantId, have: &Have) {
        self.begin(have);
        if let Some(pending) = &mut self.pending {
            pending.waiters.push(want);
        }
    }

    /// Forgets a waiter. Without eager upgrades, the upgrade ends with its last waiter unless it is in flight.
    pub(crate) fn cancel(&mut self, want: WantId, eager: bool) {
        let Some(pending) = &mut self.pending else { return };
        pending.waiters.retain(|waiter| *waiter != want);
        if pending.waiters.is_empty() && !eager && self.inflight == 0 {
            self.pending = None;
        }
    }

    /// The fork and length from which somebody waits for a longer one.
    pub(crate) fn waited_from(&self) -> Option<(u64, u64)> {
        self.pending
            .as_ref()
            .filter(|pending| !pending.waiters.is_empty())
            .map(|pending| (pending.fork, pending.length))
    }

    /// Whether one is under way that nobody was asked for yet.
    pub(crate) const fn is_idle(&self) -> bool {
        self.pending.is_some() && self.inflight == 0
    }

    pub(crate) const fn in_flight(&self) -> bool {
        self.inflight > 0
    }

    pub(crate) const fn sent(&mut self) {
        self.inflight += 1;
    }

    pub(crate) const fn done(&mut self) {
        self.inflight = self.inflight.saturating_sub(1);
    }

    pub(crate) const fn count(&self) -> usize {
        self.inflight
    }

    /// If our length or fork changed since it began, ends it.
    pub(crate) fn take_changed(&mut self, have: &Have) -> Vec<WantId> {
        let changed = |pending: &mut Pending| (pending.fork, pending.length) != (have.fork, have.length);
        self.pending.take_if(changed).map_or_else(Vec::new, |pending| pending.waiters)
    }

    /// Ends it.
    pub(crate) fn take(&mut self) -> Vec<WantId> {
        self.pending.take().map_or_else(Vec::new, |pending| pending.waiters)
    }
}
