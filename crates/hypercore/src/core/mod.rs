//! One open core: its state, its single writer, its peers. Shared by all sessions.
//!
//! - [`state`] is what is committed: head, bitfield, manifest. Only the writer changes it, and only after the commit.
//! - [`append`] and [`apply`] are the two ways in: blocks that the owner signs, proofs that peers send.
//! - [`serve`] answers peers; [`hub`] joins the core to its [`Replicator`](hc_replicator::Replicator).
//! - [`open`](mod@open) makes or resumes a core.
//!
//! Invariants: one logical change is one write batch; memory changes only after it is committed; what is offered to
//! peers is durable first ([`announce`]).

mod announce;
mod append;
mod apply;
mod hub;
mod known_nodes;
mod lifetime;
mod open;
mod read;
mod serve;
mod state;

use std::sync::Arc;

use hc_crypto::{DiscoveryKey, Hash, Key, KeyPair, Manifest};
use hc_storage::CoreStorage;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{broadcast, watch};

pub use hub::Peer;
pub(crate) use hub::{Hub, Waiting, WantKind};
pub use open::{Alias, CoreName};
pub(crate) use state::Status;

use crate::events::{Event, Events};
use crate::storage::Storage;
use crate::{Error, Result};
use announce::Announcer;
use append::AppendQueue;
use lifetime::Lifetime;
use state::State;

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
    writer: Mutex<()>,
    appends: AppendQueue,
    announcer: Announcer,
    hub: Hub,
    lifetime: Lifetime,
    events: broadcast::Sender<Event>,
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

    pub(crate) fn manifest(&self) -> Option<Manifest> {
        self.0.state.read().manifest().cloned()
    }

    pub(crate) fn key_pair(&self) -> Option<KeyPair> {
        self.0.state.read().key_pair().cloned()
    }

    pub(crate) fn status(&self) -> Status {
        *self.0.status.borrow()
    }

    pub(crate) fn tree_hash(&self) -> Hash {
        self.0.state.read().head().hash()
    }

    pub(crate) fn events(&self) -> Events {
        Events::new(self.0.events.subscribe())
    }

    /// Tells subscribers; without any it costs nothing.
    fn emit(&self, event: impl FnOnce() -> Event) {
        if self.0.events.receiver_count() > 0 {
            // no receiver any more is no error
            let _ = self.0.events.send(event());
        }
    }

    fn closed_error(&self) -> Error {
        Error::SessionClosed { discovery_key: *self.discovery_key() }
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
