//! What can be chosen for a single call.

use std::time::Duration;

use hc_crypto::KeyPair;

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

    /// Signs with this key pair.
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

    /// Fails with [`Error::InvalidOperation`](crate::Error::InvalidOperation) unless the log has this length.
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

    /// Signs with this key pair.
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
