//! One change of one core, collected into a batch.
//!
//! Tree nodes, blocks and heads of a core come only from a change that its signers signed, from a verified proof, or from one
//! that gave back what was lost; those of a named session from a draft.
//!
//! What could not be read again refuses the whole change when it is committed.

use bytes::Bytes;
use compact_encoding::Encode;
use hc_crypto::Key as CoreKey;
use hc_tree::{Draft, Node, Recovered, Reorged, SignedChange, TreeChange, TreeHead, Verified, removed_nodes};

use crate::core_storage::CorePointers;
use crate::error::StorageError;
use crate::keys::{self, Key};
use crate::kv::WriteBatch;
use crate::readable;
use crate::records::{Auth, Dependency, GroupRecord, HeadRecord, Hints};

/// A change of a core that is not yet written.
#[derive(Debug)]
pub struct CoreWrite {
    pointers: CorePointers,
    batch: WriteBatch,
    /// Why the change cannot be written.
    refused: Option<StorageError>,
}

impl CoreWrite {
    pub(crate) fn new(pointers: CorePointers) -> Self {
        Self { pointers, batch: WriteBatch::new(), refused: None }
    }

    /// The change as a batch.
    ///
    /// # Errors
    /// [`StorageError::Unwritable`].
    pub(crate) fn into_batch(self) -> Result<WriteBatch, StorageError> {
        self.refused.map_or(Ok(self.batch), Err)
    }

    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty() && self.refused.is_none()
    }

    /// A change that was signed here: what goes, new nodes, blocks behind those that stay, and the head. `timestamp` is in
    /// milliseconds since 1970.
    pub fn change(&mut self, signed: &SignedChange, blocks: &[Bytes], timestamp: u64) {
        self.tree_change(signed.change(), signed.signature(), blocks, timestamp);
    }

    /// The log of another fork, which a peer proved: what goes, new nodes, and the head.
    pub fn reorg(&mut self, reorged: &Reorged, timestamp: u64) {
        self.tree_change(reorged.change(), reorged.signature(), &[], timestamp);
    }

    /// As [`change`](Self::change), for a named session.
    pub fn draft(&mut self, draft: &Draft, blocks: &[Bytes], timestamp: u64) {
        self.tree_change(draft.change(), draft.signature(), blocks, timestamp);
    }

    fn tree_change(&mut self, change: &TreeChange, signature: &[u8], blocks: &[Bytes], timestamp: u64) {
        self.cut(change.ancestors(), change.before());
        self.nodes(change.nodes());
        self.head(change.head(), signature, timestamp);
        for (index, block) in (change.ancestors()..).zip(blocks) {
            self.block(index, block);
        }
    }

    /// Takes away the end of a log that had more blocks before: the blocks, and the nodes that cover one of them.
    pub fn cut(&mut self, length: u64, before: u64) {
        let Some(removed) = removed_nodes(length, before) else { return };
        let data = self.pointers.data;
        self.delete_blocks(length, before);
        let (start, end) = removed.range;
        self.batch.delete_range(keys::tree_node(data, start), keys::tree_node(data, end));
        self.delete_nodes(&removed.across);
    }

    /// Takes blocks away.
    pub fn delete_blocks(&mut self, start: u64, end: u64) {
        let data = self.pointers.data;
        if end.checked_sub(start) == Some(1) {
            self.batch.delete(keys::block(data, start));
        } else {
            self.batch.delete_range(keys::block(data, start), keys::block(data, end));
        }
    }

    /// Takes tree nodes away.
    pub fn delete_nodes(&mut self, nodes: &[u64]) {
        for node in nodes {
            self.batch.delete(keys::tree_node(self.pointers.data, *node));
        }
    }

    /// What a peer proved: nodes, a block and a head, as far as they came. `timestamp` is in milliseconds since 1970.
    /// Proofs repeat nodes; `is_new` says of each node's index whether it has to be written.
    pub fn apply(&mut self, verified: &Verified, timestamp: u64, mut is_new: impl FnMut(u64) -> bool) {
        for node in verified.nodes().iter().filter(|node| is_new(node.index)) {
            self.node(node);
        }
        if let Some((index, block)) = verified.block() {
            self.block(index, block);
        }
        if let Some((head, signature)) = verified.upgrade() {
            self.head(head, signature, timestamp);
        }
    }

    /// Roots that were lost and are known again.
    pub fn recover(&mut self, recovered: &Recovered) {
        self.nodes(recovered.nodes());
    }

    /// A page of the bitfield.
    pub fn bitfield_page(&mut self, page: u64, bytes: &Bytes) {
        self.put_if(
            readable::page(page, bytes),
            keys::bitfield_page(self.pointers.data, page),
            bytes.clone(),
        );
    }

    /// The hints.
    pub fn hints(&mut self, hints: &Hints) {
        self.record(keys::hints(self.pointers.data), hints);
    }

    /// Who may sign the core, and with what.
    pub fn auth(&mut self, auth: &Auth) {
        self.record(keys::auth(self.pointers.core), auth);
    }

    /// A record of the application's; none deletes it.
    pub fn user_data(&mut self, name: &str, value: Option<&[u8]>) {
        let key = keys::user_data(self.pointers.data, name);
        match value {
            Some(value) => self.batch.put(key, Bytes::copy_from_slice(value)),
            None => self.batch.delete(key),
        }
    }

    /// A local record; none deletes it.
    pub fn local(&mut self, name: &[u8], value: Option<&[u8]>) {
        let key = keys::local(self.pointers.data, name);
        match value {
            Some(value) => self.batch.put(key, Bytes::copy_from_slice(value)),
            None => self.batch.delete(key),
        }
    }

    /// What the log continues.
    pub fn dependency(&mut self, dependency: Dependency) {
        self.record(keys::dependency(self.pointers.data), &dependency);
    }

    /// The core's group.
    pub fn group(&mut self, group: &GroupRecord) {
        self.record(keys::group(self.pointers.core), group);
    }

    /// Moves the core to the newest place of its group. Times are in milliseconds since 1970.
    pub fn group_update(&mut self, group: u64, before: u64, now: u64, key: &CoreKey) {
        self.batch.delete(keys::group_update(group, before, self.pointers.core));
        self.record(keys::group_update(group, now, self.pointers.core), key);
    }

    /// A page of marks.
    pub fn mark_page(&mut self, page: u64, bytes: &Bytes) {
        self.put_if(readable::page(page, bytes), keys::mark(self.pointers.data, page), bytes.clone());
    }

    /// Takes all marks away.
    pub fn clear_marks(&mut self) {
        let (start, end) = keys::marks(self.pointers.data);
        self.batch.delete_range(start, end);
    }

    /// Drops all own data of a named session, which then is what it continues, up to the length of this head.
    pub fn catch_up(&mut self, head: &TreeHead, dependency: Dependency, timestamp: u64) {
        self.drop_data();
        self.head(head, &[], timestamp);
        self.dependency(dependency);
    }

    /// Takes over the blocks that a named session has behind a length: the nodes and blocks that it read of them. `beyond` are
    /// nodes of the session's tree that nothing in the log leads to yet, and that upstream takes along.
    pub fn commit(
        &mut self,
        signed: &SignedChange,
        beyond: &[Node],
        blocks: &[(u64, Bytes)],
        timestamp: u64,
    ) {
        let nodes = [signed.change().nodes(), beyond].concat();
        self.nodes(&nodes);
        self.head(signed.change().head(), signed.signature(), timestamp);
        for (index, block) in blocks {
            self.block(*index, block);
        }
    }

    /// Adds what changes in another core or named session of the store, to be written in the same batch.
    pub fn join(&mut self, other: Self) {
        self.batch.extend(other.batch.into_ops());
        self.refused = self.refused.take().or(other.refused);
    }

    fn drop_data(&mut self) {
        let data = self.pointers.data;
        for (start, end) in [keys::blocks(data), keys::tree_nodes(data), keys::bitfield_pages(data)] {
            self.batch.delete_range(start, end);
        }
    }

    /// Begins a log without blocks on a fork, unsigned: there is nothing in it to be signed.
    pub fn begin(&mut self, fork: u64, timestamp: u64) {
        self.head(&TreeHead::empty(fork), &[], timestamp);
    }

    /// Forgets the log: blocks, tree, bitfield, head, hints. Who may sign it stays.
    pub fn reset(&mut self) {
        let data = self.pointers.data;
        self.drop_data();
        self.batch.delete(keys::head(data));
        self.batch.delete(keys::hints(data));
    }

    fn nodes(&mut self, nodes: &[Node]) {
        // in the order of their keys: an engine finds the place of what comes next beside that of what came before
        let mut nodes: Vec<&Node> = nodes.iter().collect();
        nodes.sort_by_key(|node| node.index);
        for node in nodes {
            self.node(node);
        }
    }

    fn node(&mut self, node: &Node) {
        let checked = readable::numbers("a tree node", &[node.index, node.size]);
        self.put_if(checked, keys::tree_node(self.pointers.data, node.index), node.to_vec().into());
    }

    fn block(&mut self, index: u64, block: &Bytes) {
        let checked = readable::numbers("a block", &[index]);
        self.put_if(checked, keys::block(self.pointers.data, index), block.clone());
    }

    fn head(&mut self, head: &TreeHead, signature: &[u8], timestamp: u64) {
        let record = HeadRecord {
            fork: head.fork(),
            length: head.length(),
            root_hash: head.hash(),
            // stored, an empty one is none
            signature: (!signature.is_empty()).then(|| signature.to_vec()),
            timestamp,
        };
        self.record(keys::head(self.pointers.data), &record);
    }

    fn record(&mut self, key: Key, record: &impl Encode) {
        let put = readable::put(&mut self.batch, key, record);
        self.refused = self.refused.take().or_else(|| put.err());
    }

    fn put_if(&mut self, checked: Result<(), StorageError>, key: Key, value: Bytes) {
        match checked {
            Ok(()) => self.batch.put(key, value),
            Err(refused) => self.refused = self.refused.take().or(Some(refused)),
        }
    }
}
