//! What is sent when a core's channel is opened.

use compact_encoding::{Decode, DecodeError, Encode, Reader, Sink, put};

/// Shows that the sender knows the core's key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// Whether the sender answers seeks.
    pub seeks: bool,
    /// The proof that it knows the key, see [`hc_crypto::signable::replicate_capability`].
    pub capability: [u8; 32],
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open").field("seeks", &self.seeks).finish_non_exhaustive()
    }
}

impl Encode for Open {
    fn encode<S: Sink>(&self, out: &mut S) {
        put::uint(out, u64::from(self.seeks));
        out.put(&self.capability);
    }
}

impl Decode<'_> for Open {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { seeks: reader.uint()? & 1 != 0, capability: reader.array()? })
    }
}
