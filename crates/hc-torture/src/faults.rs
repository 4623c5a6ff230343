//! A call to the system fails: no space, an I/O error, no descriptors, a write cut short, a sync that does not succeed.
//!
//! The standard script is run once to see which calls it makes on which of its store's files. Then it is run again for each of
//! them, and strace makes that one fail. The worker must answer with typed errors, and what it acknowledged be there when
//! the store is opened again. After all single faults come pairs.
//!
//! strace counts calls for each thread on its own, and threads are not the same in each run: a fault may strike in two
//! threads, or in none. How many struck is printed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::checker::{Answer, Checker};
use crate::ledger::{self, Line};
use crate::model::Model;
use crate::options::{Findings, Options};
use crate::rng::Rng;
use crate::script::{Generator, Op, Script};
use crate::view::Look;

const CORES: usize = 3;
/// The seed of the standard script.
const STANDARD: u64 = 12;
/// Operations before the store is closed and opened again, and as many after.
const OPS: u64 = 14;
/// A worker that takes longer hangs, in seconds.
const PATIENCE: &str = "30";

/// The calls that are made to fail, and how.
const CALLS: &[(&str, &[&str])] = &[
    ("openat", &["EMFILE", "EIO", "ENOSPC"]),
    ("write", &["ENOSPC", "EIO"]),
    ("pwrite64", &["ENOSPC", "EIO"]),
    ("fsync", &["EIO"]),
    ("fdatasync", &["EIO", "ENOSPC"]),
    ("sync_file_range", &["EIO"]),
    ("rename", &["ENOSPC", "EIO"]),
    ("ftruncate", &["EIO"]),
    ("fallocate", &["ENOSPC"]),
    ("unlink", &["EIO"]),
    ("mkdir", &["ENOSPC"]),
    ("read", &["EIO"]),
    ("pread64", &["EIO"]),
    ("newfstatat", &["EIO"]),
    ("statx", &["EIO"]),
    ("getdents64", &["EIO"]),
    ("fcntl", &["EIO"]),
    ("close", &["EIO"]),
    ("fsetxattr", &["EIO"]),
    ("fgetxattr", &["EIO"]),
];

/// A fault: the so-many-th such call of a thread on a file fails.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Fault {
    call: &'static str,
    /// Relative to the store's folder.
    file: PathBuf,
    nth: u64,
    error: &'static str,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})#{} -> {}", self.call, self.file.display(), self.nth, self.error)
    }
}

/// What is done to one run.
#[derive(Debug, Clone)]
enum Trial {
    /// These calls fail.
    Faults(Vec<Fault>),
    /// Files cannot grow beyond so many blocks of 512 bytes: the write that reaches it is cut short, the next fails.
    ShortWrites(u64),
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShortWrites(blocks) => write!(f, "files of at most {blocks} sectors"),
            Self::Faults(faults) => {
                let shown: Vec<String> = faults.iter().map(Fault::to_string).collect();
                f.write_str(&shown.join(" and "))
            }
        }
    }
}

/// Counts of a run.
#[derive(Default)]
struct Counts {
    struck: u64,
    refused_opening: u64,
    failed: usize,
    acknowledged: usize,
}

pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let mut options = Options::parse(args, 0)?;
    let bench = Bench::new(&options)?;
    let (mut singles, struck_files) = bench.singles()?;
    println!(
        "faults: seed {}; {} points on {struck_files} files in the standard script, {} of them write cut short",
        options.seed,
        singles.len(),
        SHORTEST.len()
    );
    let mut rng = Rng::new(options.seed);
    let points = singles.len() as u64;
    // no number given: every point, and nothing else
    let trials = if options.cycles == 0 { points } else { options.cycles };
    if trials < points {
        println!("faults: only {trials} of them are tried, chosen at random");
        (0..singles.len()).for_each(|place| {
            let other = rng.index(singles.len());
            singles.swap(place, other);
        });
    }
    let faults: Vec<Fault> = singles.iter().filter_map(only_fault).collect();
    let (mut counts, mut findings, mut checker) = (Counts::default(), Findings::default(), Checker::new());
    let mut done = 0;
    options.cycles = trials;
    while options.goes_on(done) {
        let trial = match usize::try_from(done).ok().and_then(|place| singles.get(place)) {
            Some(trial) => trial.clone(),
            None => pair(&faults, &mut rng),
        };
        done += 1;
        if let Err(why) = bench.try_one(&mut checker, &trial, &mut counts) {
            findings.add(options.seed, &format!("{trial}: {why}"), &options.scratch);
        }
    }
    println!(
        "faults: {done} trials in {:.0} s, {} of them pairs; {} struck; {} did not get to open the store; {} operations \
         failed, {} were acknowledged; {} findings",
        options.elapsed(),
        done.saturating_sub(points),
        counts.struck,
        counts.refused_opening,
        counts.failed,
        counts.acknowledged,
        findings.count
    );
    findings.outcome()
}

/// Sizes in sectors that files cannot grow beyond.
const SHORTEST: [u64; 20] = [0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96, 128, 192, 256];

fn only_fault(trial: &Trial) -> Option<Fault> {
    match trial {
        Trial::Faults(faults) => faults.first().cloned(),
        Trial::ShortWrites(_) => None,
    }
}

fn pair(faults: &[Fault], rng: &mut Rng) -> Trial {
    let mut one = || faults.get(rng.index(faults.len())).cloned();
    Trial::Faults([one(), one()].into_iter().flatten().collect())
}

/// The standard script, and the folder it runs on.
struct Bench {
    script: Script,
    file: PathBuf,
    dir: PathBuf,
    trace: PathBuf,
}

impl Bench {
    fn new(options: &Options) -> Result<Self, String> {
        let mut generator = Generator::new(Rng::new(STANDARD));
        (generator.reopens, generator.largest) = (false, 20_000);
        let mut model = Model::new(CORES);
        let mut ops = generator.ops(&model, OPS);
        ops.iter().for_each(|op| model.apply(op));
        ops.push(Op::Reopen);
        ops.extend(generator.ops(&model, OPS));
        let script = Script { sync: true, watch: false, cores: CORES, ops };
        let file = options.scratch.join("standard.json");
        let text = serde_json::to_vec(&script).map_err(|error| error.to_string())?;
        std::fs::write(&file, text).map_err(|error| error.to_string())?;
        Ok(Self { script, file, dir: options.scratch.join("store"), trace: options.scratch.join("trace") })
    }

    /// Runs the script with this before it.
    fn run(&self, before: &[String]) -> Result<Output, String> {
        let failed = |error: std::io::Error| format!("running the standard script: {error}");
        if self.dir.exists() {
            std::fs::remove_dir_all(&self.dir).map_err(failed)?;
        }
        let program = std::env::current_exe().map_err(failed)?;
        let mut command = Command::new("timeout");
        command.args(["--signal=KILL", PATIENCE]).args(before).arg(program);
        command.arg("work").arg(&self.dir).arg(&self.file).stdin(Stdio::null());
        command.output().map_err(failed)
    }

    fn strace(&self) -> Vec<String> {
        let args = ["strace", "-f", "-y", "-s", "1", "-e", "signal=none", "-o"];
        args.iter().map(|arg| (*arg).to_owned()).chain([self.trace.display().to_string()]).collect()
    }

    /// All single faults, and how many files they concern.
    fn singles(&self) -> Result<(Vec<Trial>, usize), String> {
        let mut before = self.strace();
        let calls: Vec<&str> = CALLS.iter().map(|(call, _)| *call).collect();
        before.extend(["-e".into(), format!("trace={}", calls.join(","))]);
        let done = self.run(&before)?;
        if ledger::parse(&String::from_utf8_lossy(&done.stdout)).last() != Some(&Line::Closed) {
            return Err(format!(
                "the standard script fails by itself: {}",
                String::from_utf8_lossy(&done.stderr)
            ));
        }
        let trace = std::fs::read_to_string(&self.trace).map_err(|error| error.to_string())?;
        let mut faults = Vec::new();
        let mut files = BTreeSet::new();
        for ((call, file), most) in self.count(&trace) {
            let errors =
                CALLS.iter().find(|(name, _)| *name == call).map_or(&[] as &[&str], |(_, errors)| errors);
            files.insert(file.clone());
            let fault = |nth, error| Fault { call, file: file.clone(), nth, error };
            faults.extend(
                (1..=most)
                    .flat_map(|nth| errors.iter().map(move |error| (nth, *error)))
                    .map(|(nth, error)| Trial::Faults(vec![fault(nth, error)])),
            );
        }
        faults.extend(SHORTEST.map(Trial::ShortWrites));
        Ok((faults, files.len()))
    }

    /// How often a thread made which call on which file, at most.
    fn count(&self, trace: &str) -> BTreeMap<(&'static str, PathBuf), u64> {
        let mut by_thread: BTreeMap<(&str, &'static str, PathBuf), u64> = BTreeMap::new();
        for line in trace.lines() {
            let Some((thread, call)) = line.split_once(' ') else { continue };
            let call = call.trim_start();
            let Some((name, args)) = call.split_once('(') else { continue };
            let Some((name, _)) = CALLS.iter().find(|(known, _)| *known == name) else { continue };
            let Some(file) = self.file_in(args) else { continue };
            let log = file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"LOG"));
            let count = by_thread.entry((thread, name, file)).or_default();
            // of the log for people one fault is like another
            *count = if log { 1 } else { *count + 1 };
        }
        let mut most = BTreeMap::new();
        for ((_, call, file), count) in by_thread {
            let entry = most.entry((call, file)).or_insert(0);
            *entry = count.max(*entry);
        }
        most
    }

    /// The file of the store that a call names.
    fn file_in(&self, args: &str) -> Option<PathBuf> {
        let dir = self.dir.display().to_string();
        let rest = args.split_once(&dir)?.1;
        let end = rest.find(['"', '>'])?;
        let file = rest.get(..end)?;
        if file.is_empty() { Some(PathBuf::new()) } else { file.strip_prefix('/').map(PathBuf::from) }
    }

    /// The path that strace is told of.
    fn path(&self, file: &Path) -> String {
        if file.as_os_str().is_empty() {
            self.dir.display().to_string()
        } else {
            self.dir.join(file).display().to_string()
        }
    }

    fn before(&self, trial: &Trial) -> Vec<String> {
        match trial {
            Trial::ShortWrites(blocks) => {
                let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
                vec!["sh".into(), "-c".into(), script, "sh".into()]
            }
            Trial::Faults(faults) => {
                let mut before = self.strace();
                let calls: Vec<&str> = faults.iter().map(|fault| fault.call).collect();
                before.extend(["-e".into(), format!("trace={}", calls.join(","))]);
                for fault in faults {
                    before.extend(["-P".into(), self.path(&fault.file)]);
                    let Fault { call, nth, error, .. } = fault;
                    before.extend(["-e".into(), format!("inject={call}:error={error}:when={nth}")]);
                }
                before
            }
        }
    }

    fn try_one(&self, checker: &mut Checker, trial: &Trial, counts: &mut Counts) -> Result<(), String> {
        let done = self.run(&self.before(trial))?;
        let struck = match trial {
            Trial::ShortWrites(_) => true,
            Trial::Faults(_) => {
                std::fs::read_to_string(&self.trace).is_ok_and(|trace| trace.contains("(INJECTED)"))
            }
        };
        counts.struck += u64::from(struck);
        let stderr = String::from_utf8_lossy(&done.stderr);
        if stderr.contains("panicked") {
            return Err(format!("it panicked: {}", stderr.trim()));
        }
        if !done.status.success() {
            return Err(format!("it ended with {} instead of an error: {}", done.status, stderr.trim()));
        }
        let lines = ledger::parse(&String::from_utf8_lossy(&done.stdout));
        let fails =
            lines.iter().filter_map(|line| if let Line::Fail { why, .. } = line { Some(why) } else { None });
        let fails: Vec<&String> = fails.collect();
        if let Some(why) = fails.iter().find(|why| why.contains("INTERNAL")) {
            return Err(format!("not a typed error: {why}"));
        }
        counts.failed += fails.len();
        counts.refused_opening += u64::from(!lines.contains(&Line::Open));
        let view = match checker.ask(&self.dir, CORES, Look::GoOn)? {
            Answer::Shows(view) => view,
            Answer::Refused(why) => {
                return Err(format!("afterwards it does not open: {why} (before: {fails:?})"));
            }
        };
        let explained = ledger::explain(&self.script, &lines, &view);
        counts.acknowledged += explained.map_err(|why| format!("{why} (failed: {fails:?})"))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::Bench;
    use crate::script::Script;

    #[test]
    fn calls_are_counted_for_each_thread_and_file() {
        let script = Script { sync: false, watch: false, cores: 0, ops: Vec::new() };
        let dir = PathBuf::from("/a/store");
        let bench = Bench { script, file: PathBuf::new(), dir, trace: PathBuf::new() };
        let trace = "1  write(3</a/store/db/1.log>, \"\"..., 7) = 7\n2  write(3</a/store/db/1.log>, \"\"..., 7 <unfinished ...>\n\
                     1  write(3</a/store/db/1.log>, \"\"..., 7) = 7\n2  <... write resumed>) = 7\n1  write(1</x>, \"\"..., 7) = 7\n";
        let counted = bench.count(trace);
        assert_eq!(counted.len(), 1);
        assert_eq!(counted[&("write", Path::new("db/1.log").to_owned())], 2);
    }
}
