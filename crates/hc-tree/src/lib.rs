//! Merkle tree, proofs and bitfields of Hypercore, as pure functions
