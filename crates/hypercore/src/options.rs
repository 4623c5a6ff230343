//! What can be chosen: when a core is opened, for a session, and for a single call.
//!
//! Defaults are those of npm hypercore 11.37.1, `index.js`, unless a field says otherwise.

use std::time::Duration;

use hc_crypto::{Key, KeyPair, Manifest};

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

    /// Whether to create the core if it is not stored yet (default: yes). If not, opening it fails with
    /// [`Error::StorageEmpty`](crate::Error::StorageEmpty).
    #[must_use]
    pub const fn create_if_missing(mut self, create: bool) -> Self {
        self.open_only = !create;
        self
    }

    /// Forgets what is stored under the key and starts again from length 0.
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
    pub const fn session(mut self, session: SessionOptions) -> Self {
        self.session = session;
        self
    }

    /// How the first session behaves.
    #[must_use]
    pub const fn session_options(&self) -> SessionOptions {
        self.session
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

/// How a session behaves. What is not set is inherited from the session it is made from.
#[derive(Debug, Clone, Copy, Default)]
pub struct SessionOptions {
    pub(crate) writable: Option<bool>,
    pub(crate) wait: Option<bool>,
    pub(crate) timeout: Option<Option<Duration>>,
    pub(crate) weak: Option<bool>,
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

    pub(crate) const fn over(self, parent: Self) -> Self {
        const fn first<T: Copy>(a: Option<T>, b: Option<T>) -> Option<T> {
            if a.is_some() { a } else { b }
        }
        Self {
            writable: first(self.writable, parent.writable),
            wait: first(self.wait, parent.wait),
            timeout: first(self.timeout, parent.timeout),
            weak: self.weak,
        }
    }
}

/// How a single read behaves. What is not set comes from the session.
#[derive(Debug, Clone, Copy, Default)]
pub struct GetOptions {
    pub(crate) wait: Option<bool>,
    pub(crate) timeout: Option<Option<Duration>>,
}

impl GetOptions {
    /// As the session has it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
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
