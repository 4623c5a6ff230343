//! BLAKE2b-256, and the three kinds of input of the tree.
//!
//! The first byte of the input tells a leaf (0) from a parent (1) from a list of roots (2), so that no block can be
//! passed off as an inner node.
//!
//! Follows npm hypercore-crypto 3.7.0, `index.js` (`data`, `parent`, `tree`).

use blake2::digest::consts::U32;
use blake2::digest::{FixedOutput, KeyInit, Update};
use blake2::{Blake2b, Blake2bMac};

use crate::Hash;

const LEAF: [u8; 1] = [0];
const PARENT: [u8; 1] = [1];
const ROOTS: [u8; 1] = [2];

/// The hash of a block: its length in bytes and its content.
#[must_use]
pub fn leaf(block: &[u8]) -> Hash {
    let len = u64::try_from(block.len()).unwrap_or(u64::MAX);
    blake2b(&[&LEAF, &len.to_le_bytes(), block])
}

/// The hash of an inner node over its two children. `size` is the number of bytes of all blocks below both.
#[must_use]
pub fn parent(size: u64, left: &Hash, right: &Hash) -> Hash {
    // one buffer, since 73 bytes are hashed in one round
    let mut input = [0; 73];
    let (kind, rest) = input.split_at_mut(1);
    kind.copy_from_slice(&PARENT);
    let (len, rest) = rest.split_at_mut(8);
    len.copy_from_slice(&size.to_le_bytes());
    let (first, second) = rest.split_at_mut(32);
    first.copy_from_slice(left.as_bytes());
    second.copy_from_slice(right.as_bytes());
    blake2b(&[&input])
}

/// The hash of a whole log: of its roots, from left to right, each as (node index, bytes below it, hash).
#[must_use]
pub fn tree<'a>(roots: impl IntoIterator<Item = (u64, u64, &'a Hash)>) -> Hash {
    let mut hasher = Blake2b::<U32>::default();
    Update::update(&mut hasher, &ROOTS);
    for (index, size, hash) in roots {
        Update::update(&mut hasher, hash.as_bytes());
        Update::update(&mut hasher, &index.to_le_bytes());
        Update::update(&mut hasher, &size.to_le_bytes());
    }
    Hash::from(<[u8; 32]>::from(hasher.finalize_fixed()))
}

/// BLAKE2b-256 of the parts, one after the other.
#[must_use]
pub fn blake2b(parts: &[&[u8]]) -> Hash {
    let mut hasher = Blake2b::<U32>::default();
    for part in parts {
        Update::update(&mut hasher, part);
    }
    Hash::from(<[u8; 32]>::from(hasher.finalize_fixed()))
}

/// BLAKE2b-256 of the parts under a key of 1 to 64 bytes.
#[must_use]
pub fn blake2b_keyed<const N: usize>(key: &[u8; N], parts: &[&[u8]]) -> Hash {
    const { assert!(N > 0 && N <= 64, "BLAKE2b keys have 1 to 64 bytes") };
    let Ok(mut hasher) = <Blake2bMac<U32> as KeyInit>::new_from_slice(key) else {
        unreachable!("the length of the key is checked when this is compiled")
    };
    for part in parts {
        Update::update(&mut hasher, part);
    }
    Hash::from(<[u8; 32]>::from(hasher.finalize_fixed()))
}
