//! An engine in memory, for tests and for logs that need not last.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::RwLock;

use crate::error::StorageError;
use crate::keys::Key;
use crate::kv::{Kv, KvRead, Op, Visit, WriteBatch};

type Result<T> = std::result::Result<T, StorageError>;
type Map = BTreeMap<Vec<u8>, Bytes>;

/// An ordered map in memory. Closing it does not empty it: there is nobody to give it back to.
#[derive(Debug, Default)]
pub struct MemKv {
    map: RwLock<Map>,
    read_only: bool,
}

impl MemKv {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl KvRead for Map {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        Ok(Self::get(self, key).cloned())
    }

    fn multi_get(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>> {
        Ok(keys.iter().map(|key| Self::get(self, key.as_ref()).cloned()).collect())
    }

    fn scan(&self, start: &[u8], end: &[u8], visit: &mut Visit<'_>) -> Result<()> {
        if start >= end {
            return Ok(());
        }
        for (key, value) in self.range::<[u8], _>((Bound::Included(start), Bound::Excluded(end))) {
            if visit(key, value) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }
}

impl KvRead for MemKv {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        KvRead::get(&*self.map.read(), key)
    }

    fn multi_get(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>> {
        self.map.read().multi_get(keys)
    }

    fn scan(&self, start: &[u8], end: &[u8], visit: &mut Visit<'_>) -> Result<()> {
        self.map.read().scan(start, end, visit)
    }
}

impl Kv for MemKv {
    fn snapshot(&self) -> Result<Arc<dyn Kv>> {
        let map = RwLock::new(self.map.read().clone());
        Ok(Arc::new(Self { map, read_only: true }))
    }

    fn commit(&self, batch: WriteBatch) -> Result<()> {
        if self.read_only {
            return Err(StorageError::ReadOnly);
        }
        let mut map = self.map.write();
        for op in batch.ops() {
            match op {
                Op::Put(key, value) => {
                    map.insert(key.to_vec(), value.clone());
                }
                Op::Delete(key) => {
                    map.remove(key.as_ref());
                }
                Op::DeleteRange(start, end) if start < end => {
                    let range = (Bound::Included(start.as_ref()), Bound::Excluded(end.as_ref()));
                    let doomed: Vec<_> = map.range::<[u8], _>(range).map(|(key, _)| key.clone()).collect();
                    for key in doomed {
                        map.remove(&key);
                    }
                }
                Op::DeleteRange(..) => {}
            }
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn compact(&self, _start: &[u8], _end: &[u8]) -> Result<()> {
        Ok(())
    }

    fn close(&self) -> Result<()> {
        Ok(())
    }
}
