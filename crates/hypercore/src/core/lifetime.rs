//! How long a core stays open: as long as a session that is not weak needs it.
//!
//! A core that was opened by directory closes with its last session, and its store with it. A core of a Corestore stays
//! open for a while, so that peers and sessions that come back find it; the store closes it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use hc_replicator::Input;
use tokio_util::sync::CancellationToken;

use super::Core;
use crate::Result;
use crate::events::Event;
use crate::storage::Claimed;

#[derive(Default)]
pub(super) struct Lifetime {
    sessions: AtomicUsize,
    closed: AtomicBool,
    /// Ends what waits for the core: told right after `closed`, which is quicker to look at.
    closing: CancellationToken,
    /// Whether the core owns its store and closes with its last session.
    alone: bool,
}

impl Lifetime {
    pub(super) fn new(alone: bool) -> Self {
        Self { alone, ..Self::default() }
    }
}

impl Core {
    /// Whether the core was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.lifetime.closed.load(Ordering::Acquire)
    }

    /// Whether any session that is not weak is open.
    #[must_use]
    pub fn has_sessions(&self) -> bool {
        self.active_sessions() > 0
    }

    /// How many sessions are open that are not weak.
    #[must_use]
    pub fn active_sessions(&self) -> usize {
        self.0.lifetime.sessions.load(Ordering::Acquire)
    }

    pub(crate) fn session_opened(&self, weak: bool) {
        if !weak && self.0.lifetime.sessions.fetch_add(1, Ordering::AcqRel) == 0 {
            self.tell_activity();
        }
    }

    /// Whether this closed the core.
    pub(crate) fn session_closed(&self, weak: bool) -> bool {
        if weak || self.0.lifetime.sessions.fetch_sub(1, Ordering::AcqRel) != 1 {
            return false;
        }
        if self.0.lifetime.alone {
            self.shut();
        } else {
            self.tell_activity();
        }
        self.0.lifetime.alone
    }

    /// Tells the replicator whether any session is open: what is so when it hears it, since others may open and close one
    /// meanwhile.
    fn tell_activity(&self) {
        self.count(|_| Input::Active { active: self.has_sessions() });
    }

    /// Waits until the core is closed.
    pub(crate) async fn closing(&self) {
        self.0.lifetime.closing.cancelled().await;
    }

    /// Waits until the change that is under way is done. Of a core that is closed it is the last one.
    pub(crate) fn finish_changes(&self) {
        drop(self.writing());
    }

    /// Closes the core for all sessions: peers are told, waiting reads fail. The store stays open.
    pub fn shut(&self) {
        if self.0.lifetime.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        self.0.exclusive.close();
        self.0.lifetime.closing.cancel();
        self.cancel_wants();
        self.drop_peers();
        self.emit(|| Event::Close);
        self.0.branches.closed();
    }

    /// Closes the store of a core that has one to itself, if the core is closed.
    pub(crate) async fn release(&self) -> Result<()> {
        if self.is_closed() && self.0.lifetime.alone {
            self.0.storage.close().await?;
        }
        Ok(())
    }

    /// Takes away everything that the store has of the core, which is closed.
    pub(crate) fn purge(&self) -> Result<()> {
        // nobody opens it meanwhile; whoever has since it was closed loses it too
        let _claim = loop {
            match self.0.storage.claim(*self.discovery_key()) {
                Claimed::Free(claim) => break claim,
                Claimed::Open(core) => core.shut(),
            }
        };
        let _writing = self.writing();
        super::open::spend(&self.0.storage, &self.0.disk)?;
        self.0.storage.store().purge(&self.0.disk)?;
        self.0.storage.forget(self.discovery_key())
    }
}
