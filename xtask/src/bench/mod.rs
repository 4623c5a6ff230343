//! Every workload on both sides in one run, alternating, and the ratios.
//!
//! Each side is a process of its own, driven over its standard input; what is timed happens inside it, or between two of its
//! replies. Only ratios are worth keeping: they are medians over the pairs of runs, so that what else the machine does
//! weighs on both sides.

mod curve;
mod plot;
mod report;
mod workloads;

use std::path::{Path, PathBuf};

use hc_interop::Peer;

use crate::{Outcome, setup, shell};
use report::{Round, Row};
use workloads::{WORKLOADS, Workload};

/// What a person may choose.
struct Options {
    only: Option<String>,
    pairs: usize,
    /// The part of each workload's size that is run.
    scale: f64,
    json: Option<PathBuf>,
    plot: Option<PathBuf>,
    /// Instead of the workloads: what operations cost as a log grows.
    curve: bool,
    smoke: bool,
}

impl Options {
    fn parse(args: &[String]) -> Result<Self, String> {
        let mut options =
            Self { only: None, pairs: 5, scale: 1.0, json: None, plot: None, curve: false, smoke: false };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().cloned().ok_or_else(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--only" => options.only = Some(value()?),
                "--pairs" => options.pairs = value()?.parse().map_err(|_| "--pairs is a number")?,
                "--scale" => options.scale = value()?.parse().map_err(|_| "--scale is a number")?,
                "--json" => options.json = Some(value()?.into()),
                "--plot" => options.plot = Some(value()?.into()),
                "--curve" => options.curve = true,
                "--smoke" => (options.smoke, options.pairs, options.scale) = (true, 1, 0.01),
                unknown => return Err(format!("bench does not know {unknown}")),
            }
        }
        if options.pairs == 0 || !(options.scale > 0.0 && options.scale <= 1.0) {
            return Err("--pairs is at least 1, --scale above 0 and at most 1".into());
        }
        Ok(options)
    }
}

/// One side of the comparison.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Rust,
    Node,
}

/// What a workload runs with.
pub(crate) struct Bench {
    agent: PathBuf,
    raw: PathBuf,
    scratch: PathBuf,
    scale: f64,
}

impl Bench {
    fn start(&self, side: Side) -> Result<Peer, String> {
        let started = match side {
            Side::Rust => Peer::rust(&self.agent),
            Side::Node => Peer::node(),
        };
        started.map_err(|error| error.to_string())
    }

    /// An empty folder on disk.
    fn empty_dir(&self, name: &str) -> Result<String, String> {
        let path = self.scratch.join(name);
        if path.exists() {
            std::fs::remove_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(path.display().to_string())
    }

    fn count(&self, full: u64) -> u64 {
        ((full as f64 * self.scale) as u64).max(100)
    }
}

pub(crate) fn run(args: &[String]) -> Outcome {
    let options = Options::parse(args)?;
    setup::run(setup::Node::Needed)?;
    let built = shell::build(&["hc-agent", "hc-raw"], !options.smoke)?;
    let (agent, raw) = (built.join("hc-agent"), built.join("hc-raw"));
    let scratch = shell::root().join("target/bench");
    std::fs::create_dir_all(&scratch).map_err(|error| format!("{}: {error}", scratch.display()))?;
    let bench = Bench { agent, raw, scratch, scale: options.scale };
    let outcome = if options.curve { curve::run(&bench, &options) } else { compare_all(&bench, &options) };
    clean(&bench.scratch);
    outcome
}

fn compare_all(bench: &Bench, options: &Options) -> Outcome {
    let asked = |workload: &&Workload| options.only.as_deref().is_none_or(|only| only == workload.name);
    let chosen: Vec<&Workload> = WORKLOADS.iter().filter(asked).collect();
    if chosen.is_empty() {
        let names: Vec<_> = WORKLOADS.iter().map(|workload| workload.name).collect();
        return Err(format!("there is no such workload; there are {}", names.join(", ")));
    }
    let mut rows = Vec::new();
    for workload in chosen {
        println!("{} …", workload.name);
        rows.push(compare(bench, workload, options.pairs)?);
    }
    report::print(&rows, options.smoke);
    if let Some(file) = &options.plot {
        report::write(file, &plot::ratios(&rows))?;
    }
    match &options.json {
        Some(file) => report::write_json(&rows, file),
        None => Ok(()),
    }
}

/// Rust, Node, raw, Rust, Node, raw, …
fn compare(bench: &Bench, workload: &Workload, pairs: usize) -> Result<Row, String> {
    let name = workload.name;
    let once = |side| (workload.run)(bench, side).map_err(|why| format!("{name}: {why}"));
    let round = |_| {
        let ours = once(Side::Rust)?;
        let node = workload.on_node.then(|| once(Side::Node)).transpose()?;
        let raw = workload.raw.map(|raw| raw(bench)).transpose();
        Ok(Round { ours, node, raw: raw.map_err(|why| format!("{name}, raw: {why}"))? })
    };
    let rounds: Result<_, String> = (0..pairs).map(round).collect();
    Ok(Row { name, rounds: rounds? })
}

fn clean(scratch: &Path) {
    // what is left over is inside target
    let _ = std::fs::remove_dir_all(scratch);
}
