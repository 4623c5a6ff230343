//! Hashes of the tree, what is signed, proofs.
//!
//! Follows npm hypercore 11.37.1, `index.js` (`treeHash`, `signable`, `proof`, `applyProof`, `verifyFullyRemote`). Its `proof`
//! fails with a seek in it; here it does not.

use bytes::Bytes;
use hc_crypto::{Hash, Signer};
use hc_protocol::wire::Data;
use hc_tree::{Proof, ProofRequest};

use super::Hypercore;
use crate::limits::check_number;
use crate::storage::blocking;
use crate::{Error, Result};

/// The record beside a log that says who referred to it.
const REFERRER: &str = "referrer";

impl Hypercore {
    /// The hash of the whole log: two logs with the same one hold the same blocks.
    ///
    /// # Errors
    /// [`Error::SessionClosed`].
    pub async fn tree_hash(&self) -> Result<Hash> {
        self.tree_hash_at(self.length()).await
    }

    /// The hash that the log had at a length. Fetches what is needed to know it.
    ///
    /// # Errors
    /// As [`get`](Self::get), also if the log is shorter: it may grow; [`Error::TreeGap`] if hashes of that
    /// length are not stored.
    pub async fn tree_hash_at(&self, length: u64) -> Result<Hash> {
        let branch = self.held()?.branch.clone();
        self.core().check_roots()?;
        if length == self.length() {
            let (head, _) = self.core().head_and_disk(branch.as_deref());
            return Ok(head.hash());
        }
        if length > 0 && !self.has(length - 1).await? {
            self.get(length - 1).await?;
        }
        let core = self.core().clone();
        Ok(blocking(move || core.head_at(branch.as_deref(), length)).await?.hash())
    }

    /// What signers of this log sign for it as it is: to be signed elsewhere, and given to
    /// [`append_with`](Self::append_with) or [`commit_with`](Self::commit_with).
    ///
    /// # Errors
    /// As [`tree_hash_at`](Self::tree_hash_at).
    pub async fn signable(&self) -> Result<Vec<u8>> {
        self.signable_at(self.length(), self.fork()).await
    }

    /// What signers of this log sign for a length of it, on a fork. For a log of version 10 and for manifests of version 0
    /// that is not the same for each signer: then it is what the first one signs.
    ///
    /// # Errors
    /// As [`tree_hash_at`](Self::tree_hash_at); [`Error::BadArgument`] if no log has this fork.
    pub async fn signable_at(&self, length: u64, fork: u64) -> Result<Vec<u8>> {
        check_number("fork", fork)?;
        let hash = self.tree_hash_at(length).await?;
        let verifier = self.core().verifier();
        let first =
            verifier.as_ref().and_then(|verifier| Some((verifier, verifier.manifest().signers.first()?)));
        let signable = |(verifier, signer): (&hc_crypto::Verifier, &Signer)| {
            verifier.signable(signer, &hash, length, fork)
        };
        Ok(first.map_or_else(
            || hc_crypto::signable::tree(self.key().as_bytes(), &hash, length, fork).to_vec(),
            signable,
        ))
    }

    /// How many nodes of the tree are missing here on the way from a block to its root: what a request for the block says.
    ///
    /// # Errors
    /// [`Error::BadArgument`] if no log has such a block; [`Error::SessionClosed`], [`Error::Storage`].
    pub async fn missing_nodes(&self, block: u64) -> Result<u64> {
        self.check_open()?;
        check_number("block", block)?;
        let core = self.core().clone();
        blocking(move || core.missing_nodes(block)).await
    }

    /// The proof that a peer is given for such a request: with the block, if one is asked for.
    ///
    /// # Errors
    /// [`Error::InvalidOperation`] if no proof can answer it; [`Error::BlockNotAvailable`]; [`Error::Storage`].
    pub async fn proof(&self, request: &ProofRequest) -> Result<Proof> {
        let (core, branch, request) = (self.core().clone(), self.held()?.branch.clone(), *request);
        blocking(move || core.make_proof(branch.as_deref(), &request)).await
    }

    /// Verifies a proof of a whole head (an upgrade from 0), and of a block if it has one, against nothing but the key and
    /// what is known of who may sign. Nothing is stored, and nothing that is stored is looked at.
    ///
    /// # Errors
    /// [`Error::InvalidProof`], [`Error::InvalidSignature`] if it does not hold.
    pub fn verify_fully_remote(&self, proof: &Proof) -> Result<hc_tree::RemoteHead> {
        let known = self.core().verifier();
        let remote = hc_tree::RemoteProof::new(self.key(), proof.clone());
        remote.verify(self.key(), known.as_ref()).map_err(|error| self.core().invalid_proof(error))
    }

    /// Whether who referred to the log, as its record `referrer` says, is this one: what Node's `verifyFullyRemote` checks with
    /// its option of that name. The record is the application's, see [`set_user_data`](Self::set_user_data).
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub async fn is_referred_by(&self, referrer: &[u8]) -> Result<bool> {
        Ok(self.user_data(REFERRER).await?.as_deref() == Some(referrer))
    }

    /// Verifies what somebody proved of this log, and stores it. Whether it could be used: a proof of another fork, or one
    /// that the log has outgrown, cannot.
    ///
    /// # Errors
    /// [`Error::InvalidProof`], [`Error::InvalidChecksum`], [`Error::InvalidSignature`] if it does not hold;
    /// [`Error::BadArgument`] if no log has its fork; [`Error::Storage`]. Then nothing of it is stored.
    pub async fn apply_proof(&self, proof: Proof) -> Result<bool> {
        Ok(self.apply_proofs(vec![proof]).await? > 0)
    }

    /// As [`apply_proof`](Self::apply_proof) for several, stored in one batch, all or none; but proofs of a higher fork that
    /// come first are followed one by one, each in a batch of its own. Returns how many could be used.
    ///
    /// # Errors
    /// As [`apply_proof`](Self::apply_proof).
    pub async fn apply_proofs(&self, proofs: Vec<Proof>) -> Result<usize> {
        self.check_open()?;
        // indices and lengths are checked with the tree
        for proof in &proofs {
            check_number("the proof's fork", proof.fork)?;
        }
        let core = self.core().clone();
        blocking(move || core.apply_proofs(proofs)).await
    }
}

impl From<hc_tree::RequestError> for Error {
    fn from(error: hc_tree::RequestError) -> Self {
        Self::BadArgument(error.to_string())
    }
}

/// A proof as bytes, as peers send it: to be handed over some other way than a connection.
#[must_use]
pub fn encode_proof(proof: &Proof) -> Vec<u8> {
    Data::from(proof.clone()).to_bytes()
}

/// The proof that [`encode_proof`] made these bytes of. Nothing of it is verified.
///
/// # Errors
/// [`Error::BadArgument`] if they are none.
pub fn decode_proof(bytes: &[u8]) -> Result<Proof> {
    let data = Data::from_bytes(&Bytes::copy_from_slice(bytes));
    data.map(Proof::from).map_err(|error| Error::BadArgument(format!("not a proof: {error}")))
}
