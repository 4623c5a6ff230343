//! Bounds of what is decoded here.

/// Signers of a manifest.
pub const MAX_SIGNERS: usize = 255;
/// Cores that a manifest links to.
pub const MAX_LINKED: usize = 1024;
/// Bytes of an encoded manifest.
pub const MAX_MANIFEST_LEN: usize = 64 * 1024;
/// Signatures in the proof of a quorum.
pub const MAX_MULTISIG_PROOFS: usize = 255;
/// Tree nodes in the proof of a quorum.
pub const MAX_PATCH_NODES: usize = 4096;
