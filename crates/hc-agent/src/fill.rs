//! Blocks and orders that both sides of a comparison can make for themselves.

use crate::reply::{Failure, Result};

/// Block `i` of the generated log: `size` bytes of its low byte, the first four its index, little-endian.
pub(crate) fn block(index: u64, size: usize) -> Vec<u8> {
    let [low, b1, b2, b3, ..] = index.to_le_bytes();
    let mut block = vec![low; size];
    if let Some(head) = block.first_chunk_mut::<4>() {
        *head = [low, b1, b2, b3];
    }
    block
}

/// Indices among `start..start + among`, `n` of them, in an order that looks random, with repetitions.
pub(crate) fn random_order(start: u64, n: u64, among: u64) -> impl Iterator<Item = u64> {
    let mut x: u64 = 12345;
    (0..n).map(move |_| {
        x = (x.wrapping_mul(1_103_515_245).wrapping_add(12345)) & 0x7fff_ffff;
        start + x % among
    })
}

/// Compares blocks that were read with those that [`block`] makes, byte for byte, if their size was given.
pub(crate) struct Check {
    /// One run of each byte.
    runs: Option<Vec<Vec<u8>>>,
}

impl Check {
    pub(crate) fn new(size: Option<u64>) -> Self {
        let runs = size.and_then(|size| usize::try_from(size).ok());
        Self { runs: runs.map(|size| (0..=u8::MAX).map(|byte| vec![byte; size]).collect()) }
    }

    pub(crate) fn block(&self, index: u64, block: &[u8]) -> Result<()> {
        let Some(runs) = &self.runs else { return Ok(()) };
        let [low, b1, b2, b3, ..] = index.to_le_bytes();
        let run = &runs[usize::from(low)];
        let same = match (block.split_first_chunk::<4>(), run.split_first_chunk::<4>()) {
            (Some((head, tail)), Some((_, expected))) => *head == [low, b1, b2, b3] && tail == expected,
            _ => block == run.as_slice(),
        };
        if same {
            Ok(())
        } else {
            Err(Failure::bad_argument(format!("block {index} is not the one that was appended")))
        }
    }
}
