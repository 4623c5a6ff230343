//! What a key says: the way back from the bytes.

use compact_encoding::{DecodeError, Reader};
use hc_crypto::{DiscoveryKey, Namespace};

use super::{
    CORE, CORE_AUTH, CORE_BY_ALIAS, CORE_BY_DISCOVERY_KEY, CORE_GROUP, CORE_SESSIONS, DATA, DATA_BITFIELD,
    DATA_BLOCK, DATA_DEPENDENCY, DATA_HEAD, DATA_HINTS, DATA_LOCAL, DATA_MARK, DATA_TREE, DATA_USER_DATA,
    GROUP, GROUP_BY_TOPIC, HEAD, Key,
};
use super::{
    alias, auth, bitfield_page, block, core, dependency, group, group_topic, group_update, head, hints,
    local, mark, sessions, store_head, tree_node, user_data,
};
use crate::order::{read_text, read_uint, safe};

/// What a key says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is described by the function of its name in this module")]
pub enum Place {
    StoreHead,
    Core(DiscoveryKey),
    Alias { namespace: Namespace, name: String },
    Auth { core: u64 },
    Sessions { core: u64 },
    Group { core: u64 },
    Head { data: u64 },
    Dependency { data: u64 },
    Hints { data: u64 },
    Block { data: u64, index: u64 },
    TreeNode { data: u64, index: u64 },
    BitfieldPage { data: u64, page: u64 },
    UserData { data: u64, name: String },
    Local { data: u64, name: Vec<u8> },
    Mark { data: u64, index: u64 },
    GroupTopic([u8; 32]),
    GroupUpdate { group: u64, timestamp: u64, core: u64 },
}

impl Place {
    /// What a key says.
    ///
    /// # Errors
    /// If it is no key of a store.
    pub fn parse(key: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(key);
        let place = match read_uint(&mut reader)? {
            HEAD => Self::StoreHead,
            CORE_BY_DISCOVERY_KEY => Self::Core(DiscoveryKey::from(reader.array()?)),
            CORE_BY_ALIAS => {
                let namespace = Namespace::from(reader.array()?);
                Self::Alias { namespace, name: read_text(&mut reader)? }
            }
            CORE => Self::parse_core(&mut reader)?,
            DATA => Self::parse_data(&mut reader)?,
            GROUP_BY_TOPIC => Self::GroupTopic(reader.array()?),
            GROUP => {
                let (group, at) = (read_uint(&mut reader)?, reader.position());
                let timestamp = safe(at, reader.uint64be()?)?;
                Self::GroupUpdate { group, timestamp, core: read_uint(&mut reader)? }
            }
            _ => return Err(DecodeError::Invalid { at: 0, what: "kind of a key" }),
        };
        reader.finish()?;
        Ok(place)
    }

    fn parse_core(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let core = read_uint(reader)?;
        Ok(match read_uint(reader)? {
            CORE_AUTH => Self::Auth { core },
            CORE_SESSIONS => Self::Sessions { core },
            CORE_GROUP => Self::Group { core },
            _ => return Err(DecodeError::Invalid { at: reader.position(), what: "kind of a core's record" }),
        })
    }

    fn parse_data(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let data = read_uint(reader)?;
        let invalid = |reader: &Reader<'_>, what| DecodeError::Invalid { at: reader.position(), what };
        Ok(match read_uint(reader)? {
            DATA_HEAD => Self::Head { data },
            DATA_DEPENDENCY => Self::Dependency { data },
            DATA_HINTS => Self::Hints { data },
            DATA_BLOCK => Self::Block { data, index: read_uint(reader)? },
            DATA_TREE => Self::TreeNode { data, index: read_uint(reader)? },
            DATA_BITFIELD => {
                let (page, kind) = (read_uint(reader)?, read_uint(reader)?);
                if kind != 0 {
                    return Err(invalid(reader, "kind of a bitfield"));
                }
                Self::BitfieldPage { data, page }
            }
            DATA_USER_DATA => Self::UserData { data, name: read_text(reader)? },
            DATA_LOCAL => Self::Local { data, name: reader.rest().to_vec() },
            DATA_MARK => Self::Mark { data, index: read_uint(reader)? },
            _ => return Err(invalid(reader, "kind of a log's record")),
        })
    }

    /// The key that says this.
    #[must_use]
    pub fn key(&self) -> Key {
        match self {
            Self::StoreHead => store_head(),
            Self::Core(discovery_key) => core(discovery_key),
            Self::Alias { namespace, name } => alias(namespace, name),
            Self::Auth { core } => auth(*core),
            Self::Sessions { core } => sessions(*core),
            Self::Group { core } => group(*core),
            Self::Head { data } => head(*data),
            Self::Dependency { data } => dependency(*data),
            Self::Hints { data } => hints(*data),
            Self::Block { data, index } => block(*data, *index),
            Self::TreeNode { data, index } => tree_node(*data, *index),
            Self::BitfieldPage { data, page } => bitfield_page(*data, *page),
            Self::UserData { data, name } => user_data(*data, name),
            Self::Local { data, name } => local(*data, name),
            Self::Mark { data, index } => mark(*data, *index),
            Self::GroupTopic(topic) => group_topic(topic),
            Self::GroupUpdate { group, timestamp, core } => group_update(*group, *timestamp, *core),
        }
    }
}
