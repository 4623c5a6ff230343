//! The signature of a quorum: which signers signed, and for which length.
//!
//! A manifest of version 1 and above stores this form even for a single signer. Version 0 has another one.
//!
//! Follows npm hypercore 11.37.1, `lib/messages.js` (`multiSignature`, `multiSignaturev0`) and `lib/multisig.js`.

use compact_encoding::{Decode, DecodeError, Encode, Reader, Sink, put};

use crate::limits::{MAX_MULTISIG_PROOFS, MAX_PATCH_NODES};
use crate::{Hash, Signature};

/// One signer's part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The signer's position in the manifest.
    pub signer: u64,
    /// Its signature.
    pub signature: Signature,
    /// How many blocks beyond the length it signed the log goes on here; 0 if it signed this very length.
    pub patch: u64,
}

/// A tree node that a patch needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchNode {
    /// Its index.
    pub index: u64,
    /// Bytes below it.
    pub size: u64,
    /// Its hash.
    pub hash: Hash,
}

/// Signatures of several signers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MultiSignature {
    /// Each signer's part.
    pub proofs: Vec<Proof>,
    /// Nodes that connect shorter signed lengths with this one.
    pub patch: Vec<PatchNode>,
}

impl MultiSignature {
    /// The signature of a single signer, who signed this very length.
    #[must_use]
    pub fn single(signature: Signature) -> Self {
        Self { proofs: vec![Proof { signer: 0, signature, patch: 0 }], patch: Vec::new() }
    }

    /// Reads the form of manifests of version 0.
    ///
    /// # Errors
    /// If the bytes are none.
    pub fn from_v0(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let proofs = reader.list(MAX_MULTISIG_PROOFS, 66, proof_v0)?;
        let patch = reader.list(MAX_PATCH_NODES, 34, PatchNode::decode)?;
        Ok(Self { proofs, patch })
    }
}

fn proof_v0(reader: &mut Reader<'_>) -> Result<Proof, DecodeError> {
    let flags = reader.uint()?;
    let (signer, signature) = (reader.uint()?, Signature::decode(reader)?);
    let mut patch = 0;
    if flags & 1 != 0 {
        let _start = reader.uint()?;
        patch = reader.uint()?;
        reader.list(MAX_PATCH_NODES, 1, Reader::uint)?;
    }
    Ok(Proof { signer, signature, patch })
}

impl Encode for MultiSignature {
    fn encode<S: Sink>(&self, out: &mut S) {
        put::list(out, &self.proofs);
        put::list(out, &self.patch);
    }
}

impl Decode<'_> for MultiSignature {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let proofs = reader.list(MAX_MULTISIG_PROOFS, 66, Proof::decode)?;
        let patch = reader.list(MAX_PATCH_NODES, 34, PatchNode::decode)?;
        Ok(Self { proofs, patch })
    }
}

impl Encode for Proof {
    fn encode<S: Sink>(&self, out: &mut S) {
        put::uint(out, self.signer);
        self.signature.encode(out);
        put::uint(out, self.patch);
    }
}

impl Decode<'_> for Proof {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { signer: reader.uint()?, signature: Signature::decode(reader)?, patch: reader.uint()? })
    }
}

impl Encode for PatchNode {
    fn encode<S: Sink>(&self, out: &mut S) {
        put::uint(out, self.index);
        put::uint(out, self.size);
        self.hash.encode(out);
    }
}

impl Decode<'_> for PatchNode {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { index: reader.uint()?, size: reader.uint()?, hash: Hash::decode(reader)? })
    }
}
