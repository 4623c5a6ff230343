//! A core in memory: what a driver does with a tree, its nodes and blocks.

use std::collections::BTreeMap;

use bytes::Bytes;
use hc_crypto::{KeyPair, Manifest, Verifier};
use hc_replicator::wire::{Data, Request};
use hc_replicator::{ApplyFailure, Served};
use hc_tree::{
    Batch, MissingNode, Node, NodeReader, Proof, ProofError, ProofRequest, RequestError, TreeHead, flat,
    missing_nodes, plan, verify,
};

/// A core in memory.
pub(crate) struct Core {
    pub(crate) head: TreeHead,
    pub(crate) blocks: BTreeMap<u64, Bytes>,
    nodes: BTreeMap<u64, Node>,
    signature: Vec<u8>,
    manifest: Manifest,
    pub(crate) has_manifest: bool,
    verifier: Verifier,
    pair: Option<KeyPair>,
}

/// What can go wrong when a proof is planned.
enum PlanError {
    Request,
    Missing,
}

impl From<RequestError> for PlanError {
    fn from(_: RequestError) -> Self {
        Self::Request
    }
}

impl From<MissingNode> for PlanError {
    fn from(_: MissingNode) -> Self {
        Self::Missing
    }
}

struct Stored<'a>(&'a BTreeMap<u64, Node>);

impl NodeReader for Stored<'_> {
    type Error = PlanError;
    fn node(&self, index: u64) -> Result<Option<Node>, PlanError> {
        Ok(self.0.get(&index).copied())
    }
}

impl Core {
    /// The writer's core, or a reader's empty one.
    pub(crate) fn new(writable: bool) -> Self {
        let pair = KeyPair::from_seed(&[7; 32]);
        let manifest = Manifest::single(pair.public());
        let verifier = Verifier::new(manifest.key(), manifest.clone()).expect("the manifest makes the key");
        Self {
            head: TreeHead::empty(0),
            blocks: BTreeMap::new(),
            nodes: BTreeMap::new(),
            signature: Vec::new(),
            manifest,
            has_manifest: writable,
            verifier,
            pair: writable.then_some(pair),
        }
    }

    pub(crate) fn append(&mut self, blocks: Vec<Bytes>) {
        let pair = self.pair.as_ref().expect("only the writer appends");
        let mut batch = Batch::new(&self.head);
        for (index, block) in (self.head.length()..).zip(blocks) {
            batch.append(&block);
            self.blocks.insert(index, block);
        }
        let signed = batch.finish().sign(&self.verifier, pair).expect("the pair is the signer");
        self.nodes.extend(signed.change().nodes().iter().map(|node| (node.index, *node)));
        (self.head, self.signature) = signed.into_head();
    }

    /// Fills in how many nodes the answer must have.
    pub(crate) fn fill(&self, request: &mut Request) {
        if let Some(block) = &mut request.block {
            let missing = missing_nodes(&Stored(&self.nodes), block.index * 2, self.head.length());
            block.nodes = missing.unwrap_or(0);
        }
    }

    pub(crate) fn serve(&self, request: &ProofRequest, manifest: bool) -> Served {
        let planned = match plan(&self.head, request, &Stored(&self.nodes)) {
            Ok(planned) => planned,
            Err(PlanError::Request) => return Served::Invalid,
            Err(PlanError::Missing) => return Served::NotAvailable,
        };
        let nodes: Vec<_> = planned.indices().map(|index| self.nodes.get(&index).copied()).collect();
        let block = request.block.and_then(|block| self.blocks.get(&block.index).cloned());
        let manifest = manifest.then(|| self.manifest.clone());
        let Ok(proof) = planned.build(self.head.fork(), &self.signature, block, manifest, nodes) else {
            return Served::NotAvailable;
        };
        let Proof { fork, block, hash, seek, upgrade, manifest } = proof;
        Served::Data(Data { request: 0, fork, block, hash, seek, upgrade, manifest })
    }

    /// Verifies and stores; gives the length after it.
    pub(crate) fn apply(&mut self, data: Data) -> Result<u64, ApplyFailure> {
        let Data { fork, block, hash, seek, upgrade, manifest, .. } = data;
        if upgrade.as_ref().is_some_and(|upgrade| upgrade.start != self.head.length()) {
            return Err(ApplyFailure::Stale);
        }
        self.has_manifest |= manifest.is_some();
        if block.is_none() && hash.is_none() && seek.is_none() && upgrade.is_none() {
            return Ok(self.head.length());
        }
        let proof = Proof { fork, block, hash, seek, upgrade, manifest };
        let unchecked = verify(&self.head, &proof).map_err(|_| ApplyFailure::Invalid)?;
        let anchor = unchecked.anchor().and_then(|index| self.nodes.get(&index));
        let verifier = self.has_manifest.then_some(&self.verifier);
        let verified = unchecked.confirm(anchor, verifier).map_err(|error| match error {
            ProofError::Unanchored { .. } => ApplyFailure::Stale,
            _ => ApplyFailure::Invalid,
        })?;
        self.nodes.extend(verified.nodes().iter().map(|node| (node.index, *node)));
        if let Some((index, value)) = verified.block() {
            self.blocks.insert(index, value.clone());
        }
        if let Some((head, signature)) = verified.upgrade() {
            self.signature = signature.to_vec();
            self.head = head.clone();
        }
        Ok(self.head.length())
    }

    pub(crate) fn has_roots(&self, length: u64) -> bool {
        flat::full_roots(length).all(|root| self.nodes.contains_key(&root))
    }
}
