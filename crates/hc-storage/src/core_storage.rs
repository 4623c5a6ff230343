//! One core as it is stored: typed reads.

use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use compact_encoding::{Decode, DecodeError, MAX_SAFE_UINT};
use hc_crypto::DiscoveryKey;
use hc_tree::bitfield::{PAGE_BITS, PAGE_BYTES};
use hc_tree::{LocalBitfield, MissingNode, Node, NodeReader, TreeHead, flat};
use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::core_write::CoreWrite;
use crate::dependencies::Dependencies;
use crate::error::{StorageError, TreeFault};
use crate::keys::{self, Key};
use crate::kv::Kv;
use crate::records::{Auth, Dependency, GroupRecord, HeadRecord, Hints, Sessions};
use crate::store::{collect, decode};

type Result<T> = std::result::Result<T, StorageError>;

/// What a core's records are under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CorePointers {
    /// Records of authority.
    pub core: u64,
    /// Head, blocks, tree, bitfield.
    pub data: u64,
}

/// Bytes of a core's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Space {
    /// Of its blocks.
    pub blocks: u64,
    /// Of its tree.
    pub tree: u64,
    /// Of its bitfield.
    pub bitfield: u64,
    /// Of everything else: authority, head, hints, user data, marks.
    pub other: u64,
}

/// One core of a store, or a named session of one.
#[derive(Clone)]
pub struct CoreStorage {
    kv: Arc<dyn Kv>,
    discovery_key: DiscoveryKey,
    pointers: CorePointers,
    /// Where the blocks of the beginning are, if not here.
    dependencies: Dependencies,
    purged: Purged,
}

/// Whether everything of a core was taken away. Shared by all that goes back to one opening of it: who still has it can
/// write nothing that nobody would find again.
#[derive(Clone, Default)]
pub(crate) struct Purged(Arc<RwLock<bool>>);

impl Purged {
    /// Keeps the core from being purged for as long as the guard lives.
    pub(crate) fn not_yet(&self) -> Result<RwLockReadGuard<'_, bool>> {
        let purged = self.0.read();
        if *purged { Err(StorageError::Purged) } else { Ok(purged) }
    }

    /// Waits for those who write, and keeps others from it.
    pub(crate) fn begin(&self) -> RwLockWriteGuard<'_, bool> {
        self.0.write()
    }
}

impl CoreStorage {
    pub(crate) fn new(
        kv: Arc<dyn Kv>,
        discovery_key: DiscoveryKey,
        pointers: CorePointers,
        dependencies: Dependencies,
    ) -> Self {
        Self { kv, discovery_key, pointers, dependencies, purged: Purged::default() }
    }

    /// A named session of this core.
    pub(crate) fn session(&self, data: u64, dependencies: Dependencies) -> Self {
        let pointers = CorePointers { data, ..self.pointers };
        Self { pointers, dependencies, ..self.clone() }
    }

    pub(crate) const fn purged(&self) -> &Purged {
        &self.purged
    }

    /// The same core over another engine: a snapshot of the one it is in, or an atom over it.
    #[must_use]
    pub fn over(&self, kv: Arc<dyn Kv>) -> Self {
        Self { kv, ..self.clone() }
    }

    /// The core as it is at this moment. It can be read only.
    ///
    /// # Errors
    /// As [`Kv::snapshot`].
    pub fn snapshot(&self) -> Result<Self> {
        Ok(self.over(self.kv.snapshot()?))
    }

    /// The engine that the core is in.
    #[must_use]
    pub const fn kv(&self) -> &Arc<dyn Kv> {
        &self.kv
    }

    /// The key under which peers look for the core.
    #[must_use]
    pub const fn discovery_key(&self) -> &DiscoveryKey {
        &self.discovery_key
    }

    pub(crate) const fn dependencies(&self) -> &Dependencies {
        &self.dependencies
    }

    /// How many blocks of the log are older data's: what a named session shares with the log it was made from. None if
    /// all of it is its own.
    #[must_use]
    pub fn shared_length(&self) -> Option<u64> {
        self.dependencies.length()
    }

    /// The core after its log is cut to a length; with the record to write, if it cuts into what is shared.
    #[must_use]
    pub fn truncated(&self, length: u64) -> Option<(Self, Dependency)> {
        let (dependencies, record) = self.dependencies.truncated(length)?;
        Some((Self { dependencies, ..self.clone() }, record))
    }

    /// The core after own blocks up to a length became the blocks of the log it was made from; with the record to write.
    #[must_use]
    pub fn given_away(&self, length: u64) -> Option<(Self, Dependency)> {
        let (dependencies, record) = self.dependencies.given_away(length)?;
        Some((Self { dependencies, ..self.clone() }, record))
    }

    /// The core after its own data was dropped for the first blocks of the log it was made from.
    #[must_use]
    pub fn caught_up(&self, data_pointer: u64, length: u64) -> (Self, Dependency) {
        let record = Dependency { data_pointer, length };
        (Self { dependencies: Dependencies::new(vec![record]), ..self.clone() }, record)
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
    /// As [`Kv::commit`]; [`StorageError::Purged`]; [`StorageError::Unwritable`].
    pub fn commit(&self, write: CoreWrite) -> Result<()> {
        let batch = write.into_batch()?;
        let _purging = self.purged.not_yet()?;
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
        // further blocks may be in other data
        let end = self.dependencies.of_block(start).map_or(end, |older| end.min(older.length));
        let (mut next, mut bytes, mut failed) = (start, 0_usize, None);
        let (mut blocks, mut shared) = (Vec::new(), BytesMut::new());
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
            blocks.push(copy_of_many(value, &mut shared));
            if bytes >= max_bytes { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        failed.map_or(Ok(blocks), Err)
    }

    /// How many blocks from `start` on and before `end` follow each other without a hole.
    ///
    /// # Errors
    /// If they could not be read.
    pub(crate) fn run_of_blocks(&self, start: u64, end: u64) -> Result<u64> {
        let data = self.data_of_block(start);
        let mut next = start;
        self.kv.scan(&keys::block(data, start), &keys::block(data, end), &mut |key, _| {
            if keys::parse_block(key) != Ok(next) {
                return ControlFlow::Break(());
            }
            next = next.saturating_add(1);
            ControlFlow::Continue(())
        })?;
        Ok(next.saturating_sub(start))
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

    /// Records of the application's whose names are not before `from`, and before `until` if that is given, in order.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`], or if they could not be read.
    pub fn user_data_range(&self, from: &str, until: Option<&str>) -> Result<Vec<(String, Bytes)>> {
        let data = self.pointers.data;
        let end = until.map_or_else(|| keys::user_data_end(data), |until| keys::user_data(data, until));
        collect(&*self.kv, &keys::user_data(data, from), &end, |key, value| {
            Ok((keys::parse_user_data(key)?, Bytes::copy_from_slice(value)))
        })
    }

    /// A local record.
    ///
    /// # Errors
    /// If it could not be read.
    pub fn local(&self, name: &[u8]) -> Result<Option<Bytes>> {
        self.kv.get(&keys::local(self.pointers.data, name))
    }

    /// The pages of marks, in order: number and bits, as those of a bitfield.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`], or if they could not be read.
    pub fn marks(&self) -> Result<LocalBitfield> {
        let (start, end) = keys::marks(self.pointers.data);
        let pages = collect(&*self.kv, &start, &end, |key, value| {
            if value.len() != PAGE_BYTES {
                return Err(DecodeError::Invalid { at: 0, what: "length of a page of marks" });
            }
            let page = keys::parse_block(key)?;
            if page > MAX_SAFE_UINT / PAGE_BITS {
                return Err(DecodeError::Invalid { at: 0, what: "page of marks" });
            }
            Ok((page, Bytes::copy_from_slice(value)))
        })?;
        let mut bits = LocalBitfield::new();
        for (page, bytes) in pages {
            bits.load_page(page, &bytes);
        }
        Ok(bits)
    }

    /// The core's group.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`], or if it could not be read.
    pub fn group(&self) -> Result<Option<GroupRecord>> {
        self.record(&keys::group(self.pointers.core))
    }

    /// The bytes of the core's own records in the store, keys and values. Nothing in a store is compressed.
    ///
    /// # Errors
    /// If they could not be read.
    pub fn space(&self) -> Result<Space> {
        let data = self.pointers.data;
        let mut space = Space {
            blocks: self.bytes_between(&keys::blocks(data))?,
            tree: self.bytes_between(&keys::tree_nodes(data))?,
            bitfield: self.bytes_between(&keys::bitfield_pages(data))?,
            other: self.bytes_between(&keys::all_of_core(self.pointers.core))?,
        };
        let all = self.bytes_between(&keys::all_of_data(data))?;
        space.other = space.other.saturating_add(all - space.blocks - space.tree - space.bitfield);
        Ok(space)
    }

    fn bytes_between(&self, (start, end): &(Key, Key)) -> Result<u64> {
        let mut bytes = 0_usize;
        self.kv.scan(start, end, &mut |key, value| {
            bytes = bytes.saturating_add(key.len()).saturating_add(value.len());
            ControlFlow::Continue(())
        })?;
        Ok(u64::try_from(bytes).unwrap_or(u64::MAX))
    }

    /// Which of the log's own blocks are stored: those that are not shared. Named sessions have no bitfield.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`], or if they could not be read.
    pub fn has_block(&self, index: u64) -> Result<bool> {
        Ok(self.block(index)?.is_some())
    }

    /// Reclaims the space of what was deleted of the core.
    ///
    /// # Errors
    /// As [`Kv::compact`].
    pub fn compact(&self) -> Result<()> {
        for (start, end) in [keys::all_of_core(self.pointers.core), keys::all_of_data(self.pointers.data)] {
            self.kv.compact(&start, &end)?;
        }
        Ok(())
    }

    fn record<T: for<'a> Decode<'a>>(&self, key: &Key) -> Result<Option<T>> {
        self.kv.get(key)?.map(|bytes| decode(key, &bytes)).transpose()
    }

    fn data_of_block(&self, index: u64) -> u64 {
        self.dependencies.of_block(index).map_or(self.pointers.data, |older| older.data_pointer)
    }

    fn data_of_node(&self, index: u64) -> u64 {
        self.dependencies.of_node(index).map_or(self.pointers.data, |older| older.data_pointer)
    }
}

/// A copy of a block that is read with many others: small ones share an allocation, which is most of what a copy costs.
/// Whoever keeps one of them keeps so much memory at most.
fn copy_of_many(block: &[u8], shared: &mut BytesMut) -> Bytes {
    const SHARED: usize = 32 * 1024;
    const SMALL: usize = 4 * 1024;
    if block.len() > SMALL {
        return Bytes::copy_from_slice(block);
    }
    if shared.capacity() < block.len() {
        *shared = BytesMut::with_capacity(SHARED);
    }
    shared.extend_from_slice(block);
    shared.split().freeze()
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
