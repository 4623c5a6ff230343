//! What a peer asks for, and what it gets.

use bytes::Bytes;
use hc_crypto::Manifest;

use crate::node::Node;

/// What a peer asks to have proven. All parts are answered by one [`Proof`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProofRequest {
    /// A block.
    pub block: Option<BlockRequest>,
    /// An inner node. Ignored beside a block.
    pub hash: Option<HashRequest>,
    /// The block at a byte offset.
    pub seek: Option<SeekRequest>,
    /// A longer log.
    pub upgrade: Option<UpgradeRequest>,
}

impl ProofRequest {
    /// The request as it is answered of a log that begins with a prologue of so many blocks: who has not all of that gets it
    /// first, whole, and what the log has beyond it as additional nodes.
    #[must_use]
    pub fn with_prologue(self, length: u64) -> Self {
        let upgrade = self.upgrade.map(|asked| match asked {
            inside if inside.start < length => UpgradeRequest { start: 0, length },
            beyond => beyond,
        });
        Self { upgrade, ..self }
    }
}

/// Asks for a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockRequest {
    /// The block.
    pub index: u64,
    /// How many nodes above it the asking peer lacks.
    pub nodes: u64,
}

/// Asks for an inner node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashRequest {
    /// The node.
    pub index: u64,
    /// How many nodes above it the asking peer lacks.
    pub nodes: u64,
}

/// Asks for the block that holds a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeekRequest {
    /// The byte, counted without padding.
    pub bytes: u64,
    /// Bytes of each block that do not count.
    pub padding: u64,
}

/// Asks for a longer log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpgradeRequest {
    /// Blocks that the asking peer knows of.
    pub start: u64,
    /// Blocks that it wants to know of on top of these.
    pub length: u64,
}

/// Nodes, blocks and a signature that prove what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proof {
    /// The fork that all of it belongs to.
    pub fork: u64,
    /// A block and the way up from it.
    pub block: Option<BlockProof>,
    /// An inner node and the way up from it.
    pub hash: Option<HashProof>,
    /// The way down to a byte.
    pub seek: Option<SeekProof>,
    /// A longer log.
    pub upgrade: Option<UpgradeProof>,
    /// Who may sign the log.
    pub manifest: Option<Manifest>,
}

/// A block and the way up from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockProof {
    /// The block.
    pub index: u64,
    /// Its bytes.
    pub value: Bytes,
    /// The siblings on the way up.
    pub nodes: Vec<Node>,
}

/// An inner node and the way up from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashProof {
    /// The node.
    pub index: u64,
    /// The node itself, then the siblings on the way up.
    pub nodes: Vec<Node>,
}

/// The way down to a byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeekProof {
    /// The byte that was asked for.
    pub bytes: u64,
    /// The node that holds it, then the siblings on the way up.
    pub nodes: Vec<Node>,
}

/// A longer log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpgradeProof {
    /// Blocks that the asking peer knew of.
    pub start: u64,
    /// Blocks on top of these that were asked for.
    pub length: u64,
    /// The nodes between the two.
    pub nodes: Vec<Node>,
    /// The nodes from there to the head that is signed, where that is longer still.
    pub additional_nodes: Vec<Node>,
    /// The signature of the head.
    pub signature: Vec<u8>,
}
