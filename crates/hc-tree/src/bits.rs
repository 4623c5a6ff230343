//! Handing out a bitfield's bits as peers want them.
//!
//! Follows npm hypercore 11.37.1, `lib/bitfield.js` (`want`). There a want that begins in the middle of a segment and goes on
//! into the next is answered for too few blocks; here for all of them.

use crate::bitfield::{LocalBitfield, PAGE_BITS, Page};

/// Blocks that one message about bits tells of at most: 256 KiB of bits.
const SEGMENT_BITS: u64 = 1 << 21;
const WORD: u64 = 32;
/// 32-bit words of a page.
const PAGE_WORDS: u64 = PAGE_BITS / WORD;

const _: () = assert!(SEGMENT_BITS.is_multiple_of(PAGE_BITS));

/// The bits of a part of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bits {
    /// The first block, a multiple of 32.
    pub start: u64,
    /// 32 blocks each, the first in the lowest bit.
    pub words: Vec<u32>,
}

impl LocalBitfield {
    /// The bits of a range, in parts that do not cross a multiple of 2^21 blocks. Where no block is set there is no part.
    pub fn bits(&self, start: u64, end: u64) -> impl Iterator<Item = Bits> + '_ {
        let mut at = start - start % WORD;
        std::iter::from_fn(move || {
            at = at.max(self.first_set(at)? / SEGMENT_BITS * SEGMENT_BITS);
            if at >= end {
                return None;
            }
            let start = at;
            at = (start / SEGMENT_BITS).saturating_add(1).saturating_mul(SEGMENT_BITS).min(end);
            Some(Bits { start, words: self.words(start, at) })
        })
    }

    /// The words from `start`, a multiple of 32, to the one before `end`.
    fn words(&self, start: u64, end: u64) -> Vec<u32> {
        (start / WORD..end.div_ceil(WORD))
            .map(|word| {
                let page = self.pages.get(&(word / PAGE_WORDS));
                page.map_or(0, |page| page.half_word(word % PAGE_WORDS))
            })
            .collect()
    }
}

impl Page {
    /// The so many-th 32 bits.
    fn half_word(&self, number: u64) -> u32 {
        let word =
            usize::try_from(number / 2).ok().and_then(|word| self.words.get(word)).copied().unwrap_or(0);
        let half = if number.is_multiple_of(2) { word } else { word >> WORD };
        u32::try_from(half & u64::from(u32::MAX)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitfield::BitChange;
    use proptest::prelude::*;

    fn with(ranges: &[(u64, u64)]) -> LocalBitfield {
        let mut bits = LocalBitfield::new();
        ranges.iter().for_each(|(start, end)| bits.apply(BitChange { start: *start, end: *end, set: true }));
        bits
    }

    #[test]
    fn e8_the_first_at_the_borders_of_pages_and_segments() {
        for border in [PAGE_BITS, SEGMENT_BITS, 3 * SEGMENT_BITS + PAGE_BITS] {
            for at in [border - 1, border, border + 1] {
                let one = with(&[(at, at + 1)]);
                assert_eq!(
                    (one.first_set(0), one.first_set(at), one.first_set(at + 1)),
                    (Some(at), Some(at), None)
                );
                assert_eq!((one.first_unset(at), one.first_unset(at - 1)), (at + 1, at - 1));
                let below = with(&[(0, at)]);
                assert_eq!(below.first_unset(0), at);
            }
        }
        assert_eq!((with(&[]).first_set(0), with(&[]).first_unset(u64::MAX)), (None, u64::MAX));
    }

    #[test]
    fn e9_ranges_over_many_pages_are_set_and_unset_also_where_no_page_is() {
        let mut bits = with(&[(5, 9 * PAGE_BITS + 3)]);
        assert!(bits.has_range(5, 9 * PAGE_BITS + 3) && !bits.get(4) && !bits.get(9 * PAGE_BITS + 3));
        bits.apply(BitChange { start: PAGE_BITS + 1, end: 100 * SEGMENT_BITS, set: false });
        assert!(bits.ranges().eq([(5, PAGE_BITS + 1)]));
        bits.apply(BitChange { start: 0, end: 101 * SEGMENT_BITS, set: false });
        assert_eq!((bits.first_set(0), bits.count()), (None, 0));
    }

    #[test]
    fn e10_counts_of_any_part() {
        let bits = with(&[(5, 9), (PAGE_BITS - 2, PAGE_BITS + 2), (SEGMENT_BITS, SEGMENT_BITS + 70)]);
        let counts =
            [(0, 5), (5, 9), (8, PAGE_BITS), (PAGE_BITS, PAGE_BITS), (0, SEGMENT_BITS), (6, u64::MAX)];
        assert_eq!(counts.map(|(start, end)| bits.count_range(start, end)), [0, 4, 3, 0, 8, 77]);
    }

    #[test]
    fn e11_a_want_is_answered_in_parts_of_at_most_a_segment() {
        let bits =
            with(&[(40, 50), (SEGMENT_BITS - 1, SEGMENT_BITS + 1), (5 * SEGMENT_BITS, 7 * SEGMENT_BITS)]);
        let parts =
            |start, end| bits.bits(start, end).map(|part| (part.start, part.words.len())).collect::<Vec<_>>();
        let whole = usize::try_from(SEGMENT_BITS / 32).unwrap();
        assert_eq!(whole * 4, 256 * 1024);
        let segments = [0, 1, 5, 6].map(|segment| (segment * SEGMENT_BITS, whole));
        assert_eq!(parts(0, u64::MAX >> 1), segments, "nothing where nothing is set");
        // also the part behind a border that is crossed
        assert_eq!(parts(SEGMENT_BITS - 33, SEGMENT_BITS + 1), [(SEGMENT_BITS - 64, 2), (SEGMENT_BITS, 1)]);
        assert_eq!(parts(2 * SEGMENT_BITS, 5 * SEGMENT_BITS), []);
        assert_eq!(bits.bits(33, 64).next(), Some(Bits { start: 32, words: vec![0b11_1111_1111 << 8] }));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn e11_agrees_with_a_set_of_numbers(
            ranges in prop::collection::vec((0..90_000_u64, 0..40_000_u64), 0..8),
            probes in prop::collection::vec(0..140_000_u64, 1..30),
        ) {
            let ranges: Vec<_> = ranges.iter().map(|(start, len)| (*start, start + len)).collect();
            let bits = with(&ranges);
            let mut naive = vec![false; 150_000];
            ranges.iter().for_each(|(start, end)| naive[*start as usize..*end as usize].fill(true));
            for from in probes {
                let end = from + 200;
                let told: Vec<u64> = bits
                    .bits(from, end)
                    .flat_map(|part| (0_u64..).zip(part.words).map(move |(n, word)| (part.start + n * 32, word)))
                    .flat_map(|(first, word)| (0..32).filter(move |bit| word >> bit & 1 == 1).map(move |bit| first + bit))
                    .filter(|at| (from..end).contains(at))
                    .collect();
                prop_assert_eq!(told, (from..end).filter(|at| naive[*at as usize]).collect::<Vec<_>>());
            }
        }
    }
}
