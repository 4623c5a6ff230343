//! The two halves of a format: writing a value, reading one.

use crate::{Count, DecodeError, Reader, Sink};

/// A value that has an encoding. It is written once, here; its length comes from a counting sink.
pub trait Encode {
    /// Writes the value.
    fn encode<S: Sink>(&self, out: &mut S);

    /// The number of bytes that [`encode`](Self::encode) writes.
    fn encoded_len(&self) -> usize {
        let mut count = Count::default();
        self.encode(&mut count);
        count.0
    }

    /// The encoded value in a buffer of exactly its size.
    fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.encoded_len());
        self.encode(&mut out);
        out
    }
}

/// A value that can be read. It may borrow from the input.
pub trait Decode<'a>: Sized {
    /// Reads the value at the reader's position and moves behind it.
    ///
    /// # Errors
    /// If the bytes are not such a value. The reader's position is then unspecified.
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError>;

    /// Reads a value that must fill the input.
    ///
    /// # Errors
    /// As [`decode`](Self::decode), and [`DecodeError::Trailing`].
    fn from_bytes(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let value = Self::decode(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }

    /// Reads a value that bytes of a later version may follow; those are ignored.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    fn from_prefix(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        Self::decode(&mut Reader::new(bytes))
    }
}
