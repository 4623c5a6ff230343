//! What a worker said, and what follows from it for the store.

use crate::model::Model;
use crate::script::{Op, Script};
use crate::view::View;

/// A line of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    Open,
    Part { op: usize, place: u32, length: u64 },
    Ack { op: usize, length: u64 },
    Told { core: usize, length: u64 },
    Fail { op: Option<usize>, why: String },
    Closed,
}

impl Line {
    /// The line, unless it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut words = text.trim_end().splitn(3, ' ');
        let kind = words.next()?;
        let (first, rest) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        Some(match kind {
            "open" => Self::Open,
            "closed" => Self::Closed,
            "ack" => Self::Ack { op: first.parse().ok()?, length: rest.parse().ok()? },
            "told" => Self::Told { core: first.parse().ok()?, length: rest.parse().ok()? },
            "fail" => Self::Fail { op: first.parse().ok(), why: format!("{first}: {rest}") },
            "part" => {
                let (place, length) = rest.split_once(' ')?;
                Self::Part {
                    op: first.parse().ok()?,
                    place: place.parse().ok()?,
                    length: length.parse().ok()?,
                }
            }
            _ => return None,
        })
    }
}

/// The lines of a worker's output that are complete, as far as they are lines.
pub(crate) fn parse(output: &str) -> Vec<Line> {
    let whole = output.rfind('\n').map_or("", |end| &output[..=end]);
    whole.lines().filter_map(Line::parse).collect()
}

/// What must hold after a worker said all this.
pub(crate) struct Settled {
    /// What the store must hold, as far as it is known and shown.
    pub(crate) model: Model,
    /// Operations that were acknowledged.
    pub(crate) acknowledged: usize,
    /// Operations that were not, but happened.
    pub(crate) in_doubt_done: usize,
}

/// What a store must hold that was in this state before a worker ran the script and said all this; operations in doubt
/// are settled by what the store shows.
pub(crate) fn settle(
    before: &Model,
    script: &Script,
    lines: &[Line],
    view: &View,
) -> Result<Settled, String> {
    let mut model = before.clone();
    let (mut acknowledged, mut in_doubt_done) = (0, 0);
    for (number, op) in script.ops.iter().enumerate() {
        let parts = parts(lines, number);
        let ack = acked(lines, number);
        acknowledged += usize::from(ack.is_some());
        match (op, ack) {
            (Op::Concurrent { core, id, len, .. }, _) if !parts.is_empty() => {
                apply_parts(&mut model, (*core, *id, *len), &parts, view)?;
                model.settle(op, view);
            }
            (_, Some(length)) => {
                model.apply(op);
                check_length(&model, op, length)?;
            }
            (_, None) => {
                let before = model.clone();
                model.settle(op, view);
                in_doubt_done += usize::from(model != before);
            }
        }
    }
    Ok(Settled { model, acknowledged, in_doubt_done })
}

/// What changes a store while an operation is carried out, in order, for a worker that finished.
pub(crate) fn steps(op: &Op, number: usize, lines: &[Line]) -> Vec<Step> {
    match op {
        Op::Flush | Op::Reopen | Op::Compact { .. } => Vec::new(),
        Op::Concurrent { core, id, len, .. } => {
            let (core, id, len) = (*core, *id, *len);
            let step = |(_, place)| {
                Box::new(move |model: &mut Model| model.apply_one_of(core, id, place, len)) as Step
            };
            parts(lines, number).into_iter().map(step).collect()
        }
        _ => {
            let op = op.clone();
            vec![Box::new(move |model: &mut Model| model.apply(&op))]
        }
    }
}

/// One change of a store.
pub(crate) type Step = Box<dyn Fn(&mut Model)>;

/// Whether a store shows what it may after a worker ran the whole script and some operations failed. One that failed may have
/// happened all the same; what others said later, and what is there in the end, must agree on it. How many were acknowledged.
pub(crate) fn explain(script: &Script, lines: &[Line], view: &View) -> Result<usize, String> {
    // with each, how many operations that failed it takes for done
    let mut guesses = vec![(0_usize, Model::new(script.cores))];
    let mut acknowledged = 0;
    for (number, op) in script.ops.iter().enumerate() {
        let mut next: Vec<(usize, Model)> = Vec::new();
        let acked = acked(lines, number);
        acknowledged += usize::from(acked.is_some());
        let parts = parts(lines, number);
        let mut why = String::new();
        for (taken, model) in guesses {
            let mut done = model.clone();
            let told = match op {
                Op::Concurrent { core, id, len, .. } => {
                    apply_parts(&mut done, (*core, *id, *len), &parts, view).map(|()| done.settle(op, view))
                }
                _ => {
                    done.apply(op);
                    Ok(())
                }
            };
            match (acked, told) {
                (Some(length), Ok(())) => match check_length(&done, op, length) {
                    Ok(()) => next.push((taken, done)),
                    Err(differs) => why = differs,
                },
                (None, Ok(())) if may_have_happened(lines, number) && done != model => {
                    next.extend(with_others(&model, op, &parts, view, taken));
                    next.push((taken + 1, done));
                    if parts.is_empty() {
                        next.push((taken, model));
                    }
                }
                (None, Ok(())) => next.push((taken, model)),
                (_, Err(differs)) => why = differs,
            }
        }
        if next.is_empty() {
            return Err(why);
        }
        next.sort_by_key(|(taken, _)| *taken);
        next.dedup();
        next.truncate(MOST_GUESSES);
        guesses = next;
    }
    let compared: Vec<_> = guesses.iter().map(|(_, model)| model.compare(view)).collect();
    if compared.iter().any(Result::is_ok) {
        return Ok(acknowledged);
    }
    compared.into_iter().next().unwrap_or(Ok(())).map(|()| acknowledged)
}

/// Of appends at the same time that failed, some may have happened, and been cut off again later: in the order of their places.
fn with_others(
    before: &Model,
    op: &Op,
    parts: &[(u64, u32)],
    view: &View,
    taken: usize,
) -> Vec<(usize, Model)> {
    let Op::Concurrent { core, id, count, len } = op else { return Vec::new() };
    let mut model = before.clone();
    if apply_parts(&mut model, (*core, *id, *len), parts, view).is_err() {
        return Vec::new();
    }
    let mut guesses = vec![(taken, model.clone())];
    for place in (0..*count).filter(|place| !parts.iter().any(|(_, acked)| acked == place)) {
        model.apply_one_of(*core, *id, place, *len);
        guesses.push((taken + 1, model.clone()));
    }
    guesses
}

/// How many states are kept in mind that would explain what was said.
const MOST_GUESSES: usize = 500;

/// What a store says when it refuses an operation before anything is written.
const REFUSALS: [&str; 4] = ["refuses writes", "is closed", "no truncation", "StoreClosed"];

fn may_have_happened(lines: &[Line], number: usize) -> bool {
    let why = lines.iter().find_map(|line| match line {
        Line::Fail { op: Some(op), why } if *op == number => Some(why),
        _ => None,
    });
    why.is_some_and(|why| !REFUSALS.iter().any(|refusal| why.contains(refusal)))
}

fn acked(lines: &[Line], number: usize) -> Option<u64> {
    lines.iter().find_map(|line| match line {
        Line::Ack { op, length } if *op == number => Some(*length),
        _ => None,
    })
}

/// The appends of an operation that were acknowledged, by the length of the log after them.
fn parts(lines: &[Line], number: usize) -> Vec<(u64, u32)> {
    let part = |line: &Line| match line {
        Line::Part { op, place, length } if *op == number => Some((*length, *place)),
        _ => None,
    };
    let mut parts: Vec<(u64, u32)> = lines.iter().filter_map(part).collect();
    parts.sort_unstable();
    parts
}

/// Appends at the same time: what was acknowledged is where it was said to be, and between them are others of the same
/// operation.
fn apply_parts(
    model: &mut Model,
    (core, id, len): (usize, u32, u32),
    parts: &[(u64, u32)],
    view: &View,
) -> Result<(), String> {
    for (length, place) in parts {
        let gap = Op::Concurrent { core, id, count: MANY, len };
        let index = length - 1;
        let at = |model: &Model| model.cores.get(core).map_or(0, |core| core.len() as u64);
        if at(model) < index {
            model.settle_until(&gap, view, index);
        }
        if at(model) != index {
            return Err(format!(
                "core {core}: block {index} was acknowledged, but what is before it is not there"
            ));
        }
        model.apply_one_of(core, id, *place, len);
    }
    Ok(())
}

/// More than appends at the same time there are.
const MANY: u32 = 64;

fn check_length(model: &Model, op: &Op, length: u64) -> Result<(), String> {
    let core = match op {
        Op::Append { core, .. } | Op::Concurrent { core, .. } | Op::UserData { core, .. } => core,
        Op::Commit { core, .. } | Op::Truncate { core, .. } | Op::Clear { core, .. } => core,
        Op::Atom { cores, .. } => cores.first().unwrap_or(&0),
        Op::Flush | Op::Reopen | Op::Compact { .. } => return Ok(()),
    };
    let expected = model.cores.get(*core).map_or(0, |core| core.len() as u64);
    if expected == length {
        return Ok(());
    }
    Err(format!("core {core}: {op:?} was acknowledged with length {length}, not {expected}"))
}

#[cfg(test)]
mod tests {
    use super::{Line, parse};

    #[test]
    fn a_line_that_was_cut_off_says_nothing() {
        let lines = parse("open\npart 3 1 12\nack 3 12\nack 4 1");
        let part = Line::Part { op: 3, place: 1, length: 12 };
        assert_eq!(lines, [Line::Open, part, Line::Ack { op: 3, length: 12 }]);
    }
}
