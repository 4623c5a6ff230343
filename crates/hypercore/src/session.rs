//! The public handle of a core: [`Hypercore`].
//!
//! A handle is a *session*: it shares the core (its blocks, its tree, its peers) with every other session of the same
//! core and has defaults of its own (writable, wait, timeout). Clones of a handle are the same session. Dropping the
//! last clone closes the session; the last session that is not weak closes the core.
//!
//! Follows npm hypercore 11.37.1, `index.js`.

use std::ops::RangeBounds;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hc_crypto::{DiscoveryKey, Key, KeyPair, Manifest, PublicKey};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::core::{Core, Peer, Status, WantKind};
use crate::download::{Download, DownloadOptions, block_range};
use crate::encoding::ValueEncoding;
use crate::events::Events;
use crate::options::{GetOptions, OpenOptions, SessionOptions, UpdateOptions};
use crate::replication::{OneCore, Replication, ReplicationBuilder, Role};
use crate::streams::ReadStream;
use crate::typed::Encoded;
use crate::{Error, MAX_BLOCK_LEN, Result};

/// A secure, append-only log. See the [crate documentation](crate) for a tour.
#[derive(Clone)]
pub struct Hypercore {
    session: Arc<Session>,
}

/// What an append returns: how long the log is after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Blocks in the log. The appended ones are the last.
    pub length: u64,
    /// Bytes of all blocks in the log.
    pub byte_length: u64,
}

/// What is known of a core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// The core's key.
    pub key: Key,
    /// The key under which peers look for it.
    pub discovery_key: DiscoveryKey,
    /// Blocks in the log.
    pub length: u64,
    /// Blocks stored here from the start without a hole.
    pub contiguous_length: u64,
    /// Bytes of all blocks of the log, stored here or not.
    pub byte_length: u64,
    /// How often the log was truncated.
    pub fork: u64,
    /// Bytes of each block that are not the application's.
    pub padding: u64,
}

/// One session: its defaults, and its share in keeping the core open.
struct Session {
    core: Core,
    options: SessionOptions,
    key_pair: Option<KeyPair>,
    closed: AtomicBool,
    /// Ends what the session waits for.
    cancelled: CancellationToken,
    waits: AtomicU64,
}

impl Session {
    fn close(&self) -> bool {
        let first = !self.closed.swap(true, Ordering::AcqRel);
        if first {
            self.cancelled.cancel();
            self.core.session_closed(self.options.weak.unwrap_or(false));
        }
        first
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.close();
    }
}

impl Hypercore {
    /// Opens the core in a directory, or creates the directory and a core that this process can append to.
    ///
    /// # Errors
    /// If the directory cannot be opened (it is locked by another process, or holds something else), see
    /// [`Error::Storage`].
    #[cfg(feature = "rocksdb")]
    pub async fn open(dir: impl AsRef<std::path::Path>) -> Result<Self> {
        Self::builder().open(dir).await
    }

    /// A new core in memory, gone with its last session.
    ///
    /// # Errors
    /// If the system has no randomness to make a key from.
    pub async fn memory() -> Result<Self> {
        Self::builder().memory().await
    }

    /// Chooses how a core is opened.
    #[must_use]
    pub fn builder() -> OpenOptions {
        OpenOptions::new()
    }

    /// A session of an open core.
    #[must_use]
    pub fn from_core(core: Core, options: SessionOptions, key_pair: Option<KeyPair>) -> Self {
        core.session_opened(options.weak.unwrap_or(false));
        let session = Session {
            core,
            options,
            key_pair,
            closed: AtomicBool::new(false),
            cancelled: CancellationToken::new(),
            waits: AtomicU64::new(0),
        };
        Self { session: Arc::new(session) }
    }

    /// Another session of this core. What the options leave open is inherited from this one.
    ///
    /// # Errors
    /// [`Error::SessionClosed`].
    pub fn session(&self, options: SessionOptions) -> Result<Self> {
        self.check_open()?;
        let inherited = options.over(self.session.options);
        Ok(Self::from_core(self.core().clone(), inherited, self.session.key_pair.clone()))
    }

    /// The core that this is a session of.
    #[must_use]
    pub fn core(&self) -> &Core {
        &self.session.core
    }

    /// The core's key: who has it can read the log and check every block of it.
    #[must_use]
    pub fn key(&self) -> &Key {
        self.core().key()
    }

    /// The key as z-base-32 text.
    #[must_use]
    pub fn id(&self) -> String {
        self.key().to_z32()
    }

    /// The key under which peers look for the core; it gives no right to read.
    #[must_use]
    pub fn discovery_key(&self) -> &DiscoveryKey {
        self.core().discovery_key()
    }

    /// Who may sign this log. None until the first proof came, for a core that was opened by its key alone.
    #[must_use]
    pub fn manifest(&self) -> Option<Manifest> {
        self.core().manifest()
    }

    /// The public half of the key pair that this session signs with.
    #[must_use]
    pub fn public_key(&self) -> Option<PublicKey> {
        self.signer().map(|key_pair| key_pair.public())
    }

    /// Blocks in the log, as far as is known here.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.status().length
    }

    /// Whether the log has no block.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length() == 0
    }

    /// Bytes of all blocks in the log.
    #[must_use]
    pub fn byte_length(&self) -> u64 {
        self.status().byte_length
    }

    /// Blocks stored here from the start without a hole.
    #[must_use]
    pub fn contiguous_length(&self) -> u64 {
        self.status().contiguous_length
    }

    /// The longest run of blocks from the start that some peer is known to store.
    #[must_use]
    pub fn remote_contiguous_length(&self) -> u64 {
        let status = self.status();
        status.remote_contiguous_length.min(status.length)
    }

    /// How often the log was truncated.
    #[must_use]
    pub fn fork(&self) -> u64 {
        self.status().fork
    }

    /// Bytes of each block that are not the application's: none without encryption.
    #[must_use]
    pub const fn padding(&self) -> u64 {
        0
    }

    /// Whether this session can append.
    #[must_use]
    pub fn writable(&self) -> bool {
        !self.is_closed() && self.session.options.writable.unwrap_or(true) && self.signer().is_some()
    }

    /// Whether this session was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.session.closed.load(Ordering::Acquire) || self.core().is_closed()
    }

    /// How often a read of this session had to wait for peers.
    #[must_use]
    pub fn waits(&self) -> u64 {
        self.session.waits.load(Ordering::Relaxed)
    }

    /// The peers that have this core open now.
    #[must_use]
    pub fn peers(&self) -> Vec<Peer> {
        self.core().peers()
    }

    /// What is known of the core.
    ///
    /// # Errors
    /// [`Error::SessionClosed`].
    pub async fn info(&self) -> Result<Info> {
        self.check_open()?;
        let status = self.status();
        Ok(Info {
            key: *self.key(),
            discovery_key: *self.discovery_key(),
            length: status.length,
            contiguous_length: status.contiguous_length,
            byte_length: status.byte_length,
            fork: status.fork,
            padding: self.padding(),
        })
    }

    /// What happens to the core from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        self.core().events()
    }

    /// Appends a block. It is stored and signed when this returns.
    ///
    /// # Errors
    /// [`Error::SessionNotWritable`], [`Error::BlockTooLarge`], [`Error::SessionClosed`], [`Error::Storage`]. The log is
    /// then as it was.
    pub async fn append(&self, block: impl Into<Bytes>) -> Result<Appended> {
        self.append_blocks(vec![block.into()]).await
    }

    /// Appends blocks in order, all or none, under one signature. An empty batch returns the present length.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub async fn append_batch<B: Into<Bytes>>(
        &self,
        blocks: impl IntoIterator<Item = B>,
    ) -> Result<Appended> {
        self.append_blocks(blocks.into_iter().map(Into::into).collect()).await
    }

    /// Reads a block: from here, else from peers, for as long as the session's timeout allows.
    ///
    /// # Errors
    /// [`Error::BlockNotAvailable`] if the session does not wait, [`Error::RequestTimeout`],
    /// [`Error::RequestCancelled`] if the session closes meanwhile, [`Error::SessionClosed`], [`Error::Storage`].
    pub async fn get(&self, index: u64) -> Result<Bytes> {
        let block = self.get_with(index, GetOptions::new()).await?;
        block.ok_or_else(|| Error::BlockNotAvailable { index, discovery_key: *self.discovery_key() })
    }

    /// Reads a block as the options say; none if it is not here and they say not to wait.
    ///
    /// # Errors
    /// As [`get`](Self::get), without [`Error::BlockNotAvailable`].
    pub async fn get_with(&self, index: u64, options: GetOptions) -> Result<Option<Bytes>> {
        self.check_open()?;
        if let Some(block) = self.core().read_block(index)? {
            return Ok(Some(block));
        }
        if !options.wait.or(self.session.options.wait).unwrap_or(true) {
            return Ok(None);
        }
        self.session.waits.fetch_add(1, Ordering::Relaxed);
        let timeout = options.timeout.or(self.session.options.timeout).flatten();
        self.within(timeout, self.core().fetch_block(index)).await.map(Some)
    }

    /// Whether a block is stored here.
    ///
    /// # Errors
    /// [`Error::SessionClosed`].
    pub async fn has(&self, index: u64) -> Result<bool> {
        self.has_range(index..index.saturating_add(1)).await
    }

    /// Whether all blocks of a range are stored here.
    ///
    /// # Errors
    /// [`Error::SessionClosed`], [`Error::BadArgument`] if the range has no end.
    pub async fn has_range(&self, range: impl RangeBounds<u64> + Send) -> Result<bool> {
        self.check_open()?;
        let range = block_range(&range);
        let end = range.end.ok_or_else(|| Error::BadArgument("the range has no end".into()))?;
        Ok(self.core().has_range(range.start, end))
    }

    /// Learns of a longer log from peers: whether there was one. Does not wait for peers to appear, unless
    /// [`finding_peers`](Self::finding_peers) says that they are being looked for. A writable session knows the length
    /// itself and returns false.
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
        self.check_open()?;
        if self.writable() && !options.force {
            return Ok(false);
        }
        if !options.wait.unwrap_or_else(|| self.core().is_finding_peers() || self.core().has_peers()) {
            return Ok(false);
        }
        let timeout = options.timeout.or(self.session.options.timeout).flatten();
        self.within(timeout, self.core().fetch_upgrade()).await
    }

    /// Says that peers are being looked for: until the guard is dropped, [`update`](Self::update) waits for one.
    pub fn finding_peers(&self) -> FindingPeers {
        self.core().finding_peers(true);
        FindingPeers { core: self.core().clone() }
    }

    /// Fetches the blocks of a range from peers and keeps them. An open range follows the log for as long as the
    /// download lives.
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
        Download::new(self.core(), kind, range.end)
    }

    /// Fetches these blocks from peers and keeps them.
    pub fn download_blocks(&self, blocks: impl IntoIterator<Item = u64>) -> Download {
        Download::new(self.core(), WantKind::Blocks(blocks.into_iter().collect()), Some(0))
    }

    /// The blocks of a range, in order. Blocks that are not here are fetched from peers.
    ///
    /// Without an end, the stream ends where the log ends when it is first polled, or never if
    /// [`live`](ReadStream::live).
    pub fn read_stream(&self, range: impl RangeBounds<u64>) -> ReadStream {
        ReadStream::new(self.clone(), block_range(&range))
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

    /// This core seen through an encoding: values instead of bytes.
    #[must_use]
    pub fn encoded<E: ValueEncoding>(&self, encoding: E) -> Encoded<E> {
        Encoded::new(self.clone(), encoding)
    }

    /// Stores a record beside the log, or deletes it. It is never replicated.
    ///
    /// # Errors
    /// [`Error::SessionClosed`], [`Error::Storage`].
    pub async fn set_user_data(&self, key: &str, value: Option<&[u8]>) -> Result<()> {
        self.check_open()?;
        self.core().set_user_data(key, value).await
    }

    /// A record beside the log.
    ///
    /// # Errors
    /// [`Error::SessionClosed`], [`Error::Storage`].
    pub async fn user_data(&self, key: &str) -> Result<Option<Bytes>> {
        self.check_open()?;
        self.core().user_data(key)
    }

    /// The hash of the whole log: two logs with the same one hold the same blocks.
    ///
    /// # Errors
    /// [`Error::SessionClosed`].
    pub async fn tree_hash(&self) -> Result<hc_crypto::Hash> {
        self.check_open()?;
        Ok(self.core().tree_hash())
    }

    /// Waits until everything appended so far is on the device.
    ///
    /// # Errors
    /// [`Error::Storage`] if it could not be written.
    pub async fn flush(&self) -> Result<()> {
        self.check_open()?;
        self.core().flush().await
    }

    /// Closes the session; its waiting reads fail with [`Error::RequestCancelled`]. The last one closes the core: its
    /// peers are told, and its directory is free for another process when this returns, unless a store holds it.
    ///
    /// # Errors
    /// [`Error::Storage`] if the store could not be closed cleanly.
    pub async fn close(&self) -> Result<()> {
        self.session.close();
        self.core().release().await
    }

    pub(crate) fn status(&self) -> Status {
        self.core().status()
    }

    pub(crate) fn check_open(&self) -> Result<()> {
        if self.is_closed() {
            return Err(Error::SessionClosed { discovery_key: *self.discovery_key() });
        }
        Ok(())
    }

    fn signer(&self) -> Option<KeyPair> {
        self.session.key_pair.clone().or_else(|| self.core().key_pair())
    }

    async fn append_blocks(&self, blocks: Vec<Bytes>) -> Result<Appended> {
        self.check_open()?;
        let not_writable = || Error::SessionNotWritable { discovery_key: *self.discovery_key() };
        if !self.session.options.writable.unwrap_or(true) {
            return Err(not_writable());
        }
        let signer = self.signer().ok_or_else(not_writable)?;
        for (position, block) in blocks.iter().enumerate() {
            if block.len() > MAX_BLOCK_LEN {
                return Err(Error::BlockTooLarge { position, len: block.len(), max: MAX_BLOCK_LEN });
            }
        }
        self.core().append(blocks, signer).await
    }

    /// A wait for peers that ends with the session's closing or after the timeout.
    async fn within<T>(&self, timeout: Option<Duration>, wait: impl Future<Output = Result<T>>) -> Result<T> {
        let discovery_key = *self.discovery_key();
        let late = async {
            match timeout.filter(|timeout| !timeout.is_zero()) {
                None => std::future::pending().await,
                Some(timeout) => tokio::time::sleep(timeout).await,
            }
        };
        tokio::select! {
            biased;
            () = self.session.cancelled.cancelled() => Err(Error::RequestCancelled { discovery_key }),
            done = wait => done,
            () = late => Err(Error::RequestTimeout { discovery_key }),
        }
    }
}

impl std::fmt::Debug for Hypercore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let status = self.status();
        f.debug_struct("Hypercore")
            .field("key", &self.id())
            .field("length", &status.length)
            .field("fork", &status.fork)
            .field("writable", &self.writable())
            .finish_non_exhaustive()
    }
}

/// While it lives, peers are being looked for; see [`Hypercore::finding_peers`].
#[must_use = "peers count as found when this is dropped"]
pub struct FindingPeers {
    core: Core,
}

impl std::fmt::Debug for FindingPeers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FindingPeers")
    }
}

impl Drop for FindingPeers {
    fn drop(&mut self) {
        self.core.finding_peers(false);
    }
}
