//! The power goes: what a device may then hold is made from a recorded order of writes and syncs, and looked at.
//!
//! A worker is recorded with strace ([`trace`]). From what it did to its files, and when it synced them, images of the device
//! are made ([`image`]): all that was synced is there; of the rest any part may be lost, whole or in sectors of 512 bytes, and
//! so may new names. Each image must open to a state that the store had once, with everything that was promised: what was
//! acknowledged with `Durability::Sync`, what was flushed, and what a reader was told of.

mod files;
mod image;
mod trace;

use std::path::Path;
use std::process::{Command, Stdio};

use crate::checker::{Answer, Checker};
use crate::ledger::{self, Line};
use crate::model::Model;
use crate::options::{Findings, Options};
use crate::rng::Rng;
use crate::script::{Generator, Op, Script};
use crate::view::Look;
use files::Recording;
use image::Image;

/// Images of one recording.
const IMAGES_A_RECORDING: u64 = 200;
const CORES: usize = 3;
/// No operation of a first script has a higher number.
const FIRST_SCRIPT_ENDS: u32 = 100_000;

pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let options = Options::parse(args, 2000)?;
    println!("power: seed {} (a finding names the seed of its recording)", options.seed);
    let mut run =
        Run { options, checker: Checker::new(), findings: Findings::default(), images: 0, refused: 0 };
    let (mut recordings, mut again) = (0, 0);
    while run.options.goes_on(run.images) {
        let seed = run.options.seed_of(recordings);
        recordings += 1;
        let recorded = Recorded::new(&run.options, seed)?;
        let mut rng = Rng::new(seed ^ 0x1111);
        run.look_at_images(&recorded, seed, &mut rng);
        if rng.one_in(2)
            && run.options.goes_on(run.images)
            && let Some(recorded) = recorded.after_power_loss(&run.options, &mut run.checker, &mut rng)?
        {
            again += 1;
            run.look_at_images(&recorded, seed, &mut rng);
        }
    }
    println!(
        "power: {} images of {recordings} recordings and {again} of what came after a power loss, in {:.0} s; {} findings, {} of \
         them did not open",
        run.images,
        run.options.elapsed(),
        run.findings.count,
        run.refused
    );
    run.findings.outcome()
}

/// Counts of a run, and what it needs.
struct Run {
    options: Options,
    checker: Checker,
    findings: Findings,
    images: u64,
    refused: u64,
}

impl Run {
    fn look_at_images(&mut self, recorded: &Recorded, seed: u64, rng: &mut Rng) {
        for _ in 0..IMAGES_A_RECORDING {
            if !self.options.goes_on(self.images) {
                return;
            }
            self.images += 1;
            if let Err(why) = recorded.try_image(&self.options, &mut self.checker, rng) {
                self.refused += u64::from(why.contains("does not open"));
                self.findings.add(seed, &why, &self.options.scratch);
            }
        }
    }
}

/// A worker's run: what it did to its files, and what it said meanwhile.
struct Recorded {
    recording: Recording,
    /// The states that the store had, in order, and how many of them had been reached when a line was said.
    states: Vec<Model>,
    /// From which time on at least which state is promised.
    promises: Vec<(usize, usize, String)>,
}

impl Recorded {
    fn new(options: &Options, seed: u64) -> Result<Self, String> {
        let mut rng = Rng::new(seed);
        let (sync, watch) = (rng.one_in(3), rng.one_in(2));
        let count = rng.within(10, 60);
        let mut generator = Generator::new(rng);
        generator.largest = 12_000;
        let ops = generator.ops(&Model::new(CORES), count);
        let script = Script { sync, watch, cores: CORES, ops };
        let dir = options.fresh("recorded")?;
        let trace = record(options, &dir, &script)?;
        let calls = trace::parse(&trace)?;
        let recording = Recording::new(&dir, &[], &[], &calls)?;
        let (states, promises) = promises(Model::new(CORES), &script, &recording.lines)?;
        Ok(Self { recording, states, promises })
    }

    /// A worker that goes on where the power went in this run. None if the image is a finding by itself.
    fn after_power_loss(
        &self,
        options: &Options,
        checker: &mut Checker,
        rng: &mut Rng,
    ) -> Result<Option<Self>, String> {
        let image = Image::choose(&self.recording, rng);
        let dir = options.fresh("image")?;
        image.write(&dir)?;
        let Ok(Answer::Shows(view)) = checker.ask(&dir, CORES, Look::Audit) else { return Ok(None) };
        let Some(state) = self.states.iter().find(|state| state.compare(&view).is_ok()) else {
            return Ok(None);
        };
        let mut generator = Generator::after(Rng::new(rng.next()), FIRST_SCRIPT_ENDS);
        generator.largest = 12_000;
        let count = generator.rng.within(1, 30);
        let (sync, watch) = (rng.one_in(3), rng.one_in(2));
        let script = Script { sync, watch, cores: CORES, ops: generator.ops(state, count) };
        // the same image again: looking at it has changed it
        let dir = options.fresh("recorded")?;
        image.write(&dir)?;
        let trace = record(options, &dir, &script)?;
        let (folders, files) = image.content();
        let recording = Recording::new(&dir, &folders, &files, &trace::parse(&trace)?)?;
        let (states, promises) = promises(state.clone(), &script, &recording.lines)?;
        Ok(Some(Self { recording, states, promises }))
    }

    /// Makes an image and looks at it.
    fn try_image(&self, options: &Options, checker: &mut Checker, rng: &mut Rng) -> Result<(), String> {
        let image = Image::choose(&self.recording, rng);
        let dir = options.fresh("image")?;
        image.write(&dir)?;
        let look = if rng.one_in(8) { Look::GoOn } else { Look::Audit };
        let view = match checker.ask(&dir, CORES, look)? {
            Answer::Shows(view) => view,
            Answer::Refused(why) => return Err(format!("{image}: it does not open: {why}")),
        };
        if !view.findings.is_empty() {
            return Err(format!("{image}: {}", view.findings.join("; ")));
        }
        if let Some(core) = view.cores.iter().position(|core| core.recovering > 0) {
            return Err(format!("{image}: core {core} has lost nothing that was told, and says it has"));
        }
        let promised = self.promises.iter().filter(|(time, ..)| *time < image.time);
        let least = promised.max_by_key(|(_, state, _)| *state);
        let from = least.map_or(0, |(_, state, _)| *state);
        if self.states.iter().skip(from).any(|state| state.compare(&view).is_ok()) {
            return Ok(());
        }
        let lens: Vec<u64> = view.cores.iter().map(|core| core.length).collect();
        if let Some(state) = self.states.iter().position(|state| state.compare(&view).is_ok()) {
            let why = least.map_or("", |(_, _, why)| why.as_str());
            return Err(format!(
                "{image}: state {state} is there (lengths {lens:?}), but {from} was promised: {why}"
            ));
        }
        let last = self.states.last().map(|state| state.compare(&view));
        Err(format!(
            "{image}: lengths {lens:?} are no state the store had; from the last it differs: {last:?}"
        ))
    }
}

/// Runs a worker under strace. What strace wrote.
fn record(options: &Options, dir: &Path, script: &Script) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("recording with strace: {error}");
    let (file, trace) = (options.scratch.join("script.json"), options.scratch.join("trace"));
    std::fs::write(&file, serde_json::to_vec(script).map_err(|error| error.to_string())?).map_err(failed)?;
    let program = std::env::current_exe().map_err(failed)?;
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-xx", "-s", "100000000", "-e", trace::CALLS, "-e", "signal=none", "-o"]);
    strace.arg(&trace).arg(program).arg("work").arg(dir).arg(&file);
    let done = strace.stdin(Stdio::null()).output().map_err(failed)?;
    if !done.status.success() {
        return Err(format!("a recorded worker failed: {}", String::from_utf8_lossy(&done.stderr)));
    }
    std::fs::read(&trace).map_err(failed)
}

type Promises = (Vec<Model>, Vec<(usize, usize, String)>);

/// The states a store had, and what a worker promised of them.
fn promises(before: Model, script: &Script, lines: &[(usize, Line)]) -> Result<Promises, String> {
    if let Some((_, line)) = lines.iter().find(|(_, line)| matches!(line, Line::Fail { .. })) {
        return Err(format!("a recorded worker failed: {line:?}"));
    }
    let only_lines: Vec<Line> = lines.iter().map(|(_, line)| line.clone()).collect();
    let mut states = vec![before];
    let mut promises = Vec::new();
    for (number, op) in script.ops.iter().enumerate() {
        for step in ledger::steps(op, number, &only_lines) {
            let Some(mut next) = states.last().cloned() else { continue };
            step(&mut next);
            states.push(next);
        }
        let acked = |(_, line): &&(usize, Line)| matches!(line, Line::Ack { op, .. } if *op == number);
        let Some((time, _)) = lines.iter().find(acked) else {
            return Err(format!("a recorded worker did not acknowledge operation {number}"));
        };
        if script.sync || matches!(op, Op::Flush) {
            promises.push((*time, states.len() - 1, format!("operation {number}, {op:?}, was acknowledged")));
        }
    }
    for (time, line) in lines {
        let Line::Told { core, length } = line else { continue };
        let told = |state: &Model| state.cores.get(*core).is_some_and(|core| core.len() as u64 >= *length);
        let state = states.iter().position(told).ok_or("a reader was told of a length there never was")?;
        promises.push((*time, state, format!("a reader was told that core {core} has {length} blocks")));
    }
    Ok((states, promises))
}
