//! Moving to another fork of the log: which blocks of ours belong to it too.
//!
//! A writer that truncates its log and appends again is on a higher fork. A reader that has the old one first gets the new head,
//! whose signature is checked before anything else happens. It then looks for the first place at which the two trees differ: it
//! asks for the way from a block up to the node that differs, compares the children on it with its own, and goes on below the one
//! that differs, until that node begins where nothing of ours is left. All blocks before it stay.
//!
//! ```text
//! start(proof of the head) → want() → ask a peer → update(its proof) → … → finish() → Reorged
//! ```
//!
//! Nothing is stored on the way. Each proof that is taken leads at least one level further down, so there are at most as many of
//! them as the tree has levels, whatever a peer sends.
//!
//! Follows npm hypercore 11.37.1, `lib/merkle-tree.js` (`ReorgBatch`, `reorg`) and `lib/core.js` (`verifyReorg`).

use std::collections::BTreeMap;

use hc_crypto::Verifier;

use crate::batch::TreeChange;
use crate::error::ProofError;
use crate::flat::{self, Cursor};
use crate::head::TreeHead;
use crate::node::Node;
use crate::proof::{HashRequest, Proof, Verified, verify, verify_alone};
use crate::reader::NodeReader;

/// A head of another fork that is signed, on the way to knowing what it shares with ours.
#[derive(Debug, Clone)]
pub struct Reorg {
    /// Blocks of the log that is left.
    before: u64,
    head: TreeHead,
    signature: Vec<u8>,
    nodes: BTreeMap<u64, Node>,
    /// The lowest node that is known to differ, and before which nothing does. None once that is settled.
    differs: Option<Node>,
    ancestors: u64,
}

/// What to ask a peer for next: the way up from any one of these blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReorgWant {
    /// The first block that will do.
    pub start: u64,
    /// One past the last.
    pub end: u64,
    /// How many nodes above the block the answer has to reach.
    pub nodes: u64,
}

/// A change to another fork whose head is signed: it may be written.
#[derive(Debug, Clone)]
pub struct Reorged {
    change: TreeChange,
    signature: Vec<u8>,
}

impl ReorgWant {
    /// Asks for the block that is best asked for: forks mostly part near the end.
    #[must_use]
    pub const fn request(&self) -> HashRequest {
        self.request_at(self.end.saturating_sub(1))
    }

    /// Asks for one of the blocks, which a peer is known to have.
    #[must_use]
    pub const fn request_at(&self, block: u64) -> HashRequest {
        HashRequest { index: block.saturating_mul(2), nodes: self.nodes }
    }
}

impl Reorg {
    /// Takes the proof of a head on a higher fork: an upgrade from nothing. `reader` has the nodes of `ours`.
    ///
    /// # Errors
    /// [`ProofError`] if it is no such proof, or the head is not signed, and what the reader returns.
    pub fn start<R: NodeReader>(
        ours: &TreeHead,
        proof: &Proof,
        verifier: Option<&Verifier>,
        reader: &R,
    ) -> Result<Self, R::Error>
    where
        R::Error: From<ProofError>,
    {
        if proof.fork <= ours.fork() {
            return Err(ProofError::Fork { ours: ours.fork(), theirs: proof.fork }.into());
        }
        let verified = verify_alone(proof, verifier)?;
        let (head, signature) = verified.upgrade().ok_or(ProofError::Empty)?;
        let before = ours.length();
        let (head, signature) = (head.clone(), signature.to_vec());
        let mut reorg =
            Self { before, ancestors: head.length(), head, signature, nodes: BTreeMap::new(), differs: None };
        for root in reorg.head.roots() {
            if reorg.stored(reader, root.index)?.is_none_or(|stored| stored.hash != root.hash) {
                reorg.differs = Some(*root);
                break;
            }
        }
        reorg.take(&verified, reader)?;
        Ok(reorg)
    }

    /// What to ask a peer for next; none once it is known what the forks share.
    #[must_use]
    pub fn want(&self) -> Option<ReorgWant> {
        let differs = self.differs?;
        let (start, end) = (flat::left_span(differs.index) / 2, flat::right_span(differs.index) / 2 + 1);
        Some(ReorgWant { start, end: end.min(self.before), nodes: u64::from(flat::depth(differs.index)) })
    }

    /// Takes an answer to what was [wanted](Self::want). An upgrade that came with it is not looked at.
    ///
    /// # Errors
    /// [`ProofError::Unanchored`] if it answers something else, such as what was wanted before; any other [`ProofError`] if it
    /// does not hold; and what the reader returns. Nothing has changed then.
    pub fn update<R: NodeReader>(&mut self, proof: &Proof, reader: &R) -> Result<(), R::Error>
    where
        R::Error: From<ProofError>,
    {
        let Some(differs) = self.differs else { return Ok(()) };
        let Proof { fork, block, hash, seek, .. } = proof.clone();
        let unchecked = verify(&self.head, &Proof { fork, block, hash, seek, ..Proof::default() })?;
        match unchecked.anchor() {
            Some(index) if index != differs.index => return Err(ProofError::Unanchored { index }.into()),
            _ => {}
        }
        let verified = unchecked.confirm(Some(&differs), None)?;
        let mut below = Cursor::new(differs.index);
        if let Some(expected) = below.left_child().filter(|child| find(&verified, *child).is_none()) {
            return Err(ProofError::NodeMissing { expected }.into());
        }
        self.take(&verified, reader)
    }

    /// The head that this leads to.
    #[must_use]
    pub const fn head(&self) -> &TreeHead {
        &self.head
    }

    /// What may be written, once it is known what the forks share.
    #[must_use]
    pub fn finish(self) -> Option<Reorged> {
        let Self { before, head, signature, nodes, differs, ancestors } = self;
        let change = TreeChange::reorg(before, ancestors, head, nodes.into_values().collect());
        differs.is_none().then_some(Reorged { change, signature })
    }

    /// Goes down as far as what was proven leads.
    fn take<R: NodeReader>(&mut self, verified: &Verified, reader: &R) -> Result<(), R::Error> {
        let (mut differs, mut ancestors) = (self.differs, self.ancestors);
        while let Some(top) = differs {
            ancestors = flat::left_span(top.index) / 2;
            let mut below = Cursor::new(top.index);
            let left = below.left_child().filter(|_| ancestors < self.before);
            let stored = match left {
                Some(left) => self.stored(reader, left)?,
                None => None,
            };
            // a node is stored wherever a block below it is: where none is, nothing is lost by parting here
            let Some(left) = left.filter(|left| stored.is_some() || !self.had(*left)) else {
                differs = None;
                break;
            };
            let (Some(left), Some(right)) = (find(verified, left), find(verified, below.sibling())) else {
                break;
            };
            let same = stored.is_some_and(|stored| stored.hash == left.hash);
            differs = Some(if same { right } else { left });
        }
        self.nodes.extend(verified.nodes().iter().map(|node| (node.index, *node)));
        (self.differs, self.ancestors) = (differs, ancestors);
        Ok(())
    }

    /// Whether a node was part of the log that is left.
    const fn had(&self, index: u64) -> bool {
        flat::right_span(index) / 2 < self.before
    }

    fn stored<R: NodeReader>(&self, reader: &R, index: u64) -> Result<Option<Node>, R::Error> {
        if self.had(index) { reader.node(index) } else { Ok(None) }
    }
}

impl Reorged {
    /// The change: its ancestors are the blocks that the forks share, its nodes are the new roots and what leads from them to
    /// the blocks that stay. All blocks behind the ancestors go, and the nodes that it says are
    /// [removed](TreeChange::removed), before the new ones are written.
    #[must_use]
    pub const fn change(&self) -> &TreeChange {
        &self.change
    }

    /// The signature of the new head.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The new head and its signature.
    #[must_use]
    pub fn into_head(self) -> (TreeHead, Vec<u8>) {
        (self.change.into_head(), self.signature)
    }
}

/// A node of a proof. Its hash is right, also where its size is only claimed.
fn find(verified: &Verified, index: u64) -> Option<Node> {
    verified.nodes().iter().chain(verified.claimed()).find(|node| node.index == index).copied()
}
