//! What can be wrong with trees, requests and proofs. Errors name the node or the field.

use hc_crypto::VerifyError;
use thiserror::Error;

use crate::flat;

/// Nodes that are not the roots of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HeadError {
    /// They leave gaps or are out of order.
    #[error("these nodes are not the roots of a log")]
    NotRoots,
    /// More blocks than any log has.
    #[error("a log of {length} blocks is too long")]
    TooLong {
        /// The number of blocks.
        length: u64,
    },
    /// More bytes than can be counted.
    #[error("the sizes of the roots add up to more than 2^64 bytes")]
    Bytes,
}

/// A node that is needed and not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("tree node {index} is not stored")]
pub struct MissingNode {
    /// The node.
    pub index: u64,
}

impl MissingNode {
    /// The blocks below the node: the first, and one past the last.
    #[must_use]
    pub const fn blocks(&self) -> (u64, u64) {
        (flat::left_span(self.index) / 2, flat::right_span(self.index) / 2 + 1)
    }
}

/// A request that no proof can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Beyond the end of the log, or of the upgrade it came with.
    #[error("node {index} is not below length {length}")]
    OutOfBounds {
        /// The node.
        index: u64,
        /// The length in blocks.
        length: u64,
    },
    /// An upgrade to nothing, or beyond the log.
    #[error("no upgrade from {start} by {length} blocks in a log of {available}")]
    Upgrade {
        /// Blocks that the peer has.
        start: u64,
        /// Blocks that it wants on top.
        length: u64,
        /// Blocks that there are.
        available: u64,
    },
    /// The peer says that it has a node that does not exist.
    #[error("{nodes} nodes above node {index} reach beyond the log")]
    Nodes {
        /// The node.
        index: u64,
        /// How many it lacks above it.
        nodes: u64,
    },
    /// A seek beside a block that lies in the upgrade.
    #[error("a seek cannot be combined with a block above the upgrade's start")]
    SeekAndUpgrade,
    /// The byte is not below the node that was asked for.
    #[error("byte {bytes} is not below the requested node")]
    Seek {
        /// The byte offset.
        bytes: u64,
    },
    /// Asks for nothing.
    #[error("the request asks for nothing")]
    Empty,
    /// A node that the answer needs is not stored.
    #[error(transparent)]
    Missing(#[from] MissingNode),
}

/// A proof that does not hold. Nothing of it may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProofError {
    /// Of another fork.
    #[error("the proof is of fork {theirs}, this log is on fork {ours}")]
    Fork {
        /// Ours.
        ours: u64,
        /// The proof's.
        theirs: u64,
    },
    /// Of another log.
    #[error("the proof is of another log")]
    OtherLog,
    /// Proves nothing.
    #[error("the proof is empty")]
    Empty,
    /// Another node than the one that belongs here.
    #[error("expected node {expected}, got node {got}")]
    WrongNode {
        /// The node that belongs here.
        expected: u64,
        /// The node that came.
        got: u64,
    },
    /// Too few nodes.
    #[error("expected node {expected}, got no more nodes")]
    NodeMissing {
        /// The node that belongs here.
        expected: u64,
    },
    /// More nodes than belong here.
    #[error("more nodes than the proof needs")]
    ExtraNodes,
    /// A list that is longer than any honest one.
    #[error("{count} nodes in one list")]
    TooManyNodes {
        /// Its length.
        count: usize,
    },
    /// Indices or sizes that no tree has.
    #[error("the proof describes a tree that cannot be, at node {index}")]
    Impossible {
        /// Where.
        index: u64,
    },
    /// The upgrade does not make the log longer than it is.
    #[error("the upgrade leads to length {length}, the log has {ours}")]
    NotLonger {
        /// Where it leads.
        length: u64,
        /// The local length.
        ours: u64,
    },
    /// Roots that are not those of the stored head.
    #[error("the roots are not those of the stored head")]
    Roots,
    /// The hash does not lead to the stored node.
    #[error("the hash at node {index} is not the stored one")]
    HashMismatch {
        /// The node.
        index: u64,
    },
    /// The node that the proof builds on is not stored here (any more).
    #[error("the proof builds on node {index}, which is not stored here")]
    Unanchored {
        /// The node.
        index: u64,
    },
    /// No manifest came with the first upgrade of a log of which only the key is known.
    #[error("the log's manifest is not known")]
    NoManifest,
    /// The head is not signed as the manifest demands.
    #[error("the head is not signed: {0}")]
    Signature(#[from] VerifyError),
}
