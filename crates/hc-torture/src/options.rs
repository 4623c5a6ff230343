//! What a person may choose: how many cycles, or how long; from which seed; where.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How a run goes.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) cycles: u64,
    pub(crate) seconds: Option<u64>,
    pub(crate) seed: u64,
    /// Where stores are made.
    pub(crate) scratch: PathBuf,
    started: Instant,
}

impl Options {
    /// Reads `--cycles N`, `--seconds N`, `--seed S`, `--dir D`.
    pub(crate) fn parse(args: &[String], cycles: u64) -> Result<Self, String> {
        let seed = u64::from_le_bytes(hypercore::random().map_err(|error| error.to_string())?);
        let scratch = scratch_root().join(format!("hc-torture-{}", std::process::id()));
        let mut options = Self { cycles, seconds: None, seed: seed >> 16, scratch, started: Instant::now() };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let value = args.next().ok_or_else(|| format!("{arg} needs a value"))?;
            let number = || value.parse::<u64>().map_err(|_| format!("{arg} is a number"));
            match arg.as_str() {
                "--cycles" => options.cycles = number()?,
                "--seconds" => (options.seconds, options.cycles) = (Some(number()?), u64::MAX),
                "--seed" => options.seed = number()?,
                "--dir" => options.scratch = value.into(),
                unknown => return Err(format!("there is no {unknown}")),
            }
        }
        std::fs::create_dir_all(&options.scratch)
            .map_err(|error| format!("{}: {error}", options.scratch.display()))?;
        Ok(options)
    }

    /// Whether another cycle follows after so many.
    pub(crate) fn goes_on(&self, done: u64) -> bool {
        done < self.cycles
            && self.seconds.is_none_or(|most| self.started.elapsed() < Duration::from_secs(most))
    }

    pub(crate) fn elapsed(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// The seed of a cycle. Given as `--seed` with `--cycles 1` it gives the same cycle again.
    pub(crate) const fn seed_of(&self, cycle: u64) -> u64 {
        self.seed.wrapping_add(cycle)
    }

    /// An empty folder.
    pub(crate) fn fresh(&self, name: &str) -> Result<PathBuf, String> {
        let dir = self.scratch.join(name);
        if dir.exists() {
            std::fs::remove_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        }
        Ok(dir)
    }
}

impl Drop for Options {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.scratch);
    }
}

/// In memory where that can be had: thousands of stores are written, and none of them is to be kept.
fn scratch_root() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir() { memory } else { std::env::temp_dir() }
}

/// What a run found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) count: u64,
}

/// A folder where what belongs to a finding is kept: the moments at which processes are killed do not come again.
fn keep(what: &Path, number: u64) -> std::io::Result<PathBuf> {
    let kept = std::env::temp_dir().join(format!("hc-torture-found-{}-{number}", std::process::id()));
    copy(what, &kept)?;
    Ok(kept)
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy(&from, &to)?;
        } else {
            std::fs::copy(&from, &to)?;
        }
    }
    Ok(())
}

impl Findings {
    /// Notes and prints a finding.
    pub(crate) fn add(&mut self, seed: u64, what: &str, scratch: &Path) {
        self.count += 1;
        if self.count <= MOST_SHOWN {
            println!("  FOUND (--seed {seed}): {what}");
        }
        if self.count <= MOST_KEPT
            && let Ok(kept) = keep(scratch, self.count)
        {
            println!("    kept in {}", kept.display());
        }
    }

    /// How a run ends.
    pub(crate) fn outcome(&self) -> Result<(), String> {
        if self.count == 0 { Ok(()) } else { Err(format!("{} findings", self.count)) }
    }
}

const MOST_SHOWN: u64 = 40;
const MOST_KEPT: u64 = 5;
