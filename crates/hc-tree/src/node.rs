//! A node of the tree.

use compact_encoding::{Decode, DecodeError, Encode, Reader, Sink, put};
use hc_crypto::{Hash, hash};

use crate::limits::MAX_BYTES;

/// A node: its number, the bytes of all blocks below it, and its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// Its number, see [`flat`](crate::flat).
    pub index: u64,
    /// Bytes of all blocks below it.
    pub size: u64,
    /// Its hash.
    pub hash: Hash,
}

impl Node {
    /// The fewest bytes that an encoded node has.
    pub(crate) const MIN_ENCODED_LEN: usize = 34;

    /// The node of a block.
    #[must_use]
    pub fn of_block(index: u64, block: &[u8]) -> Self {
        Self {
            index: index.saturating_mul(2),
            size: u64::try_from(block.len()).unwrap_or(u64::MAX),
            hash: hash::leaf(block),
        }
    }

    /// The node above two siblings, in either order; `None` if their sizes add up to more than any log has.
    #[must_use]
    pub fn parent(index: u64, a: &Self, b: &Self) -> Option<Self> {
        let size = a.size.checked_add(b.size).filter(|size| *size <= MAX_BYTES)?;
        let (left, right) = if a.index < b.index { (a, b) } else { (b, a) };
        Some(Self { index, size, hash: hash::parent(size, &left.hash, &right.hash) })
    }
}

impl Encode for Node {
    fn encode<S: Sink>(&self, out: &mut S) {
        put::uint(out, self.index);
        put::uint(out, self.size);
        self.hash.encode(out);
    }
}

impl Decode<'_> for Node {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { index: reader.uint()?, size: reader.uint()?, hash: Hash::decode(reader)? })
    }
}
