//! Proofs, and that there is none.

use bytes::Bytes;
use compact_encoding::{Decode, DecodeError, Encode, Reader, Sink, put};
use hc_crypto::Manifest;
use hc_tree::{BlockProof, HashProof, Proof, SeekProof, UpgradeProof};

use super::{flags, part};

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Data {
    /// The request's id.
    pub request: u64,
    /// The fork that all of it belongs to.
    pub fork: u64,
    /// A block and the way up from it.
    pub block: Option<BlockProof>,
    /// An inner node and the way up from it.
    pub hash: Option<HashProof>,
    /// The way down to a byte.
    pub seek: Option<SeekProof>,
    /// A longer log.
    pub upgrade: Option<UpgradeProof>,
    /// Who may sign the log.
    pub manifest: Option<Manifest>,
}

impl From<Proof> for Data {
    fn from(proof: Proof) -> Self {
        let Proof { fork, block, hash, seek, upgrade, manifest } = proof;
        Self { request: 0, fork, block, hash, seek, upgrade, manifest }
    }
}

impl From<Data> for Proof {
    fn from(data: Data) -> Self {
        let Data { request: _, fork, block, hash, seek, upgrade, manifest } = data;
        Self { fork, block, hash, seek, upgrade, manifest }
    }
}

impl Encode for Data {
    fn encode<S: Sink>(&self, out: &mut S) {
        let parts = [
            self.block.is_some(),
            self.hash.is_some(),
            self.seek.is_some(),
            self.upgrade.is_some(),
            self.manifest.is_some(),
        ];
        put::uint(out, flags(&parts));
        put::uint(out, self.request);
        put::uint(out, self.fork);
        if let Some(block) = &self.block {
            block.encode(out);
        }
        if let Some(hash) = &self.hash {
            hash.encode(out);
        }
        if let Some(seek) = &self.seek {
            seek.encode(out);
        }
        if let Some(upgrade) = &self.upgrade {
            upgrade.encode(out);
        }
        if let Some(manifest) = &self.manifest {
            manifest.encode(out);
        }
    }
}

impl Data {
    /// The message by itself, for a proof that goes another way than over a channel.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_vec()
    }

    /// Reads what [`to_bytes`](Self::to_bytes) made.
    ///
    /// # Errors
    /// If it is no such message.
    pub fn from_bytes(bytes: &Bytes) -> Result<Self, DecodeError> {
        Self::decode_from(bytes, &mut Reader::new(bytes))
    }

    /// Reads a message that lies within `frame`.
    pub(crate) fn decode_from(frame: &Bytes, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let flags = reader.uint()?;
        let (request, fork) = (reader.uint()?, reader.uint()?);
        let has = |bit: u64| flags & bit != 0;
        Ok(Self {
            request,
            fork,
            block: part(reader, has(1), |reader| BlockProof::decode_from(frame, reader))?,
            hash: part(reader, has(2), HashProof::decode)?,
            seek: part(reader, has(4), SeekProof::decode)?,
            upgrade: part(reader, has(8), UpgradeProof::decode)?,
            manifest: part(reader, has(16), Manifest::decode)?,
        })
    }
}

/// There is no proof for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoData {
    /// The request's id.
    pub request: u64,
    /// Why: 0 is not said, 1 not available, 2 invalid.
    pub reason: u64,
}

impl Encode for NoData {
    fn encode<S: Sink>(&self, out: &mut S) {
        put::uint(out, self.request);
        put::uint(out, u64::from(self.reason != 0));
        if self.reason != 0 {
            put::uint(out, self.reason);
        }
    }
}

impl Decode<'_> for NoData {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let request = reader.uint()?;
        let flags = if reader.is_empty() { 0 } else { reader.uint()? };
        let reason = part(reader, flags & 1 != 0, Reader::uint)?.unwrap_or(0);
        Ok(Self { request, reason })
    }
}
