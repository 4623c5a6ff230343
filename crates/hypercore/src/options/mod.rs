//! What can be chosen: when a core is opened, for a session ([`session`]), and for a single call ([`calls`]).
//!
//! Defaults are those of npm hypercore 11.37.1, `index.js`, unless a field says otherwise.

mod calls;
mod session;

use std::time::Duration;

use hc_crypto::{Key, KeyPair, Manifest};

pub use calls::{AppendOptions, CommitOptions, GetOptions, SeekOptions, TruncateOptions, UpdateOptions};
pub use session::SessionOptions;
pub(crate) use session::Target;

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
    pub(crate) group: Option<[u8; 32]>,
    pub(crate) durability: Option<Durability>,
    pub(crate) replication: Option<ReplicationOptions>,
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

    /// Signs what the first session appends with this key pair, and is kept with the core if it may sign it. Without
    /// [`key`](Self::key) or [`manifest`](Self::manifest), the core is the one that this key pair alone signs.
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

    /// Forgets what is stored and starts again from length 0: under the key that is given, else with a new one. Not of a core
    /// that is open, and in a store of many cores not of one that can be written there: what is written next would be a
    /// second history of its log.
    #[must_use]
    pub const fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// Creates the core as version 10 did: its key is the public key itself. Says nothing of a core whose key or manifest is
    /// given, or that is stored.
    #[must_use]
    pub const fn compat(mut self, compat: bool) -> Self {
        self.compat = compat;
        self
    }

    /// Stores a record beside the log, in the same batch if the core is created. Never replicated. Short for the same in
    /// [`SessionOptions`].
    #[must_use]
    pub fn user_data(mut self, key: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.session = self.session.user_data(key, value);
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

    /// When an append is acknowledged. It holds for the whole store: a store that is open already has to have the same.
    #[must_use]
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.durability = Some(durability);
        self
    }

    /// How the core behaves towards peers. A core that is open already has to have the same.
    #[must_use]
    pub const fn replication(mut self, replication: ReplicationOptions) -> Self {
        self.replication = Some(replication);
        self
    }

    /// How the first session behaves.
    #[must_use]
    pub fn session(mut self, session: SessionOptions) -> Self {
        self.session = session;
        self
    }

    /// How the first session behaves. It signs with the core's key pair, unless it has one of its own.
    #[must_use]
    pub fn session_options(&self) -> SessionOptions {
        let key_pair = self.session.key_pair.clone().or_else(|| self.key_pair.clone());
        SessionOptions { key_pair, ..self.session.clone() }
    }

    /// The manifest that was given.
    #[must_use]
    pub const fn given_manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// Whether a core of version 10 is asked for.
    #[must_use]
    pub const fn is_compat(&self) -> bool {
        self.compat
    }

    /// Whether these can be options of the core with this key: they name no other one.
    #[must_use]
    pub fn fit(&self, key: &Key) -> bool {
        self.key.is_none_or(|own| own == *key)
            && self.manifest.as_ref().is_none_or(|manifest| manifest.belongs_to(key))
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
