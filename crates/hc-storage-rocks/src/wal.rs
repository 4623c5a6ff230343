//! The write-ahead log after the power went: where a part of its middle is missing, it ends there.
//!
//! What was not synced may be lost in any order, so a log may have zeros where records were, and records behind them. RocksDB
//! notices that only within a record. Where the zeros begin with one, it takes the rest of that block for unused and goes on
//! with the next: what is read then is no state that the store ever had. Nothing behind such a hole was ever synced, for
//! then what is before it would have been synced too. So it is taken away before RocksDB reads it.
//!
//! A log is a row of blocks of 32 KiB. A record begins with a checksum (4 bytes), a length (2, little endian) and a type; it
//! does not reach into the next block, and where a block has no room for these seven bytes, the rest of it is zeros.
//!
//! Follows RocksDB 10, `db/log_format.h` and `db/log_reader.cc`.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use hc_storage::StorageError;

use crate::folder;

type Result<T> = std::result::Result<T, StorageError>;

const BLOCK: usize = 32 * 1024;
const HEADER: usize = 7;
/// Types of records in logs that were used before have the log's number in their header.
const RECYCLED: std::ops::RangeInclusive<u8> = 5..=8;
const RECYCLED_HEADER: usize = 11;

/// Takes away what is behind a hole in the logs of a database that is not open: in the log that has it, and in all later
/// ones.
///
/// # Errors
/// If a log cannot be read or cut.
pub(crate) fn cut_behind_holes(db: &Path) -> Result<()> {
    let mut holed = false;
    for log in logs(db).map_err(|error| failed(db, &error))? {
        let failed = |error| failed(&log, &error);
        let bytes = std::fs::read(&log).map_err(failed)?;
        let end = if holed { Some(0) } else { hole(&bytes) };
        let Some(end) = end.filter(|end| *end < bytes.len()) else { continue };
        holed = true;
        let file = OpenOptions::new().write(true).open(&log).map_err(failed)?;
        file.set_len(u64::try_from(end).unwrap_or(u64::MAX)).map_err(failed)?;
        file.sync_all().map_err(failed)?;
    }
    Ok(())
}

fn failed(path: &Path, error: &std::io::Error) -> StorageError {
    let named = std::io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    StorageError::io("checking the write-ahead log", named)
}

/// The logs of a database, oldest first.
fn logs(db: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut logs = Vec::new();
    for name in folder::names(db)? {
        let number = name.to_str().and_then(|name| name.strip_suffix(".log"));
        if let Some(number) = number.and_then(|number| number.parse::<u64>().ok()) {
            logs.push((number, db.join(name)));
        }
    }
    logs.sort();
    Ok(logs.into_iter().map(|(_, log)| log).collect())
}

/// Where a record should begin and there are zeros, but not to the end.
fn hole(log: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < log.len() {
        let room = BLOCK - at % BLOCK;
        if room < HEADER {
            at += room;
            continue;
        }
        // a header that is cut off is an end
        let header: &[u8; HEADER] = log.get(at..)?.first_chunk()?;
        let (length, kind) = (usize::from(u16::from_le_bytes([header[4], header[5]])), header[6]);
        if kind == 0 && length == 0 {
            return log.get(at..)?.iter().any(|byte| *byte != 0).then_some(at);
        }
        at += length + if RECYCLED.contains(&kind) { RECYCLED_HEADER } else { HEADER };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(payload: usize) -> Vec<u8> {
        let length = u16::try_from(payload).unwrap().to_le_bytes();
        [&[9, 9, 9, 9, length[0], length[1], 1][..], &vec![7; payload]].concat()
    }

    #[test]
    fn zeros_where_a_record_begins_are_a_hole_if_anything_follows() {
        let whole = [record(100), record(0), record(300)].concat();
        assert_eq!(hole(&whole), None);
        assert_eq!(hole(&[]), None);
        assert_eq!(hole(&[whole.clone(), vec![0; 70_000]].concat()), None, "nothing follows");
        for cut in 0..whole.len() {
            assert_eq!(hole(&whole[..cut]), None, "a torn end is no hole: {cut}");
        }
        let mut holed = [whole.clone(), vec![0; BLOCK - whole.len()], record(5)].concat();
        assert_eq!(hole(&holed), Some(whole.len()));
        // a checksum of which the rest is missing
        holed[whole.len()] = 1;
        assert_eq!(hole(&holed), Some(whole.len()));
    }

    #[test]
    fn the_end_of_a_block_that_has_no_room_for_a_header_is_no_hole() {
        for room in 0..HEADER {
            let first = record(BLOCK - HEADER - room);
            let log = [first, vec![0; room], record(10)].concat();
            assert_eq!(hole(&log), None, "{room}");
        }
    }

    #[test]
    fn regression_a_database_with_a_hole_in_its_log_opens_to_what_was_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut options = rocksdb::Options::default();
        options.create_if_missing(true);
        options.set_wal_recovery_mode(rocksdb::DBRecoveryMode::PointInTime);
        let there = |db: &Path| {
            let database = rocksdb::DB::open(&options, db).unwrap();
            (0..8_u8).map(|key| database.get([key]).unwrap().is_some()).collect::<Vec<_>>()
        };
        let (ours, alone) = (dir.path().join("ours"), dir.path().join("alone"));
        for db in [&ours, &alone] {
            let database = rocksdb::DB::open(&options, db).unwrap();
            for key in 0..8_u8 {
                // with its key and two headers, each is a block
                database.put([key], vec![key; BLOCK - HEADER - 18]).unwrap();
            }
            drop(database);
            let [log] = &logs(db).unwrap()[..] else { panic!("one log") };
            let mut bytes = std::fs::read(log).unwrap();
            assert_eq!(bytes.len(), 8 * BLOCK);
            bytes[3 * BLOCK..4 * BLOCK].fill(0);
            std::fs::write(log, &bytes).unwrap();
        }
        assert_eq!(there(&alone), [true, true, true, false, true, true, true, true], "RocksDB goes on");
        cut_behind_holes(&ours).unwrap();
        assert_eq!(there(&ours), [true, true, true, false, false, false, false, false]);
    }
}
