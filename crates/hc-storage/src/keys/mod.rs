//! Every key of a store. No other module knows what a key looks like.
//!
//! | first | then | holds |
//! | --- | --- | --- |
//! | 0 | – | the store's head |
//! | 1 | discovery key | a core's pointers |
//! | 2 | namespace, name | a named core's discovery key |
//! | 3 | core, 0 | who may sign the core, and with what |
//! | 3 | core, 1 | its named sessions |
//! | 3 | core, 2 | its group |
//! | 4 | data, 0 | the head |
//! | 4 | data, 1 | the data that it continues |
//! | 4 | data, 2 | hints |
//! | 4 | data, 3, index | a block |
//! | 4 | data, 4, index | a tree node |
//! | 4 | data, 5, page, 0 | a page of the bitfield |
//! | 4 | data, 6, name | a record of the application's |
//! | 4 | data, 7, … | a local record |
//! | 4 | data, 8, index | marks |
//! | 5 | topic | a group's pointer |
//! | 6 | group, time, core | a group's update |
//!
//! Follows npm hypercore-storage 3.3.1, `lib/keys.js`.

mod place;

pub use place::Place;

use compact_encoding::{DecodeError, Reader};
use hc_crypto::{DiscoveryKey, Namespace};

use crate::order::{KeyBytes, put_infinity, put_text, put_uint, read_text, read_uint};

const HEAD: u64 = 0;
const CORE_BY_DISCOVERY_KEY: u64 = 1;
const CORE_BY_ALIAS: u64 = 2;
const CORE: u64 = 3;
const DATA: u64 = 4;
const GROUP_BY_TOPIC: u64 = 5;
const GROUP: u64 = 6;

const CORE_AUTH: u64 = 0;
const CORE_SESSIONS: u64 = 1;
const CORE_GROUP: u64 = 2;

const DATA_HEAD: u64 = 0;
const DATA_DEPENDENCY: u64 = 1;
const DATA_HINTS: u64 = 2;
const DATA_BLOCK: u64 = 3;
const DATA_TREE: u64 = 4;
const DATA_BITFIELD: u64 = 5;
const DATA_USER_DATA: u64 = 6;
const DATA_LOCAL: u64 = 7;
const DATA_MARK: u64 = 8;

/// A key. Short ones, which are all but those of long names, take no allocation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(KeyBytes);

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl std::ops::Deref for Key {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for Key {
    fn from(bytes: &[u8]) -> Self {
        Self(KeyBytes::from_slice(bytes))
    }
}

fn uints(parts: &[u64]) -> Key {
    let mut out = KeyBytes::new();
    for part in parts {
        put_uint(&mut out, *part);
    }
    Key(out)
}

fn with_bytes(prefix: u64, bytes: &[u8]) -> Key {
    let mut key = uints(&[prefix]);
    key.0.extend_from_slice(bytes);
    key
}

fn with_text(mut key: Key, text: &[u8]) -> Key {
    put_text(&mut key.0, text);
    key
}

fn end_of(mut key: Key) -> Key {
    put_infinity(&mut key.0);
    key
}

/// The store's head.
#[must_use]
pub fn store_head() -> Key {
    uints(&[HEAD])
}

/// A core's pointers.
#[must_use]
pub fn core(discovery_key: &DiscoveryKey) -> Key {
    with_bytes(CORE_BY_DISCOVERY_KEY, discovery_key.as_bytes())
}

/// All cores' pointers: from the first on, and before the second.
#[must_use]
pub fn cores() -> (Key, Key) {
    (uints(&[CORE_BY_DISCOVERY_KEY]), uints(&[CORE_BY_DISCOVERY_KEY + 1]))
}

/// The discovery key in a key of [`cores`].
///
/// # Errors
/// If it is none.
pub fn parse_core(key: &[u8]) -> Result<DiscoveryKey, DecodeError> {
    let mut reader = Reader::new(key);
    read_uint(&mut reader)?;
    let discovery_key = reader.array()?;
    reader.finish()?;
    Ok(DiscoveryKey::from(discovery_key))
}

/// A named core.
#[must_use]
pub fn alias(namespace: &Namespace, name: &str) -> Key {
    with_text(with_bytes(CORE_BY_ALIAS, namespace.as_bytes()), name.as_bytes())
}

/// The named cores of a namespace: from the first on, and before the second.
#[must_use]
pub fn aliases(namespace: &Namespace) -> (Key, Key) {
    let start = with_bytes(CORE_BY_ALIAS, namespace.as_bytes());
    (start.clone(), end_of(start))
}

/// The name in a key of [`aliases`].
///
/// # Errors
/// If it is none.
pub fn parse_alias(key: &[u8]) -> Result<(Namespace, String), DecodeError> {
    let mut reader = Reader::new(key);
    read_uint(&mut reader)?;
    let namespace = Namespace::from(reader.array()?);
    let name = read_text(&mut reader)?;
    reader.finish()?;
    Ok((namespace, name))
}

/// Who may sign a core, and with what.
#[must_use]
pub fn auth(core: u64) -> Key {
    uints(&[CORE, core, CORE_AUTH])
}

/// A core's named sessions.
#[must_use]
pub fn sessions(core: u64) -> Key {
    uints(&[CORE, core, CORE_SESSIONS])
}

/// A core's group.
#[must_use]
pub fn group(core: u64) -> Key {
    uints(&[CORE, core, CORE_GROUP])
}

/// The head of data.
#[must_use]
pub fn head(data: u64) -> Key {
    uints(&[DATA, data, DATA_HEAD])
}

/// The data that data continues.
#[must_use]
pub fn dependency(data: u64) -> Key {
    uints(&[DATA, data, DATA_DEPENDENCY])
}

/// Hints of data.
#[must_use]
pub fn hints(data: u64) -> Key {
    uints(&[DATA, data, DATA_HINTS])
}

/// A block.
#[must_use]
pub fn block(data: u64, index: u64) -> Key {
    uints(&[DATA, data, DATA_BLOCK, index])
}

/// The index in the key of a block. Used for each block of a scan, so it looks at nothing but the index.
///
/// # Errors
/// If it is none.
pub fn parse_block(key: &[u8]) -> Result<u64, DecodeError> {
    let mut reader = Reader::new(key);
    for _ in 0..3 {
        read_uint(&mut reader)?;
    }
    let index = read_uint(&mut reader)?;
    reader.finish()?;
    Ok(index)
}

/// A tree node.
#[must_use]
pub fn tree_node(data: u64, index: u64) -> Key {
    uints(&[DATA, data, DATA_TREE, index])
}

/// All tree nodes: from the first on, and before the second.
#[must_use]
pub fn tree_nodes(data: u64) -> (Key, Key) {
    let start = uints(&[DATA, data, DATA_TREE]);
    (start.clone(), end_of(start))
}

/// All blocks: from the first on, and before the second.
#[must_use]
pub fn blocks(data: u64) -> (Key, Key) {
    let start = uints(&[DATA, data, DATA_BLOCK]);
    (start.clone(), end_of(start))
}

/// A page of the bitfield.
#[must_use]
pub fn bitfield_page(data: u64, page: u64) -> Key {
    uints(&[DATA, data, DATA_BITFIELD, page, 0])
}

/// All pages of the bitfield: from the first on, and before the second.
#[must_use]
pub fn bitfield_pages(data: u64) -> (Key, Key) {
    let start = uints(&[DATA, data, DATA_BITFIELD]);
    (start.clone(), end_of(start))
}

/// The page in a key of [`bitfield_pages`]; none if the key is one of another kind of bitfield.
///
/// # Errors
/// If it is none.
pub fn parse_bitfield_page(key: &[u8]) -> Result<Option<u64>, DecodeError> {
    let mut reader = Reader::new(key);
    for _ in 0..3 {
        read_uint(&mut reader)?;
    }
    let (page, kind) = (read_uint(&mut reader)?, read_uint(&mut reader)?);
    Ok((kind == 0).then_some(page))
}

/// A record of the application's.
#[must_use]
pub fn user_data(data: u64, name: &str) -> Key {
    with_text(uints(&[DATA, data, DATA_USER_DATA]), name.as_bytes())
}

/// Before this are all records of the application's.
#[must_use]
pub fn user_data_end(data: u64) -> Key {
    uints(&[DATA, data, DATA_USER_DATA + 1])
}

/// The name in the key of a record of the application's.
///
/// # Errors
/// If it is none.
pub fn parse_user_data(key: &[u8]) -> Result<String, DecodeError> {
    let mut reader = Reader::new(key);
    for _ in 0..3 {
        read_uint(&mut reader)?;
    }
    let name = read_text(&mut reader)?;
    reader.finish()?;
    Ok(name)
}

/// A local record.
#[must_use]
pub fn local(data: u64, name: &[u8]) -> Key {
    let mut key = uints(&[DATA, data, DATA_LOCAL]);
    key.0.extend_from_slice(name);
    key
}

/// Marks.
#[must_use]
pub fn mark(data: u64, index: u64) -> Key {
    uints(&[DATA, data, DATA_MARK, index])
}

/// All marks: from the first on, and before the second.
#[must_use]
pub fn marks(data: u64) -> (Key, Key) {
    let start = uints(&[DATA, data, DATA_MARK]);
    (start.clone(), end_of(start))
}

/// The pointer of a group.
#[must_use]
pub fn group_topic(topic: &[u8; 32]) -> Key {
    with_bytes(GROUP_BY_TOPIC, topic)
}

/// An update of a group by a core, at a time in milliseconds since 1970.
#[must_use]
pub fn group_update(group: u64, timestamp: u64, core: u64) -> Key {
    let mut key = uints(&[GROUP, group]);
    key.0.extend_from_slice(&timestamp.to_be_bytes());
    put_uint(&mut key.0, core);
    key
}

/// All updates of a group that are not older than a time in milliseconds since 1970: from the first on, and before the
/// second.
#[must_use]
pub fn group_updates(group: u64, since: u64) -> (Key, Key) {
    let mut start = uints(&[GROUP, group]);
    start.0.extend_from_slice(&since.to_be_bytes());
    (start, uints(&[GROUP, group.saturating_add(1)]))
}

/// All records of authority of a core: from the first on, and before the second.
#[must_use]
pub fn all_of_core(core: u64) -> (Key, Key) {
    (uints(&[CORE, core]), uints(&[CORE, core.saturating_add(1)]))
}

/// Everything of data: from the first on, and before the second.
#[must_use]
pub fn all_of_data(data: u64) -> (Key, Key) {
    (uints(&[DATA, data]), uints(&[DATA, data.saturating_add(1)]))
}
