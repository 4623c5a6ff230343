//! How an input becomes another one: flips, runs of bytes that go, come or repeat, pieces of other inputs, and numbers at
//! the edges of the encodings.

use compact_encoding::put;

use crate::rng::{EDGES, Rng};

/// Inputs do not grow beyond this. It is above 64 KiB, so that what an input costs in proportion to its size is seen.
pub const MAX_INPUT: usize = 96 * 1024;
/// Most inputs stay as small as this: small ones run faster and find as much.
const USUAL_INPUT: usize = 4 * 1024;
/// One mutation in so many is one that makes an input large.
const BLOW_UP: usize = 4_000;

/// Changes `input` a few times. `other` is another input of the same target, from which pieces are taken.
pub fn mutate(rng: &mut Rng, input: &mut Vec<u8>, other: &[u8]) {
    let most = if rng.once_in(4) { 8 } else { 2 };
    let times = 1 + rng.below(most);
    for _ in 0..times {
        once(rng, input, other);
    }
    if rng.once_in(BLOW_UP) {
        blow_up(rng, input);
    } else {
        input.truncate(USUAL_INPUT);
    }
}

fn once(rng: &mut Rng, input: &mut Vec<u8>, other: &[u8]) {
    let at = rng.below(input.len());
    match rng.below(12) {
        0 | 1 => flip(input, at, 1 << rng.below(8)),
        2 => set(input, at, rng.byte()),
        3 => set(input, at, [0, 1, 2, 0x7f, 0x80, 0xfc, 0xfd, 0xfe, 0xff][rng.below(9)]),
        4 => drop(input.drain(range(rng, input.len(), 16))),
        5 => input.truncate(at),
        6 => insert(rng, input, at, 8),
        7 => repeat(rng, input),
        8 => number(rng, input, at),
        9 => splice(rng, input, other),
        10 => nudge(input, at, rng.below(8) as u8),
        _ => overwrite(rng, input, at, other),
    }
}

fn flip(input: &mut [u8], at: usize, mask: u8) {
    if let Some(byte) = input.get_mut(at) {
        *byte ^= mask;
    }
}

fn set(input: &mut [u8], at: usize, value: u8) {
    if let Some(byte) = input.get_mut(at) {
        *byte = value;
    }
}

/// Up to three more or four fewer.
fn nudge(input: &mut [u8], at: usize, by: u8) {
    if let Some(byte) = input.get_mut(at) {
        *byte = byte.wrapping_add(by).wrapping_sub(4);
    }
}

/// A part of something of this length, of at most `max` bytes for the most part.
fn range(rng: &mut Rng, len: usize, max: usize) -> std::ops::Range<usize> {
    let start = rng.below(len);
    let most = if rng.once_in(4) { len - start } else { max.min(len - start) };
    start..start + rng.below(most + 1)
}

fn insert(rng: &mut Rng, input: &mut Vec<u8>, at: usize, max: usize) {
    let len = rng.below(max + 1);
    let bytes = if rng.once_in(2) { vec![rng.byte(); len] } else { rng.bytes(len) };
    input.splice(at..at, bytes);
}

/// A part comes several times.
fn repeat(rng: &mut Rng, input: &mut Vec<u8>) {
    let part = range(rng, input.len(), 80);
    let (copy, end) = (input[part.clone()].to_vec(), part.end);
    let times = 1 + rng.below(4);
    input.splice(end..end, copy.repeat(times));
}

/// A number of the encoding, at an edge, in place of one or between two.
fn number(rng: &mut Rng, input: &mut Vec<u8>, at: usize) {
    let mut bytes = Vec::new();
    let edge = EDGES[rng.below(EDGES.len())];
    put::uint(&mut bytes, if rng.once_in(8) { u64::MAX - edge } else { edge });
    let replaced = match (rng.below(3), input.get(at)) {
        (0, _) | (_, None) => 0,
        (_, Some(0xfd)) => 3,
        (_, Some(0xfe)) => 5,
        (_, Some(0xff)) => 9,
        _ => 1,
    };
    let end = input.len().min(at + replaced);
    input.splice(at..end, bytes);
}

/// The beginning of one and the end of the other.
fn splice(rng: &mut Rng, input: &mut Vec<u8>, other: &[u8]) {
    input.truncate(rng.below(input.len() + 1));
    input.extend_from_slice(&other[rng.below(other.len() + 1)..]);
}

fn overwrite(rng: &mut Rng, input: &mut Vec<u8>, at: usize, other: &[u8]) {
    let part = &other[range(rng, other.len(), 64)];
    let end = input.len().min(at + part.len());
    input.splice(at..end, part.iter().copied());
}

/// Repeats a small part until the input is large, behind a count that may fit.
fn blow_up(rng: &mut Rng, input: &mut Vec<u8>) {
    let part = range(rng, input.len(), 68);
    let unit = if part.is_empty() { vec![rng.byte(), rng.byte()] } else { input[part.clone()].to_vec() };
    let room = MAX_INPUT - USUAL_INPUT;
    let times = 1 + rng.below(room / unit.len());
    input.truncate(USUAL_INPUT.min(part.end));
    if rng.once_in(2) {
        input.truncate(part.start);
        put::len(input, times);
    }
    input.extend(unit.repeat(times));
    input.truncate(MAX_INPUT);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_change_stay_bounded_and_some_are_large() {
        let (mut rng, mut large, mut changed) = (Rng::new(1), 0, 0);
        for _ in 0..60_000 {
            let mut input = vec![1, 2, 3, 0xfd, 0, 1];
            mutate(&mut rng, &mut input, &[9; 40]);
            assert!(input.len() <= MAX_INPUT);
            large += usize::from(input.len() > USUAL_INPUT);
            changed += usize::from(input != [1, 2, 3, 0xfd, 0, 1]);
        }
        assert!(large > 5, "{large}");
        assert!(changed > 50_000, "{changed}");
    }

    #[test]
    fn nothing_can_be_mutated_too() {
        for seed in 0..2_000 {
            mutate(&mut Rng::new(seed), &mut Vec::new(), &[]);
        }
    }
}
