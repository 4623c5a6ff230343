//! Getting back the roots of a log that lost some: the head's record says their hash, so that whoever has the log can give them.
//!
//! A log whose roots are not all stored can neither grow nor be proven. A peer, or somebody with a [`RemoteProof`], sends an
//! upgrade from nothing; its nodes are compared with what the own head's record says. Who sent them does not matter: they are
//! the right ones if their hash is the one that is signed.
//!
//! Follows npm hypercore 11.37.1, `index.js` (`generateRemoteProofForTreeNode`, `recoverFromRemoteProof`) and `lib/core.js`
//! (`_repairTreeNodes`). There any node of a proof that is signed is stored, and the roots are compared afterwards.
//!
//! [`RemoteProof`]: crate::RemoteProof

use hc_crypto::{Hash, Verifier};

use crate::error::ProofError;
use crate::flat;
use crate::head::TreeHead;
use crate::node::Node;
use crate::proof::{Proof, ProofRequest, UpgradeRequest};
use crate::reader::NodeReader;

/// The head of a log as it is stored: what it is, but not the roots themselves.
#[derive(Debug, Clone, Copy)]
pub struct StoredHead<'a> {
    /// How often the log was truncated.
    pub fork: u64,
    /// Blocks in the log.
    pub length: u64,
    /// The hash of its roots.
    pub root_hash: Hash,
    /// The signature of that.
    pub signature: &'a [u8],
}

/// Roots that were lost, and are known again: they may be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    head: TreeHead,
    nodes: Vec<Node>,
}

impl StoredHead<'_> {
    /// What to ask a peer for: all roots.
    #[must_use]
    pub fn request(&self) -> ProofRequest {
        let upgrade = Some(UpgradeRequest { start: 0, length: self.length });
        ProofRequest { upgrade, ..ProofRequest::default() }
    }

    /// Takes the roots that are missing from a proof of this head or of a longer one.
    ///
    /// # Errors
    /// [`ProofError::NodeMissing`] if it does not have them; [`ProofError::Roots`] if they are not this head's;
    /// [`ProofError::Signature`] if the stored signature is damaged too; and what the reader returns.
    pub fn recover<R: NodeReader>(
        &self,
        proof: &Proof,
        verifier: &Verifier,
        reader: &R,
    ) -> Result<Recovered, R::Error>
    where
        R::Error: From<ProofError>,
    {
        if proof.fork != self.fork {
            return Err(ProofError::Fork { ours: self.fork, theirs: proof.fork }.into());
        }
        let sent = proof.upgrade.as_ref().map_or(&[][..], |upgrade| &upgrade.nodes);
        let (mut roots, mut nodes) = (Vec::new(), Vec::new());
        for expected in flat::full_roots(self.length) {
            if let Some(stored) = reader.node(expected)? {
                roots.push(stored);
                continue;
            }
            let node = sent.iter().find(|node| node.index == expected);
            let node = *node.ok_or(ProofError::NodeMissing { expected })?;
            roots.push(node);
            nodes.push(node);
        }
        let head = TreeHead::from_roots(self.fork, roots).map_err(|_| ProofError::Roots)?;
        if head.hash() != self.root_hash {
            return Err(ProofError::Roots.into());
        }
        verifier.verify_head(&head, self.signature).map_err(ProofError::Signature)?;
        Ok(Recovered { head, nodes })
    }
}

impl Recovered {
    /// The head with all its roots.
    #[must_use]
    pub const fn head(&self) -> &TreeHead {
        &self.head
    }

    /// The roots that were missing.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }
}
