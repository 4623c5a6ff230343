//! What Hypercore hashes and signs, and with which keys.
//!
//! - [`hash`]: BLAKE2b-256 of leaves, parents and whole trees, each with its own first byte.
//! - [`keys`]: the 32-byte values, each a type of its own, so that a discovery key is never taken for a key.
//! - [`key_pair`]: Ed25519 signing, and the key pairs that a Corestore derives from names.
//! - [`namespace`]: the constants that keep one use of a hash apart from another.
//! - [`signable`]: what is signed for a tree, and the proof that a peer knows a core's key.
//! - [`manifest`]: who may sign a log; its hash is the log's key.
//! - [`encryption`]: blocks that only those with one more key can read.
//! - [`verifier`]: signing and checking the head of a log under its manifest.
//! - [`multisig`]: the signature of several signers.
//!
//! Everything is a pure function. Seeds come from the caller; there is no randomness here.
//!
//! Follows npm hypercore-crypto 3.7.0, `index.js`, and npm hypercore 11.37.1, `lib/caps.js`, `lib/verifier.js`,
//! `lib/default-encryption.js`.
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::unwrap_used))]

pub mod encryption;
mod fast_signing;
pub mod hash;
pub mod key_pair;
pub mod keys;
pub mod limits;
pub mod manifest;
pub mod multisig;
pub mod namespace;
pub mod signable;
pub mod verifier;

pub use encryption::{BlockCipher, DecryptError, block_encryption_key};
pub use key_pair::{KeyPair, KeyPairError};
pub use keys::{DiscoveryKey, Hash, Key, KeyParseError, Namespace, PublicKey, Signature};
pub use manifest::{Manifest, ManifestError, Prologue, Signer};
pub use multisig::PartialSignature;
pub use verifier::{SignError, SignedHead, Verifier, VerifyError};
