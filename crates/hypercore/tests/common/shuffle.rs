//! Pauses between the steps of a run, which follow from a seed.

use std::sync::Mutex;
use std::time::Duration;

/// SplitMix64, for several tasks of one run.
pub(crate) struct Shuffle(Mutex<u64>);

/// FNV-1a: each run has numbers of its own.
fn hash(text: &str) -> u64 {
    let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

impl Shuffle {
    /// That of a run.
    pub(crate) fn new(name: &str, seed: u64) -> Self {
        Self(Mutex::new(hash(name) ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    pub(crate) fn next(&self) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below another one.
    pub(crate) fn below(&self, end: u64) -> u64 {
        self.next() % end
    }

    /// Between two steps: nothing, or some turns of the others, or a moment.
    pub(crate) async fn pause(&self) {
        match self.below(4) {
            0 => {}
            1 | 2 => {
                for _ in 0..self.below(20) {
                    tokio::task::yield_now().await;
                }
            }
            _ => tokio::time::sleep(Duration::from_micros(self.below(3_000))).await,
        }
    }
}
