//! Whatever happens to a process, its disk or its machine: what was acknowledged is there, and what is read is right.
//!
//! | command | what is done to a store |
//! | --- | --- |
//! | `kill` | its process is killed at any moment |
//! | `damage` | a file of it is damaged |
//! | `faults` | calls of its process to the system fail |
//! | `power` | the power goes: of what was not synced, any part is lost |
//!
//! Each is a run of many cycles with a seed that it prints. `work` and `check` are the processes that are started for it. Run
//! them by `cargo xtask torture`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people: it talks to them")]

mod checker;
mod damage;
mod faults;
mod kill;
mod ledger;
mod model;
mod options;
mod power;
mod rng;
mod script;
mod version1;
mod view;
mod work;

use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "hc-torture kill|power|damage|faults [--cycles N | --seconds N] [--seed S] [--dir D]";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let rest = args.get(1..).unwrap_or_default();
    let outcome = match args.first().map(String::as_str) {
        Some("work") => work(rest),
        Some("check") => on_runtime(checker::serve()),
        Some("kill") => kill::run(rest),
        Some("damage") => damage::run(rest),
        Some("faults") => faults::run(rest),
        Some("power") => power::run(rest),
        _ => Err(USAGE.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("hc-torture: {why}");
            ExitCode::FAILURE
        }
    }
}

fn work(args: &[String]) -> Result<(), String> {
    let [dir, script] = args else { return Err("work DIR SCRIPT".into()) };
    let text = std::fs::read(script).map_err(|error| format!("{script}: {error}"))?;
    let script = serde_json::from_slice(&text).map_err(|error| format!("{script}: {error}"))?;
    on_runtime(work::run(Path::new(dir), &script))
}

fn on_runtime(work: impl Future<Output = ()>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(work);
    Ok(())
}
