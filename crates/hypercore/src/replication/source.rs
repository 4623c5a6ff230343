//! Which cores a connection may replicate.

use futures_util::future::BoxFuture;
use hc_crypto::DiscoveryKey;

use crate::Result;
use crate::core::Core;

/// Finds the cores that peers ask for by discovery key.
pub trait CoreSource: Send + Sync + 'static {
    /// The open core of this key, or a stored one that is opened for this; none if it is unknown or not to be shared.
    fn find(&self, discovery_key: DiscoveryKey) -> BoxFuture<'_, Result<Option<Core>>>;

    /// The cores that are offered to the peer at once, without being asked for.
    fn open_cores(&self) -> Vec<Core>;
}

/// A source of a single core.
#[derive(Debug, Clone)]
pub struct OneCore(
    /// The core.
    pub Core,
);

impl CoreSource for OneCore {
    fn find(&self, discovery_key: DiscoveryKey) -> BoxFuture<'_, Result<Option<Core>>> {
        let core = Some(self.0.clone()).filter(|core| *core.discovery_key() == discovery_key);
        Box::pin(std::future::ready(Ok(core)))
    }

    fn open_cores(&self) -> Vec<Core> {
        vec![self.0.clone()]
    }
}
