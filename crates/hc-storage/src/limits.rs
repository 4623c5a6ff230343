//! Bounds of what is read from a store.

/// Data pointers that one core's data may depend on, one after the other.
pub(crate) const MAX_DEPENDENCIES: usize = 64;
/// Named sessions of a core. Each takes 32 bytes in memory and as few as two on disk, so this also bounds what a record costs.
pub(crate) const MAX_SESSIONS: usize = 2_048;
