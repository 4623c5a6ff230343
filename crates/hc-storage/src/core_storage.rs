//! One core as it is stored: typed reads.

use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use compact_encoding::{Decode, DecodeError, MAX_SAFE_UINT};
use hc_crypto::DiscoveryKey;
use hc_tree::bitfield::{PAGE_BITS, PAGE_BYTES};
use hc_tree::{LocalBitfield, MissingNode, Node, NodeReader, TreeHead, flat};

use crate::core_write::CoreWrite;
use crate::error::{StorageError, TreeFault};
use crate::keys::{self, Key};
use crate::kv::Kv;
use crate::records::{Auth, Dependency, HeadRecord, Hints, Sessions};
use crate::store::decode;

type Result<T> = std::result::Result<T, StorageError>;

/// What a core's records are under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CorePointers {
    /// Records of authority.
    pub core: u64,
    /// Head, blocks, tree, bitfield.
    pub data: u64,
}

/// One core of a store.
#[derive(Clone)]
pub struct CoreStorage {
    kv: Arc<dyn Kv>,
    discovery_key: DiscoveryKey,
    pointers: CorePointers,
    /// Where the blocks of the beginning are, if not here; oldest first.
    dependencies: Arc<[Dependency]>,
}

impl CoreStorage {
    pub(crate) fn new(
        kv: Arc<dyn Kv>,
        discovery_key: DiscoveryKey,
        pointers: CorePointers,
        dependencies: Vec<Dependency>,
    ) -> Self {
        Self { kv, discovery_key, pointers, dependencies: dependencies.into() }
    }

    /// What the core's records are under.
    #[must_use]
    pub const fn pointers(&self) -> CorePointers {
        self.pointers
    }

    /// A change of this core, to be committed as one batch.
    #[must_use]
    pub fn write(&self) -> CoreWrite {
        CoreWrite::new(self.pointers)
    }

    /// Writes a change.
    ///
    /// # Errors
    /// As [`Kv::commit`].
    pub fn commit(&self, write: CoreWrite) -> Result<()> {
        let batch = write.into_batch();
        if batch.is_empty() { Ok(()) } else { self.kv.commit(batch) }
    }

    /// Who may sign the core, and with what.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] if there is no such record, or one of another core: every core has one.
    pub fn auth(&self) -> Result<Auth> {
        let key = keys::auth(self.pointers.core);
        let bytes = self.kv.get(&key)?.unwrap_or_default();
        let auth: Auth = decode(&key, &bytes)?;
        if auth.discovery_key == self.discovery_key && auth.key.discovery_key() == self.discovery_key {
            return Ok(auth);
        }
        let reason = DecodeError::Invalid { at: 0, what: "key of a core" };
        Err(StorageError::corrupt(&key, reason))
    }

    /// The head; none before the first block.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`], or if it could not be read.
    pub fn head(&self) -> Result<Option<HeadRecord>> {
        self.record(&keys::head(self.pointers.data))
    }

    /// The hints.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`], or if they could not be read.
    pub fn hints(&self) -> Result<Hints> {
        Ok(self.record(&keys::hints(self.pointers.data))?.unwrap_or_default())
    }

    /// The named sessions.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`], or if they could not be read.
    pub fn sessions(&self) -> Result<Sessions> {
        Ok(self.record(&keys::sessions(self.pointers.core))?.unwrap_or_default())
    }

    /// The tree of a head: its roots, which must have the head's hash.
    ///
    /// # Errors
    /// [`StorageError::Tree`] if they are not there or do not fit.
    pub fn tree_head(&self, head: &HeadRecord) -> Result<TreeHead> {
        let fault = |reason| StorageError::Tree { length: head.length, reason };
        let indices: Vec<u64> = flat::full_roots(head.length).collect();
        let (found, _) = self.tree_nodes_and_block(indices.iter().copied(), None)?;
        let root = |(root, index): (Option<Node>, u64)| {
            root.ok_or_else(|| fault(TreeFault::Missing(MissingNode { index })))
        };
        let roots = found.into_iter().zip(indices).map(root).collect::<Result<Vec<_>>>()?;
        let tree =
            TreeHead::from_roots(head.fork, roots).map_err(|reason| fault(TreeFault::Roots(reason)))?;
        if tree.hash() == head.root_hash { Ok(tree) } else { Err(fault(TreeFault::Hash)) }
    }

    /// A block, if it is stored.
    ///
    /// # Errors
    /// If it could not be read.
    pub fn block(&self, index: u64) -> Result<Option<Bytes>> {
        self.kv.get(&keys::block(self.data_of_block(index), index))
    }

    /// Blocks from `start` on and before `end` that follow each other without a hole, up to `max_bytes` of them (but at
    /// least one, if it is stored).
    ///
    /// # Errors
    /// [`StorageError::Corrupt`], or if they could not be read.
    pub fn blocks(&self, start: u64, end: u64, max_bytes: usize) -> Result<Vec<Bytes>> {
        let data = self.data_of_block(start);
        let end = self.end_of_data(start, end);
        let (mut next, mut bytes, mut failed) = (start, 0_usize, None);
        let mut blocks = Vec::new();
        self.kv.scan(&keys::block(data, start), &keys::block(data, end), &mut |key, value| {
            match keys::parse_block(key) {
                Ok(index) if index == next => {}
                Ok(_) => return ControlFlow::Break(()),
                Err(reason) => {
                    failed = Some(StorageError::corrupt(key, reason));
                    return ControlFlow::Break(());
                }
            }
            next = next.saturating_add(1);
            bytes = bytes.saturating_add(value.len());
            blocks.push(Bytes::copy_from_slice(value));
            if bytes >= max_bytes { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        failed.map_or(Ok(blocks), Err)
    }

    /// A tree node, if it is stored.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`], or if it could not be read.
    pub fn tree_node(&self, index: u64) -> Result<Option<Node>> {
        let key = keys::tree_node(self.data_of_node(index), index);
        node_record(&key, self.kv.get(&key)?, index)
    }

    /// Several tree nodes, in their order, from one moment, and a block with them if one is asked for.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`], or if they could not be read.
    pub fn tree_nodes_and_block(
        &self,
        indices: impl Iterator<Item = u64>,
        block: Option<u64>,
    ) -> Result<(Vec<Option<Node>>, Option<Bytes>)> {
        let indices: Vec<u64> = indices.collect();
        let node_key = |index: &u64| keys::tree_node(self.data_of_node(*index), *index);
        let mut all: Vec<Key> = indices.iter().map(node_key).collect();
        if let Some(block) = block {
            all.push(keys::block(self.data_of_block(block), block));
        }
        let mut values = self.kv.multi_get(&all)?;
        let value = if block.is_some() { values.pop().flatten() } else { None };
        let found =
            all.iter().zip(values).zip(&indices).map(|((key, value), index)| node_record(key, value, *index));
        Ok((found.collect::<Result<_>>()?, value))
    }

    /// Which blocks are stored.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`], or if it could not be read.
    pub fn bitfield(&self) -> Result<LocalBitfield> {
        let (start, end) = keys::bitfield_pages(self.pointers.data);
        let (mut bits, mut failed) = (LocalBitfield::new(), None);
        self.kv.scan(&start, &end, &mut |key, value| match stored_page(key, value) {
            Ok(page) => {
                if let Some(page) = page {
                    bits.load_page(page, value);
                }
                ControlFlow::Continue(())
            }
            Err(reason) => {
                failed = Some(StorageError::corrupt(key, reason));
                ControlFlow::Break(())
            }
        })?;
        failed.map_or(Ok(bits), Err)
    }

    /// A record of the application's.
    ///
    /// # Errors
    /// If it could not be read.
    pub fn user_data(&self, name: &str) -> Result<Option<Bytes>> {
        self.kv.get(&keys::user_data(self.pointers.data, name))
    }

    fn record<T: for<'a> Decode<'a>>(&self, key: &Key) -> Result<Option<T>> {
        self.kv.get(key)?.map(|bytes| decode(key, &bytes)).transpose()
    }

    fn data_of_block(&self, index: u64) -> u64 {
        let older = self.dependencies.iter().find(|dependency| index < dependency.length);
        older.map_or(self.pointers.data, |dependency| dependency.data_pointer)
    }

    /// Where the blocks that are stored with `start` end.
    fn end_of_data(&self, start: u64, end: u64) -> u64 {
        let older = self.dependencies.iter().find(|dependency| start < dependency.length);
        older.map_or(end, |dependency| end.min(dependency.length))
    }

    fn data_of_node(&self, index: u64) -> u64 {
        if self.dependencies.is_empty() {
            return self.pointers.data;
        }
        // no log is so long that this bound is one of its nodes
        let last = flat::right_span(index.min(MAX_SAFE_UINT));
        let older = self.dependencies.iter().find(|dependency| last < dependency.length.saturating_mul(2));
        older.map_or(self.pointers.data, |dependency| dependency.data_pointer)
    }
}

/// Which page of the bitfield this is; none if it is one of another kind of bitfield.
fn stored_page(key: &[u8], value: &[u8]) -> std::result::Result<Option<u64>, DecodeError> {
    let Some(page) = keys::parse_bitfield_page(key)? else { return Ok(None) };
    if page > MAX_SAFE_UINT / PAGE_BITS {
        return Err(DecodeError::Invalid { at: 0, what: "page of a bitfield" });
    }
    if value.len() != PAGE_BYTES {
        return Err(DecodeError::Invalid { at: 0, what: "length of a bitfield's page" });
    }
    Ok(Some(page))
}

fn node_record(key: &[u8], bytes: Option<Bytes>, index: u64) -> Result<Option<Node>> {
    let Some(bytes) = bytes else { return Ok(None) };
    let node: Node = decode(key, &bytes)?;
    if node.index == index {
        return Ok(Some(node));
    }
    let reason = DecodeError::Invalid { at: 0, what: "tree node index" };
    Err(StorageError::corrupt(key, reason))
}

impl NodeReader for CoreStorage {
    type Error = StorageError;

    fn node(&self, index: u64) -> Result<Option<Node>> {
        self.tree_node(index)
    }
}

impl std::fmt::Debug for CoreStorage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CoreStorage").field("pointers", &self.pointers).finish_non_exhaustive()
    }
}
