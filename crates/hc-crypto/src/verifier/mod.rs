//! Signing the head of a log, and checking the signature of one, under the log's manifest.
//!
//! What is signed and how it is stored depends on the manifest:
//!
//! | manifest | signed with | stored |
//! | --- | --- | --- |
//! | compat: a core of version 10 | no context | the bare signature |
//! | version 0, one signer, no patches | the signer's namespace | the bare signature |
//! | version 0, else | the signer's namespace | a list, see [`multisig`](crate::multisig) |
//! | from version 1 on | the manifest's hash | a list, even of a single signature |
//!
//! From version 1 on a head within the prologue needs no signature: it must be the prologue.
//!
//! With patches a signer may have signed a longer log than the head that is checked. The signature then brings the nodes
//! from which the hash of that longer log is put together; how is up to the [`SignedHead`].
//!
//! Follows npm hypercore 11.37.1, `lib/verifier.js`.

mod error;
mod sign;
#[cfg(test)]
mod tests;
mod verify;

pub use error::{SignError, VerifyError};
pub use verify::SignedHead;

use crate::{Hash, Key, Manifest, Prologue, PublicKey, Signer, signable};

/// Signs and checks heads of one log.
#[derive(Debug, Clone)]
pub struct Verifier {
    key: Key,
    manifest: Manifest,
    compat: bool,
    legacy: bool,
}

impl Verifier {
    /// For the log with this key and manifest.
    ///
    /// # Errors
    /// [`VerifyError::Manifest`] if they do not belong together, [`VerifyError::Unfit`] if nobody could fulfil the manifest.
    pub fn new(key: Key, manifest: Manifest) -> Result<Self, VerifyError> {
        let compat = manifest.is_compat(&key);
        if !compat && manifest.key() != key {
            return Err(VerifyError::Manifest);
        }
        manifest.check().map_err(VerifyError::Unfit)?;
        Ok(Self { key, manifest, compat, legacy: false })
    }

    /// Signs and checks as the oldest compat cores did: without the namespace of trees.
    #[must_use]
    pub const fn legacy(mut self) -> Self {
        self.legacy = true;
        self
    }

    /// The manifest.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Whether this is a log of version 10, whose key is its signer's.
    #[must_use]
    pub const fn is_compat(&self) -> bool {
        self.compat
    }

    /// The beginning of the log that needs no signature.
    #[must_use]
    pub const fn prologue(&self) -> Option<&Prologue> {
        if self.compat { None } else { self.manifest.prologue.as_ref() }
    }

    /// How many signers must sign a head. Nobody can sign where that is 0.
    #[must_use]
    pub const fn quorum(&self) -> u64 {
        if self.is_bare() { 1 } else { self.manifest.quorum }
    }

    /// The position in the manifest of the signer with this key.
    #[must_use]
    pub fn signer_of(&self, public_key: &PublicKey) -> Option<u64> {
        let position = self.manifest.signers.iter().position(|signer| signer.public_key == *public_key)?;
        u64::try_from(position).ok()
    }

    /// What a signer signs for this head.
    #[must_use]
    pub fn signable(&self, signer: &Signer, tree_hash: &Hash, length: u64, fork: u64) -> Vec<u8> {
        if self.compat && self.legacy {
            return signable::tree_legacy(tree_hash, length, fork).to_vec();
        }
        if self.compat {
            return signable::tree_compat(tree_hash, length, fork).to_vec();
        }
        let context =
            if self.manifest.version == 0 { signer.namespace.as_bytes() } else { self.key.as_bytes() };
        signable::tree(context, tree_hash, length, fork).to_vec()
    }

    /// Whether the one signature is stored as it is, not in a list. The quorum is then not looked at.
    const fn is_bare(&self) -> bool {
        let alone = self.manifest.signers.len() == 1;
        self.compat || (self.manifest.version == 0 && !self.manifest.allow_patch && alone)
    }

    fn signer(&self, position: u64) -> Option<&Signer> {
        self.manifest.signers.get(usize::try_from(position).ok()?)
    }
}
