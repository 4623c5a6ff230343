//! Which tree nodes of a copy are stored, in memory.
//!
//! A proof repeats nodes that earlier ones brought, and each request has to say which nodes it lacks. A copy that this process
//! has made from its first block on knows both without the disk; any other asks the disk.

use hc_tree::bitfield::BitChange;
use hc_tree::{LocalBitfield, Node, NodeReader};

use super::Core;
use crate::Result;

#[derive(Clone)]
/// All tree nodes that are stored, or no knowledge of them.
pub(super) struct KnownNodes(Option<LocalBitfield>);

impl KnownNodes {
    /// Of a core without blocks, which has no nodes either.
    pub(super) fn none_stored() -> Self {
        Self(Some(LocalBitfield::new()))
    }

    pub(super) const fn unknown() -> Self {
        Self(None)
    }

    /// Whether the node is stored, if that is known.
    pub(super) fn has(&self, index: u64) -> Option<bool> {
        self.0.as_ref().map(|known| known.get(index))
    }

    pub(super) fn add(&mut self, nodes: &[u64]) {
        if let Some(known) = &mut self.0 {
            for index in nodes {
                known.apply(BitChange { start: *index, end: index.saturating_add(1), set: true });
            }
        }
    }
}

/// The stored nodes of a core, with the disk asked only where memory does not know.
pub(super) struct StoredNodes<'a>(pub(super) &'a Core);

impl NodeReader for StoredNodes<'_> {
    type Error = crate::Error;

    fn node(&self, index: u64) -> Result<Option<Node>> {
        Ok(self.0.0.disk.tree_node(index)?)
    }

    fn has_node(&self, index: u64) -> Result<bool> {
        let known = self.0.0.state.read().known_nodes().has(index);
        match known {
            Some(known) => Ok(known),
            None => Ok(self.node(index)?.is_some()),
        }
    }
}
