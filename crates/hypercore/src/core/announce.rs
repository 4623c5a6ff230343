//! Peers hear of an append only after it is on the device.
//!
//! A writer that told peers of blocks and then lost them in a power failure would sign other blocks in their place, and
//! fork its own log. So with peers connected an append first waits for the store's group sync. Without peers there is
//! nobody to tell: the sync then happens before the first peer is let in ([`Core::ready_for_peers`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hc_replicator::{Input, Local};

use super::Core;
use super::state::State;
use crate::Result;
use crate::storage::Told;

/// The length that is to be announced, and whether a task is about to.
#[derive(Default)]
pub(super) struct Announcer {
    length: AtomicU64,
    running: AtomicBool,
    /// Counts how often the log was cut: what waited to be announced before a cut is not what is there after it.
    cuts: AtomicU64,
    /// Whether any peer was let in yet.
    watched: AtomicBool,
}

impl Core {
    /// Takes note of a longer log of our own.
    pub(super) fn announce(&self, length: u64) {
        let announcer = &self.0.announcer;
        announcer.length.store(length, Ordering::SeqCst);
        if self.0.storage.is_synced() || !announcer.watched.load(Ordering::SeqCst) {
            self.input(Input::Local(Local::Appended { length }));
            return;
        }
        if !announcer.running.swap(true, Ordering::SeqCst) {
            tokio::spawn(self.clone().announce_when_synced());
        }
    }

    /// Has it written beside the store, with the next sync, what peers will have been told: so that a store that is set back
    /// is noticed. Whoever sees a new head finds it noted: this is done before the state is let go. Only a writer needs it.
    pub(super) fn bear_witness(&self, state: &State) {
        // of a store that was set back what was told before has to be remembered
        if self.may_be_watched() && state.hints().recovering == 0 {
            self.note_head(state);
        }
    }

    /// What peers will have been told is the head as it is now.
    pub(super) fn note_head(&self, state: &State) {
        let head = state.head();
        if state.key_pair().is_none() || state.lost().is_some() || head.length() == 0 && head.fork() == 0 {
            return;
        }
        let told = Told { fork: head.fork(), length: head.length(), tree_hash: head.hash() };
        self.0.storage.note(*self.discovery_key(), told);
    }

    /// Whether peers may have been told of the log.
    pub(super) fn may_be_watched(&self) -> bool {
        self.0.announcer.watched.load(Ordering::SeqCst)
    }

    /// Whether there may be a head that a power loss would take away.
    pub(crate) fn may_have_unsynced(&self) -> bool {
        !self.0.storage.is_synced()
    }

    /// Takes note that our own log was cut, which peers hear of at once: the caller can wait for the device.
    pub(super) fn announce_cut(&self, length: u64, fork: u64) {
        let announcer = &self.0.announcer;
        announcer.cuts.fetch_add(1, Ordering::SeqCst);
        announcer.length.store(length, Ordering::SeqCst);
        if announcer.watched.load(Ordering::SeqCst)
            && let Err(error) = self.0.storage.sync_blocking()
        {
            // peers keep what they know; nothing more can be written before the store is opened again
            tracing::error!(core = %self.discovery_key(), %error, "not announced: the sync failed");
            return;
        }
        self.input(Input::Local(Local::Truncated { fork, length }));
    }

    async fn announce_when_synced(self) {
        let announcer = &self.0.announcer;
        loop {
            let cuts = announcer.cuts.load(Ordering::SeqCst);
            let length = announcer.length.load(Ordering::SeqCst);
            if let Err(error) = self.0.storage.sync().await {
                tracing::error!(core = %self.discovery_key(), %error, "not announced: the sync failed");
                announcer.running.store(false, Ordering::SeqCst);
                return;
            }
            if announcer.cuts.load(Ordering::SeqCst) == cuts {
                self.input(Input::Local(Local::Appended { length }));
            }
            announcer.running.store(false, Ordering::SeqCst);
            let newer = announcer.length.load(Ordering::SeqCst) != length
                || announcer.cuts.load(Ordering::SeqCst) != cuts;
            if !newer || announcer.running.swap(true, Ordering::SeqCst) {
                return;
            }
        }
    }

    /// Lets peers in: from now on everything is synced before it is announced, and what is there already is now.
    pub(crate) async fn ready_for_peers(&self) -> Result<()> {
        self.0.announcer.watched.store(true, Ordering::SeqCst);
        self.bear_witness(&self.0.state.read());
        Arc::clone(&self.0.storage).sync().await
    }
}
