//! Reading what is stored here.

use std::collections::VecDeque;

use bytes::Bytes;

use hc_storage::CoreStorage;
use hc_tree::bitfield::BitChange;
use hc_tree::flat::Cursor;
use hc_tree::{LocalBitfield, Node, Seek, TreeHead};

use super::line::NodesOf;
use super::{Branch, Core};
use crate::storage::blocking;
use crate::{Error, Result};

/// How many bytes of blocks a stream reads at once.
const CHUNK_BYTES: usize = 1 << 20;
/// How many blocks it reads at once.
const CHUNK_BLOCKS: u64 = 4096;

impl Core {
    /// A block, if it is stored here. A point read: it stays on the calling thread.
    pub(crate) fn read_block(&self, index: u64) -> Result<Option<Bytes>> {
        if !self.0.state.read().bitfield().get(index) {
            return Ok(None);
        }
        Ok(self.0.disk.block(index)?)
    }

    /// Blocks from `start` on that are stored here without a hole, up to a chunk. Empty if the first one is not.
    pub(crate) async fn read_chunk(&self, start: u64, end: Option<u64>) -> Result<VecDeque<Bytes>> {
        let here = self.0.state.read().bitfield().first_unset(start);
        let end = end.unwrap_or(u64::MAX).min(here).min(start.saturating_add(CHUNK_BLOCKS));
        if end <= start {
            return Ok(VecDeque::new());
        }
        let disk = self.0.disk.clone();
        blocking(move || Ok(disk.blocks(start, end, CHUNK_BYTES)?.into())).await
    }

    pub(crate) fn has_range(&self, start: u64, end: u64) -> bool {
        self.0.state.read().bitfield().has_range(start, end)
    }

    pub(crate) fn has_blocks(&self, indices: &[u64]) -> bool {
        let state = self.0.state.read();
        indices.iter().all(|index| state.bitfield().get(*index))
    }

    /// Where the log is stored.
    pub(crate) fn disk(&self) -> CoreStorage {
        self.0.disk.clone()
    }

    /// Looks for a byte of the log, or of a branch.
    pub(crate) fn seek(&self, branch: Option<&Branch>, bytes: u64, padding: u64) -> Result<Seek> {
        self.check_roots()?;
        let (head, disk) = self.head_and_disk(branch);
        hc_tree::seek(&NodesOf(&disk), &head, bytes, padding).map_err(|error| self.explained(error, None))
    }

    /// Bytes of the log before a block.
    pub(crate) fn bytes_before(&self, block: u64) -> Result<u64> {
        let (head, disk) = self.head_and_disk(None);
        if block >= head.length() {
            return Ok(head.byte_length());
        }
        hc_tree::byte_offset(&NodesOf(&disk), &head, block.saturating_mul(2))
            .map_err(|error| self.explained(error, None))
    }

    /// Says of a gap in the tree what is known of it.
    pub(super) fn explained(&self, error: Error, length: Option<u64>) -> Error {
        self.0.state.read().explained(error, self.key(), length)
    }

    /// Checks a block against the stored tree, up to a root of the head.
    pub(crate) fn verify_block(&self, branch: Option<&Branch>, index: u64, block: &[u8]) -> Result<()> {
        let (head, disk) = self.head_and_disk(branch);
        let altered = |reason: &str| Error::InvalidChecksum {
            reason: format!("block {index}: {reason}"),
            discovery_key: *self.discovery_key(),
        };
        let mut node = Node::of_block(index, block);
        let mut cursor = Cursor::new(node.index);
        loop {
            if let Some(root) = head.roots().iter().find(|root| root.index == node.index) {
                return if *root == node {
                    Ok(())
                } else {
                    Err(altered("it is not the one that was signed"))
                };
            }
            let sibling = cursor.sibling();
            let sibling = disk.tree_node(sibling)?.ok_or_else(|| altered("a node of the tree is missing"))?;
            let above = cursor.parent().ok_or_else(|| altered("it lies beyond the log"))?;
            node = Node::parent(above, &node, &sibling).ok_or_else(|| altered("the tree is damaged"))?;
        }
    }

    /// The head of the log or of a branch, and where it is stored.
    pub(crate) fn head_and_disk(&self, branch: Option<&Branch>) -> (TreeHead, CoreStorage) {
        match branch {
            Some(branch) => (branch.head(), branch.disk()),
            None => (self.0.state.read().head().clone(), self.0.disk.clone()),
        }
    }

    /// Sets or takes away marks.
    pub(crate) fn mark(&self, change: BitChange) -> Result<()> {
        let _writing = self.writing();
        let marks = self.0.disk.marks()?;
        let mut write = self.0.disk.write();
        for (page, bytes) in marks.pages_with(&[change]) {
            write.mark_page(page, &bytes);
        }
        self.0.disk.commit(write)?;
        Ok(())
    }

    pub(crate) fn marks(&self) -> Result<LocalBitfield> {
        Ok(self.0.disk.marks()?)
    }

    pub(crate) fn clear_marks(&self) -> Result<()> {
        let _writing = self.writing();
        let mut write = self.0.disk.write();
        write.clear_marks();
        self.0.disk.commit(write)?;
        Ok(())
    }
}
