//! Ranges and lists of blocks to download.
//!
//! A range is not looked at for every block that arrives: it watches the first block that it still lacks, and moves on
//! when that one is stored. Ranges take turns, so none starves.
//!
//! Follows npm hypercore 11.37.1, lib/replicator.js (RangeRequest), with another way to notice that a range is done.

use std::collections::BTreeMap;

use crate::bits::{Bits, first_match};
use crate::event::WantId;
use crate::have::Have;

/// A range or list.
#[derive(Debug)]
pub(crate) struct Range {
    /// The first block that is not stored.
    pub(crate) start: u64,
    /// One past the last block, or open.
    pub(crate) end: Option<u64>,
    /// The blocks of a list.
    pub(crate) list: Option<Bits>,
    pub(crate) linear: bool,
    /// What was asked for, for when blocks are dropped again.
    first: u64,
}

impl Range {
    pub(crate) const fn new(start: u64, end: Option<u64>, linear: bool) -> Self {
        Self { start, end, list: None, linear, first: start }
    }

    pub(crate) fn of_list(indices: &[u64]) -> Self {
        let mut list = Bits::default();
        for index in indices {
            list.set(*index, true);
        }
        let end = indices.iter().max().map_or(0, |last| last.saturating_add(1));
        let start = indices.iter().min().copied().unwrap_or(0);
        Self { start, end: Some(end), list: Some(list), linear: true, first: start }
    }

    /// Moves past what is stored; true if nothing is left.
    fn advance(&mut self, have: &Have) -> bool {
        let end = self.end.unwrap_or(u64::MAX);
        if let Some(list) = &self.list {
            let next = first_match(list, None, Some(&have.stored), self.start, end);
            self.start = next.unwrap_or(end);
        } else if self.start < end {
            self.start = have.stored.first_unset(self.start).min(end);
        }
        self.start >= end
    }

    /// One without an end starts no later than what is stored from its start on. (The others are moved when the block
    /// that they watch is stored.)
    pub(crate) fn advance_open(&mut self, have: &Have) {
        if self.end.is_none() {
            self.advance(have);
        }
    }

    /// Whether the block belongs to it and may still be missing.
    pub(crate) fn covers(&self, index: u64) -> bool {
        index >= self.start
            && self.end.is_none_or(|end| index < end)
            && self.list.as_ref().is_none_or(|list| list.get(index))
    }

    /// Whether it has a block in `start..end` that is not stored.
    pub(crate) fn needs(&self, have: &Have, start: u64, end: u64) -> bool {
        let (start, end) = (start.max(self.start), end.min(self.end.unwrap_or(u64::MAX)));
        match &self.list {
            Some(list) => first_match(list, None, Some(&have.stored), start, end).is_some(),
            None => start < end && have.stored.first_unset(start) < end,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Ranges {
    all: BTreeMap<WantId, Range>,
    /// The first missing block of each range that can end.
    watched: BTreeMap<u64, Vec<WantId>>,
    /// Whose turn it was last.
    turn: Option<WantId>,
    open: usize,
}

impl Ranges {
    /// Adds a range; false if there is nothing to download.
    pub(crate) fn add(&mut self, id: WantId, mut range: Range, have: &Have) -> bool {
        if range.advance(have) {
            return false;
        }
        if range.end.is_some() {
            self.watched.entry(range.start).or_default().push(id);
        } else {
            self.open += 1;
        }
        self.all.insert(id, range);
        true
    }

    pub(crate) fn remove(&mut self, id: WantId) {
        let Some(range) = self.all.remove(&id) else { return };
        if range.end.is_none() {
            self.open -= 1;
        } else if let Some(watchers) = self.watched.get_mut(&range.start) {
            watchers.retain(|watcher| *watcher != id);
            if watchers.is_empty() {
                self.watched.remove(&range.start);
            }
        }
    }

    /// A block is stored: the ranges that are done.
    pub(crate) fn stored(&mut self, index: u64, have: &Have) -> Vec<WantId> {
        let Some(watchers) = self.watched.remove(&index) else { return Vec::new() };
        let mut done = Vec::new();
        for id in watchers {
            let Some(range) = self.all.get_mut(&id) else { continue };
            if range.advance(have) {
                self.all.remove(&id);
                done.push(id);
            } else {
                self.watched.entry(range.start).or_default().push(id);
            }
        }
        done
    }

    /// Many blocks were stored or dropped: looks at every range again, and gives those that are done.
    pub(crate) fn recheck(&mut self, have: &Have, from_start: bool) -> Vec<WantId> {
        let all = std::mem::take(&mut self.all);
        self.watched.clear();
        self.open = 0;
        let mut done = Vec::new();
        for (id, mut range) in all {
            if from_start {
                range.start = range.first;
            }
            if !self.add(id, range, have) {
                done.push(id);
            }
        }
        done
    }

    /// Whether any range follows the remote length.
    pub(crate) const fn any_open(&self) -> bool {
        self.open > 0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Goes once through all ranges, beginning after the one that had its turn last; the first for which `pick` gives
    /// a block has its turn now.
    pub(crate) fn next_turn(&mut self, mut pick: impl FnMut(&mut Range) -> Option<u64>) -> Option<u64> {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let last = self.turn.unwrap_or(WantId(0));
        let rounds = [(Excluded(last), Unbounded), (Unbounded, Included(last))];
        for round in rounds {
            for (id, range) in self.all.range_mut(round) {
                if let Some(index) = pick(range) {
                    self.turn = Some(*id);
                    return Some(index);
                }
            }
        }
        None
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Range> {
        self.all.values()
    }

    /// Whether each range that can end is watched once, at its first missing block.
    pub(crate) fn check(&self, have: &Have) -> Result<(), String> {
        let watched: usize = self.watched.values().map(Vec::len).sum();
        let ending = self.all.values().filter(|range| range.end.is_some()).count();
        if watched != ending || ending + self.open != self.all.len() {
            return Err(format!("{watched} of {ending} ranges are watched, {} open", self.open));
        }
        for (index, ids) in &self.watched {
            let right = ids.iter().all(|id| self.all.get(id).is_some_and(|range| range.start == *index));
            if !right || have.stored.get(*index) {
                return Err(format!("ranges watch block {index} for nothing"));
            }
        }
        Ok(())
    }
}
