//! Mark and sweep: all blocks but the marked ones are taken away.
//!
//! Marks are kept in the store, in pages like those of the bitfield, so that a sweep may come long after them.
//!
//! Follows npm hypercore 11.37.1, `index.js` (`startMarking`, `sweep`) and `lib/mark-bitfield.js`.

use std::ops::RangeBounds;

use hc_tree::bitfield::BitChange;

use super::Hypercore;
use crate::download::block_range;
use crate::limits::MAX_MARKS_AHEAD;
use crate::storage::blocking;
use crate::{Error, Result};

impl Hypercore {
    /// Takes all marks away, and from now on marks each block that this session reads.
    ///
    /// # Errors
    /// [`Error::Assertion`] if it does so already, and for named sessions and atoms; [`Error::Storage`].
    pub async fn start_marking(&self) -> Result<()> {
        let held = self.held()?;
        if held.is_marking() {
            return Err(Error::Assertion("the session marks already".into()));
        }
        if held.draft().is_some() {
            return Err(Error::Assertion("a named session cannot be swept".into()));
        }
        if held.branch.as_ref().is_some_and(|branch| branch.is_atomic()) {
            return Err(Error::Assertion("a session of an atom cannot be swept".into()));
        }
        self.clear_marks().await?;
        held.set_marking(true);
        Ok(())
    }

    /// Marks blocks.
    ///
    /// # Errors
    /// [`Error::BadArgument`] if the range has no end, or ends more than 2,097,152 blocks behind the log;
    /// [`Error::SessionClosed`], [`Error::Storage`].
    pub async fn mark(&self, blocks: impl RangeBounds<u64> + Send) -> Result<()> {
        self.check_open()?;
        let range = block_range(&blocks);
        let end = range.end.ok_or_else(|| Error::BadArgument("the range has no end".into()))?;
        let most = self.length().saturating_add(MAX_MARKS_AHEAD);
        if end > most {
            return Err(Error::BadArgument(format!("the range ends at block {end}: marks go up to {most}")));
        }
        self.mark_blocks(range.start, end).await
    }

    pub(super) async fn mark_blocks(&self, start: u64, end: u64) -> Result<()> {
        let core = self.core().clone();
        blocking(move || core.mark(BitChange { start, end, set: true })).await
    }

    /// Takes all marks away.
    ///
    /// # Errors
    /// [`Error::SessionClosed`], [`Error::Storage`].
    pub async fn clear_marks(&self) -> Result<()> {
        self.check_open()?;
        let core = self.core().clone();
        blocking(move || core.clear_marks()).await
    }

    /// Takes away all blocks that are not marked, and then the marks. Returns how many blocks there were.
    ///
    /// # Errors
    /// [`Error::Assertion`] on a snapshot; [`Error::SessionClosed`], [`Error::Storage`].
    pub async fn sweep(&self) -> Result<u64> {
        let held = self.held()?;
        if self.is_snapshot() {
            return Err(Error::Assertion("nothing can be taken away from a snapshot".into()));
        }
        let core = self.core().clone();
        let marked = blocking(move || core.marks()).await?;
        let (mut cleared, mut end) = (0, self.length());
        // from the end on, as upstream: which nodes of the tree go depends on it
        let kept: Vec<(u64, u64)> = marked.ranges().collect();
        for (from, to) in kept.into_iter().rev() {
            cleared += self.clear(to..end).await?;
            end = from;
        }
        cleared += self.clear(0..end).await?;
        held.set_marking(false);
        self.clear_marks().await?;
        Ok(cleared)
    }
}
