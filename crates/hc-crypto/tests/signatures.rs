//! Altered and forged signatures are judged as libsodium judges them, by Node's binding of it.
//!
//! `HYPERCORE_SIGNATURES` sets how many there are (10^5; 10^7 is the long run), `HYPERCORE_SEED` which ones.
//!
//! Among them are those that implementations are known to judge differently: points of small order, points in a form that
//! they should not have, scalars above the group's order, and signatures that are right but for a point of small order. No
//! difference is allowed.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::{EdwardsPoint, Scalar};
use hc_crypto::{PublicKey, Signature};
use sha2::{Digest, Sha512};

const BATCH: u64 = 10_000;
/// The order of the group, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// Numbers from a seed (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next().to_le_bytes()[0])
    }

    fn scalar(&mut self) -> Scalar {
        Scalar::from_bytes_mod_order_wide(&self.bytes())
    }

    /// A point of order 2, 4 or 8.
    fn torsion(&mut self) -> EdwardsPoint {
        EIGHT_TORSION[1 + self.below(7)]
    }
}

/// How a case was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Good,
    SignatureBits,
    MessageBits,
    KeyBits,
    OrderAdded,
    SmallR,
    SmallKey,
    SmallBoth,
    OddPoint,
    Arbitrary,
    OtherKey,
    /// Valid but for a point of small order that was added to R.
    NearR,
    /// Valid but for one that was added to the key.
    NearKey,
    /// With one added to both, so that the equation fits exactly.
    NearBoth,
}

const KINDS: [Kind; 14] = [
    Kind::Good,
    Kind::SignatureBits,
    Kind::MessageBits,
    Kind::KeyBits,
    Kind::OrderAdded,
    Kind::SmallR,
    Kind::SmallKey,
    Kind::SmallBoth,
    Kind::OddPoint,
    Kind::Arbitrary,
    Kind::OtherKey,
    Kind::NearR,
    Kind::NearKey,
    Kind::NearBoth,
];

struct Case {
    kind: Kind,
    key: [u8; 32],
    r: [u8; 32],
    s: [u8; 32],
    message: Vec<u8>,
}

fn challenge(r: &[u8; 32], key: &[u8; 32], message: &[u8]) -> Scalar {
    let hash = Sha512::new().chain_update(r).chain_update(key).chain_update(message).finalize();
    Scalar::from_bytes_mod_order_wide(&hash.into())
}

/// A signature under the secret scalar, with these points added to R and to the key.
fn signed(random: &mut Random, kind: Kind, to_r: EdwardsPoint, to_key: EdwardsPoint) -> Case {
    let (secret, nonce) = (random.scalar(), random.scalar());
    let key = (EdwardsPoint::mul_base(&secret) + to_key).compress().to_bytes();
    let r = (EdwardsPoint::mul_base(&nonce) + to_r).compress().to_bytes();
    let len = random.below(120);
    let message: Vec<u8> = (0..len).map(|_| random.next().to_le_bytes()[0]).collect();
    let s = nonce + challenge(&r, &key, &message) * secret;
    Case { kind, key, r, s: s.to_bytes(), message }
}

/// With points added that cancel each other out: R's is the key's times the challenge.
fn cancelling(random: &mut Random) -> Case {
    loop {
        let (to_r, to_key) = (random.torsion(), random.torsion());
        let case = signed(random, Kind::NearBoth, to_r, to_key);
        if to_r == -(to_key * challenge(&case.r, &case.key, &case.message)) {
            return Case { kind: Kind::NearBoth, ..case };
        }
    }
}

/// Encodings of points of small order, and of points in a form that they should not have.
fn odd_encoding(random: &mut Random) -> [u8; 32] {
    if random.below(2) == 0 {
        return EIGHT_TORSION[random.below(8)].compress().to_bytes();
    }
    // y at the modulus or above it, or 0, 1 or -1 with either sign
    let mut y = match random.below(3) {
        0 => [0; 32],
        1 => {
            let mut one = [0; 32];
            one[0] = 1;
            one
        }
        _ => {
            let mut high = [0xff; 32];
            high[0] = 0xec + u8::try_from(random.below(20)).unwrap();
            high
        }
    };
    y[31] = y[31] & 0x7f | u8::from(random.below(2) == 0) << 7;
    y
}

fn flip(random: &mut Random, bytes: &mut [u8]) {
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        bytes[at] ^= 1 << random.below(8);
    }
}

/// The same number, so many times the order higher, where that fits.
fn add_order(s: &mut [u8; 32], times: usize) {
    for _ in 0..times {
        let mut carry = 0_u16;
        let mut sum = *s;
        for (byte, order) in sum.iter_mut().zip(ORDER) {
            carry += u16::from(*byte) + u16::from(order);
            [*byte, _] = carry.to_le_bytes();
            carry >>= 8;
        }
        if carry == 0 {
            *s = sum;
        }
    }
}

fn case(random: &mut Random) -> Case {
    let kind = KINDS[random.below(KINDS.len())];
    let none = EIGHT_TORSION[0];
    let (to_r, to_key) = match kind {
        Kind::NearR => (random.torsion(), none),
        Kind::NearKey => (none, random.torsion()),
        Kind::NearBoth => return cancelling(random),
        _ => (none, none),
    };
    let mut case = signed(random, kind, to_r, to_key);
    match kind {
        Kind::Good | Kind::NearR | Kind::NearKey | Kind::NearBoth => {}
        Kind::SignatureBits if random.below(2) == 0 => flip(random, &mut case.r),
        Kind::SignatureBits => flip(random, &mut case.s),
        Kind::MessageBits if case.message.is_empty() => case.message.push(0),
        Kind::MessageBits => flip(random, &mut case.message),
        Kind::KeyBits => flip(random, &mut case.key),
        Kind::OrderAdded => add_order(&mut case.s, 1 + random.below(15)),
        Kind::SmallR => {
            // a nonce of 0: the equation fits for R of order 1
            case.r = odd_encoding(random);
            case.s = Scalar::ZERO.to_bytes();
        }
        Kind::SmallKey => {
            let s = random.scalar();
            case = Case {
                key: odd_encoding(random),
                r: (EdwardsPoint::mul_base(&s)).compress().to_bytes(),
                s: s.to_bytes(),
                ..case
            };
        }
        Kind::SmallBoth => {
            let (key, r) = (odd_encoding(random), odd_encoding(random));
            case = Case { key, r, s: Scalar::ZERO.to_bytes(), ..case };
        }
        Kind::OddPoint if random.below(2) == 0 => case.r = odd_encoding(random),
        Kind::OddPoint => case.key = odd_encoding(random),
        Kind::Arbitrary if random.below(8) == 0 => (case.r, case.s) = ([0; 32], [0; 32]),
        Kind::Arbitrary => (case.r, case.s) = (random.bytes(), random.bytes()),
        Kind::OtherKey => case.key = (EdwardsPoint::mul_base(&random.scalar())).compress().to_bytes(),
    }
    case
}

impl Case {
    fn accepted(&self) -> bool {
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&self.r);
        signature[32..].copy_from_slice(&self.s);
        PublicKey::from(self.key).verify(&self.message, &Signature::from(signature))
    }

    fn shown(&self) -> String {
        let [key, r, s, message] = [&self.key[..], &self.r, &self.s, &self.message].map(hex::encode);
        format!("{:?}: key {key}, R {r}, S {s}, message {message}", self.kind)
    }
}

/// Ends the process also where a test fails.
struct Libsodium(Child);

impl Drop for Libsodium {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Libsodium {
    fn start() -> Self {
        let script = hc_interop::interop_dir().join("peers/judge_signatures.mjs");
        let child = Command::new("node").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        Self(child.expect("node can be started"))
    }

    fn ask(&mut self, cases: &[Case]) {
        let mut batch = Vec::new();
        for case in cases {
            let len = u16::try_from(case.message.len()).unwrap().to_le_bytes();
            batch.extend([&case.key[..], &case.r, &case.s, &len, &case.message].concat());
        }
        let size = u32::try_from(batch.len()).unwrap().to_le_bytes();
        let input = self.0.stdin.as_mut().unwrap();
        input.write_all(&[&size[..], &batch].concat()).unwrap();
        input.flush().unwrap();
    }

    fn answer(&mut self, cases: usize) -> Vec<bool> {
        let mut verdicts = vec![0; cases];
        self.0.stdout.as_mut().unwrap().read_exact(&mut verdicts).unwrap();
        verdicts.into_iter().map(|verdict| verdict == 1).collect()
    }
}

fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |value| value.parse().expect("a number"))
}

/// How many of a kind there were, and how many of them were taken.
#[derive(Debug, Default)]
struct Tally {
    cases: u64,
    accepted: u64,
}

#[test]
fn g20_altered_signatures_are_judged_as_libsodium_does() {
    if !hc_interop::node_or_skip("g20_altered_signatures_are_judged_as_libsodium_does") {
        return;
    }
    let (count, seed) =
        (from_environment("HYPERCORE_SIGNATURES", 100_000), from_environment("HYPERCORE_SEED", 1));
    println!("{count} signatures, HYPERCORE_SEED={seed}");
    let (mut random, mut libsodium) = (Random(seed), Libsodium::start());
    let mut tallies: BTreeMap<Kind, Tally> = BTreeMap::new();
    let mut left = count;
    while left > 0 {
        let cases: Vec<Case> = (0..left.min(BATCH)).map(|_| case(&mut random)).collect();
        left -= left.min(BATCH);
        libsodium.ask(&cases);
        let ours: Vec<bool> = cases.iter().map(Case::accepted).collect();
        for ((case, ours), theirs) in cases.iter().zip(ours).zip(libsodium.answer(cases.len())) {
            assert_eq!(ours, theirs, "{}, seed {seed}", case.shown());
            let tally = tallies.entry(case.kind).or_default();
            tally.cases += 1;
            tally.accepted += u64::from(ours);
        }
    }
    for (kind, tally) in &tallies {
        println!("{kind:?}: {tally:?}");
    }
    assert_eq!(tallies.len(), KINDS.len());
    let all = |kind: Kind| tallies.get(&kind).is_some_and(|tally| tally.accepted == tally.cases);
    assert!(all(Kind::Good) && all(Kind::NearBoth), "{tallies:?}");
}
