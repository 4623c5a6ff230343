//! The local core as peers may know it: fork, length and blocks; and what is already on its way here.
//!
//! Invariants: `skip` holds every stored block and every block in flight, nothing else; `contiguous` is the first
//! block that is not stored.

use crate::bits::Bits;
use crate::event::LocalState;

#[derive(Debug)]
pub(crate) struct Have {
    pub(crate) fork: u64,
    pub(crate) length: u64,
    pub(crate) has_manifest: bool,
    /// The first block that is not stored.
    pub(crate) contiguous: u64,
    /// Stored blocks.
    pub(crate) stored: Bits,
    /// Stored blocks and blocks in flight.
    pub(crate) skip: Bits,
}

impl Have {
    pub(crate) fn new(state: LocalState, ranges: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let mut stored = Bits::default();
        for (start, end) in ranges {
            stored.set_range(start, end.min(state.length), true);
        }
        let contiguous = stored.first_unset(0);
        let skip = stored.clone();
        let LocalState { fork, length, has_manifest } = state;
        Self { fork, length, has_manifest, contiguous, stored, skip }
    }

    /// Whether every block is stored.
    pub(crate) const fn complete(&self) -> bool {
        self.contiguous == self.length
    }

    /// A block is on its way.
    pub(crate) fn mark(&mut self, index: u64) {
        self.skip.set(index, true);
    }

    /// A block is no longer on its way.
    pub(crate) fn release(&mut self, index: u64) {
        let stored = self.stored.get(index);
        self.skip.set(index, stored);
    }

    /// A block is stored now.
    pub(crate) fn store(&mut self, index: u64) {
        self.stored.set(index, true);
        self.skip.set(index, true);
        if index == self.contiguous {
            self.contiguous = self.stored.first_unset(index);
        }
    }

    /// The blocks `start..end` are stored now.
    pub(crate) fn store_range(&mut self, start: u64, end: u64) {
        self.stored.set_range(start, end, true);
        self.skip.set_range(start, end, true);
        self.contiguous = self.stored.first_unset(self.contiguous);
    }

    /// The blocks `start..end` are not stored any more, nor in flight.
    pub(crate) fn drop_range(&mut self, start: u64, end: u64) {
        self.stored.set_range(start, end, false);
        self.skip.set_range(start, end, false);
        self.contiguous = self.contiguous.min(start);
        self.contiguous = self.stored.first_unset(self.contiguous);
    }
}
