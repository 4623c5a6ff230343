//! Proofs that stand alone: a signed head, and maybe a block, that can be checked with nothing but the log's key, as in a
//! notification that reaches somebody who has nothing of the log.
//!
//! As bytes: the log's discovery key, then the proof as an answer on the wire, with the manifest in it.
//!
//! Follows npm hypercore 11.37.1, `lib/fully-remote-proof.js`. There the manifest is that of a stored log, only the first
//! signer counts, and a block that is no part of the head goes unnoticed; here all of it is checked.

use bytes::Bytes;
use compact_encoding::{Decode, DecodeError, Encode, Reader};
use hc_crypto::{DiscoveryKey, Key, Manifest, PublicKey, Verifier, VerifyError};

use crate::error::ProofError;
use crate::head::TreeHead;
use crate::proof::{BlockRequest, Proof, ProofRequest, UpgradeRequest, Verified, verify_alone};

/// A proof that stands alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteProof {
    /// The log's discovery key: a receiver finds the key by it.
    pub discovery_key: DiscoveryKey,
    /// A head and its manifest, and maybe a block.
    pub proof: Proof,
}

/// What a proof that stands alone shows.
#[derive(Debug, Clone)]
pub struct RemoteHead {
    verified: Verified,
    head: TreeHead,
    verifier: Verifier,
}

impl RemoteProof {
    /// Of the log with this key.
    #[must_use]
    pub fn new(key: &Key, proof: Proof) -> Self {
        Self { discovery_key: key.discovery_key(), proof }
    }

    /// What to build such a proof from, with the log's manifest: the head of `length`, which may be shorter than the log
    /// is, and a block of it.
    #[must_use]
    pub fn request(length: u64, block: Option<u64>) -> ProofRequest {
        ProofRequest {
            block: block.map(|index| BlockRequest { index, nodes: 0 }),
            upgrade: Some(UpgradeRequest { start: 0, length }),
            ..ProofRequest::default()
        }
    }

    /// Encodes it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.discovery_key.to_vec();
        self.proof.encode(&mut out);
        out
    }

    /// Reads one. Nothing of it is checked yet.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn from_bytes(bytes: &Bytes) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let discovery_key = DiscoveryKey::decode(&mut reader)?;
        let proof = Proof::decode_from(bytes, &mut reader)?;
        reader.finish()?;
        Ok(Self { discovery_key, proof })
    }

    /// Checks it for the log with this key. `known` is who may sign the log, where that is known already; else the proof
    /// has to say it.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn verify(&self, key: &Key, known: Option<&Verifier>) -> Result<RemoteHead, ProofError> {
        if self.discovery_key != key.discovery_key() {
            return Err(ProofError::OtherLog);
        }
        let verifier = match known {
            Some(known) => known.clone(),
            None => self.verifier(key)?,
        };
        let verified = verify_alone(&self.proof, Some(&verifier))?;
        let head = verified.upgrade().map(|(head, _)| head.clone()).ok_or(ProofError::Empty)?;
        Ok(RemoteHead { verified, head, verifier })
    }

    /// A log of version 10 is signed by its key, and may come without a manifest.
    fn verifier(&self, key: &Key) -> Result<Verifier, ProofError> {
        let manifest = match &self.proof.manifest {
            Some(manifest) => manifest.clone(),
            None => Manifest::single(PublicKey::from(key.as_bytes())),
        };
        manifest.check().map_err(|_| VerifyError::Manifest)?;
        Ok(Verifier::new(*key, manifest)?)
    }
}

impl RemoteHead {
    /// The head that is signed.
    #[must_use]
    pub const fn head(&self) -> &TreeHead {
        &self.head
    }

    /// Its signature.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        self.verified.upgrade().map_or(&[], |(_, signature)| signature)
    }

    /// The block that came with it.
    #[must_use]
    pub fn block(&self) -> Option<(u64, &Bytes)> {
        self.verified.block()
    }

    /// Who may sign the log.
    #[must_use]
    pub const fn verifier(&self) -> &Verifier {
        &self.verifier
    }
}
