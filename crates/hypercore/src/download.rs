//! Fetching blocks ahead of reading them: [`Download`].

use std::ops::{Bound, RangeBounds};

use tokio_util::sync::CancellationToken;

use crate::core::{Core, Waiting, WantKind};
use crate::limits::check_number;
use crate::session::Lease;
use crate::{Error, Result};

/// How a range is downloaded.
#[derive(Debug, Clone, Copy, Default)]
pub struct DownloadOptions {
    /// In order of index, so that the first blocks are here first. Otherwise in random order, so that several readers
    /// of one source have different blocks to offer each other.
    pub linear: bool,
}

/// A range of blocks that is being fetched from peers, for as long as this lives and its session is open.
#[must_use = "the download stops when this is dropped"]
pub struct Download {
    /// Or why nothing is waited for.
    fetching: Result<Fetching>,
    endless: bool,
}

/// What is waited for.
pub(crate) struct Fetching {
    pub(crate) core: Core,
    pub(crate) waiting: Waiting,
    pub(crate) kind: WantKind,
    /// Cancelled when the session is closed that it is for.
    pub(crate) session_closed: CancellationToken,
    pub(crate) lease: Lease,
}

impl Download {
    pub(crate) const fn new(fetching: Result<Fetching>, endless: bool) -> Self {
        Self { fetching, endless }
    }

    /// Waits until all blocks of the range are stored here. A range without an end is never done.
    ///
    /// # Errors
    /// [`Error::RequestCancelled`] if the session closes first, and
    /// [`Error::SessionClosed`] if it was closed already;
    /// [`Error::BadArgument`] if no log has such blocks, or if too much is waited for already.
    pub async fn done(self) -> Result<()> {
        let Fetching { core, waiting, kind, session_closed, lease: _lease } = self.fetching?;
        let discovery_key = *core.discovery_key();
        tokio::select! {
            biased;
            done = core.fetch_all(waiting, kind) => done,
            () = session_closed.cancelled() => Err(Error::RequestCancelled { discovery_key }),
        }
    }

    /// Whether the range has no end, so that [`done`](Self::done) would wait for good.
    #[must_use]
    pub const fn is_endless(&self) -> bool {
        self.endless
    }

    /// Stops fetching. Blocks that are here stay.
    pub fn destroy(self) {
        drop(self);
    }
}

impl std::fmt::Debug for Download {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Download").field("endless", &self.endless).finish_non_exhaustive()
    }
}

/// A range may be given generously, a block has to be one that a log can have.
pub(crate) fn checked(kind: &WantKind) -> Result<()> {
    let WantKind::Blocks(blocks) = kind else { return Ok(()) };
    blocks.iter().try_for_each(|block| check_number("block", *block))
}

/// A range of blocks: the first one, and one past the last if there is a last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockRange {
    pub(crate) start: u64,
    pub(crate) end: Option<u64>,
}

pub(crate) fn block_range(range: &impl RangeBounds<u64>) -> BlockRange {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(last) => Some(last.saturating_add(1)),
        Bound::Excluded(end) => Some(*end),
        Bound::Unbounded => None,
    };
    BlockRange { start, end }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_every_form_are_half_open() {
        assert_eq!(block_range(&(..)), BlockRange { start: 0, end: None });
        assert_eq!(block_range(&(3..)), BlockRange { start: 3, end: None });
        assert_eq!(block_range(&(3..=5)), BlockRange { start: 3, end: Some(6) });
        assert_eq!(block_range(&(..u64::MAX)), BlockRange { start: 0, end: Some(u64::MAX) });
    }
}
