//! How large a database is, and what follows for its tables.
//!
//! A table has an index and a filter: in one piece, or in parts with an index of their own. It says itself which, so a database
//! may have both, and every RocksDB reads both.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rocksdb::{ColumnFamily, DB};

use crate::folder;

/// Up to this many bytes of tables, each table has its index and its filter in one piece, which is read once and kept: a read
/// then looks for nothing but the block. These take about a hundredth of the tables. Beyond it they come in parts.
const WHOLE_INDEX_BYTES: u64 = 256 << 20;
/// What tells a database that is open to write its further tables with an index in parts.
const INDEX_IN_PARTS: [(&str, &str); 1] =
    [("block_based_table_factory", "{index_type=kTwoLevelIndexSearch;partition_filters=true}")];
/// A thread that opens tables when the database is opened is started for it, so it must have some to open.
const TABLES_PER_OPENING_THREAD: usize = 4;
/// Never more such threads.
const MAX_OPENING_THREADS: usize = 8;
/// The tables of a database.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tables {
    count: usize,
    pub(crate) bytes: u64,
}

impl Tables {
    /// Those in a folder. What cannot be read is not counted: it only says what is quicker.
    pub(crate) fn of(db: &Path) -> Self {
        let mut tables = Self::default();
        for name in folder::names(db).unwrap_or_default() {
            if folder::ends_in(&name, "sst") {
                tables.count += 1;
                tables.bytes += std::fs::metadata(db.join(name)).map_or(0, |metadata| metadata.len());
            }
        }
        tables
    }

    pub(crate) const fn want_index_in_parts(self) -> bool {
        self.bytes >= WHOLE_INDEX_BYTES
    }

    /// How many threads open them. A `c_int`.
    pub(crate) fn opening_threads(self) -> i32 {
        let threads = self.count.div_ceil(TABLES_PER_OPENING_THREAD).clamp(1, MAX_OPENING_THREADS);
        i32::try_from(threads).unwrap_or(1)
    }
}

/// Counts what is written to a database that is open.
#[derive(Debug)]
pub(crate) struct Growth(AtomicU64);

impl From<Tables> for Growth {
    fn from(tables: Tables) -> Self {
        Self(AtomicU64::new(tables.bytes))
    }
}

impl Growth {
    /// So many bytes were written. Further tables of a database that has become large get their index in parts.
    pub(crate) fn by(&self, bytes: usize, db: &DB, family: &ColumnFamily) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let before = self.0.fetch_add(bytes, Ordering::Relaxed);
        if before < WHOLE_INDEX_BYTES && WHOLE_INDEX_BYTES - before <= bytes {
            // where it fails, reading takes more memory and nothing else
            let _ = db.set_options_cf(family, &INDEX_IN_PARTS);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Growth, Tables, WHOLE_INDEX_BYTES};
    use crate::options::{self, COLUMN_FAMILY};
    use rocksdb::DB;

    fn open(dir: &Path) -> DB {
        let (database, families) = options::of(Tables::of(dir));
        DB::open_cf_descriptors(&database, dir, families).unwrap()
    }

    /// How the next table has its index, as RocksDB notes it.
    fn in_parts(dir: &Path) -> bool {
        let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        let noted = files.filter(|path| path.to_string_lossy().contains("/OPTIONS-")).max().unwrap();
        let noted = std::fs::read_to_string(noted).unwrap();
        let section = noted.split("TableOptions/BlockBasedTable \"corestore\"").nth(1).unwrap();
        let both = [section.contains("kTwoLevelIndexSearch"), section.contains("partition_filters=true")];
        assert_eq!(both[0], both[1]);
        both[0]
    }

    #[test]
    fn a_database_that_becomes_large_has_both_kinds_of_tables() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let db = open(dir);
        let family = db.cf_handle(COLUMN_FAMILY).unwrap();
        let growth = Growth::from(Tables::of(dir));
        let key = |n: u32| n.to_be_bytes();
        let step = usize::try_from(WHOLE_INDEX_BYTES / 2).unwrap();
        for (time, parts) in [(0, false), (1, true), (2, true)] {
            for n in 0..5000 {
                db.put_cf(family, key(n * 3 + time), key(n)).unwrap();
            }
            growth.by(step, &db, family);
            db.flush_cf(family).unwrap();
            assert_eq!(in_parts(dir), parts, "{time}");
        }
        drop(db);
        assert_eq!(Tables::of(dir).count, 3);
        let db = open(dir);
        assert!(!in_parts(dir), "the tables are few");
        let family = db.cf_handle(COLUMN_FAMILY).unwrap();
        for n in 0..15000 {
            assert_eq!(db.get_cf(family, key(n)).unwrap().unwrap(), key(n / 3));
        }
        assert_eq!(db.get_cf(family, key(15000)).unwrap(), None);
    }

    #[test]
    fn a_large_database_is_opened_with_more_threads() {
        for (count, threads) in [(0, 1), (4, 1), (5, 2), (160, 8)] {
            assert_eq!(Tables { count, bytes: 0 }.opening_threads(), threads);
        }
    }
}
