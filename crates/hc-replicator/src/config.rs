//! How a [`Replicator`](crate::Replicator) behaves.

/// Options of a [`Replicator`](crate::Replicator). The defaults are Node's, but for the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Fewest and most requests in flight per peer. Scaled between them by the round-trip time.
    pub inflight: (usize, usize),
    /// Ask for a longer length as soon as a peer has one, without anybody waiting for it.
    pub eager_upgrade: bool,
    /// Milliseconds for which a core that is no longer active still says that it downloads.
    pub linger: u64,
    /// Seed of the order of random downloads. Same seed and same inputs: same outputs.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { inflight: (16, 512), eager_upgrade: true, linger: 20_000, seed: 0 }
    }
}
