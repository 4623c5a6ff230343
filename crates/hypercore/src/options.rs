//! What can be chosen: when a core is opened, for a session, and for a single call.
//!
//! Defaults are those of npm hypercore 11.37.1, `index.js`, unless a field says otherwise.

use std::sync::Arc;
use std::time::Duration;

use hc_crypto::{Key, KeyPair, Manifest};

use crate::atom::Atom;
use crate::encryption::Encryption;
use crate::{Error, Result};

/// How a core is opened or created. Made by [`Hypercore::builder`](crate::Hypercore::builder).
#[derive(Clone, Default)]
pub struct OpenOptions {
    pub(crate) key: Option<Key>,
    pub(crate) key_pair: Option<KeyPair>,
    pub(crate) manifest: Option<Manifest>,
    pub(crate) open_only: bool,
    pub(crate) overwrite: bool,
    pub(crate) compat: bool,
    pub(crate) user_data: Vec<(String, Vec<u8>)>,
    pub(crate) group: Option<[u8; 32]>,
    pub(crate) durability: Durability,
    pub(crate) replication: ReplicationOptions,
    pub(crate) session: SessionOptions,
}

impl OpenOptions {
    /// The defaults: open what is stored, or create a core with a fresh key pair.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The core with this key: a reader, unless the secret key is stored or given too.
    #[must_use]
    pub fn key(mut self, key: Key) -> Self {
        self.key = Some(key);
        self
    }

    /// Signs appends with this key pair. Without [`key`](Self::key) or [`manifest`](Self::manifest), the core is the one
    /// that this key pair alone signs.
    #[must_use]
    pub fn key_pair(mut self, key_pair: KeyPair) -> Self {
        self.key_pair = Some(key_pair);
        self
    }

    /// The core with this manifest, whose hash is its key.
    #[must_use]
    pub fn manifest(mut self, manifest: Manifest) -> Self {
        self.manifest = Some(manifest);
        self
    }

    /// As [`manifest`](Self::manifest), from its bytes, as peers and Node have them.
    ///
    /// # Errors
    /// [`Error::BadArgument`] if these are not the bytes of a manifest that can be fulfilled.
    pub fn manifest_bytes(self, bytes: &[u8]) -> Result<Self> {
        let manifest =
            Manifest::parse(bytes).map_err(|error| Error::BadArgument(format!("no manifest: {error}")))?;
        Ok(self.manifest(manifest))
    }

    /// Whether to create the core if it is not stored yet (default: yes). If not, opening it fails with
    /// [`Error::StorageEmpty`].
    #[must_use]
    pub const fn create_if_missing(mut self, create: bool) -> Self {
        self.open_only = !create;
        self
    }

    /// Forgets what is stored and starts again from length 0: under the key that is given, else with a new one. A log that is
    /// signed here starts again on the next fork.
    #[must_use]
    pub const fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// Creates the core as version 10 did: its key is the public key itself.
    #[must_use]
    pub const fn compat(mut self, compat: bool) -> Self {
        self.compat = compat;
        self
    }

    /// Stores a record beside the log when the core is created. Never replicated.
    #[must_use]
    pub fn user_data(mut self, key: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.user_data.push((key.into(), value.into()));
        self
    }

    /// Encrypts what the first session appends, and decrypts what it reads. Short for the same in [`SessionOptions`].
    #[must_use]
    pub fn encryption(mut self, encryption: Encryption) -> Self {
        self.session.encryption = Some(Some(encryption));
        self
    }

    /// Makes the core a member of the group about a topic.
    #[must_use]
    pub const fn group(mut self, topic: [u8; 32]) -> Self {
        self.group = Some(topic);
        self
    }

    /// When an append is acknowledged. It holds for the whole store: the first core that is opened decides.
    #[must_use]
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// How the core behaves towards peers. The first open of a core decides.
    #[must_use]
    pub const fn replication(mut self, replication: ReplicationOptions) -> Self {
        self.replication = replication;
        self
    }

    /// How the first session behaves.
    #[must_use]
    pub fn session(mut self, session: SessionOptions) -> Self {
        self.session = session;
        self
    }

    /// How the first session behaves.
    #[must_use]
    pub fn session_options(&self) -> SessionOptions {
        self.session.clone()
    }

    /// The key pair that the first session signs with, if one was given.
    #[must_use]
    pub fn signer(&self) -> Option<KeyPair> {
        self.key_pair.clone()
    }

    /// How long calls wait for peers; none (the default) waits for good. Short for the same in [`SessionOptions`].
    #[must_use]
    pub const fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.session.timeout = Some(timeout);
        self
    }

    /// Whether the session may append (default: yes). Short for the same in [`SessionOptions`].
    #[must_use]
    pub const fn writable(mut self, writable: bool) -> Self {
        self.session.writable = Some(writable);
        self
    }
}

impl std::fmt::Debug for OpenOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenOptions")
            .field("key", &self.key)
            .field("key_pair", &self.key_pair.as_ref().map(KeyPair::public))
            .finish_non_exhaustive()
    }
}

/// When an append is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// When it is in the write-ahead log: it survives the death of the process, but a power loss may take the last
    /// milliseconds. What Node does.
    #[default]
    Buffered,
    /// When the write-ahead log is on the device: it survives a power loss.
    Sync,
}

/// How a core behaves towards its peers.
#[derive(Debug, Clone, Copy)]
pub struct ReplicationOptions {
    /// Whether to fetch a longer signed length as soon as a peer has one (default: yes).
    pub eager_upgrade: bool,
    /// The least and the most requests in flight to one peer.
    pub inflight_range: (u32, u32),
}

impl Default for ReplicationOptions {
    fn default() -> Self {
        Self { eager_upgrade: true, inflight_range: (16, 512) }
    }
}

/// How a session behaves, and what it is a session of. What is not set is inherited from the session it is made from.
#[derive(Clone, Default)]
pub struct SessionOptions {
    pub(crate) writable: Option<bool>,
    pub(crate) wait: Option<bool>,
    pub(crate) timeout: Option<Option<Duration>>,
    pub(crate) weak: Option<bool>,
    pub(crate) encryption: Option<Option<Encryption>>,
    pub(crate) on_wait: Option<Hook>,
    pub(crate) on_seq: Option<Hook>,
    pub(crate) verify_reads: Option<bool>,
    pub(crate) exclusive: bool,
    pub(crate) target: Target,
}

/// Called with the index of a block.
pub(crate) type Hook = Arc<dyn Fn(u64) + Send + Sync>;

/// Which log a session is of. By default that of the session it is made from.
#[derive(Clone, Default)]
pub(crate) struct Target {
    pub(crate) name: Option<String>,
    pub(crate) overwrite: bool,
    pub(crate) checkout: Option<u64>,
    pub(crate) atom: Option<Atom>,
    pub(crate) snapshot: bool,
}

impl SessionOptions {
    /// Everything inherited.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the session may append, if there is a key to sign with.
    #[must_use]
    pub const fn writable(mut self, writable: bool) -> Self {
        self.writable = Some(writable);
        self
    }

    /// Whether reads of blocks that are not here wait for peers.
    #[must_use]
    pub const fn wait(mut self, wait: bool) -> Self {
        self.wait = Some(wait);
        self
    }

    /// How long reads wait for peers; none waits for good.
    #[must_use]
    pub const fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// A weak session does not keep its core open.
    #[must_use]
    pub const fn weak(mut self, weak: bool) -> Self {
        self.weak = Some(weak);
        self
    }

    /// Waits until no other exclusive session of the core is open, and keeps others out until it is closed. Sessions that
    /// are not exclusive are not kept out. A session that may not write is never exclusive.
    #[must_use]
    pub const fn exclusive(mut self, exclusive: bool) -> Self {
        self.exclusive = exclusive;
        self
    }

    /// Encrypts what this session appends, and decrypts what it reads. None looks at the blocks as they are stored.
    #[must_use]
    pub fn encryption(mut self, encryption: impl Into<Option<Encryption>>) -> Self {
        self.encryption = Some(encryption.into());
        self
    }

    /// Is called with the index of each block that a read has to wait for.
    #[must_use]
    pub fn on_wait(mut self, call: impl Fn(u64) + Send + Sync + 'static) -> Self {
        self.on_wait = Some(Arc::new(call));
        self
    }

    /// Is called with the index of each block that is read.
    #[must_use]
    pub fn on_seq(mut self, call: impl Fn(u64) + Send + Sync + 'static) -> Self {
        self.on_seq = Some(Arc::new(call));
        self
    }

    /// Checks each block that is read from the disk against the tree (default: no). A block that was altered there is then
    /// an [`Error::InvalidChecksum`] and never handed out.
    #[must_use]
    pub const fn verify_reads(mut self, verify: bool) -> Self {
        self.verify_reads = Some(verify);
        self
    }

    /// The named session: changes that are kept under this name beside the log, until they are committed. It begins with the
    /// log as it is when the name is first used, and goes on where it was when it is used again.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.target.name = Some(name.into());
        self
    }

    /// With [`name`](Self::name): begins anew, whatever the session had.
    #[must_use]
    pub const fn overwrite(mut self, overwrite: bool) -> Self {
        self.target.overwrite = overwrite;
        self
    }

    /// With [`name`](Self::name) or [`atom`](Self::atom): goes back to this length.
    #[must_use]
    pub const fn checkout(mut self, length: u64) -> Self {
        self.target.checkout = Some(length);
        self
    }

    /// Changes wait in this atom until it is flushed.
    #[must_use]
    pub fn atom(mut self, atom: &Atom) -> Self {
        self.target.atom = Some(atom.clone());
        self
    }

    /// The log as it is now, whatever happens to it later.
    #[must_use]
    pub const fn snapshot(mut self, snapshot: bool) -> Self {
        self.target.snapshot = snapshot;
        self
    }

    /// These, with what is left open filled in from those of the parent.
    pub(crate) fn over(self, parent: &Self) -> Self {
        Self {
            writable: self.writable.or(parent.writable),
            wait: self.wait.or(parent.wait),
            timeout: self.timeout.or(parent.timeout),
            weak: self.weak,
            encryption: self.encryption.or_else(|| parent.encryption.clone()),
            on_wait: self.on_wait.or_else(|| parent.on_wait.clone()),
            on_seq: self.on_seq.or_else(|| parent.on_seq.clone()),
            verify_reads: self.verify_reads.or(parent.verify_reads),
            exclusive: self.exclusive,
            target: self.target,
        }
    }
}

impl std::fmt::Debug for SessionOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionOptions")
            .field("writable", &self.writable)
            .field("name", &self.target.name)
            .finish_non_exhaustive()
    }
}

/// On what terms blocks are appended; see [`Hypercore::append_with`](crate::Hypercore::append_with).
#[derive(Debug, Clone, Default)]
pub struct AppendOptions {
    pub(crate) key_pair: Option<KeyPair>,
    pub(crate) signature: Option<Vec<u8>>,
    pub(crate) max_length: Option<u64>,
    pub(crate) expected_length: Option<u64>,
}

impl AppendOptions {
    /// Signed as the session signs, whatever the length of the log is.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Signs with this key pair. A named session is not signed.
    #[must_use]
    pub fn key_pair(mut self, key_pair: KeyPair) -> Self {
        self.key_pair = Some(key_pair);
        self
    }

    /// Takes a signature of the log as it is after the append, made elsewhere: that of a quorum. A named session takes none.
    #[must_use]
    pub fn signature(mut self, signature: impl Into<Vec<u8>>) -> Self {
        self.signature = Some(signature.into());
        self
    }

    /// Appends nothing, and says so by the length that it returns, if the log would be longer than this.
    #[must_use]
    pub const fn max_length(mut self, length: u64) -> Self {
        self.max_length = Some(length);
        self
    }

    /// Fails with [`Error::InvalidOperation`] unless the log has this length.
    #[must_use]
    pub const fn expected_length(mut self, length: u64) -> Self {
        self.expected_length = Some(length);
        self
    }
}

/// How a log is cut; see [`Hypercore::truncate_with`](crate::Hypercore::truncate_with).
#[derive(Debug, Clone, Default)]
pub struct TruncateOptions {
    pub(crate) fork: Option<u64>,
    pub(crate) key_pair: Option<KeyPair>,
    pub(crate) signature: Option<Vec<u8>>,
}

impl TruncateOptions {
    /// To the next fork, signed as the session signs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// To this fork. It has to be above the present one: a log has one history on each fork.
    #[must_use]
    pub const fn fork(mut self, fork: u64) -> Self {
        self.fork = Some(fork);
        self
    }

    /// Signs with this key pair. A named session is not signed.
    #[must_use]
    pub fn key_pair(mut self, key_pair: KeyPair) -> Self {
        self.key_pair = Some(key_pair);
        self
    }

    /// Takes a signature of the shorter log, made elsewhere. A named session takes none.
    #[must_use]
    pub fn signature(mut self, signature: impl Into<Vec<u8>>) -> Self {
        self.signature = Some(signature.into());
        self
    }
}

/// What of a named session is committed; see [`Hypercore::commit_with`](crate::Hypercore::commit_with).
#[derive(Debug, Clone, Default)]
pub struct CommitOptions {
    pub(crate) length: Option<u64>,
    pub(crate) tree_length: Option<u64>,
    pub(crate) key_pair: Option<KeyPair>,
    pub(crate) signature: Option<Vec<u8>>,
}

impl CommitOptions {
    /// All of it, signed as the session of the log signs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Only the session's first blocks, so that the log has this length.
    #[must_use]
    pub const fn length(mut self, length: u64) -> Self {
        self.length = Some(length);
        self
    }

    /// Where the session's own blocks begin, if that is not where it began.
    #[must_use]
    pub const fn tree_length(mut self, length: u64) -> Self {
        self.tree_length = Some(length);
        self
    }

    /// Signs with this key pair.
    #[must_use]
    pub fn key_pair(mut self, key_pair: KeyPair) -> Self {
        self.key_pair = Some(key_pair);
        self
    }

    /// Takes a signature of the log as it is after the commit, made elsewhere.
    #[must_use]
    pub fn signature(mut self, signature: impl Into<Vec<u8>>) -> Self {
        self.signature = Some(signature.into());
        self
    }
}

/// How a byte position is looked for; see [`Hypercore::seek_with`](crate::Hypercore::seek_with).
#[derive(Debug, Clone, Copy, Default)]
pub struct SeekOptions {
    pub(crate) wait: Option<bool>,
    pub(crate) timeout: Option<Option<Duration>>,
}

impl SeekOptions {
    /// As the session has it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether to fetch what is needed from peers.
    #[must_use]
    pub const fn wait(mut self, wait: bool) -> Self {
        self.wait = Some(wait);
        self
    }

    /// How long to wait for peers; none waits for good.
    #[must_use]
    pub const fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

/// How a single read behaves. What is not set comes from the session.
#[derive(Debug, Clone, Copy, Default)]
pub struct GetOptions {
    pub(crate) wait: Option<bool>,
    pub(crate) timeout: Option<Option<Duration>>,
    pub(crate) raw: bool,
    pub(crate) sealed: bool,
}

impl GetOptions {
    /// As the session has it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether to hand out the block as it is stored: not decrypted.
    #[must_use]
    pub const fn raw(mut self, raw: bool) -> Self {
        self.raw = raw;
        self
    }

    /// Whether to decrypt the block (default: yes). If not, it is handed out as encryption made it, without the padding.
    #[must_use]
    pub const fn decrypt(mut self, decrypt: bool) -> Self {
        self.sealed = !decrypt;
        self
    }

    /// Whether to wait for peers if the block is not here.
    #[must_use]
    pub const fn wait(mut self, wait: bool) -> Self {
        self.wait = Some(wait);
        self
    }

    /// How long to wait for peers; none waits for good.
    #[must_use]
    pub const fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

/// How [`Hypercore::update_with`](crate::Hypercore::update_with) behaves.
#[derive(Debug, Clone, Copy, Default)]
pub struct UpdateOptions {
    pub(crate) wait: Option<bool>,
    pub(crate) force: bool,
    pub(crate) timeout: Option<Option<Duration>>,
}

impl UpdateOptions {
    /// Waits only while peers are being looked for.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether to wait for a peer to answer. Unset: only while
    /// [`finding_peers`](crate::Hypercore::finding_peers) is in progress.
    #[must_use]
    pub const fn wait(mut self, wait: bool) -> Self {
        self.wait = Some(wait);
        self
    }

    /// Asks also when this session is writable, which otherwise never has to.
    #[must_use]
    pub const fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// How long to wait at most. Node accepts this option and ignores it; here it works.
    #[must_use]
    pub const fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = Some(timeout);
        self
    }
}
