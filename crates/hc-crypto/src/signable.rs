//! What is signed for a tree, and how a peer shows that it knows a core's key.
//!
//! Follows npm hypercore 11.37.1, `lib/caps.js`.

use subtle::ConstantTimeEq;

use crate::{Hash, Key, hash, namespace};

/// What a signer signs for a tree of this hash, length and fork: 112 bytes. `context` is the hash of the manifest, or the
/// signer's namespace in manifests of version 0.
#[must_use]
pub fn tree(context: &[u8; 32], tree_hash: &Hash, length: u64, fork: u64) -> [u8; 112] {
    let mut out = [0; 112];
    let (head, tail) = out.split_at_mut(32);
    head.copy_from_slice(namespace::TREE.as_bytes());
    let (ctx, tail) = tail.split_at_mut(32);
    ctx.copy_from_slice(context);
    fill(tail, tree_hash, length, fork);
    out
}

/// What the signer of a core of version 10 signs: 80 bytes, without a context.
#[must_use]
pub fn tree_compat(tree_hash: &Hash, length: u64, fork: u64) -> [u8; 80] {
    let mut out = [0; 80];
    let (head, tail) = out.split_at_mut(32);
    head.copy_from_slice(namespace::TREE.as_bytes());
    fill(tail, tree_hash, length, fork);
    out
}

/// What the oldest cores signed, before a namespace was put before it: 48 bytes.
#[must_use]
pub fn tree_legacy(tree_hash: &Hash, length: u64, fork: u64) -> [u8; 48] {
    let mut out = [0; 48];
    fill(&mut out, tree_hash, length, fork);
    out
}

fn fill(out: &mut [u8], tree_hash: &Hash, length: u64, fork: u64) {
    let (hash, rest) = out.split_at_mut(32);
    hash.copy_from_slice(tree_hash.as_bytes());
    let (len, generation) = rest.split_at_mut(8);
    len.copy_from_slice(&length.to_le_bytes());
    generation.copy_from_slice(&fork.to_le_bytes());
}

/// The proof of one end of a connection that it knows a core's key. It is bound to the connection by the hash of its
/// handshake, so it is worth nothing elsewhere.
#[must_use]
pub fn replicate_capability(is_initiator: bool, key: &Key, handshake_hash: &[u8; 64]) -> [u8; 32] {
    let side = if is_initiator { &namespace::REPLICATE_INITIATOR } else { &namespace::REPLICATE_RESPONDER };
    *hash::blake2b_keyed(handshake_hash, &[side.as_bytes(), key.as_bytes()]).as_bytes()
}

/// Whether two secrets are equal, in a time that does not depend on where they differ.
#[must_use]
pub fn equal_in_constant_time(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.ct_eq(b).into()
}
