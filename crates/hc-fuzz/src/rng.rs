//! Randomness that replays: the same seed gives the same numbers.

/// SplitMix64.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// From a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// From a seed and a name, so that each target has numbers of its own.
    #[must_use]
    pub fn named(seed: u64, name: &str) -> Self {
        let mixed = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(seed ^ mixed)
    }

    /// Any number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 if that is 0.
    pub const fn below(&mut self, bound: usize) -> usize {
        if bound == 0 { 0 } else { (self.next() % bound as u64) as usize }
    }

    /// True once in `n` times.
    pub const fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// A byte.
    pub const fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    /// So many bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.byte()).collect()
    }

    /// An array.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }

    /// A number as formats have them: mostly small, often at an edge, at most 2^53 - 1.
    pub fn uint(&mut self) -> u64 {
        match self.below(8) {
            0..=3 => self.next() % 40,
            4 => self.next() % 70_000,
            5 => EDGES[self.below(EDGES.len())],
            _ => (self.next() >> 11) >> self.below(53),
        }
    }
}

/// Numbers at which encodings and limits change.
pub const EDGES: [u64; 22] = [
    0,
    1,
    2,
    31,
    32,
    0xfb,
    0xfc,
    0xfd,
    0xff,
    0x100,
    0xffff,
    0x1_0000,
    1 << 20,
    (1 << 20) + 1,
    1 << 21,
    0xffff_ffff,
    1 << 32,
    1 << 52,
    (1 << 52) - 1,
    (1 << 53) - 2,
    (1 << 53) - 1,
    1 << 40,
];

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn a_seed_replays_and_names_differ() {
        let run = |mut rng: Rng| (0..10).map(|_| rng.next()).collect::<Vec<_>>();
        assert_eq!(run(Rng::new(7)), run(Rng::new(7)));
        assert_ne!(run(Rng::named(7, "a")), run(Rng::named(7, "b")));
    }
}
