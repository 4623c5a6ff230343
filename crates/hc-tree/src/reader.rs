//! Questions whose answer depends on which nodes are stored.

use crate::error::MissingNode;
use crate::flat::{self, Cursor};
use crate::head::TreeHead;
use crate::node::Node;

/// Where nodes are stored.
pub trait NodeReader {
    /// What can go wrong when a node is read.
    type Error;

    /// A node, if it is stored.
    ///
    /// # Errors
    /// If the storage fails.
    fn node(&self, index: u64) -> Result<Option<Node>, Self::Error>;

    /// Whether a node is stored.
    ///
    /// # Errors
    /// If the storage fails.
    fn has_node(&self, index: u64) -> Result<bool, Self::Error> {
        Ok(self.node(index)?.is_some())
    }
}

/// How many nodes on the way from `index` up to its root are not stored, `index` included: what a request for it says, so
/// that the answer leads to a node that is stored. 0 if the node is beyond the log: then the answer comes with an upgrade.
///
/// A node is only ever stored together with all that is above it (within the log), so this looks for the lowest stored one by
/// bisection. Where blocks were cleared it may find a higher one, which does as well.
///
/// # Errors
/// What the reader returns.
pub fn missing_nodes<R: NodeReader>(reader: &R, index: u64, length: u64) -> Result<u64, R::Error> {
    let (path, count) = path_up(index, length);
    // path[..missing] is not stored, path[stored..] is
    let (mut missing, mut stored) = (0, count);
    while missing < stored {
        let middle = missing.midpoint(stored);
        let at = path.get(middle).copied().unwrap_or_default();
        if reader.has_node(at)? {
            stored = middle;
        } else {
            missing = middle + 1;
        }
    }
    Ok(u64::try_from(missing).unwrap_or(u64::MAX))
}

/// As [`missing_nodes`], also where blocks were cleared: that takes nodes away that others are below. Looks at one node after
/// the other.
///
/// # Errors
/// What the reader returns.
pub fn missing_nodes_with_gaps<R: NodeReader>(reader: &R, index: u64, length: u64) -> Result<u64, R::Error> {
    let (path, count) = path_up(index, length);
    let mut missing = 0;
    for node in path.into_iter().take(count) {
        if reader.has_node(node)? {
            break;
        }
        missing += 1;
    }
    Ok(missing)
}

/// The nodes from one up to its root, and how many they are: none if the node is beyond the log.
fn path_up(index: u64, length: u64) -> ([u64; 64], usize) {
    let end = length.saturating_mul(2);
    let (mut path, mut count) = ([0_u64; 64], 0_usize);
    if flat::right_span(index) >= end {
        return (path, count);
    }
    let mut cursor = Cursor::new(index);
    while !cursor.contains(end) {
        let Some(slot) = path.get_mut(count) else { break };
        *slot = cursor.index();
        count += 1;
        if cursor.parent().is_none() {
            break;
        }
    }
    (path, count)
}

/// How many bytes of the log lie before a block, or the blocks below an inner node.
///
/// # Errors
/// What the reader returns, and [`MissingNode`].
pub fn byte_offset<R: NodeReader>(reader: &R, head: &TreeHead, index: u64) -> Result<u64, R::Error>
where
    R::Error: From<MissingNode>,
{
    let target = flat::left_span(index);
    let mut offset = 0_u64;
    for root in head.roots() {
        let mut cursor = Cursor::new(root.index);
        if !cursor.contains(target) {
            offset = offset.saturating_add(root.size);
            continue;
        }
        while cursor.index() != target {
            let above = cursor.index();
            let Some(left) = cursor.left_child() else { break };
            if target > above {
                let node = reader.node(left)?.ok_or(MissingNode { index: left })?;
                offset = offset.saturating_add(node.size);
                cursor.sibling();
            }
        }
        return Ok(offset);
    }
    Ok(offset)
}
