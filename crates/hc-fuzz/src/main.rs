//! Fuzzes targets, and compares with Node; `cargo xtask fuzz` and `cargo xtask differential` run it.
//!
//! Each target runs in a process of its own, so that one that aborts or never ends takes nothing else with it. What failed
//! is run again up to there with its inputs written down first, which gives the input that did it.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people: it talks to them")]

mod run;

use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "\
hc-fuzz [OPTIONS]
  --list                 names of the targets
  --target NAME          this one only; may be given several times
  --seconds N            for each target (default 10)
  --long                 10^9 executions of each decoder and 5*10^7 of each machine, however long that takes: hours
  --executions N         at most so many of each target
  --seed N               replays a run; without it one is drawn, and printed
  --jobs N               targets at a time (default: processors)
  --input FILE           runs this one input of one target
  --differential         compares with Node instead; --target names one codec
  --inputs N             so many inputs of the comparison (default 1000000)
  --out FOLDER           where inputs that fail are written (default target/fuzz)";

/// What was asked for.
#[derive(Debug, Clone)]
struct Options {
    targets: Vec<String>,
    seconds: f64,
    executions: u64,
    long: bool,
    seed: u64,
    jobs: usize,
    out: String,
    input: Option<String>,
    list: bool,
    differential: bool,
    inputs: u64,
    /// This process runs one target itself; from this execution on inputs are written down before they are run.
    child: Option<Option<u64>>,
}

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            targets: Vec::new(),
            seconds: 10.0,
            executions: u64::MAX,
            long: false,
            seed: drawn(),
            jobs: std::thread::available_parallelism().map_or(2, usize::from),
            out: "target/fuzz".into(),
            input: None,
            list: false,
            differential: false,
            inputs: 1_000_000,
            child: None,
        };
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--list" => options.list = true,
                "--differential" => options.differential = true,
                "--inputs" => options.inputs = number(&value()?)?,
                "--target" => options.targets.push(value()?),
                "--seconds" => options.seconds = number(&value()?)?,
                "--executions" => options.executions = number(&value()?)?,
                "--long" => options.long = true,
                "--seed" => options.seed = number(&value()?)?,
                "--jobs" => options.jobs = number(&value()?)?,
                "--out" => options.out = value()?,
                "--input" => options.input = Some(value()?),
                "--child" => options.child = Some(None),
                "--trace-from" => options.child = Some(Some(number(&value()?)?)),
                _ => return Err(format!("unknown option {arg}\n\n{USAGE}")),
            }
        }
        Ok(options)
    }

    const fn time(&self) -> Duration {
        Duration::from_millis((self.seconds * 1_000.0) as u64)
    }
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} is not a number"))
}

/// A seed that nobody asked for.
fn drawn() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::from(now.subsec_nanos()) ^ now.as_secs() << 20 & 0xffff_ffff
}

/// Compares decoders with Node's, and says what came of it.
fn compare(options: &Options) -> Result<(), String> {
    println!("differential: {} inputs, seed {}", options.inputs, options.seed);
    let only = options.targets.first().map(String::as_str);
    let report = hc_fuzz::differential::compare(options.seed, options.inputs, only)?;
    println!("{:<18} {:>10} {:>10}", "codec", "inputs", "both take");
    for (name, (inputs, taken)) in &report.codecs {
        println!("{name:<18} {inputs:>10} {taken:>10}");
    }
    for (name, times) in &report.known {
        println!("known difference, {name}: {times} times");
    }
    if report.found.is_empty() {
        println!("{} inputs, no other difference", report.inputs);
        return Ok(());
    }
    Err(format!("seed {}: differs from Node\n  {}", options.seed, report.found.join("\n  ")))
}

fn main() -> ExitCode {
    let outcome = Options::parse(std::env::args().skip(1)).and_then(|options| {
        if options.list {
            hc_fuzz::targets::all().iter().for_each(|target| println!("{}", target.name));
            return Ok(());
        }
        if options.differential {
            return compare(&options);
        }
        match (&options.input, options.child) {
            (Some(file), _) => run::one_input(&options, file),
            (None, Some(trace)) => run::child(&options, trace),
            (None, None) => run::parent(&options),
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("hc-fuzz: {why}");
            ExitCode::FAILURE
        }
    }
}
