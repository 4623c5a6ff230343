//! What is in the database's folder.

use std::path::Path;

use nix::dir::Dir;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

/// The names in a folder; none if it cannot be read.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    // not with the standard library: it panics if the folder cannot be closed
    let Ok(mut folder) = Dir::open(folder, flags, Mode::empty()) else { return Vec::new() };
    folder.iter().flatten().map(|file| file.file_name().to_string_lossy().into_owned()).collect()
}
