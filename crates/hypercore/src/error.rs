//! What can go wrong, by who caused it.
//!
//! [`Error`] can be matched on; [`Error::code`] gives the code that Node's `hypercore-errors` uses for the same case,
//! for programs that talk to both.

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
    /// The block is not here, and the caller said not to wait for peers.
    #[error("block {index} is not stored here{}", of(&Some(*.discovery_key)))]
    BlockNotAvailable {
        /// The block.
        index: u64,
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
    /// The store was closed.
    #[error("the store is closed")]
    StoreClosed,
    /// An own task ended without an answer; the operation may or may not have happened.
    #[error("internal failure: {0}")]
    Internal(&'static str),
}

impl Error {
    /// The code of the same case in Node's `hypercore-errors`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BadArgument(_) | Self::BlockTooLarge { .. } => "BAD_ARGUMENT",
            Self::StorageEmpty { .. } => "STORAGE_EMPTY",
            Self::StorageConflict { .. } | Self::InvalidManifest { .. } => "STORAGE_CONFLICT",
            Self::SessionNotWritable { .. } => "SESSION_NOT_WRITABLE",
            Self::SessionClosed { .. } => "SESSION_CLOSED",
            Self::BlockNotAvailable { .. } => "BLOCK_NOT_AVAILABLE",
            Self::RequestCancelled { .. } => "REQUEST_CANCELLED",
            Self::RequestTimeout { .. } => "REQUEST_TIMEOUT",
            Self::InvalidSignature { .. } => "INVALID_SIGNATURE",
            Self::Decoding { .. } => "DECODING_ERROR",
            Self::Storage(_) => "WRITE_FAILED",
            Self::Protocol(_) | Self::Replication(_) | Self::Connection(_) => "CONNECTION_FAILED",
            Self::StoreClosed => "SESSION_CLOSED",
            Self::Internal(_) => "ERR_ASSERTION",
        }
    }
}

fn of(discovery_key: &Option<DiscoveryKey>) -> String {
    discovery_key.as_ref().map(|key| format!(" (discovery key: {key})")).unwrap_or_default()
}
