//! What is written, looked at: signed heads, and encrypted blocks.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use compact_encoding::Decode;
use hc_crypto::Verifier;
use hc_storage::kv::{KvRead, Visit};
use hc_storage::records::CoreRecord;
use hc_storage::{HeadRecord, Kv, MemKv, Op, StorageError, WriteBatch};
use hypercore::{Hash, Key, KeyPair, Manifest};
use parking_lot::Mutex;

pub(crate) fn pair(log: u64) -> KeyPair {
    KeyPair::from_seed(&[u8::try_from(log).unwrap() + 1; 32])
}

pub(crate) fn key(log: u64) -> Key {
    Manifest::single(pair(log).public()).key()
}

/// All that was ever written and is for good: signed heads, and encrypted blocks of logs.
#[derive(Default)]
pub(crate) struct Seen {
    /// Which log has its data where.
    pub(crate) logs: HashMap<u8, Key>,
    pub(crate) encrypted: bool,
    /// The hash of the tree for each log, fork and length.
    pub(crate) heads: HashMap<(Key, u64, u64), Hash>,
    /// The block for each log, index and blinded fork, which together are the nonce.
    pub(crate) sealed: HashMap<(Key, u64, [u8; 8]), Bytes>,
    pub(crate) wrong: Vec<String>,
}

impl Seen {
    pub(crate) fn look_at(&mut self, at: &[u8], value: &Bytes) {
        match at {
            [1, ..] => {
                let record = CoreRecord::from_bytes(value).unwrap();
                let of = hc_storage::keys::parse_core(at).unwrap();
                let log = [key(0), key(1)].into_iter().find(|key| key.discovery_key() == of);
                let data = u8::try_from(record.data_pointer).unwrap();
                self.logs.insert(data, log.unwrap());
            }
            [4, _, 0] => self.head(&HeadRecord::from_bytes(value).unwrap()),
            [4, data, 3, ..] if self.encrypted => {
                let Some(log) = self.logs.get(data) else { return };
                let index = hc_storage::keys::parse_block(at).unwrap();
                let nonce = (*log, index, *value.first_chunk().unwrap());
                let before = self.sealed.entry(nonce).or_insert_with(|| value.clone());
                if before != value {
                    self.wrong.push(format!("a nonce of block {index} is used twice"));
                }
            }
            _ => {}
        }
    }

    /// Of a log, of a session, of whatever: what counts is that it is signed.
    fn head(&mut self, head: &HeadRecord) {
        let HeadRecord { fork, length, root_hash, signature, .. } = head;
        let signature = signature.as_deref().unwrap_or_default();
        for log in [0, 1] {
            let verifier = Verifier::new(key(log), Manifest::single(pair(log).public())).unwrap();
            if verifier.verify(root_hash, *length, *fork, signature).is_ok() {
                let before = *self.heads.entry((key(log), *fork, *length)).or_insert(*root_hash);
                if before != *root_hash {
                    self.wrong.push(format!("two logs of fork {fork} and length {length} are signed"));
                }
            }
        }
    }
}

/// An engine in memory that shows what is written.
pub(crate) struct Recorder {
    pub(crate) inner: MemKv,
    pub(crate) seen: Arc<Mutex<Seen>>,
}

impl KvRead for Recorder {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError> {
        KvRead::get(&self.inner, key)
    }

    fn multi_get(&self, keys: &[hc_storage::keys::Key]) -> Result<Vec<Option<Bytes>>, StorageError> {
        self.inner.multi_get(keys)
    }

    fn scan(&self, start: &[u8], end: &[u8], visit: &mut Visit<'_>) -> Result<(), StorageError> {
        self.inner.scan(start, end, visit)
    }
}

impl Kv for Recorder {
    fn commit(&self, batch: WriteBatch) -> Result<(), StorageError> {
        let mut seen = self.seen.lock();
        let mut last = BTreeMap::new();
        for op in batch.ops() {
            if let Op::Put(key, value) = op {
                last.insert(key.clone(), value.clone());
            }
        }
        for (key, value) in last {
            seen.look_at(key.as_ref(), &value);
        }
        drop(seen);
        self.inner.commit(batch)
    }

    fn snapshot(&self) -> Result<Arc<dyn Kv>, StorageError> {
        self.inner.snapshot()
    }

    fn sync(&self) -> Result<(), StorageError> {
        self.inner.sync()
    }

    fn compact(&self, start: &[u8], end: &[u8]) -> Result<(), StorageError> {
        self.inner.compact(start, end)
    }

    fn close(&self) -> Result<(), StorageError> {
        self.inner.close()
    }
}
