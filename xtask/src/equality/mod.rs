//! The same random script of local operations on Node and on ours leaves the same store: every key and every value, but for
//! times. And so does one directory that Node and ours have in turn, against one that only Node had.
//!
//! A script is decided by its seed, and runs step by step on both sides: each reply must be the same (for errors, the code), and at
//! the end the whole store. Even seeds compare two directories, odd ones hand one over each time that the store is opened again.
//! What Node is known to do wrongly is left out; see `known.rs`.

mod changes;
mod copies;
mod known;
mod part;
mod random;
mod reads;
mod script;
mod sessions;
mod world;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hc_interop::Peer;

use crate::{Outcome, setup, shell};
use part::Part;
use script::Script;

/// What a person may choose.
#[derive(Debug, Clone)]
struct Options {
    scripts: u64,
    /// No script begins after so long.
    seconds: Option<u64>,
    /// Of the first script; each next one has the next number.
    seed: u64,
    jobs: u64,
    /// Node against itself, to try the scripts.
    only_node: bool,
    /// How much of each script is run; the directories are kept then.
    actions: Option<u64>,
}

impl Options {
    fn parse(args: &[String]) -> Result<Self, String> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut options = Self {
            scripts: 500,
            seconds: None,
            seed: since.as_secs() * 1000,
            jobs: 2,
            only_node: false,
            actions: None,
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut number = || -> Result<u64, String> {
                let value = args.next().ok_or_else(|| format!("{arg} needs a value"))?;
                value.parse().map_err(|_| format!("{arg} is a number"))
            };
            match arg.as_str() {
                "--scripts" => options.scripts = number()?,
                "--seconds" => (options.scripts, options.seconds) = (u64::MAX, Some(number()?)),
                "--seed" => options.seed = number()?,
                "--jobs" => options.jobs = number()?.max(1),
                "--actions" => options.actions = Some(number()?),
                "--only-node" => options.only_node = true,
                unknown => return Err(format!("equality does not know {unknown}")),
            }
        }
        Ok(options)
    }
}

pub(crate) fn run(args: &[String]) -> Outcome {
    let options = Options::parse(args)?;
    setup::run(setup::Node::Needed)?;
    let agent =
        if options.only_node { PathBuf::new() } else { shell::build(&["hc-agent"], false)?.join("hc-agent") };
    let length = options.seconds.map_or_else(|| format!("{} scripts", options.scripts), |s| format!("{s} s"));
    println!("equality: {length}, --seed {}", options.seed);
    let (next, done, started) = (AtomicU64::new(0), AtomicU64::new(0), Instant::now());
    let faults: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..options.jobs).map(|_| scope.spawn(|| work(&options, &agent, &next, &done))).collect();
        let ended = |worker: std::thread::ScopedJoinHandle<'_, Outcome>| match worker.join() {
            Ok(outcome) => outcome.err(),
            Err(_) => Some("a worker panicked".into()),
        };
        workers.into_iter().filter_map(ended).collect()
    });
    println!("equality: {} scripts in {:.1} s", done.into_inner(), started.elapsed().as_secs_f64());
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n\n")) }
}

/// Takes scripts until there are none left, or one fails: then no other begins.
fn work(options: &Options, agent: &Path, next: &AtomicU64, done: &AtomicU64) -> Outcome {
    let (peers, started) = (Peers::start(options, agent)?, Instant::now());
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let late = options.seconds.is_some_and(|seconds| started.elapsed().as_secs() >= seconds);
        if number >= options.scripts || late {
            return Ok(());
        }
        let seed = options.seed.wrapping_add(number);
        if let Err(fault) = peers.script(seed, options.actions) {
            next.fetch_max(options.scripts, Ordering::Relaxed);
            return Err(explain(options, agent, seed, fault));
        }
        done.fetch_add(1, Ordering::Relaxed);
    }
}

/// The fault of the shortest beginning of a script that has one, in fresh peers.
fn explain(options: &Options, agent: &Path, seed: u64, fault: String) -> String {
    let mut fault = fault;
    for actions in 0..40 {
        let Ok(peers) = Peers::start(options, agent) else { break };
        if let Err(shorter) = peers.script(seed, Some(actions)) {
            fault = shorter;
            break;
        }
    }
    format!(
        "{fault}\nreplay it with: cargo xtask equality --scripts 1 --jobs 1 --seed {seed}\n\
         --actions N keeps what it leaves after its first N actions, in target/equality"
    )
}

/// The processes of a worker.
struct Peers {
    node: Peer,
    ours: Peer,
    scratch: PathBuf,
}

impl Peers {
    fn start(options: &Options, agent: &Path) -> Result<Self, String> {
        let say = |error: hc_interop::PeerError| error.to_string();
        let ours = if options.only_node { Peer::node() } else { Peer::rust(agent) };
        let scratch = shell::root().join("target/equality");
        std::fs::create_dir_all(&scratch).map_err(|error| format!("{}: {error}", scratch.display()))?;
        Ok(Self { node: Peer::node().map_err(say)?, ours: ours.map_err(say)?, scratch })
    }

    fn script(&self, seed: u64, at_most: Option<u64>) -> Outcome {
        let dir = |name: &str| self.scratch.join(format!("{seed}-{name}"));
        let (alone, other) = (dir("node"), dir("ours"));
        for dir in [&alone, &other] {
            part::remove(dir)?;
        }
        let (name, turns) = if seed.is_multiple_of(2) {
            ("ours", vec![&self.ours])
        } else {
            ("shared", vec![&self.ours, &self.node])
        };
        let parts =
            [Part::new("node", alone.clone(), vec![&self.node]), Part::new(name, other.clone(), turns)];
        let mut script = Script::new(seed, parts, &self.ours);
        script.run(at_most).map_err(|fault| {
            let mut shown = format!("seed {seed}:\n");
            for line in &script.trace {
                shown.push_str(&format!("  {line}\n"));
            }
            format!("{shown}{fault}")
        })?;
        if at_most.is_some() {
            return Ok(());
        }
        part::remove(&alone)?;
        part::remove(&other)
    }
}
