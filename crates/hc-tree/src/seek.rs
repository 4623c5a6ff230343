//! Which block a byte of the log is in.
//!
//! From the root that covers the byte downwards: the size of each left child says on which side it is. With padding (of
//! encrypted blocks) bytes are counted without it.
//!
//! Follows npm hypercore 11.37.1, `lib/merkle-tree.js` (`ByteSeeker`).

use crate::flat::Cursor;
use crate::head::TreeHead;
use crate::node::Node;
use crate::reader::NodeReader;

/// Where a byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sought {
    /// In this block, so many bytes from its beginning. The byte right behind the last one is in the block after the last.
    Found {
        /// The block.
        block: u64,
        /// Bytes of the block before it.
        offset: u64,
    },
    /// Below this node, and the stored nodes do not tell where.
    Below {
        /// The node.
        index: u64,
    },
    /// Beyond the log.
    Beyond,
}

/// Looks for a byte. `padding` is how many bytes of each block do not count.
///
/// # Errors
/// What the reader returns.
pub fn seek<R: NodeReader>(
    reader: &R,
    head: &TreeHead,
    bytes: u64,
    padding: u64,
) -> Result<Sought, R::Error> {
    if bytes == 0 {
        return Ok(Sought::Found { block: 0, offset: 0 });
    }
    let mut rest = bytes;
    let mut next = 0_u64;
    for root in head.roots() {
        let cursor = Cursor::new(root.index);
        let size = plain_size(root, &cursor, padding);
        next = next.saturating_add(cursor.blocks());
        if rest == size {
            return Ok(Sought::Found { block: next, offset: 0 });
        }
        if rest < size {
            return below(reader, cursor, rest, padding);
        }
        rest -= size;
    }
    Ok(Sought::Beyond)
}

fn below<R: NodeReader>(
    reader: &R,
    mut cursor: Cursor,
    mut rest: u64,
    padding: u64,
) -> Result<Sought, R::Error> {
    loop {
        let above = cursor.index();
        let Some(left) = cursor.left_child() else {
            return Ok(Sought::Found { block: above / 2, offset: rest });
        };
        let Some(node) = reader.node(left)? else { return Ok(Sought::Below { index: above }) };
        let size = plain_size(&node, &cursor, padding);
        if size == rest {
            return Ok(Sought::Found { block: crate::flat::right_span(left) / 2 + 1, offset: 0 });
        }
        if size < rest {
            rest -= size;
            cursor.sibling();
        }
    }
}

/// Bytes below a node without padding; none if a peer said less than there must be.
const fn plain_size(node: &Node, cursor: &Cursor, padding: u64) -> u64 {
    node.size.saturating_sub(cursor.blocks().saturating_mul(padding))
}
