//! The head of a log: its roots, and so its length and its hash.

use hc_crypto::{Hash, hash};

use crate::error::HeadError;
use crate::flat;
use crate::limits::MAX_LENGTH;
use crate::node::Node;

/// The roots of a log on one fork.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TreeHead {
    fork: u64,
    length: u64,
    byte_length: u64,
    roots: Vec<Node>,
}

impl TreeHead {
    /// The head of a log without blocks.
    #[must_use]
    pub const fn empty(fork: u64) -> Self {
        Self { fork, length: 0, byte_length: 0, roots: Vec::new() }
    }

    /// The head with these roots, from left to right.
    ///
    /// # Errors
    /// If these are not the roots of a log.
    pub fn from_roots(fork: u64, roots: Vec<Node>) -> Result<Self, HeadError> {
        let length = flat::length_of(roots.iter().map(|root| root.index)).ok_or(HeadError::NotRoots)?;
        if length >= MAX_LENGTH {
            return Err(HeadError::TooLong { length });
        }
        let byte_length = roots.iter().try_fold(0_u64, |sum, root| sum.checked_add(root.size));
        Ok(Self { fork, length, byte_length: byte_length.ok_or(HeadError::Bytes)?, roots })
    }

    /// The head of roots that were merged by the rules of the tree.
    pub(crate) const fn merged(fork: u64, length: u64, byte_length: u64, roots: Vec<Node>) -> Self {
        Self { fork, length, byte_length, roots }
    }

    /// How often the log was truncated.
    #[must_use]
    pub const fn fork(&self) -> u64 {
        self.fork
    }

    /// Blocks in the log.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// Bytes of all blocks.
    #[must_use]
    pub const fn byte_length(&self) -> u64 {
        self.byte_length
    }

    /// The roots, from left to right.
    #[must_use]
    pub fn roots(&self) -> &[Node] {
        &self.roots
    }

    /// The hash of the whole log: what is signed, with length and fork.
    #[must_use]
    pub fn hash(&self) -> Hash {
        hash::tree(self.roots.iter().map(|root| (root.index, root.size, &root.hash)))
    }
}
