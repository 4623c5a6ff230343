//! Making the log shorter, and taking single blocks away.
//!
//! Follows npm hypercore 11.37.1, `lib/session-state.js` (`truncate`, `clear`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use hc_replicator::Local;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::effects::Writing;
use super::{Core, Signer};
use crate::events::Event;
use crate::limits::MAX_NUMBER;
use crate::{Error, Result};

/// Who waits for blocks that the log has, and has to hear when they are cut away.
#[derive(Default)]
pub(super) struct CutWatchers(Mutex<Vec<Weak<CutWatcher>>>);

/// Somebody who waits for a block.
pub(crate) struct CutWatcher {
    /// Blocks that are still the log's.
    still: AtomicU64,
    cut: Notify,
}

impl CutWatcher {
    /// Waits until the log is cut to this length or a lower one.
    pub(crate) async fn cut_to(&self, length: u64) -> u64 {
        loop {
            let cut = self.cut.notified();
            let still = self.still.load(Ordering::Acquire);
            if still <= length {
                return still;
            }
            cut.await;
        }
    }
}

impl CutWatchers {
    fn tell(&self, length: u64) {
        self.0.lock().retain(|watcher| {
            let Some(watcher) = watcher.upgrade() else { return false };
            watcher.still.fetch_min(length, Ordering::AcqRel);
            watcher.cut.notify_waiters();
            true
        });
    }
}

impl Core {
    /// Listens for cuts of the log from now on.
    pub(crate) fn watch_cuts(&self) -> Arc<CutWatcher> {
        let watcher = Arc::new(CutWatcher { still: AtomicU64::new(u64::MAX), cut: Notify::new() });
        let mut watchers = self.0.cut_watchers.0.lock();
        watchers.retain(|watcher| watcher.strong_count() > 0);
        watchers.push(Arc::downgrade(&watcher));
        watcher
    }

    /// Cuts the log to a length, on a fork or on the next one.
    pub(crate) async fn truncate(&self, length: u64, fork: Option<u64>, signer: Signer) -> Result<()> {
        let core = self.clone();
        crate::storage::blocking(move || core.truncate_blocking(length, fork, signer)).await?;
        self.acknowledged().await
    }

    fn truncate_blocking(&self, length: u64, fork: Option<u64>, signer: Signer) -> Result<()> {
        let mut writing = self.writing();
        let state = self.0.state.read();
        let fork = self.next_fork(state.head().fork(), fork)?;
        let planned = self.line(&state).truncate(length, fork, &signer.into())?;
        drop(state);
        writing.commit_planned(planned)?;
        writing.truncated(length, fork);
        Ok(())
    }

    /// The fork that a cut leads to. Known only to who holds the writer: of two cuts at once, the second one goes to the fork
    /// after the first one's.
    pub(super) fn next_fork(&self, present: u64, asked: Option<u64>) -> Result<u64> {
        let refused = |reason| Err(Error::InvalidOperation { reason, discovery_key: *self.discovery_key() });
        let fork = asked.unwrap_or_else(|| present.saturating_add(1));
        if fork <= present {
            // on the same fork the log would have two histories
            return refused(format!("fork {fork} is not above the present one, {present}"));
        }
        if fork > MAX_NUMBER {
            return refused(format!("the log is on the highest fork there is, {present}: it cannot be cut"));
        }
        Ok(fork)
    }

    /// Takes blocks away; and how many there were.
    pub(crate) async fn clear(&self, start: u64, end: u64) -> Result<u64> {
        let core = self.clone();
        let cleared = crate::storage::blocking(move || core.clear_blocking(start, end)).await?;
        self.acknowledged().await?;
        Ok(cleared)
    }

    fn clear_blocking(&self, start: u64, end: u64) -> Result<u64> {
        let mut writing = self.writing();
        let state = self.0.state.read();
        let (planned, cleared) = self.line(&state).clear(start, end)?;
        drop(state);
        writing.commit_planned(planned)?;
        writing.replicate(Local::Cleared { start, end });
        Ok(cleared)
    }
}

impl Writing<'_> {
    /// The log was truncated: snapshots know at once, peers and subscribers are told.
    pub(super) fn truncated(&mut self, length: u64, fork: u64) {
        let core = self.host();
        core.0.branches.cut(length, None);
        core.0.cut_watchers.tell(length);
        self.replicate(Local::Truncated { fork, length });
        self.emit(|| Event::Truncate { length, fork });
    }
}
