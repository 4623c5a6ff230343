//! What is in a folder.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::dir::Dir;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

/// The names in a folder, `.` and `..` too.
///
/// # Errors
/// If it cannot be read to its end.
pub(crate) fn names(folder: &Path) -> std::io::Result<Vec<OsString>> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    // not with the standard library: it panics if the folder cannot be closed
    let mut folder = Dir::open(folder, flags, Mode::empty())?;
    let mut names = Vec::new();
    for file in folder.iter() {
        names.push(OsStr::from_bytes(file?.file_name().to_bytes()).to_owned());
    }
    Ok(names)
}

/// Whether a name has this ending.
pub(crate) fn ends_in(name: &OsStr, ending: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == ending)
}
