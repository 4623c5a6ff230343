//! Which cores of a store are open: each once. Two that do not know of each other would each sign a history of their own.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use hc_crypto::DiscoveryKey;
use parking_lot::{Condvar, Mutex};

use crate::core::{Core, Inner};

/// The open cores of a store.
#[derive(Default)]
pub(crate) struct OpenCores {
    /// None for one that is being opened.
    cores: Mutex<HashMap<DiscoveryKey, Option<Weak<Inner>>>>,
    changed: Condvar,
}

/// A core that was to be opened.
pub(crate) enum Claimed {
    /// It is this one.
    Open(Core),
    /// It is to be opened by whoever asked. None where nothing is written: there it may be open several times.
    Free(Option<Claim>),
}

/// The right to open a core. Given back when it is dropped, unless the core was opened.
pub(crate) struct Claim {
    of: Arc<OpenCores>,
    core: DiscoveryKey,
}

impl OpenCores {
    /// Takes the right to open a core, or finds it open. Waits while somebody else opens it.
    pub(crate) fn claim(self: &Arc<Self>, core: DiscoveryKey) -> Claimed {
        // outlives the lock: the last one to hold a core takes it out of here
        let claimed: Result<Core, Option<Core>>;
        {
            let mut cores = self.cores.lock();
            while matches!(cores.get(&core), Some(None)) {
                self.changed.wait(&mut cores);
            }
            let found = cores.get(&core).and_then(|there| there.as_ref()?.upgrade()).map(Core::from_inner);
            claimed = match found {
                Some(open) if !open.is_closed() => Ok(open),
                closed => Err(closed),
            };
            if claimed.is_err() {
                cores.insert(core, None);
            }
        }
        match claimed {
            Ok(open) => Claimed::Open(open),
            Err(closed) => {
                let claim = Claim { of: Arc::clone(self), core };
                if let Some(closed) = closed {
                    closed.finish_changes();
                }
                Claimed::Free(Some(claim))
            }
        }
    }

    /// Takes a core out that nobody holds any more.
    pub(crate) fn left(&self, core: &DiscoveryKey) {
        let mut cores = self.cores.lock();
        if let Some(Some(there)) = cores.get(core)
            && there.strong_count() == 0
        {
            cores.remove(core);
        }
    }
}

impl Claim {
    /// The core is open.
    pub(crate) fn opened(self, core: &Core) {
        self.of.cores.lock().insert(self.core, Some(core.downgrade()));
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut cores = self.of.cores.lock();
        if matches!(cores.get(&self.core), Some(None)) {
            cores.remove(&self.core);
        }
        self.of.changed.notify_all();
    }
}
