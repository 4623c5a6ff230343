//! A worker is killed at any moment; the store it leaves must hold all that it acknowledged.
//!
//! One in ten is killed again while it opens what the first left. Between two kills the store stays: each cycle begins with
//! what the last one left. After a while a new store is begun.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::checker::{Answer, Checker};
use crate::damage;
use crate::ledger::{self, Line};
use crate::model::Model;
use crate::options::{Findings, Options};
use crate::rng::Rng;
use crate::script::{Generator, Script};
use crate::version1::Version1;
use crate::view::Look;

/// Cycles with one store.
const CYCLES_A_STORE: u64 = 12;
const CORES: usize = 3;

/// When a worker is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// So long after it was started: mostly while it opens.
    AfterStart(Duration),
    /// So long after it said so many lines.
    AfterLines(usize, Duration),
}

/// Counts of a run.
#[derive(Default)]
struct Counts {
    cycles: u64,
    acknowledged: usize,
    in_doubt_done: usize,
    killed_opening: u64,
    killed_again: u64,
}

/// A store that is written to and killed, again and again.
struct Store<'a> {
    options: &'a Options,
    checker: Checker,
    generator: Generator,
    model: Model,
    sync: bool,
    /// Whether the next opening migrates it.
    migrates: bool,
}

pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let options = Options::parse(args, 500)?;
    println!("kill: seed {} (a finding names the seed of its store)", options.seed);
    let (mut counts, mut findings) = (Counts::default(), Findings::default());
    let older = Version1::make(&options, CORES);
    if let Err(why) = &older {
        println!("kill: no store of version 1 is migrated: {why}");
    }
    let (mut stores, mut migrated) = (0, 0);
    while options.goes_on(counts.cycles) {
        let seed = options.seed_of(stores);
        stores += 1;
        let mut store = Store::new(&options, seed);
        let dir = options.fresh("store")?;
        if let Ok(older) = &older
            && store.generator.rng.one_in(4)
        {
            store.begin_with(older, &dir)?;
            migrated += 1;
        }
        for _ in 0..CYCLES_A_STORE {
            if !options.goes_on(counts.cycles) {
                break;
            }
            counts.cycles += 1;
            if let Err(why) = store.cycle(&dir, &mut counts) {
                findings.add(seed, &why, &options.scratch);
                break;
            }
        }
    }
    println!(
        "kill: {} cycles in {:.0} s, {} killed while opening, {} killed again; {} operations acknowledged, {} in doubt \
         that had happened; {migrated} of {stores} stores were of version 1; {} findings",
        counts.cycles,
        options.elapsed(),
        counts.killed_opening,
        counts.killed_again,
        counts.acknowledged,
        counts.in_doubt_done,
        findings.count
    );
    findings.outcome()
}

impl<'a> Store<'a> {
    fn new(options: &'a Options, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let sync = rng.one_in(3);
        Self {
            options,
            checker: Checker::new(),
            generator: Generator::new(rng),
            model: Model::new(CORES),
            sync,
            migrates: false,
        }
    }

    /// Begins with a copy of a store of version 1.
    fn begin_with(&mut self, older: &Version1, dir: &Path) -> Result<(), String> {
        damage::copy(&older.dir, dir)?;
        (self.model, self.migrates) = (older.model.clone(), true);
        self.generator = Generator::after(self.generator.rng.clone(), older.last_id);
        Ok(())
    }

    /// Writes, is killed, and is looked at.
    fn cycle(&mut self, dir: &Path, counts: &mut Counts) -> Result<(), String> {
        let count = self.generator.rng.within(5, 80);
        let ops = self.generator.ops(&self.model, count);
        let script = Script { sync: self.sync, watch: false, cores: CORES, ops };
        let moment = self.moment(script.ops.len());
        let lines = self.run_and_kill(dir, &script, moment)?;
        counts.killed_opening += u64::from(!lines.contains(&Line::Open));
        while self.generator.rng.one_in(10) {
            counts.killed_again += 1;
            let empty = Script { ops: Vec::new(), ..script.clone() };
            let moment = Moment::AfterStart(Duration::from_micros(self.generator.rng.within(0, 60_000)));
            self.run_and_kill(dir, &empty, moment)?;
        }
        let view = match self.checker.ask(dir, CORES, Look::Audit)? {
            Answer::Shows(view) => view,
            Answer::Refused(why) => return Err(format!("it does not open after {moment:?}: {why}")),
        };
        if let Some(Line::Fail { why, .. }) = lines.iter().find(|line| matches!(line, Line::Fail { .. })) {
            let done = lines.iter().filter(|line| matches!(line, Line::Ack { .. })).count();
            return Err(format!("a worker failed: {why} ({:?})", script.ops.get(done)));
        }
        if let Some(core) = view.cores.iter().position(|core| core.recovering > 0) {
            return Err(format!("after {moment:?}: core {core} has lost nothing, and says it has"));
        }
        let settled = ledger::settle(&self.model, &begun(&script, &lines), &lines, &view)
            .map_err(|why| format!("after {moment:?}: {why}"))?;
        counts.acknowledged += settled.acknowledged;
        counts.in_doubt_done += settled.in_doubt_done;
        settled.model.compare(&view).map_err(|why| format!("after {moment:?}: {why}"))?;
        self.model = settled.model;
        Ok(())
    }

    fn moment(&mut self, ops: usize) -> Moment {
        let rng = &mut self.generator.rng;
        if std::mem::take(&mut self.migrates) || rng.one_in(6) {
            return Moment::AfterStart(Duration::from_micros(rng.within(0, 80_000)));
        }
        let lines = rng.index(ops + 2);
        let pause = if rng.one_in(2) { rng.within(0, 300) } else { rng.within(0, 5_000) };
        Moment::AfterLines(lines, Duration::from_micros(pause))
    }

    /// What a worker said before it was killed.
    fn run_and_kill(&self, dir: &Path, script: &Script, moment: Moment) -> Result<Vec<Line>, String> {
        let file = self.options.scratch.join("script.json");
        let text = serde_json::to_vec(script).map_err(|error| error.to_string())?;
        std::fs::write(&file, text).map_err(|error| error.to_string())?;
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.arg("work").arg(dir).arg(&file).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let said = kill(&mut child, moment);
        let status = child.wait().map_err(|error| error.to_string())?;
        let said = said?;
        if let Some(code) = status.code()
            && code != 0
        {
            return Err(format!("a worker ended with {code} before it was killed"));
        }
        Ok(ledger::parse(&said))
    }
}

/// Reads what a worker says until its moment has come, kills it, and reads the rest.
fn kill(child: &mut Child, moment: Moment) -> Result<String, String> {
    let output = child.stdout.take().ok_or("a worker without a pipe")?;
    let mut output = BufReader::new(output);
    let mut said = String::new();
    let pause = match moment {
        Moment::AfterStart(pause) => pause,
        Moment::AfterLines(lines, pause) => {
            for _ in 0..lines {
                if output.read_line(&mut said).map_err(|error| error.to_string())? == 0 {
                    break;
                }
            }
            pause
        }
    };
    std::thread::sleep(pause);
    child.kill().map_err(|error| error.to_string())?;
    while output.read_line(&mut said).map_err(|error| error.to_string())? > 0 {}
    Ok(said)
}

/// The operations that may have happened: those that were acknowledged and the one in flight.
fn begun(script: &Script, lines: &[Line]) -> Script {
    let acknowledged = lines.iter().filter(|line| matches!(line, Line::Ack { .. })).count();
    let ops = script.ops.iter().take(acknowledged + 1).cloned().collect();
    Script { ops, ..script.clone() }
}
