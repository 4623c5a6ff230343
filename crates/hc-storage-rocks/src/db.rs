//! The engine over RocksDB.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::ops::ControlFlow;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use hc_storage::keys::Key;
use hc_storage::kv::Visit;
use hc_storage::{Kv, KvRead, Op, StorageError, WriteBatch};
use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use rocksdb::{ColumnFamily, DB, ReadOptions};

use crate::database::{Database, family};
use crate::device_file::DeviceFile;
use crate::layout::refuse_older;
use crate::snapshot::{Held, Snapshot};
use crate::tables::{Growth, Tables};
use crate::{seal, session_id, wal};

type Result<T> = std::result::Result<T, StorageError>;

/// A store's directory, open in RocksDB.
pub struct RocksKv {
    open: RwLock<Option<Open>>,
    dir: PathBuf,
    /// While it is suspended: the mark that was in the directory then.
    suspended: Mutex<Option<Vec<u8>>>,
    read_only: bool,
    /// Snapshots that are still held: they go with the database.
    snapshots: Mutex<Vec<Weak<Held>>>,
    /// Set by a failed sync: what is on the device is then not known.
    poisoned: AtomicBool,
    /// Set by a failed write: RocksDB may then wait for room on the disk before it writes a table.
    failed: AtomicBool,
}

/// Dropped in this order: the lock is the last to go.
struct Open {
    db: Arc<Database>,
    /// Options of reading one value: made once, since each is an allocation.
    point: ReadOptions,
    _device: Option<DeviceFile>,
    growth: Growth,
    /// For a follower: what the directory looked like when it was opened.
    seen: Option<Looks>,
}

/// What a database's folder looks like: its files, with their lengths. Another process that writes changes it.
type Looks = BTreeMap<OsString, u64>;

/// How often a follower tries to open a database whose files come and go, and how long it waits in between.
const FOLLOW_TRIES: u32 = 20;
const FOLLOW_PAUSE: Duration = Duration::from_millis(20);

fn looks(db: &Path) -> Result<Looks> {
    let failed = |error| StorageError::io("looking at the database's folder", error);
    let mut looks = Looks::new();
    for file in std::fs::read_dir(db).map_err(failed)? {
        let file = file.map_err(failed)?;
        // one that is gone by now is not there
        if let Ok(metadata) = file.metadata() {
            looks.insert(file.file_name(), metadata.len());
        }
    }
    // RocksDB's own notes say nothing of what is stored
    looks.retain(|name, _| !name.as_encoded_bytes().starts_with(b"LOG"));
    Ok(looks)
}

impl RocksKv {
    /// Opens a directory for reading and writing, or makes one.
    ///
    /// # Errors
    /// [`StorageError::Locked`] if another process has it open, or if it is a copy; [`StorageError::Unsupported`] if it is
    /// one of version 10, which then stays as it is; [`StorageError::Io`].
    pub fn open(dir: &Path) -> Result<Self> {
        Ok(Self::over(dir, Open::for_writing(dir, true, DeviceFile::open)?))
    }

    /// As [`open`](Self::open), for a directory that was copied or restored: it is taken over as the one that goes on. Whoever
    /// calls sees to it that no other copy does.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn adopt(dir: &Path) -> Result<Self> {
        Ok(Self::over(dir, Open::for_writing(dir, false, DeviceFile::adopt)?))
    }

    /// As [`open_read_only`](Self::open_read_only); what the other process writes is shown after each
    /// [`catch_up`](Kv::catch_up).
    ///
    /// # Errors
    /// [`StorageError::Io`] if there is no database; [`StorageError::Unsupported`] if it is a directory of version 10.
    pub fn follow(dir: &Path) -> Result<Self> {
        Ok(Self { read_only: true, ..Self::over(dir, Open::for_following(dir)?) })
    }

    /// Opens a directory for reading, as it is now, also while another process has it open for writing. Takes no lock and
    /// writes nothing.
    ///
    /// # Errors
    /// [`StorageError::Io`] if there is no database; [`StorageError::Unsupported`] if it is a directory of version 10.
    pub fn open_read_only(dir: &Path) -> Result<Self> {
        Ok(Self { read_only: true, ..Self::over(dir, Open::for_reading(dir)?) })
    }

    fn over(dir: &Path, open: Open) -> Self {
        Self {
            open: RwLock::new(Some(open)),
            dir: dir.to_owned(),
            suspended: Mutex::default(),
            read_only: false,
            snapshots: Mutex::default(),
            poisoned: AtomicBool::new(false),
            failed: AtomicBool::new(false),
        }
    }

    fn with<T>(&self, work: impl FnOnce(&DB, &ColumnFamily) -> Result<T>) -> Result<T> {
        let open: RwLockReadGuard<'_, Option<Open>> = self.open.read();
        let db = &open.as_ref().ok_or(StorageError::Closed)?.db;
        work(db, family(db)?)
    }
}

impl Open {
    fn over(db: Database, device: Option<DeviceFile>, tables: Tables) -> Self {
        Self {
            db: Arc::new(db),
            point: ReadOptions::default(),
            _device: device,
            growth: Growth::from(tables),
            seen: None,
        }
    }

    fn for_reading(dir: &Path) -> Result<Self> {
        refuse_older(dir)?;
        seal::check(dir)?;
        let path = dir.join("db");
        let tables = Tables::of(&path);
        Ok(Self::over(Database::open_for_reading(&path, tables)?, None, tables))
    }

    /// While another process writes, files may go between two looks at the folder: then it is looked at again.
    fn for_following(dir: &Path) -> Result<Self> {
        refuse_older(dir)?;
        let mut tries = 0;
        loop {
            let seen = looks(&dir.join("db"));
            match Self::for_reading(dir) {
                Ok(open) => return Ok(Self { seen: Some(seen?), ..open }),
                Err(error @ StorageError::Unsupported(_)) => return Err(error),
                Err(error) if tries >= FOLLOW_TRIES || seen.is_err() => return Err(error),
                Err(_) => {
                    tries += 1;
                    std::thread::sleep(FOLLOW_PAUSE);
                }
            }
        }
    }

    fn for_writing(
        dir: &Path,
        sealed: bool,
        device: impl FnOnce(&Path) -> Result<DeviceFile>,
    ) -> Result<Self> {
        refuse_older(dir)?;
        make_private(dir)?;
        let device = device(dir)?;
        let path = dir.join("db");
        make_private(&path)?;
        sync_names(dir)?;
        if sealed {
            seal::check(dir)?;
        }
        session_id::renew(&path)?;
        wal::cut_behind_holes(&path)?;
        let tables = Tables::of(&path);
        Ok(Self::over(Database::open(&path, tables)?, Some(device), tables))
    }
}

/// Makes a folder that is this user's alone: secret keys are in it. One that exists stays as it is.
fn make_private(dir: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(dir);
    made.map_err(|error| StorageError::io("making the directory", error))
}

/// Brings the names of the folder and of what is in it to the device: what is synced in a folder that a power loss takes away
/// is lost all the same. Each time, since who made the folder may have died before it came to this.
fn sync_names(dir: &Path) -> Result<()> {
    let parent =
        dir.parent().map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent });
    for folder in [Some(dir), parent].into_iter().flatten() {
        // one that may not be read cannot be synced, and is none that we made
        let Ok(folder) = std::fs::File::open(folder) else { continue };
        folder.sync_all().map_err(|error| StorageError::io("syncing the directory", error))?;
    }
    Ok(())
}

fn writing(error: rocksdb::Error) -> StorageError {
    StorageError::io("writing to the database", error)
}

impl KvRead for RocksKv {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        let open = self.open.read();
        let Open { db, point, .. } = open.as_ref().ok_or(StorageError::Closed)?;
        to_bytes(db.get_pinned_cf_opt(family(db)?, key, point))
    }

    fn multi_get(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>> {
        self.with(|db, family| {
            let values = db.batched_multi_get_cf(family, keys, false);
            values.into_iter().map(to_bytes).collect()
        })
    }

    fn scan(&self, start: &[u8], end: &[u8], visit: &mut Visit<'_>) -> Result<()> {
        self.with(|db, family| scan(db, family, bounded(start, end), start, visit))
    }
}

/// What RocksDB's own checks find wrong is damage; everything else a failure of the machine.
fn read_error(error: rocksdb::Error) -> StorageError {
    if error.kind() == rocksdb::ErrorKind::Corruption {
        StorageError::Damaged(error.to_string())
    } else {
        StorageError::io("reading from the database", error)
    }
}

pub(crate) fn to_bytes(
    value: std::result::Result<Option<rocksdb::DBPinnableSlice<'_>>, rocksdb::Error>,
) -> Result<Option<Bytes>> {
    Ok(value.map_err(read_error)?.map(|value| Bytes::copy_from_slice(&value)))
}

pub(crate) fn bounded(start: &[u8], end: &[u8]) -> ReadOptions {
    let mut options = ReadOptions::default();
    // who reads much in order does not come back soon: what others read at random stays in memory
    options.fill_cache(false);
    // RocksDB takes the upper bound as given; one below the start would be an error in debug builds
    options.set_iterate_upper_bound(if end > start { end } else { start });
    options
}

pub(crate) fn scan(
    db: &DB,
    family: &ColumnFamily,
    options: ReadOptions,
    start: &[u8],
    visit: &mut Visit<'_>,
) -> Result<()> {
    let mut entries = db.raw_iterator_cf_opt(family, options);
    entries.seek(start);
    while let Some((key, value)) = entries.item() {
        if visit(key, value) == ControlFlow::Break(()) {
            return Ok(());
        }
        entries.next();
    }
    entries.status().map_err(read_error)
}

/// Checks the sizes that RocksDB has: its bindings leave out without a word what is longer.
fn check_sizes(batch: &WriteBatch) -> Result<()> {
    let too_long = |bytes: &[u8]| u32::try_from(bytes.len()).is_err();
    let fits = |op: &Op| match op {
        Op::Put(key, value) => !too_long(key) && !too_long(value),
        Op::Delete(key) => !too_long(key),
        Op::DeleteRange(start, end) => !too_long(start) && !too_long(end),
    };
    if batch.ops().iter().all(fits) {
        return Ok(());
    }
    Err(StorageError::Unwritable("a record has more than the 2^32 - 1 bytes that the database takes".into()))
}

/// How long an operation is in RocksDB's form of a batch, or a little more: so that the batch is allocated once.
fn bytes_of(op: &Op) -> usize {
    const FRAME: usize = 16;
    FRAME
        + match op {
            Op::Put(key, value) => key.len() + value.len(),
            Op::Delete(key) => key.len(),
            Op::DeleteRange(start, end) => start.len() + end.len(),
        }
}

impl Kv for RocksKv {
    fn snapshot(&self) -> Result<Arc<dyn Kv>> {
        let open = self.open.read();
        let db = &open.as_ref().ok_or(StorageError::Closed)?.db;
        let (snapshot, weak) = Snapshot::of(db);
        let mut held = self.snapshots.lock();
        held.retain(|snapshot| snapshot.strong_count() > 0);
        held.push(weak);
        Ok(Arc::new(snapshot))
    }

    fn commit(&self, batch: WriteBatch) -> Result<()> {
        if self.read_only {
            return Err(StorageError::ReadOnly);
        }
        if self.poisoned.load(Ordering::Acquire) {
            return Err(StorageError::Poisoned);
        }
        let open = self.open.read();
        let open = open.as_ref().ok_or(StorageError::Closed)?;
        let family = family(&open.db)?;
        check_sizes(&batch)?;
        let bytes = batch.ops().iter().map(bytes_of).sum();
        let mut writes = rocksdb::WriteBatch::with_capacity_bytes(bytes);
        for op in batch.ops() {
            match op {
                Op::Put(key, value) => writes.put_cf(family, key, value),
                Op::Delete(key) => writes.delete_cf(family, key),
                Op::DeleteRange(start, end) if start < end => writes.delete_range_cf(family, start, end),
                Op::DeleteRange(..) => {}
            }
        }
        open.db.write(writes).map_err(|error| {
            self.failed.store(true, Ordering::Release);
            writing(error)
        })?;
        open.growth.by(bytes, &open.db, family);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        if self.read_only {
            return Ok(());
        }
        if self.poisoned.load(Ordering::Acquire) {
            return Err(StorageError::Poisoned);
        }
        let synced = self.with(|db, _| db.flush_wal(true).map_err(writing));
        if matches!(synced, Err(StorageError::Io { .. })) {
            self.poisoned.store(true, Ordering::Release);
        }
        synced
    }

    fn compact(&self, start: &[u8], end: &[u8]) -> Result<()> {
        self.with(|db, family| {
            db.compact_range_cf(family, Some(start), Some(end));
            Ok(())
        })
    }

    fn catch_up(&self) -> Result<()> {
        let seen = match self.open.read().as_ref() {
            None => return Err(StorageError::Closed),
            Some(open) => open.seen.clone(),
        };
        if seen.is_none() || seen == Some(looks(&self.dir.join("db"))?) {
            return Ok(());
        }
        let fresh = Open::for_following(&self.dir)?;
        if let Some(open) = self.open.write().as_mut() {
            *open = fresh;
        }
        Ok(())
    }

    fn suspend(&self) -> Result<()> {
        if self.read_only {
            return Err(StorageError::ReadOnly);
        }
        self.sync()?;
        *self.suspended.lock() = Some(session_id::read(&self.dir.join("db"))?);
        self.close()
    }

    fn resume(&self) -> Result<()> {
        let mut suspended = self.suspended.lock();
        let Some(mark) = suspended.as_ref() else { return Ok(()) };
        // the lock first: nobody writes from then on
        let device = DeviceFile::open(&self.dir)?;
        if session_id::read(&self.dir.join("db"))? != *mark {
            return Err(StorageError::Locked(format!(
                "the store in {} was written by another process while it was suspended; open it again",
                self.dir.display()
            )));
        }
        *self.open.write() = Some(Open::for_writing(&self.dir, true, |_| Ok(device))?);
        *suspended = None;
        Ok(())
    }

    fn close(&self) -> Result<()> {
        let open = self.open.write().take();
        for snapshot in self.snapshots.lock().drain(..).filter_map(|held| held.upgrade()) {
            snapshot.release();
        }
        let Some(Open { db, point, _device: device, .. }) = open else { return Ok(()) };
        drop(point);
        // what is sealed must be there after a power loss
        let synced = device.is_some() && !self.poisoned.load(Ordering::Acquire) && db.flush_wal(true).is_ok();
        if synced && !self.failed.load(Ordering::Acquire) {
            // the next opening then has no write-ahead log to read; where this fails, it reads it
            let _ = family(&db).map(|family| db.flush_cf(family));
        }
        let closed = Arc::into_inner(db).map(drop).is_some();
        if closed && synced {
            seal::leave(&self.dir);
        }
        // the lock is the last to go
        drop(device);
        Ok(())
    }
}

impl std::fmt::Debug for RocksKv {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RocksKv").field("read_only", &self.read_only).finish_non_exhaustive()
    }
}
