//! The open cores of a store, and when the idle ones are closed.
//!
//! A core whose last session closed stays open for about [`IDLE_STRIKES`] rounds of [`ROUND`], so that sessions and peers
//! that come back find it at once; then it closes, unless a peer still uses it. Times as in npm corestore 7.12.5,
//! `index.js`.

use std::collections::BTreeMap;
use std::time::Duration;

use hypercore::core::CoreName;
use hypercore::storage::Storage;
use hypercore::{Core, DiscoveryKey, OpenOptions, Result};
use parking_lot::Mutex;
use std::sync::Arc;

/// How often idle cores are looked for.
pub(crate) const ROUND: Duration = Duration::from_secs(2);
/// A core that was idle for so many rounds is closed.
const IDLE_STRIKES: u32 = 4;

/// All open cores of a store.
#[derive(Default)]
pub(crate) struct Registry {
    cores: Mutex<BTreeMap<DiscoveryKey, Entry>>,
    /// Held while a core is looked for and opened, so that none is opened twice.
    opening: tokio::sync::Mutex<()>,
}

struct Entry {
    core: Core,
    strikes: u32,
}

impl Registry {
    /// The open core of this key.
    pub(crate) fn open_core(&self, discovery_key: &DiscoveryKey) -> Option<Core> {
        let mut cores = self.cores.lock();
        let entry = cores.get_mut(discovery_key).filter(|entry| !entry.core.is_closed())?;
        entry.strikes = 0;
        Some(entry.core.clone())
    }

    /// The open core of this key, or the one that is stored, or a new one.
    pub(crate) async fn resume(
        &self,
        storage: &Arc<Storage>,
        name: CoreName,
        options: OpenOptions,
    ) -> Result<Core> {
        let _opening = self.opening.lock().await;
        if let Some(core) = name.discovery_key.and_then(|key| self.open_core(&key)) {
            core.join(&options).await?;
            return Ok(core);
        }
        let core = Core::open(storage, name, options).await?;
        let entry = Entry { core: core.clone(), strikes: 0 };
        self.cores.lock().insert(*core.discovery_key(), entry);
        Ok(core)
    }

    /// All open cores.
    pub(crate) fn all(&self) -> Vec<Core> {
        self.cores.lock().values().map(|entry| entry.core.clone()).filter(|core| !core.is_closed()).collect()
    }

    /// One round: closes what has been idle for long enough.
    pub(crate) fn close_idle(&self) {
        let mut cores = self.cores.lock();
        for entry in cores.values_mut() {
            let idle = !entry.core.has_sessions() && !entry.core.is_busy();
            entry.strikes = if idle { entry.strikes.saturating_add(1) } else { 0 };
        }
        let expired: Vec<DiscoveryKey> =
            cores.iter().filter(|(_, entry)| entry.strikes >= IDLE_STRIKES).map(|(key, _)| *key).collect();
        // while the list is locked: nobody is handed one that is about to close
        for entry in expired.iter().filter_map(|key| cores.remove(key)) {
            entry.core.shut();
        }
    }

    /// Closes all cores.
    pub(crate) fn close_all(&self) {
        let all = std::mem::take(&mut *self.cores.lock());
        for entry in all.into_values() {
            entry.core.shut();
        }
    }
}
