//! The connections of a store: each carries every core that is open at both ends.

use std::sync::{Arc, Weak};

use futures_util::future::BoxFuture;
use hypercore::core::CoreName;
use hypercore::replication::CoreSource;
use hypercore::{Core, DiscoveryKey, OpenOptions, Replication, Result};
use parking_lot::Mutex;

use crate::store::Root;

/// The connections that a newly opened core is offered on.
#[derive(Default)]
pub(crate) struct Streams {
    open: Mutex<Vec<Replication>>,
}

impl Streams {
    pub(crate) fn add(&self, replication: Replication) {
        let mut open = self.open.lock();
        open.retain(|replication| !replication.is_closed());
        open.push(replication);
    }

    /// Offers a core on all connections.
    pub(crate) async fn attach(&self, core: &Core) {
        let open: Vec<Replication> =
            self.open.lock().iter().filter(|open| !open.is_closed()).cloned().collect();
        for replication in open {
            if let Err(error) = replication.attach_core(core).await {
                tracing::warn!(core = %core.discovery_key(), %error, "not offered on a connection");
            }
        }
    }

    pub(crate) fn stop_all(&self) {
        for replication in self.open.lock().drain(..) {
            replication.stop();
        }
    }
}

/// What a store offers on its connections: its open cores, and its stored ones when they are asked for.
pub(crate) struct StoreSource(pub(crate) Weak<Root>);

impl StoreSource {
    async fn open_stored(root: Arc<Root>, discovery_key: DiscoveryKey) -> Result<Option<Core>> {
        if let Some(core) = root.registry.open_core(&discovery_key) {
            return Ok(Some(core));
        }
        if root.is_closed() || !root.storage.store().has_core(&discovery_key)? {
            return Ok(None);
        }
        let name = CoreName { discovery_key: Some(discovery_key), alias: None };
        let options = OpenOptions::new().create_if_missing(false);
        root.registry.resume(&root.storage, name, options).await.map(Some)
    }
}

impl CoreSource for StoreSource {
    fn find(&self, discovery_key: DiscoveryKey) -> BoxFuture<'_, Result<Option<Core>>> {
        let root = self.0.upgrade();
        Box::pin(async move {
            match root {
                Some(root) => Self::open_stored(root, discovery_key).await,
                None => Ok(None),
            }
        })
    }

    fn open_cores(&self) -> Vec<Core> {
        let root = self.0.upgrade();
        root.map(|root| root.registry.all().into_iter().filter(Core::has_sessions).collect())
            .unwrap_or_default()
    }
}
