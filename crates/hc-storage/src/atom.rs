//! Changes of several cores that become visible together: an engine over an engine.
//!
//! An [`Atom`] looks like the engine underneath with its own changes made. They are kept in memory, and [`Atom::flush`]
//! writes all of them as one batch.
//!
//! Follows npm hypercore-storage 3.3.1, `index.js` (`Atom`) and `lib/view.js`.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::RwLock;

use crate::error::StorageError;
use crate::keys::Key;
use crate::kv::{Kv, KvRead, Op, Visit, WriteBatch};

type Result<T> = std::result::Result<T, StorageError>;

/// An engine whose writes wait in memory.
pub struct Atom {
    base: Arc<dyn Kv>,
    overlay: RwLock<Overlay>,
    read_only: bool,
}

#[derive(Debug, Default, Clone)]
struct Overlay {
    /// What keys are now; none for a deleted one.
    values: BTreeMap<Vec<u8>, Option<Bytes>>,
    /// Ranges in which nothing of the engine underneath is there any more.
    cleared: Vec<(Key, Key)>,
}

impl Overlay {
    fn push(&mut self, op: Op) {
        match op {
            Op::Put(key, value) => {
                self.values.insert(key.to_vec(), Some(value));
            }
            Op::Delete(key) => {
                self.values.insert(key.to_vec(), None);
            }
            Op::DeleteRange(start, end) if start < end => {
                let doomed: Vec<_> = self.between(&start, &end).map(|(key, _)| key.clone()).collect();
                for key in doomed {
                    self.values.remove(&key);
                }
                self.cleared.push((start, end));
            }
            Op::DeleteRange(..) => {}
        }
    }

    /// What is flushed: what became of everything. What was taken back in the meantime never reaches the engine: an encrypted
    /// block might share its nonce with the one that is there instead.
    fn batch(&self) -> WriteBatch {
        let mut batch = WriteBatch::new();
        batch.extend(self.cleared.iter().map(|(start, end)| Op::DeleteRange(start.clone(), end.clone())));
        batch.extend(self.values.iter().map(|(key, value)| match value {
            Some(value) => Op::Put(Key::from(key.as_slice()), value.clone()),
            None => Op::Delete(Key::from(key.as_slice())),
        }));
        batch
    }

    fn between(&self, start: &[u8], end: &[u8]) -> impl Iterator<Item = (&Vec<u8>, &Option<Bytes>)> {
        let range = (Bound::Included(start), Bound::Excluded(end));
        self.values.range::<[u8], _>(range)
    }

    fn is_cleared(&self, key: &[u8]) -> bool {
        self.cleared.iter().any(|(start, end)| start.as_ref() <= key && key < end.as_ref())
    }

    /// What the key is, if it was changed.
    fn get(&self, key: &[u8]) -> Option<Option<Bytes>> {
        let changed = self.values.get(key).cloned();
        changed.or_else(|| self.is_cleared(key).then_some(None))
    }
}

impl Atom {
    /// Without changes.
    #[must_use]
    pub fn new(base: Arc<dyn Kv>) -> Self {
        Self { base, overlay: RwLock::default(), read_only: false }
    }

    /// The engine underneath.
    #[must_use]
    pub const fn base(&self) -> &Arc<dyn Kv> {
        &self.base
    }

    /// Whether there is anything to flush.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let overlay = self.overlay.read();
        overlay.values.is_empty() && overlay.cleared.is_empty()
    }

    /// Writes all changes as one batch, and goes on without any. If that fails, they all stay.
    ///
    /// # Errors
    /// As [`Kv::commit`].
    pub fn flush(&self) -> Result<()> {
        let mut overlay = self.overlay.write();
        self.base.commit(overlay.batch())?;
        *overlay = Overlay::default();
        Ok(())
    }

    /// Forgets all changes.
    pub fn discard(&self) {
        *self.overlay.write() = Overlay::default();
    }
}

impl KvRead for Atom {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        let changed = self.overlay.read().get(key);
        changed.map_or_else(|| self.base.get(key), Ok)
    }

    fn multi_get(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>> {
        let overlay = self.overlay.read();
        let mut values = self.base.multi_get(keys)?;
        for (key, value) in keys.iter().zip(&mut values) {
            if let Some(changed) = overlay.get(key) {
                *value = changed;
            }
        }
        Ok(values)
    }

    fn scan(&self, start: &[u8], end: &[u8], visit: &mut Visit<'_>) -> Result<()> {
        if start >= end {
            return Ok(());
        }
        let overlay = self.overlay.read();
        let mut changed = overlay.between(start, end).peekable();
        let mut stopped = false;
        self.base.scan(start, end, &mut |key, value| {
            while let Some((own, value)) = changed.next_if(|(own, _)| own.as_slice() < key) {
                if let Some(value) = value
                    && visit(own, value).is_break()
                {
                    stopped = true;
                    return ControlFlow::Break(());
                }
            }
            let flow = match changed.next_if(|(own, _)| own.as_slice() == key) {
                Some((own, Some(value))) => visit(own, value),
                Some((_, None)) => ControlFlow::Continue(()),
                None if overlay.is_cleared(key) => ControlFlow::Continue(()),
                None => visit(key, value),
            };
            stopped = flow.is_break();
            flow
        })?;
        if stopped {
            return Ok(());
        }
        for (key, value) in changed {
            if let Some(value) = value
                && visit(key, value).is_break()
            {
                break;
            }
        }
        Ok(())
    }
}

impl Kv for Atom {
    fn snapshot(&self) -> Result<Arc<dyn Kv>> {
        let overlay = self.overlay.read();
        let base = self.base.snapshot()?;
        Ok(Arc::new(Self { base, overlay: RwLock::new(overlay.clone()), read_only: true }))
    }

    fn commit(&self, batch: WriteBatch) -> Result<()> {
        if self.read_only {
            return Err(StorageError::ReadOnly);
        }
        let mut overlay = self.overlay.write();
        for op in batch.into_ops() {
            overlay.push(op);
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        self.base.sync()
    }

    fn compact(&self, start: &[u8], end: &[u8]) -> Result<()> {
        self.base.compact(start, end)
    }

    fn close(&self) -> Result<()> {
        self.discard();
        Ok(())
    }
}

impl std::fmt::Debug for Atom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Atom").field("changes", &self.overlay.read().values.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mem::MemKv;

    #[test]
    fn h9_what_an_atom_took_back_never_reaches_the_engine() {
        let key = |n: u8| Key::from([n].as_slice());
        let base: Arc<dyn Kv> = Arc::new(MemKv::new());
        let mut before = WriteBatch::new();
        before.put(key(1), "old");
        before.put(key(5), "old");
        base.commit(before).unwrap();
        let atom = Atom::new(Arc::clone(&base));
        let mut batch = WriteBatch::new();
        batch.put(key(2), "taken back");
        batch.put(key(3), "overwritten");
        batch.delete_range(key(1), key(3));
        batch.put(key(3), "new");
        batch.put(key(4), "also taken back");
        batch.delete(key(4));
        batch.put(key(2), "again");
        atom.commit(batch).unwrap();
        let flushed = atom.overlay.read().batch();
        let puts: Vec<_> = flushed.ops().iter().filter(|op| matches!(op, Op::Put(..))).collect();
        assert_eq!(puts, [&Op::Put(key(2), "again".into()), &Op::Put(key(3), "new".into())]);
        atom.flush().unwrap();
        assert!(atom.is_empty());
        let stored: Vec<_> = (1..6).map(|n| base.get(key(n).as_ref()).unwrap()).collect();
        assert_eq!(stored, [None, Some("again".into()), Some("new".into()), None, Some("old".into())]);
    }
}
