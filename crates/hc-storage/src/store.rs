//! The store: its counters, its secrets, and its cores by discovery key and by name.
//!
//! Follows npm hypercore-storage 3.3.1, `index.js` (`CorestoreStorage`).

use std::ops::ControlFlow;
use std::sync::Arc;

use compact_encoding::{Decode, DecodeError, Encode};
use hc_crypto::{DiscoveryKey, Key, KeyPair, Manifest, Namespace};
use parking_lot::Mutex;

use crate::core_storage::{CorePointers, CoreStorage};
use crate::error::StorageError;
use crate::keys;
use crate::kv::{Kv, WriteBatch};
use crate::limits::MAX_DEPENDENCIES;
use crate::records::{Alias, Auth, CoreRecord, Dependency, StoreHead, StoredKeyPair, VERSION};

type Result<T> = std::result::Result<T, StorageError>;

/// An open store.
pub struct Store {
    kv: Arc<dyn Kv>,
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
        let key = keys::store_head();
        let head = match kv.get(&key)? {
            None => StoreHead::default(),
            Some(bytes) => {
                if let Some(version @ 3..) = bytes.first() {
                    return Err(StorageError::Unsupported(format!(
                        "the store has records of version {version}; this version reads up to {VERSION}"
                    )));
                }
                decode(&key, &bytes)?
            }
        };
        Ok(Self { kv, head: Mutex::new(head) })
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
        let dependencies = self.dependencies(pointers.data)?;
        Ok(Some(CoreStorage::new(Arc::clone(&self.kv), *discovery_key, pointers, dependencies)))
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
        batch.put(keys::store_head(), next.to_vec());
        let record = CoreRecord {
            version: VERSION,
            core_pointer: pointers.core,
            data_pointer: pointers.data,
            alias: init.alias.clone(),
        };
        batch.put(keys::core(&discovery_key), record.to_vec());
        if let Some(alias) = &init.alias {
            let name = keys::alias(&alias.namespace, &alias.name);
            batch.put(name, discovery_key.as_bytes().to_vec());
        }
        let auth = Auth {
            key: init.key,
            discovery_key,
            manifest: init.manifest.clone(),
            key_pair: init.key_pair.clone().map(StoredKeyPair::Full),
            encryption_key: None,
        };
        batch.put(keys::auth(pointers.core), auth.to_vec());
        for (name, value) in &init.user_data {
            batch.put(keys::user_data(pointers.data, name), value.clone());
        }
        self.kv.commit(batch)?;
        *head = next;
        Ok(CoreStorage::new(Arc::clone(&self.kv), discovery_key, pointers, Vec::new()))
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
        batch.put(keys::store_head(), next.to_vec());
        self.kv.commit(batch)?;
        *head = next;
        Ok(())
    }

    /// What data continues, oldest first: a block is in the first one that is longer than its index.
    fn dependencies(&self, mut data: u64) -> Result<Vec<Dependency>> {
        let mut found: Vec<Dependency> = Vec::new();
        loop {
            let key = keys::dependency(data);
            let Some(bytes) = self.kv.get(&key)? else { break };
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
        Ok(found)
    }

    fn collect<T>(
        &self,
        start: &[u8],
        end: &[u8],
        mut parse: impl FnMut(&[u8], &[u8]) -> std::result::Result<T, DecodeError>,
    ) -> Result<Vec<T>> {
        let (mut found, mut failed) = (Vec::new(), None);
        self.kv.scan(start, end, &mut |key, value| match parse(key, value) {
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
