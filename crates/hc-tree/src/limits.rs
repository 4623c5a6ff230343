//! Bounds of trees and proofs.

/// A log has fewer blocks than this.
pub const MAX_LENGTH: u64 = 1 << 52;
/// Nodes in one list of a proof. An honest list has at most two for each level of the tree.
pub const MAX_PROOF_NODES: usize = 256;

const _: () = assert!(MAX_LENGTH.ilog2() as usize * 2 < MAX_PROOF_NODES);
