//! Everything that is fuzzed. Each target names the decoders that it reaches; `tests/decoders.rs` compares them with the
//! sources, so a decoder that is added without a target is found.

mod codec;
mod connection;
mod crypto;
mod frames;
mod replicator;
mod storage;
mod store;
mod tree;
mod wire;

use crate::probe::Probe;
use crate::rng::Rng;
use crate::target::{Allowance, Kind, Target, Verdict};

/// All targets.
#[must_use]
pub fn all() -> Vec<Target> {
    [
        codec::targets(),
        crypto::targets(),
        storage::targets(),
        wire::targets(),
        frames::targets(),
        connection::targets(),
        tree::targets(),
        replicator::targets(),
        store::targets(),
    ]
    .concat()
}

/// The inputs that a target begins with; none if there is no such target.
pub fn seeds(name: &str, rng: &mut Rng) -> Vec<Vec<u8>> {
    all().iter().find(|target| target.name == name).map_or_else(Vec::new, |target| (target.seeds)(rng))
}

/// A target of one decoder, which costs no more than the rule.
const fn decoder(
    name: &'static str,
    covers: &'static [&'static str],
    seeds: fn(&mut Rng) -> Vec<Vec<u8>>,
    run: fn(&mut Probe, &[u8]) -> Verdict,
) -> Target {
    Target { name, kind: Kind::Decoder, covers, allowance: Allowance::RULE, seeds, run }
}

/// A target of a state machine.
const fn machine(
    name: &'static str,
    covers: &'static [&'static str],
    seeds: fn(&mut Rng) -> Vec<Vec<u8>>,
    run: fn(&mut Probe, &[u8]) -> Verdict,
) -> Target {
    Target { name, kind: Kind::Machine, covers, allowance: Allowance::RULE, seeds, run }
}
