//! Which block holds a byte of the log, and whether the roots of a shorter length are stored.
//!
//! Blocks of an encrypted log begin with *padding*, bytes that do not count as content. A seek counts only content.
//!
//! Follows npm hypercore 11.37.1, `lib/merkle-tree.js` (`ByteSeeker`, `upgradeable`).

use crate::flat::{self, Cursor};
use crate::head::TreeHead;
use crate::reader::NodeReader;

/// Where a byte of a log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seek {
    /// In this block, so many bytes after its beginning. The end of the log is the beginning of the block after its last.
    Block {
        /// The block.
        index: u64,
        /// Bytes of its content that lie before.
        offset: u64,
    },
    /// In one of these blocks: which one, the nodes that are stored do not say.
    Within {
        /// The first block.
        start: u64,
        /// One past the last.
        end: u64,
    },
    /// Beyond the end of the log.
    Beyond,
}

/// Looks for the block that holds a byte, counted without `padding`, as far as the stored nodes lead.
///
/// # Errors
/// What the reader returns.
pub fn seek<R: NodeReader>(reader: &R, head: &TreeHead, bytes: u64, padding: u64) -> Result<Seek, R::Error> {
    if bytes == 0 {
        return Ok(Seek::Block { index: 0, offset: 0 });
    }
    let mut rest = bytes;
    for root in head.roots() {
        let size = content(root.size, root.index, padding);
        if rest == size {
            return Ok(block_after(root.index));
        }
        if rest < size {
            return seek_below(reader, root.index, rest, padding);
        }
        rest -= size;
    }
    Ok(Seek::Beyond)
}

/// Looks for a byte that is below `root`, but is neither its first nor beyond its last.
fn seek_below<R: NodeReader>(reader: &R, root: u64, mut bytes: u64, padding: u64) -> Result<Seek, R::Error> {
    let mut cursor = Cursor::new(root);
    loop {
        let above = cursor.index();
        let Some(left) = cursor.left_child() else {
            return Ok(Seek::Block { index: above / 2, offset: bytes });
        };
        let Some(node) = reader.node(left)? else {
            return Ok(Seek::Within {
                start: flat::left_span(above) / 2,
                end: flat::right_span(above) / 2 + 1,
            });
        };
        let size = content(node.size, left, padding);
        if size == bytes {
            return Ok(block_after(left));
        }
        if size < bytes {
            bytes -= size;
            cursor.sibling();
        }
    }
}

/// Whether all roots of a shorter length are stored, so that a peer that knows so many blocks can be brought up.
///
/// # Errors
/// What the reader returns.
pub fn upgradeable<R: NodeReader>(reader: &R, length: u64) -> Result<bool, R::Error> {
    for root in flat::full_roots(length) {
        if !reader.has_node(root)? {
            return Ok(false);
        }
    }
    Ok(true)
}

const fn block_after(index: u64) -> Seek {
    Seek::Block { index: flat::right_span(index) / 2 + 1, offset: 0 }
}

/// Bytes of content below a node.
pub(crate) const fn content(size: u64, index: u64, padding: u64) -> u64 {
    size.saturating_sub(padding.saturating_mul(flat::count_blocks(index)))
}
