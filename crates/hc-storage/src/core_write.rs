//! One change of one core, collected into a batch.
//!
//! Tree nodes, blocks and heads come only from a change that the local key pair signed, or from a verified proof.

use bytes::Bytes;
use compact_encoding::Encode;
use hc_tree::bitfield::PAGE_BYTES;
use hc_tree::{Node, SignedChange, TreeHead, Verified};

use crate::core_storage::CorePointers;
use crate::keys;
use crate::kv::WriteBatch;
use crate::records::{Auth, HeadRecord, Hints};

/// A change of a core that is not yet written.
#[derive(Debug)]
pub struct CoreWrite {
    pointers: CorePointers,
    batch: WriteBatch,
}

impl CoreWrite {
    pub(crate) fn new(pointers: CorePointers) -> Self {
        Self { pointers, batch: WriteBatch::new() }
    }

    pub(crate) fn into_batch(self) -> WriteBatch {
        self.batch
    }

    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// Blocks that were appended here: nodes, blocks and head. `timestamp` is in milliseconds since 1970.
    pub fn append(&mut self, signed: &SignedChange, blocks: &[Bytes], timestamp: u64) {
        let change = signed.change();
        self.nodes(change.nodes());
        self.head(change.head(), signed.signature(), timestamp);
        for (index, block) in (change.ancestors()..).zip(blocks) {
            self.batch.put(keys::block(self.pointers.data, index), block.clone());
        }
    }

    /// What a peer proved: nodes, a block and a head, as far as they came. `timestamp` is in milliseconds since 1970.
    /// Proofs repeat nodes; `is_new` says of each node's index whether it has to be written.
    pub fn apply(&mut self, verified: &Verified, timestamp: u64, mut is_new: impl FnMut(u64) -> bool) {
        for node in verified.nodes().iter().filter(|node| is_new(node.index)) {
            self.node(node);
        }
        if let Some((index, block)) = verified.block() {
            self.batch.put(keys::block(self.pointers.data, index), block.clone());
        }
        if let Some((head, signature)) = verified.upgrade() {
            self.head(head, signature, timestamp);
        }
    }

    /// A page of the bitfield.
    pub fn bitfield_page(&mut self, page: u64, bytes: &[u8; PAGE_BYTES]) {
        self.batch.put(keys::bitfield_page(self.pointers.data, page), Bytes::copy_from_slice(bytes));
    }

    /// The hints.
    pub fn hints(&mut self, hints: &Hints) {
        self.batch.put(keys::hints(self.pointers.data), hints.to_vec());
    }

    /// Who may sign the core, and with what.
    pub fn auth(&mut self, auth: &Auth) {
        self.batch.put(keys::auth(self.pointers.core), auth.to_vec());
    }

    /// A record of the application's; none deletes it.
    pub fn user_data(&mut self, name: &str, value: Option<&[u8]>) {
        let key = keys::user_data(self.pointers.data, name);
        match value {
            Some(value) => self.batch.put(key, Bytes::copy_from_slice(value)),
            None => self.batch.delete(key),
        }
    }

    /// Forgets the log: blocks, tree, bitfield, head, hints. Who may sign it stays.
    pub fn reset(&mut self) {
        let data = self.pointers.data;
        for (start, end) in [keys::blocks(data), keys::tree_nodes(data), keys::bitfield_pages(data)] {
            self.batch.delete_range(start, end);
        }
        self.batch.delete(keys::head(data));
        self.batch.delete(keys::hints(data));
    }

    fn nodes(&mut self, nodes: &[Node]) {
        for node in nodes {
            self.node(node);
        }
    }

    fn node(&mut self, node: &Node) {
        self.batch.put(keys::tree_node(self.pointers.data, node.index), node.to_vec());
    }

    fn head(&mut self, head: &TreeHead, signature: &[u8], timestamp: u64) {
        let record = HeadRecord {
            fork: head.fork(),
            length: head.length(),
            root_hash: head.hash(),
            signature: Some(signature.to_vec()),
            timestamp,
        };
        self.batch.put(keys::head(self.pointers.data), record.to_vec());
    }
}
