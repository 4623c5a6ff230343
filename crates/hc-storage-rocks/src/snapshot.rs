//! A moment of the database that can be held on to.

use std::sync::Arc;

use bytes::Bytes;
use hc_storage::keys::Key;
use hc_storage::kv::Visit;
use hc_storage::{Kv, KvRead, StorageError, WriteBatch};
use parking_lot::RwLock;
use rocksdb::{ColumnFamily, DB, ReadOptions, SnapshotWithThreadMode};

use crate::database::{Database, family};
use crate::db::{bounded, scan, to_bytes};

type Result<T> = std::result::Result<T, StorageError>;
type Moment<'a> = SnapshotWithThreadMode<'a, DB>;

self_cell::self_cell!(
    /// A snapshot together with the database that it is of.
    struct Pinned {
        owner: Arc<Database>,
        #[not_covariant]
        dependent: Moment,
    }
);

/// A moment of the database. Closing the database lets go of it; reading then fails with [`StorageError::Closed`].
pub(crate) struct Snapshot(Arc<RwLock<Option<Pinned>>>);

impl Snapshot {
    pub(crate) fn of(db: &Arc<Database>) -> Self {
        Self(Arc::new(RwLock::new(Some(Pinned::new(Arc::clone(db), |db| db.snapshot())))))
    }

    /// Lets go of the database.
    pub(crate) fn release(&self) {
        self.0.write().take();
    }

    fn with<T>(&self, work: impl FnOnce(&DB, &ColumnFamily, &Moment<'_>) -> Result<T>) -> Result<T> {
        let held = self.0.read();
        let pinned = held.as_ref().ok_or(StorageError::Closed)?;
        pinned.with_dependent(|db, moment| work(db, family(db)?, moment))
    }
}

impl KvRead for Snapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        self.with(|_, family, moment| to_bytes(moment.get_pinned_cf(family, key)))
    }

    fn multi_get(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>> {
        self.with(|db, family, moment| {
            let mut options = ReadOptions::default();
            options.set_snapshot(moment);
            let values = db.batched_multi_get_cf_opt(family, keys, false, &options);
            values.into_iter().map(to_bytes).collect()
        })
    }

    fn scan(&self, start: &[u8], end: &[u8], visit: &mut Visit<'_>) -> Result<()> {
        self.with(|db, family, moment| {
            let mut options = bounded(start, end);
            options.set_snapshot(moment);
            scan(db, family, options, start, visit)
        })
    }
}

impl Kv for Snapshot {
    fn snapshot(&self) -> Result<Arc<dyn Kv>> {
        Ok(Arc::new(Self(Arc::clone(&self.0))))
    }

    fn commit(&self, _batch: WriteBatch) -> Result<()> {
        Err(StorageError::ReadOnly)
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn compact(&self, _start: &[u8], _end: &[u8]) -> Result<()> {
        Ok(())
    }

    fn close(&self) -> Result<()> {
        self.release();
        Ok(())
    }
}
