//! What the database was when a store was closed.
//!
//! RocksDB takes a write-ahead log that ends early, or whose end it cannot read, for one whose end was never written, and so it
//! takes its list of files (`MANIFEST`). What was damaged while the store was closed is then silently gone: logs are shorter,
//! and with an older list values that were overwritten come back. So at closing everything is brought to the device and a seal
//! left beside the database, which tells a damaged one from a whole one.
//!
//! The seal is text: for the list that `CURRENT` names and then for each log a line with its name, its length in bytes and a
//! checksum; at the end a checksum of the lines. Each opening for writing begins a list with a higher number, and a seal of
//! another list says nothing. So a store that another program wrote to meanwhile, or that was not closed, is as good as one without a
//! seal, and so is one whose seal was lost or torn.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use hc_storage::StorageError;

use crate::folder;

const FILE: &str = "SEAL";
/// What is read at once.
const CHUNK: usize = 64 * 1024;

/// Leaves a seal in the folder of a store that is closed and on the device. One that cannot be written is only missing.
pub(crate) fn leave(dir: &Path) {
    let written = lines(dir).and_then(|lines| {
        let sum = checksum(lines.as_bytes())?.1;
        std::fs::write(dir.join(FILE), format!("{lines}{sum:016x}\n"))
    });
    if written.is_err() {
        let _ = std::fs::remove_file(dir.join(FILE));
    }
}

/// Whether the database is still what it was.
///
/// # Errors
/// [`StorageError::Io`] if it is not.
pub(crate) fn check(dir: &Path) -> Result<(), StorageError> {
    let Some(damaged) = damaged(dir) else { return Ok(()) };
    let why = format!(
        "db/{damaged} in {} is damaged or gone: it is not what it was when the store was closed; adopting the directory opens \
         what is left",
        dir.display()
    );
    Err(StorageError::io("checking the database", std::io::Error::other(why)))
}

/// The first file that is not what the seal says.
fn damaged(dir: &Path) -> Option<String> {
    let text = std::fs::read_to_string(dir.join(FILE)).ok()?;
    let (lines, sum) = text.trim_end().rsplit_once('\n').map(|(lines, sum)| (format!("{lines}\n"), sum))?;
    if u64::from_str_radix(sum, 16).ok()? != checksum(lines.as_bytes()).ok()?.1 {
        return None;
    }
    let counts = || lines.split(' ').next().map(str::to_owned) == list(dir);
    let found = lines.lines().find(|line| {
        let name = line.split(' ').next().unwrap_or_default();
        line_of(dir, name).ok().as_deref() != Some(*line)
    });
    // a writer that opens the store meanwhile begins another list
    found.filter(|_| counts()).and_then(|line| line.split(' ').next()).map(str::to_owned)
}

/// What the seal of a store says, without its end.
fn lines(dir: &Path) -> std::io::Result<String> {
    let list = list(dir).ok_or_else(|| std::io::Error::other("there is no list of files"))?;
    let names = folder::names(&dir.join("db"))?.into_iter();
    // RocksDB's names are text, and a seal says nothing of others
    let mut logs: Vec<String> = names
        .filter(|name| folder::ends_in(name, "log"))
        .filter_map(|name| name.into_string().ok())
        .collect();
    logs.sort();
    let mut lines = String::new();
    for name in std::iter::once(list).chain(logs) {
        lines.push_str(&line_of(dir, &name)?);
        lines.push('\n');
    }
    Ok(lines)
}

/// The list of files that counts.
fn list(dir: &Path) -> Option<String> {
    Some(std::fs::read_to_string(dir.join("db/CURRENT")).ok()?.trim_end().to_owned())
}

fn line_of(dir: &Path, name: &str) -> std::io::Result<String> {
    let (len, sum) = checksum(File::open(dir.join("db").join(name))?)?;
    Ok(format!("{name} {len} {sum:016x}"))
}

/// The length and a checksum, in the manner of FNV-1a but eight bytes at once: it tells damage, not malice.
fn checksum(mut bytes: impl Read) -> std::io::Result<(u64, u64)> {
    let (mut len, mut sum) = (0_u64, 0xcbf2_9ce4_8422_2325_u64);
    let mut chunk = Vec::with_capacity(CHUNK);
    loop {
        chunk.clear();
        let read = bytes.by_ref().take(CHUNK as u64).read_to_end(&mut chunk)?;
        if read == 0 {
            return Ok((len, sum));
        }
        len += read as u64;
        for word in chunk.chunks(8) {
            let mut padded = [0; 8];
            padded.iter_mut().zip(word).for_each(|(to, from)| *to = *from);
            sum = (sum ^ u64::from_le_bytes(padded)).wrapping_mul(0x0100_0000_01b3).rotate_left(23);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{check, leave};

    fn closed() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let db = dir.path().join("db");
        std::fs::create_dir(&db).unwrap();
        std::fs::write(db.join("CURRENT"), "MANIFEST-000005\n").unwrap();
        std::fs::write(db.join("MANIFEST-000005"), "files").unwrap();
        std::fs::write(db.join("000004.log"), [7; 100]).unwrap();
        check(dir.path()).unwrap();
        leave(dir.path());
        check(dir.path()).unwrap();
        dir
    }

    #[test]
    fn a_list_or_a_log_that_is_not_what_it_was_is_found() {
        for (file, content) in [
            ("MANIFEST-000005", Some("file")),
            ("MANIFEST-000005", Some("filet")),
            ("000004.log", Some("")),
            ("000004.log", None),
        ] {
            let dir = closed();
            let path = dir.path().join("db").join(file);
            match content {
                Some(content) => std::fs::write(path, content).unwrap(),
                None => std::fs::remove_file(path).unwrap(),
            }
            assert!(check(dir.path()).unwrap_err().to_string().contains(file));
        }
    }

    #[test]
    fn a_seal_of_another_list_says_nothing() {
        let dir = closed();
        std::fs::write(dir.path().join("db/MANIFEST-000009"), "").unwrap();
        std::fs::write(dir.path().join("db/CURRENT"), "MANIFEST-000009\n").unwrap();
        std::fs::remove_file(dir.path().join("db/000004.log")).unwrap();
        check(dir.path()).unwrap();
    }

    #[test]
    fn a_seal_that_is_damaged_itself_says_nothing() {
        let dir = closed();
        let seal = std::fs::read(dir.path().join("SEAL")).unwrap();
        damage_log(dir.path());
        for place in 0..seal.len() - 1 {
            let mut damaged = seal.clone();
            damaged[place] ^= 1;
            std::fs::write(dir.path().join("SEAL"), damaged).unwrap();
            check(dir.path()).unwrap();
        }
        std::fs::write(dir.path().join("SEAL"), &seal).unwrap();
        check(dir.path()).unwrap_err();
    }

    fn damage_log(dir: &Path) {
        std::fs::write(dir.join("db/000004.log"), [8; 100]).unwrap();
    }
}
