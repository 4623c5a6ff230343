//! What can be chosen for a session: how it behaves, and which log it is of.

use std::sync::Arc;
use std::time::Duration;

use hc_crypto::{DiscoveryKey, KeyPair};

use crate::atom::Atom;
use crate::encryption::Encryption;
use crate::{Error, Result};

/// How a session behaves, and what it is a session of. What is not set is inherited from the session it is made from.
#[derive(Clone, Default)]
pub struct SessionOptions {
    pub(crate) writable: Option<bool>,
    pub(crate) wait: Option<bool>,
    pub(crate) timeout: Option<Option<Duration>>,
    pub(crate) weak: Option<bool>,
    pub(crate) encryption: Option<Option<Encryption>>,
    pub(crate) key_pair: Option<KeyPair>,
    pub(crate) user_data: Vec<(String, Vec<u8>)>,
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

impl Target {
    /// Whether it is the log of the session that it is made from, or of the core.
    pub(crate) const fn is_same(&self) -> bool {
        self.name.is_none() && self.atom.is_none() && !self.snapshot
    }

    /// Fails if something of it would have no effect on a session of this core.
    pub(crate) fn check(&self, core: &DiscoveryKey) -> Result<()> {
        let refused = |what| Err(Error::Assertion(format!("{what} (discovery key: {core})")));
        if self.checkout.is_some() && self.name.is_none() && self.atom.is_none() {
            return refused("only atoms and named sessions can go back to a length");
        }
        if self.overwrite && self.name.is_none() {
            return refused("only named sessions can begin anew");
        }
        Ok(())
    }
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

    /// Signs what this session appends with this key pair: so it can write to a core of which the key pair is not stored.
    /// Appending with one that may not sign is an [`Error::BadArgument`].
    #[must_use]
    pub fn key_pair(mut self, key_pair: KeyPair) -> Self {
        self.key_pair = Some(key_pair);
        self
    }

    /// Stores a record beside the log when the session is opened. Never replicated. A named session has records of its own.
    #[must_use]
    pub fn user_data(mut self, key: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.user_data.push((key.into(), value.into()));
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
            weak: self.weak.or(parent.weak),
            encryption: self.encryption.or_else(|| parent.encryption.clone()),
            key_pair: self.key_pair.or_else(|| parent.key_pair.clone()),
            user_data: self.user_data,
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
