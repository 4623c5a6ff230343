//! Bounds of trees and proofs.

/// A log has fewer blocks than this.
pub const MAX_LENGTH: u64 = 1 << 52;
/// A log has at most so many bytes: the largest number that is encoded.
pub const MAX_BYTES: u64 = (1 << 53) - 1;
/// Nodes in one list of a proof. An honest list has at most two for each level of the tree.
pub const MAX_PROOF_NODES: usize = 256;
/// Bytes of a signature: of a quorum with all its patches.
pub const MAX_SIGNATURE: usize = 255 * 82 + 4096 * 50;

const _: () = assert!(MAX_LENGTH.ilog2() as usize * 2 < MAX_PROOF_NODES);
