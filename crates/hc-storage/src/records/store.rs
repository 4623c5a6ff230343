//! Records of the store: its head, and where its cores are.

use compact_encoding::{Decode, DecodeError, Encode, Reader, Sink, put};
use hc_crypto::{DiscoveryKey, Namespace};

use super::VERSION;

/// The store's counters and secrets.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct StoreHead {
    /// Cores so far; the next one's pointer. Never counts down.
    pub cores: u64,
    /// Data pointers so far.
    pub datas: u64,
    /// Groups so far.
    pub groups: u64,
    /// The primary key of a Corestore.
    pub seed: Option<[u8; 32]>,
    /// The first core that was made.
    pub default_discovery_key: Option<DiscoveryKey>,
}

impl std::fmt::Debug for StoreHead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreHead")
            .field("cores", &self.cores)
            .field("datas", &self.datas)
            .finish_non_exhaustive()
    }
}

impl Encode for StoreHead {
    fn encode<S: Sink>(&self, out: &mut S) {
        put::uint(out, VERSION);
        put::uint(out, self.cores);
        put::uint(out, self.datas);
        put::uint(out, self.groups);
        let flags = u64::from(self.seed.is_some()) | u64::from(self.default_discovery_key.is_some()) << 1;
        put::uint(out, flags);
        if let Some(seed) = &self.seed {
            out.put(seed);
        }
        if let Some(key) = &self.default_discovery_key {
            key.encode(out);
        }
    }
}

impl Decode<'_> for StoreHead {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let version = reader.uint()?;
        let mut head = Self::default();
        let flags = match version {
            0 | 1 => {
                let flags = reader.uint()?;
                // without its counters the next core would take the place of one that is there
                if flags & 1 == 0 {
                    return Err(DecodeError::Invalid { at: reader.position(), what: "counters of a store" });
                }
                (head.cores, head.datas) = (reader.uint()?, reader.uint()?);
                flags >> 1
            }
            2 => {
                (head.cores, head.datas, head.groups) = (reader.uint()?, reader.uint()?, reader.uint()?);
                reader.uint()?
            }
            _ => return Err(DecodeError::Invalid { at: reader.position(), what: "store version" }),
        };
        if flags & 1 != 0 {
            head.seed = Some(reader.array()?);
        }
        if flags & 2 != 0 {
            head.default_discovery_key = Some(DiscoveryKey::decode(reader)?);
        }
        Ok(head)
    }
}

/// Where a core is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoreRecord {
    /// The version of its records.
    pub version: u64,
    /// What its records of authority are under.
    pub core_pointer: u64,
    /// What its head, blocks and tree are under.
    pub data_pointer: u64,
    /// The name that it was made under.
    pub alias: Option<Alias>,
}

/// A name of a core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The namespace of the name.
    pub namespace: Namespace,
    /// The name.
    pub name: String,
}

impl Encode for CoreRecord {
    fn encode<S: Sink>(&self, out: &mut S) {
        put::uint(out, self.version);
        put::uint(out, self.core_pointer);
        put::uint(out, self.data_pointer);
        put::uint(out, u64::from(self.alias.is_some()));
        if let Some(alias) = &self.alias {
            put::string(out, &alias.name);
            alias.namespace.encode(out);
        }
    }
}

impl Decode<'_> for CoreRecord {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (version, core_pointer, data_pointer) = (reader.uint()?, reader.uint()?, reader.uint()?);
        let alias = if reader.uint()? & 1 == 0 {
            None
        } else {
            let name = reader.string()?.to_owned();
            Some(Alias { name, namespace: Namespace::decode(reader)? })
        };
        Ok(Self { version, core_pointer, data_pointer, alias })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regression_an_old_store_without_counters_is_refused() {
        let head = StoreHead::from_bytes(&[1, 1, 3, 4]);
        assert_eq!(head, Ok(StoreHead { cores: 3, datas: 4, ..StoreHead::default() }));
        for bytes in [&[0, 0][..], &[1, 0]] {
            assert!(matches!(StoreHead::from_bytes(bytes), Err(DecodeError::Invalid { .. })), "{bytes:?}");
        }
    }
}
