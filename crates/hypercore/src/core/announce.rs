//! Peers hear of a change of the log only after it is on the device.
//!
//! A writer that told peers of blocks and then lost them in a power failure would sign other blocks in their place, and
//! fork its own log. So with peers connected a new length first waits for the store's group sync, and everything that
//! happened after it waits behind it: the replicator hears of changes in their order. Without peers there is nobody to tell:
//! the sync then happens before the first peer is let in ([`Core::ready_for_peers`]).
//!
//! Peers are served only up to the head that was announced. A proof of a newer one would tell them of it too early, and a Node
//! reader that learns a length from a proof and not from its peer waits for good for that peer to acknowledge it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hc_replicator::Local;
use hc_storage::StorageError;
use parking_lot::Mutex;

use super::Core;
use super::effects::{News, Update};
use super::state::SignedHead;
use crate::{Error, Result};

/// What the replicator is to hear, and whether somebody is bringing it to the device.
pub(super) struct Announcer {
    waiting: Mutex<Waiting>,
    /// Whether any peer was let in yet.
    watched: AtomicBool,
}

struct Waiting {
    updates: VecDeque<Update>,
    /// How many of them, the first ones, the sync that is under way covers.
    covered: usize,
    /// Whether a sync for these is under way.
    syncing: bool,
    /// The head that the log had when the replicator was last told of a change, or when it was opened.
    announced: Arc<SignedHead>,
}

impl Announcer {
    /// Of a log that has this head.
    pub(super) fn new(announced: Arc<SignedHead>) -> Self {
        let waiting = Waiting { updates: VecDeque::new(), covered: 0, syncing: false, announced };
        Self { waiting: Mutex::new(waiting), watched: AtomicBool::new(false) }
    }
}

impl Waiting {
    fn push(&mut self, update: Update) {
        let is_append = |update: &Update| matches!(update.news, News::Local(Local::Appended { .. }));
        // one announcement for all that the next sync covers
        if self.updates.len() > self.covered
            && is_append(&update)
            && let Some(last) = self.updates.back_mut().filter(|last| is_append(last))
        {
            *last = update;
            return;
        }
        self.updates.push_back(update);
    }

    /// Takes the first updates.
    fn take(&mut self, count: usize) -> Vec<Update> {
        self.covered = self.covered.saturating_sub(count);
        self.updates.drain(..count.min(self.updates.len())).collect()
    }

    /// Takes the first updates that may be told without a sync.
    fn take_harmless(&mut self) -> Vec<Update> {
        let count = self.updates.iter().take_while(|update| !tells_of_head(update)).count();
        self.take(count)
    }
}

/// What follows an attempt to announce.
#[derive(PartialEq, Eq)]
enum Next {
    /// Nothing: everything was announced, or nothing more ever will be.
    Done,
    /// More came meanwhile.
    More,
    /// It failed, and may succeed later.
    Retry,
}

/// How long after a failure the next attempt follows.
const RETRY: Duration = Duration::from_secs(1);

/// Whether peers hear of a head of our own by this.
const fn tells_of_head(update: &Update) -> bool {
    matches!(update.news, News::Local(Local::Appended { .. } | Local::Truncated { .. }))
}

impl Core {
    /// Has the replicator told of changes, in their order.
    pub(super) fn announce(&self, updates: Vec<Update>) {
        let mut waiting = self.0.announcer.waiting.lock();
        for update in updates {
            waiting.push(update);
        }
        let may_tell = !self.may_be_watched() || self.0.storage.is_synced();
        let told = if may_tell { waiting.take(usize::MAX) } else { waiting.take_harmless() };
        let must_sync = !waiting.updates.is_empty() && !std::mem::replace(&mut waiting.syncing, true);
        // fed before the next one can be: the replicator hears them in this order
        self.tell_replicator(&mut waiting, told);
        drop(waiting);
        self.pump();
        if must_sync {
            self.announce_when_synced();
        }
    }

    fn announce_when_synced(&self) {
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                let core = self.clone();
                runtime.spawn(async move {
                    loop {
                        core.cover_waiting();
                        match core.announce_covered(core.0.storage.sync().await) {
                            Next::Done => return,
                            Next::More => {}
                            Next::Retry => tokio::time::sleep(RETRY).await,
                        }
                    }
                });
            }
            // a handle was dropped outside of the runtime: there is nobody to leave it to
            Err(_) => loop {
                self.cover_waiting();
                match self.announce_covered(self.0.storage.sync_blocking()) {
                    Next::More => {}
                    Next::Done => return,
                    // whoever changes the log next tries again
                    Next::Retry => return self.0.announcer.waiting.lock().syncing = false,
                }
            },
        }
    }

    /// What waits now was committed before the sync that is about to begin.
    fn cover_waiting(&self) {
        let mut waiting = self.0.announcer.waiting.lock();
        waiting.covered = waiting.updates.len();
    }

    /// Announces what a sync covered.
    fn announce_covered(&self, synced: Result<()>) -> Next {
        let mut waiting = self.0.announcer.waiting.lock();
        if let Err(error) = synced {
            tracing::error!(core = %self.discovery_key(), %error, "not announced yet: the sync failed");
            let over = matches!(error, Error::Storage(StorageError::Poisoned | StorageError::Closed));
            // peers keep what they know: a store whose own sync failed takes nothing more before it is opened again. Where only
            // the note beside it could not be written, there may be room for it later
            waiting.syncing = !over && !self.is_closed();
            return if waiting.syncing { Next::Retry } else { Next::Done };
        }
        let covered = waiting.covered;
        let mut told = waiting.take(covered);
        told.extend(waiting.take_harmless());
        waiting.syncing = !waiting.updates.is_empty();
        let next = if waiting.syncing { Next::More } else { Next::Done };
        self.tell_replicator(&mut waiting, told);
        drop(waiting);
        self.pump();
        next
    }

    /// Tells the replicator; from here on peers are served up to the head that it then knows.
    fn tell_replicator(&self, waiting: &mut Waiting, told: Vec<Update>) {
        if let Some(last) = told.last() {
            waiting.announced = Arc::clone(&last.head);
        }
        self.feed_all(told.into_iter().map(|update| update.news.into()));
    }

    /// Returns the head up to which peers are served: the one that the replicator, and so they, know of. `None` if the log has
    /// been truncated since.
    pub(super) fn announced_head(&self) -> Option<Arc<SignedHead>> {
        let announced = Arc::clone(&self.0.announcer.waiting.lock().announced);
        (announced.head.fork() == self.0.state.read().head().fork()).then_some(announced)
    }

    /// Whether peers may have been told of the log.
    pub(super) fn may_be_watched(&self) -> bool {
        self.0.announcer.watched.load(Ordering::SeqCst)
    }

    /// Lets peers in: from now on everything is synced before it is announced, and what is there already is now.
    pub(crate) async fn ready_for_peers(&self) -> Result<()> {
        if !self.may_be_watched() {
            // while the writer is held: a head is noted either here or by the change that makes it
            let _writing = self.writing();
            if self.recovering() == 0 {
                self.note_present_head();
            }
            self.0.announcer.watched.store(true, Ordering::SeqCst);
        }
        Arc::clone(&self.0.storage).sync().await
    }
}
