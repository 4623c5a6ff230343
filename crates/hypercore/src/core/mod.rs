//! One open core: its state, its single writer, its peers. Shared by all sessions.
//!
//! - [`state`] is what is committed: head, bitfield, manifest. Only the writer changes it, and only after the commit.
//! - [`writer`](mod@writer) says who may change it, [`effects`] what a change means for others: delivered after the writer is
//!   released.
//! - [`line`](mod@line) works out what a change writes. [`append`], [`cut`] and [`commit`] make the owner's changes, [`apply`] takes
//!   in proofs that peers send.
//! - [`branch`] is a log beside the public one: a named session, a snapshot, what an atom makes; [`pending`] is what
//!   such an atom remembers, [`flush`](mod@flush) makes its changes everybody's, and [`moving`] makes a named session one of another core.
//! - [`serve`] answers peers; [`hub`] joins the core to its [`Replicator`](hc_replicator::Replicator).
//! - [`recovery`] is for a writer whose store was set back, [`repair`] for a core that lost roots, [`conflict`] for one whose
//!   owner signed two logs.
//! - [`open`](mod@open) makes or resumes a core.
//!
//! Invariants: one logical change is one write batch; memory changes only after it is committed; what is offered to
//! peers is durable first ([`announce`]).

mod announce;
mod append;
mod apply;
mod authority;
mod branch;
mod branches;
mod commit;
mod conflict;
mod cut;
mod effects;
mod flush;
mod group;
mod home;
mod hub;
mod known_nodes;
mod lifetime;
mod line;
mod moving;
mod open;
mod pending;
mod prologue;
mod read;
mod recovery;
mod refresh;
mod repair;
mod serve;
mod state;
mod sync;
mod writer;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};

use hc_crypto::{DiscoveryKey, Key, KeyPair, Manifest};
use hc_storage::CoreStorage;
use parking_lot::RwLock;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

pub(crate) use append::{Blocks, Signer};
pub(crate) use branch::{Branch, Kind, NamedOptions};
pub(crate) use commit::CommitTerms;
pub use conflict::Conflict;
pub(crate) use flush::{Member, flush};
pub(crate) use home::Home;
pub use hub::Peer;
pub(crate) use hub::{Connecting, Hub, Waiting, WantKind};
pub(crate) use line::NodesOf;
pub use open::{Alias, CoreName};
pub(crate) use state::Status;

use crate::events::{Event, Listeners};
use crate::options::ReplicationOptions;
use crate::storage::Storage;
use crate::{Error, Result};
use announce::Announcer;
use append::Append;
use branches::Branches;
use cut::CutWatchers;
use effects::Effect;
use lifetime::Lifetime;
use state::State;
use writer::Writer;

/// An open core. [`Hypercore`](crate::Hypercore) is how applications use it; stores of many cores hold on to it.
#[derive(Clone)]
pub struct Core(Arc<Inner>);

pub(crate) struct Inner {
    key: Key,
    discovery_key: DiscoveryKey,
    storage: Arc<Storage>,
    disk: CoreStorage,
    state: RwLock<State>,
    status: watch::Sender<Status>,
    /// Held while a batch is planned, committed and taken over into `state`: the single writer.
    writer: Writer<Append, Effect>,
    /// Logs beside the public one.
    branches: Branches,
    cut_watchers: CutWatchers,
    /// Evidence of two histories, if there is any.
    conflict: RwLock<Option<Conflict>>,
    /// Counts the changes of `state`.
    changes: AtomicU64,
    /// Taken by an exclusive session.
    exclusive: Arc<Semaphore>,
    announcer: Announcer,
    /// How it was opened towards peers.
    replication: ReplicationOptions,
    hub: Hub,
    lifetime: Lifetime,
    listeners: Listeners,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.storage.left(&self.discovery_key);
    }
}

impl Core {
    /// The core's key.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.0.key
    }

    /// The key under which peers look for the core.
    #[must_use]
    pub fn discovery_key(&self) -> &DiscoveryKey {
        &self.0.discovery_key
    }

    pub(crate) const fn from_inner(inner: Arc<Inner>) -> Self {
        Self(inner)
    }

    pub(crate) fn downgrade(&self) -> Weak<Inner> {
        Arc::downgrade(&self.0)
    }

    /// Whether this is the same open core.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn manifest(&self) -> Option<Manifest> {
        self.0.state.read().manifest().cloned()
    }

    /// Whether it is known who may sign the log.
    pub(crate) fn has_manifest(&self) -> bool {
        self.0.state.read().verifier().is_some()
    }

    pub(crate) fn key_pair(&self) -> Option<KeyPair> {
        self.0.state.read().key_pair().cloned()
    }

    pub(crate) fn status(&self) -> Status {
        *self.0.status.borrow()
    }

    pub(crate) fn storage(&self) -> &Arc<Storage> {
        &self.0.storage
    }

    /// Whether the core's key is its signer's, as version 10 had it.
    pub(crate) fn is_compat(&self) -> bool {
        self.0.state.read().verifier().is_some_and(hc_crypto::Verifier::is_compat)
    }

    /// Waits until no other exclusive session is open.
    pub(crate) async fn lock_exclusive(&self) -> Result<OwnedSemaphorePermit> {
        let free = Arc::clone(&self.0.exclusive).acquire_owned().await;
        free.map_err(|_| self.reason_of_closing())
    }

    /// Which sessions of the log listen to what happens to it.
    pub(crate) fn listeners(&self) -> &Listeners {
        &self.0.listeners
    }

    /// Tells subscribers; without any it costs nothing.
    fn emit(&self, event: impl FnOnce() -> Event) {
        self.0.listeners.tell(event);
    }

    fn closed_error(&self) -> Error {
        Error::SessionClosed { discovery_key: *self.discovery_key() }
    }

    /// Why sessions of this core are closed.
    pub(crate) fn reason_of_closing(&self) -> Error {
        self.check_conflict().err().unwrap_or_else(|| self.closed_error())
    }

    /// Waits until what was committed so far is on the device.
    pub(crate) async fn flush(&self) -> Result<()> {
        self.0.storage.sync().await
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").field("discovery_key", self.discovery_key()).finish_non_exhaustive()
    }
}
