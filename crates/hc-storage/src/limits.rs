//! Bounds of what is read from a store.

/// Data pointers that one core's data may depend on, one after the other.
pub(crate) const MAX_DEPENDENCIES: usize = 64;
/// Named sessions of a core, whatever their names are.
const FREE_SESSIONS: usize = 2_048;

/// Named sessions that a record of so many bytes may hold. A session takes 24 bytes in memory and as few as two on disk, so
/// this bounds what a record costs; sessions with names of six characters and more are never too many.
pub(crate) const fn max_sessions(bytes: usize) -> usize {
    FREE_SESSIONS + bytes / 8
}
