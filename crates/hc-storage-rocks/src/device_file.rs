//! The `CORESTORE` file: it says which machine a directory belongs to, and its lock which process.
//!
//! The file is written once, when the directory is made. A directory that was copied, or a file that was touched, no longer
//! fits its inode, its time or its extended attribute, and is refused: two copies of a writable log that both go on would
//! fork it. Moving a directory within its file system is fine.
//!
//! | line | says |
//! | --- | --- |
//! | `device/platform` | the operating system |
//! | `device/inode` | the file's inode |
//! | `device/created` | when it was made, in milliseconds since 1970 |
//! | `device/attribute` | `original`, if the extended attribute could be set to that |
//!
//! The lock is an exclusive open-file-description lock on the whole file, which is what Node takes; `flock` would not
//! exclude it.
//!
//! Follows npm device-file, `index.js`, and npm fd-lock.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use hc_storage::StorageError;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use xattr::FileExt;

const FILE: &str = "CORESTORE";
const ATTRIBUTE: &str = if cfg!(target_os = "linux") { "user.device-file" } else { "device-file" };
const ORIGINAL: &str = "original";
/// The file's own times may be so many milliseconds off from what it says.
const SLACK_MS: u64 = 5000;
/// No device file is longer.
const MAX_LEN: u64 = 4096;

/// A directory's device file, locked for as long as this lives.
#[derive(Debug)]
pub(crate) struct DeviceFile {
    _locked: File,
}

impl DeviceFile {
    /// Locks the directory's device file and checks it, or makes one.
    pub(crate) fn open(dir: &Path) -> Result<Self, StorageError> {
        let path = dir.join(FILE);
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(|error| StorageError::io("opening CORESTORE", error))?;
        lock(&file, dir)?;
        let text = read(&file)?;
        // one that is empty was just made, here or by a process that ended before it wrote it; after a power loss some file
        // systems give zeros for what was not synced
        if text.iter().all(|byte| *byte == 0) {
            write(&file)?;
        } else {
            check(&file, &text, dir)?;
        }
        Ok(Self { _locked: file })
    }

    /// Locks the directory's device file, and writes it anew: the directory is the one that goes on.
    pub(crate) fn adopt(dir: &Path) -> Result<Self, StorageError> {
        let path = dir.join(FILE);
        let failed = |error| StorageError::io("writing CORESTORE", error);
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        // the process that has the directory open keeps it
        drop({
            let file = options.open(&path).map_err(failed)?;
            lock(&file, dir)?;
            file
        });
        // a file's birth cannot be changed: it takes a new file
        std::fs::remove_file(&path).map_err(failed)?;
        Self::open(dir)
    }
}

/// Says whose the directory is. All of it or, after a power loss, nothing: the text is shorter than a sector.
fn write(mut file: &File) -> Result<(), StorageError> {
    let failed = |error| StorageError::io("writing CORESTORE", error);
    file.set_len(0).and_then(|()| file.rewind()).map_err(failed)?;
    let inode = file.metadata().map_err(failed)?.ino();
    let created = millis(SystemTime::now());
    let mut text =
        format!("device/platform={}\ndevice/inode={inode}\ndevice/created={created}\n", platform());
    if file.set_xattr(ATTRIBUTE, ORIGINAL.as_bytes()).is_ok() {
        text.push_str("device/attribute=original\n");
    }
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)
}

const fn platform() -> &'static str {
    if cfg!(target_os = "macos") { "darwin" } else { std::env::consts::OS }
}

fn lock(file: &File, dir: &Path) -> Result<(), StorageError> {
    let whole_file = nix::libc::flock {
        l_type: i16::try_from(nix::libc::F_WRLCK).unwrap_or_default(),
        l_whence: i16::try_from(nix::libc::SEEK_SET).unwrap_or_default(),
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    match fcntl(file, FcntlArg::F_OFD_SETLK(&whole_file)) {
        Ok(_) => Ok(()),
        Err(Errno::EAGAIN | Errno::EACCES) => Err(StorageError::Locked(format!(
            "the store in {} is open in another process (its CORESTORE file is locked)",
            dir.display()
        ))),
        Err(error) => Err(StorageError::io("locking CORESTORE", error)),
    }
}

fn read(file: &File) -> Result<Vec<u8>, StorageError> {
    let mut text = Vec::new();
    let read = file.take(MAX_LEN).read_to_end(&mut text);
    read.map_err(|error| StorageError::io("reading CORESTORE", error))?;
    Ok(text)
}

fn check(file: &File, text: &[u8], dir: &Path) -> Result<(), StorageError> {
    let failed = |error| StorageError::io("reading CORESTORE", error);
    let text = String::from_utf8_lossy(text);
    let lines: BTreeMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.trim(), value.trim()))
        .collect();
    let said = |name| lines.get(name).copied().unwrap_or_default();
    let refuse = |why: &str| {
        Err(StorageError::Locked(format!(
            "the store in {} {why}; a copy that goes on beside the original would fork its logs",
            dir.display()
        )))
    };
    if !said("device/platform").is_empty() && said("device/platform") != platform() {
        return refuse("was made on another platform");
    }
    let attribute = file.get_xattr(ATTRIBUTE).ok().flatten().unwrap_or_default();
    if attribute != said("device/attribute").as_bytes() {
        return refuse("was moved unsafely (its CORESTORE file is a copy)");
    }
    let metadata = file.metadata().map_err(failed)?;
    let born = metadata.created().map_or(0, millis);
    let changed = metadata.modified().map_or(0, millis).max(born);
    let created: u64 = said("device/created").parse().unwrap_or(0);
    let moved = said("device/inode") != metadata.ino().to_string();
    if moved || (created != 0 && changed.abs_diff(created) >= SLACK_MS) {
        return refuse("was modified (its CORESTORE file is not the one that was made with it)");
    }
    Ok(())
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
