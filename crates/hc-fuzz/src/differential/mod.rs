//! The same inputs for Node and for us: verdicts and what is written again must be equal.
//!
//! Where we are stricter on purpose is in [`known`], and nowhere else. Nothing is taken here that Node refuses.

mod codecs;
pub mod known;
mod node;

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

use codecs::Codec;
pub use codecs::Refusal;
use node::Node;

use crate::mutate::mutate;
use crate::rng::Rng;
use crate::target::{class, value_class};

/// Inputs that are sent at a time.
const BATCH: usize = 4_000;
/// Inputs that are kept of each codec.
const MAX_CORPUS: usize = 1_500;
/// Differences after which there is no point in going on.
const MAX_FOUND: usize = 12;
/// A codec that takes long comes once in so many turns.
const RARE: usize = 2;

/// What Node made of an input: what it wrote, if it took it.
type Answer = Option<Vec<u8>>;

/// What a comparison came to.
#[derive(Debug, Default)]
pub struct Report {
    /// Inputs.
    pub inputs: u64,
    /// Inputs of each codec, and how many of these both sides took.
    pub codecs: BTreeMap<&'static str, (u64, u64)>,
    /// How often each known difference was seen.
    pub known: BTreeMap<&'static str, u64>,
    /// Other differences, in words.
    pub found: Vec<String>,
}

/// The names of all codecs.
#[must_use]
pub fn names() -> Vec<&'static str> {
    codecs::all().iter().map(|codec| codec.name).collect()
}

struct Case {
    codec: usize,
    input: Vec<u8>,
}

struct Corpus {
    inputs: Vec<Vec<u8>>,
    seen: HashSet<u64>,
}

/// Compares so many inputs; `only` restricts it to one codec.
///
/// # Errors
/// If Node cannot be asked.
pub fn compare(seed: u64, inputs: u64, only: Option<&str>) -> Result<Report, String> {
    let codecs = codecs::all();
    let mut node = Node::start(&codecs)?;
    let (mut rng, mut report, started) = (Rng::new(seed), Report::default(), Instant::now());
    let mut corpora: Vec<Corpus> = codecs
        .iter()
        .map(|codec| Corpus {
            inputs: (codec.seeds)(&mut Rng::named(seed, codec.name)),
            seen: HashSet::new(),
        })
        .collect();
    let turns: Vec<usize> = turns(&codecs, only);
    if turns.is_empty() {
        return Err(format!("there is no codec {}", only.unwrap_or_default()));
    }
    let mut said = HashSet::new();
    let mut fresh: Vec<Case> = turns
        .iter()
        .collect::<HashSet<_>>()
        .into_iter()
        .flat_map(|codec| {
            corpora[*codec].inputs.iter().map(|input| Case { codec: *codec, input: input.clone() })
        })
        .collect();
    fresh.sort_by_key(|case| case.codec);
    while report.inputs < inputs && report.found.len() < MAX_FOUND {
        while fresh.len() < BATCH {
            fresh.push(next(&mut rng, &turns, &corpora));
        }
        let cases: Vec<Case> = fresh.drain(..BATCH).collect();
        let answers = node.judge(&cases)?;
        for (case, answer) in cases.into_iter().zip(answers) {
            let codec = &codecs[case.codec];
            let ours = (codec.ours)(&case.input);
            report.inputs += 1;
            let counts = report.codecs.entry(codec.name).or_default();
            counts.0 += 1;
            counts.1 += u64::from(ours.is_ok() && answer.is_some());
            keep(&mut corpora[case.codec], &ours, &case.input);
            let Err(difference) = agree(codec, &ours, &answer, &mut report.known) else { continue };
            if said.insert((case.codec, difference.clone())) {
                let input = shrink(&mut node, codec, &case, &difference)?;
                report.found.push(format!("{}: {difference}: input {}", codec.name, hex::encode(input)));
            }
        }
        if report.inputs.is_multiple_of(BATCH as u64 * 50) {
            crate::differential::progress(&report, started);
        }
    }
    Ok(report)
}

#[expect(clippy::print_stdout, reason = "a long run says how far it is")]
fn progress(report: &Report, started: Instant) {
    println!("  {} inputs in {:.0} s", report.inputs, started.elapsed().as_secs_f64());
}

/// The order in which codecs come, again and again.
fn turns(codecs: &[Codec], only: Option<&str>) -> Vec<usize> {
    if let Some(only) = only {
        return codecs.iter().position(|codec| codec.name == only).into_iter().collect();
    }
    let quick = (0..codecs.len()).filter(|at| !codecs[*at].slow).collect::<Vec<_>>().repeat(RARE);
    let slow = (0..codecs.len()).filter(|at| codecs[*at].slow);
    quick.iter().copied().chain(slow).collect()
}

fn next(rng: &mut Rng, turns: &[usize], corpora: &[Corpus]) -> Case {
    let codec = turns[rng.below(turns.len())];
    let corpus = &corpora[codec].inputs;
    let mut input = corpus.get(rng.below(corpus.len())).cloned().unwrap_or_default();
    let other = corpus.get(rng.below(corpus.len())).map_or(&[][..], Vec::as_slice);
    mutate(rng, &mut input, other);
    Case { codec, input }
}

/// Keeps an input of a class that was not seen before.
fn keep(corpus: &mut Corpus, ours: &Result<Vec<u8>, Refusal>, input: &[u8]) {
    let class = match ours {
        Ok(bytes) => value_class(bytes, input.len()),
        Err(refusal) => class((refusal, 1)),
    };
    if corpus.inputs.len() < MAX_CORPUS && corpus.seen.insert(class) {
        corpus.inputs.push(input.to_vec());
    }
}

/// Whether both sides say the same, but for what is known. Else what differs, in words that are the same for the same
/// difference.
fn agree(
    codec: &Codec,
    ours: &Result<Vec<u8>, Refusal>,
    answer: &Answer,
    known: &mut BTreeMap<&'static str, u64>,
) -> Result<(), String> {
    match (ours, answer) {
        (Ok(ours), Some(node)) if ours == node => Ok(()),
        (Ok(_), Some(_)) => Err("it is written in another way".into()),
        (Err(_), None) => Ok(()),
        (Ok(_), None) => Err("Node refuses it, we do not".into()),
        (Err(refusal), Some(_)) => match known::find(codec.name, refusal) {
            Some(difference) => {
                *known.entry(difference.name).or_default() += 1;
                Ok(())
            }
            None => Err(format!("we refuse it, Node does not: {}", refusal.what())),
        },
    }
}

/// Makes an input smaller while it differs in the same way.
fn shrink(node: &mut Node, codec: &Codec, case: &Case, difference: &str) -> Result<Vec<u8>, String> {
    let (mut best, mut piece) = (case.input.clone(), case.input.len().div_ceil(2).max(1));
    loop {
        let pieces = (0..best.len()).step_by(piece);
        let without = |at: usize| {
            let mut input = best.clone();
            input.drain(at..input.len().min(at + piece));
            Case { codec: case.codec, input }
        };
        let smaller: Vec<Case> = pieces.map(without).collect();
        let answers = node.judge(&smaller)?;
        let same = |(case, answer): &(Case, Answer)| {
            let ours = (codec.ours)(&case.input);
            agree(codec, &ours, answer, &mut BTreeMap::new()).is_err_and(|other| other == difference)
        };
        match smaller.into_iter().zip(answers).find(same) {
            Some((case, _)) => best = case.input,
            None if piece == 1 => return Ok(best),
            None => piece = (piece / 2).max(1),
        }
    }
}
