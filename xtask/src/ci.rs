//! Every check of the project, one after the other. Stops at the first that fails.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::{
    Outcome, behaviours, bench, demo, equality, fuzz, layers, licences, setup, shell, tidy, torture, vectors,
};

/// How many tests passed, were left out, and failed.
#[derive(Default, Clone, Copy)]
struct Tests {
    passed: u64,
    failed: u64,
    ignored: u64,
}

type Step = (&'static str, fn(&mut Tests) -> Outcome);

const STEPS: &[Step] = &[
    ("setup", |_| setup::run(setup::Node::Needed).map(|_| ())),
    ("fmt", |_| shell::run("cargo", &["fmt", "--all", "--check"])),
    ("tidy", |_| tidy::run()),
    ("layers", |_| layers::run()),
    ("licences", |_| licences::run()),
    ("clippy", |_| {
        shell::run("cargo", &["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"])
    }),
    ("test", |tests| cargo_test(&["--workspace"], tests)),
    ("equality", |_| equality::run(&[])),
    ("kill", |_| torture::run(&["kill".into()])),
    ("power", |_| torture::run(&["power".into()])),
    ("damage", |_| torture::run(&["damage".into()])),
    ("faults", |_| torture::run(&["faults".into()])),
    ("fuzz", |_| fuzz::run(&["--short".into()])),
    ("differential", |_| fuzz::differential(&[])),
    ("memory-only", memory_only),
    ("doc", |_| document()),
    ("vectors", |_| vectors::run()),
    ("behaviours", |_| behaviours::run()),
    ("example", |_| {
        shell::run("cargo", &["run", "--locked", "-q", "-p", "hypercore", "--example", "walkthrough"])
    }),
    ("demo", |_| demo::run(&["--need-node".into()])),
    ("bench", |_| bench::run(&["--smoke".into()])),
];

pub(crate) fn run(args: &[String]) -> Outcome {
    let only = match args {
        [] => None,
        [flag, step] if flag == "--only" => Some(step.as_str()),
        _ => return Err("ci takes nothing, or --only STEP".into()),
    };
    let chosen: Vec<&Step> = STEPS.iter().filter(|(name, _)| only.is_none_or(|only| only == *name)).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = STEPS.iter().map(|(name, _)| *name).collect();
        return Err(format!("there is no such step; the steps are {}", names.join(", ")));
    }
    let (mut tests, mut table) = (Tests::default(), Vec::new());
    let mut outcome = Ok(());
    for (name, step) in chosen {
        println!("\n=== {name}");
        let started = Instant::now();
        let done = step(&mut tests);
        table.push((*name, started.elapsed(), done.is_ok()));
        if let Err(why) = done {
            outcome = Err(format!("ci: {name} failed: {why}"));
            break;
        }
    }
    print_table(&table);
    println!("{} passed, {} failed, {} skipped", tests.passed, tests.failed, tests.ignored);
    outcome
}

fn print_table(table: &[(&str, Duration, bool)]) {
    println!();
    for (name, elapsed, ok) in table {
        println!("{} {name:<12} {:>7.1} s", if *ok { "ok    " } else { "FAILED" }, elapsed.as_secs_f64());
    }
}

/// A test that waits for good ends with this: for so long nothing has ended. Tests that run for long say so every minute.
const SILENCE: Duration = Duration::from_secs(1200);

/// Runs tests, shows what they print and adds up their closing lines.
fn cargo_test(args: &[&str], tests: &mut Tests) -> Outcome {
    let mut all = vec!["test", "--locked"];
    all.extend(args);
    let mut cargo = shell::program("cargo", &all);
    // whoever asks for everything gets everything: the tests with Node are not left out here
    cargo.env_remove("HYPERCORE_SKIP_NODE");
    // a group of their own: cargo, and the tests that it started
    let mut child =
        cargo.stdout(Stdio::piped()).process_group(0).spawn().map_err(|error| error.to_string())?;
    let output = child.stdout.take().ok_or("cargo test has no output")?;
    let (send, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            if send.send(line).is_err() {
                return;
            }
        }
    });
    let mut running = String::new();
    loop {
        let line = match lines.recv_timeout(SILENCE) {
            Ok(line) => line.map_err(|error| error.to_string())?,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                shell::run("kill", &["-KILL", "--", &format!("-{}", child.id())])?;
                return Err(format!("no test has ended for {} s; {running}", SILENCE.as_secs()));
            }
        };
        // whoever reads us may be gone
        let _ = writeln!(std::io::stdout(), "{line}");
        tests.add(&line);
        if line.contains("has been running for") || line.contains("Running ") {
            running = line;
        }
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err("tests failed".into()) }
}

impl Tests {
    /// Adds what the closing line of a test program says.
    fn add(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        let count = |word: &str| -> u64 {
            let part = result.split([';', '.']).find(|part| part.trim_end().ends_with(word));
            part.and_then(|part| part.split_whitespace().next()?.parse().ok()).unwrap_or(0)
        };
        self.passed += count("passed");
        self.failed += count("failed");
        self.ignored += count("ignored");
    }
}

/// The library without RocksDB: no C++ is built, and the in-memory engine does the same.
fn memory_only(_: &mut Tests) -> Outcome {
    shell::run(
        "cargo",
        &[
            "clippy",
            "--locked",
            "-p",
            "hypercore",
            "-p",
            "corestore",
            "--no-default-features",
            "--",
            "-D",
            "warnings",
        ],
    )?;
    let tree = shell::output(
        "cargo",
        &[
            "tree",
            "--locked",
            "-p",
            "corestore",
            "--no-default-features",
            "-e",
            "normal,build",
            "--prefix",
            "none",
        ],
    )?;
    if tree.contains("librocksdb-sys") {
        return Err("corestore without default features still builds RocksDB".into());
    }
    Ok(())
}

fn document() -> Outcome {
    let mut doc =
        shell::program("cargo", &["doc", "--locked", "--workspace", "--no-deps", "--document-private-items"]);
    doc.env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links");
    shell::finish(doc)
}
