//! Which version of Hypercore a directory is of.
//!
//! | version | holds |
//! | --- | --- |
//! | 11 | `CORESTORE` and `db/` |
//! | 10, a Corestore 6 | `primary-key`, and each core in `cores/12/34/…` |
//! | 10, one core | `oplog`, `tree`, `bitfield` and `data` |
//!
//! A store of version 10 has its identity in these files. A database beside them would be another store, with other keys and
//! none of the logs. So it is refused; where a database is there already, that is the store. See docs/decisions/0034.
//!
//! Follows npm hypercore-storage 3.3.1, `migrations/0/index.js`.

use std::io::ErrorKind;
use std::path::Path;

use hc_storage::{StorageError, keys};

use crate::database::{Database, family};
use crate::folder;
use crate::tables::Tables;

type Result<T> = std::result::Result<T, StorageError>;

/// Refuses a directory that holds a store of Hypercore 10 and none of version 11. Writes nothing.
///
/// # Errors
/// [`StorageError::Unsupported`] if it is such a directory; [`StorageError::Io`] if that could not be found out.
pub fn refuse_older(dir: &Path) -> Result<()> {
    let Some(what) = older(dir).map_err(|error| StorageError::io("looking at the directory", error))? else {
        return Ok(());
    };
    if holds_a_store(&dir.join("db"))? {
        return Ok(());
    }
    Err(StorageError::Unsupported(format!(
        "{} is {what}; only stores of Hypercore 11 are read, and nothing was changed",
        dir.display()
    )))
}

/// What of version 10 a directory holds.
fn older(dir: &Path) -> std::io::Result<Option<&'static str>> {
    if is_there(&dir.join("primary-key"))? || holds_old_cores(&dir.join("cores"))? {
        return Ok(Some("a store of Hypercore 10 / Corestore 6 (`primary-key`, `cores/`)"));
    }
    if is_there(&dir.join("oplog"))? {
        return Ok(Some("a log of Hypercore 10 (`oplog`, `tree`, `bitfield`, `data`)"));
    }
    Ok(None)
}

/// Whether a folder holds cores as Corestore 6 had them: under the first two bytes of their discovery keys.
fn holds_old_cores(cores: &Path) -> std::io::Result<bool> {
    for first in in_hex(cores, 2)? {
        for second in in_hex(&cores.join(&first), 2)? {
            if !in_hex(&cores.join(&first).join(second), 64)?.is_empty() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// The names in a folder that are so many hexadecimal digits; none if it is no folder.
fn in_hex(folder: &Path, digits: usize) -> std::io::Result<Vec<String>> {
    let names = match folder::names(folder) {
        Ok(names) => names,
        Err(error) if is_absence(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let is_hex = |name: &String| name.len() == digits && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    Ok(names.into_iter().filter_map(|name| name.into_string().ok()).filter(is_hex).collect())
}

fn is_there(path: &Path) -> std::io::Result<bool> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(metadata.is_file()),
        Err(error) if is_absence(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

fn is_absence(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Whether a database holds a store of version 11: one whose head was written. Node writes it with what it migrates.
fn holds_a_store(db: &Path) -> Result<bool> {
    let current = is_there(&db.join("CURRENT"));
    if !current.map_err(|error| StorageError::io("looking at the database's folder", error))? {
        return Ok(false);
    }
    let database = Database::open_for_reading(db, Tables::of(db))?;
    let head = database.get_cf(family(&database)?, keys::store_head());
    Ok(head.map_err(|error| StorageError::io("reading from the database", error))?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o13_what_only_looks_like_version_10_is_no_store_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        refuse_older(&path("missing")).unwrap();
        std::fs::create_dir_all(path("cores/ab/cd/notes")).unwrap();
        std::fs::create_dir_all(path("cores/src")).unwrap();
        std::fs::create_dir(path("oplog")).unwrap();
        std::fs::create_dir(path("primary-key")).unwrap();
        refuse_older(dir.path()).unwrap();
        std::fs::write(path("file"), "").unwrap();
        refuse_older(&path("file")).unwrap();
    }
}
