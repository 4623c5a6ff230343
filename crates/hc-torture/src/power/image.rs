//! What a device may hold after the power went.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use super::files::{Change, Inode, Recording};
use crate::rng::Rng;

/// What is written at once, or not at all.
const SECTOR: usize = 512;

/// How a file system treats new names before their folder is synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    /// The last ones of each folder may be lost; only a sync of the folder brings them to the device. (If a folder lost any of
    /// its names, whatever came later, RocksDB itself could not be opened: it renames `CURRENT` before it syncs the name of
    /// the file that `CURRENT` names.)
    ByFolder,
    /// The last ones may be lost: a journal keeps their order, and any sync brings it to the device.
    ByJournal,
}

/// What becomes of changes that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unsynced {
    Lost,
    Kept,
    /// Each is lost, torn or kept.
    Any,
    /// All but a few are kept.
    MostKept,
    /// Kept up to one, which is torn.
    TornEnd,
}

/// An image of a store's folder.
pub(crate) struct Image {
    /// When the power went.
    pub(crate) time: usize,
    names: Names,
    unsynced: Unsynced,
    folders: Vec<PathBuf>,
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "image at {} (names {:?}, unsynced {:?})", self.time, self.names, self.unsynced)
    }
}

/// What is decided on the changes of one image.
struct Lots<'a> {
    rng: &'a mut Rng,
    unsynced: Unsynced,
    names: Names,
    time: usize,
    /// Of unsynced changes, the first that is not kept, where they are kept up to one.
    torn_at: usize,
    names_end: usize,
    /// Whether of a write only the first part may be there, as where a file gets longer only once its end is written.
    whole_end: bool,
    /// The folders that lost a name, after which they lose all.
    lost: BTreeSet<PathBuf>,
}

impl Image {
    pub(crate) fn choose(recording: &Recording, rng: &mut Rng) -> Self {
        let event = rng.index(recording.events.len());
        // right after something began, or between two lines
        let began = recording.events.get(event).map_or(0, |event| event.began);
        let time = if rng.one_in(2) { began + 1 } else { rng.index(recording.end) + 1 };
        let names = if rng.one_in(2) { Names::ByFolder } else { Names::ByJournal };
        let unsynced = match rng.below(6) {
            0 => Unsynced::Lost,
            1 => Unsynced::Kept,
            2 | 3 => Unsynced::Any,
            4 => Unsynced::MostKept,
            _ => Unsynced::TornEnd,
        };
        let unsynced_from = recording
            .events
            .iter()
            .position(|event| event.began < time && event.durable.is_none_or(|durable| durable >= time));
        let happened = recording.events.partition_point(|event| event.began < time);
        let span = happened - unsynced_from.unwrap_or(happened).min(happened);
        let torn_at = happened - span + rng.index(span + 1);
        let names_end = happened - span + rng.index(span + 1);
        let lots =
            Lots { rng, unsynced, names, time, torn_at, names_end, lost: BTreeSet::new(), whole_end: false };
        lots.draw(recording)
    }

    /// The folders of the image, and its files. Logs for people are not worth it; who owns the folder is written anew, since the
    /// file says which inode it has.
    pub(crate) fn content(&self) -> (Vec<PathBuf>, Vec<(PathBuf, Vec<u8>)>) {
        let there = |name: &Path| {
            let folder = name.parent().unwrap_or_else(|| Path::new(""));
            folder.as_os_str().is_empty() || self.folders.iter().any(|known| known == folder)
        };
        let counts = |(name, bytes): &(&PathBuf, &Vec<u8>)| {
            let owner = name.as_os_str() == "CORESTORE" && bytes.ends_with(b"\n");
            let log = name.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"LOG"));
            !owner && !log && there(name)
        };
        let files = self.files.iter().filter(counts);
        (self.folders.clone(), files.map(|(name, bytes)| (name.clone(), bytes.clone())).collect())
    }

    /// Makes the folder.
    pub(crate) fn write(&self, dir: &Path) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("writing an image: {error}");
        let (folders, files) = self.content();
        std::fs::create_dir_all(dir).map_err(failed)?;
        for folder in folders {
            std::fs::create_dir_all(dir.join(folder)).map_err(failed)?;
        }
        for (name, bytes) in files {
            std::fs::write(dir.join(name), bytes).map_err(failed)?;
        }
        Ok(())
    }
}

impl Lots<'_> {
    fn draw(mut self, recording: &Recording) -> Image {
        let mut contents: BTreeMap<Inode, Vec<u8>> = BTreeMap::new();
        let mut names: BTreeMap<PathBuf, Inode> = BTreeMap::new();
        let mut folders = Vec::new();
        let (lists, mut cut_off) = (lists(recording), BTreeSet::new());
        let happened = recording.events.partition_point(|event| event.began < self.time);
        for (place, event) in recording.events.iter().take(happened).enumerate() {
            let name = event.change.is_name();
            let durable =
                if name && self.names == Names::ByJournal { event.durable_in_order } else { event.durable };
            let synced = durable.is_some_and(|durable| durable < self.time);
            let keeps = synced
                || match self.names {
                    _ if !name => self.keeps(place),
                    Names::ByJournal => place < self.names_end,
                    Names::ByFolder => self.keeps_name(place, &event.change),
                };
            match &event.change {
                Change::Write { inode, at, bytes } => {
                    self.whole_end = lists.contains(inode);
                    let file = contents.entry(*inode).or_default();
                    // where only the end may be missing, nothing follows what is
                    let missing = self.whole_end && cut_off.contains(inode);
                    if keeps && !missing {
                        put(file, *at, bytes);
                    } else {
                        cut_off.insert(*inode);
                        if !missing && self.tears(place) {
                            self.tear(file, *at, bytes);
                        }
                    }
                }
                _ if !keeps => {}
                Change::Truncate { inode, len } => contents.entry(*inode).or_default().truncate(*len),
                Change::Create { name, inode } => {
                    names.insert(name.clone(), *inode);
                }
                Change::Rename { from, to, inode } => {
                    names.remove(from);
                    names.insert(to.clone(), *inode);
                }
                Change::Remove { name } => {
                    names.remove(name);
                }
                Change::Folder { name } => folders.push(name.clone()),
            }
        }
        let bytes = |inode| contents.get(&inode).cloned().unwrap_or_default();
        let files = names.into_iter().map(|(name, inode)| (name, bytes(inode))).collect();
        Image { time: self.time, names: self.names, unsynced: self.unsynced, folders, files }
    }

    /// Whether an unsynced change is wholly there.
    fn keeps(&mut self, place: usize) -> bool {
        match self.unsynced {
            Unsynced::Lost => false,
            Unsynced::Kept => true,
            Unsynced::Any => self.rng.one_in(2),
            Unsynced::MostKept => !self.rng.one_in(8),
            Unsynced::TornEnd => place < self.torn_at,
        }
    }

    /// Whether a name is there whose folder was not synced: not if it has lost one already.
    fn keeps_name(&mut self, place: usize, change: &Change) -> bool {
        let folder = match change {
            Change::Create { name, .. } | Change::Remove { name } | Change::Folder { name } => name.parent(),
            Change::Rename { to, .. } => to.parent(),
            Change::Write { .. } | Change::Truncate { .. } => None,
        };
        let folder = folder.unwrap_or_else(|| Path::new("")).to_owned();
        let keeps = !self.lost.contains(&folder) && self.keeps(place);
        if !keeps {
            self.lost.insert(folder);
        }
        keeps
    }

    /// Whether an unsynced write that is not wholly there is partly.
    fn tears(&mut self, place: usize) -> bool {
        match self.unsynced {
            Unsynced::Lost | Unsynced::Kept => false,
            Unsynced::Any | Unsynced::MostKept => self.rng.one_in(2),
            Unsynced::TornEnd => place == self.torn_at,
        }
    }

    /// Some sectors of a write, and perhaps the length that the file would have with all of them.
    fn tear(&mut self, file: &mut Vec<u8>, at: usize, bytes: &[u8]) {
        if !self.whole_end && self.rng.one_in(3) && file.len() < at + bytes.len() {
            file.resize(at + bytes.len(), 0);
        }
        let only_first = self.whole_end || self.rng.one_in(2);
        let mut from = 0;
        while from < bytes.len() {
            let to = (from + SECTOR - (at + from) % SECTOR).min(bytes.len());
            if self.rng.one_in(2) {
                put(file, at + from, bytes.get(from..to).unwrap_or_default());
            } else if only_first {
                return;
            }
            from = to;
        }
    }
}

/// The engine's lists of its files. RocksDB takes one that just ends for one whose end was not written, but refuses one whose
/// last record has another part than its first: that is a typed error, and the same in Node.
fn lists(recording: &Recording) -> BTreeSet<Inode> {
    let list =
        |name: &Path| name.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"MANIFEST-"));
    let created = recording.events.iter().filter_map(|event| match &event.change {
        Change::Create { name, inode } if list(name) => Some(*inode),
        _ => None,
    });
    created.collect()
}

fn put(file: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if file.len() < end {
        file.resize(end, 0);
    }
    if let Some(place) = file.get_mut(at..end) {
        place.copy_from_slice(bytes);
    }
}
