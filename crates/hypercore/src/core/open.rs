//! Opening a core: what is stored, what was asked for, and whether the two agree.
//!
//! Follows npm hypercore 11.37.1, `lib/core.js` (`_tryOpen`).

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use hc_crypto::{DiscoveryKey, Key, KeyPair, Manifest};
use hc_replicator::{Config, LocalState};
use hc_storage::{Auth, CoreInit, CoreStorage, StoredKeyPair};
use parking_lot::RwLock;
use tokio::sync::{Semaphore, watch};

pub use hc_storage::Alias;

use super::announce::Announcer;
use super::branches::Branches;
use super::cut::CutWatchers;
use super::lifetime::Lifetime;
use super::state::{State, verifier_of};
use super::writer::Writer;
use super::{Core, Hub, Inner};
use crate::events::Listeners;
use crate::limits::{MAX_NUMBER, check_number};
use crate::options::OpenOptions;
use crate::storage::{Claimed, Storage, blocking};
use crate::{Error, Hypercore, Result};

/// Which core of a store is opened.
#[derive(Debug, Clone, Default)]
pub struct CoreName {
    /// The core with this discovery key. If none is given it follows from the options' key or manifest; failing that, it is
    /// the store's first core.
    pub discovery_key: Option<DiscoveryKey>,
    /// The name that a new core is stored under.
    pub alias: Option<Alias>,
}

impl OpenOptions {
    /// Opens the core in a directory, or makes one.
    ///
    /// # Errors
    /// [`Error::Storage`] if the directory cannot be opened; [`Error::StorageEmpty`] and [`Error::StorageConflict`] if what
    /// is stored does not agree with the options.
    #[cfg(feature = "rocksdb")]
    pub async fn open(self, dir: impl AsRef<std::path::Path>) -> Result<Hypercore> {
        let durability = self.durability.unwrap_or_default();
        let options = crate::storage::StorageOptions { durability, ..Default::default() };
        let storage = Storage::open(dir, options).await?;
        self.open_alone(storage).await
    }

    /// Makes a core in memory.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn memory(self) -> Result<Hypercore> {
        let durability = self.durability.unwrap_or_default();
        self.open_alone(Storage::memory_with(durability)?).await
    }

    /// Opens the core of a store that is used for nothing else.
    async fn open_alone(self, storage: Arc<Storage>) -> Result<Hypercore> {
        let session = self.session_options();
        let opened = async {
            let core = Core::open_as(&storage, CoreName::default(), self, true).await?;
            Hypercore::from_core(core, session).await
        };
        match opened.await {
            Ok(opened) => Ok(opened),
            Err(error) => {
                storage.close().await?;
                Err(error)
            }
        }
    }
}

impl Core {
    /// Opens a core of a store, which goes on when the core closes. If it is open already it is that one, and the options say only
    /// what they do in [`join`](Self::join).
    ///
    /// # Errors
    /// [`Error::StorageEmpty`]; [`Error::StorageConflict`], also if it is open and was to be overwritten;
    /// [`Error::InvalidManifest`], [`Error::Storage`]; [`Error::BadArgument`] for another durability than the store's.
    pub async fn open(storage: &Arc<Storage>, name: CoreName, options: OpenOptions) -> Result<Self> {
        Self::open_as(storage, name, options, false).await
    }

    /// Opens a core that is open already once more: what the options say about the core itself, and it does not know yet, is
    /// stored. What they say that can no longer be is an error.
    ///
    /// # Errors
    /// [`Error::InvalidManifest`] if the manifest is not this core's; [`Error::StorageConflict`] for another key, if the core
    /// is in another group, if it was opened with other options of replication, and if it was to be overwritten;
    /// [`Error::BadArgument`] for another durability than the store's; [`Error::Storage`].
    pub async fn join(&self, options: &OpenOptions) -> Result<()> {
        let (manifest, group) = self.joined(options)?;
        if manifest.is_none() && group.is_none() {
            return Ok(());
        }
        let core = self.clone();
        blocking(move || core.learn(manifest, group)).await
    }

    /// What the options say about the core, which is open, and it does not know yet.
    fn joined(&self, options: &OpenOptions) -> Result<(Option<Manifest>, Option<[u8; 32]>)> {
        let conflict =
            |reason| Err(Error::StorageConflict { reason, discovery_key: Some(*self.discovery_key()) });
        check_durability(&self.0.storage, options)?;
        if options.overwrite {
            return conflict("a core that is open cannot be overwritten");
        }
        if options.key.is_some_and(|key| key != *self.key()) {
            return conflict("another Hypercore is stored here");
        }
        if options.replication.is_some_and(|replication| replication != self.0.replication) {
            return conflict("the core is open with other options of replication");
        }
        check_manifest(self.key(), options.manifest.as_ref())?;
        let manifest = options.manifest.clone().filter(|_| !self.has_manifest());
        let group = options.group.filter(|group| self.group() != Some(*group));
        Ok((manifest, group))
    }

    fn learn(&self, manifest: Option<Manifest>, group: Option<[u8; 32]>) -> Result<()> {
        if let Some(manifest) = manifest {
            self.set_manifest(manifest)?;
        }
        group.map_or(Ok(()), |topic| self.set_group(&topic))
    }

    async fn open_as(
        storage: &Arc<Storage>,
        name: CoreName,
        options: OpenOptions,
        alone: bool,
    ) -> Result<Self> {
        let storage = Arc::clone(storage);
        blocking(move || Self::open_blocking(storage, &name, &options, alone)).await
    }

    fn open_blocking(
        storage: Arc<Storage>,
        name: &CoreName,
        options: &OpenOptions,
        alone: bool,
    ) -> Result<Self> {
        check_durability(&storage, options)?;
        let (disk, claim) = loop {
            let found = found_or_created(&storage, name, options, alone)?;
            match storage.claim(*found.discovery_key()) {
                Claimed::Free(claim) => {
                    // unless it was purged before it was claimed
                    if let Some(disk) = storage.store().resume_core(found.discovery_key())? {
                        break (disk, claim);
                    }
                }
                Claimed::Open(core) => {
                    let (manifest, group) = core.joined(options)?;
                    core.learn(manifest, group)?;
                    return Ok(core);
                }
            }
        };
        let auth = agree(&disk, options)?;
        if !storage.is_read_only() {
            storage.store().migrate_core(&auth.discovery_key)?;
        }
        begin_anew(&storage, &disk, &auth, options.overwrite)?;
        let verifier = verifier_of(auth.key, auth.manifest.as_ref());
        let (key, discovery_key) = (auth.key, auth.discovery_key);
        let mut state = State::load(&disk, auth, verifier)?;
        if state.mend_hints() && !storage.is_read_only() {
            // Node, too, corrects this when it opens a log: not all of its changes write it down
            let mut write = disk.write();
            write.hints(state.hints());
            disk.commit(write)?;
        }
        let conflict = super::Conflict::load(&disk)?;
        let core = Self::assemble(storage, disk, key, discovery_key, state, options, alone);
        *core.0.conflict.write() = conflict;
        if core.0.storage.is_read_only() {
            return match &options.group {
                Some(topic) if core.group() != Some(*topic) => Err(hc_storage::StorageError::ReadOnly.into()),
                _ => Ok(core),
            };
        }
        if core.recovering() == 0 && core.was_set_back()? {
            tracing::warn!(core = %core.discovery_key(), "the store was set back: the core is recovering");
            core.set_recovering(crate::now_millis())?;
        }
        if let Some(topic) = &options.group {
            core.set_group(topic)?;
        }
        // others find it only now: before this it was not known whether it may be written
        if let Some(claim) = claim {
            claim.opened(&core);
        }
        Ok(core)
    }

    fn assemble(
        storage: Arc<Storage>,
        disk: CoreStorage,
        key: Key,
        discovery_key: DiscoveryKey,
        state: State,
        options: &OpenOptions,
        alone: bool,
    ) -> Self {
        let replication = options.replication.unwrap_or_default();
        let (least, most) = replication.inflight_range;
        let bound = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        let config = Config {
            inflight: (bound(least), bound(most)),
            eager_upgrade: replication.eager_upgrade,
            seed: u64::from_le_bytes(*discovery_key.as_bytes().first_chunk().unwrap_or(&[0; 8])),
            ..Config::default()
        };
        let local = LocalState {
            fork: state.head().fork(),
            length: state.head().length(),
            has_manifest: state.manifest().is_some(),
        };
        // what is here of a log without roots cannot be shown to anybody
        let have: Vec<(u64, u64)> = match state.lost() {
            Some(_) => Vec::new(),
            None => state.bitfield().ranges().collect(),
        };
        let status = watch::Sender::new(state.status());
        let announcer = Announcer::new(Arc::clone(state.signed()));
        Self(Arc::new(Inner {
            key,
            discovery_key,
            storage,
            disk,
            state: RwLock::new(state),
            status,
            writer: Writer::default(),
            branches: Branches::default(),
            cut_watchers: CutWatchers::default(),
            conflict: RwLock::default(),
            changes: AtomicU64::new(0),
            exclusive: Arc::new(Semaphore::new(1)),
            announcer,
            replication,
            hub: Hub::new(config, local, &have),
            lifetime: Lifetime::new(alone),
            listeners: Listeners::default(),
        }))
    }
}

/// What is stored of the core that is asked for, or a new one.
fn found_or_created(
    storage: &Storage,
    name: &CoreName,
    options: &OpenOptions,
    alone: bool,
) -> Result<CoreStorage> {
    let asked = options.key.or_else(|| options.manifest.as_ref().map(Manifest::key));
    let wanted = name.discovery_key.or_else(|| asked.map(|key| key.discovery_key()));
    let wanted = wanted.or_else(|| storage.store().default_discovery_key());
    let stored = match &wanted {
        Some(key) => storage.store().resume_core(key)?,
        None => None,
    };
    // the key of the old log signed another history: whoever does not ask for it gets a new one
    let anew = options.overwrite && alone && asked.is_none() && name.discovery_key.is_none();
    match stored {
        Some(old) if anew => {
            if options.open_only {
                return Err(Error::StorageEmpty { discovery_key: wanted });
            }
            spend(storage, &old)?;
            storage.store().purge(&old)?;
            storage.forget(old.discovery_key())?;
            create(storage, name, options)
        }
        Some(disk) => Ok(disk),
        None if options.open_only => Err(Error::StorageEmpty { discovery_key: wanted }),
        None => create(storage, name, options),
    }
}

/// Forgets the log if it is to be overwritten, and begins one that may not be on the first fork.
fn begin_anew(storage: &Storage, disk: &CoreStorage, auth: &Auth, overwritten: bool) -> Result<()> {
    let anew = fork_to_begin_with(storage, disk, auth, overwritten)?;
    if overwritten || anew.is_some() {
        let mut write = disk.write();
        if overwritten {
            write.reset();
        }
        if let Some(fork) = anew {
            write.begin(fork, crate::now_millis());
        }
        disk.commit(write)?;
    }
    Ok(())
}

/// The fork on which a log begins that is signed here, if its key signed another one here before: one that was overwritten now,
/// or is gone. None if it can be the first one, or is there.
fn fork_to_begin_with(
    storage: &Storage,
    disk: &CoreStorage,
    auth: &Auth,
    overwritten: bool,
) -> Result<Option<u64>> {
    if storage.is_read_only() || !matches!(auth.key_pair, Some(StoredKeyPair::Full(_))) {
        return Ok(None);
    }
    let head = disk.head()?.filter(|head| head.length > 0 || head.fork > 0);
    let used = if overwritten { used_fork(storage, disk)? } else { None };
    let is_empty = overwritten || head.as_ref().is_none_or(|head| head.length == 0);
    let spent = storage.spent(disk.discovery_key());
    let spent = spent.filter(|spent| head.as_ref().is_none_or(|head| head.fork <= *spent));
    let Some(used) = used.max(spent).filter(|_| is_empty) else { return Ok(None) };
    if used >= MAX_NUMBER {
        let reason = format!("a log of this key used all forks, up to {used}: it cannot begin anew");
        return Err(Error::InvalidOperation { reason, discovery_key: *disk.discovery_key() });
    }
    Ok(Some(used + 1))
}

/// The highest fork of a log: as it is stored, or as peers were told before the store was set back.
fn used_fork(storage: &Storage, disk: &CoreStorage) -> Result<Option<u64>> {
    let stored = disk.head()?.filter(|head| head.length > 0 || head.fork > 0).map(|head| head.fork);
    Ok(stored.max(storage.told(disk.discovery_key()).map(|told| told.fork)))
}

/// Notes the forks of a log that was signed here and goes now.
pub(super) fn spend(storage: &Storage, disk: &CoreStorage) -> Result<()> {
    let signed_here = matches!(disk.auth()?.key_pair, Some(StoredKeyPair::Full(_)));
    match used_fork(storage, disk)? {
        Some(fork) if signed_here => storage.spend(*disk.discovery_key(), fork),
        _ => Ok(()),
    }
}

/// Makes the core that the options describe.
fn create(storage: &Storage, name: &CoreName, options: &OpenOptions) -> Result<CoreStorage> {
    let key_pair = match (&options.key_pair, options.key.is_some() || options.manifest.is_some()) {
        (Some(pair), _) => Some(pair.clone()),
        (None, true) => None,
        (None, false) => Some(KeyPair::from_seed(&crate::random()?)),
    };
    let single = key_pair.as_ref().map(|pair| Manifest::single(pair.public()));
    let manifest = match (&options.manifest, options.key) {
        (Some(manifest), _) => Some(manifest.clone()),
        (None, None) => single,
        // a key that is this key pair's, in one of the two ways
        (None, Some(key)) => single.filter(|single| single.belongs_to(&key)),
    };
    let key = match (options.key, &manifest, &key_pair) {
        (Some(key), ..) => key,
        (None, _, Some(pair)) if options.compat => Key::from(pair.public().as_bytes()),
        (None, Some(manifest), _) => manifest.key(),
        (None, None, _) => {
            return Err(Error::BadArgument("neither a key nor a manifest nor a key pair".into()));
        }
    };
    check_manifest(&key, manifest.as_ref())?;
    if name.discovery_key.is_some_and(|discovery_key| discovery_key != key.discovery_key()) {
        return Err(Error::StorageEmpty { discovery_key: name.discovery_key });
    }
    // those of another log than the core's own are that log's
    let session = &options.session;
    let user_data = if session.target.is_same() { session.user_data.clone() } else { Vec::new() };
    let init = CoreInit { key, manifest, key_pair, alias: name.alias.clone(), user_data };
    let disk = storage.store().create_core(&init)?;
    Ok(disk)
}

/// Fails if the store is another one than was asked for: it is not one core's.
fn check_durability(storage: &Storage, options: &OpenOptions) -> Result<()> {
    match options.durability {
        Some(durability) if durability != storage.durability() => Err(Error::BadArgument(format!(
            "the store has {:?}, not {durability:?}: its durability is chosen when it is opened",
            storage.durability()
        ))),
        _ => Ok(()),
    }
}

fn check_manifest(key: &Key, manifest: Option<&Manifest>) -> Result<()> {
    if let Some(prologue) = manifest.and_then(|manifest| manifest.prologue.as_ref()) {
        check_number("the prologue's length", prologue.length)?;
    }
    match manifest {
        Some(manifest) if !manifest.belongs_to(key) => {
            Err(Error::InvalidManifest { discovery_key: Some(key.discovery_key()) })
        }
        _ => Ok(()),
    }
}

/// Who may sign the stored core. What the options know more is stored too; what they know otherwise is an error.
fn agree(disk: &CoreStorage, options: &OpenOptions) -> Result<Auth> {
    let mut auth = disk.auth()?;
    let conflict = |reason| Error::StorageConflict { reason, discovery_key: Some(auth.discovery_key) };
    if options.key.is_some_and(|key| key != auth.key) {
        return Err(conflict("another Hypercore is stored here"));
    }
    check_manifest(&auth.key, options.manifest.as_ref())?;
    let learns_manifest = auth.manifest.is_none() && options.manifest.is_some();
    let learns_keys = !matches!(auth.key_pair, Some(StoredKeyPair::Full(_)))
        && options
            .key_pair
            .as_ref()
            .is_some_and(|pair| signs(pair, auth.manifest.as_ref().or(options.manifest.as_ref())));
    if learns_manifest {
        auth.manifest.clone_from(&options.manifest);
    }
    if learns_keys {
        auth.key_pair = options.key_pair.clone().map(StoredKeyPair::Full);
    }
    if learns_manifest || learns_keys {
        let mut write = disk.write();
        write.auth(&auth);
        disk.commit(write)?;
    }
    Ok(auth)
}

fn signs(pair: &KeyPair, manifest: Option<&Manifest>) -> bool {
    let public = pair.public();
    manifest.is_some_and(|manifest| manifest.signers.iter().any(|signer| signer.public_key == public))
}
