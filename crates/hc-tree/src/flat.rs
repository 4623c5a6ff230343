//! The numbering of the tree's nodes.
//!
//! ```text
//! depth 2         3
//! depth 1     1       5
//! depth 0   0   2   4   6
//! block     0   1   2   3
//! ```
//!
//! All functions are total for indices below 2^54; a [`Cursor`] that would climb beyond that stops with `None`.
//!
//! Follows npm flat-tree 1.13.0, `index.js`.

/// Trees are at most so many levels high, so that no index overflows.
const MAX_FACTOR: u64 = 1 << 60;

/// How many levels a node is above the blocks.
#[must_use]
pub const fn depth(index: u64) -> u32 {
    index.trailing_ones()
}

/// The leftmost block node below a node.
#[must_use]
pub const fn left_span(index: u64) -> u64 {
    let half = 1_u64 << depth(index);
    index - (half - 1)
}

/// The rightmost block node below a node.
#[must_use]
pub const fn right_span(index: u64) -> u64 {
    let half = 1_u64 << depth(index);
    index + (half - 1)
}

/// How many blocks are below a node.
#[must_use]
pub(crate) const fn count_blocks(index: u64) -> u64 {
    1_u64 << depth(index)
}

/// The roots of a log with this many blocks, from left to right.
pub fn full_roots(length: u64) -> impl Iterator<Item = u64> + Clone {
    let (mut rest, mut start) = (length, 0_u64);
    std::iter::from_fn(move || {
        if rest == 0 {
            return None;
        }
        let blocks = 1_u64 << rest.ilog2();
        let root = start * 2 + (blocks - 1);
        start += blocks;
        rest -= blocks;
        Some(root)
    })
}

/// The number of blocks that these roots cover, if they are the roots of a log at all.
#[must_use]
pub(crate) fn length_of(roots: impl IntoIterator<Item = u64>) -> Option<u64> {
    let (mut length, mut last) = (0_u64, u64::MAX);
    for root in roots {
        let blocks = count_blocks(root);
        if blocks >= last || left_span(root) != length.checked_mul(2)? {
            return None;
        }
        last = blocks;
        length = length.checked_add(blocks)?;
    }
    Some(length)
}

/// A place in the tree that can be moved around.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    index: u64,
    /// Twice the number of blocks below the node: how far its right neighbour is.
    factor: u64,
}

impl Cursor {
    /// At a node.
    #[must_use]
    pub const fn new(index: u64) -> Self {
        Self { index, factor: 2 << depth(index) }
    }

    /// The node.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// How many blocks are below the node.
    #[must_use]
    pub const fn blocks(&self) -> u64 {
        self.factor / 2
    }

    const fn is_left(&self) -> bool {
        (self.index / self.factor).is_multiple_of(2)
    }

    /// Moves to the other child of the node's parent.
    pub const fn sibling(&mut self) -> u64 {
        self.index = if self.is_left() { self.index + self.factor } else { self.index - self.factor };
        self.index
    }

    /// Moves to the node's parent; `None` if no tree is that high.
    #[must_use]
    pub const fn parent(&mut self) -> Option<u64> {
        if self.factor >= MAX_FACTOR {
            return None;
        }
        self.index = if self.is_left() { self.index + self.factor / 2 } else { self.index - self.factor / 2 };
        self.factor *= 2;
        Some(self.index)
    }

    /// Moves to the left child; `None` at a block.
    #[must_use]
    pub const fn left_child(&mut self) -> Option<u64> {
        if self.factor == 2 {
            return None;
        }
        self.factor /= 2;
        self.index -= self.factor / 2;
        Some(self.index)
    }

    /// Whether a node is the node here or below it.
    #[must_use]
    pub const fn contains(&self, index: u64) -> bool {
        let half = self.factor / 2;
        index < self.index + half && index + half > self.index
    }
}

/// The full trees that cover the first blocks of a log, from left to right, as cursors at their tops.
pub(crate) fn full_trees(length: u64) -> impl Iterator<Item = Cursor> {
    full_roots(length).map(Cursor::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn roots_of_small_logs() {
        let roots = |length| full_roots(length).collect::<Vec<_>>();
        assert_eq!(roots(0), []);
        assert_eq!(roots(1), [0]);
        assert_eq!(roots(2), [1]);
        assert_eq!(roots(3), [1, 4]);
        assert_eq!(roots(7), [3, 9, 12]);
    }

    #[test]
    fn a_cursor_climbs_and_stops() {
        let mut cursor = Cursor::new(0);
        assert_eq!((cursor.sibling(), cursor.parent()), (2, Some(1)));
        assert_eq!((cursor.sibling(), cursor.parent()), (5, Some(3)));
        while cursor.parent().is_some() {}
        assert!(cursor.contains(1 << 40));
    }

    proptest! {
        #[test]
        fn roots_cover_exactly_the_log(length in 0..(1_u64 << 52)) {
            prop_assert_eq!(length_of(full_roots(length)), Some(length));
        }

        #[test]
        fn a_parent_contains_both_children(index in 0..(1_u64 << 53)) {
            let mut up = Cursor::new(index);
            let sibling = { let mut c = up; c.sibling() };
            let parent = up.parent().unwrap();
            prop_assert!(up.contains(index) && up.contains(sibling));
            prop_assert_eq!(depth(parent), depth(index) + 1);
            prop_assert_eq!(left_span(parent), left_span(index).min(left_span(sibling)));
            prop_assert_eq!(right_span(parent), right_span(index).max(right_span(sibling)));
            prop_assert_eq!(Cursor::new(parent), up);
        }
    }
}
