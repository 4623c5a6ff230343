//! Asking for a proof.

use compact_encoding::{Decode, DecodeError, Encode, Reader, Sink, put};
use hc_tree::{BlockRequest, HashRequest, SeekRequest, UpgradeRequest};

use super::{flags, part};

/// Asks for a proof of all its parts.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Request {
    /// The name of the request, under which it is answered.
    pub id: u64,
    /// The fork that it is about.
    pub fork: u64,
    /// A block.
    pub block: Option<BlockRequest>,
    /// An inner node.
    pub hash: Option<HashRequest>,
    /// The block at a byte.
    pub seek: Option<SeekRequest>,
    /// A longer log.
    pub upgrade: Option<UpgradeRequest>,
    /// The manifest.
    pub manifest: bool,
    /// How urgent it is.
    pub priority: u64,
}

impl Encode for Request {
    fn encode<S: Sink>(&self, out: &mut S) {
        let parts = [
            self.block.is_some(),
            self.hash.is_some(),
            self.seek.is_some(),
            self.upgrade.is_some(),
            self.manifest,
            self.priority != 0,
        ];
        put::uint(out, flags(&parts));
        put::uint(out, self.id);
        put::uint(out, self.fork);
        let pairs = [
            self.block.map(|block| (block.index, block.nodes)),
            self.hash.map(|hash| (hash.index, hash.nodes)),
            self.seek.map(|seek| (seek.bytes, seek.padding)),
            self.upgrade.map(|upgrade| (upgrade.start, upgrade.length)),
        ];
        for (first, second) in pairs.into_iter().flatten() {
            put::uint(out, first);
            put::uint(out, second);
        }
        if self.priority != 0 {
            put::uint(out, self.priority);
        }
    }
}

impl Decode<'_> for Request {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let flags = reader.uint()?;
        let (id, fork) = (reader.uint()?, reader.uint()?);
        let mut pair =
            |bit: u64| part(reader, flags & bit != 0, |reader| Ok((reader.uint()?, reader.uint()?)));
        let block = pair(1)?.map(|(index, nodes)| BlockRequest { index, nodes });
        let hash = pair(2)?.map(|(index, nodes)| HashRequest { index, nodes });
        let seek = pair(4)?.map(|(bytes, padding)| SeekRequest { bytes, padding });
        let upgrade = pair(8)?.map(|(start, length)| UpgradeRequest { start, length });
        let priority = part(reader, flags & 32 != 0, Reader::uint)?.unwrap_or(0);
        Ok(Self { id, fork, block, hash, seek, upgrade, manifest: flags & 16 != 0, priority })
    }
}

/// The request is not needed any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancel {
    /// Its id.
    pub request: u64,
}

impl Encode for Cancel {
    fn encode<S: Sink>(&self, out: &mut S) {
        put::uint(out, self.request);
    }
}

impl Decode<'_> for Cancel {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { request: reader.uint()? })
    }
}
