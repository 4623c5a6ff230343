//! Checking that a head is signed as the manifest demands.

use compact_encoding::Decode;

use super::{Verifier, VerifyError};
use crate::multisig::{MultiSignature, Patch, Proof};
use crate::{Hash, Signature};

/// A head, as far as checking its signature goes.
pub trait SignedHead {
    /// Blocks in the log.
    fn length(&self) -> u64;

    /// How often the log was truncated.
    fn fork(&self) -> u64;

    /// The hash of the whole log.
    fn hash(&self) -> Hash;

    /// The hash of the log that is so many blocks longer, put together from this one's roots and the nodes of a patch; `None`
    /// if they do not lead there.
    fn extended(&self, blocks: u64, patch: &Patch) -> Option<Hash>;
}

/// A head of which only the hash is known. It cannot be extended.
struct HashOnly {
    hash: Hash,
    length: u64,
    fork: u64,
}

impl SignedHead for HashOnly {
    fn length(&self) -> u64 {
        self.length
    }

    fn fork(&self) -> u64 {
        self.fork
    }

    fn hash(&self) -> Hash {
        self.hash
    }

    fn extended(&self, _: u64, _: &Patch) -> Option<Hash> {
        None
    }
}

impl Verifier {
    /// Checks that a head is signed, or fixed by the prologue. As the roots of the log are not known, patches are refused:
    /// [`verify_head`](Self::verify_head) takes them.
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
        self.verify_head(&HashOnly { hash: *tree_hash, length, fork }, signature)
    }

    /// Checks that a head is signed, or fixed by the prologue.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub fn verify_head<H: SignedHead>(&self, head: &H, signature: &[u8]) -> Result<(), VerifyError> {
        // version 0 has prologues, but does not compare them
        let prologue = self.prologue().filter(|_| self.manifest.version != 0);
        if let Some(prologue) = prologue.filter(|prologue| head.length() <= prologue.length) {
            let same = head.length() == prologue.length && head.hash() == prologue.hash;
            return if same { Ok(()) } else { Err(VerifyError::Prologue) };
        }
        if self.is_bare() {
            let signature = Signature::try_from(signature).map_err(|_| VerifyError::Malformed)?;
            return self.verify_one(0, &head.hash(), head.length(), head.fork(), &signature);
        }
        self.verify_quorum(head, signature)
    }

    fn verify_quorum<H: SignedHead>(&self, head: &H, signature: &[u8]) -> Result<(), VerifyError> {
        let quorum = self.manifest.quorum;
        if quorum == 0 {
            return Err(VerifyError::Static);
        }
        let decoded = if self.manifest.version == 0 {
            MultiSignature::from_v0(signature)
        } else {
            MultiSignature::from_prefix(signature)
        };
        let MultiSignature { proofs, patch } = decoded.map_err(|_| VerifyError::Malformed)?;
        // who signed beyond the quorum is not looked at
        let needed = usize::try_from(quorum).unwrap_or(usize::MAX);
        let Some(counted) = proofs.get(..needed) else {
            return Err(VerifyError::Quorum { signed: proofs.len(), quorum });
        };
        self.verify_each(counted, head, &Patch::new(patch))
    }

    fn verify_each<H: SignedHead>(
        &self,
        proofs: &[Proof],
        head: &H,
        patch: &Patch,
    ) -> Result<(), VerifyError> {
        let hash = head.hash();
        for (position, proof) in proofs.iter().enumerate() {
            let (signer, blocks) = (proof.signer, proof.patch);
            let unknown = self.signer(signer).is_none();
            if unknown || proofs.iter().take(position).any(|earlier| earlier.signer == signer) {
                return Err(VerifyError::Signer { signer });
            }
            let (hash, length) = if blocks != 0 && self.manifest.allow_patch {
                let longer = head.length().checked_add(blocks).zip(head.extended(blocks, patch));
                let (length, hash) = longer.ok_or(VerifyError::Patch { signer, blocks })?;
                (hash, length)
            } else {
                (hash, head.length())
            };
            self.verify_one(signer, &hash, length, head.fork(), &proof.signature)?;
        }
        Ok(())
    }

    fn verify_one(
        &self,
        position: u64,
        tree: &Hash,
        length: u64,
        fork: u64,
        signature: &Signature,
    ) -> Result<(), VerifyError> {
        let signer = self.signer(position).ok_or(VerifyError::Signer { signer: position })?;
        let signed = self.signable(signer, tree, length, fork);
        if signer.public_key.verify(&signed, signature) {
            Ok(())
        } else {
            Err(VerifyError::Mismatch { signer: position })
        }
    }
}
