//! What can go wrong, by who caused it.
//!
//! [`Error`] can be matched on; [`Error::code`] gives the code that Node's `hypercore-errors` uses for the same case,
//! for programs that talk to both.

use std::sync::Arc;

use hc_crypto::DiscoveryKey;
use hc_protocol::Violation;
use hc_storage::StorageError;
use thiserror::Error as ThisError;

/// The result of an operation on a core.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation on a core failed.
#[derive(Debug, Clone, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// An argument that makes no sense; what and why.
    #[error("bad argument: {0}")]
    BadArgument(String),
    /// A block above [`MAX_BLOCK_LEN`](crate::MAX_BLOCK_LEN). Nothing of its batch was appended.
    #[error("block {position} of the batch has {len} bytes, at most {max} are allowed")]
    BlockTooLarge {
        /// Which block of the batch, from 0.
        position: usize,
        /// Its size in bytes.
        len: usize,
        /// The largest size that is allowed.
        max: usize,
    },
    /// Nothing is stored under this key, and the options say not to create it.
    #[error("no Hypercore is stored here{}", of(.discovery_key))]
    StorageEmpty {
        /// The core that was looked for, where one was named.
        discovery_key: Option<DiscoveryKey>,
    },
    /// What is stored does not agree with what was asked for.
    #[error("{reason}{}", of(.discovery_key))]
    StorageConflict {
        /// What disagrees.
        reason: &'static str,
        /// The core, where one was named.
        discovery_key: Option<DiscoveryKey>,
    },
    /// A manifest that does not hash to the core's key.
    #[error("the manifest does not hash to the core's key{}", of(.discovery_key))]
    InvalidManifest {
        /// The core.
        discovery_key: Option<DiscoveryKey>,
    },
    /// The session cannot append: it is read-only, or there is no secret key for this core.
    #[error("the session is not writable{}", of(&Some(*.discovery_key)))]
    SessionNotWritable {
        /// The core.
        discovery_key: DiscoveryKey,
    },
    /// The session was closed, by its owner or because its core or store was.
    #[error("the session is closed{}", of(&Some(*.discovery_key)))]
    SessionClosed {
        /// The core.
        discovery_key: DiscoveryKey,
    },
    /// The session was moved to another core meanwhile. Reads go on there by themselves.
    #[error("the session was moved to another core{}", of(&Some(*.discovery_key)))]
    SessionMoved {
        /// The core that it left.
        discovery_key: DiscoveryKey,
    },
    /// The block is not here, and the caller said not to wait for peers.
    #[error("block {index} is not stored here{}", of(&Some(*.discovery_key)))]
    BlockNotAvailable {
        /// The block.
        index: u64,
        /// The core.
        discovery_key: DiscoveryKey,
    },
    /// The snapshot does not reach so far, or the block was truncated since it was taken, and is stored nowhere.
    #[error("block {index} of the snapshot is not available: the log was cut to {available} blocks{}", of(&Some(*.discovery_key)))]
    SnapshotNotAvailable {
        /// The block.
        index: u64,
        /// Blocks of the snapshot that are still the log's.
        available: u64,
        /// The core.
        discovery_key: DiscoveryKey,
    },
    /// Hashes of the tree that are needed are not stored here. Nothing was changed. A log can be cut to each length with a
    /// stored block on either side of it; between blocks that are cleared, or that are not here yet, the tree may have a gap.
    #[error("the tree has a gap{}: {}{}", at_length(*.length), gap(*.start, *.end, *.cleared), of(.discovery_key))]
    TreeGap {
        /// The length that the log was looked at, or was to be cut to.
        length: Option<u64>,
        /// The first block below the hash that is missing.
        start: u64,
        /// One past the last.
        end: u64,
        /// Whether the hash was here until its blocks were cleared: the log is one that is written here. Of another one it
        /// may as well be that it was never fetched.
        cleared: bool,
        /// The core, where it is known.
        discovery_key: Option<DiscoveryKey>,
    },
    /// What was asked for does not fit the log as it is. Nothing was changed.
    #[error("{reason}{}", of(&Some(*.discovery_key)))]
    InvalidOperation {
        /// What does not fit.
        reason: String,
        /// The core.
        discovery_key: DiscoveryKey,
    },
    /// The store may have lost what this writer told others: it appends only after peers confirmed that none has more, see
    /// [`Hypercore::recover`](crate::Hypercore::recover).
    #[error("the core is recovering: it may have lost blocks that others have{}", of(&Some(*.discovery_key)))]
    Recovering {
        /// The core.
        discovery_key: DiscoveryKey,
    },
    /// Roots of the log's tree are lost: the core can be repaired and nothing else, see
    /// [`Hypercore::repair_with`](crate::Hypercore::repair_with).
    #[error("roots of the tree are lost, the core can only be repaired{}", of(&Some(*.discovery_key)))]
    RootsLost {
        /// The core.
        discovery_key: DiscoveryKey,
    },
    /// The owner signed two different logs: this one is frozen, see [`Hypercore::conflict`](crate::Hypercore::conflict).
    #[error("two different logs of length {length} are signed with this core's key{}", of(&Some(*.discovery_key)))]
    Conflict {
        /// The length at which they differ.
        length: u64,
        /// The core.
        discovery_key: DiscoveryKey,
    },
    /// A proof that does not hold, or that cannot be made.
    #[error("invalid proof: {reason}{}", of(&Some(*.discovery_key)))]
    InvalidProof {
        /// What is wrong with it.
        reason: String,
        /// The core.
        discovery_key: DiscoveryKey,
    },
    /// A block or a hash that is not what the tree says.
    #[error("invalid checksum: {reason}{}", of(&Some(*.discovery_key)))]
    InvalidChecksum {
        /// What does not fit.
        reason: String,
        /// The core.
        discovery_key: DiscoveryKey,
    },
    /// The caller broke a rule of the interface.
    #[error("{0}")]
    Assertion(String),
    /// A block that cannot be decrypted.
    #[error("block {index} cannot be decrypted: {reason}{}", of(&Some(*.discovery_key)))]
    Encryption {
        /// The block.
        index: u64,
        /// What is wrong with it.
        reason: String,
        /// The core.
        discovery_key: DiscoveryKey,
    },
    /// The request was given up: its session or its handle was closed.
    #[error("the request was cancelled{}", of(&Some(*.discovery_key)))]
    RequestCancelled {
        /// The core.
        discovery_key: DiscoveryKey,
    },
    /// No peer answered in time.
    #[error("the request timed out{}", of(&Some(*.discovery_key)))]
    RequestTimeout {
        /// The core.
        discovery_key: DiscoveryKey,
    },
    /// A signature that the core's manifest does not accept, or that could not be made.
    #[error("invalid signature: {reason}{}", of(&Some(*.discovery_key)))]
    InvalidSignature {
        /// What is wrong with it.
        reason: String,
        /// The core.
        discovery_key: DiscoveryKey,
    },
    /// A block that is not a value of the asked encoding.
    #[error("block is not {encoding}: {reason}")]
    Decoding {
        /// The encoding.
        encoding: &'static str,
        /// What is wrong with the block.
        reason: String,
    },
    /// The store failed or holds something that cannot be.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The peer broke a rule of the protocol; its connection was closed.
    #[error("the peer broke the protocol: {0}")]
    Protocol(#[from] Violation),
    /// The peer broke a rule of replication; its connection was closed.
    #[error("the peer broke a rule of replication: {0}")]
    Replication(hc_replicator::Violation),
    /// A connection's transport failed.
    #[error("connection failed: {0}")]
    Connection(String),
    /// An archive could not be read or written: the file, pipe or device that it is on failed.
    #[error("{action} the archive failed at byte {position}: {source}")]
    Archive {
        /// What was done to it: `reading` or `writing`.
        action: &'static str,
        /// How many bytes of it were read or written before.
        position: u64,
        /// The error underneath; [`kind`](std::io::Error::kind) tells a full disk from a reader that went away.
        source: Arc<std::io::Error>,
    },
    /// The store was closed.
    #[error("the store is closed")]
    StoreClosed,
    /// An own task ended without an answer; the operation may or may not have happened.
    #[error("internal failure: {0}")]
    Internal(&'static str),
}

impl From<hc_tree::MissingNode> for Error {
    fn from(missing: hc_tree::MissingNode) -> Self {
        let (start, end) = missing.blocks();
        Self::TreeGap { length: None, start, end, cleared: false, discovery_key: None }
    }
}

impl Error {
    /// Says of a gap in the tree which log has it, and at which length; and whether the log is `written_here`.
    pub(crate) fn in_log(self, core: &DiscoveryKey, at: Option<u64>, written_here: bool) -> Self {
        match self {
            Self::TreeGap { length, start, end, .. } => Self::TreeGap {
                length: at.or(length),
                start,
                end,
                cleared: written_here,
                discovery_key: Some(*core),
            },
            other => other,
        }
    }

    /// The code of the same case in Node's `hypercore-errors`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BadArgument(_) | Self::BlockTooLarge { .. } => "BAD_ARGUMENT",
            Self::StorageEmpty { .. } => "STORAGE_EMPTY",
            Self::StorageConflict { .. } | Self::InvalidManifest { .. } => "STORAGE_CONFLICT",
            Self::SessionNotWritable { .. } => "SESSION_NOT_WRITABLE",
            Self::SessionClosed { .. } => "SESSION_CLOSED",
            Self::SessionMoved { .. } => "SESSION_MOVED",
            Self::BlockNotAvailable { .. } => "BLOCK_NOT_AVAILABLE",
            Self::RequestCancelled { .. } => "REQUEST_CANCELLED",
            Self::RequestTimeout { .. } => "REQUEST_TIMEOUT",
            Self::SnapshotNotAvailable { .. } => "SNAPSHOT_NOT_AVAILABLE",
            Self::InvalidOperation { .. } | Self::TreeGap { .. } => "INVALID_OPERATION",
            Self::Recovering { .. } => "SESSION_NOT_WRITABLE",
            Self::Conflict { .. } | Self::InvalidSignature { .. } => "INVALID_SIGNATURE",
            Self::InvalidProof { .. } => "INVALID_PROOF",
            Self::InvalidChecksum { .. } => "INVALID_CHECKSUM",
            Self::Assertion(_) | Self::RootsLost { .. } | Self::Internal(_) => "ERR_ASSERTION",
            Self::Decoding { .. } | Self::Encryption { .. } => "DECODING_ERROR",
            // a node of the tree that a log or session needs is not stored (any more)
            Self::Storage(StorageError::Tree { .. }) => "INVALID_OPERATION",
            Self::Storage(StorageError::Unsupported(_)) => "STORAGE_CONFLICT",
            Self::Storage(StorageError::Unwritable(_)) => "BAD_ARGUMENT",
            Self::Storage(_) | Self::Archive { .. } => "WRITE_FAILED",
            Self::Protocol(_) | Self::Replication(_) | Self::Connection(_) => "CONNECTION_FAILED",
            Self::StoreClosed => "SESSION_CLOSED",
        }
    }

    /// The core that it happened to, where it is one core's matter.
    #[must_use]
    pub const fn discovery_key(&self) -> Option<&DiscoveryKey> {
        match self {
            Self::StorageEmpty { discovery_key }
            | Self::StorageConflict { discovery_key, .. }
            | Self::InvalidManifest { discovery_key }
            | Self::TreeGap { discovery_key, .. } => discovery_key.as_ref(),
            Self::SessionNotWritable { discovery_key }
            | Self::SessionClosed { discovery_key }
            | Self::SessionMoved { discovery_key }
            | Self::BlockNotAvailable { discovery_key, .. }
            | Self::SnapshotNotAvailable { discovery_key, .. }
            | Self::InvalidOperation { discovery_key, .. }
            | Self::Recovering { discovery_key }
            | Self::Conflict { discovery_key, .. }
            | Self::InvalidProof { discovery_key, .. }
            | Self::InvalidChecksum { discovery_key, .. }
            | Self::Encryption { discovery_key, .. }
            | Self::RequestCancelled { discovery_key }
            | Self::RequestTimeout { discovery_key }
            | Self::InvalidSignature { discovery_key, .. } => Some(discovery_key),
            _ => None,
        }
    }
}

fn at_length(length: Option<u64>) -> String {
    length.map(|length| format!(" at length {length}")).unwrap_or_default()
}

/// What is known of hashes that are not here.
fn gap(start: u64, end: u64, cleared: bool) -> String {
    match cleared {
        true => format!("the hash over blocks {start}..{end} went when they were cleared"),
        false => format!("the hash over blocks {start}..{end} was cleared with them, or never fetched"),
    }
}

fn of(discovery_key: &Option<DiscoveryKey>) -> String {
    discovery_key.as_ref().map(|key| format!(" (discovery key: {key})")).unwrap_or_default()
}
