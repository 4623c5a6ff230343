//! How a store fails.

use std::sync::Arc;

use compact_encoding::DecodeError;
use hc_tree::{HeadError, MissingNode};
use thiserror::Error;

/// Why a store could not be read or written.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum StorageError {
    /// A record that is none.
    #[error("the record at key {} is corrupt: {reason}", Hex(.key))]
    Corrupt {
        /// Where it is.
        key: Vec<u8>,
        /// What is wrong with it.
        reason: DecodeError,
    },
    /// The head says one thing, the stored tree another.
    #[error("the stored tree does not fit its head of length {length}: {reason}")]
    Tree {
        /// The length of the head.
        length: u64,
        /// What does not fit.
        reason: TreeFault,
    },
    /// A form of store that this version does not read.
    #[error("{0}")]
    Unsupported(String),
    /// What was to be written could not be read again.
    #[error("{0}; nothing was written")]
    Unwritable(String),
    /// The directory belongs to another process, or is not what it was.
    #[error("{0}")]
    Locked(String),
    /// The engine or the file system failed.
    #[error("{context}: {source}")]
    Io {
        /// What was being done.
        context: &'static str,
        /// The error underneath.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// What is on the disk is not what was written there: the engine's own checks say so.
    #[error("the store's files are damaged: {0}")]
    Damaged(String),
    /// An earlier sync failed, so nothing more is written: what is on the device is not known.
    #[error("the store refuses writes since a sync failed; open it again")]
    Poisoned,
    /// Everything of the core was taken away.
    #[error("the core was purged")]
    Purged,
    /// The store was opened for reading only.
    #[error("the store is open for reading only")]
    ReadOnly,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

/// What does not fit between a head and its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TreeFault {
    /// A root is missing.
    #[error(transparent)]
    Missing(#[from] MissingNode),
    /// The roots are no roots.
    #[error(transparent)]
    Roots(#[from] HeadError),
    /// The roots hash to something else.
    #[error("the roots do not have the head's hash")]
    Hash,
}

impl StorageError {
    /// An error of the engine or of the file system.
    pub fn io(context: &'static str, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Io { context, source: Arc::new(source) }
    }

    pub(crate) fn corrupt(key: &[u8], reason: DecodeError) -> Self {
        Self::Corrupt { key: key.to_vec(), reason }
    }
}

struct Hex<'a>(&'a [u8]);

impl std::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
