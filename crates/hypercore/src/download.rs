//! Fetching blocks ahead of reading them: [`Download`].

use std::ops::{Bound, RangeBounds};

use tokio_util::sync::CancellationToken;

use crate::core::{Core, Waiting, WantKind};
use crate::{Error, Result};

/// How a range is downloaded.
#[derive(Debug, Clone, Copy, Default)]
pub struct DownloadOptions {
    /// In order of index, so that the first blocks are here first. Otherwise in random order, so that several readers
    /// of one source have different blocks to offer each other.
    pub linear: bool,
}

/// A range of blocks that is being fetched from peers, for as long as this lives.
#[must_use = "the download stops when this is dropped"]
pub struct Download {
    waiting: Waiting,
    kind: WantKind,
    endless: bool,
    /// Cancelled when the session is closed that it was made by.
    session_closed: CancellationToken,
    core: Core,
}

impl Download {
    pub(crate) fn new(
        core: &Core,
        session_closed: CancellationToken,
        kind: WantKind,
        end: Option<u64>,
    ) -> Self {
        let waiting = core.want(kind.clone());
        Self { waiting, kind, endless: end.is_none(), session_closed, core: core.clone() }
    }

    /// Waits until all blocks of the range are stored here. A range without an end is never done.
    ///
    /// # Errors
    /// [`Error::RequestCancelled`] if the session or the core closes first.
    pub async fn done(self) -> Result<()> {
        let discovery_key = *self.core.discovery_key();
        tokio::select! {
            biased;
            done = self.core.fetch_all(self.waiting, self.kind) => done,
            () = self.session_closed.cancelled() => Err(Error::RequestCancelled { discovery_key }),
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
