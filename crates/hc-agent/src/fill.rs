//! Blocks and orders that both sides of a comparison can make for themselves.

/// Block `i` of the generated log: `size` bytes of its low byte, the first four its index, little-endian.
pub(crate) fn block(index: u64, size: usize) -> Vec<u8> {
    let [low, b1, b2, b3, ..] = index.to_le_bytes();
    let mut block = vec![low; size];
    if let Some(head) = block.first_chunk_mut::<4>() {
        *head = [low, b1, b2, b3];
    }
    block
}

/// Indices `start..start + n` in an order that looks random, with repetitions.
pub(crate) fn random_order(start: u64, n: u64) -> impl Iterator<Item = u64> {
    let mut x: u64 = 12345;
    (0..n).map(move |_| {
        x = (x.wrapping_mul(1_103_515_245).wrapping_add(12345)) & 0x7fff_ffff;
        start + x % n
    })
}
