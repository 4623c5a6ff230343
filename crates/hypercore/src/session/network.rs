//! What a session does with peers.

use std::ops::RangeBounds;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use super::{Hypercore, Lease};
use crate::core::WantKind;
use crate::download::{Download, DownloadOptions, Fetching, block_range, checked};
use crate::options::UpdateOptions;
use crate::replication::{OneCore, Replication, ReplicationBuilder, Role};
use crate::{Error, Result};

impl Hypercore {
    /// Learns of a longer log from peers: whether there was one. Does not wait for peers to appear, unless
    /// [`finding_peers`](Self::finding_peers) says that they are being looked for. A writable session knows the length
    /// itself and returns false; so does a snapshot, which stays as it is.
    ///
    /// # Errors
    /// [`Error::SessionClosed`], [`Error::RequestTimeout`].
    pub async fn update(&self) -> Result<bool> {
        self.update_with(UpdateOptions::new()).await
    }

    /// As [`update`](Self::update), with options.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub async fn update_with(&self, options: UpdateOptions) -> Result<bool> {
        let held = self.held()?;
        if self.is_snapshot() || self.writable() && !options.force {
            return Ok(false);
        }
        if !options.wait.unwrap_or_else(|| self.core().is_finding_peers() || self.core().has_peers()) {
            return Ok(false);
        }
        let timeout = options.timeout.or(held.options.timeout).flatten();
        loop {
            match self.within(timeout, async { self.core().fetch_upgrade().await }).await {
                Err(Error::SessionMoved { .. }) => {}
                done => return done,
            }
        }
    }

    /// Says that peers are being looked for: until the guard is dropped or the session closed, [`update`](Self::update) waits
    /// for one.
    pub fn finding_peers(&self) -> FindingPeers {
        let searching = self.held().ok().map(|held| {
            let core = self.core().clone();
            core.finding_peers(true);
            held.ongoing.begun(move || core.finding_peers(false))
        });
        FindingPeers { _searching: searching }
    }

    /// Fetches the blocks of a range from peers and keeps them. An open range follows the log for as long as the
    /// download lives and the session is open.
    ///
    /// ```no_run
    /// # async fn f(log: hypercore::Hypercore) -> hypercore::Result<()> {
    /// log.download(..100).done().await?; // the first hundred
    /// let follow = log.download(..); // everything, now and later; stops when dropped
    /// # drop(follow); Ok(()) }
    /// ```
    pub fn download(&self, range: impl RangeBounds<u64>) -> Download {
        self.download_with(range, DownloadOptions::default())
    }

    /// As [`download`](Self::download), with options.
    pub fn download_with(&self, range: impl RangeBounds<u64>, options: DownloadOptions) -> Download {
        let range = block_range(&range);
        let kind = WantKind::Range { start: range.start, end: range.end, linear: options.linear };
        self.downloading(kind, range.end)
    }

    /// Fetches these blocks from peers and keeps them.
    pub fn download_blocks(&self, blocks: impl IntoIterator<Item = u64>) -> Download {
        self.downloading(WantKind::Blocks(blocks.into_iter().collect()), Some(0))
    }

    fn downloading(&self, kind: WantKind, end: Option<u64>) -> Download {
        let fetching = checked(&kind).and_then(|()| self.held()).map(|held| {
            let core = self.core().clone();
            let waiting = core.want(kind.clone());
            let lease = held.ongoing.begun(waiting.canceller());
            Fetching { core, waiting, kind, session_closed: held.cancelled.clone(), lease }
        });
        Download::new(fetching, end.is_none())
    }

    /// Replicates this core over a byte stream, in the background, until the stream ends or the handle's `stop` is called.
    ///
    /// # Errors
    /// [`Error::SessionClosed`].
    pub fn replicate<S>(&self, transport: S, role: Role) -> Result<Replication>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        self.replicate_with(transport, role, ReplicationBuilder::new())
    }

    /// As [`replicate`](Self::replicate), with options.
    ///
    /// # Errors
    /// [`Error::SessionClosed`].
    pub fn replicate_with<S>(
        &self,
        transport: S,
        role: Role,
        options: ReplicationBuilder,
    ) -> Result<Replication>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        self.check_open()?;
        options.start(transport, role, Arc::new(OneCore(self.core().clone())))
    }
}

/// While it lives, peers are being looked for; see [`Hypercore::finding_peers`].
#[must_use = "peers count as found when this is dropped"]
pub struct FindingPeers {
    _searching: Option<Lease>,
}

impl std::fmt::Debug for FindingPeers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FindingPeers")
    }
}
