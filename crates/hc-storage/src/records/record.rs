//! A record of any kind, by the key that it is under.

use compact_encoding::{Decode, DecodeError, Encode, Reader, Sink, put};
use hc_crypto::DiscoveryKey;
use hc_tree::Node;

use super::{Auth, CoreRecord, Dependency, GroupRecord, HeadRecord, Hints, Sessions, StoreHead};
use crate::keys::Place;

/// A record of any kind.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each is described by its type, or by the function of its name in `keys`")]
pub enum Record {
    StoreHead(StoreHead),
    Core(CoreRecord),
    Alias(DiscoveryKey),
    Auth(Box<Auth>),
    Sessions(Sessions),
    Group(GroupRecord),
    Head(HeadRecord),
    Dependency(Dependency),
    Hints(Hints),
    TreeNode(Node),
    GroupTopic(u64),
    /// What the schema does not look into: a block, a page of the bitfield, user data, a local record, marks, an update.
    Raw(Vec<u8>),
}

impl Record {
    /// Reads the record that is at a place.
    ///
    /// # Errors
    /// [`DecodeError`], also for bytes after the record.
    pub fn parse(place: &Place, bytes: &[u8]) -> Result<Self, DecodeError> {
        Ok(match place {
            Place::StoreHead => Self::StoreHead(Decode::from_bytes(bytes)?),
            Place::Core(_) => Self::Core(Decode::from_bytes(bytes)?),
            Place::Alias { .. } => Self::Alias(Decode::from_bytes(bytes)?),
            Place::Auth { .. } => Self::Auth(Box::new(Decode::from_bytes(bytes)?)),
            Place::Sessions { .. } => Self::Sessions(Decode::from_bytes(bytes)?),
            Place::Group { .. } => Self::Group(Decode::from_bytes(bytes)?),
            Place::Head { .. } => Self::Head(Decode::from_bytes(bytes)?),
            Place::Dependency { .. } => Self::Dependency(Decode::from_bytes(bytes)?),
            Place::Hints { .. } => Self::Hints(Decode::from_bytes(bytes)?),
            Place::TreeNode { .. } => Self::TreeNode(Decode::from_bytes(bytes)?),
            Place::GroupTopic(_) => {
                let mut reader = Reader::new(bytes);
                let pointer = reader.uint()?;
                reader.finish()?;
                Self::GroupTopic(pointer)
            }
            Place::Block { .. }
            | Place::BitfieldPage { .. }
            | Place::UserData { .. }
            | Place::Local { .. }
            | Place::Mark { .. }
            | Place::GroupUpdate { .. } => Self::Raw(bytes.to_vec()),
        })
    }
}

impl Encode for Record {
    fn encode<S: Sink>(&self, out: &mut S) {
        match self {
            Self::StoreHead(record) => record.encode(out),
            Self::Core(record) => record.encode(out),
            Self::Alias(discovery_key) => discovery_key.encode(out),
            Self::Auth(record) => record.encode(out),
            Self::Sessions(record) => record.encode(out),
            Self::Group(record) => record.encode(out),
            Self::Head(record) => record.encode(out),
            Self::Dependency(record) => record.encode(out),
            Self::Hints(record) => record.encode(out),
            Self::TreeNode(node) => node.encode(out),
            Self::GroupTopic(pointer) => put::uint(out, *pointer),
            Self::Raw(bytes) => out.put(bytes),
        }
    }
}
