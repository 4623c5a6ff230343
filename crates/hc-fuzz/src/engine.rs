//! Runs a target: mutates what it has, checks what comes of it, and keeps inputs of classes that were not seen before.
//!
//! Everything follows from the seed and the number of executions, not from time, so a run replays.

use std::cell::RefCell;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::mutate::mutate;
use crate::probe::{Probe, time_limit};
use crate::rng::Rng;
use crate::target::{Target, Verdict};

/// Inputs that are kept.
const MAX_CORPUS: usize = 4_096;
/// Bytes of all inputs that are kept.
const MAX_CORPUS_BYTES: usize = 16 << 20;
/// An input that seems slow is run so many times more: a busy machine is not the decoder's fault.
const SLOW_RETRIES: usize = 5;
/// Executions between two looks at the clock.
const CLOCK_EVERY: u64 = 256;
/// Inputs that are tried to make a failing one smaller.
const MAX_SHRINKS: usize = 3_000;

/// What is wrong with what a target made of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It panicked.
    Panic(String),
    /// What it read does not hold together.
    Broken(String),
    /// It held too much memory.
    Memory {
        /// Bytes at the peak.
        peak: u64,
        /// Bytes that it may hold.
        allowed: u64,
    },
    /// It took too long.
    Slow {
        /// The shortest of several runs.
        took: Duration,
        /// What it may take.
        allowed: Duration,
    },
}

impl Fault {
    const fn same_kind(&self, other: &Self) -> bool {
        matches!(
            (self, other),
            (Self::Panic(_), Self::Panic(_))
                | (Self::Broken(_), Self::Broken(_))
                | (Self::Memory { .. }, Self::Memory { .. })
                | (Self::Slow { .. }, Self::Slow { .. })
        )
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Panic(message) => write!(f, "panic: {message}"),
            Self::Broken(what) => write!(f, "not stable: {what}"),
            Self::Memory { peak, allowed } => write!(f, "held {peak} bytes, {allowed} are allowed"),
            Self::Slow { took, allowed } => write!(f, "took {took:?}, {allowed:?} are allowed"),
        }
    }
}

/// An input that a target fails on.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Which execution it was, from 1.
    pub execution: u64,
    /// What is wrong.
    pub fault: Fault,
    /// The input, as small as it could be made.
    pub input: Vec<u8>,
}

/// What a run came to.
#[derive(Debug, Default, Clone)]
pub struct Summary {
    /// Inputs that were run.
    pub executions: u64,
    /// How many of these were taken.
    pub accepted: u64,
    /// Inputs that were kept, the seeds included.
    pub corpus: usize,
    /// The most memory that an input cost.
    pub peak: u64,
    /// The most time that an input seemed to take.
    pub slowest: Duration,
}

/// When a run ends: after so many executions or so much time, whichever comes first.
#[derive(Debug, Clone, Copy)]
pub struct Until {
    /// At most so many.
    pub executions: u64,
    /// At most so long.
    pub time: Duration,
}

thread_local! {
    static MESSAGE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// From now on panics are remembered, not printed.
fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            let text = info.to_string().replace('\n', " ");
            MESSAGE.with(|message| message.replace(text));
        }));
    });
}

/// Runs one input and checks what came of it.
///
/// # Errors
/// The fault.
pub fn check(target: &Target, input: &[u8], summary: &mut Summary) -> Result<Verdict, Fault> {
    let mut probe = Probe::default();
    let verdict = run(target, input, &mut probe)?;
    summary.peak = summary.peak.max(probe.peak);
    summary.slowest = summary.slowest.max(probe.elapsed);
    if let Verdict::Broken(what) = verdict {
        return Err(Fault::Broken(what));
    }
    let allowed = target.allowance.bytes(input.len());
    if probe.peak > allowed {
        return Err(Fault::Memory { peak: probe.peak, allowed });
    }
    let allowed = time_limit(input.len());
    let mut took = probe.elapsed;
    for _ in 0..SLOW_RETRIES {
        if took <= allowed {
            return Ok(verdict);
        }
        let (mut again, started) = (Probe::default(), processor_time());
        run(target, input, &mut again)?;
        let busy = processor_time().zip(started).map(|(ended, started)| ended.saturating_sub(started));
        took = took.min(again.elapsed).min(busy.unwrap_or(Duration::MAX));
    }
    if took > allowed { Err(Fault::Slow { took, allowed }) } else { Ok(verdict) }
}

/// The time for which this thread had a processor, where the system tells. It is read only for what seems slow.
fn processor_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

fn run(target: &Target, input: &[u8], probe: &mut Probe) -> Result<Verdict, Fault> {
    quiet_panics();
    catch_unwind(AssertUnwindSafe(|| (target.run)(probe, input)))
        .map_err(|_| Fault::Panic(MESSAGE.with(RefCell::take)))
}

/// Fuzzes a target. `count` goes up with each input, for who watches whether it goes on; `before` sees each
/// input before it is run.
///
/// # Errors
/// The first finding.
pub fn fuzz(
    target: &Target,
    seed: u64,
    until: Until,
    count: &AtomicU64,
    mut before: impl FnMut(u64, &[u8]),
) -> Result<Summary, Box<Finding>> {
    let (mut rng, started) = (Rng::named(seed, target.name), Instant::now());
    let (mut summary, mut seen) = (Summary::default(), HashSet::new());
    let mut corpus: Vec<Vec<u8>> = Vec::new();
    let mut kept_bytes = 0;
    let mut waiting = (target.seeds)(&mut rng).into_iter();
    while summary.executions < until.executions {
        let from_seeds = waiting.next();
        let is_seed = from_seeds.is_some();
        let input = from_seeds.unwrap_or_else(|| {
            let mut input = corpus.get(rng.below(corpus.len())).cloned().unwrap_or_default();
            let other = corpus.get(rng.below(corpus.len())).map_or(&[][..], Vec::as_slice);
            mutate(&mut rng, &mut input, other);
            input
        });
        summary.executions += 1;
        count.store(summary.executions, Ordering::Relaxed);
        before(summary.executions, &input);
        let new = match check(target, &input, &mut summary) {
            Err(fault) => {
                let (fault, input) = shrink(target, fault, input, count);
                return Err(Box::new(Finding { execution: summary.executions, fault, input }));
            }
            Ok(Verdict::Accepted(class)) => {
                summary.accepted += 1;
                seen.insert((true, class))
            }
            Ok(Verdict::Refused(class)) => seen.insert((false, class)),
            Ok(Verdict::Broken(_)) => false,
        };
        if is_seed || (new && corpus.len() < MAX_CORPUS && kept_bytes + input.len() < MAX_CORPUS_BYTES) {
            kept_bytes += input.len();
            corpus.push(input);
        }
        if summary.executions.is_multiple_of(CLOCK_EVERY) && started.elapsed() >= until.time {
            break;
        }
    }
    summary.corpus = corpus.len();
    Ok(summary)
}

/// Makes a failing input smaller while it fails in the same way.
fn shrink(target: &Target, fault: Fault, input: Vec<u8>, count: &AtomicU64) -> (Fault, Vec<u8>) {
    let (mut best, mut tries) = ((fault, input), 0);
    let mut piece = best.1.len().div_ceil(2).max(1);
    loop {
        let (mut at, mut smaller) = (0, false);
        while at < best.1.len() && tries < MAX_SHRINKS {
            tries += 1;
            count.fetch_add(1, Ordering::Relaxed);
            let mut input = best.1.clone();
            input.drain(at..input.len().min(at + piece));
            match check(target, &input, &mut Summary::default()) {
                Err(fault) if fault.same_kind(&best.0) => {
                    best = (fault, input);
                    smaller = true;
                }
                _ => at += piece,
            }
        }
        if tries >= MAX_SHRINKS || (piece == 1 && !smaller) {
            return best;
        }
        if !smaller {
            piece = (piece / 2).max(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::{Allowance, Kind};

    const ENOUGH: Until = Until { executions: 200_000, time: Duration::from_secs(60) };

    fn target(run: fn(&mut Probe, &[u8]) -> Verdict) -> Target {
        let seeds = |_: &mut Rng| vec![vec![1, 2, 3, 4, 5, 6, 7, 8]];
        Target { name: "test", kind: Kind::Decoder, covers: &[], allowance: Allowance::RULE, seeds, run }
    }

    fn finding(run: fn(&mut Probe, &[u8]) -> Verdict) -> Finding {
        *fuzz(&target(run), 1, ENOUGH, &AtomicU64::new(0), |_, _| {}).unwrap_err()
    }

    #[test]
    fn a_panic_is_found_made_small_and_replays() {
        let run = |probe: &mut Probe, input: &[u8]| {
            probe.watch(|| assert!(!input.windows(2).any(|pair| pair == [0xff, 0xfd]), "that pair"));
            Verdict::Accepted(0)
        };
        let found = finding(run);
        assert_eq!(found.input, [0xff, 0xfd]);
        assert!(found.fault.to_string().contains("that pair"), "{}", found.fault);
        assert_eq!(finding(run).execution, found.execution);
    }

    #[test]
    fn memory_beyond_the_allowance_is_found() {
        let found = finding(|probe, input| {
            probe.watch(|| drop(vec![0_u8; input.iter().map(|byte| usize::from(*byte) * 100).sum()]));
            Verdict::Accepted(0)
        });
        assert!(matches!(found.fault, Fault::Memory { peak: 65_537.., .. }), "{found:?}");
    }

    #[test]
    fn what_takes_too_long_is_found() {
        let found = finding(|probe, input| {
            let busy = Duration::from_millis(if input.len() > 20 { 120 } else { 0 });
            probe.watch(|| {
                let started = processor_time();
                while processor_time() < started.map(|started| started + busy) {}
            });
            Verdict::Accepted(0)
        });
        assert!(matches!(found.fault, Fault::Slow { .. }), "{found:?}");
    }

    #[test]
    fn what_does_not_hold_together_is_found() {
        let found = finding(|_, input| match input {
            [0, ..] => Verdict::Broken("a zero".into()),
            _ => Verdict::Accepted(0),
        });
        assert_eq!((found.fault, found.input), (Fault::Broken("a zero".into()), vec![0]));
    }

    #[test]
    fn inputs_of_new_classes_are_kept() {
        let run = |_: &mut Probe, input: &[u8]| {
            Verdict::Refused(input.iter().take_while(|byte| **byte == 7).count().min(4) as u64)
        };
        let done = fuzz(&target(run), 1, ENOUGH, &AtomicU64::new(0), |_, _| {}).unwrap();
        assert_eq!((done.executions, done.corpus), (200_000, 5), "a seed and four classes beyond its own");
    }
}
