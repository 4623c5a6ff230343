//! A planned proof becomes a proof.

use bytes::Bytes;
use hc_crypto::Manifest;

use super::plan::ProofPlan;
use super::types::{BlockProof, HashProof, Proof, SeekProof, UpgradeProof};
use crate::error::MissingNode;
use crate::node::Node;

impl ProofPlan {
    /// Puts the fetched nodes in place. `nodes` are those of [`indices`](Self::indices), in that order; `block` is the
    /// value of the block that was asked for; `signature` is that of the head that was planned for.
    ///
    /// # Errors
    /// [`MissingNode`] if one of them is not stored.
    pub fn build(
        &self,
        fork: u64,
        signature: &[u8],
        block: Option<Bytes>,
        manifest: Option<Manifest>,
        nodes: impl IntoIterator<Item = Option<Node>>,
    ) -> Result<Proof, MissingNode> {
        let mut nodes = nodes.into_iter();
        let mut part = |indices: &Option<Vec<u64>>| -> Result<Option<Vec<Node>>, MissingNode> {
            let Some(indices) = indices else { return Ok(None) };
            let found =
                indices.iter().map(|index| nodes.next().flatten().ok_or(MissingNode { index: *index }));
            found.collect::<Result<_, _>>().map(Some)
        };
        let (node, seek) = (part(&self.node)?, part(&self.seek)?);
        let (upgrade, additional) = (part(&self.upgrade)?, part(&self.additional)?);

        let mut proof = Proof { fork, manifest, ..Proof::default() };
        if let Some(request) = &self.request.block {
            let missing = MissingNode { index: request.index.saturating_mul(2) };
            let (value, nodes) = (block.ok_or(missing)?, node.ok_or(missing)?);
            proof.block = Some(BlockProof { index: request.index, value, nodes });
        } else if let (Some(request), Some(nodes)) = (&self.request.hash, node) {
            proof.hash = Some(HashProof { index: request.index, nodes });
        }
        if let (Some(request), Some(nodes)) = (&self.request.seek, seek) {
            proof.seek = Some(SeekProof { bytes: request.bytes, nodes });
        }
        if let (Some(request), Some(nodes)) = (&self.request.upgrade, upgrade) {
            proof.upgrade = Some(UpgradeProof {
                start: request.start,
                length: request.length,
                nodes,
                additional_nodes: additional.unwrap_or_default(),
                signature: signature.to_vec(),
            });
        }
        Ok(proof)
    }
}
