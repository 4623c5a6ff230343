//! Single blocks that somebody waits for.
//!
//! Invariant: a block is queued if and only if somebody waits for it and it is neither stored nor in flight.

use std::collections::BTreeMap;

use crate::bits::Bits;
use crate::event::WantId;
use crate::have::Have;

#[derive(Debug, Default)]
pub(crate) struct Blocks {
    waiting: BTreeMap<u64, Vec<WantId>>,
    queued: Bits,
}

impl Blocks {
    pub(crate) fn add(&mut self, index: u64, want: WantId, have: &Have) {
        self.waiting.entry(index).or_default().push(want);
        if !have.skip.get(index) {
            self.queued.set(index, true);
        }
    }

    /// Forgets one waiter; true if nobody waits for the block any more.
    pub(crate) fn cancel(&mut self, index: u64, want: WantId) -> bool {
        let Some(waiters) = self.waiting.get_mut(&index) else { return false };
        waiters.retain(|waiter| *waiter != want);
        if !waiters.is_empty() {
            return false;
        }
        self.waiting.remove(&index);
        self.queued.set(index, false);
        true
    }

    /// Blocks that nobody was asked for yet.
    pub(crate) const fn queued(&self) -> &Bits {
        &self.queued
    }

    pub(crate) fn is_waited_for(&self, index: u64) -> bool {
        self.waiting.contains_key(&index)
    }

    /// The block is in flight now.
    pub(crate) fn mark(&mut self, index: u64) {
        if !self.queued.is_empty() {
            self.queued.set(index, false);
        }
    }

    /// The block is in flight no more.
    pub(crate) fn release(&mut self, index: u64, have: &Have) {
        if self.waiting.contains_key(&index) && !have.skip.get(index) {
            self.queued.set(index, true);
        }
    }

    /// The block is stored: everybody who waited for it.
    pub(crate) fn take(&mut self, index: u64) -> Vec<WantId> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        self.queued.set(index, false);
        self.waiting.remove(&index).unwrap_or_default()
    }

    /// A block of `start..end` that is waited for.
    pub(crate) fn first_in(&self, start: u64, end: u64) -> Option<u64> {
        self.waiting.range(start..end.max(start)).next().map(|(index, _)| *index)
    }

    pub(crate) fn waiting(&self) -> impl Iterator<Item = u64> {
        self.waiting.keys().copied()
    }
}
