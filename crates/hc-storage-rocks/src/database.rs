//! RocksDB's database in a folder.
//!
//! RocksDB's bindings make text of a path, and what is not UTF-8 in it becomes U+FFFD: two folders would share the database of a
//! third. So a folder whose path is not UTF-8 is held open, and RocksDB finds it by its descriptor.

use std::fs::File;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use hc_storage::StorageError;
use rocksdb::{ColumnFamily, DB};

use crate::options::{self, COLUMN_FAMILY};
use crate::tables::Tables;

type Result<T> = std::result::Result<T, StorageError>;

/// A database that is open. Dropped in this order: RocksDB opens files of the folder for as long as it lives.
pub(crate) struct Database {
    db: DB,
    _folder: Option<File>,
}

impl Deref for Database {
    type Target = DB;

    fn deref(&self) -> &DB {
        &self.db
    }
}

impl Database {
    /// Opens the database in a folder, or makes one there. The folder must exist.
    ///
    /// # Errors
    /// [`StorageError::Io`]; [`StorageError::Unsupported`] for a path that RocksDB cannot be given.
    pub(crate) fn open(folder: &Path, tables: Tables) -> Result<Self> {
        let (path, held) = path_for_rocksdb(folder)?;
        let (database, families) = options::of(tables);
        let db = DB::open_cf_descriptors(&database, path, families);
        let db = db.map_err(|error| StorageError::io("opening the database", error))?;
        Ok(Self { db, _folder: held })
    }

    /// Opens the database in a folder for reading, and writes nothing.
    ///
    /// # Errors
    /// As [`open`](Self::open), and if there is none.
    pub(crate) fn open_for_reading(folder: &Path, tables: Tables) -> Result<Self> {
        // the bindings would make the folder
        File::open(folder.join("CURRENT"))
            .map_err(|error| StorageError::io("opening the database for reading", error))?;
        let (path, held) = path_for_rocksdb(folder)?;
        let (mut database, families) = options::of(tables);
        database.create_if_missing(false);
        database.create_missing_column_families(false);
        let db = DB::open_cf_descriptors_read_only(&database, path, families, false);
        let db = db.map_err(|error| StorageError::io("opening the database for reading", error))?;
        Ok(Self { db, _folder: held })
    }
}

/// The column family that holds all of a store.
///
/// # Errors
/// [`StorageError::Unsupported`] if there is none.
pub(crate) fn family(db: &DB) -> Result<&ColumnFamily> {
    db.cf_handle(COLUMN_FAMILY)
        .ok_or_else(|| StorageError::Unsupported("the database has no column family `corestore`".into()))
}

/// A path that stays what it is when it becomes text, and what has to live as long as it is used.
fn path_for_rocksdb(folder: &Path) -> Result<(PathBuf, Option<File>)> {
    if folder.to_str().is_some() {
        return Ok((folder.to_owned(), None));
    }
    held_open(folder)
}

#[cfg(target_os = "linux")]
fn held_open(folder: &Path) -> Result<(PathBuf, Option<File>)> {
    use std::os::fd::AsRawFd;

    let failed = |error| StorageError::io("opening a folder whose path is not UTF-8", error);
    let file = File::open(folder).map_err(failed)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    // where /proc is missing, this is where it is noticed
    std::fs::metadata(&path).map_err(failed)?;
    Ok((path, Some(file)))
}

#[cfg(not(target_os = "linux"))]
fn held_open(folder: &Path) -> Result<(PathBuf, Option<File>)> {
    let why = format!("the path {folder:?} is not UTF-8, so no database can be opened there");
    Err(StorageError::Unsupported(why))
}
