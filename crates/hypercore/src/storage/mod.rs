//! A store that cores live in: the engine, and the group sync of its write-ahead log.
//!
//! Many cores share one [`Storage`]; a [`Hypercore`](crate::Hypercore) that is opened by directory has one to itself.

mod evidence;
mod open_cores;
#[cfg_attr(
    not(any(feature = "rocksdb", test)),
    expect(dead_code, reason = "only a store that is a directory has a witness")
)]
mod witness;

use std::collections::BTreeMap;
use std::sync::Arc;

use hc_crypto::{DiscoveryKey, Key};
pub use hc_storage::audit;
use hc_storage::{Kv, MemKv, Store};
use parking_lot::Mutex;
use tokio::sync::broadcast;

pub(crate) use open_cores::Claimed;
use open_cores::OpenCores;
pub(crate) use witness::Told;
use witness::Witness;

use crate::events::EVENT_BACKLOG;
use crate::options::Durability;
use crate::{Error, Result};

/// An open store.
pub struct Storage {
    store: Store,
    durability: Durability,
    read_only: bool,
    /// Whether there is anything to sync: an engine in memory never loses what it has before the process ends.
    volatile: bool,
    syncing: tokio::sync::Mutex<()>,
    /// Held while notes are taken, the engine is synced and the notes are written: so that an older note never follows a newer
    /// one, and nothing is written once the directory is another's.
    sync_turn: Mutex<()>,
    /// What peers were told, of a store in a directory.
    witness: Option<Witness>,
    /// The highest forks of logs that are gone, of a store that has no witness.
    spent: Mutex<BTreeMap<DiscoveryKey, u64>>,
    /// Whether the directory was taken over from another place: then nothing in it is sure to be the newest.
    adopted: bool,
    groups: broadcast::Sender<GroupUpdate>,
    open: Arc<OpenCores>,
}

/// A core of a group has a new head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupUpdate {
    /// What the group is about.
    pub topic: [u8; 32],
    /// The core's key.
    pub key: Key,
    /// Blocks in the core.
    pub length: u64,
    /// How often the core was truncated.
    pub fork: u64,
}

/// How a store is opened.
#[derive(Debug, Clone, Copy, Default)]
pub struct StorageOptions {
    /// When an append is acknowledged.
    pub durability: Durability,
    /// Opens beside a process that has the store open for writing, without its lock, and writes nothing. Shows the store
    /// as it was at the moment of opening.
    pub read_only: bool,
    /// As [`read_only`](Self::read_only), and [`Storage::catch_up`] shows what was written since.
    pub follow: bool,
    /// Takes a directory over that was copied or restored, which is refused otherwise. Its writable cores are recovering
    /// then: they append only after peers confirmed that none of them has more.
    pub adopt: bool,
}

impl Storage {
    /// An empty store in memory.
    ///
    /// # Errors
    /// None in practice; the engine's interface allows for them.
    pub fn memory() -> Result<Arc<Self>> {
        Self::memory_with(Durability::default())
    }

    /// As [`memory`](Self::memory). What is in memory is as durable as it can be: each kind of durability holds.
    ///
    /// # Errors
    /// As [`memory`](Self::memory).
    pub fn memory_with(durability: Durability) -> Result<Arc<Self>> {
        let options = StorageOptions { durability, ..StorageOptions::default() };
        Self::over(Arc::new(MemKv::new()), options, true)
    }

    /// Opens the store in a directory, or makes one. The directory is interchangeable with Node's Hypercore 11.
    ///
    /// # Errors
    /// [`Error::Storage`] if another process has it open, if it was copied or moved unsafely, if it is one of Hypercore 10 (then
    /// nothing is written), or if it cannot be read.
    #[cfg(feature = "rocksdb")]
    pub async fn open(dir: impl AsRef<std::path::Path>, options: StorageOptions) -> Result<Arc<Self>> {
        let dir = dir.as_ref().to_owned();
        blocking(move || {
            use hc_storage_rocks::RocksKv;
            let read_only = options.read_only || options.follow;
            let engine = match options {
                StorageOptions { follow: true, .. } => RocksKv::follow(&dir)?,
                StorageOptions { read_only: true, .. } => RocksKv::open_read_only(&dir)?,
                StorageOptions { adopt: true, .. } => RocksKv::adopt(&dir)?,
                _ => RocksKv::open(&dir)?,
            };
            let storage = Self::with(Arc::new(engine), StorageOptions { read_only, ..options }, false)?;
            Ok(Arc::new(Self { witness: Some(Witness::open(&dir, read_only)?), ..storage }))
        })
        .await
    }

    /// A store over an engine of one's own.
    ///
    /// # Errors
    /// [`Error::Storage`] if what the engine holds is no store of Hypercore 11.
    pub fn over(engine: Arc<dyn Kv>, options: StorageOptions, volatile: bool) -> Result<Arc<Self>> {
        Self::with(engine, options, volatile).map(Arc::new)
    }

    fn with(engine: Arc<dyn Kv>, options: StorageOptions, volatile: bool) -> Result<Self> {
        Ok(Self {
            store: Store::open(engine)?,
            durability: options.durability,
            read_only: options.read_only,
            volatile,
            syncing: tokio::sync::Mutex::new(()),
            sync_turn: Mutex::new(()),
            witness: None,
            spent: Mutex::default(),
            adopted: options.adopt,
            groups: broadcast::Sender::new(EVENT_BACKLOG),
            open: Arc::default(),
        })
    }

    /// Takes the right to open a core, or finds it open.
    pub(crate) fn claim(&self, core: DiscoveryKey) -> Claimed {
        if self.read_only { Claimed::Free(None) } else { self.open.claim(core) }
    }

    /// A core is held by nobody any more.
    pub(crate) fn left(&self, core: &DiscoveryKey) {
        self.open.left(core);
    }

    /// Notes what peers are to be told of a core: it is beside the store on the device before the next sync is done.
    pub(crate) fn note(&self, core: DiscoveryKey, told: Told) {
        if let Some(witness) = &self.witness {
            witness.note(core, told);
        }
    }

    /// What peers were told of a core.
    pub(crate) fn told(&self, core: &DiscoveryKey) -> Option<Told> {
        self.witness.as_ref()?.told(core)
    }

    /// Notes the highest fork of a log that goes: what its key signs in this store from now on is on a higher one.
    pub(crate) fn spend(&self, core: DiscoveryKey, fork: u64) -> Result<()> {
        if let Some(witness) = &self.witness {
            return Ok(witness.spend(core, fork)?);
        }
        let mut spent = self.spent.lock();
        let highest = spent.entry(core).or_insert(fork);
        *highest = fork.max(*highest);
        Ok(())
    }

    /// The highest fork of a log with this key that is gone.
    pub(crate) fn spent(&self, core: &DiscoveryKey) -> Option<u64> {
        match &self.witness {
            Some(witness) => witness.spent(core),
            None => self.spent.lock().get(core).copied(),
        }
    }

    pub(crate) fn forget(&self, core: &DiscoveryKey) -> Result<()> {
        self.witness.as_ref().map_or(Ok(()), |witness| Ok(witness.forget(core)?))
    }

    /// Whether the directory was taken over from another place.
    pub(crate) const fn is_adopted(&self) -> bool {
        self.adopted
    }

    fn sync_now(&self) -> Result<()> {
        let _turn = self.sync_turn.lock();
        self.sync_in_turn()
    }

    /// As [`sync_now`](Self::sync_now). Whoever calls has the turn.
    fn sync_in_turn(&self) -> Result<()> {
        let notes = self.witness.as_ref().map(Witness::take).unwrap_or_default();
        let synced = if self.volatile { Ok(()) } else { self.store.sync() };
        match (&self.witness, synced) {
            (Some(witness), Ok(())) => Ok(witness.write(notes)?),
            (Some(witness), Err(error)) => {
                witness.put_back(notes);
                Err(error.into())
            }
            (None, synced) => Ok(synced?),
        }
    }

    /// Shows what another process wrote since, in a store that [follows](StorageOptions::follow) it. Cores that are open have
    /// to be refreshed themselves.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub async fn catch_up(self: &Arc<Self>) -> Result<()> {
        let storage = Arc::clone(self);
        blocking(move || {
            storage.store.kv().catch_up()?;
            Ok(storage.store.reload()?)
        })
        .await
    }

    /// Lets another process have the directory for a while: everything is on the device, the lock is free, and what is done
    /// meanwhile fails with [`Error::Storage`].
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub async fn suspend(self: &Arc<Self>) -> Result<()> {
        self.sync().await?;
        let storage = Arc::clone(self);
        blocking(move || Ok(storage.store.kv().suspend()?)).await
    }

    /// Takes the directory back.
    ///
    /// # Errors
    /// [`Error::Storage`] if another process has it, or has had it: what is known here of the store may then be outdated,
    /// and it has to be opened again.
    pub async fn resume(self: &Arc<Self>) -> Result<()> {
        let storage = Arc::clone(self);
        blocking(move || Ok(storage.store.kv().resume()?)).await
    }

    /// Looks at everything in the store, or at one core of it, and writes nothing; see [`audit`](mod@audit). Evidence that a
    /// log has two histories is a finding too.
    ///
    /// # Errors
    /// [`Error::Storage`] if the store cannot be read at all.
    pub async fn audit(self: &Arc<Self>, only: Option<DiscoveryKey>) -> Result<audit::Report> {
        let storage = Arc::clone(self);
        blocking(move || {
            let mut report = audit::audit(&storage.store, only.as_ref())?;
            evidence::look(&storage, only.as_ref(), &mut report)?;
            Ok(report)
        })
        .await
    }

    /// Writes the repairs of an audit that was just made. No core of the store may be open.
    ///
    /// # Errors
    /// [`Error::Storage`]; then nothing was repaired.
    pub async fn repair(self: &Arc<Self>, report: audit::Report) -> Result<()> {
        let storage = Arc::clone(self);
        blocking(move || {
            audit::repair(&storage.store, &report)?;
            storage.sync_now()?;
            Ok(storage.store.reload()?)
        })
        .await
    }

    /// Reclaims the space on disk of what was deleted.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub async fn compact(self: &Arc<Self>) -> Result<()> {
        let storage = Arc::clone(self);
        blocking(move || Ok(storage.store.kv().compact(&[], &[0xff])?)).await
    }

    /// The schema underneath: records of the store and of its cores.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// When an append is acknowledged.
    #[must_use]
    pub const fn durability(&self) -> Durability {
        self.durability
    }

    /// Whether nothing may be written.
    #[must_use]
    pub const fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Updates of all groups from now on.
    #[must_use]
    pub fn group_updates(&self) -> broadcast::Receiver<GroupUpdate> {
        self.groups.subscribe()
    }

    pub(crate) fn tell_group(&self, update: GroupUpdate) {
        // without anybody who watches there is nobody to tell
        let _ = self.groups.send(update);
    }

    /// As [`sync`](Self::sync), on the calling thread.
    pub(crate) fn sync_blocking(&self) -> Result<()> {
        self.sync_now()
    }

    /// Whether everything that was committed is on the device.
    pub(crate) fn is_synced(&self) -> bool {
        self.volatile || (self.store.synced_commits() >= self.store.commits() && !self.has_notes())
    }

    fn has_notes(&self) -> bool {
        self.witness.as_ref().is_some_and(Witness::has_notes)
    }

    /// Brings everything that was committed so far to the device. Callers at the same time share one sync.
    ///
    /// # Errors
    /// [`Error::Storage`]; the engine then refuses further writes.
    pub async fn sync(self: &Arc<Self>) -> Result<()> {
        let target = self.store.commits();
        if self.is_synced() {
            return Ok(());
        }
        let _syncing = self.syncing.lock().await;
        if self.store.synced_commits() >= target && !self.has_notes() {
            return Ok(());
        }
        let storage = Arc::clone(self);
        blocking(move || storage.sync_now()).await
    }

    /// Closes the engine: its directory is free for another process. Everything after it fails. What was noted of heads that
    /// peers were to be told is brought to the device first.
    ///
    /// # Errors
    /// [`Error::Storage`] if the engine could not be closed cleanly.
    pub async fn close(self: &Arc<Self>) -> Result<()> {
        let storage = Arc::clone(self);
        blocking(move || {
            let _turn = storage.sync_turn.lock();
            let noted = if storage.has_notes() { storage.sync_in_turn() } else { Ok(()) };
            storage.store.close()?;
            noted
        })
        .await
    }
}

/// Refuses a directory that holds a store of Hypercore 10 (of Corestore 6), as every opening of it does. Writes nothing.
///
/// # Errors
/// [`Error::Storage`] if it holds one.
#[cfg(feature = "rocksdb")]
pub fn refuse_older(dir: impl AsRef<std::path::Path>) -> Result<()> {
    Ok(hc_storage_rocks::refuse_older(dir.as_ref())?)
}

/// Everything that the store in a directory holds, in key order: opened for reading, for this alone.
///
/// # Errors
/// [`Error::Storage`] if it cannot be read.
#[cfg(feature = "rocksdb")]
pub async fn dump(dir: impl AsRef<std::path::Path>) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let storage = Storage::open(dir, StorageOptions { read_only: true, ..StorageOptions::default() }).await?;
    blocking(move || Ok(storage.store.dump()?)).await
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Storage").field("durability", &self.durability).finish_non_exhaustive()
    }
}

/// Runs what may wait for the disk off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(_) => Err(Error::Internal("a storage task panicked")),
    }
}
