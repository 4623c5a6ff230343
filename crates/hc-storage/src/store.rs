//! The store: its counters, its secrets, and its cores by discovery key and by name.
//!
//! Follows npm hypercore-storage 3.3.1, `index.js` (`CorestoreStorage`).

use std::ops::ControlFlow;
use std::sync::Arc;

use compact_encoding::{Decode, DecodeError, Reader};
use hc_crypto::{DiscoveryKey, Key, KeyPair, Manifest, Namespace};
use parking_lot::Mutex;

use crate::core_storage::{CorePointers, CoreStorage};
use crate::counted::Counted;
use crate::dependencies::{Dependencies, check_link};
use crate::error::StorageError;
use crate::keys;
use crate::kv::{Kv, WriteBatch};
use crate::limits::MAX_DEPENDENCIES;
use crate::readable;
use crate::records::{
    Alias, Auth, CoreRecord, Dependency, GroupRecord, HeadRecord, Record, Session, StoreHead, StoredKeyPair,
    VERSION,
};

type Result<T> = std::result::Result<T, StorageError>;

/// An open store.
pub struct Store {
    /// The engine, as everybody above sees it: every commit goes through the counter.
    kv: Arc<dyn Kv>,
    /// The same.
    counted: Arc<Counted>,
    /// The head as it is written; the counters only ever go up.
    head: Mutex<StoreHead>,
}

/// What a new core is made of.
#[derive(Debug, Clone)]
pub struct CoreInit {
    /// Its key.
    pub key: Key,
    /// Who may sign it, if that is known.
    pub manifest: Option<Manifest>,
    /// The key pair that signs it here.
    pub key_pair: Option<KeyPair>,
    /// Its name.
    pub alias: Option<Alias>,
    /// Records of the application's.
    pub user_data: Vec<(String, Vec<u8>)>,
}

impl Store {
    /// Opens what the engine holds; an empty engine is an empty store.
    ///
    /// # Errors
    /// [`StorageError::Unsupported`] if it was written by a later version.
    pub fn open(kv: Arc<dyn Kv>) -> Result<Self> {
        let head = stored_head(&*kv)?;
        let counted = Arc::new(Counted::new(kv));
        Ok(Self { kv: Arc::clone(&counted) as Arc<dyn Kv>, counted, head: Mutex::new(head) })
    }

    /// The store as it is at this moment. It can be read only.
    ///
    /// # Errors
    /// As [`Kv::snapshot`].
    pub fn snapshot(&self) -> Result<Self> {
        Self::open(self.kv.snapshot()?)
    }

    pub(crate) fn head(&self) -> StoreHead {
        self.head.lock().clone()
    }

    /// Reads the counters again: another process may have written them.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn reload(&self) -> Result<()> {
        let fresh = stored_head(&*self.kv)?;
        *self.head.lock() = fresh;
        Ok(())
    }

    /// Returns how many batches were committed since the store was opened: by the store itself, by its cores, by atoms, by
    /// whoever has the engine.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.counted.committed()
    }

    /// Returns how many of the [`commits`](Self::commits) are on the device: the first ones.
    #[must_use]
    pub fn synced_commits(&self) -> u64 {
        self.counted.synced()
    }

    /// The engine.
    #[must_use]
    pub const fn kv(&self) -> &Arc<dyn Kv> {
        &self.kv
    }

    /// The primary key of the Corestore that this is, if it is one.
    ///
    /// # Errors
    /// None at present.
    pub fn seed(&self) -> Result<Option<[u8; 32]>> {
        Ok(self.head.lock().seed)
    }

    /// Sets the primary key.
    ///
    /// # Errors
    /// If it could not be written.
    pub fn set_seed(&self, seed: &[u8; 32]) -> Result<()> {
        self.change_head(WriteBatch::new(), |head| head.seed = Some(*seed))
    }

    /// The first core that was made here.
    #[must_use]
    pub fn default_discovery_key(&self) -> Option<DiscoveryKey> {
        self.head.lock().default_discovery_key
    }

    /// Whether a core is stored.
    ///
    /// # Errors
    /// If it could not be read.
    pub fn has_core(&self, discovery_key: &DiscoveryKey) -> Result<bool> {
        Ok(self.kv.get(&keys::core(discovery_key))?.is_some())
    }

    /// A core that is stored.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`], [`StorageError::Unsupported`] for one that an earlier version made and none has migrated.
    pub fn resume_core(&self, discovery_key: &DiscoveryKey) -> Result<Option<CoreStorage>> {
        let key = keys::core(discovery_key);
        let Some(bytes) = self.kv.get(&key)? else { return Ok(None) };
        let record: CoreRecord = decode(&key, &bytes)?;
        if record.version == 0 || record.version > VERSION {
            return Err(StorageError::Unsupported(format!(
                "the core {discovery_key} has records of version {}; this version reads 1 and {VERSION}",
                record.version
            )));
        }
        let pointers = CorePointers { core: record.core_pointer, data: record.data_pointer };
        let dependencies = dependencies(&*self.kv, pointers.data)?;
        Ok(Some(CoreStorage::new(Arc::clone(&self.kv), *discovery_key, pointers, dependencies)))
    }

    /// Brings a core's record to the present version, if an earlier one made it: nothing else changed between them.
    ///
    /// # Errors
    /// As [`resume_core`](Self::resume_core), and if it could not be written.
    pub fn migrate_core(&self, discovery_key: &DiscoveryKey) -> Result<()> {
        let key = keys::core(discovery_key);
        let Some(bytes) = self.kv.get(&key)? else { return Ok(()) };
        let record: CoreRecord = decode(&key, &bytes)?;
        if record.version == VERSION {
            return Ok(());
        }
        let mut batch = WriteBatch::new();
        readable::put(&mut batch, key, &CoreRecord { version: VERSION, ..record })?;
        self.kv.commit(batch)
    }

    /// Makes a core, in one batch. One that is stored already is resumed as it is.
    ///
    /// # Errors
    /// As [`resume_core`](Self::resume_core), and if it could not be written.
    pub fn create_core(&self, init: &CoreInit) -> Result<CoreStorage> {
        let discovery_key = init.key.discovery_key();
        let mut head = self.head.lock();
        if let Some(stored) = self.resume_core(&discovery_key)? {
            return Ok(stored);
        }
        let pointers = CorePointers { core: head.cores, data: head.datas };
        let mut next = head.clone();
        next.cores = next.cores.saturating_add(1);
        next.datas = next.datas.saturating_add(1);
        next.default_discovery_key = next.default_discovery_key.or(Some(discovery_key));

        let mut batch = WriteBatch::new();
        readable::put(&mut batch, keys::store_head(), &next)?;
        let record = CoreRecord {
            version: VERSION,
            core_pointer: pointers.core,
            data_pointer: pointers.data,
            alias: init.alias.clone(),
        };
        readable::put(&mut batch, keys::core(&discovery_key), &record)?;
        if let Some(alias) = &init.alias {
            readable::put(&mut batch, keys::alias(&alias.namespace, &alias.name), &discovery_key)?;
        }
        let auth = Auth {
            key: init.key,
            discovery_key,
            manifest: init.manifest.clone(),
            key_pair: init.key_pair.clone().map(StoredKeyPair::Full),
            encryption_key: None,
        };
        readable::put(&mut batch, keys::auth(pointers.core), &auth)?;
        for (name, value) in &init.user_data {
            batch.put(keys::user_data(pointers.data, name), value.clone());
        }
        self.kv.commit(batch)?;
        *head = next;
        Ok(CoreStorage::new(Arc::clone(&self.kv), discovery_key, pointers, Dependencies::none()))
    }

    /// The core with this name.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`], or if it could not be read.
    pub fn alias(&self, alias: &Alias) -> Result<Option<DiscoveryKey>> {
        let key = keys::alias(&alias.namespace, &alias.name);
        let Some(bytes) = self.kv.get(&key)? else { return Ok(None) };
        decode(&key, &bytes).map(Some)
    }

    /// The named cores of a namespace.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`], or if they could not be read.
    pub fn aliases(&self, namespace: &Namespace) -> Result<Vec<(String, DiscoveryKey)>> {
        let (start, end) = keys::aliases(namespace);
        self.collect(&start, &end, |key, value| {
            let (_, name) = keys::parse_alias(key)?;
            Ok((name, DiscoveryKey::from_bytes(value)?))
        })
    }

    /// All cores.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`], or if they could not be read.
    pub fn discovery_keys(&self) -> Result<Vec<DiscoveryKey>> {
        let (start, end) = keys::cores();
        self.collect(&start, &end, |key, _| keys::parse_core(key))
    }

    /// Brings everything that was committed to the device.
    ///
    /// # Errors
    /// As [`Kv::sync`].
    pub fn sync(&self) -> Result<()> {
        self.kv.sync()
    }

    /// Closes the engine.
    ///
    /// # Errors
    /// As [`Kv::close`].
    pub fn close(&self) -> Result<()> {
        self.kv.close()
    }

    /// Everything in the store, in key order.
    ///
    /// # Errors
    /// If it could not be read.
    pub fn dump(&self) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        self.collect(&[], &[0xff], |key, value| Ok((key.to_vec(), value.to_vec())))
    }

    fn change_head(&self, mut batch: WriteBatch, change: impl FnOnce(&mut StoreHead)) -> Result<()> {
        let mut head = self.head.lock();
        let mut next = head.clone();
        change(&mut next);
        readable::put(&mut batch, keys::store_head(), &next)?;
        self.kv.commit(batch)?;
        *head = next;
        Ok(())
    }

    /// A named session of a core, if there is one.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`], or if it could not be read.
    pub fn resume_session(&self, core: &CoreStorage, name: &str) -> Result<Option<CoreStorage>> {
        let sessions = core.sessions()?;
        let Some(session) = sessions.0.iter().find(|session| *session.name == *name) else { return Ok(None) };
        let dependencies = dependencies(&**core.kv(), session.data_pointer)?;
        Ok(Some(core.session(session.data_pointer, dependencies)))
    }

    /// Makes a named session that begins with the first blocks of a log, in one batch. One of this name that is there
    /// already begins anew. `head` is that of the shared blocks; none if there are none.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`], or if it could not be written; [`StorageError::Unwritable`] if what it is to begin with
    /// continues it itself, or too many others.
    pub fn create_session(
        &self,
        core: &CoreStorage,
        name: &str,
        head: Option<&HeadRecord>,
    ) -> Result<CoreStorage> {
        let mut sessions = core.sessions()?;
        let known =
            sessions.0.iter().find(|session| *session.name == *name).map(|session| session.data_pointer);
        let mut store = self.head.lock();
        let mut next = store.clone();
        let mut batch = WriteBatch::new();
        let data = match known {
            Some(data) => {
                let ranges = [keys::blocks(data), keys::tree_nodes(data), keys::bitfield_pages(data)];
                for (start, end) in ranges {
                    batch.delete_range(start, end);
                }
                batch.delete(keys::head(data));
                data
            }
            None => {
                let data = next.datas;
                next.datas = next.datas.saturating_add(1);
                sessions.0.push(Session { name: name.into(), data_pointer: data });
                readable::put(&mut batch, keys::store_head(), &next)?;
                readable::put(&mut batch, keys::sessions(core.pointers().core), &sessions)?;
                data
            }
        };
        let length = head.map_or(0, |head| head.length);
        let dependencies = core.dependencies().continued(core.pointers().data, length);
        if let Some(head) = head {
            readable::put(&mut batch, keys::head(data), head)?;
        }
        if let Some(newest) = dependencies.newest() {
            check_link(&**core.kv(), data, newest, if known.is_some() { &sessions.0 } else { &[] })?;
            readable::put(&mut batch, keys::dependency(data), &newest)?;
        }
        let _purging = core.purged().not_yet()?;
        core.kv().commit(batch)?;
        *store = next;
        Ok(core.session(data, dependencies))
    }

    /// Takes away everything of a core, its named sessions too, in one batch. Whoever has it still can write nothing more.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`], or if it could not be read or written.
    pub fn purge(&self, core: &CoreStorage) -> Result<()> {
        let mut store = self.head.lock();
        let mut purged = core.purged().begin();
        let mut batch = WriteBatch::new();
        let record_key = keys::core(core.discovery_key());
        if let Some(bytes) = self.kv.get(&record_key)? {
            let record: CoreRecord = decode(&record_key, &bytes)?;
            if let Some(alias) = &record.alias {
                batch.delete(keys::alias(&alias.namespace, &alias.name));
            }
        }
        batch.delete(record_key);
        if let (Some(group), Some(head)) = (core.group()?, core.head()?) {
            batch.delete(keys::group_update(group.pointer, head.timestamp, core.pointers().core));
        }
        let (start, end) = keys::all_of_core(core.pointers().core);
        batch.delete_range(start, end);
        let sessions = core.sessions()?;
        let datas = sessions.0.iter().map(|session| session.data_pointer);
        for data in datas.chain([core.pointers().data]) {
            let (start, end) = keys::all_of_data(data);
            batch.delete_range(start, end);
        }
        let mut next = store.clone();
        if next.default_discovery_key.as_ref() == Some(core.discovery_key()) {
            next.default_discovery_key = None;
            readable::put(&mut batch, keys::store_head(), &next)?;
        }
        self.kv.commit(batch)?;
        *store = next;
        *purged = true;
        Ok(())
    }

    /// The group about a topic, made if there is none yet.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`], or if it could not be written.
    pub fn create_group(&self, topic: &[u8; 32]) -> Result<GroupRecord> {
        if let Some(group) = self.group(topic)? {
            return Ok(group);
        }
        let mut store = self.head.lock();
        let mut next = store.clone();
        let group = GroupRecord { topic: Some(*topic), pointer: next.groups };
        next.groups = next.groups.saturating_add(1);
        let mut batch = WriteBatch::new();
        readable::put(&mut batch, keys::group_topic(topic), &Record::GroupTopic(group.pointer))?;
        readable::put(&mut batch, keys::store_head(), &next)?;
        self.kv.commit(batch)?;
        *store = next;
        Ok(group)
    }

    /// The group about a topic.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`], or if it could not be read.
    pub fn group(&self, topic: &[u8; 32]) -> Result<Option<GroupRecord>> {
        let key = keys::group_topic(topic);
        let Some(bytes) = self.kv.get(&key)? else { return Ok(None) };
        let pointer = Reader::new(&bytes).uint().map_err(|reason| StorageError::corrupt(&key, reason))?;
        Ok(Some(GroupRecord { topic: Some(*topic), pointer }))
    }

    /// The cores of a group that were updated at a time or later (in milliseconds since 1970), oldest update first.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`], or if they could not be read.
    pub fn group_updates(&self, group: &GroupRecord, since: u64) -> Result<Vec<Key>> {
        let (start, end) = keys::group_updates(group.pointer, since);
        self.collect(&start, &end, |_, value| Key::from_bytes(value))
    }

    fn collect<T>(
        &self,
        start: &[u8],
        end: &[u8],
        parse: impl FnMut(&[u8], &[u8]) -> std::result::Result<T, DecodeError>,
    ) -> Result<Vec<T>> {
        collect(&*self.kv, start, end, parse)
    }
}

/// What the entries of a range say, in key order.
pub(crate) fn collect<T>(
    kv: &dyn Kv,
    start: &[u8],
    end: &[u8],
    mut parse: impl FnMut(&[u8], &[u8]) -> std::result::Result<T, DecodeError>,
) -> Result<Vec<T>> {
    let (mut found, mut failed) = (Vec::new(), None);
    kv.scan(start, end, &mut |key, value| match parse(key, value) {
        Ok(item) => {
            found.push(item);
            ControlFlow::Continue(())
        }
        Err(reason) => {
            failed = Some(StorageError::corrupt(key, reason));
            ControlFlow::Break(())
        }
    })?;
    failed.map_or(Ok(found), Err)
}

/// The store's own record.
fn stored_head(kv: &dyn Kv) -> Result<StoreHead> {
    let key = keys::store_head();
    let Some(bytes) = kv.get(&key)? else { return Ok(StoreHead::default()) };
    if let Some(version @ 3..) = bytes.first() {
        return Err(StorageError::Unsupported(format!(
            "the store has records of version {version}; this version reads up to {VERSION}"
        )));
    }
    decode(&key, &bytes)
}

/// What data continues.
fn dependencies(kv: &dyn Kv, mut data: u64) -> Result<Dependencies> {
    let mut found: Vec<Dependency> = Vec::new();
    loop {
        let key = keys::dependency(data);
        let Some(bytes) = kv.get(&key)? else { break };
        let mut older: Dependency = decode(&key, &bytes)?;
        if found.len() >= MAX_DEPENDENCIES {
            let count = u64::try_from(found.len()).unwrap_or(u64::MAX);
            let reason = DecodeError::TooMany { at: 0, count, max: MAX_DEPENDENCIES };
            return Err(StorageError::corrupt(&key, reason));
        }
        data = older.data_pointer;
        // what a newer one cut off is not there, even if an older one has it
        older.length = found.last().map_or(older.length, |newer| newer.length.min(older.length));
        found.push(older);
    }
    found.reverse();
    Ok(Dependencies::new(found))
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("head", &*self.head.lock()).finish_non_exhaustive()
    }
}

/// Reads a record. Bytes after it are those of a later version, and ignored, as upstream does.
pub(crate) fn decode<'a, T: Decode<'a>>(key: &[u8], bytes: &'a [u8]) -> Result<T> {
    T::from_prefix(bytes).map_err(|reason| StorageError::corrupt(key, reason))
}
