//! What the engine's list of files was when a store was closed.
//!
//! RocksDB takes a list (`MANIFEST`) that ends early, or whose end it cannot read, for one whose end was never written. It then
//! opens an older state of the store, with some of the newer data on top: values that were overwritten come back. So at
//! closing a seal is left beside the database, which tells such a list from a whole one.
//!
//! The seal is a line of text: the name of the list, its length in bytes, a checksum of so many bytes of it, and one of the line
//! before that. A list only grows, and each opening for writing begins a new one with a higher number: a seal of another
//! list says nothing. So it needs no sync, and a store that another program wrote to meanwhile, or that was not closed, is as
//! good as one without.

use std::path::Path;

use hc_storage::StorageError;

const FILE: &str = "MANIFEST_SEAL";

/// Leaves a seal in the folder of a store that was closed. One that cannot be written is only missing.
pub(crate) fn leave(dir: &Path) {
    let Ok((name, list)) = current(dir) else { return };
    let line = format!("{name} {} {:016x}", list.len(), checksum(&list));
    let line = format!("{line} {:016x}\n", checksum(line.as_bytes()));
    // a store without a seal is as good as one with a seal of another list
    let _ = std::fs::write(dir.join(FILE), line);
}

/// Whether the list of files is still what it was.
///
/// # Errors
/// [`StorageError::Io`] if it is not.
pub(crate) fn check(dir: &Path) -> Result<(), StorageError> {
    let Ok(line) = std::fs::read_to_string(dir.join(FILE)) else { return Ok(()) };
    let (Some((name, len, sum)), Ok((current, list))) = (parse(&line), current(dir)) else { return Ok(()) };
    if name != current || list.get(..len).is_some_and(|sealed| checksum(sealed) == sum) {
        return Ok(());
    }
    let damaged = format!("db/{name} is damaged: it is not what it was when the store was closed");
    Err(StorageError::io("checking the database", std::io::Error::other(damaged)))
}

/// The name and the content of the list that counts.
fn current(dir: &Path) -> std::io::Result<(String, Vec<u8>)> {
    let db = dir.join("db");
    let name = std::fs::read_to_string(db.join("CURRENT"))?.trim_end().to_owned();
    let list = std::fs::read(db.join(&name))?;
    Ok((name, list))
}

fn parse(line: &str) -> Option<(&str, usize, u64)> {
    let (said, sum) = line.trim_end().rsplit_once(' ')?;
    if u64::from_str_radix(sum, 16).ok()? != checksum(said.as_bytes()) {
        return None;
    }
    let mut words = said.split(' ');
    let (name, len, sum) = (words.next()?, words.next()?, words.next()?);
    Some((name, len.parse().ok()?, u64::from_str_radix(sum, 16).ok()?))
}

/// FNV-1a: it tells damage, not malice.
fn checksum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::{check, leave};

    #[test]
    fn a_list_that_grew_or_was_begun_anew_is_fine_and_one_that_lost_its_end_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let db = dir.path().join("db");
        std::fs::create_dir(&db).unwrap();
        check(dir.path()).unwrap();
        std::fs::write(db.join("CURRENT"), "MANIFEST-000005\n").unwrap();
        std::fs::write(db.join("MANIFEST-000005"), "one two").unwrap();
        leave(dir.path());
        check(dir.path()).unwrap();
        for (list, fine) in [("one two three", true), ("one ", false), ("one Two", false), ("", false)] {
            std::fs::write(db.join("MANIFEST-000005"), list).unwrap();
            assert_eq!(check(dir.path()).is_ok(), fine, "{list:?}");
        }
        std::fs::write(db.join("MANIFEST-000009"), "").unwrap();
        std::fs::write(db.join("CURRENT"), "MANIFEST-000009\n").unwrap();
        check(dir.path()).unwrap();
    }

    #[test]
    fn a_seal_that_is_damaged_itself_says_nothing() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("db")).unwrap();
        std::fs::write(dir.path().join("db/CURRENT"), "MANIFEST-000005\n").unwrap();
        std::fs::write(dir.path().join("db/MANIFEST-000005"), "one").unwrap();
        leave(dir.path());
        let seal = std::fs::read(dir.path().join("MANIFEST_SEAL")).unwrap();
        for place in 0..seal.len() - 1 {
            let mut damaged = seal.clone();
            damaged[place] ^= 1;
            std::fs::write(dir.path().join("MANIFEST_SEAL"), damaged).unwrap();
            check(dir.path()).unwrap();
        }
    }
}
