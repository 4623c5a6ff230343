//! Running targets: one in this process, or all in processes of their own.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hc_fuzz::engine::{Summary, Until, check, fuzz};
use hc_fuzz::target::Target;
use hc_fuzz::targets;

use crate::Options;

/// An execution that takes this long never ends.
const HANG: Duration = Duration::from_secs(20);
/// Executions between two lines that say how far a run is.
const TELL_EVERY: u64 = 1 << 14;
/// A run that counts executions ends by time only if something is wrong with it.
const LONG_SECONDS: f64 = 1e6;

fn chosen(options: &Options) -> Result<Vec<Target>, String> {
    let all = targets::all();
    if let Some(unknown) = options.targets.iter().find(|name| !all.iter().any(|target| target.name == **name))
    {
        return Err(format!("there is no target {unknown}; --list names them"));
    }
    let wanted = |target: &Target| {
        options.targets.is_empty() || options.targets.iter().any(|name| name == target.name)
    };
    Ok(all.into_iter().filter(wanted).collect())
}

/// Runs the input in a file.
pub(crate) fn one_input(options: &Options, file: &str) -> Result<(), String> {
    let [target] = chosen(options)?[..] else { return Err("--input needs one --target".into()) };
    let input = std::fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    let mut summary = Summary::default();
    match check(&target, &input, &mut summary) {
        Ok(verdict) => {
            println!("{}: {verdict:?}, held {} bytes, took {:?}", target.name, summary.peak, summary.slowest);
            Ok(())
        }
        Err(fault) => Err(format!("{}: {fault}", target.name)),
    }
}

/// Runs one target in this process, and tells its parent on standard output.
pub(crate) fn child(options: &Options, trace: Option<u64>) -> Result<(), String> {
    let [target] = chosen(options)?[..] else { return Err("a child runs one target".into()) };
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let traced = file_of(options, &target, "trace");
    std::thread::spawn(move || {
        let mut last = (0, Instant::now());
        loop {
            std::thread::sleep(Duration::from_millis(500));
            let now = COUNT.load(Ordering::Relaxed);
            if now != last.0 {
                last = (now, Instant::now());
            } else if last.1.elapsed() > HANG && now > 0 {
                eprintln!("{}: an input does not end, after {now}", target.name);
                std::process::abort();
            }
        }
    });
    let until = Until { executions: options.executions, time: options.time() };
    let before = |execution: u64, input: &[u8]| {
        if execution.is_multiple_of(TELL_EVERY) {
            println!("at {execution}");
        }
        if trace.is_some_and(|from| execution >= from) {
            let _ = std::fs::write(&traced, input);
        }
    };
    match fuzz(&target, options.seed, until, &COUNT, before) {
        Ok(summary) => {
            let Summary { executions, accepted, corpus, peak, slowest } = summary;
            println!("done {executions} {accepted} {corpus} {peak} {}", slowest.as_micros());
            Ok(())
        }
        Err(finding) => {
            let file = file_of(options, &target, "input");
            write(&file, &finding.input)?;
            println!("found {} {} {}", finding.execution, file.display(), finding.fault);
            Ok(())
        }
    }
}

fn file_of(options: &Options, target: &Target, kind: &str) -> PathBuf {
    Path::new(&options.out).join(format!("{}-{}.{kind}", target.name, options.seed))
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), String> {
    let folder = file.parent().unwrap_or_else(|| Path::new("."));
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(file, bytes))
        .map_err(|error| format!("{}: {error}", file.display()))
}

/// What a process of one target came to.
enum End {
    Done(String),
    Found(String),
    Died { after: u64 },
}

/// Runs targets in processes of their own, several at a time.
pub(crate) fn parent(options: &Options) -> Result<(), String> {
    let started = Instant::now();
    let targets = chosen(options)?;
    let length = if options.long { "long".to_owned() } else { format!("{} s each", options.seconds) };
    println!("fuzz: {} targets, {length}, seed {}", targets.len(), options.seed);
    println!(
        "{:<18} {:>12} {:>12} {:>7} {:>9} {:>9}",
        "target", "executions", "accepted", "corpus", "peak B", "slowest"
    );
    std::fs::create_dir_all(&options.out).map_err(|error| format!("{}: {error}", options.out))?;
    let (waiting, faults) = (Mutex::new(VecDeque::from(targets)), Mutex::new(Vec::new()));
    let total = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().map_or(None, |mut waiting| waiting.pop_front());
                    let Some(target) = next else { return };
                    match one(options, &target) {
                        Ok(executions) => drop(total.fetch_add(executions, Ordering::Relaxed)),
                        Err(why) => {
                            println!("{:<18} FAILED: {why}", target.name);
                            if let Ok(mut faults) = faults.lock() {
                                faults.push(format!("{}: {why}", target.name));
                            }
                        }
                    }
                }
            });
        }
    });
    println!("{} executions in {:.0} s", total.into_inner(), started.elapsed().as_secs_f64());
    let faults = faults.into_inner().unwrap_or_default();
    if faults.is_empty() {
        return Ok(());
    }
    let again =
        format!("replay one with: cargo xtask fuzz --seed {} --target NAME --executions N", options.seed);
    Err(format!("seed {}\n  {}\n{again}", options.seed, faults.join("\n  ")))
}

fn one(options: &Options, target: &Target) -> Result<u64, String> {
    match spawn(options, target, &["--child".into()])? {
        End::Done(figures) => {
            let parts: Vec<u64> = figures.split(' ').filter_map(|part| part.parse().ok()).collect();
            let [executions, accepted, corpus, peak, slowest] = parts[..] else { return Err(figures) };
            println!(
                "{:<18} {executions:>12} {accepted:>12} {corpus:>7} {peak:>9} {slowest:>6} us",
                target.name
            );
            Ok(executions)
        }
        End::Found(what) => {
            let mut parts = what.splitn(3, ' ');
            let (execution, file) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let fault = parts.next().unwrap_or_default();
            Err(format!("execution {execution}: {fault} (input in {file})"))
        }
        End::Died { after } => {
            // the same again, with inputs written down
            let trace = ["--trace-from".into(), after.to_string()];
            let end = spawn(options, target, &trace)?;
            let file = file_of(options, target, "trace");
            let same = if matches!(end, End::Died { .. }) { "" } else { ", but not when it was run again" };
            Err(format!("the process died after execution {after}{same} (last input in {})", file.display()))
        }
    }
}

fn spawn(options: &Options, target: &Target, mode: &[String]) -> Result<End, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let (seconds, executions) =
        if options.long { (LONG_SECONDS, target.kind.long()) } else { (options.seconds, options.executions) };
    let (seconds, executions, seed) = (seconds.to_string(), executions.to_string(), options.seed.to_string());
    let mut child = Command::new(program)
        .args(["--target", target.name, "--seconds", &seconds, "--executions", &executions])
        .args(["--seed", &seed, "--out", &options.out])
        .args(mode)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let (mut after, mut end) = (0, None);
    for line in child.stdout.take().into_iter().flat_map(|out| BufReader::new(out).lines()) {
        let line = line.map_err(|error| error.to_string())?;
        match line.split_once(' ') {
            Some(("at", number)) => after = number.parse().unwrap_or(after),
            Some(("done", figures)) => end = Some(End::Done(figures.to_owned())),
            Some(("found", what)) => end = Some(End::Found(what.to_owned())),
            _ => println!("{line}"),
        }
    }
    child.wait().map_err(|error| error.to_string())?;
    Ok(end.unwrap_or(End::Died { after }))
}
