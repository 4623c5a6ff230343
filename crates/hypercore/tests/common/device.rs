//! An engine whose syncs can be held up, which can be made to fail, and which can be suspended: [`Device`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hc_storage::keys::Key;
use hc_storage::kv::Visit;
use hc_storage::{Kv, KvRead, MemKv, StorageError, WriteBatch};

/// An engine in memory.
#[derive(Default)]
pub(crate) struct Device {
    memory: MemKv,
    /// Holds syncs up.
    pub(crate) held: AtomicBool,
    /// Makes syncs fail.
    pub(crate) broken: AtomicBool,
    /// Makes commits fail.
    pub(crate) full: AtomicBool,
    /// Another process has it.
    pub(crate) suspended: AtomicBool,
    pub(crate) syncs: AtomicU32,
    /// Commits that no sync has covered.
    pub(crate) unsynced: AtomicU32,
}

impl Device {
    fn check(&self) -> Result<(), StorageError> {
        if self.suspended.load(Ordering::SeqCst) { Err(StorageError::Closed) } else { Ok(()) }
    }
}

impl KvRead for Device {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError> {
        self.check()?;
        self.memory.get(key)
    }

    fn multi_get(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StorageError> {
        self.check()?;
        self.memory.multi_get(keys)
    }

    fn scan(&self, start: &[u8], end: &[u8], visit: &mut Visit<'_>) -> Result<(), StorageError> {
        self.check()?;
        self.memory.scan(start, end, visit)
    }
}

impl Kv for Device {
    fn snapshot(&self) -> Result<Arc<dyn Kv>, StorageError> {
        self.check()?;
        self.memory.snapshot()
    }

    fn commit(&self, batch: WriteBatch) -> Result<(), StorageError> {
        self.check()?;
        if self.full.load(Ordering::SeqCst) {
            return Err(StorageError::io("writing", std::io::Error::other("no space left on device")));
        }
        self.unsynced.fetch_add(1, Ordering::SeqCst);
        self.memory.commit(batch)
    }

    fn sync(&self) -> Result<(), StorageError> {
        self.check()?;
        while self.held.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.syncs.fetch_add(1, Ordering::SeqCst);
        if self.broken.load(Ordering::SeqCst) {
            return Err(StorageError::io("syncing", std::io::Error::other("the device is gone")));
        }
        self.unsynced.store(0, Ordering::SeqCst);
        Ok(())
    }

    fn compact(&self, _: &[u8], _: &[u8]) -> Result<(), StorageError> {
        Ok(())
    }

    fn suspend(&self) -> Result<(), StorageError> {
        self.suspended.store(true, Ordering::SeqCst);
        Ok(())
    }

    fn resume(&self) -> Result<(), StorageError> {
        self.suspended.store(false, Ordering::SeqCst);
        Ok(())
    }

    fn close(&self) -> Result<(), StorageError> {
        Ok(())
    }
}
