//! What is in the database's folder.

use std::path::Path;

use nix::dir::Dir;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

/// The names in a folder.
///
/// # Errors
/// If it cannot be read to its end.
pub(crate) fn names(folder: &Path) -> std::io::Result<Vec<String>> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    // not with the standard library: it panics if the folder cannot be closed
    let mut folder = Dir::open(folder, flags, Mode::empty())?;
    let mut names = Vec::new();
    for file in folder.iter() {
        names.push(file?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}
