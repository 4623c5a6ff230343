//! What is fuzzed: one decoder, or one state machine.

use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use compact_encoding::{Decode, DecodeError, Encode, Reader};

use crate::probe::{FREE, PER_BYTE, Probe};
use crate::rng::Rng;

/// What came of an input. The number is that of a class: an input of a class that was not seen before is kept, to be
/// mutated further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Refused, as bad input is.
    Refused(u64),
    /// Taken.
    Accepted(u64),
    /// What was taken does not hold together.
    Broken(String),
}

/// A decoder reads one value; a machine goes through many steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One value is read, written and read again.
    Decoder,
    /// Many steps of a state machine.
    Machine,
}

impl Kind {
    /// Executions of a long run.
    #[must_use]
    pub const fn long(self) -> u64 {
        match self {
            Self::Decoder => 1_000_000_000,
            Self::Machine => 50_000_000,
        }
    }
}

/// What an input may cost in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Bytes, whatever the input.
    pub free: u64,
    /// Bytes for each byte of the input.
    pub per_byte: u64,
    /// Why it is more than the rule, where it is.
    pub why: &'static str,
}

impl Allowance {
    /// What holds for everything that has no reason to need more.
    pub const RULE: Self = Self { free: FREE, per_byte: PER_BYTE, why: "" };

    /// Bytes that an input of this size may cost.
    #[must_use]
    pub fn bytes(&self, len: usize) -> u64 {
        let len = u64::try_from(len).unwrap_or(u64::MAX);
        self.free.saturating_add(self.per_byte.saturating_mul(len))
    }
}

/// Something to fuzz.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// The decoders that it reaches, as `crate::Type::function`. `tests/decoders.rs` compares all of them with the sources.
    pub covers: &'static [&'static str],
    /// What it may cost.
    pub allowance: Allowance,
    /// Good inputs to begin with.
    pub seeds: fn(&mut Rng) -> Vec<Vec<u8>>,
    /// Runs one input.
    pub run: fn(&mut Probe, &[u8]) -> Verdict,
}

/// The class of what came of an input.
pub fn class(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// Errors that have a class: what is wrong and where, but not by how much.
pub trait Classed {
    /// The class.
    fn class(&self) -> u64;
}

impl Classed for DecodeError {
    fn class(&self) -> u64 {
        match *self {
            Self::OutOfBounds { at, .. } => class((0, at.min(64))),
            Self::TooLarge { at, .. } => class((1, at.min(64))),
            Self::TooMany { at, max, .. } => class((2, at.min(64), max)),
            Self::InvalidUtf8 { at } => class((3, at.min(64))),
            Self::Trailing { at, .. } => class((4, at.min(64))),
            Self::Invalid { at, what } => class((5, at.min(64), what)),
            _ => class(6),
        }
    }
}

/// The class of another error: how its description begins.
pub fn described(error: &impl Debug) -> u64 {
    let text = format!("{error:?}");
    class(text.bytes().take(40).collect::<Vec<_>>())
}

/// The class of a value: its size roughly, and its first bytes, where flags are.
#[must_use]
pub fn value_class(encoded: &[u8], read: usize) -> u64 {
    let head = encoded.get(..3.min(encoded.len()));
    class((encoded.len().next_power_of_two(), head, read == encoded.len()))
}

/// Reads a value from the beginning of an input; then what it writes must be read as the same value.
pub fn stable<T: for<'a> Decode<'a> + Encode>(probe: &mut Probe, input: &[u8]) -> Verdict {
    stable_by(
        probe,
        input,
        |reader| T::decode(reader),
        |value| {
            let bytes = value.to_vec();
            assert_eq!(
                value.encoded_len(),
                bytes.len(),
                "the length that was counted is not that of what is written"
            );
            bytes
        },
    )
}

/// As [`stable`], for a value whose parts may be slices of the input.
pub fn stable_in_frame<T: Encode>(
    probe: &mut Probe,
    input: &[u8],
    read: fn(&Bytes, &mut Reader<'_>) -> Result<T, DecodeError>,
) -> Verdict {
    let frame = Bytes::copy_from_slice(input);
    let mut reader = Reader::new(&frame);
    let value = match probe.watch(|| read(&frame, &mut reader)) {
        Ok(value) => value,
        Err(error) => return Verdict::Refused(error.class()),
    };
    let encoded = Bytes::from(value.to_vec());
    match read(&encoded, &mut Reader::new(&encoded)) {
        Err(error) => Verdict::Broken(format!("what it wrote is refused: {error:?}")),
        Ok(value) if value.to_vec() != encoded => {
            Verdict::Broken("it is written in another way the next time".into())
        }
        Ok(_) => Verdict::Accepted(value_class(&encoded, reader.position())),
    }
}

/// As [`stable`], with functions.
pub fn stable_by<T, E: Classed + Debug>(
    probe: &mut Probe,
    input: &[u8],
    mut read: impl FnMut(&mut Reader<'_>) -> Result<T, E>,
    write: impl Fn(&T) -> Vec<u8>,
) -> Verdict {
    let mut reader = Reader::new(input);
    let value = match probe.watch(|| read(&mut reader)) {
        Ok(value) => value,
        Err(error) => return Verdict::Refused(error.class()),
    };
    let encoded = write(&value);
    let mut again = Reader::new(&encoded);
    match read(&mut again) {
        Err(error) => Verdict::Broken(format!("what it wrote is refused: {error:?}")),
        Ok(_) if !again.is_empty() => Verdict::Broken(format!("{} bytes are left over", again.remaining())),
        Ok(value) if write(&value) != encoded => {
            Verdict::Broken("it is written in another way the next time".into())
        }
        Ok(_) => Verdict::Accepted(value_class(&encoded, reader.position())),
    }
}
