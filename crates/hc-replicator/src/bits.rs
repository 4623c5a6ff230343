//! A sparse set of block indices: whole pages as runs, the rest as words.
//!
//! One structure serves what is stored here, what is stored or in flight, what a peer claims, and what is queued, so
//! that "the first block that is wanted, that the peer has and that is not in flight" is an `and` over words.
//! A page is 32,768 blocks. Invariants: runs do not touch each other and hold no partial page; a partial page is
//! neither empty nor full. A set with a `cap` ignores what would need more pages and runs than that.

use std::collections::BTreeMap;

/// Blocks in a page.
pub(crate) const PAGE: u64 = 32_768;
const WORDS: usize = (PAGE / 64) as usize;

#[derive(Clone, Debug)]
struct Page {
    words: Box<[u64]>,
    ones: u32,
}

impl Page {
    fn filled(value: bool) -> Self {
        let (word, ones) = if value { (u64::MAX, PAGE as u32) } else { (0, 0) };
        Self { words: vec![word; WORDS].into_boxed_slice(), ones }
    }

    fn word(&self, at: usize) -> u64 {
        self.words.get(at).copied().unwrap_or(0)
    }

    fn update(&mut self, at: usize, mask: u64, value: bool) {
        let Some(word) = self.words.get_mut(at) else { return };
        let before = word.count_ones();
        if value {
            *word |= mask;
        } else {
            *word &= !mask;
        }
        self.ones = self.ones + word.count_ones() - before;
    }
}

/// What a page holds.
#[derive(Clone, Copy)]
enum View<'a> {
    Empty,
    Full,
    Part(&'a Page),
}

impl View<'_> {
    fn word(self, at: usize) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Full => u64::MAX,
            Self::Part(page) => page.word(at),
        }
    }
}

/// A sparse set of block indices.
#[derive(Clone, Debug)]
pub(crate) struct Bits {
    runs: BTreeMap<u64, u64>,
    parts: BTreeMap<u64, Page>,
    cap: usize,
}

impl Default for Bits {
    fn default() -> Self {
        Self::with_cap(usize::MAX)
    }
}

impl Bits {
    /// An empty set that keeps at most `cap` pages and runs.
    pub(crate) const fn with_cap(cap: usize) -> Self {
        Self { runs: BTreeMap::new(), parts: BTreeMap::new(), cap }
    }

    /// Pages and runs in memory.
    pub(crate) fn weight(&self) -> usize {
        self.runs.len() + self.parts.len()
    }

    /// Cutting a run in two may go beyond the cap, up to twice; what would go beyond that is forgotten.
    fn is_overfull(&self) -> bool {
        self.weight() >= self.cap.saturating_mul(2)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.parts.is_empty()
    }

    pub(crate) fn get(&self, index: u64) -> bool {
        let page = index / PAGE;
        match self.view(page) {
            View::Empty => false,
            View::Full => true,
            View::Part(part) => part.word(word_of(index)) & bit_of(index) != 0,
        }
    }

    /// Sets or unsets one index.
    pub(crate) fn set(&mut self, index: u64, value: bool) {
        let page = index / PAGE;
        if let Some(part) = self.parts.get_mut(&page) {
            part.update(word_of(index), bit_of(index), value);
            let ones = part.ones;
            self.settle(page, ones);
        } else if self.run_of(page).is_some() != value {
            self.edit(page, |part| part.update(word_of(index), bit_of(index), value), value);
        }
    }

    /// Sets or unsets `start..end`.
    pub(crate) fn set_range(&mut self, start: u64, end: u64, value: bool) {
        if start >= end {
            return;
        }
        let (first, last) = (start / PAGE, (end - 1) / PAGE);
        let head_is_whole = start.is_multiple_of(PAGE);
        let tail_is_whole = end.is_multiple_of(PAGE);
        let whole_start = if head_is_whole { first } else { first + 1 };
        let whole_end = if tail_is_whole { last + 1 } else { last };
        if whole_start < whole_end {
            self.fill_pages(whole_start, whole_end, value);
        }
        if !head_is_whole {
            self.set_within(first, start, end.min((first + 1) * PAGE), value);
        }
        if !tail_is_whole && (last != first || head_is_whole) {
            self.set_within(last, start.max(last * PAGE), end, value);
        }
    }

    /// Replaces the 32-bit words from block `start` (a multiple of 32) on.
    pub(crate) fn insert_words(&mut self, start: u64, words: &[u32]) {
        let mut at = start;
        let mut rest = words;
        while !rest.is_empty() {
            let page = at / PAGE;
            let room = (((page + 1) * PAGE - at) / 32) as usize;
            let (now, later) = rest.split_at(room.min(rest.len()));
            let any = now.iter().any(|word| *word != 0);
            self.edit(page, |part| insert_into(part, at, now), any);
            at += now.len() as u64 * 32;
            rest = later;
        }
    }

    /// The first index at or after `from` that is not in the set.
    pub(crate) fn first_unset(&self, from: u64) -> u64 {
        let mut at = from;
        loop {
            let page = at / PAGE;
            match self.view(page) {
                View::Empty => return at,
                View::Full => at = self.run_of(page).unwrap_or(page + 1) * PAGE,
                View::Part(part) => match scan(at, u64::MAX, |word| !part.word(word)) {
                    Some(found) => return found,
                    None => at = (page + 1) * PAGE,
                },
            }
        }
    }

    /// The first index of `from..to` in the set.
    pub(crate) fn first_set(&self, from: u64, to: u64) -> Option<u64> {
        first_match(self, None, None, from, to)
    }

    /// The first page at or after `page` that holds anything.
    fn next_filled(&self, page: u64) -> Option<u64> {
        if self.run_of(page).is_some() {
            return Some(page);
        }
        let run = self.runs.range(page..).next().map(|(start, _)| *start);
        let part = self.parts.range(page..).next().map(|(at, _)| *at);
        match (run, part) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// One past the end of the run that holds the page.
    fn run_of(&self, page: u64) -> Option<u64> {
        self.runs.range(..=page).next_back().map(|(_, end)| *end).filter(|end| *end > page)
    }

    fn view(&self, page: u64) -> View<'_> {
        if let Some(part) = self.parts.get(&page) {
            View::Part(part)
        } else if self.run_of(page).is_some() {
            View::Full
        } else {
            View::Empty
        }
    }

    fn set_within(&mut self, page: u64, start: u64, end: u64, value: bool) {
        self.edit(
            page,
            |part| {
                for at in word_of(start)..=word_of(end - 1) {
                    part.update(at, mask(page * PAGE + at as u64 * 64, start, end), value);
                }
            },
            value,
        );
    }

    /// Changes a page as words, and stores it in its smallest form. A page that does not exist is only made if `grows`.
    fn edit(&mut self, page: u64, change: impl FnOnce(&mut Page), grows: bool) {
        let mut part = match self.parts.remove(&page) {
            Some(part) => part,
            None if self.run_of(page).is_some() => {
                self.cut_runs(page, page + 1);
                if self.is_overfull() {
                    return;
                }
                Page::filled(true)
            }
            None if !grows || self.weight() >= self.cap => return,
            None => Page::filled(false),
        };
        change(&mut part);
        let ones = part.ones;
        self.parts.insert(page, part);
        self.settle(page, ones);
    }

    /// Keeps the invariant that partial pages are neither empty nor full.
    fn settle(&mut self, page: u64, ones: u32) {
        if ones == 0 {
            self.parts.remove(&page);
        } else if u64::from(ones) == PAGE {
            self.parts.remove(&page);
            self.join_run(page, page + 1);
        }
    }

    fn fill_pages(&mut self, start: u64, end: u64, value: bool) {
        let inner: Vec<u64> = self.parts.range(start..end).map(|(page, _)| *page).collect();
        for page in inner {
            self.parts.remove(&page);
        }
        if !value {
            self.cut_runs(start, end);
        } else if self.weight() < self.cap || self.run_of(start).is_some() {
            self.join_run(start, end);
        }
    }

    fn join_run(&mut self, start: u64, end: u64) {
        let (mut start, mut end) = (start, end);
        while let Some((from, to)) = self.runs.range(..=end).next_back().map(|(a, b)| (*a, *b)) {
            if to < start {
                break;
            }
            self.runs.remove(&from);
            start = start.min(from);
            end = end.max(to);
        }
        self.runs.insert(start, end);
    }

    fn cut_runs(&mut self, start: u64, end: u64) {
        while let Some((from, to)) = self.runs.range(..end).next_back().map(|(a, b)| (*a, *b)) {
            if to <= start {
                break;
            }
            self.runs.remove(&from);
            if from < start {
                self.runs.insert(from, start);
            }
            if to > end && !self.is_overfull() {
                self.runs.insert(end, to);
            }
        }
    }

    /// The 32-bit words from block `start` (a multiple of 32) on, `count` of them.
    pub(crate) fn words(&self, start: u64, count: usize) -> Vec<u32> {
        (0..count as u64)
            .map(|n| {
                let at = start + n * 32;
                let word = self.view(at / PAGE).word(word_of(at));
                if at.is_multiple_of(64) { word as u32 } else { (word >> 32) as u32 }
            })
            .collect()
    }

    /// Whether the invariants hold.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let mut last = None;
        for (start, end) in &self.runs {
            if start >= end || last.is_some_and(|last| *start <= last) {
                return Err("runs touch or are empty");
            }
            last = Some(*end);
        }
        for (page, part) in &self.parts {
            let ones: u32 = part.words.iter().map(|word| word.count_ones()).sum();
            if ones != part.ones || ones == 0 || u64::from(ones) == PAGE {
                return Err("a partial page is empty, full or miscounted");
            }
            if self.run_of(*page).is_some() {
                return Err("a page is partial and in a run");
            }
        }
        Ok(())
    }
}

/// The first index of `from..to` that is in `have`, in `wanted` (if given) and not in `skip` (if given).
pub(crate) fn first_match(
    have: &Bits,
    wanted: Option<&Bits>,
    skip: Option<&Bits>,
    from: u64,
    to: u64,
) -> Option<u64> {
    let mut at = from;
    while at < to {
        let page = at / PAGE;
        let mut next = have.next_filled(page)?;
        if let Some(wanted) = wanted {
            next = wanted.next_filled(next)?;
        }
        if let Some(skip) = skip {
            next = skip.run_of(next).unwrap_or(next);
        }
        if next > page {
            at = next * PAGE;
            continue;
        }
        let have = have.view(page);
        let wanted = wanted.map_or(View::Full, |wanted| wanted.view(page));
        let skip = skip.map_or(View::Empty, |skip| skip.view(page));
        let word = |at: usize| have.word(at) & wanted.word(at) & !skip.word(at);
        if let Some(found) = scan(at, to, word) {
            return Some(found);
        }
        at = (page + 1) * PAGE;
    }
    None
}

/// The first set bit of one page at or after `from` and below `to`.
fn scan(from: u64, to: u64, word: impl Fn(usize) -> u64) -> Option<u64> {
    let base = from / PAGE * PAGE;
    let mut bits = word(word_of(from)) & (u64::MAX << (from % 64));
    for at in word_of(from)..WORDS {
        if bits != 0 {
            let found = base + at as u64 * 64 + u64::from(bits.trailing_zeros());
            return (found < to).then_some(found);
        }
        if base + (at as u64 + 1) * 64 >= to || at + 1 == WORDS {
            break;
        }
        bits = word(at + 1);
    }
    None
}

fn insert_into(part: &mut Page, start: u64, words: &[u32]) {
    for (n, word) in words.iter().enumerate() {
        let at = start + n as u64 * 32;
        let shift = at % 64;
        part.update(word_of(at), u64::from(u32::MAX) << shift, false);
        part.update(word_of(at), u64::from(*word) << shift, true);
    }
}

const fn word_of(index: u64) -> usize {
    ((index % PAGE) / 64) as usize
}

const fn bit_of(index: u64) -> u64 {
    1 << (index % 64)
}

/// The bits of the word at block `base` that are within `start..end`.
const fn mask(base: u64, start: u64, end: u64) -> u64 {
    let low = if start > base { u64::MAX << (start - base) } else { u64::MAX };
    let high = if end < base + 64 { u64::MAX >> (base + 64 - end) } else { u64::MAX };
    low & high
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn e14_beyond_everything_the_first_unset_bit_is_where_one_looks() {
        let mut bits = Bits::default();
        for from in [0, 1, PAGE, 1 << 21, (1 << 21) + 5, 1 << 52] {
            assert_eq!(bits.first_unset(from), from, "nothing is set");
        }
        bits.set_range(0, 1 << 21, true);
        assert_eq!(bits.first_unset(0), 1 << 21);
        assert_eq!(bits.first_unset((1 << 21) - 1), 1 << 21);
        for from in [1 << 21, (1 << 21) + 7, 1 << 40] {
            assert_eq!(bits.first_unset(from), from, "at and beyond the last segment");
        }
    }

    #[test]
    fn agrees_with_a_set_of_indices_over_random_edits() {
        let mut rng = crate::rng::Rng::new(7);
        let (mut bits, mut naive) = (Bits::default(), BTreeSet::new());
        let span = 4 * PAGE;
        for round in 0..400 {
            let (a, b) = (rng.below(span), rng.below(span));
            let (start, end) = if rng.below(2) == 0 { (a.min(b), a.max(b)) } else { (a, a + rng.below(200)) };
            let value = rng.below(5) < 3;
            if rng.below(3) == 0 {
                bits.set(start, value);
                if value {
                    naive.insert(start)
                } else {
                    naive.remove(&start)
                };
            } else {
                bits.set_range(start, end, value);
                for at in start..end {
                    if value {
                        naive.insert(at)
                    } else {
                        naive.remove(&at)
                    };
                }
            }
            bits.check().unwrap();
            let from = rng.below(span);
            assert_eq!(bits.get(from), naive.contains(&from), "round {round}");
            assert_eq!(bits.first_set(from, u64::MAX), naive.range(from..).next().copied());
            let unset = (from..).find(|at| !naive.contains(at)).unwrap();
            assert_eq!(bits.first_unset(from), unset);
        }
    }

    #[test]
    fn words_come_back_as_they_were_inserted() {
        let mut bits = Bits::default();
        let words: Vec<u32> =
            (0..3_000).map(|n: u32| if n.is_multiple_of(3) { u32::MAX } else { n }).collect();
        bits.set_range(0, 200_000, true);
        bits.insert_words(32, &words);
        bits.check().unwrap();
        assert_eq!(bits.words(32, words.len()), words);
        assert!(bits.get(0) && bits.get(31) && bits.get(32 + 3_000 * 32));
    }

    #[test]
    fn match_is_the_and_of_all_three() {
        let mut rng = crate::rng::Rng::new(3);
        for _ in 0..50 {
            let (mut have, mut wanted, mut skip) = (Bits::default(), Bits::default(), Bits::default());
            for bits in [&mut have, &mut wanted, &mut skip] {
                for _ in 0..20 {
                    let start = rng.below(3 * PAGE);
                    bits.set_range(start, start + rng.below(PAGE + 9), rng.below(3) != 0);
                }
            }
            let (from, to) = (rng.below(3 * PAGE), rng.below(4 * PAGE));
            let naive = (from..to).find(|at| have.get(*at) && wanted.get(*at) && !skip.get(*at));
            assert_eq!(first_match(&have, Some(&wanted), Some(&skip), from, to), naive);
        }
    }

    #[test]
    fn a_cap_bounds_memory_and_never_loses_unsets() {
        let mut bits = Bits::with_cap(3);
        for page in 0..10 {
            bits.set(page * PAGE + 5, true);
        }
        assert_eq!(bits.weight(), 3);
        bits.set_range(0, 10 * PAGE, false);
        assert!(bits.is_empty());
        bits.set_range(1, 1 << 40, true);
        assert!(bits.weight() <= 3 && bits.get(1 << 30));
        for page in 0..100 {
            bits.set(page * 2 * PAGE + 7, false);
            bits.check().unwrap();
            assert!(bits.weight() <= 7 && !bits.get(page * 2 * PAGE + 7));
        }
    }
}
