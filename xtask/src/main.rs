//! `cargo xtask …`: everything that a person or CI runs.
//!
//! | command | does |
//! | --- | --- |
//! | `demo [FOLDER]` | the main job on real files, with Rust and Node readers, and says what it checked |
//! | `ci` | every check of the project; sets up what it needs |
//! | `setup` | installs what building and testing need |
//! | `bench` | every workload on both sides, and the ratios |
//! | `fuzz` | hostile input for every decoder and state machine |
//! | `differential` | the same input for Node's decoders and ours, and what differs |
//! | `equality` | random scripts on Node and on ours, and compares the stores |
//! | `torture` | kills, power losses, damage and faults, and whether what was acknowledged is there |
//! | `layers`, `tidy`, `licences`, `vectors`, `behaviours` | one check of `ci` |
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people: it talks to them")]

mod behaviours;
mod bench;
mod ci;
mod demo;
mod equality;
mod fuzz;
mod layers;
mod licences;
mod setup;
mod shell;
mod tidy;
mod torture;
mod vectors;

use std::process::ExitCode;

/// How a command ends: well, or with what a person has to know.
type Outcome = Result<(), String>;

const USAGE: &str = "\
cargo xtask demo [FOLDER]      store real files as logs, copy them with a second process and with Node, check every byte
cargo xtask ci [--only STEP]   run every check; installs what is missing
cargo xtask setup              install what building and testing need
cargo xtask bench [OPTIONS]    compare with Node: --only NAME, --pairs N, --scale F, --json FILE, --plot FILE.svg;
                               --curve: what operations cost as a log grows
cargo xtask fuzz [OPTIONS]     hostile input for every decoder: --short, --long, --seconds N, --executions N, --target NAME, --seed N
cargo xtask differential       the same input for Node and for us: --inputs N, --seed N
cargo xtask equality [OPTIONS] the same random scripts on Node and on ours leave the same stores: --scripts N, --seconds N, --seed S
cargo xtask torture WHAT       WHAT is kill, power, damage or faults; --cycles N or --seconds N, --seed S
cargo xtask layers | tidy | licences | vectors | behaviours";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let rest = args.get(1..).unwrap_or_default();
    let outcome = match args.first().map(String::as_str) {
        Some("demo") => demo::run(rest),
        Some("ci") => ci::run(rest),
        Some("setup") => setup::run(setup::Node::Needed).map(|_| ()),
        Some("bench") => bench::run(rest),
        Some("fuzz") => fuzz::run(rest),
        Some("differential") => fuzz::differential(rest),
        Some("equality") => equality::run(rest),
        Some("torture") => torture::run(rest),
        Some("layers") => layers::run(),
        Some("tidy") => tidy::run(),
        Some("licences") => licences::run(),
        Some("vectors") => vectors::run(),
        Some("behaviours") => behaviours::run(),
        Some("help" | "--help" | "-h") | None => {
            println!("{USAGE}");
            Ok(())
        }
        Some(unknown) => Err(format!("unknown command {unknown}\n\n{USAGE}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}
