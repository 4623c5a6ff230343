//! The public handle of a core: [`Hypercore`].
//!
//! A handle is a *session*: it shares the core (its blocks, its tree, its peers) with every other session of the same
//! core and has defaults of its own (writable, wait, timeout, encryption). Clones of a handle are the same session. Dropping
//! the last clone closes the session; the last session that is not weak closes the core.
//!
//! Most sessions are of the log that peers see. A session may also be of a log beside it: a snapshot, a named session, or
//! what an atom makes of either.
//!
//! | module | owns |
//! | --- | --- |
//! | [`read`] | single blocks, byte positions, streams |
//! | [`write`](mod@write) | appending, cutting, clearing, committing |
//! | [`records`] | records beside the log |
//! | [`marks`] | marking blocks, and sweeping the others away |
//! | [`proofs`] | hashes of the tree, proofs, what is signed |
//! | [`network`] | what is done with peers |
//! | [`info`] | what is known of a core |
//! | [`prologue`] | taking a log's fixed beginning from another log |
//! | [`moving`] | moving a named session to another core |
//! | [`lifetime`] | recovering, purging, compacting |
//!
//! Follows npm hypercore 11.37.1, `index.js`.

mod info;
mod lifetime;
mod marks;
mod moving;
mod network;
mod prologue;
mod proofs;
mod read;
mod records;
mod write;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hc_crypto::{DiscoveryKey, Key, KeyPair, Manifest, PublicKey};
use parking_lot::{Mutex, RwLock};
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

pub use info::Info;
pub use network::FindingPeers;
pub use proofs::{decode_proof, encode_proof};

use crate::atom::Atom;
use crate::core::{Branch, Core, NamedOptions, Peer, Signer, Status};
use crate::encoding::ValueEncoding;
use crate::encryption::{Encryption, SessionEncryption};
use crate::events::Events;
use crate::options::{OpenOptions, SessionOptions, Target};
use crate::storage::blocking;
use crate::typed::Encoded;
use crate::{Error, Result};

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

/// One session: its defaults, and its share in keeping the core open.
struct Session {
    /// The core that it was opened on.
    opened_on: Core,
    /// The log that this is a session of, if it is not the one that peers see. It knows which core it is of now.
    branch: Option<Arc<Branch>>,
    options: SessionOptions,
    key_pair: RwLock<Option<KeyPair>>,
    encryption: RwLock<Arc<SessionEncryption>>,
    /// Keeps other exclusive sessions out.
    exclusive: Mutex<Option<OwnedMutexGuard<()>>>,
    closed: AtomicBool,
    /// Ends what the session waits for.
    cancelled: CancellationToken,
    waits: AtomicU64,
    /// Whether reads mark blocks.
    marking: AtomicBool,
}

impl Session {
    fn close(&self) -> bool {
        let first = !self.closed.swap(true, Ordering::AcqRel);
        if first {
            self.cancelled.cancel();
            self.exclusive.lock().take();
            let weak = self.options.weak.unwrap_or(false);
            match &self.branch {
                Some(branch) => branch.session_closed(weak),
                None => {
                    self.opened_on.session_closed(weak);
                }
            }
        }
        first
    }

    fn core(&self) -> &Core {
        self.branch.as_ref().map_or(&self.opened_on, |branch| branch.core())
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
        Self::made(core, None, options, key_pair, None)
    }

    fn made(
        core: Core,
        branch: Option<Arc<Branch>>,
        options: SessionOptions,
        key_pair: Option<KeyPair>,
        exclusive: Option<OwnedMutexGuard<()>>,
    ) -> Self {
        let weak = options.weak.unwrap_or(false);
        match &branch {
            Some(branch) => branch.session_opened(weak),
            None => core.session_opened(weak),
        }
        let of = branch.as_ref().map_or(&core, |branch| branch.core());
        let encryption = SessionEncryption::new(options.encryption.clone().flatten(), of.key());
        let session = Session {
            opened_on: core,
            branch,
            options,
            key_pair: RwLock::new(key_pair),
            encryption: RwLock::new(Arc::new(encryption)),
            exclusive: Mutex::new(exclusive),
            closed: AtomicBool::new(false),
            cancelled: CancellationToken::new(),
            waits: AtomicU64::new(0),
            marking: AtomicBool::new(false),
        };
        Self { session: Arc::new(session) }
    }

    /// Another session of this core. What the options leave open is inherited from this one.
    ///
    /// # Errors
    /// [`Error::SessionClosed`]; [`Error::RequestCancelled`] if this session is closed while an exclusive one waits;
    /// [`Error::Assertion`] if the options do not fit together; [`Error::Storage`] for named sessions.
    pub async fn session(&self, options: SessionOptions) -> Result<Self> {
        self.check_open()?;
        let mut options = options.over(&self.session.options);
        if options.encryption.is_none() {
            options.encryption = self.session.encryption.read().chosen().cloned().map(Some);
        }
        let target = std::mem::take(&mut options.target);
        if target.checkout.is_some() && target.name.is_none() && target.atom.is_none() {
            return Err(Error::Assertion("only atoms and named sessions can go back to a length".into()));
        }
        let exclusive = if options.exclusive && options.writable != Some(false) {
            Some(self.within(None, async { Ok(self.core().lock_exclusive().await) }).await?)
        } else {
            None
        };
        let core = self.core().clone();
        let from = self.session.branch.clone();
        let branch = blocking(move || branch_of(&core, from, &target)).await?;
        self.check_open()?;
        let key_pair = self.session.key_pair.read().clone();
        Ok(Self::made(self.core().clone(), branch, options, key_pair, exclusive))
    }

    /// The log as it is now: what happens to it later is not seen.
    ///
    /// # Errors
    /// As [`session`](Self::session).
    pub async fn snapshot(&self) -> Result<Self> {
        self.session(SessionOptions::new().snapshot(true)).await
    }

    /// Changes of this core, and of others of its store, that are to be made at once.
    #[must_use]
    pub fn atom(&self) -> Atom {
        Atom::new(self.core().storage())
    }

    fn branch(&self) -> Option<&Arc<Branch>> {
        self.session.branch.as_ref()
    }

    /// Whether this is a session of the log as it was at one moment.
    #[must_use]
    pub fn is_snapshot(&self) -> bool {
        self.branch().is_some_and(|branch| branch.is_snapshot())
    }

    /// The core that this is a session of. That of a named session is another one once it was [moved](Self::move_to).
    #[must_use]
    pub fn core(&self) -> &Core {
        self.session.core()
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
        self.key_pair().map(|key_pair| key_pair.public())
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

    /// Blocks that are signed. The rest are changes of a named session, or what a snapshot has of a log that was cut.
    #[must_use]
    pub fn signed_length(&self) -> u64 {
        self.branch().map_or_else(|| self.core().status().length, |branch| branch.signed_length())
    }

    /// Bytes of all blocks in the log, without what encryption adds.
    #[must_use]
    pub fn byte_length(&self) -> u64 {
        let status = self.status();
        status.byte_length.saturating_sub(status.length.saturating_mul(self.padding()))
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
    pub fn padding(&self) -> u64 {
        let core = self.core();
        if !core.has_manifest() {
            return 0;
        }
        self.session.encryption.read().padding(core.key(), core.is_compat())
    }

    /// Whether this session can append.
    #[must_use]
    pub fn writable(&self) -> bool {
        if self.is_closed() || !self.session.options.writable.unwrap_or(true) || self.is_snapshot() {
            return false;
        }
        self.branch().is_some_and(|branch| branch.is_named()) || self.key_pair().is_some()
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

    /// What happens to the log from now on. A snapshot has no events.
    #[must_use]
    pub fn events(&self) -> Events {
        match self.branch() {
            Some(branch) => branch.events(),
            None => self.core().events(),
        }
    }

    /// This core seen through an encoding: values instead of bytes.
    #[must_use]
    pub fn encoded<E: ValueEncoding>(&self, encoding: E) -> Encoded<E> {
        Encoded::new(self.clone(), encoding)
    }

    /// Signs what this session appends from now on with this key pair.
    pub fn set_key_pair(&self, key_pair: KeyPair) {
        *self.session.key_pair.write() = Some(key_pair);
    }

    /// Encrypts what this session appends from now on, and decrypts what it reads; or no longer does.
    pub fn set_encryption(&self, encryption: impl Into<Option<Encryption>>) {
        *self.session.encryption.write() = Arc::new(SessionEncryption::new(encryption.into(), self.key()));
    }

    /// Stores who may sign this log, for a core of which only the key is known. Known already, nothing changes.
    ///
    /// # Errors
    /// [`Error::InvalidChecksum`] if the manifest does not hash to the key; [`Error::Storage`].
    pub async fn set_manifest(&self, manifest: Manifest) -> Result<()> {
        self.check_open()?;
        let core = self.core().clone();
        blocking(move || core.set_manifest(manifest)).await
    }

    /// Makes the core a member of the group about a topic, for good.
    ///
    /// # Errors
    /// [`Error::StorageConflict`] if it is in another group already; [`Error::Storage`].
    pub async fn set_group(&self, topic: [u8; 32]) -> Result<()> {
        self.check_open()?;
        let core = self.core().clone();
        blocking(move || core.set_group(&topic)).await
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
        self.branch().map_or_else(|| self.core().status(), |branch| branch.status())
    }

    pub(crate) fn check_open(&self) -> Result<()> {
        if self.is_closed() {
            return Err(self.core().reason_of_closing());
        }
        Ok(())
    }

    /// The key pair that this session signs with. After a move it may be one that the other core does not know.
    fn key_pair(&self) -> Option<KeyPair> {
        let chosen = self.session.key_pair.read().clone();
        let core = self.core();
        let chosen = chosen.filter(|pair| core.is(&self.session.opened_on) || core.is_signer(pair));
        chosen.or_else(|| core.key_pair())
    }

    /// A wait that ends when the session or its core is closed, when it is moved, or after the timeout.
    async fn within<T>(&self, timeout: Option<Duration>, wait: impl Future<Output = Result<T>>) -> Result<T> {
        let core = self.core();
        let discovery_key = *core.discovery_key();
        let left = self.branch().map(|branch| branch.left());
        let moved = async {
            match left {
                None => std::future::pending().await,
                Some(left) => left.cancelled().await,
            }
        };
        let late = async {
            match timeout.filter(|timeout| !timeout.is_zero()) {
                None => std::future::pending().await,
                Some(timeout) => tokio::time::sleep(timeout).await,
            }
        };
        tokio::select! {
            biased;
            () = self.session.cancelled.cancelled() => Err(Error::RequestCancelled { discovery_key }),
            () = moved => Err(Error::SessionMoved { discovery_key }),
            done = wait => done,
            () = core.closing() => Err(Error::RequestCancelled { discovery_key }),
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

/// The log that a session is to be of, from the one it is made from.
fn branch_of(core: &Core, from: Option<Arc<Branch>>, target: &Target) -> Result<Option<Arc<Branch>>> {
    let mut branch = from;
    if target.atom.is_some() || target.name.is_some() || target.snapshot {
        core.check_roots()?;
    }
    if let Some(atom) = &target.atom {
        branch = Some(core.atomic(branch.as_ref(), atom)?);
    } else if let Some(name) = &target.name {
        let options = NamedOptions { name: name.clone(), overwrite: target.overwrite };
        branch = Some(core.named(branch.as_deref(), &options)?);
    }
    if let (Some(length), Some(branch)) = (target.checkout, &branch) {
        go_back(core, branch, length)?;
    }
    if target.snapshot {
        branch = Some(core.snapshot_of(branch.as_ref())?);
    }
    Ok(branch)
}

/// Goes back to a length. A named session stays on its fork, as nobody is told of it; an atom over the log goes to the next
/// one, since its head is signed.
fn go_back(core: &Core, branch: &Branch, length: u64) -> Result<()> {
    let status = branch.status();
    if length > status.length {
        let reason =
            format!("there is no length {length} to go back to, the log has {} blocks", status.length);
        return Err(Error::Assertion(reason));
    }
    if length < core.prologue_length() {
        let reason = format!("length {length} lies inside the prologue of {} blocks", core.prologue_length());
        return Err(Error::Assertion(reason));
    }
    if length == status.length {
        return Ok(());
    }
    if !branch.is_public() {
        return branch.truncate(length, Some(status.fork), &Signer::Nobody);
    }
    let signer =
        core.key_pair().ok_or_else(|| Error::SessionNotWritable { discovery_key: *core.discovery_key() })?;
    branch.truncate(length, None, &Signer::Pair(signer))
}
