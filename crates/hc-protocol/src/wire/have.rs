//! Who has what, and who wants to know.

use bytes::Bytes;
use compact_encoding::{Decode, DecodeError, Encode, Reader, Sink, put};

use super::flags;
use crate::limits::{MAX_BITFIELD_WORDS, MAX_NAME};

/// How long the sender's log is, and what it is up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sync {
    /// Its fork.
    pub fork: u64,
    /// Its length in blocks.
    pub length: u64,
    /// What it takes the receiver's length to be.
    pub remote_length: u64,
    /// Whether it can prove its length.
    pub can_upgrade: bool,
    /// Whether it answers requests.
    pub uploading: bool,
    /// Whether it sends requests.
    pub downloading: bool,
    /// Whether it knows the manifest.
    pub has_manifest: bool,
    /// Whether it takes blocks that it did not ask for.
    pub allow_push: bool,
}

impl Encode for Sync {
    fn encode<S: Sink>(&self, out: &mut S) {
        let bits = [self.can_upgrade, self.uploading, self.downloading, self.has_manifest, self.allow_push];
        put::uint(out, flags(&bits));
        put::uint(out, self.fork);
        put::uint(out, self.length);
        put::uint(out, self.remote_length);
    }
}

impl Decode<'_> for Sync {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let flags = reader.uint()?;
        Ok(Self {
            fork: reader.uint()?,
            length: reader.uint()?,
            remote_length: reader.uint()?,
            can_upgrade: flags & 1 != 0,
            uploading: flags & 2 != 0,
            downloading: flags & 4 != 0,
            has_manifest: flags & 8 != 0,
            allow_push: flags & 16 != 0,
        })
    }
}

/// Wants (no longer) to know which blocks of a range the receiver has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// The first block.
    pub start: u64,
    /// How many blocks.
    pub length: u64,
    /// Whether the range has any size, not that of a batch.
    pub any: bool,
}

impl Encode for Want {
    fn encode<S: Sink>(&self, out: &mut S) {
        put::uint(out, self.start);
        put::uint(out, self.length);
        if self.any {
            put::uint(out, 1);
        }
    }
}

impl Decode<'_> for Want {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (start, length) = (reader.uint()?, reader.uint()?);
        let flags = if reader.is_empty() { 0 } else { reader.uint()? };
        Ok(Self { start, length, any: flags & 1 != 0 })
    }
}

/// Which blocks from `start` on the sender has: bit i mod 32 of word i / 32.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bitfield {
    /// The block of the first bit.
    pub start: u64,
    /// The words.
    pub bitfield: Vec<u32>,
}

impl Encode for Bitfield {
    fn encode<S: Sink>(&self, out: &mut S) {
        put::uint(out, self.start);
        put::uint32_array(out, &self.bitfield);
    }
}

impl Decode<'_> for Bitfield {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { start: reader.uint()?, bitfield: reader.uint32_array(MAX_BITFIELD_WORDS)? })
    }
}

/// That the sender has, or dropped, a range of blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// Whether the blocks were dropped.
    pub drop: bool,
    /// The first block.
    pub start: u64,
    /// How many blocks.
    pub length: u64,
}

impl Encode for Range {
    fn encode<S: Sink>(&self, out: &mut S) {
        let single = self.length == 1;
        put::uint(out, flags(&[self.drop, single]));
        put::uint(out, self.start);
        if !single {
            put::uint(out, self.length);
        }
    }
}

impl Decode<'_> for Range {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let flags = reader.uint()?;
        let start = reader.uint()?;
        let length = if flags & 2 != 0 { 1 } else { reader.uint()? };
        Ok(Self { drop: flags & 1 != 0, start, length })
    }
}

/// Something of the application's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Which extension. What is not UTF-8 in it is replaced.
    pub name: String,
    /// Its message.
    pub message: Bytes,
}

impl Encode for Extension {
    fn encode<S: Sink>(&self, out: &mut S) {
        put::string(out, &self.name);
        out.put(&self.message);
    }
}

impl Decode<'_> for Extension {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let name = reader.buffer()?;
        let too_long = DecodeError::Invalid { at: reader.position(), what: "extension name" };
        if name.len() > MAX_NAME {
            return Err(too_long);
        }
        let name = String::from_utf8_lossy(name).into_owned();
        // what replaces a byte has three
        if name.len() > MAX_NAME {
            return Err(too_long);
        }
        Ok(Self { name, message: Bytes::copy_from_slice(reader.rest()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regression_an_extension_name_that_is_read_can_be_written() {
        let mut bytes = Vec::new();
        put::buffer(&mut bytes, &[0xff; 85]);
        let extension = Extension::from_bytes(&bytes).unwrap();
        assert_eq!(Extension::from_bytes(&extension.to_vec()), Ok(extension));
        bytes.clear();
        put::buffer(&mut bytes, &[0xff; 86]);
        let refused = DecodeError::Invalid { at: 87, what: "extension name" };
        assert_eq!(Extension::from_bytes(&bytes), Err(refused), "3 times 86 is more than 256");
    }
}
