//! The signature of a quorum: which signers signed, and for which length.
//!
//! A manifest of version 1 and above stores this form even for a single signer. Version 0 has another one.
//!
//! Signers need not have the same log: where the manifest allows patches, who has a longer one signs that, and the signature
//! is one for the blocks that enough of them have ([`signable_length`]). With it come the tree nodes from which the hashes of
//! the longer logs are put together, each node once.
//!
//! Follows npm hypercore 11.37.1, `lib/messages.js` (`multiSignature`, `multiSignaturev0`) and `lib/multisig.js`.

use std::collections::{BTreeMap, BTreeSet};

use compact_encoding::{Decode, DecodeError, Encode, Reader, Sink, put};

use crate::limits::{MAX_MULTISIG_PROOFS, MAX_PATCH_NODES};
use crate::{Hash, Signature};

/// The longest log that so many signers have signed all of, or more; 0 if there are too few of them.
#[must_use]
pub fn signable_length(lengths: &[u64], quorum: u64) -> u64 {
    let mut longest_first = lengths.to_vec();
    longest_first.sort_unstable_by(|a, b| b.cmp(a));
    let last = usize::try_from(quorum.max(1) - 1).ok();
    last.and_then(|last| longest_first.get(last)).copied().unwrap_or(0)
}

/// What one signer gives to the signature of a head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartialSignature {
    /// The signer's position in the manifest.
    pub signer: u64,
    /// Its signature.
    pub signature: Signature,
    /// How many blocks longer than the head the log is that it signed.
    pub patch: u64,
    /// The nodes that lead from the head to that longer log, in the order of an upgrade's proof.
    pub nodes: Vec<PatchNode>,
}

impl PartialSignature {
    /// Of a signer that signed this very head.
    #[must_use]
    pub const fn new(signer: u64, signature: Signature) -> Self {
        Self { signer, signature, patch: 0, nodes: Vec::new() }
    }

    /// Of a signer, from the signature that its own log has stored: bare, or a list of one.
    #[must_use]
    pub fn from_stored(signer: u64, stored: &[u8]) -> Option<Self> {
        let bare = Signature::try_from(stored).ok();
        let listed = || MultiSignature::from_prefix(stored).ok()?.proofs.first().map(|proof| proof.signature);
        Some(Self::new(signer, bare.or_else(listed)?))
    }

    /// The same, but signed was the log that is so many blocks longer; these nodes lead to it.
    #[must_use]
    pub fn of_longer(self, blocks: u64, nodes: Vec<PatchNode>) -> Self {
        Self { patch: blocks, nodes, ..self }
    }
}

/// One signer's part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The signer's position in the manifest.
    pub signer: u64,
    /// Its signature.
    pub signature: Signature,
    /// How many blocks longer than the head the log is that it signed; 0 if it signed this very head.
    pub patch: u64,
}

/// A tree node that a patch needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PatchNode {
    /// Its index.
    pub index: u64,
    /// Bytes below it.
    pub size: u64,
    /// Its hash.
    pub hash: Hash,
}

/// The nodes of a patch, by index.
#[derive(Debug, Clone, Default)]
pub struct Patch(BTreeMap<u64, PatchNode>);

impl Patch {
    /// Of these nodes. Of two with one index the later one counts.
    #[must_use]
    pub fn new(nodes: Vec<PatchNode>) -> Self {
        Self(nodes.into_iter().map(|node| (node.index, node)).collect())
    }

    /// The node with this index.
    #[must_use]
    pub fn get(&self, index: u64) -> Option<&PatchNode> {
        self.0.get(&index)
    }
}

/// Signatures of several signers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MultiSignature {
    /// Each signer's part.
    pub proofs: Vec<Proof>,
    /// Nodes that lead from the head to the longer logs that were signed.
    pub patch: Vec<PatchNode>,
}

impl MultiSignature {
    /// The signature of a single signer, who signed this very length.
    #[must_use]
    pub fn single(signature: Signature) -> Self {
        Self { proofs: vec![Proof { signer: 0, signature, patch: 0 }], patch: Vec::new() }
    }

    /// Puts parts together. Of nodes with one index the first one is kept.
    #[must_use]
    pub fn assemble(parts: &[PartialSignature]) -> Self {
        let mut seen = BTreeSet::new();
        let nodes = parts.iter().flat_map(|part| &part.nodes);
        let patch = nodes.filter(|node| seen.insert(node.index)).copied().collect();
        let proof = |part: &PartialSignature| Proof {
            signer: part.signer,
            signature: part.signature,
            patch: part.patch,
        };
        Self { proofs: parts.iter().map(proof).collect(), patch }
    }

    /// Puts parts together, in the form of manifests of version 0: each part says which nodes it needs.
    #[must_use]
    pub fn assemble_v0(parts: &[PartialSignature]) -> Vec<u8> {
        let (mut out, mut patch) = (Vec::new(), Vec::new());
        put::len(&mut out, parts.len());
        for part in parts {
            put::uint(&mut out, u64::from(part.patch != 0));
            put::uint(&mut out, part.signer);
            part.signature.encode(&mut out);
            if part.patch != 0 {
                let behind = part.nodes.last().map_or(0, |node| behind(node.index));
                put::uint(&mut out, behind);
                put::uint(&mut out, part.patch);
                put::uint_list(&mut out, &positions(&part.nodes, &mut patch));
            }
        }
        put::list(&mut out, &patch);
        out
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

/// The first block to the right of a node.
const fn behind(index: u64) -> u64 {
    // as many one bits at its end as it is levels above the blocks
    (index | index.saturating_add(1)) / 2 + 1
}

/// Where these nodes are in the list, to which those are added that it lacks.
fn positions(nodes: &[PatchNode], list: &mut Vec<PatchNode>) -> Vec<u64> {
    let mut position = |node: &PatchNode| {
        let found = list.iter().position(|known| known == node);
        let position = found.unwrap_or_else(|| {
            list.push(*node);
            list.len() - 1
        });
        u64::try_from(position).unwrap_or(u64::MAX)
    };
    nodes.iter().map(&mut position).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn node(index: u64, byte: u8) -> PatchNode {
        PatchNode { index, size: 1, hash: Hash::from([byte; 32]) }
    }

    #[test]
    fn a_quorum_can_sign_what_so_many_have() {
        for (quorum, length) in [(0, 9), (1, 9), (2, 7), (3, 2), (4, 0), (u64::MAX, 0)] {
            assert_eq!(signable_length(&[2, 9, 7], quorum), length, "quorum {quorum}");
        }
        assert_eq!(signable_length(&[], 1), 0);
    }

    #[test]
    fn the_block_behind_a_node_follows_its_last_one() {
        for (index, block) in [(0, 1), (2, 2), (1, 2), (3, 4), (5, 4), (7, 8), (9, 6)] {
            assert_eq!(behind(index), block, "node {index}");
        }
    }

    #[test]
    fn a_node_that_several_parts_need_is_sent_once() {
        let part =
            |signer, nodes| PartialSignature::new(signer, Signature::from([0; 64])).of_longer(1, nodes);
        let parts = [part(0, vec![node(4, 1), node(9, 1)]), part(1, vec![node(9, 1), node(12, 1)])];
        let expected = vec![node(4, 1), node(9, 1), node(12, 1)];
        assert_eq!(MultiSignature::assemble(&parts).patch, expected);
        let old = MultiSignature::from_v0(&MultiSignature::assemble_v0(&parts)).unwrap();
        assert_eq!(old, MultiSignature::assemble(&parts));
    }

    #[test]
    fn the_part_of_a_signer_is_taken_from_what_its_log_has_stored() {
        let signature = Signature::from([7; 64]);
        let expected = Some(PartialSignature::new(2, signature));
        assert_eq!(PartialSignature::from_stored(2, signature.as_bytes()), expected);
        assert_eq!(PartialSignature::from_stored(2, &MultiSignature::single(signature).to_vec()), expected);
        assert_eq!(PartialSignature::from_stored(2, &[0; 65]), None);
    }
}
