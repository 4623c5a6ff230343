//! Signing the head of a log, and checking the signature of one, under the log's manifest.
//!
//! What is signed and how it is stored depends on the manifest: a core of version 10 signs without a context; version 0
//! signs with the signer's namespace and stores the bare signature of a single signer; from version 1 on the context is
//! the manifest's hash and even a single signature is stored as a list.
//!
//! Follows npm hypercore 11.37.1, `lib/verifier.js`. Patches (signers of different lengths) are not verified yet: such a
//! signature is refused.

use compact_encoding::{Decode, Encode};
use thiserror::Error;

use crate::multisig::{MultiSignature, Proof};
use crate::{Hash, Key, KeyPair, Manifest, Prologue, Signature, Signer, signable};

/// Signs and checks heads of one log.
#[derive(Debug, Clone)]
pub struct Verifier {
    key: Key,
    manifest: Manifest,
    compat: bool,
}

/// Why a head is not signed as its manifest demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The manifest is not this log's.
    #[error("the manifest does not hash to the log's key")]
    Manifest,
    /// The bytes are no signature.
    #[error("the signature is malformed")]
    Malformed,
    /// Fewer signers signed than must.
    #[error("{signed} signatures, {quorum} are needed")]
    Quorum {
        /// How many signed.
        signed: usize,
        /// How many must.
        quorum: u64,
    },
    /// A signer that the manifest does not name, or one that signed twice.
    #[error("signer {signer} is not in the manifest or signed twice")]
    Signer {
        /// Its position.
        signer: u64,
    },
    /// The signature is not one of this signer for this head.
    #[error("the signature of signer {signer} does not match")]
    Mismatch {
        /// Its position.
        signer: u64,
    },
    /// The head lies in the prologue, but is not the prologue.
    #[error("the log does not begin with its prologue")]
    Prologue,
    /// Signers of different lengths, which are not supported.
    #[error("the signature has patches, which are not supported")]
    Patch,
    /// The log is static: nobody can sign it.
    #[error("the log has no signers")]
    Static,
}

/// Why a head cannot be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SignError {
    /// The key pair is not one of the manifest's.
    #[error("the key pair is not a declared signer of this log")]
    NotASigner,
    /// One signature is not enough.
    #[error("a quorum of {quorum} must sign, not one key pair alone")]
    Quorum {
        /// How many must sign.
        quorum: u64,
    },
}

impl Verifier {
    /// For the log with this key and manifest.
    ///
    /// # Errors
    /// [`VerifyError::Manifest`] if they do not belong together.
    pub fn new(key: Key, manifest: Manifest) -> Result<Self, VerifyError> {
        let compat = manifest.is_compat(&key);
        if !compat && manifest.key() != key {
            return Err(VerifyError::Manifest);
        }
        Ok(Self { key, manifest, compat })
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

    /// What a signer signs for this head.
    #[must_use]
    pub fn signable(&self, signer: &Signer, tree_hash: &Hash, length: u64, fork: u64) -> Vec<u8> {
        if self.compat {
            return signable::tree_compat(tree_hash, length, fork).to_vec();
        }
        let context =
            if self.manifest.version == 0 { signer.namespace.as_bytes() } else { self.key.as_bytes() };
        signable::tree(context, tree_hash, length, fork).to_vec()
    }

    /// Signs a head, in the form in which it is stored and sent.
    ///
    /// # Errors
    /// [`SignError::NotASigner`]; [`SignError::Quorum`] if others must sign too.
    pub fn sign(
        &self,
        pair: &KeyPair,
        tree_hash: &Hash,
        length: u64,
        fork: u64,
    ) -> Result<Vec<u8>, SignError> {
        let public = pair.public();
        let signer = self.manifest.signers.iter().find(|signer| signer.public_key == public);
        let signer = signer.ok_or(SignError::NotASigner)?;
        if self.manifest.signers.len() != 1 {
            return Err(SignError::Quorum { quorum: self.manifest.quorum });
        }
        let signature = pair.sign(&self.signable(signer, tree_hash, length, fork));
        if self.stores_bare_signature() {
            return Ok(signature.as_bytes().to_vec());
        }
        Ok(MultiSignature::single(signature).to_vec())
    }

    /// Checks that a head is signed, or fixed by the prologue.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub fn verify(
        &self,
        tree_hash: &Hash,
        length: u64,
        fork: u64,
        signature: &[u8],
    ) -> Result<(), VerifyError> {
        if let Some(prologue) = self.prologue().filter(|prologue| length <= prologue.length) {
            let same = length == prologue.length && *tree_hash == prologue.hash;
            return if same { Ok(()) } else { Err(VerifyError::Prologue) };
        }
        if self.compat || (self.stores_bare_signature() && self.manifest.signers.len() == 1) {
            let signature = Signature::try_from(signature).map_err(|_| VerifyError::Malformed)?;
            return self.verify_signer(0, tree_hash, length, fork, &signature);
        }
        self.verify_quorum(tree_hash, length, fork, signature)
    }

    const fn stores_bare_signature(&self) -> bool {
        self.compat || (self.manifest.version == 0 && !self.manifest.allow_patch)
    }

    fn verify_quorum(
        &self,
        tree: &Hash,
        length: u64,
        fork: u64,
        signature: &[u8],
    ) -> Result<(), VerifyError> {
        let quorum = self.manifest.quorum;
        if quorum == 0 {
            return Err(VerifyError::Static);
        }
        let decoded = if self.manifest.version == 0 {
            MultiSignature::from_v0(signature)
        } else {
            MultiSignature::from_prefix(signature)
        };
        let proofs = decoded.map_err(|_| VerifyError::Malformed)?.proofs;
        let needed = usize::try_from(quorum).unwrap_or(usize::MAX);
        let Some(counted) = proofs.get(..needed) else {
            return Err(VerifyError::Quorum { signed: proofs.len(), quorum });
        };
        self.verify_each(counted, tree, length, fork)
    }

    fn verify_each(&self, proofs: &[Proof], tree: &Hash, length: u64, fork: u64) -> Result<(), VerifyError> {
        for (position, proof) in proofs.iter().enumerate() {
            let signer = proof.signer;
            if proof.patch != 0 && self.manifest.allow_patch {
                return Err(VerifyError::Patch);
            }
            if proofs.iter().take(position).any(|earlier| earlier.signer == signer) {
                return Err(VerifyError::Signer { signer });
            }
            self.verify_signer(signer, tree, length, fork, &proof.signature)?;
        }
        Ok(())
    }

    fn verify_signer(
        &self,
        position: u64,
        tree: &Hash,
        length: u64,
        fork: u64,
        signature: &Signature,
    ) -> Result<(), VerifyError> {
        let found = usize::try_from(position).ok().and_then(|position| self.manifest.signers.get(position));
        let signer = found.ok_or(VerifyError::Signer { signer: position })?;
        let signed = self.signable(signer, tree, length, fork);
        if signer.public_key.verify(&signed, signature) {
            Ok(())
        } else {
            Err(VerifyError::Mismatch { signer: position })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: [u8; 32] = [7; 32];

    fn setup(manifest: impl FnOnce(Manifest) -> Manifest) -> (KeyPair, Verifier) {
        let pair = KeyPair::from_seed(&[1; 32]);
        let manifest = manifest(Manifest::single(pair.public()));
        (pair, Verifier::new(manifest.key(), manifest).unwrap())
    }

    #[test]
    fn g5_a_head_is_accepted_as_signed_and_in_no_other_form() {
        for version in 0..=2 {
            let (pair, verifier) = setup(|manifest| Manifest { version, ..manifest });
            let tree = Hash::from(TREE);
            let signature = verifier.sign(&pair, &tree, 5, 1).unwrap();
            assert_eq!(verifier.verify(&tree, 5, 1, &signature), Ok(()), "version {version}");
            assert!(verifier.verify(&tree, 6, 1, &signature).is_err());
            assert!(verifier.verify(&tree, 5, 2, &signature).is_err());
            assert!(verifier.verify(&Hash::from([8; 32]), 5, 1, &signature).is_err());
            for at in 0..signature.len() {
                let mut altered = signature.clone();
                altered[at] ^= 1;
                // the patch field of a manifest without patches is not looked at, as upstream
                let ignored = version > 0 && at >= signature.len() - 2;
                assert!(ignored || verifier.verify(&tree, 5, 1, &altered).is_err(), "v{version}, byte {at}");
            }
        }
    }

    #[test]
    fn a13_a_key_pair_that_is_not_declared_cannot_sign() {
        let (_, verifier) = setup(|manifest| manifest);
        let other = KeyPair::from_seed(&[2; 32]);
        assert_eq!(verifier.sign(&other, &Hash::from(TREE), 1, 0), Err(SignError::NotASigner));
    }

    #[test]
    fn g6_a_key_that_is_the_public_key_makes_a_compat_core() {
        let pair = KeyPair::from_seed(&[1; 32]);
        let key = Key::from(pair.public().as_bytes());
        let verifier = Verifier::new(key, Manifest::single(pair.public())).unwrap();
        assert!(verifier.is_compat());
        let signature = verifier.sign(&pair, &Hash::from(TREE), 5, 1).unwrap();
        assert_eq!(signature.len(), 64);
        assert_eq!(verifier.verify(&Hash::from(TREE), 5, 1, &signature), Ok(()));
    }

    #[test]
    fn g20_zeros_and_wrong_lengths_are_no_signature() {
        let (_, verifier) = setup(|manifest| Manifest { version: 0, ..manifest });
        for bytes in [&[0_u8; 64][..], &[0; 63], &[]] {
            assert!(verifier.verify(&Hash::from(TREE), 1, 0, bytes).is_err());
        }
    }
}
