//! The public handle of a store: [`Corestore`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::Stream;
use hypercore::core::{Alias, CoreName};
use hypercore::replication::ReplicationBuilder;
use hypercore::storage::audit::Report;
use hypercore::storage::{Storage, StorageOptions};
use hypercore::{
    Atom, DiscoveryKey, Durability, Error, GroupUpdate, Hypercore, Key, KeyPair, Manifest, Namespace,
    OpenOptions,
};
use hypercore::{Replication, Result, Role};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::broadcast::error::RecvError;

use crate::registry::{ROUND, Registry};
use crate::replicate::{StoreSource, Streams};
use crate::target::Target;

/// Many cores in one store. See the [crate documentation](crate). Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Corestore {
    root: Arc<Root>,
    namespace: Namespace,
}

/// What all handles of a store share.
pub(crate) struct Root {
    pub(crate) storage: Arc<Storage>,
    pub(crate) registry: Registry,
    pub(crate) streams: Streams,
    primary_key: [u8; 32],
    read_only: bool,
    closed: AtomicBool,
}

impl Root {
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

/// How a store is opened. Made by [`Corestore::builder`].
#[derive(Debug, Clone, Default)]
pub struct CorestoreBuilder {
    primary_key: Option<[u8; 32]>,
    storage: StorageOptions,
}

impl CorestoreBuilder {
    /// The primary key of a new store, or the one that a stored one must have. All named cores follow from it: two stores
    /// that write with the same one at the same time fork each other's logs. (Node asks for `unsafe: true` with it.)
    #[must_use]
    pub const fn primary_key(mut self, primary_key: [u8; 32]) -> Self {
        self.primary_key = Some(primary_key);
        self
    }

    /// Opens the store beside a process that has it open for writing, and writes nothing.
    #[must_use]
    pub const fn read_only(mut self, read_only: bool) -> Self {
        self.storage.read_only = read_only;
        self
    }

    /// As [`read_only`](Self::read_only), and goes on to show what the other process writes, whenever
    /// [`Hypercore::catch_up_with_store`] is called.
    #[must_use]
    pub const fn follow(mut self, follow: bool) -> Self {
        self.storage.follow = follow;
        self.storage.read_only = self.storage.read_only || follow;
        self
    }

    /// Takes a directory over that was copied or restored, which is refused otherwise. Its writable cores are recovering
    /// then, see [`Hypercore::recovering`].
    #[must_use]
    pub const fn adopt(mut self, adopt: bool) -> Self {
        self.storage.adopt = adopt;
        self
    }

    /// When an append is acknowledged.
    #[must_use]
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.storage.durability = durability;
        self
    }

    /// Opens the store in a directory, or makes one.
    ///
    /// # Errors
    /// [`Error::Storage`] if another process has it open or it cannot be read; [`Error::StorageConflict`] if it has
    /// another primary key.
    #[cfg(feature = "rocksdb")]
    pub async fn open(self, dir: impl AsRef<std::path::Path>) -> Result<Corestore> {
        let storage = Storage::open(dir, self.storage).await?;
        self.over(storage)
    }

    /// A new store in memory.
    ///
    /// # Errors
    /// [`Error::BadArgument`] if it was to be adopted or followed: nobody else has it; [`Error::Internal`] if the system has
    /// no randomness.
    pub async fn memory(self) -> Result<Corestore> {
        if self.storage.adopt || self.storage.follow {
            return Err(Error::BadArgument("a store in memory has no directory to adopt or follow".into()));
        }
        let storage = Storage::memory_with(self.storage.durability)?;
        self.over(storage)
    }

    /// A store over storage that is open already, and how it was opened counts.
    ///
    /// # Errors
    /// As [`open`](Self::open); [`Error::BadArgument`] if appends were to be synced and the storage does not.
    pub fn over(self, storage: Arc<Storage>) -> Result<Corestore> {
        if self.storage.durability == Durability::Sync && storage.durability() != Durability::Sync {
            return Err(Error::BadArgument("the storage was opened with another durability".into()));
        }
        let primary_key = self.resume_primary_key(&storage)?;
        let root = Arc::new(Root {
            registry: Registry::default(),
            streams: Streams::default(),
            primary_key,
            read_only: self.storage.read_only || storage.is_read_only(),
            storage,
            closed: AtomicBool::new(false),
        });
        tokio::spawn(close_idle_cores(Arc::downgrade(&root)));
        Ok(Corestore { root, namespace: Namespace::corestore_default() })
    }

    fn resume_primary_key(&self, storage: &Storage) -> Result<[u8; 32]> {
        let stored = storage.store().seed()?;
        match (stored, self.primary_key) {
            (Some(stored), Some(given)) if stored != given => Err(Error::StorageConflict {
                reason: "a store with another primary key is stored here",
                discovery_key: None,
            }),
            (Some(stored), _) => Ok(stored),
            (None, given) => {
                let fresh = given.map_or_else(hypercore::random, Ok)?;
                if !self.storage.read_only && !storage.is_read_only() {
                    storage.store().set_seed(&fresh)?;
                }
                Ok(fresh)
            }
        }
    }
}

async fn close_idle_cores(root: std::sync::Weak<Root>) {
    loop {
        tokio::time::sleep(ROUND).await;
        match root.upgrade() {
            Some(root) if !root.is_closed() => root.registry.close_idle(),
            _ => return,
        }
    }
}

impl Corestore {
    /// Opens the store in a directory, or makes one with a fresh primary key.
    ///
    /// # Errors
    /// [`Error::Storage`] if another process has it open or it cannot be read.
    #[cfg(feature = "rocksdb")]
    pub async fn open(dir: impl AsRef<std::path::Path>) -> Result<Self> {
        Self::builder().open(dir).await
    }

    /// A new store in memory, gone with its last handle.
    ///
    /// # Errors
    /// [`Error::Internal`] if the system has no randomness.
    pub async fn memory() -> Result<Self> {
        Self::builder().memory().await
    }

    /// Chooses how a store is opened.
    #[must_use]
    pub fn builder() -> CorestoreBuilder {
        CorestoreBuilder::default()
    }

    /// A session of a core: by name (text), by [`Key`], by [`DiscoveryKey`] if it is stored, by key pair or by manifest.
    ///
    /// # Errors
    /// [`Error::StorageEmpty`] if a discovery key names nothing that is stored; [`Error::Storage`].
    pub async fn get(&self, core: impl Into<Target>) -> Result<Hypercore> {
        self.get_with(core, OpenOptions::new()).await
    }

    /// As [`get`](Self::get), with options. What they say of the core itself and it does not know yet (its group, its manifest,
    /// records) is stored, also if it is open already. A key pair beside a name or a key is the one that this session signs
    /// with.
    ///
    /// What cannot be is refused: another core than the target, `compat`, since a store makes no cores of version 10, another
    /// durability than the store's, options of replication other than those the core is open with, and to overwrite a core
    /// that is open.
    ///
    /// # Errors
    /// As [`get`](Self::get); [`Error::BadArgument`] and [`Error::StorageConflict`] for options that cannot be, also if the
    /// core is in another group.
    pub async fn get_with(&self, core: impl Into<Target>, options: OpenOptions) -> Result<Hypercore> {
        self.check_open()?;
        let (name, mut options) = self.resolve(core.into(), options)?;
        if self.root.read_only {
            options = options.writable(false).create_if_missing(false);
        }
        let session = options.session_options();
        let core = self.root.registry.resume(&self.root.storage, name, options).await?;
        let session = Hypercore::from_core(core.clone(), session).await?;
        // it may be new, or idle until now: offer it on the connections that do not have it
        self.root.streams.attach(&core).await;
        Ok(session)
    }

    /// A store in which names mean other cores: those of this namespace. Everything else is shared.
    #[must_use]
    pub fn namespace(&self, name: impl AsRef<[u8]>) -> Self {
        Self { root: Arc::clone(&self.root), namespace: self.namespace.derive(name.as_ref()) }
    }

    /// The namespace of this handle.
    #[must_use]
    pub const fn current_namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The secret that all named cores follow from. Whoever has it can write to them.
    #[must_use]
    pub fn primary_key(&self) -> &[u8; 32] {
        &self.root.primary_key
    }

    /// The key pair of a name in this namespace.
    #[must_use]
    pub fn create_key_pair(&self, name: &str) -> KeyPair {
        KeyPair::for_name(&self.root.primary_key, &self.namespace, name.as_bytes())
    }

    /// The cores that are stored: all, or the named ones of a namespace.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn list(&self, namespace: Option<&Namespace>) -> Result<Vec<DiscoveryKey>> {
        self.check_open()?;
        let store = self.root.storage.store();
        Ok(match namespace {
            Some(namespace) => store.aliases(namespace)?.into_iter().map(|(_, key)| key).collect(),
            None => store.discovery_keys()?,
        })
    }

    /// The names of this namespace that are stored, with their cores.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn names(&self) -> Result<Vec<(String, DiscoveryKey)>> {
        self.check_open()?;
        Ok(self.root.storage.store().aliases(&self.namespace)?)
    }

    /// The first core that was made in this store.
    ///
    /// # Errors
    /// If the store is closed.
    pub fn default_core(&self) -> Result<Option<DiscoveryKey>> {
        self.check_open()?;
        Ok(self.root.storage.store().default_discovery_key())
    }

    /// Replicates all open cores, and the stored ones that the peer asks for, over a byte stream. Runs in the background
    /// until the stream ends or the handle's `stop` is called.
    ///
    /// # Errors
    /// If the store is closed.
    pub fn replicate<S>(&self, transport: S, role: Role) -> Result<Replication>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        self.replicate_with(transport, role, ReplicationBuilder::new())
    }

    /// As [`replicate`](Self::replicate), with options.
    ///
    /// # Errors
    /// If the store is closed.
    pub fn replicate_with<S>(
        &self,
        transport: S,
        role: Role,
        options: ReplicationBuilder,
    ) -> Result<Replication>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        self.check_open()?;
        let source = Arc::new(StoreSource(Arc::downgrade(&self.root)));
        let replication = options.start(transport, role, source)?;
        self.root.streams.add(replication.clone());
        Ok(replication)
    }

    /// Changes of cores of this store that are to be made at once.
    #[must_use]
    pub fn atom(&self) -> Atom {
        Atom::new(&self.root.storage)
    }

    /// The cores of the group about a topic, the one that was updated last first, back to a time in milliseconds since 1970.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn group_updates(&self, topic: &[u8; 32], since: u64) -> Result<Vec<Key>> {
        self.check_open()?;
        let store = self.root.storage.store();
        let Some(group) = store.group(topic)? else { return Ok(Vec::new()) };
        let mut keys = store.group_updates(&group, since)?;
        keys.reverse();
        Ok(keys)
    }

    /// What happens to the cores of all groups from now on: each new head of a core that is in one.
    pub fn watch_groups(&self) -> impl Stream<Item = GroupUpdate> + Send + 'static {
        futures_util::stream::unfold(self.root.storage.group_updates(), |mut updates| async move {
            loop {
                match updates.recv().await {
                    Ok(update) => return Some((update, updates)),
                    // who is too slow misses some; `group_updates` tells of which cores
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
        })
    }

    /// Looks at everything in the store, and writes nothing; see [`hypercore::storage::audit`](mod@hypercore::storage::audit).
    ///
    /// # Errors
    /// [`Error::Storage`] if the store cannot be read at all.
    pub async fn audit(&self) -> Result<Report> {
        self.check_open()?;
        self.root.storage.audit(None).await
    }

    /// Writes the repairs of an audit that was just made. No core may be open.
    ///
    /// # Errors
    /// [`Error::Assertion`] if a core is open; [`Error::Storage`]. Then nothing was repaired.
    pub async fn repair(&self, report: Report) -> Result<()> {
        self.check_open()?;
        if !self.root.registry.all().is_empty() {
            return Err(Error::Assertion("a store can be repaired only while no core of it is open".into()));
        }
        self.root.storage.repair(report).await
    }

    /// Lets another process have the directory for a while: everything is on the device and the lock is free. What is done
    /// meanwhile fails.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub async fn suspend(&self) -> Result<()> {
        self.check_open()?;
        self.root.storage.suspend().await
    }

    /// Takes the directory back.
    ///
    /// # Errors
    /// [`Error::Storage`] if another process has it or wrote to it meanwhile: then the store has to be opened again.
    pub async fn resume(&self) -> Result<()> {
        self.root.storage.resume().await
    }

    /// Reclaims the space on disk of what was deleted.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub async fn compact(&self) -> Result<()> {
        self.check_open()?;
        self.root.storage.compact().await
    }

    /// Brings everything that was written so far to the device.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub async fn flush(&self) -> Result<()> {
        self.root.storage.sync().await
    }

    /// Whether the store was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.root.is_closed()
    }

    /// Closes the store: all cores, all sessions, all connections. Its directory is free for another process when this
    /// returns.
    ///
    /// # Errors
    /// [`Error::Storage`] if the engine could not be closed cleanly.
    pub async fn close(&self) -> Result<()> {
        if self.root.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        self.root.registry.close_all();
        self.root.streams.stop_all();
        self.root.storage.close().await
    }

    fn check_open(&self) -> Result<()> {
        if self.is_closed() { Err(Error::StoreClosed) } else { Ok(()) }
    }

    /// Which core a target means, and how it is opened.
    fn resolve(&self, target: Target, options: OpenOptions) -> Result<(CoreName, OpenOptions)> {
        if options.is_compat() {
            return Err(Error::BadArgument("a store makes no cores of version 10".into()));
        }
        // a key pair that was given signs for the session, also where the core has another one
        let session = options.session_options();
        let options = options.session(session);
        let key = match &target {
            Target::Name(_) | Target::DiscoveryKey(_) => None,
            Target::Key(key) => Some(*key),
            Target::KeyPair(pair) => Some(Manifest::single(pair.public()).key()),
            Target::Manifest(manifest) => Some(manifest.key()),
        };
        if key.is_some_and(|key| !options.fit(&key)) {
            return Err(Error::BadArgument("the options name another core than the target".into()));
        }
        let discovery_key = key.map(|key| key.discovery_key());
        let named = CoreName { discovery_key, alias: None };
        Ok(match target {
            Target::Name(name) => return self.resolve_name(name, options),
            Target::Key(key) => (named, options.key(key)),
            Target::DiscoveryKey(key) => {
                (CoreName { discovery_key: Some(key), alias: None }, options.create_if_missing(false))
            }
            Target::KeyPair(pair) => {
                (named, options.manifest(Manifest::single(pair.public())).key_pair(pair))
            }
            Target::Manifest(manifest) => (named, options.manifest(*manifest)),
        })
    }

    fn resolve_name(&self, name: String, options: OpenOptions) -> Result<(CoreName, OpenOptions)> {
        let pair = self.create_key_pair(&name);
        let alias = Alias { namespace: self.namespace, name };
        if let Some(stored) = self.root.storage.store().alias(&alias)? {
            // keeps the manifest that it was created with
            let name = CoreName { discovery_key: Some(stored), alias: Some(alias) };
            return Ok((name, options.key_pair(pair)));
        }
        let manifest = options.given_manifest().cloned().unwrap_or_else(|| Manifest::single(pair.public()));
        if !options.fit(&manifest.key()) {
            return Err(Error::BadArgument("the options name another core than the target".into()));
        }
        let name = CoreName { discovery_key: Some(manifest.key().discovery_key()), alias: Some(alias) };
        Ok((name, options.manifest(manifest).key_pair(pair)))
    }
}

impl std::fmt::Debug for Corestore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Corestore")
            .field("namespace", &self.namespace)
            .field("closed", &self.is_closed())
            .finish()
    }
}
