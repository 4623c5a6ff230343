//! A moment of the database that can be held on to.

use std::sync::{Arc, Weak};

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

/// What handles of a moment share: it goes with the last of them, or with the database.
pub(crate) struct Held(RwLock<Option<Pinned>>);

impl Held {
    /// Lets go of the database.
    pub(crate) fn release(&self) {
        self.0.write().take();
    }
}

/// A moment of the database. Closing the database lets go of it; reading then fails with [`StorageError::Closed`].
pub(crate) struct Snapshot(RwLock<Option<Arc<Held>>>);

impl Snapshot {
    /// The database as it is at this moment; and what has to be released before the database is closed.
    pub(crate) fn of(db: &Arc<Database>) -> (Self, Weak<Held>) {
        let held = Arc::new(Held(RwLock::new(Some(Pinned::new(Arc::clone(db), |db| db.snapshot())))));
        let weak = Arc::downgrade(&held);
        (Self(RwLock::new(Some(held))), weak)
    }

    fn held(&self) -> Result<Arc<Held>> {
        self.0.read().clone().ok_or(StorageError::Closed)
    }

    fn with<T>(&self, work: impl FnOnce(&DB, &ColumnFamily, &Moment<'_>) -> Result<T>) -> Result<T> {
        let held = self.held()?;
        let held = held.0.read();
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
        Ok(Arc::new(Self(RwLock::new(Some(self.held()?)))))
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
        self.0.write().take();
        Ok(())
    }
}
