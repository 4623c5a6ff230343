//! Wants in both directions: which parts of a core one side wants to hear about.
//!
//! Ours are batches of 2^21 blocks. Theirs are power-of-two batches of 32 to 2^21 blocks, or "tell me of any block in
//! this range"; whoever sends more than the bounds, or a shape that is not kept, is told everything.
//!
//! Follows npm hypercore 11.37.1, lib/wants.js.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::event::Time;
use crate::limits::{
    BITFIELD_BURST, BITFIELD_RATE, MAX_ANY_WANTS, MAX_PEER_WANTS, MAX_QUEUED_WANTS, MAX_WANT_LENGTH,
    MAX_WANT_SIZES, MIN_WANT_LENGTH, WANT_BATCH,
};

/// The batches that we told a peer we want.
#[derive(Debug, Default)]
pub(crate) struct OurWants {
    batches: BTreeSet<u64>,
    /// The state of the world (`Replicator::world`) in which all of them were needed and there was no room.
    stuck: Option<u64>,
}

/// What to send for a batch that is wanted now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The first block of the new want.
    pub(crate) start: u64,
    /// The first block of a batch that is given up for it.
    pub(crate) unwant: Option<u64>,
}

impl OurWants {
    /// Whether the batch of this block was wanted before.
    pub(crate) fn has(&self, index: u64) -> bool {
        self.batches.contains(&(index / WANT_BATCH))
    }

    /// Whether there was no room for another batch in this state of the world, so that looking again is in vain.
    pub(crate) fn is_stuck(&self, world: u64) -> bool {
        self.stuck == Some(world)
    }

    /// Wants the batch of this block; nothing to send if it was wanted before. When full, a batch gives way for
    /// which `needed` (given its first block) is false; if there is none, nothing happens until the world changes.
    pub(crate) fn add(&mut self, index: u64, world: u64, needed: impl Fn(u64) -> bool) -> Option<Wanted> {
        let batch = index / WANT_BATCH;
        if self.batches.contains(&batch) {
            return None;
        }
        let mut unwant = None;
        if self.batches.len() >= MAX_PEER_WANTS {
            let spare = self.batches.iter().copied().find(|batch| !needed(batch * WANT_BATCH));
            let Some(given_up) = spare else {
                self.stuck = Some(world);
                return None;
            };
            self.batches.remove(&given_up);
            unwant = Some(given_up * WANT_BATCH);
        }
        self.batches.insert(batch);
        Some(Wanted { start: batch * WANT_BATCH, unwant })
    }

    pub(crate) fn len(&self) -> usize {
        self.batches.len()
    }
}

/// A want of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TheirWant {
    pub(crate) start: u64,
    pub(crate) length: u64,
    pub(crate) any: bool,
}

/// The wants of a peer, and the credit for answering them with bitfields.
#[derive(Debug)]
pub(crate) struct TheirWants {
    all: bool,
    any: Vec<(u64, u64)>,
    sizes: BTreeMap<u64, BTreeSet<u64>>,
    count: usize,
    /// Wants that wait for credit.
    queued: VecDeque<TheirWant>,
    credit: u64,
    credited: Time,
}

impl TheirWants {
    pub(crate) const fn new(now: Time) -> Self {
        Self {
            all: false,
            any: Vec::new(),
            sizes: BTreeMap::new(),
            count: 0,
            queued: VecDeque::new(),
            credit: BITFIELD_BURST,
            credited: now,
        }
    }

    /// Keeps a want; false if it is to be ignored.
    pub(crate) fn add(&mut self, want: TheirWant) -> bool {
        if want.any {
            if self.any.len() < MAX_ANY_WANTS {
                self.any.push((want.start, want.length));
            } else {
                self.all = true;
            }
            return true;
        }
        if want.length > MAX_WANT_LENGTH {
            return false;
        }
        if !is_batch(&want) || self.count >= MAX_PEER_WANTS {
            self.all = true;
            return true;
        }
        if !self.sizes.contains_key(&want.length) && self.sizes.len() >= MAX_WANT_SIZES {
            self.all = true;
            return true;
        }
        if self.sizes.entry(want.length).or_default().insert(want.start / want.length) {
            self.count += 1;
        }
        true
    }

    /// Forgets a want; one that is not there is no harm.
    pub(crate) fn remove(&mut self, want: TheirWant) {
        if want.any {
            if let Some(at) =
                self.any.iter().position(|(start, length)| (*start, *length) == (want.start, want.length))
            {
                self.any.swap_remove(at);
            }
            return;
        }
        if !is_batch(&want) {
            return;
        }
        if let Some(batches) = self.sizes.get_mut(&want.length) {
            if batches.remove(&(want.start / want.length)) {
                self.count -= 1;
            }
            if batches.is_empty() {
                self.sizes.remove(&want.length);
            }
        }
    }

    /// Whether they want to hear about any block of `start..start + length`.
    pub(crate) fn has_range(&self, start: u64, length: u64) -> bool {
        let end = start.saturating_add(length);
        self.all
            || self.any.iter().any(|(from, count)| *from < end && start < from.saturating_add(*count))
            || self.sizes.iter().any(|(size, batches)| {
                length > 0 && batches.range(start / size..=(end - 1) / size).next().is_some()
            })
    }

    /// Takes credit for an answer of this many bytes.
    pub(crate) fn spend(&mut self, now: Time, bytes: u64) -> bool {
        self.earn(now);
        if self.credit < bytes.min(BITFIELD_BURST) {
            return false;
        }
        self.credit -= bytes.min(BITFIELD_BURST);
        true
    }

    fn earn(&mut self, now: Time) {
        let earned = now.since(self.credited).saturating_mul(BITFIELD_RATE) / 1_000;
        if earned > 0 {
            self.credit = self.credit.saturating_add(earned).min(BITFIELD_BURST);
            self.credited = now;
        }
    }

    /// Keeps a want for later; the same want is kept once, and none beyond the bound.
    pub(crate) fn postpone(&mut self, want: TheirWant) {
        if self.queued.len() < MAX_QUEUED_WANTS && !self.queued.contains(&want) {
            self.queued.push_back(want);
        }
    }

    /// Puts back what [`Self::next`] gave.
    pub(crate) fn unshift(&mut self, want: TheirWant) {
        self.queued.push_front(want);
    }

    pub(crate) fn next(&mut self) -> Option<TheirWant> {
        self.queued.pop_front()
    }

    /// When to try the postponed wants again.
    pub(crate) fn wake(&self) -> Option<Time> {
        (!self.queued.is_empty()).then(|| self.credited.plus(1_000))
    }

    /// Entries in memory.
    pub(crate) fn len(&self) -> usize {
        self.count + self.any.len() + self.queued.len()
    }
}

const fn is_batch(want: &TheirWant) -> bool {
    want.length <= MAX_WANT_LENGTH
        && want.length >= MIN_WANT_LENGTH
        && want.length.is_power_of_two()
        && want.start.is_multiple_of(want.length)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn want(start: u64, length: u64, any: bool) -> TheirWant {
        TheirWant { start, length, any }
    }

    #[test]
    fn k8_small_and_big_wants_are_understood() {
        let mut wants = TheirWants::new(Time(0));
        assert!(!wants.has_range(0, 1));
        assert!(wants.add(want(64, 32, false)));
        assert!(wants.has_range(64, 1) && wants.has_range(95, 1) && wants.has_range(0, 65));
        assert!(!wants.has_range(96, 1) && !wants.has_range(63, 1));
        assert!(wants.add(want(1 << 21, 1 << 21, false)));
        assert!(wants.has_range((1 << 21) + 5, 1));
        assert!(wants.add(want(10, 3, true)));
        assert!(wants.has_range(12, 1) && !wants.has_range(13, 1));
    }

    #[test]
    fn k9_more_wants_than_allowed_mean_everything() {
        let mut wants = TheirWants::new(Time(0));
        for n in 0..MAX_PEER_WANTS as u64 {
            wants.add(want(n * 32, 32, false));
        }
        assert!(!wants.has_range(1 << 30, 1));
        wants.add(want(1 << 25, 32, false));
        assert!(wants.has_range(1 << 30, 1));
        for shape in [want(5, 32, false), want(0, 33, false), want(0, 16, false)] {
            let mut wants = TheirWants::new(Time(0));
            assert!(wants.add(shape) && wants.all);
        }
    }

    #[test]
    fn k10_a_want_that_is_too_long_is_ignored() {
        let mut wants = TheirWants::new(Time(0));
        assert!(!wants.add(want(0, (1 << 21) + 1, false)));
        assert!(!wants.has_range(0, 1));
    }

    #[test]
    fn k11_unwant_frees_and_an_unknown_one_is_harmless() {
        let mut wants = TheirWants::new(Time(0));
        wants.add(want(0, 32, false));
        wants.add(want(0, 9, true));
        wants.remove(want(32, 32, false));
        wants.remove(want(0, 7, true));
        wants.remove(want(0, 31, false));
        assert_eq!(wants.len(), 2);
        wants.remove(want(0, 32, false));
        wants.remove(want(0, 9, true));
        assert_eq!(wants.len(), 0);
        assert!(!wants.has_range(0, 1000));
    }

    #[test]
    fn our_batches_give_way_only_when_not_needed() {
        let mut wants = OurWants::default();
        for batch in 0..MAX_PEER_WANTS as u64 {
            assert!(wants.add(batch * WANT_BATCH, 1, |_| true).is_some());
        }
        assert_eq!(wants.add(1 << 40, 1, |_| true), None);
        assert!(wants.is_stuck(1) && !wants.is_stuck(2));
        let given = wants.add(1 << 40, 2, |start| start != 3 * WANT_BATCH).unwrap();
        assert_eq!((given.start, given.unwant), (1 << 40, Some(3 * WANT_BATCH)));
        assert!(wants.has(1 << 40) && !wants.has(3 * WANT_BATCH));
    }
}
