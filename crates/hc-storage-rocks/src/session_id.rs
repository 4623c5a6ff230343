//! The mark of who wrote last.
//!
//! A Node process may suspend a store: it lets go of the lock and keeps the database open. Before it goes on it compares
//! this file with what it wrote there; if another process opened the store meanwhile it must not go on, or both would lose
//! data. So every opening for writing leaves a new mark.
//!
//! Follows npm rocksdb-native 3.18.1.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use hc_storage::StorageError;

const FILE: &str = "SESSION_ID";
const LEN: usize = 20;

/// Leaves a new mark in the database's folder. Before the database is opened: from then on it may already change.
pub(crate) fn renew(db: &Path) -> Result<(), StorageError> {
    let mut id = [0; LEN];
    getrandom::fill(&mut id)
        .map_err(|error| StorageError::io("making a session id", std::io::Error::other(error)))?;
    // Node writes twenty characters; so do we, since somebody may look at the file
    let id = id.map(|byte| b"0123456789ABCDEFGHIJKLMNOPQRSTUV"[usize::from(byte % 32)]);
    let failed = |error| StorageError::io("writing SESSION_ID", error);
    let mut options = OpenOptions::new();
    // in place: a file that is cut first is brought to the device by some file systems when it is closed
    let options = options.write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.open(db.join(FILE)).map_err(failed)?;
    file.write_all(&id).map_err(failed)?;
    let len = file.metadata().map_err(failed)?.len();
    let whole = u64::try_from(LEN).unwrap_or(u64::MAX);
    if len == whole { Ok(()) } else { file.set_len(whole).map_err(failed) }
}

/// The mark that is there now.
pub(crate) fn read(db: &Path) -> Result<Vec<u8>, StorageError> {
    std::fs::read(db.join(FILE)).map_err(|error| StorageError::io("reading SESSION_ID", error))
}
