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

/// Blocks of more bytes are not hashed together with others: copying them would take memory, and gain little.
const MAX_COPIED: usize = 256 * 1024;

/// The hash of a block: its length in bytes and its content.
#[must_use]
pub fn leaf(block: &[u8]) -> Hash {
    let len = u64::try_from(block.len()).unwrap_or(u64::MAX);
    blake2b(&[&LEAF, &len.to_le_bytes(), block])
}

/// The hashes of many blocks: of each what [`leaf`] gives. Where the processor can, several are hashed at the same time.
#[must_use]
pub fn leaves<B: AsRef<[u8]>>(blocks: &[B]) -> Vec<Hash> {
    let lanes = blake2b_simd::many::degree();
    let mut hashes = Vec::with_capacity(blocks.len());
    let mut input = Vec::new();
    for group in blocks.chunks(lanes) {
        // one at a time the other implementation is quicker; and what is hashed together is copied together first
        if group.len() < 2 || group.iter().any(|block| block.as_ref().len() > MAX_COPIED) {
            hashes.extend(group.iter().map(|block| leaf(block.as_ref())));
        } else {
            leaves_together(group, &mut input, &mut hashes);
        }
    }
    hashes
}

fn leaves_together<B: AsRef<[u8]>>(blocks: &[B], input: &mut Vec<u8>, hashes: &mut Vec<Hash>) {
    let mut params = blake2b_simd::Params::new();
    params.hash_length(32);
    input.clear();
    for block in blocks.iter().map(AsRef::as_ref) {
        input.extend_from_slice(&LEAF);
        input.extend_from_slice(&u64::try_from(block.len()).unwrap_or(u64::MAX).to_le_bytes());
        input.extend_from_slice(block);
    }
    let mut rest = input.as_slice();
    let mut jobs: Vec<_> = blocks
        .iter()
        .map(|block| {
            let (one, others) = rest.split_at(LEAF.len() + 8 + block.as_ref().len());
            rest = others;
            blake2b_simd::many::HashManyJob::new(&params, one)
        })
        .collect();
    blake2b_simd::many::hash_many(&mut jobs);
    hashes.extend(jobs.iter().filter_map(|job| Hash::try_from(job.to_hash().as_bytes()).ok()));
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn blocks_that_are_hashed_together_have_the_hashes_of_each(
            blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..700), 0..20),
        ) {
            let each: Vec<Hash> = blocks.iter().map(|block| leaf(block)).collect();
            prop_assert_eq!(leaves(&blocks), each);
        }
    }

    #[test]
    fn blocks_too_large_to_be_copied_are_hashed_too() {
        let blocks = [vec![1; MAX_COPIED + 1], vec![2; MAX_COPIED], vec![3; 1], vec![]];
        assert_eq!(leaves(&blocks), blocks.each_ref().map(|block| leaf(block)));
    }
}
