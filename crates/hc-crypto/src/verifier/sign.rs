//! Signing a head: alone, or as one of several signers whose parts are then put together.

use compact_encoding::Encode;

use super::{SignError, Verifier};
use crate::multisig::{MultiSignature, PartialSignature};
use crate::{Hash, KeyPair};

impl Verifier {
    /// Signs a head, in the form in which it is stored and sent.
    ///
    /// # Errors
    /// [`SignError::NotASigner`], [`SignError::Static`]; [`SignError::Quorum`] if others must sign too.
    pub fn sign(
        &self,
        pair: &KeyPair,
        tree_hash: &Hash,
        length: u64,
        fork: u64,
    ) -> Result<Vec<u8>, SignError> {
        let part = self.sign_part(pair, tree_hash, length, fork)?;
        self.assemble(&[part])
    }

    /// One signer's part of the signature of a head.
    ///
    /// # Errors
    /// [`SignError::NotASigner`].
    pub fn sign_part(
        &self,
        pair: &KeyPair,
        tree_hash: &Hash,
        length: u64,
        fork: u64,
    ) -> Result<PartialSignature, SignError> {
        let position = self.signer_of(&pair.public()).ok_or(SignError::NotASigner)?;
        let signer = self.signer(position).ok_or(SignError::NotASigner)?;
        let signature = pair.sign(&self.signable(signer, tree_hash, length, fork));
        Ok(PartialSignature::new(position, signature))
    }

    /// Puts the parts of several signers together, in the form in which a signature is stored and sent. The first ones, as
    /// many as must sign, are those that count.
    ///
    /// The signatures are not checked: [`verify_head`](Self::verify_head) does that.
    ///
    /// # Errors
    /// [`SignError`], if no such parts can be a signature of this log.
    pub fn assemble(&self, parts: &[PartialSignature]) -> Result<Vec<u8>, SignError> {
        self.check_parts(parts)?;
        match parts {
            [only] if self.is_bare() => Ok(only.signature.as_bytes().to_vec()),
            _ if self.manifest.version == 0 => Ok(MultiSignature::assemble_v0(parts)),
            _ => Ok(MultiSignature::assemble(parts).to_vec()),
        }
    }

    fn check_parts(&self, parts: &[PartialSignature]) -> Result<(), SignError> {
        let quorum = self.quorum();
        if quorum == 0 {
            return Err(SignError::Static);
        }
        for (position, part) in parts.iter().enumerate() {
            let (signer, blocks) = (part.signer, part.patch);
            if self.signer(signer).is_none() {
                return Err(SignError::NotASigner);
            }
            if parts.iter().take(position).any(|earlier| earlier.signer == signer) {
                return Err(SignError::Twice { signer });
            }
            if blocks != 0 && (!self.manifest.allow_patch || self.is_bare() || part.nodes.is_empty()) {
                return Err(SignError::Patch { signer, blocks });
            }
        }
        let enough = usize::try_from(quorum).is_ok_and(|quorum| parts.len() >= quorum);
        if enough { Ok(()) } else { Err(SignError::Quorum { quorum, signed: parts.len() }) }
    }
}
