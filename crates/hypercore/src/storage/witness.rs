//! The witness: a small file beside the store that says what peers were told.
//!
//! A store that was set back (a backup that was restored, a disk image that was rolled back) does not know it. A writer that
//! went on with one would sign a second history of its log, and each peer that saw both would stop trusting it. So before
//! a writer tells peers of a head, the head is written here; and when a core is opened whose log is behind what is written
//! here, or has another history, the core is *recovering*.
//!
//! The file is `WITNESS` in the store's directory: a line for each head, the last one of a core counts.
//!
//! | part of a line | is |
//! | --- | --- |
//! | discovery key | 64 hexadecimal digits |
//! | fork, length | decimal |
//! | tree hash | 64 hexadecimal digits |
//! | check | the first 8 hexadecimal digits of the BLAKE2b of what is before it |
//!
//! It also outlives logs: a line `spent`, discovery key, fork, check says that a log was taken away that had used the forks up to
//! this one. If the same key signs a log in this store again, it is on a higher fork.
//!
//! A line that is torn or was altered is left out: then less is known, and nothing is made up. Lines are appended and
//! brought to the device before the head is told; when most lines are outdated the file is written anew beside itself and
//! put in its place.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use hc_crypto::{DiscoveryKey, Hash};
use hc_storage::StorageError;
use parking_lot::Mutex;

type Result<T> = std::result::Result<T, StorageError>;

const FILE: &str = "WITNESS";
/// What a line begins with that is about a log which is gone.
const SPENT: &str = "spent";
/// Lines that may be outdated before the file is written anew, beside as many as there are cores.
const SPARE_LINES: usize = 4096;

/// What peers were told of a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) fork: u64,
    pub(crate) length: u64,
    pub(crate) tree_hash: Hash,
}

/// The witness of a store's directory.
#[derive(Debug)]
pub(crate) struct Witness {
    path: PathBuf,
    /// Whether nothing is ever written.
    read_only: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    told: BTreeMap<DiscoveryKey, Told>,
    /// The highest forks of logs that are gone.
    spent: BTreeMap<DiscoveryKey, u64>,
    /// What is to be written with the next sync.
    pending: BTreeMap<DiscoveryKey, Told>,
    /// How often notes were taken that are neither written nor put back yet.
    taken: usize,
    lines: usize,
    file: Option<File>,
}

impl State {
    fn put_back(&mut self, notes: BTreeMap<DiscoveryKey, Told>) {
        self.taken = self.taken.saturating_sub(usize::from(!notes.is_empty()));
        for (core, told) in notes {
            // what was noted since is newer
            self.pending.entry(core).or_insert(told);
        }
    }
}

impl Witness {
    /// Reads the witness of a directory. None yet is an empty one.
    pub(crate) fn open(dir: &Path, read_only: bool) -> Result<Self> {
        let path = dir.join(FILE);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(StorageError::io("reading the witness", error)),
        };
        let text = String::from_utf8_lossy(&text);
        let mut state = State { lines: text.lines().count(), ..State::default() };
        for line in text.lines() {
            match parse(line) {
                Some((core, Line::Told(told))) => drop(state.told.insert(core, told)),
                Some((core, Line::Spent(fork))) => drop(state.spent.insert(core, fork)),
                None => {}
            }
        }
        // behind a torn line the next one would be unreadable too
        if !text.is_empty() && !text.ends_with('\n') {
            state.lines = usize::MAX;
        }
        Ok(Self { path, read_only, state: Mutex::new(state) })
    }

    /// What peers were told of a core.
    pub(crate) fn told(&self, core: &DiscoveryKey) -> Option<Told> {
        self.state.lock().told.get(core).copied()
    }

    /// Notes what peers are about to be told.
    pub(crate) fn note(&self, core: DiscoveryKey, told: Told) {
        let mut state = self.state.lock();
        if state.told.get(&core) != Some(&told) && !self.read_only {
            state.pending.insert(core, told);
        }
    }

    /// Whether something was noted that is not written yet.
    pub(crate) fn has_notes(&self) -> bool {
        let state = self.state.lock();
        !state.pending.is_empty() || state.taken > 0
    }

    /// Takes what was noted up to now: to be [written](Self::write) or [put back](Self::put_back).
    pub(crate) fn take(&self) -> BTreeMap<DiscoveryKey, Told> {
        let mut state = self.state.lock();
        let notes = std::mem::take(&mut state.pending);
        state.taken = state.taken.saturating_add(usize::from(!notes.is_empty()));
        notes
    }

    /// Forgets a core.
    pub(crate) fn forget(&self, core: &DiscoveryKey) -> Result<()> {
        let mut state = self.state.lock();
        state.pending.remove(core);
        if state.told.remove(core).is_none() {
            return Ok(());
        }
        self.rewrite(&mut state)
    }

    /// The highest fork of a log that is gone, if this core had one.
    pub(crate) fn spent(&self, core: &DiscoveryKey) -> Option<u64> {
        self.state.lock().spent.get(core).copied()
    }

    /// Notes the highest fork of a log that goes, and brings it to the device.
    pub(crate) fn spend(&self, core: DiscoveryKey, fork: u64) -> Result<()> {
        let mut state = self.state.lock();
        if state.spent.get(&core).is_some_and(|spent| *spent >= fork) {
            return Ok(());
        }
        let mut text = String::new();
        put_line(&mut text, &core, &Line::Spent(fork));
        let before = state.spent.insert(core, fork);
        let written = self.append(&mut state, &text, 1);
        if written.is_err() {
            // what is not on the device is not known of
            match before {
                Some(before) => state.spent.insert(core, before),
                None => state.spent.remove(&core),
            };
        }
        written
    }

    /// Writes notes, and brings them to the device. If that fails they wait for the next sync.
    pub(crate) fn write(&self, notes: BTreeMap<DiscoveryKey, Told>) -> Result<()> {
        if notes.is_empty() {
            return Ok(());
        }
        let mut state = self.state.lock();
        let mut text = String::new();
        for (core, told) in &notes {
            put_line(&mut text, core, &Line::Told(*told));
        }
        let count = notes.len();
        state.told.extend(notes.iter().map(|(core, told)| (*core, *told)));
        let written = self.append(&mut state, &text, count);
        match &written {
            Ok(()) => state.taken = state.taken.saturating_sub(1),
            Err(_) => state.put_back(notes),
        }
        written
    }

    /// Takes notes back that could not be written: they wait for the next sync.
    pub(crate) fn put_back(&self, notes: BTreeMap<DiscoveryKey, Told>) {
        self.state.lock().put_back(notes);
    }

    fn append(&self, state: &mut State, text: &str, count: usize) -> Result<()> {
        let known = state.told.len().saturating_add(state.spent.len());
        if state.lines.saturating_add(count) > known.saturating_add(SPARE_LINES) {
            return self.rewrite(state);
        }
        let failed = |error| StorageError::io("writing the witness", error);
        // after a failure the file may end in a torn line: it is written anew then
        let lines = std::mem::replace(&mut state.lines, usize::MAX);
        let mut file = match state.file.take() {
            Some(file) => file,
            None => {
                let mut options = OpenOptions::new();
                let file = options.append(true).create(true).mode(0o600).open(&self.path).map_err(failed)?;
                self.sync_folder()?;
                file
            }
        };
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.sync_data().map_err(failed)?;
        state.file = Some(file);
        state.lines = lines.saturating_add(count);
        Ok(())
    }

    fn rewrite(&self, state: &mut State) -> Result<()> {
        let failed = |error| StorageError::io("writing the witness", error);
        let mut text = String::new();
        for (core, fork) in &state.spent {
            put_line(&mut text, core, &Line::Spent(*fork));
        }
        for (core, told) in &state.told {
            put_line(&mut text, core, &Line::Told(*told));
        }
        let beside = self.path.with_extension("new");
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(&beside).map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        std::fs::rename(&beside, &self.path).map_err(failed)?;
        state.file = None;
        state.lines = state.told.len().saturating_add(state.spent.len());
        self.sync_folder()
    }

    fn sync_folder(&self) -> Result<()> {
        let failed = |error| StorageError::io("syncing the directory", error);
        match self.path.parent() {
            Some(folder) => File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed),
            None => Ok(()),
        }
    }
}

/// What a line says of a core.
enum Line {
    Told(Told),
    Spent(u64),
}

fn put_line(text: &mut String, core: &DiscoveryKey, line: &Line) {
    let body = match line {
        Line::Told(Told { fork, length, tree_hash }) => format!("{core} {fork} {length} {tree_hash}"),
        Line::Spent(fork) => format!("{SPENT} {core} {fork}"),
    };
    // writing into a string cannot fail
    let _ = writeln!(text, "{body} {}", check(&body));
}

fn check(body: &str) -> String {
    let mut digits = hc_crypto::hash::blake2b(&[body.as_bytes()]).to_string();
    digits.truncate(8);
    digits
}

fn parse(line: &str) -> Option<(DiscoveryKey, Line)> {
    let (body, said) = line.rsplit_once(' ')?;
    if check(body) != said {
        return None;
    }
    if let Some(spent) = body.strip_prefix(SPENT) {
        let (core, fork) = spent.trim_start().split_once(' ')?;
        return Some((DiscoveryKey::from(digits(core)?), Line::Spent(fork.parse().ok()?)));
    }
    let mut parts = body.split(' ');
    let core = DiscoveryKey::from(digits(parts.next()?)?);
    let (fork, length) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let tree_hash = Hash::from(digits(parts.next()?)?);
    Some((core, Line::Told(Told { fork, length, tree_hash })))
}

fn digits(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(length: u64) -> Told {
        Told { fork: 1, length, tree_hash: Hash::from([7; 32]) }
    }

    #[test]
    fn m8_what_was_written_is_read_again_and_a_torn_line_costs_only_itself() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (DiscoveryKey::from([1; 32]), DiscoveryKey::from([2; 32]));
        let witness = Witness::open(dir.path(), false).unwrap();
        for (core, length) in [(one, 1), (other, 5), (one, 9)] {
            witness.note(core, told(length));
            witness.write(witness.take()).unwrap();
        }
        let text = std::fs::read_to_string(dir.path().join(FILE)).unwrap();
        let reread = |text: &str| {
            std::fs::write(dir.path().join(FILE), text).unwrap();
            let witness = Witness::open(dir.path(), false).unwrap();
            (witness.told(&one), witness.told(&other), witness)
        };
        let (first, second, _) = reread(&text);
        assert_eq!((first, second), (Some(told(9)), Some(told(5))));
        for cut in 1..100 {
            let (first, second, witness) = reread(&text[..text.len() - cut]);
            // only the line's end is missing in the first case
            assert_eq!(first, Some(told(if cut == 1 { 9 } else { 1 })), "{cut}");
            assert_eq!(second, Some(told(5)));
            witness.note(other, told(6));
            witness.write(witness.take()).unwrap();
            assert_eq!(Witness::open(dir.path(), false).unwrap().told(&other), Some(told(6)), "{cut}");
        }
        witness.forget(&one).unwrap();
        assert_eq!(Witness::open(dir.path(), false).unwrap().told(&one), None);
    }

    #[test]
    fn forks_of_logs_that_are_gone_stay_known_and_only_rise() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (DiscoveryKey::from([1; 32]), DiscoveryKey::from([2; 32]));
        let witness = Witness::open(dir.path(), false).unwrap();
        witness.note(other, told(5));
        witness.write(witness.take()).unwrap();
        for (fork, known) in [(3, 3), (2, 3), (7, 7)] {
            witness.spend(one, fork).unwrap();
            assert_eq!(witness.spent(&one), Some(known));
            assert_eq!(Witness::open(dir.path(), false).unwrap().spent(&one), Some(known));
        }
        // the file is written anew with what both kinds of lines say
        witness.forget(&other).unwrap();
        let again = Witness::open(dir.path(), true).unwrap();
        assert_eq!((again.spent(&one), again.spent(&other), again.told(&other)), (Some(7), None, None));
        again.note(one, told(1));
        assert!(!again.has_notes(), "what is only read is not written");
    }

    #[test]
    fn a_file_with_many_outdated_lines_is_written_anew() {
        let dir = tempfile::tempdir().unwrap();
        let witness = Witness::open(dir.path(), false).unwrap();
        let core = DiscoveryKey::from([1; 32]);
        for length in 0..SPARE_LINES as u64 + 10 {
            // without waiting for the device each time
            witness.state.lock().lines += 1;
            if length % 1000 == 0 || length >= SPARE_LINES as u64 {
                witness.note(core, told(length));
                witness.write(witness.take()).unwrap();
            }
        }
        assert!(std::fs::read_to_string(dir.path().join(FILE)).unwrap().lines().count() < 20);
        assert_eq!(Witness::open(dir.path(), false).unwrap().told(&core), Some(told(SPARE_LINES as u64 + 9)));
    }
}
