//! Which blocks of a log are stored here.
//!
//! Bits are kept in pages of [`PAGE_BITS`], which are stored as [`PAGE_BYTES`] bytes each: bit *i* is bit *i* mod 8, from
//! the lowest, of byte *i* / 8. Pages without a set bit take no memory.
//!
//! The pages on disk are the truth; this is what they hold, in memory. A change is first made to copies of the pages
//! ([`LocalBitfield::pages_with`]), and to the bitfield itself only once these are written.
//!
//! Follows npm hypercore 11.37.1, `lib/bitfield.js`.

use std::collections::BTreeMap;

use bytes::Bytes;

/// Bits of a page.
pub const PAGE_BITS: u64 = 32_768;
/// Bytes of a page.
pub const PAGE_BYTES: usize = 4096;
const WORDS: usize = PAGE_BYTES / 8;

/// A page, and how many of its bits are set: full pages need not be looked through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) words: [u64; WORDS],
    set: u64,
}

/// A set of block indices.
#[derive(Debug, Clone, Default)]
pub struct LocalBitfield {
    pub(crate) pages: BTreeMap<u64, Box<Page>>,
}

/// Blocks that are set or unset together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BitChange {
    /// The first block.
    pub start: u64,
    /// One past the last block.
    pub end: u64,
    /// Whether the blocks are stored from now on.
    pub set: bool,
}

impl LocalBitfield {
    /// No block.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes over a page as it is stored. Bytes beyond a page are ignored, missing ones are zero.
    pub fn load_page(&mut self, page: u64, bytes: &[u8]) {
        let mut words = [0; WORDS];
        let (chunks, _) = bytes.as_chunks::<8>();
        for (word, chunk) in words.iter_mut().zip(chunks) {
            *word = u64::from_le_bytes(*chunk);
        }
        let set = words.iter().map(|word| u64::from(word.count_ones())).sum();
        if set > 0 {
            self.pages.insert(page, Box::new(Page { words, set }));
        } else {
            self.pages.remove(&page);
        }
    }

    /// Whether a block is set.
    #[must_use]
    pub fn get(&self, index: u64) -> bool {
        let (page, word, bit) = place(index);
        self.pages.get(&page).and_then(|page| page.words.get(word)).is_some_and(|word| word >> bit & 1 == 1)
    }

    /// The pages that changes touch, as they will be stored after the changes. The bitfield itself stays as it is.
    #[must_use]
    pub fn pages_with(&self, changes: &[BitChange]) -> Vec<(u64, Bytes)> {
        // every append writes a page: so each is copied once, and changed in the form in which it is stored
        let mut touched: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        for change in changes {
            for (number, first, last) in pages_of(change.start, change.end) {
                let stored =
                    || self.pages.get(&number).map_or_else(|| vec![0; PAGE_BYTES], |page| page.to_bytes());
                fill_bytes(touched.entry(number).or_insert_with(stored), first, last, change.set);
            }
        }
        touched.into_iter().map(|(number, page)| (number, page.into())).collect()
    }

    /// Makes a change.
    pub fn apply(&mut self, change: BitChange) {
        for (number, first, last) in pages_of(change.start, change.end) {
            if change.set {
                self.pages.entry(number).or_insert_with(Page::empty).fill(first, last, true);
            } else if let Some(page) = self.pages.get_mut(&number) {
                page.fill(first, last, false);
                if page.set == 0 {
                    self.pages.remove(&number);
                }
            }
        }
    }

    /// The first block from `from` on that is not set.
    #[must_use]
    pub fn first_unset(&self, from: u64) -> u64 {
        let (first, word, bit) = place(from);
        let mut next = first;
        for (number, page) in self.pages.range(first..) {
            if *number != next {
                break;
            }
            let (word, bit) = if *number == first { (word, bit) } else { (0, 0) };
            if page.set < PAGE_BITS
                && let Some(offset) = page.find(word, bit, |word| !word)
            {
                return number.saturating_mul(PAGE_BITS).saturating_add(offset);
            }
            next = next.saturating_add(1);
        }
        next.saturating_mul(PAGE_BITS).max(from)
    }

    /// The first block from `from` on that is set.
    #[must_use]
    pub fn first_set(&self, from: u64) -> Option<u64> {
        let (first, word, bit) = place(from);
        for (number, page) in self.pages.range(first..) {
            let (word, bit) = if *number == first { (word, bit) } else { (0, 0) };
            if let Some(offset) = page.find(word, bit, |word| word) {
                return Some(number.saturating_mul(PAGE_BITS).saturating_add(offset));
            }
        }
        None
    }

    /// Whether all blocks of a range are set. An empty range has all its blocks.
    #[must_use]
    pub fn has_range(&self, start: u64, end: u64) -> bool {
        pages_of(start, end).all(|(number, first, last)| {
            self.pages.get(&number).is_some_and(|page| page.has_all(first, last))
        })
    }

    /// Whether any block of a range is set.
    #[must_use]
    pub(crate) fn has_any(&self, start: u64, end: u64) -> bool {
        start < end && self.first_set(start).is_some_and(|first| first < end)
    }

    /// How many blocks of a range are set.
    #[must_use]
    pub fn count_range(&self, start: u64, end: u64) -> u64 {
        let number = |page: u64| page.saturating_mul(PAGE_BITS);
        let pages = self.pages.range(start / PAGE_BITS..end.div_ceil(PAGE_BITS).max(start / PAGE_BITS));
        pages
            .map(|(page, bits)| {
                let (first, last) = (start.saturating_sub(number(*page)), end.saturating_sub(number(*page)));
                if first >= last { 0 } else { bits.count(first, (last - 1).min(PAGE_BITS - 1)) }
            })
            .sum()
    }

    /// The set blocks, as ranges from left to right: first block, and one past the last.
    pub fn ranges(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let mut at = 0;
        std::iter::from_fn(move || {
            let start = self.first_set(at)?;
            let end = self.first_unset(start);
            at = end;
            Some((start, end))
        })
    }

    /// How many blocks are set.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.pages.values().map(|page| page.set).sum()
    }
}

/// Page, word within the page, bit within the word.
pub(crate) fn place(index: u64) -> (u64, usize, u32) {
    let (page, bit) = (index / PAGE_BITS, index % PAGE_BITS);
    // both are below the number of bits in a page
    (page, usize::try_from(bit / 64).unwrap_or(0), u32::try_from(bit % 64).unwrap_or(0))
}

/// The pages of a range: number, and first and last bit within it.
fn pages_of(start: u64, end: u64) -> impl Iterator<Item = (u64, u64, u64)> {
    let pages = if start < end { start / PAGE_BITS..end.div_ceil(PAGE_BITS) } else { 0..0 };
    pages.map(move |number| {
        let base = number.saturating_mul(PAGE_BITS);
        (number, start.saturating_sub(base), (end - 1 - base).min(PAGE_BITS - 1))
    })
}

/// The words of a part of a page, each with the bits of it that are in that part.
fn words_of(first: u64, last: u64) -> impl Iterator<Item = (usize, u64)> {
    let (_, first_word, first_bit) = place(first);
    let (_, last_word, last_bit) = place(last);
    (first_word..=last_word).map(move |number| {
        let from = if number == first_word { u64::MAX << first_bit } else { u64::MAX };
        let to = if number == last_word { u64::MAX >> (63 - last_bit) } else { u64::MAX };
        (number, from & to)
    })
}

impl Page {
    fn empty() -> Box<Self> {
        Box::new(Self { words: [0; WORDS], set: 0 })
    }

    fn fill(&mut self, first: u64, last: u64, set: bool) {
        for (number, mask) in words_of(first, last) {
            let Some(word) = self.words.get_mut(number) else { return };
            let before = u64::from(word.count_ones());
            *word = if set { *word | mask } else { *word & !mask };
            self.set = self.set + u64::from(word.count_ones()) - before;
        }
    }

    fn has_all(&self, first: u64, last: u64) -> bool {
        self.set == PAGE_BITS
            || words_of(first, last)
                .all(|(number, mask)| self.words.get(number).is_some_and(|word| word & mask == mask))
    }

    fn count(&self, first: u64, last: u64) -> u64 {
        let of_word = |(number, mask): (usize, u64)| {
            self.words.get(number).map_or(0, |word| u64::from((word & mask).count_ones()))
        };
        words_of(first, last).map(of_word).sum()
    }

    /// The first bit from a place on that is set after `view` was applied to its word.
    fn find(&self, word: usize, bit: u32, view: impl Fn(u64) -> u64) -> Option<u64> {
        for (number, value) in self.words.iter().enumerate().skip(word) {
            let from = if number == word { u64::MAX << bit } else { u64::MAX };
            let hits = view(*value) & from;
            if hits != 0 {
                let base = u64::try_from(number).ok()?.checked_mul(64)?;
                return base.checked_add(u64::from(hits.trailing_zeros()));
            }
        }
        None
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; PAGE_BYTES];
        let (chunks, _) = bytes.as_chunks_mut::<8>();
        for (chunk, word) in chunks.iter_mut().zip(&self.words) {
            *chunk = word.to_le_bytes();
        }
        bytes
    }
}

/// As [`Page::fill`], of a page as it is stored.
fn fill_bytes(page: &mut [u8], first: u64, last: u64, set: bool) {
    let (words, _) = page.as_chunks_mut::<8>();
    for (number, mask) in words_of(first, last) {
        let Some(bytes) = words.get_mut(number) else { return };
        let word = u64::from_le_bytes(*bytes);
        *bytes = if set { word | mask } else { word & !mask }.to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(start: u64, end: u64) -> BitChange {
        BitChange { start, end, set: true }
    }

    #[test]
    fn b11_a_page_that_is_filled_exactly_does_not_reach_into_the_next() {
        let mut bits = LocalBitfield::new();
        bits.apply(set(0, PAGE_BITS));
        assert!(bits.get(PAGE_BITS - 1) && !bits.get(PAGE_BITS));
        assert_eq!(bits.first_unset(0), PAGE_BITS);
        assert_eq!(bits.pages_with(&[set(0, PAGE_BITS)]).len(), 1);
    }

    #[test]
    fn e7_the_largest_index_of_all_overflows_nothing() {
        let mut bits = LocalBitfield::new();
        let last = (1 << 53) - 1;
        bits.apply(set(last, last + 1));
        assert!(bits.get(last) && !bits.get(last - 1));
        assert!(bits.has_range(last, last + 1) && !bits.has_range(last, u64::MAX));
        assert_eq!(bits.first_unset(u64::MAX), u64::MAX);
        assert_eq!(bits.first_set(0), Some(last));
        assert_eq!(bits.first_unset(last), last + 1);
    }

    #[test]
    fn e13_changes_before_a_flush_become_one_write_of_each_page() {
        let mut bits = LocalBitfield::new();
        bits.apply(set(10, 20));
        let changes = [
            set(0, 100),
            BitChange { start: 50, end: 60, set: false },
            set(55, 56),
            set(PAGE_BITS, PAGE_BITS + 1),
            BitChange { start: 0, end: 5, set: false },
        ];
        let pages = bits.pages_with(&changes);
        assert_eq!(pages.iter().map(|(page, _)| *page).collect::<Vec<_>>(), [0, 1]);
        assert!(!bits.get(0) && !bits.get(99), "the bitfield itself waits for the flush");
        for change in changes {
            bits.apply(change);
        }
        let mut written = LocalBitfield::new();
        for (page, bytes) in &pages {
            written.load_page(*page, &bytes[..]);
        }
        assert!(written.ranges().eq(bits.ranges()));
        assert!(bits.ranges().eq([(5, 50), (55, 56), (60, 100), (PAGE_BITS, PAGE_BITS + 1)]));
    }

    #[test]
    fn e12_pages_reload_as_they_were_stored() {
        let mut bits = LocalBitfield::new();
        let change = set(5, PAGE_BITS + 9);
        let pages = bits.pages_with(&[change]);
        bits.apply(change);
        let mut again = LocalBitfield::new();
        for (page, bytes) in &pages {
            again.load_page(*page, &bytes[..]);
        }
        assert_eq!(pages[0].1[0], 0b1110_0000);
        assert!(again.ranges().eq([(5, PAGE_BITS + 9)]));
    }

    proptest! {
        #[test]
        fn e8_agrees_with_a_set_of_numbers(
            changes in prop::collection::vec((0..100_000_usize, 0..40_000_usize, any::<bool>()), 1..12),
            probes in prop::collection::vec(0..150_000_usize, 1..40),
        ) {
            let (mut bits, mut naive) = (LocalBitfield::new(), vec![false; 200_000]);
            let number = |index: usize| u64::try_from(index).unwrap();
            for (start, len, set) in changes {
                let change = BitChange { start: number(start), end: number(start + len), set };
                let expected = bits.pages_with(&[change]);
                bits.apply(change);
                naive[start..start + len].fill(set);
                // what was announced to be written is what is there now
                for (page, bytes) in expected {
                    let mut written = LocalBitfield::new();
                    written.load_page(page, &bytes[..]);
                    prop_assert_eq!(written.pages.get(&page), bits.pages.get(&page));
                }
            }
            prop_assert_eq!(bits.count(), number(naive.iter().filter(|set| **set).count()));
            for probe in probes {
                let find = |set| naive[probe..].iter().position(|bit| *bit == set);
                let unset = probe + find(false).unwrap();
                prop_assert_eq!(bits.get(number(probe)), naive[probe]);
                prop_assert_eq!(bits.first_set(number(probe)), find(true).map(|at| number(probe + at)));
                prop_assert_eq!(bits.first_unset(number(probe)), number(unset));
                for end in [probe, probe + 1, probe + 300, unset, unset + 1] {
                    let all = end <= unset.max(probe);
                    prop_assert_eq!(bits.has_range(number(probe), number(end)), all);
                    let set = naive[probe..end].iter().filter(|set| **set).count();
                    prop_assert_eq!(bits.has_any(number(probe), number(end)), set > 0);
                    // e10
                    prop_assert_eq!(bits.count_range(number(probe), number(end)), number(set));
                }
            }
        }
    }
}
