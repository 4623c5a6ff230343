//! A device gives back other bytes than it was given: a bit flips, a sector is zero, a file is shorter or gone.
//!
//! A closed store is damaged in one place, and everything in it read. What is read must be right, or refused with a typed error.
//! A log that is shorter than it was and does not say so is *silent*: its writer would go on from there, and fork it. These are
//! counted on their own: the engine takes a damaged end of its log for one that was never written.

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::checker::{Answer, Checker};
use crate::ledger::{self, Line};
use crate::model::Model;
use crate::options::{Findings, Options};
use crate::rng::Rng;
use crate::script::{Generator, Op, Script};
use crate::view::{Look, View};

/// Damages done to one store, each to a copy of its own.
const DAMAGES_A_STORE: u64 = 50;
const CORES: usize = 3;
/// What a device loses at once, in bytes.
const SECTOR: usize = 512;

/// What is done to a file.
#[derive(Debug, Clone, Copy)]
enum Damage {
    FlippedBit { byte: usize, bit: u32 },
    ZeroedSector { byte: usize },
    Truncated { len: usize },
    Deleted,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// Everything is right.
    Right,
    /// What is not right is a typed error.
    Refused,
    /// A log is shorter, or lacks blocks or records, and does not say so.
    Silent,
    /// Other bytes, a panic, or a log that never was.
    Wrong,
}

/// How often which outcome came of damage to which kind of file.
#[derive(Default)]
struct Table(BTreeMap<String, BTreeMap<Outcome, u64>>);

pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let options = Options::parse(args, 500)?;
    println!("damage: seed {} (a finding names the seed of its store)", options.seed);
    let (mut done, mut stores, mut silent) = (0, 0, 0);
    let (mut checker, mut findings, mut table) = (Checker::new(), Findings::default(), Table::default());
    while options.goes_on(done) {
        let seed = options.seed_of(stores);
        stores += 1;
        let store = Store::new(&options, seed)?;
        let mut rng = Rng::new(seed ^ 0x2222);
        for _ in 0..DAMAGES_A_STORE {
            if !options.goes_on(done) {
                break;
            }
            done += 1;
            let (file, damage) = store.choose(&mut rng);
            let (outcome, why) = store.try_damage(&options, &mut checker, &file, damage)?;
            table.add(kind(&file), outcome);
            silent += u64::from(outcome == Outcome::Silent);
            if outcome == Outcome::Wrong {
                let what = format!("{outcome:?}: {} {damage:?}: {why}", file.display());
                findings.add(seed, &what, &options.scratch);
            }
        }
    }
    println!(
        "damage: {done} damages to {stores} stores in {:.0} s, {silent} of them silent\n{table}",
        options.elapsed()
    );
    findings.outcome()
}

impl Table {
    fn add(&mut self, kind: &str, outcome: Outcome) {
        *self.0.entry(kind.to_owned()).or_default().entry(outcome).or_default() += 1;
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {:<12} {:>8} {:>8} {:>8} {:>8}", "file", "right", "refused", "silent", "wrong")?;
        for (kind, outcomes) in &self.0 {
            write!(f, "  {kind:<12}")?;
            for outcome in [Outcome::Right, Outcome::Refused, Outcome::Silent, Outcome::Wrong] {
                write!(f, " {:>8}", outcomes.get(&outcome).copied().unwrap_or(0))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// What kind of file it is: of numbered ones the ending, else the name.
fn kind(file: &Path) -> &str {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match name.rsplit_once('.') {
        Some((_, ending)) => ending,
        None => name.split('-').next().unwrap_or(name),
    }
}

/// A closed store, what it holds, and its files.
struct Store {
    dir: PathBuf,
    model: Model,
    files: BTreeMap<String, Vec<PathBuf>>,
}

impl Store {
    /// Makes one that has tables, blobs and a log.
    fn new(options: &Options, seed: u64) -> Result<Self, String> {
        let mut generator = Generator::new(Rng::new(seed));
        (generator.reopens, generator.largest) = (false, 20_000);
        let (mut model, mut ops) = (Model::new(CORES), Vec::new());
        for part in 0..generator.rng.within(2, 6) {
            if part > 0 {
                ops.push(Op::Reopen);
            }
            let count = generator.rng.within(5, 25);
            let more = generator.ops(&model, count);
            more.iter().for_each(|op| model.apply(op));
            ops.extend(more);
        }
        let script = Script { sync: false, watch: generator.rng.one_in(2), cores: CORES, ops };
        let dir = options.fresh("closed")?;
        let lines = work(options, &dir, &script)?;
        let model = replay(&script, &lines)?;
        let mut files: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for folder in ["", "db"] {
            for file in files_of(&dir.join(folder))? {
                let file = Path::new(folder).join(file);
                // logs for people, and a file whose only use is to be locked
                if !["LOG", "LOCK"].contains(&kind(&file)) && !is_log_for_people(&file) {
                    files.entry(kind(&file).to_owned()).or_default().push(file);
                }
            }
        }
        Ok(Self { dir, model, files })
    }

    /// Each kind of file as often as the others, however many there are of it.
    fn choose(&self, rng: &mut Rng) -> (PathBuf, Damage) {
        let kinds: Vec<_> = self.files.values().collect();
        let files = kinds[rng.index(kinds.len())];
        let file = files[rng.index(files.len())].clone();
        let len = std::fs::metadata(self.dir.join(&file)).map_or(0, |metadata| metadata.len());
        let len = usize::try_from(len).unwrap_or(0);
        let damage = match rng.below(10) {
            0..4 if len > 0 => Damage::FlippedBit { byte: rng.index(len), bit: rng.index(8) as u32 },
            4..7 if len > 0 => Damage::ZeroedSector { byte: rng.index(len) / SECTOR * SECTOR },
            7..9 if len > 0 => Damage::Truncated { len: rng.index(len) },
            _ => Damage::Deleted,
        };
        (file, damage)
    }

    fn try_damage(
        &self,
        options: &Options,
        checker: &mut Checker,
        file: &Path,
        damage: Damage,
    ) -> Result<(Outcome, String), String> {
        let dir = options.fresh("damaged")?;
        copy(&self.dir, &dir)?;
        damage.apply(&dir.join(file)).map_err(|error| format!("damaging {}: {error}", file.display()))?;
        Ok(match checker.ask(&dir, CORES, Look::Read) {
            Err(died) => (Outcome::Wrong, died),
            Ok(Answer::Refused(why)) if why.contains("panicked") => (Outcome::Wrong, why),
            Ok(Answer::Refused(why)) => (Outcome::Refused, why),
            Ok(Answer::Shows(view)) => self.model.judge(&view),
        })
    }
}

impl Model {
    /// What came of damage to a store that held this.
    fn judge(&self, view: &View) -> (Outcome, String) {
        let mut worst = (Outcome::Right, String::new());
        let cores = self.cores.iter().zip(&view.cores).enumerate();
        for (index, (core, found)) in cores {
            let judged = core.judge(found);
            if judged.0 > worst.0 {
                worst = (judged.0, format!("core {index}: {}", judged.1));
            }
        }
        worst
    }
}

impl crate::model::CoreModel {
    fn judge(&self, found: &crate::view::CoreView) -> (Outcome, String) {
        let Err(why) = self.compare(found) else { return (Outcome::Right, String::new()) };
        if let Some(error) = &found.error {
            let panicked = error.contains("panicked");
            return (if panicked { Outcome::Wrong } else { Outcome::Refused }, why);
        }
        if let Some(wrong) = self.first_wrong(found) {
            return (Outcome::Wrong, wrong);
        }
        if self.silently_lacks(found) { (Outcome::Silent, why) } else { (Outcome::Refused, why) }
    }
}

impl Damage {
    fn apply(self, file: &Path) -> std::io::Result<()> {
        let Self::Deleted = self else {
            // in place: CORESTORE knows its inode
            let mut bytes = std::fs::read(file)?;
            match self {
                Self::FlippedBit { byte, bit } => bytes[byte] ^= 1 << bit,
                Self::ZeroedSector { byte } => {
                    bytes.iter_mut().skip(byte).take(SECTOR).for_each(|byte| *byte = 0);
                }
                Self::Truncated { len } => bytes.truncate(len),
                Self::Deleted => {}
            }
            return std::fs::write(file, bytes);
        };
        std::fs::remove_file(file)
    }
}

/// Runs a worker to its end. What it said.
fn work(options: &Options, dir: &Path, script: &Script) -> Result<Vec<Line>, String> {
    let failed = |error: std::io::Error| format!("a worker: {error}");
    let file = options.scratch.join("script.json");
    std::fs::write(&file, serde_json::to_vec(script).map_err(|error| error.to_string())?).map_err(failed)?;
    let program = std::env::current_exe().map_err(failed)?;
    let done = Command::new(program)
        .arg("work")
        .arg(dir)
        .arg(&file)
        .stdin(Stdio::null())
        .output()
        .map_err(failed)?;
    Ok(ledger::parse(&String::from_utf8_lossy(&done.stdout)))
}

/// What a store holds after a worker ran the whole script.
fn replay(script: &Script, lines: &[Line]) -> Result<Model, String> {
    if let Some(line) = lines.iter().find(|line| matches!(line, Line::Fail { .. })) {
        return Err(format!("a worker failed: {line:?}"));
    }
    if !lines.contains(&Line::Closed) {
        return Err("a worker did not come to its end".into());
    }
    let mut model = Model::new(script.cores);
    for (number, op) in script.ops.iter().enumerate() {
        for step in ledger::steps(op, number, lines) {
            step(&mut model);
        }
    }
    Ok(model)
}

fn files_of(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", dir.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_file() {
            files.push(PathBuf::from(entry.file_name()));
        }
    }
    files.sort();
    Ok(files)
}

fn is_log_for_people(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"LOG"))
}

/// A copy of a store that counts as the original: its CORESTORE names its own inode.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("copying a store: {error}");
    for folder in ["", "db"] {
        std::fs::create_dir_all(to.join(folder)).map_err(failed)?;
        for file in files_of(&from.join(folder))? {
            let file = Path::new(folder).join(file);
            if !is_log_for_people(&file) {
                std::fs::copy(from.join(&file), to.join(&file)).map_err(failed)?;
            }
        }
    }
    let owner = to.join("CORESTORE");
    let inode = std::fs::metadata(&owner).map_err(failed)?.ino();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let mut text =
        format!("device/platform=linux\ndevice/inode={inode}\ndevice/created={}\n", now.as_millis());
    if xattr::set(&owner, "user.device-file", b"original").is_ok() {
        text.push_str("device/attribute=original\n");
    }
    std::fs::write(&owner, text).map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Outcome, kind};
    use crate::model::Model;
    use crate::script::Op;
    use crate::view::{Found, View};

    #[test]
    fn files_are_told_apart_by_their_kind() {
        let kinds = ["db/000012.sst", "db/MANIFEST-000005", "CORESTORE", "db/SESSION_ID"];
        assert_eq!(kinds.map(|file| kind(Path::new(file))), ["sst", "MANIFEST", "CORESTORE", "SESSION_ID"]);
    }

    #[test]
    fn a_shorter_log_is_silent_and_other_bytes_are_wrong() {
        let mut model = Model::new(1);
        let before = View::of(&model);
        model.apply(&Op::Append { core: 0, id: 1, lens: vec![9, 9] });
        assert_eq!(model.judge(&View::of(&model)).0, Outcome::Right);
        assert_eq!(model.judge(&before).0, Outcome::Silent);
        let mut view = View::of(&model);
        view.cores[0].blocks[1] = Found::Error("checksum".into());
        assert_eq!(model.judge(&view).0, Outcome::Refused);
        view.cores[0].blocks[1] = Found::Missing;
        assert_eq!(model.judge(&view).0, Outcome::Silent);
        view.cores[0].blocks[1] = Found::Bytes(7);
        assert_eq!(model.judge(&view).0, Outcome::Wrong);
    }
}
