//! Changing a log: blocks become nodes and a new head, and a key pair signs it.

use hc_crypto::{Hash, KeyPair, SignError, Verifier, VerifyError, hash};

use crate::error::MissingNode;
use crate::flat::{self, Cursor};
use crate::head::TreeHead;
use crate::limits::MAX_BYTES;
use crate::node::Node;
use crate::reader::NodeReader;

/// Appends to a tree, in memory.
#[derive(Debug, Clone)]
pub struct Batch {
    fork: u64,
    ancestors: u64,
    pub(crate) length: u64,
    pub(crate) byte_length: u64,
    pub(crate) roots: Vec<Node>,
    nodes: Vec<Node>,
    /// Bit *n*: the size of root *n* is what a peer says; only the hash of the head covers it.
    claimed: u64,
    /// Nodes whose sizes not even that hash covers, see [`unfixed`](Self::unfixed).
    unfixed: Vec<u64>,
}

impl Batch {
    /// Starts at a head.
    #[must_use]
    pub fn new(head: &TreeHead) -> Self {
        Self {
            fork: head.fork(),
            ancestors: head.length(),
            length: head.length(),
            byte_length: head.byte_length(),
            roots: head.roots().to_vec(),
            nodes: Vec::new(),
            claimed: 0,
            unfixed: Vec::new(),
        }
    }

    /// Appends a block.
    pub fn append(&mut self, block: &[u8]) {
        self.append_leaf(Node::of_block(self.length, block));
    }

    /// Appends blocks: what [`append`](Self::append) of each does, but quicker.
    pub fn append_all<B: AsRef<[u8]>>(&mut self, blocks: &[B]) {
        self.nodes.reserve(blocks.len().saturating_mul(2));
        for (block, hash) in blocks.iter().zip(hash::leaves(blocks)) {
            let size = u64::try_from(block.as_ref().len()).unwrap_or(u64::MAX);
            self.append_leaf(Node { index: self.length.saturating_mul(2), size, hash });
        }
    }

    /// Appends a block by its node, which must be the next one: of a block that was hashed here before.
    pub fn append_leaf(&mut self, node: Node) {
        debug_assert_eq!(node.index, self.length.saturating_mul(2), "the next block's node");
        // a log that exists is far from the sizes at which this could fail
        let _ = self.append_root(node, false, &mut Cursor::new(node.index));
    }

    /// Appends a full tree by its top, at which the cursor stands, and merges it with those to its left. `claimed` says that
    /// its size is only what a peer says. `None` if no such tree can be; the batch is then useless.
    pub(crate) fn append_root(&mut self, node: Node, claimed: bool, cursor: &mut Cursor) -> Option<()> {
        self.length = self.length.checked_add(cursor.blocks())?;
        self.byte_length = self.byte_length.checked_add(node.size).filter(|bytes| *bytes <= MAX_BYTES)?;
        self.set_claimed(self.roots.len(), claimed)?;
        self.roots.push(node);
        self.nodes.push(node);
        while let [.., left, right] = self.roots.as_slice() {
            if cursor.sibling() != left.index {
                cursor.sibling();
                break;
            }
            let parent = Node::parent(cursor.parent()?, left, right)?;
            let place = self.roots.len() - 2;
            if self.claimed >> place == 0b11 {
                self.unfixed.extend([left.index, right.index]);
            }
            self.set_claimed(place + 1, false)?;
            self.set_claimed(place, false)?;
            self.nodes.push(parent);
            self.roots.pop();
            self.roots.pop();
            self.roots.push(parent);
        }
        Some(())
    }

    fn set_claimed(&mut self, place: usize, claimed: bool) -> Option<()> {
        let bit = 1_u64.checked_shl(u32::try_from(place).ok()?)?;
        self.claimed = if claimed { self.claimed | bit } else { self.claimed & !bit };
        Some(())
    }

    /// Nodes whose sizes nothing covers: both of a pair are what a peer says, and the hash above covers only their sum.
    pub(crate) fn unfixed(&self) -> &[u64] {
        &self.unfixed
    }

    /// The hash of the log as it is so far.
    #[must_use]
    pub fn hash(&self) -> Hash {
        hash::tree(self.roots.iter().map(|root| (root.index, root.size, &root.hash)))
    }

    /// Goes back to a shorter length. What lies beyond is forgotten; roots that this batch did not make come from the reader.
    ///
    /// # Errors
    /// What the reader returns, and [`MissingNode`] if a root is nowhere; the batch is as it was then.
    pub fn checkout<R: NodeReader>(&mut self, length: u64, reader: &R) -> Result<(), R::Error>
    where
        R::Error: From<MissingNode>,
    {
        let mut roots = Vec::new();
        for index in flat::full_roots(length) {
            let own = self.roots.iter().chain(&self.nodes).find(|node| node.index == index).copied();
            let root = match own {
                Some(own) => Some(own),
                None if flat::right_span(index) / 2 < self.ancestors => reader.node(index)?,
                None => None,
            };
            roots.push(root.ok_or(MissingNode { index })?);
        }
        self.byte_length = roots.iter().fold(0, |sum, root| sum.saturating_add(root.size));
        self.roots = roots;
        self.length = length;
        self.ancestors = self.ancestors.min(length);
        self.nodes.retain(|node| flat::right_span(node.index) / 2 < length);
        Ok(())
    }

    /// What was appended, as a change of the tree.
    #[must_use]
    pub fn finish(self) -> TreeChange {
        let head = TreeHead::merged(self.fork, self.length, self.byte_length, self.roots);
        TreeChange { before: self.ancestors, ancestors: self.ancestors, head, nodes: self.nodes }
    }
}

/// A log that is about to change: its new head, the nodes that are new, and how much of the log stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeChange {
    before: u64,
    ancestors: u64,
    head: TreeHead,
    nodes: Vec<Node>,
}

impl TreeChange {
    /// A change that leaves the first blocks of a log and takes the rest away.
    pub(crate) const fn truncation(before: u64, head: TreeHead) -> Self {
        Self { before, ancestors: head.length(), head, nodes: Vec::new() }
    }

    /// A change to another fork, which has the first blocks of this log.
    pub(crate) const fn reorg(before: u64, ancestors: u64, head: TreeHead, nodes: Vec<Node>) -> Self {
        Self { before, ancestors, head, nodes }
    }

    /// Blocks that there were before.
    #[must_use]
    pub const fn before(&self) -> u64 {
        self.before
    }

    /// Blocks that stay as they are: the change begins behind them.
    #[must_use]
    pub const fn ancestors(&self) -> u64 {
        self.ancestors
    }

    /// The new head.
    #[must_use]
    pub const fn head(&self) -> &TreeHead {
        &self.head
    }

    /// The new nodes.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(crate) fn into_head(self) -> TreeHead {
        self.head
    }

    /// Takes a signature of the new head that was made elsewhere, such as that of a quorum.
    ///
    /// # Errors
    /// If the log's signers did not sign this head with it.
    pub fn signed_with(self, verifier: &Verifier, signature: Vec<u8>) -> Result<SignedChange, VerifyError> {
        verifier.verify_head(&self.head, &signature)?;
        Ok(SignedChange { change: self, signature })
    }

    /// Leaves the new head unsigned: a change of a named session, which is no peer's business until it is committed.
    /// `kept` is what the session's head had for a signature; it is stored on, as upstream does, and proves nothing.
    #[must_use]
    pub const fn draft(self, kept: Vec<u8>) -> Draft {
        Draft { change: self, signature: kept }
    }

    /// Signs the new head.
    ///
    /// # Errors
    /// If the key pair alone cannot sign this log.
    pub fn sign(self, verifier: &Verifier, pair: &KeyPair) -> Result<SignedChange, SignError> {
        let signature = verifier.sign(pair, &self.head.hash(), self.head.length(), self.head.fork())?;
        Ok(SignedChange { change: self, signature })
    }
}

/// A change that the local key pair signed: it may be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedChange {
    change: TreeChange,
    signature: Vec<u8>,
}

impl SignedChange {
    /// The change.
    #[must_use]
    pub const fn change(&self) -> &TreeChange {
        &self.change
    }

    /// The signature of its head, as it is stored.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The new head and its signature.
    #[must_use]
    pub fn into_head(self) -> (TreeHead, Vec<u8>) {
        (self.change.head, self.signature)
    }
}

/// A change of a named session: not signed, and so to be written only where no peer looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    change: TreeChange,
    signature: Vec<u8>,
}

impl Draft {
    /// The change.
    #[must_use]
    pub const fn change(&self) -> &TreeChange {
        &self.change
    }

    /// What is stored in the place of a signature.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The new head, and what is stored in the place of a signature.
    #[must_use]
    pub fn into_head(self) -> (TreeHead, Vec<u8>) {
        (self.change.head, self.signature)
    }
}
