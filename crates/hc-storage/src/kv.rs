//! What a store needs of an engine: an ordered map from bytes to bytes with atomic batches.
//!
//! Synchronous: callers decide what may wait for a disk. Keys are ordered as bytes.

use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::StorageError;
use crate::keys::Key;

type Result<T> = std::result::Result<T, StorageError>;

/// What a scan calls for each entry, in key order, until it breaks off.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// Reading, from the engine as it is or from a moment of it.
pub trait KvRead {
    /// The value of a key.
    ///
    /// # Errors
    /// [`StorageError::Io`], [`StorageError::Closed`].
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>>;

    /// The values of several keys, in their order, all from the same moment.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    fn multi_get(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>>;

    /// All entries from `start` on and before `end`, in key order.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    fn scan(&self, start: &[u8], end: &[u8], visit: &mut Visit<'_>) -> Result<()>;
}

/// An engine.
pub trait Kv: KvRead + Send + Sync + 'static {
    /// The engine as it is at this moment: what is written later is not seen. It can be read until the engine is closed, and
    /// refuses to be written with [`StorageError::ReadOnly`].
    ///
    /// # Errors
    /// As [`KvRead::get`].
    fn snapshot(&self) -> Result<Arc<dyn Kv>>;

    /// Writes a batch, whole or not at all. It then survives the end of the process; a power loss only after a
    /// [`sync`](Self::sync).
    ///
    /// # Errors
    /// [`StorageError::Io`], [`StorageError::Poisoned`], [`StorageError::ReadOnly`], [`StorageError::Closed`];
    /// [`StorageError::Unwritable`] if the engine cannot hold so much.
    fn commit(&self, batch: WriteBatch) -> Result<()>;

    /// Brings everything that was committed to the device.
    ///
    /// # Errors
    /// [`StorageError::Io`]; from then on every [`commit`](Self::commit) is refused with [`StorageError::Poisoned`].
    fn sync(&self) -> Result<()>;

    /// Reclaims the space of what was deleted between two keys.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    fn compact(&self, start: &[u8], end: &[u8]) -> Result<()>;

    /// Shows what another process wrote since, in an engine that was opened to follow it. Others show everything anyway.
    ///
    /// # Errors
    /// As [`KvRead::get`].
    fn catch_up(&self) -> Result<()> {
        Ok(())
    }

    /// Lets another process have the files for a while: what is done meanwhile fails with [`StorageError::Closed`].
    ///
    /// # Errors
    /// [`StorageError::Unsupported`] if the engine has no files.
    fn suspend(&self) -> Result<()> {
        Err(StorageError::Unsupported("this engine cannot be suspended".into()))
    }

    /// Takes the files back.
    ///
    /// # Errors
    /// [`StorageError::Locked`] if another process has them, or wrote to them meanwhile; [`StorageError::Unsupported`].
    fn resume(&self) -> Result<()> {
        Err(StorageError::Unsupported("this engine cannot be suspended".into()))
    }

    /// Closes the engine and frees its files. Closing twice is no error.
    ///
    /// # Errors
    /// [`StorageError::Io`].
    fn close(&self) -> Result<()>;
}

/// One change of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Sets a key.
    Put(Key, Bytes),
    /// Removes a key.
    Delete(Key),
    /// Removes the keys from the first on and before the second.
    DeleteRange(Key, Key),
}

/// Changes that are written together, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteBatch {
    ops: Vec<Op>,
}

impl WriteBatch {
    /// No change.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key.
    pub fn put(&mut self, key: Key, value: impl Into<Bytes>) {
        self.ops.push(Op::Put(key, value.into()));
    }

    /// Removes a key.
    pub fn delete(&mut self, key: Key) {
        self.ops.push(Op::Delete(key));
    }

    /// Removes the keys from `start` on and before `end`.
    pub fn delete_range(&mut self, start: Key, end: Key) {
        self.ops.push(Op::DeleteRange(start, end));
    }

    /// The changes, in order.
    #[must_use]
    pub fn ops(&self) -> &[Op] {
        &self.ops
    }

    /// Adds changes behind those that are there.
    pub fn extend(&mut self, ops: impl IntoIterator<Item = Op>) {
        self.ops.extend(ops);
    }

    /// The changes, in order.
    #[must_use]
    pub fn into_ops(self) -> Vec<Op> {
        self.ops
    }

    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }
}
