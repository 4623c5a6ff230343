//! The files that the demonstration stores.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::shell;

/// Bytes of a block, at most.
pub(super) const BLOCK: usize = 256 * 1024;
/// Files of a folder beyond this many bytes in all are left out, so that the demonstration ends soon.
const MAX_BYTES: u64 = 512 << 20;

/// A file.
pub(super) struct Entry {
    pub(super) path: String,
    pub(super) content: Vec<u8>,
}

/// All files, by the log that they go to: one for each folder at the top.
pub(super) struct Library {
    folder: String,
    logs: BTreeMap<String, Vec<Entry>>,
    left_out: usize,
}

impl Library {
    pub(super) fn by_log(&self) -> impl Iterator<Item = (&str, &[Entry])> {
        self.logs.iter().map(|(name, entries)| (name.as_str(), entries.as_slice()))
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.logs.values().flatten()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.entries().map(|entry| entry.content.len() as u64).sum()
    }

    pub(super) fn describe(&self) -> String {
        let more = match self.left_out {
            0 => String::new(),
            n => format!(" ({n} more are left out, since they are too large for a demonstration)"),
        };
        format!("the {} files of {} ({}){more}", self.entries().count(), self.folder, size(self.bytes()))
    }
}

/// The files of a folder; by default those of this project.
pub(super) fn collect(folder: Option<&str>) -> Result<Library, String> {
    let (base, paths) = match folder {
        None => (shell::root(), shell::tracked_files()?),
        Some(folder) => {
            let base = PathBuf::from(folder);
            let mut found = Vec::new();
            walk(&base, &base, &mut found)?;
            found.sort();
            (base, found)
        }
    };
    let mut library =
        Library { folder: folder.unwrap_or("this project").to_owned(), logs: BTreeMap::new(), left_out: 0 };
    let mut bytes = 0;
    for path in paths {
        let content = std::fs::read(base.join(&path)).map_err(|error| format!("{path}: {error}"))?;
        bytes += content.len() as u64;
        if bytes > MAX_BYTES {
            library.left_out += 1;
            continue;
        }
        let top = path.split_once('/').map_or("top", |(top, _)| top).to_owned();
        library.logs.entry(top).or_default().push(Entry { path, content });
    }
    if library.entries().next().is_none() {
        return Err(format!("{} holds no files", library.folder));
    }
    Ok(library)
}

fn walk(base: &Path, folder: &Path, found: &mut Vec<String>) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
        let name = entry.file_name();
        if kind.is_dir() && name != ".git" && name != "target" && name != "node_modules" {
            walk(base, &path, found)?;
        } else if kind.is_file() {
            let relative = path.strip_prefix(base).unwrap_or(&path);
            found.push(relative.display().to_string());
        }
    }
    Ok(())
}

/// A number of bytes as people read it.
pub(super) fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} GiB")
}
