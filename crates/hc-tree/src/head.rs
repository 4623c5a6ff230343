//! The head of a log: its roots, and so its length and its hash.

use std::sync::OnceLock;

use hc_crypto::{Hash, hash};

use crate::error::HeadError;
use crate::flat;
use crate::limits::MAX_LENGTH;
use crate::node::Node;

/// The roots of a log on one fork.
#[derive(Debug, Clone, Default)]
pub struct TreeHead {
    fork: u64,
    length: u64,
    byte_length: u64,
    roots: Vec<Node>,
    /// The hash of the roots, once it was asked for: a head is first signed and then stored with it.
    hash: OnceLock<Hash>,
}

impl PartialEq for TreeHead {
    fn eq(&self, other: &Self) -> bool {
        // whether the hash was asked for is no difference
        let numbers = |head: &Self| (head.fork, head.length, head.byte_length);
        numbers(self) == numbers(other) && self.roots == other.roots
    }
}

impl Eq for TreeHead {}

impl TreeHead {
    /// The head of a log without blocks.
    #[must_use]
    pub const fn empty(fork: u64) -> Self {
        Self { fork, length: 0, byte_length: 0, roots: Vec::new(), hash: OnceLock::new() }
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
        Ok(Self {
            fork,
            length,
            byte_length: byte_length.ok_or(HeadError::Bytes)?,
            roots,
            hash: OnceLock::new(),
        })
    }

    /// The head of roots that were merged by the rules of the tree.
    pub(crate) const fn merged(fork: u64, length: u64, byte_length: u64, roots: Vec<Node>) -> Self {
        Self { fork, length, byte_length, roots, hash: OnceLock::new() }
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
        *self
            .hash
            .get_or_init(|| hash::tree(self.roots.iter().map(|root| (root.index, root.size, &root.hash))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_the_same_before_and_after_its_hash_was_asked_for() {
        let fresh = TreeHead::from_roots(3, vec![Node::of_block(0, b"block")]).unwrap();
        let asked = fresh.clone();
        let hash = asked.hash();
        assert_eq!(fresh, asked);
        assert_eq!([fresh.hash(), asked.clone().hash(), asked.hash()], [hash; 3]);
        assert_ne!(TreeHead::from_roots(4, asked.roots().to_vec()).unwrap(), asked);
    }
}
