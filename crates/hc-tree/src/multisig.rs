//! Signatures of signers whose logs are longer than the head that is checked.
//!
//! Such a signature comes with a *patch*: the nodes of an upgrade's proof from the head to each of the longer logs. A head is
//! extended by it as by a peer's proof, and what comes out is the hash that the signer signed.
//!
//! Follows npm hypercore 11.37.1, `lib/multisig.js` (`partialSignature`) and `lib/verifier.js` (`generateUpgrade`).

use hc_crypto::multisig::{Patch, PatchNode};
use hc_crypto::{Hash, SignedHead};

use crate::head::TreeHead;
use crate::limits::MAX_LENGTH;
use crate::node::Node;
use crate::proof::{Proof, UpgradeProof, upgrade_nodes, verify};

/// The nodes that a signer of a log with `signed` blocks adds to its signature, for a head with `length` blocks: none where
/// its log is no longer. In the order in which `PartialSignature::of_longer` takes them.
#[must_use]
pub fn patch_nodes(length: u64, signed: u64) -> Vec<u64> {
    if signed <= length || signed >= MAX_LENGTH { Vec::new() } else { upgrade_nodes(length, signed) }
}

impl SignedHead for TreeHead {
    fn length(&self) -> u64 {
        self.length()
    }

    fn fork(&self) -> u64 {
        self.fork()
    }

    fn hash(&self) -> Hash {
        self.hash()
    }

    fn extended(&self, blocks: u64, patch: &Patch) -> Option<Hash> {
        let start = self.length();
        let to = start.checked_add(blocks).filter(|to| blocks > 0 && *to < MAX_LENGTH)?;
        let nodes = upgrade_nodes(start, to).into_iter();
        let nodes: Vec<Node> = nodes.map(|index| patch.get(index).map(Node::from)).collect::<Option<_>>()?;
        let (additional_nodes, signature) = (Vec::new(), Vec::new());
        let upgrade = UpgradeProof { start, length: blocks, nodes, additional_nodes, signature };
        let proof = Proof { fork: self.fork(), upgrade: Some(upgrade), ..Proof::default() };
        // the hash is what counts: whether it was signed is seen by who asked
        verify(self, &proof).ok()?.head().map(Self::hash)
    }
}

impl From<&PatchNode> for Node {
    fn from(node: &PatchNode) -> Self {
        Self { index: node.index, size: node.size, hash: node.hash }
    }
}

impl From<&Node> for PatchNode {
    fn from(node: &Node) -> Self {
        Self { index: node.index, size: node.size, hash: node.hash }
    }
}
