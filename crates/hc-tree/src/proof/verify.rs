//! A peer's proof becomes something that may be written, or an error.
//!
//! The hashes are put together from the leaves up. Where they end is either a node that is stored here already (the
//! *anchor*), or part of a new head, whose signature is then checked.
//!
//! The hash of a node covers its size, which can only be checked from below: with the block, or with both children. So where two
//! siblings both come from the peer, only the sum of their sizes is proven. Such nodes are left out of what may be written
//! ([`Verified::claimed`]): stored, they would make later proofs fail, and those that are built from them here.
//!
//! Follows npm hypercore 11.37.1, `lib/merkle-tree.js` (`verifyTree`, `verifyUpgrade`).

use bytes::Bytes;
use hc_crypto::{Hash, Verifier, VerifyError};

use super::types::{Proof, UpgradeProof};
use crate::batch::Batch;
use crate::error::ProofError;
use crate::flat::{self, Cursor};
use crate::head::TreeHead;
use crate::limits::{MAX_LENGTH, MAX_PROOF_NODES};
use crate::node::Node;

/// A proof whose hashes fit together, but of which nothing shows yet that it is part of this log.
#[derive(Debug, Clone)]
pub struct Unchecked {
    nodes: Vec<Node>,
    upgrade: Option<Upgrade>,
    claimed: Vec<Node>,
    /// Where the hashes end, unless that is part of the new head.
    anchor: Option<Top>,
    block: Option<(u64, Bytes)>,
}

/// A node at which hashes end, or from which they go on.
#[derive(Debug, Clone, Copy)]
struct Top {
    node: Node,
    /// Its size is what the peer says: it was not put together from what is below it.
    claimed: bool,
}

/// What was found on the way.
struct Found {
    nodes: Vec<Node>,
    /// Nodes of which only the sum of two sizes is proven.
    unfixed: Vec<u64>,
}

#[derive(Debug, Clone)]
struct Upgrade {
    head: TreeHead,
    signature: Vec<u8>,
    /// Blocks that were known before.
    known: u64,
    /// The head that was asked for, on the way to the signed one, where nothing was known before.
    first: Option<(u64, Hash)>,
}

/// Nodes, a block and a head that are part of this log: they may be written.
#[derive(Debug, Clone)]
pub struct Verified {
    nodes: Vec<Node>,
    claimed: Vec<Node>,
    upgrade: Option<Upgrade>,
    block: Option<(u64, Bytes)>,
}

/// Hashes a proof together, as one for the log that `head` is the present head of.
///
/// # Errors
/// [`ProofError`], if it can be no proof for this log.
pub fn verify(head: &TreeHead, proof: &Proof) -> Result<Unchecked, ProofError> {
    if proof.fork != head.fork() {
        return Err(ProofError::Fork { ours: head.fork(), theirs: proof.fork });
    }
    check_counts(proof)?;
    let mut found = Found { nodes: Vec::with_capacity(32), unfixed: Vec::new() };
    let mut top = hash_up(proof, &mut found)?;
    let upgrade = match &proof.upgrade {
        None => None,
        Some(upgrade) => {
            let (signed, used) = grow(head, upgrade, top, &mut found)?;
            if used {
                top = None;
            }
            Some(signed)
        }
    };
    let Found { nodes, unfixed } = found;
    if nodes.is_empty() && upgrade.is_none() {
        return Err(ProofError::Empty);
    }
    let (claimed, nodes) = if unfixed.is_empty() {
        (Vec::new(), nodes)
    } else {
        nodes.into_iter().partition(|node| unfixed.contains(&node.index))
    };
    let block = proof.block.as_ref().map(|block| (block.index, block.value.clone()));
    Ok(Unchecked { nodes, claimed, upgrade, anchor: top, block })
}

/// Checks a proof as one who has nothing of the log: it must lead to a head that is signed, and all of it must be part of that.
///
/// # Errors
/// [`ProofError`].
pub fn verify_alone(proof: &Proof, verifier: Option<&Verifier>) -> Result<Verified, ProofError> {
    if proof.upgrade.is_none() {
        return Err(ProofError::Empty);
    }
    verify(&TreeHead::empty(proof.fork), proof)?.confirm(None, verifier)
}

impl Unchecked {
    /// The stored node that the proof must lead to, if it is not all part of a new head.
    #[must_use]
    pub fn anchor(&self) -> Option<u64> {
        self.anchor.map(|top| top.node.index)
    }

    /// The head to which the proof leads, before anything shows that it is signed.
    pub(crate) fn head(&self) -> Option<&TreeHead> {
        self.upgrade.as_ref().map(|upgrade| &upgrade.head)
    }

    /// Checks the proof against the stored node of its [`anchor`](Self::anchor), and its new head against the log's
    /// manifest.
    ///
    /// # Errors
    /// [`ProofError::Unanchored`] if there is no such node, [`ProofError::HashMismatch`], [`ProofError::NoManifest`],
    /// [`ProofError::Signature`].
    pub fn confirm(self, stored: Option<&Node>, verifier: Option<&Verifier>) -> Result<Verified, ProofError> {
        if let Some(Top { node, claimed }) = self.anchor {
            let index = node.index;
            let stored = stored.ok_or(ProofError::Unanchored { index })?;
            // a size that was put together from below is right where the hash is, whatever is stored
            let same = stored.index == index && stored.hash == node.hash;
            if !same || (claimed && stored.size != node.size) {
                return Err(ProofError::HashMismatch { index });
            }
        }
        if let Some(upgrade) = &self.upgrade {
            let (head, verifier) = (&upgrade.head, verifier.ok_or(ProofError::NoManifest)?);
            upgrade.check_prologue(verifier)?;
            verifier.verify_head(head, &upgrade.signature)?;
        }
        Ok(Verified { nodes: self.nodes, claimed: self.claimed, upgrade: self.upgrade, block: self.block })
    }
}

impl Upgrade {
    /// A log that begins with a prologue is first shown as that, so that it can be compared. Upstream compares it only if it
    /// comes that way; its peers never send anything else.
    fn check_prologue(&self, verifier: &Verifier) -> Result<(), ProofError> {
        let Some(prologue) = verifier.prologue().filter(|prologue| self.known < prologue.length) else {
            return Ok(());
        };
        if self.first == Some((prologue.length, prologue.hash)) {
            Ok(())
        } else {
            Err(VerifyError::Prologue.into())
        }
    }
}

impl Verified {
    /// The nodes to store.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Nodes that are part of this log, but whose sizes are only what the peer says. They are not for storing.
    #[must_use]
    pub fn claimed(&self) -> &[Node] {
        &self.claimed
    }

    /// The new head and its signature, if the log became longer.
    #[must_use]
    pub fn upgrade(&self) -> Option<(&TreeHead, &[u8])> {
        self.upgrade.as_ref().map(|upgrade| (&upgrade.head, upgrade.signature.as_slice()))
    }

    /// The block and its bytes.
    #[must_use]
    pub fn block(&self) -> Option<(u64, &Bytes)> {
        self.block.as_ref().map(|(index, value)| (*index, value))
    }
}

fn check_counts(proof: &Proof) -> Result<(), ProofError> {
    let lists = [
        proof.block.as_ref().map(|part| part.nodes.len()),
        proof.hash.as_ref().map(|part| part.nodes.len()),
        proof.seek.as_ref().map(|part| part.nodes.len()),
        proof.upgrade.as_ref().map(|part| part.nodes.len()),
        proof.upgrade.as_ref().map(|part| part.additional_nodes.len()),
    ];
    match lists.into_iter().flatten().find(|count| *count > MAX_PROOF_NODES) {
        Some(count) => Err(ProofError::TooManyNodes { count }),
        None => Ok(()),
    }
}

/// Nodes that are taken in the order in which they came; one more may be taken out of turn.
struct Queue<'a> {
    nodes: std::slice::Iter<'a, Node>,
    extra: Option<Top>,
}

impl<'a> Queue<'a> {
    fn new(nodes: &'a [Node], extra: Option<Top>) -> Self {
        Self { nodes: nodes.iter(), extra }
    }

    fn is_empty(&self) -> bool {
        self.extra.is_none() && self.nodes.len() == 0
    }

    fn take(&mut self, expected: u64) -> Result<Top, ProofError> {
        if let Some(extra) = self.extra.take_if(|extra| extra.node.index == expected) {
            return Ok(extra);
        }
        let node = self.nodes.next().ok_or(ProofError::NodeMissing { expected })?;
        if node.index != expected {
            return Err(ProofError::WrongNode { expected, got: node.index });
        }
        Ok(Top { node: *node, claimed: true })
    }
}

/// Hashes from a block, an inner node or a seek's node upwards. Returns the top.
fn hash_up(proof: &Proof, found: &mut Found) -> Result<Option<Top>, ProofError> {
    let seek = match proof.seek.as_ref().and_then(|seek| Some((seek.nodes.first()?, &seek.nodes))) {
        Some((first, list)) => Some(climb(Queue::new(list, None), first.index, None, found)?),
        None => None,
    };
    match (&proof.block, &proof.hash) {
        (Some(block), _) => {
            let index = in_range(block.index.saturating_mul(2))?;
            let leaf = Top { node: Node::of_block(block.index, &block.value), claimed: false };
            climb(Queue::new(&block.nodes, seek), index, Some(leaf), found).map(Some)
        }
        (None, Some(hash)) => climb(Queue::new(&hash.nodes, seek), hash.index, None, found).map(Some),
        (None, None) => Ok(seek),
    }
}

fn in_range(index: u64) -> Result<u64, ProofError> {
    if index < MAX_LENGTH * 2 { Ok(index) } else { Err(ProofError::Impossible { index }) }
}

fn climb(mut queue: Queue<'_>, index: u64, start: Option<Top>, found: &mut Found) -> Result<Top, ProofError> {
    let mut cursor = Cursor::new(in_range(index)?);
    let mut top = match start {
        Some(start) => start,
        None => queue.take(index)?,
    };
    found.nodes.push(top.node);
    while !queue.is_empty() {
        let sibling = queue.take(cursor.sibling())?;
        let impossible = ProofError::Impossible { index: sibling.node.index };
        let parent = cursor.parent().ok_or(impossible)?;
        if top.claimed && sibling.claimed {
            found.unfixed.extend([top.node.index, sibling.node.index]);
        }
        let node = Node::parent(parent, &top.node, &sibling.node).ok_or(impossible)?;
        found.nodes.extend([sibling.node, node]);
        top = Top { node, claimed: false };
    }
    Ok(top)
}

/// Extends the head by an upgrade's nodes, with the top of the other part taking its place among them. Returns the new
/// head, and whether that top was part of it.
fn grow(
    head: &TreeHead,
    proof: &UpgradeProof,
    top: Option<Top>,
    found: &mut Found,
) -> Result<(Upgrade, bool), ProofError> {
    let to = proof.start.checked_add(proof.length).filter(|to| *to < MAX_LENGTH);
    let to = to.ok_or(ProofError::Impossible { index: proof.start })?;
    let mut batch = Batch::new(head);
    let mut queue = Queue::new(&proof.nodes, top);
    extend(&mut batch, &mut queue, head, to)?;
    if queue.nodes.len() > 0 {
        return Err(ProofError::ExtraNodes);
    }
    let first = head.roots().is_empty().then(|| (to, batch.hash()));
    let known = head.length();
    extend_further(&mut batch, &proof.additional_nodes)?;
    if batch.length <= head.length() {
        return Err(ProofError::NotLonger { length: batch.length, ours: head.length() });
    }
    if batch.length >= MAX_LENGTH {
        return Err(ProofError::Impossible { index: batch.length });
    }
    found.unfixed.extend_from_slice(batch.unfixed());
    let change = batch.finish();
    // whatever a peer sent: only the roots of a log become a head
    let checked = TreeHead::from_roots(head.fork(), change.head().roots().to_vec());
    let head = checked.ok().filter(|checked| checked == change.head());
    let head = head.ok_or_else(|| ProofError::Impossible { index: change.head().length() })?;
    found.nodes.extend_from_slice(change.nodes());
    Ok((Upgrade { head, signature: proof.signature.clone(), known, first }, queue.extra.is_none()))
}

/// Extends a batch to a length that the peer was asked for.
fn extend(batch: &mut Batch, queue: &mut Queue<'_>, head: &TreeHead, to: u64) -> Result<(), ProofError> {
    let mut known = head.roots().iter().map(|root| root.index).peekable();
    let mut connect = !head.roots().is_empty();
    for mut tree in flat::full_trees(to) {
        if known.next_if_eq(&tree.index()).is_some() {
            continue;
        }
        if std::mem::take(&mut connect) && known.peek().is_some() {
            // the last known roots lie below this tree: add what is to their right
            let top = tree.index();
            let last = head.roots().last().map_or(top, |root| root.index);
            let mut cursor = Cursor::new(last);
            if !tree.contains(last) {
                return Err(ProofError::Impossible { index: top });
            }
            while cursor.index() != top {
                let next = queue.take(cursor.sibling())?;
                append(batch, next, &mut cursor)?;
            }
            continue;
        }
        let next = queue.take(tree.index())?;
        append(batch, next, &mut tree)?;
    }
    Ok(())
}

/// Extends a batch by the nodes from there to the head that is signed.
fn extend_further(batch: &mut Batch, extra: &[Node]) -> Result<(), ProofError> {
    let Some(last) = batch.roots.last() else {
        return if extra.is_empty() { Ok(()) } else { Err(ProofError::ExtraNodes) };
    };
    let mut cursor = Cursor::new(last.index);
    let mut extra = extra.iter().peekable();
    while extra.peek().is_some_and(|node| node.index == cursor.sibling()) {
        if let Some(node) = extra.next() {
            append(batch, Top { node: *node, claimed: true }, &mut cursor)?;
        }
    }
    for node in extra {
        while node.index != cursor.index() {
            let expected = cursor.index();
            cursor.left_child().ok_or(ProofError::WrongNode { expected, got: node.index })?;
        }
        append(batch, Top { node: *node, claimed: true }, &mut cursor)?;
        cursor.sibling();
    }
    Ok(())
}

fn append(batch: &mut Batch, top: Top, cursor: &mut Cursor) -> Result<(), ProofError> {
    let Top { node, claimed } = top;
    batch.append_root(node, claimed, cursor).ok_or(ProofError::Impossible { index: node.index })
}
