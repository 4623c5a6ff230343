//! Proofs as bytes: their parts as they go over the wire, and whole ones that stand alone.
//!
//! | part | fields |
//! | --- | --- |
//! | block | index, value, nodes |
//! | hash | index, nodes |
//! | seek | bytes, nodes |
//! | upgrade | start, length, nodes, additional nodes, signature |
//!
//! Follows npm hypercore 11.37.1, `lib/messages.js` (`wire.data`).

use bytes::Bytes;
use compact_encoding::{Decode, DecodeError, Encode, Reader, Sink, put};
use hc_crypto::Manifest;

use super::types::{BlockProof, HashProof, Proof, SeekProof, UpgradeProof};
use crate::limits::{MAX_PROOF_NODES, MAX_SIGNATURE};
use crate::node::Node;

/// The id that a proof has which answers no request.
const UNASKED: u64 = 0;

impl Encode for BlockProof {
    fn encode<S: Sink>(&self, out: &mut S) {
        put::uint(out, self.index);
        put::buffer(out, &self.value);
        put::list(out, &self.nodes);
    }
}

impl BlockProof {
    /// Reads one that lies within `frame`.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode_from(frame: &Bytes, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (index, value) = (reader.uint()?, reader.buffer()?);
        // a small block must not keep a large frame in memory
        let value = if value.len() >= frame.len() / 2 {
            frame.slice_ref(value)
        } else {
            Bytes::copy_from_slice(value)
        };
        Ok(Self { index, value, nodes: nodes(reader)? })
    }
}

impl Encode for HashProof {
    fn encode<S: Sink>(&self, out: &mut S) {
        put::uint(out, self.index);
        put::list(out, &self.nodes);
    }
}

impl Decode<'_> for HashProof {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { index: reader.uint()?, nodes: nodes(reader)? })
    }
}

impl Encode for SeekProof {
    fn encode<S: Sink>(&self, out: &mut S) {
        put::uint(out, self.bytes);
        put::list(out, &self.nodes);
    }
}

impl Decode<'_> for SeekProof {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { bytes: reader.uint()?, nodes: nodes(reader)? })
    }
}

impl Encode for UpgradeProof {
    fn encode<S: Sink>(&self, out: &mut S) {
        put::uint(out, self.start);
        put::uint(out, self.length);
        put::list(out, &self.nodes);
        put::list(out, &self.additional_nodes);
        put::buffer(out, &self.signature);
    }
}

impl Decode<'_> for UpgradeProof {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (start, length) = (reader.uint()?, reader.uint()?);
        let (nodes, additional_nodes) = (nodes(reader)?, nodes(reader)?);
        let signature = reader.buffer()?;
        if signature.len() > MAX_SIGNATURE {
            return Err(DecodeError::Invalid { at: reader.position(), what: "signature length" });
        }
        Ok(Self { start, length, nodes, additional_nodes, signature: signature.to_vec() })
    }
}

impl Encode for Proof {
    fn encode<S: Sink>(&self, out: &mut S) {
        let parts = [
            self.block.is_some(),
            self.hash.is_some(),
            self.seek.is_some(),
            self.upgrade.is_some(),
            self.manifest.is_some(),
        ];
        let flags = parts.iter().rev().fold(0, |flags, part| flags << 1 | u64::from(*part));
        put::uint(out, flags);
        put::uint(out, UNASKED);
        put::uint(out, self.fork);
        put_part(out, self.block.as_ref());
        put_part(out, self.hash.as_ref());
        put_part(out, self.seek.as_ref());
        put_part(out, self.upgrade.as_ref());
        put_part(out, self.manifest.as_ref());
    }
}

impl Proof {
    /// Reads a proof that lies within `frame`. A request's id in it has no meaning.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode_from(frame: &Bytes, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let flags = reader.uint()?;
        let (_, fork) = (reader.uint()?, reader.uint()?);
        let has = |bit: u64| flags & bit != 0;
        Ok(Self {
            fork,
            block: has(1).then(|| BlockProof::decode_from(frame, reader)).transpose()?,
            hash: has(2).then(|| HashProof::decode(reader)).transpose()?,
            seek: has(4).then(|| SeekProof::decode(reader)).transpose()?,
            upgrade: has(8).then(|| UpgradeProof::decode(reader)).transpose()?,
            manifest: has(16).then(|| Manifest::decode(reader)).transpose()?,
        })
    }
}

fn put_part<S: Sink, T: Encode>(out: &mut S, part: Option<&T>) {
    if let Some(part) = part {
        part.encode(out);
    }
}

fn nodes(reader: &mut Reader<'_>) -> Result<Vec<Node>, DecodeError> {
    reader.list(MAX_PROOF_NODES, Node::MIN_ENCODED_LEN, Node::decode)
}
