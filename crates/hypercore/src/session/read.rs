//! Reading: single blocks, byte positions, streams.

use std::ops::RangeBounds;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use hc_tree::Seek;

use super::Hypercore;
use super::held::Held;
use crate::core::Core;
use crate::download::block_range;
use crate::limits::{MAX_NUMBER, check_number};
use crate::options::{GetOptions, SeekOptions};
use crate::storage::blocking;
use crate::streams::{ByteStream, ReadStream};
use crate::{Error, Result};

impl Hypercore {
    /// Reads a block: from here, else from peers, for as long as the session's timeout allows.
    ///
    /// # Errors
    /// [`Error::BlockNotAvailable`] if the session does not wait, [`Error::SnapshotNotAvailable`],
    /// [`Error::RequestTimeout`], [`Error::RequestCancelled`] if the session closes meanwhile, [`Error::Encryption`],
    /// [`Error::SessionClosed`], [`Error::Storage`].
    pub async fn get(&self, index: u64) -> Result<Bytes> {
        let block = self.get_with(index, GetOptions::new()).await?;
        block.ok_or_else(|| Error::BlockNotAvailable { index, discovery_key: *self.discovery_key() })
    }

    /// Reads a block as the options say; none if it is not here and they say not to wait.
    ///
    /// # Errors
    /// As [`get`](Self::get), without [`Error::BlockNotAvailable`].
    pub async fn get_with(&self, index: u64, options: GetOptions) -> Result<Option<Bytes>> {
        let held = self.held()?;
        check_number("block", index)?;
        if let Some(call) = &held.options.on_seq {
            call(index);
        }
        if held.is_marking() {
            self.mark_blocks(index, index.saturating_add(1)).await?;
        }
        let Some(block) = self.stored_or_fetched(&held, index, options).await? else { return Ok(None) };
        if options.raw {
            return Ok(Some(block));
        }
        if options.sealed {
            let padding = usize::try_from(held.padding(self.core())).unwrap_or(usize::MAX);
            return Ok(Some(block.slice(padding.min(block.len())..)));
        }
        self.decrypted(&held, index, block).await.map(Some)
    }

    async fn stored_or_fetched(&self, held: &Held, index: u64, options: GetOptions) -> Result<Option<Bytes>> {
        loop {
            match self.stored(held, index) {
                Ok(Some(block)) => {
                    if held.options.verify_reads.unwrap_or(false) {
                        self.verify_stored(held, index, &block).await?;
                    }
                    return Ok(Some(block));
                }
                Ok(None) => {}
                // it is the other core's block now
                Err(Error::SessionMoved { .. }) => continue,
                Err(error) => return Err(error),
            }
            if !options.wait.or(held.options.wait).unwrap_or(true) {
                return Ok(None);
            }
            self.session.waits.fetch_add(1, Ordering::Relaxed);
            if let Some(call) = &held.options.on_wait {
                call(index);
            }
            let timeout = options.timeout.or(held.options.timeout).flatten();
            match self.within(timeout, self.fetched(index)).await {
                Err(Error::SessionMoved { .. }) => {}
                fetched => {
                    let block = fetched?;
                    self.check_snapshot(held, index)?;
                    return Ok(Some(block));
                }
            }
        }
    }

    /// A block from peers, or from an append. If the log has it now, it is that one: a cut ends the wait.
    async fn fetched(&self, index: u64) -> Result<Bytes> {
        let cuts = self.core().watch_cuts();
        let fetch = self.core().fetch_block(index);
        if index >= self.length() {
            return fetch.await;
        }
        tokio::select! {
            biased;
            block = fetch => block,
            available = cuts.cut_to(index) => {
                Err(Error::SnapshotNotAvailable { index, available, discovery_key: *self.discovery_key() })
            }
        }
    }

    /// A block, if it is stored here.
    fn stored(&self, held: &Held, index: u64) -> Result<Option<Bytes>> {
        let Some(branch) = &held.branch else { return self.core().read_block(index) };
        let core = branch.core();
        if let Some(block) = branch.read_block(index)? {
            return Ok(Some(block));
        }
        // a snapshot does not see what was fetched after it, but the log does
        self.check_snapshot(held, index)?;
        let block = if branch.is_snapshot() || index < branch.shared_length() {
            core.read_block(index)?
        } else {
            None
        };
        self.check_snapshot(held, index)?;
        if !core.is(branch.core()) {
            return Err(Error::SessionMoved { discovery_key: *core.discovery_key() });
        }
        Ok(block)
    }

    /// A snapshot may take a block from the log only where the log is still what it was.
    fn check_snapshot(&self, held: &Held, index: u64) -> Result<()> {
        match held.branch.as_ref().filter(|branch| branch.is_snapshot()).map(|branch| branch.still()) {
            Some(available) if index >= available => {
                Err(Error::SnapshotNotAvailable { index, available, discovery_key: *self.discovery_key() })
            }
            _ => Ok(()),
        }
    }

    /// Checks a stored block against the tree, up to the head.
    async fn verify_stored(&self, held: &Held, index: u64, block: &Bytes) -> Result<()> {
        let (core, branch, block) = (self.core().clone(), held.branch.clone(), block.clone());
        blocking(move || core.verify_block(branch.as_deref(), index, &block)).await
    }

    async fn decrypted(&self, held: &Held, index: u64, block: Bytes) -> Result<Bytes> {
        let Some(encryption) = held.encrypts() else { return Ok(block) };
        if let Some(provider) = encryption.provider() {
            return provider.decrypt(index, block).await;
        }
        encryption.check(self.key())?;
        let Some(cipher) = encryption.cipher(self.key(), self.core().is_compat()) else { return Ok(block) };
        cipher.open(index, &block).map(Bytes::from).map_err(|error| Error::Encryption {
            index,
            reason: error.to_string(),
            discovery_key: *self.discovery_key(),
        })
    }

    /// Whether a block is stored here.
    ///
    /// # Errors
    /// [`Error::SessionClosed`].
    pub async fn has(&self, index: u64) -> Result<bool> {
        if index > MAX_NUMBER {
            return self.check_open().map(|()| false);
        }
        self.has_range(index..index.saturating_add(1)).await
    }

    /// Whether all blocks of a range are stored here.
    ///
    /// # Errors
    /// [`Error::SessionClosed`], [`Error::BadArgument`] if the range has no end.
    pub async fn has_range(&self, range: impl RangeBounds<u64> + Send) -> Result<bool> {
        let held = self.held()?;
        let range = block_range(&range);
        let end = range.end.ok_or_else(|| Error::BadArgument("the range has no end".into()))?;
        match held.branch.clone() {
            None => Ok(self.core().has_range(range.start, end)),
            Some(branch) => blocking(move || branch.has_range(range.start, end)).await,
        }
    }

    /// The block that a byte of the log is in, and how many bytes of the block are before it. The byte right behind the last
    /// one is at the beginning of the block after the last. None beyond that.
    ///
    /// # Errors
    /// [`Error::RequestTimeout`], [`Error::RequestCancelled`], [`Error::SessionClosed`], [`Error::Storage`].
    pub async fn seek(&self, bytes: u64) -> Result<Option<(u64, u64)>> {
        self.seek_with(bytes, SeekOptions::new()).await
    }

    /// As [`seek`](Self::seek), with options. Without waiting it is none also where the stored part of the tree does not
    /// tell.
    ///
    /// # Errors
    /// As [`seek`](Self::seek).
    pub async fn seek_with(&self, bytes: u64, options: SeekOptions) -> Result<Option<(u64, u64)>> {
        loop {
            match self.seek_here(bytes, &options).await {
                Err(Error::SessionMoved { .. }) => {}
                done => return done,
            }
        }
    }

    async fn seek_here(&self, bytes: u64, options: &SeekOptions) -> Result<Option<(u64, u64)>> {
        let held = self.held()?;
        let wait = options.wait.or(held.options.wait).unwrap_or(true);
        let timeout = options.timeout.or(held.options.timeout).flatten();
        let search = async {
            if held.encrypts().is_some() && self.manifest().is_none() && wait {
                self.core().fetch_upgrade().await?;
            }
            loop {
                match self.sought(&held, bytes).await? {
                    Seek::Block { index, offset } => return Ok(Some((index, offset))),
                    Seek::Within { start, .. } if wait => {
                        // a block brings the nodes above it
                        self.core().fetch_block(start).await?;
                    }
                    Seek::Beyond if wait && self.core().has_peers() && !self.writable() => {
                        if !self.core().fetch_upgrade().await? {
                            return Ok(None);
                        }
                    }
                    _ => return Ok(None),
                }
            }
        };
        self.within(timeout, search).await
    }

    async fn sought(&self, held: &Held, bytes: u64) -> Result<Seek> {
        let core = self.core().clone();
        let (branch, padding) = (held.branch.clone(), held.padding(&core));
        blocking(move || core.seek(branch.as_deref(), bytes, padding)).await
    }

    /// The blocks of a range, in order. Blocks that are not here are fetched from peers.
    ///
    /// Without an end, the stream ends where the log ends when it is first polled, or never if
    /// [`live`](ReadStream::live).
    pub fn read_stream(&self, range: impl RangeBounds<u64>) -> ReadStream {
        ReadStream::new(self.clone(), block_range(&range))
    }

    /// The bytes of a part of the log, in order, a block at a time. Without an end, the stream ends where the log ends when
    /// it is first polled.
    pub fn byte_stream(&self, bytes: impl RangeBounds<u64>) -> ByteStream {
        ByteStream::new(self.clone(), block_range(&bytes))
    }

    /// Where the blocks of this session are stored.
    pub(super) fn disk(&self) -> Result<hc_storage::CoreStorage> {
        let held = self.held()?;
        Ok(held.branch.as_ref().map_or_else(|| Core::disk(self.core()), |branch| branch.disk()))
    }

    /// Blocks from `start` on that are stored here without a hole, as the session sees them; empty if the first one is not.
    pub(crate) async fn read_chunk(
        &self,
        start: u64,
        end: Option<u64>,
    ) -> Result<std::collections::VecDeque<Bytes>> {
        let held = self.held()?;
        let simple = held.branch.is_none()
            && held.options.on_seq.is_none()
            && !held.options.verify_reads.unwrap_or(false)
            && !held.is_marking();
        if simple {
            let mut chunk = self.core().read_chunk(start, end).await?;
            if held.encrypts().is_some() {
                for (index, block) in (start..).zip(&mut chunk) {
                    *block = self.decrypted(&held, index, std::mem::take(block)).await?;
                }
            }
            return Ok(chunk);
        }
        let stored = self.get_with(start, GetOptions::new().wait(false)).await?;
        Ok(stored.into_iter().collect())
    }
}
