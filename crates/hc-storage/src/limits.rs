//! Bounds of what is read from a store.

/// Data pointers that one core's data may depend on, one after the other.
pub(crate) const MAX_DEPENDENCIES: usize = 64;
/// Named sessions of a core.
pub(crate) const MAX_SESSIONS: usize = 65_536;
