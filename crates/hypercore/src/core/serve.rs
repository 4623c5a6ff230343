//! Answering peers: plan, fetch all nodes at once, build.

use hc_crypto::Manifest;
use hc_protocol::wire::{Data, Request};
use hc_replicator::Served;
use hc_storage::{CoreStorage, StorageError};
use hc_tree::{
    BlockRequest, HashRequest, MissingNode, Proof, ProofPlan, ProofRequest, RequestError, TreeHead,
    missing_nodes, missing_nodes_with_gaps, plan,
};

use super::known_nodes::StoredNodes;
use super::state::SignedHead;
use super::{Branch, Core};

/// Why a request has no answer.
enum Unanswerable {
    Invalid(RequestError),
    Storage(StorageError),
}

impl From<RequestError> for Unanswerable {
    fn from(error: RequestError) -> Self {
        Self::Invalid(error)
    }
}

impl From<MissingNode> for Unanswerable {
    fn from(error: MissingNode) -> Self {
        Self::Invalid(error.into())
    }
}

impl From<StorageError> for Unanswerable {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl Core {
    /// The proof that a peer asks for.
    pub(crate) fn serve(&self, request: &ProofRequest, with_manifest: bool) -> Served {
        match self.prove(request, with_manifest) {
            Ok(Some(data)) => Served::Data(data),
            Ok(None) => Served::NotAvailable,
            Err(Unanswerable::Invalid(RequestError::Missing(_))) => Served::NotAvailable,
            Err(Unanswerable::Invalid(error)) => {
                tracing::debug!(core = %self.discovery_key(), %error, "a request that no proof can answer");
                Served::Invalid
            }
            Err(Unanswerable::Storage(error)) => {
                tracing::error!(core = %self.discovery_key(), %error, "a proof could not be read");
                Served::NotAvailable
            }
        }
    }

    fn prove(&self, request: &ProofRequest, with_manifest: bool) -> Result<Option<Data>, Unanswerable> {
        if self.needs_repair() {
            return Ok(None);
        }
        // truncated, and the peer is about to hear of it
        let Some(announced) = self.announced_head() else { return Ok(None) };
        let SignedHead { head, signature } = &*announced;
        let state = self.0.state.read();
        let manifest = if with_manifest { state.manifest().cloned() } else { None };
        if *request == ProofRequest::default() && manifest.is_some() {
            return Ok(Some(Proof { manifest, fork: head.fork(), ..Proof::default() }.into()));
        }
        let request = request.with_prologue(state.prologue_length());
        drop(state);
        let proof = prove(head, &self.0.disk, &request, signature, manifest)?;
        // what was read may be of another fork if the log was truncated meanwhile
        let still = self.0.state.read().head().fork() == head.fork();
        Ok(proof.filter(|_| still).map(Into::into))
    }

    /// The proof for a request, made for a caller here.
    pub(crate) fn make_proof(&self, branch: Option<&Branch>, request: &ProofRequest) -> crate::Result<Proof> {
        self.check_roots()?;
        let (head, disk) = self.head_and_disk(branch);
        let state = self.0.state.read();
        let (signature, manifest) = (state.signature().to_vec(), state.manifest().cloned());
        let request = request.with_prologue(state.prologue_length());
        drop(state);
        let made = prove(&head, &disk, &request, &signature, manifest);
        match made {
            Ok(Some(proof)) => Ok(proof),
            Ok(None) => Err(crate::Error::BlockNotAvailable {
                index: request.block.map_or(0, |block| block.index),
                discovery_key: *self.discovery_key(),
            }),
            Err(Unanswerable::Invalid(error)) => Err(crate::Error::InvalidOperation {
                reason: error.to_string(),
                discovery_key: *self.discovery_key(),
            }),
            Err(Unanswerable::Storage(error)) => Err(error.into()),
        }
    }

    /// How many nodes are missing on the way from a block to its root.
    pub(crate) fn missing_nodes(&self, block: u64) -> crate::Result<u64> {
        missing_nodes_with_gaps(&StoredNodes(self), block.saturating_mul(2), self.status().length)
    }

    /// Says in a request how many nodes the answer has to bring.
    pub(super) fn fill_missing_nodes(&self, request: &mut Request) {
        let length = self.status().length;
        let missing = |index| match missing_nodes(&StoredNodes(self), index, length) {
            Ok(missing) => missing,
            Err(error) => {
                tracing::error!(core = %self.discovery_key(), %error, "a tree node could not be read");
                0
            }
        };
        if let Some(BlockRequest { index, nodes }) = &mut request.block {
            *nodes = missing(index.saturating_mul(2));
        }
        if let Some(HashRequest { index, nodes }) = &mut request.hash {
            *nodes = missing(*index);
        }
    }

    /// Whether all roots of a shorter length are stored, so that a peer with that length can be brought up.
    pub(super) fn has_roots(&self, fork: u64, length: u64) -> bool {
        let state = self.0.state.read();
        if state.head().fork() != fork || length > state.head().length() {
            return false;
        }
        drop(state);
        hc_tree::upgradeable(&self.0.disk, length).unwrap_or(false)
    }
}

/// The proof for a request; none if the block is not stored. Nodes are only ever added below a head as long as the fork is
/// the same, so that they need not be of the head's moment.
fn prove(
    head: &TreeHead,
    disk: &CoreStorage,
    request: &ProofRequest,
    signature: &[u8],
    manifest: Option<Manifest>,
) -> Result<Option<Proof>, Unanswerable> {
    let plan: ProofPlan = plan(head, request, &Nodes(disk))?;
    let wanted = request.block.map(|block| block.index);
    let (nodes, block) = disk.tree_nodes_and_block(plan.indices(), wanted)?;
    if wanted.is_some() && block.is_none() {
        return Ok(None);
    }
    Ok(Some(plan.build(head.fork(), signature, block, manifest, nodes)?))
}

/// The stored nodes of a log.
struct Nodes<'a>(&'a CoreStorage);

impl hc_tree::NodeReader for Nodes<'_> {
    type Error = Unanswerable;

    fn node(&self, index: u64) -> Result<Option<hc_tree::Node>, Unanswerable> {
        Ok(self.0.tree_node(index)?)
    }
}
