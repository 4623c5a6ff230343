//! Shortening a log, and what of its tree then goes.
//!
//! The blocks from the new length on go, and with them every node that covers one of them: those to the right of the new
//! end, and the few inner nodes to the left of it that reach across.
//!
//! One stays, as it does upstream, so that a store is byte for byte what Node makes of it: where the new length is a power of
//! two, the node right above the only root. No proof of the shorter log can lead to it, and a log that grows that far again
//! overwrites it.
//!
//! Follows npm hypercore 11.37.1, `lib/merkle-tree.js` (`truncate`, `_commitUpgrade`).

use crate::batch::TreeChange;
use crate::error::MissingNode;
use crate::flat::{self, Cursor};
use crate::head::TreeHead;
use crate::node::Node;
use crate::reader::NodeReader;

/// The first blocks of a log as a log of their own, on another fork (or on the same one, for a checkout that nobody signs).
///
/// # Errors
/// What the reader returns, and [`MissingNode`] if a root of the shorter log is not stored, or if it is not shorter.
pub fn truncate<R: NodeReader>(
    reader: &R,
    head: &TreeHead,
    length: u64,
    fork: u64,
) -> Result<TreeChange, R::Error>
where
    R::Error: From<MissingNode>,
{
    if length > head.length() {
        return Err(MissingNode { index: head.length().saturating_mul(2) }.into());
    }
    Ok(TreeChange::truncation(head.length(), head_at(reader, head, length, fork)?))
}

/// The head that a log had when it was shorter, on a fork.
///
/// # Errors
/// What the reader returns, and [`MissingNode`] if a root of the shorter log is not stored.
pub fn head_at<R: NodeReader>(
    reader: &R,
    head: &TreeHead,
    length: u64,
    fork: u64,
) -> Result<TreeHead, R::Error>
where
    R::Error: From<MissingNode>,
{
    let mut roots: Vec<Node> = Vec::new();
    let mut byte_length = 0_u64;
    for index in flat::full_roots(length) {
        let known = head.roots().iter().find(|root| root.index == index).copied();
        let root = match known {
            Some(root) => root,
            None => reader.node(index)?.ok_or(MissingNode { index })?,
        };
        byte_length = byte_length.saturating_add(root.size);
        roots.push(root);
    }
    Ok(TreeHead::merged(fork, length, byte_length, roots))
}

/// The nodes that a truncation takes away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovedNodes {
    /// All from the first on and before the second.
    pub range: (u64, u64),
    /// Further ones, to the left of the range.
    pub across: Vec<u64>,
}

impl TreeChange {
    /// The nodes that go; none if the log only grows.
    #[must_use]
    pub fn removed(&self) -> Option<RemovedNodes> {
        removed_nodes(self.ancestors(), self.before())
    }
}

/// The nodes that go from a log of `before` blocks when its first `length` stay; none if that is all of it.
#[must_use]
pub fn removed_nodes(length: u64, before: u64) -> Option<RemovedNodes> {
    if length >= before {
        return None;
    }
    let end = length.saturating_mul(2);
    let mut across = Vec::new();
    if length > 0 {
        let mut cursor = Cursor::new(end - 2);
        loop {
            if cursor.contains(end) && cursor.index() < end {
                across.push(cursor.index());
            }
            if flat::left_span(cursor.index()) == 0 || cursor.parent().is_none() {
                break;
            }
        }
    }
    Some(RemovedNodes { range: (end, before.saturating_mul(2)), across })
}
