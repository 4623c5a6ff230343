//! Every record of a store. No other module knows what a record looks like.
//!
//! Follows npm hypercore-storage 3.3.1, `encoding/spec/hyperschema/index.js`, version 2. Records of version 1 are read, and
//! written as version 2.

mod core;
mod record;
mod store;

pub use core::{Auth, Dependency, GroupRecord, HeadRecord, Hints, Session, Sessions, StoredKeyPair};
pub use record::Record;
pub use store::{Alias, CoreRecord, StoreHead};

/// The version of the records that are written.
pub const VERSION: u64 = 2;
