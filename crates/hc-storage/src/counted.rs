//! An engine that counts what was committed to it, and knows how much of that is on the device.
//!
//! Every [`Store`](crate::Store) puts one over the engine that it is opened on, and hands out nothing else. So durability is
//! nobody's bookkeeping: a batch cannot be written without being counted, whichever layer wrote it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use crate::error::StorageError;
use crate::keys::Key;
use crate::kv::{Kv, KvRead, Visit, WriteBatch};

type Result<T> = std::result::Result<T, StorageError>;

/// An engine, and how many batches were committed to it.
pub(crate) struct Counted {
    engine: Arc<dyn Kv>,
    /// Batches that were committed.
    committed: AtomicU64,
    /// How many of these are known to be on the device.
    synced: AtomicU64,
}

impl Counted {
    pub(crate) const fn new(engine: Arc<dyn Kv>) -> Self {
        Self { engine, committed: AtomicU64::new(0), synced: AtomicU64::new(0) }
    }

    /// Returns how many batches were committed since the engine was opened.
    pub(crate) fn committed(&self) -> u64 {
        self.committed.load(Ordering::Acquire)
    }

    /// Returns how many of the committed batches are on the device: the first ones.
    pub(crate) fn synced(&self) -> u64 {
        self.synced.load(Ordering::Acquire)
    }
}

impl KvRead for Counted {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        self.engine.get(key)
    }

    fn multi_get(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>> {
        self.engine.multi_get(keys)
    }

    fn scan(&self, start: &[u8], end: &[u8], visit: &mut Visit<'_>) -> Result<()> {
        self.engine.scan(start, end, visit)
    }
}

impl Kv for Counted {
    fn snapshot(&self) -> Result<Arc<dyn Kv>> {
        self.engine.snapshot()
    }

    fn commit(&self, batch: WriteBatch) -> Result<()> {
        self.engine.commit(batch)?;
        // counted after it is in the log: a sync that counts it has it
        self.committed.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        let committed = self.committed();
        self.engine.sync()?;
        self.synced.fetch_max(committed, Ordering::AcqRel);
        Ok(())
    }

    fn compact(&self, start: &[u8], end: &[u8]) -> Result<()> {
        self.engine.compact(start, end)
    }

    fn catch_up(&self) -> Result<()> {
        self.engine.catch_up()
    }

    fn suspend(&self) -> Result<()> {
        self.engine.suspend()
    }

    fn resume(&self) -> Result<()> {
        self.engine.resume()
    }

    fn close(&self) -> Result<()> {
        self.engine.close()
    }
}
