//! Which nodes no block needs any more once blocks are cleared.
//!
//! To prove a block, the siblings of all nodes above it are needed. So two siblings may go when no block below either of them
//! is stored. Upstream looks upwards from the first block of the range only, and so does this: a store stays byte for byte
//! what Node makes of it. Where upstream takes away too much (it does not look at the blocks to the left of the range), this
//! stops in time; nodes that stay although nobody needs them cost a little space and nothing else.
//!
//! What stays is enough for more than proofs: a log can still be cut to each length with a stored block on either side of it.
//! The roots of a length either cover the last block before it, or have a sibling that covers it or the first one behind it,
//! and siblings only go together when no block below either of them is stored. A length in the midst of what was cleared may
//! be out of reach: to keep the roots of all lengths would be to keep half of the tree for good, which Node does not do either.
//!
//! Follows npm hypercore 11.37.1, `lib/session-state.js` (`clear`).

use crate::bitfield::LocalBitfield;
use crate::flat::{self, Cursor};
use crate::head::TreeHead;

/// The nodes that go when the blocks from `start` on are cleared. `stored` are the blocks before that.
#[must_use]
pub fn cleared_nodes(head: &TreeHead, stored: &LocalBitfield, start: u64) -> Vec<u64> {
    let mut gone = Vec::new();
    if start >= head.length() {
        return gone;
    }
    let mut cursor = Cursor::new(start.saturating_mul(2));
    while !head.roots().iter().any(|root| root.index == cursor.index()) {
        let node = cursor.index();
        let sibling = cursor.sibling();
        let (first, last) = (flat::left_span(sibling) / 2, flat::right_span(sibling) / 2);
        if stored.has_any(first, last.saturating_add(1)) || cursor.parent().is_none() {
            break;
        }
        gone.extend([node, sibling]);
    }
    gone
}
