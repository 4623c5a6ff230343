//! What a Hypercore 11 store holds, over any ordered key-value engine.
//!
//! | module | owns |
//! | --- | --- |
//! | [`kv`] | the engine's interface: [`Kv`], [`WriteBatch`] |
//! | [`mem`] | an engine in memory |
//! | [`Atom`] | an engine over an engine, whose writes wait to be made together |
//! | [`keys`] | every key of a store, as bytes |
//! | [`records`] | every record of a store, as bytes |
//! | [`Store`] | the store: its counters, its cores by discovery key and by name |
//! | [`CoreStorage`] | one core: typed reads |
//! | [`audit`](mod@audit) | whether everything in a store fits together, and repairs |
//! | [`CoreWrite`] | one core: a change that becomes one write batch |
//!
//! **Atomicity.** A [`WriteBatch`] is committed whole or not at all. Every change of a core is one batch. Tree nodes, blocks
//! and heads get into one only from a [`SignedChange`](hc_tree::SignedChange) or a [`Verified`](hc_tree::Verified).
//!
//! **Trust.** Records are parsed as hostile input: what is not a record is [`StorageError::Corrupt`], with its key. What could
//! not be read again is never written: [`StorageError::Unwritable`].
//!
//! Follows npm hypercore-storage 3.3.1, `index.js`, `lib/keys.js`, `lib/tx.js` and `encoding/spec/hyperschema/index.js`.
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::unwrap_used))]

mod atom;
pub mod audit;
#[cfg(feature = "test-util")]
pub mod conformance;
mod core_storage;
mod core_write;
mod counted;
mod dependencies;
mod error;
pub mod keys;
pub mod kv;
mod limits;
pub mod mem;
mod order;
mod readable;
pub mod records;
mod store;

pub use atom::Atom;
pub use core_storage::{CorePointers, CoreStorage, Space};
pub use core_write::CoreWrite;
pub use error::{StorageError, TreeFault};
pub use kv::{Kv, KvRead, Op, WriteBatch};
pub use mem::MemKv;
pub use records::{Alias, Auth, Dependency, GroupRecord, HeadRecord, Hints, StoredKeyPair};
pub use store::{CoreInit, Store};
