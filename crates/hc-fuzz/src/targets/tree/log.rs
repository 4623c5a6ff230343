//! A log all of which is known, so that whatever is verified can be compared with it.

use std::collections::BTreeMap;

use bytes::Bytes;
use hc_crypto::{KeyPair, Manifest, Verifier};
use hc_tree::{
    Batch, MissingNode, Node, NodeReader, Proof, ProofError, ProofRequest, RequestError, TreeHead, Verified,
    plan,
};

/// The log.
pub(super) struct Log {
    /// Each head with its signature, by length.
    pub(super) heads: BTreeMap<u64, (TreeHead, Vec<u8>)>,
    pub(super) nodes: BTreeMap<u64, Node>,
    pub(super) blocks: Vec<Bytes>,
    pub(super) verifier: Verifier,
}

/// What can go wrong on the way.
#[derive(Debug)]
pub(super) enum Fault {
    Request,
    Missing,
    #[expect(dead_code, reason = "its description is the class of a refusal")]
    Proof(ProofError),
}

impl From<RequestError> for Fault {
    fn from(_: RequestError) -> Self {
        Self::Request
    }
}

impl From<MissingNode> for Fault {
    fn from(_: MissingNode) -> Self {
        Self::Missing
    }
}

impl From<ProofError> for Fault {
    fn from(error: ProofError) -> Self {
        Self::Proof(error)
    }
}

impl NodeReader for Log {
    type Error = Fault;

    fn node(&self, index: u64) -> Result<Option<Node>, Fault> {
        Ok(self.nodes.get(&index).copied())
    }
}

/// Who signs.
pub(super) fn manifest() -> (KeyPair, Manifest) {
    let pair = KeyPair::from_seed(&[1; 32]);
    let manifest = Manifest::single(pair.public());
    (pair, manifest)
}

impl Log {
    /// Of so many blocks. Below `shared` they are those of every other log, above they are those of this fork.
    pub(super) fn new(fork: u64, blocks: u8, shared: u8) -> Self {
        let (pair, manifest) = manifest();
        let verifier = Verifier::new(manifest.key(), manifest).expect("the manifest makes the key");
        let mut log = Self { heads: BTreeMap::new(), nodes: BTreeMap::new(), blocks: Vec::new(), verifier };
        let mut head = TreeHead::empty(fork);
        log.heads.insert(0, (head.clone(), Vec::new()));
        for index in 0..blocks {
            let byte = if index < shared { index } else { !index };
            let block = Bytes::from(vec![byte; usize::from(index) * 3 % 17 + 1]);
            let mut batch = Batch::new(&head);
            batch.append(&block);
            let signed = batch.finish().sign(&log.verifier, &pair).expect("the pair is the signer");
            log.nodes.extend(signed.change().nodes().iter().map(|node| (node.index, *node)));
            log.blocks.push(block);
            let signature;
            (head, signature) = signed.into_head();
            log.heads.insert(head.length(), (head.clone(), signature));
        }
        log
    }

    pub(super) fn prove(&self, length: u64, request: &ProofRequest) -> Option<Proof> {
        let (head, signature) = self.heads.get(&length)?;
        let planned = plan(head, request, self).ok()?;
        let nodes: Vec<_> = planned.indices().map(|index| self.nodes.get(&index).copied()).collect();
        let block =
            request.block.and_then(|block| self.blocks.get(usize::try_from(block.index).ok()?).cloned());
        planned.build(head.fork(), signature, block, None, nodes).ok()
    }

    /// Whether this is a head of the log.
    pub(super) fn has(&self, head: &TreeHead) -> bool {
        let real = self.heads.get(&head.length()).map(|(head, _)| head);
        real.is_some_and(|real| real.hash() == head.hash() && real.byte_length() == head.byte_length())
    }

    /// What is wrong with something that was verified.
    pub(super) fn wrong(&self, verified: &Verified) -> Option<String> {
        let truth = |node: &&Node| self.nodes.get(&node.index);
        if let Some(node) = verified.nodes().iter().find(|node| truth(node) != Some(node)) {
            return Some(format!("node {} was verified, but is not of this log", node.index));
        }
        if let Some(node) =
            verified.claimed().iter().find(|node| truth(node).is_none_or(|is| is.hash != node.hash))
        {
            return Some(format!("node {} is claimed, but its hash is not of this log", node.index));
        }
        if let Some((index, block)) = verified.block()
            && usize::try_from(index).ok().and_then(|index| self.blocks.get(index)) != Some(block)
        {
            return Some(format!("block {index} was verified, but has other bytes"));
        }
        let (head, _) = verified.upgrade()?;
        if self.has(head) {
            None
        } else {
            Some(format!("nobody signed the head of length {}", head.length()))
        }
    }
}
