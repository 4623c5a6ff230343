//! What blocks mean: bytes, text, or JSON.
//!
//! A core stores bytes. [`Hypercore::encoded`](crate::Hypercore::encoded) looks at it through a [`ValueEncoding`], as
//! the `valueEncoding` option of Node does.

use std::marker::PhantomData;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Error, Result};

/// How a value becomes a block and back.
pub trait ValueEncoding: Clone + Send + Sync + 'static {
    /// What the application sees.
    type Value: Send;
    /// What it may pass to append: the value, or something cheaper that it can be made of.
    type Input: ?Sized;

    /// The block of a value.
    ///
    /// # Errors
    /// [`Error::BadArgument`] if the value has no such form.
    fn encode(&self, value: &Self::Input) -> Result<Bytes>;

    /// The value of a block.
    ///
    /// # Errors
    /// [`Error::Decoding`] if the block is none of this encoding.
    fn decode(&self, block: Bytes) -> Result<Self::Value>;
}

/// Blocks as they are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Binary;

impl ValueEncoding for Binary {
    type Value = Bytes;
    type Input = [u8];

    fn encode(&self, value: &[u8]) -> Result<Bytes> {
        Ok(Bytes::copy_from_slice(value))
    }

    fn decode(&self, block: Bytes) -> Result<Bytes> {
        Ok(block)
    }
}

/// Blocks as text. A block that is not UTF-8 is an error (Node replaces what it cannot read).
#[derive(Debug, Clone, Copy, Default)]
pub struct Utf8;

impl ValueEncoding for Utf8 {
    type Value = String;
    type Input = str;

    fn encode(&self, value: &str) -> Result<Bytes> {
        Ok(Bytes::copy_from_slice(value.as_bytes()))
    }

    fn decode(&self, block: Bytes) -> Result<String> {
        String::from_utf8(block.into())
            .map_err(|error| Error::Decoding { encoding: "utf-8", reason: error.to_string() })
    }
}

/// Blocks as JSON of a type of the application's, or of `serde_json::Value`.
pub struct Json<T>(PhantomData<fn() -> T>);

impl<T> Default for Json<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T> Clone for Json<T> {
    fn clone(&self) -> Self {
        Self(PhantomData)
    }
}

impl<T> std::fmt::Debug for Json<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Json")
    }
}

impl<T: Serialize + DeserializeOwned + Send + 'static> ValueEncoding for Json<T> {
    type Value = T;
    type Input = T;

    fn encode(&self, value: &T) -> Result<Bytes> {
        serde_json::to_vec(value)
            .map(Bytes::from)
            .map_err(|error| Error::BadArgument(format!("value has no JSON form: {error}")))
    }

    fn decode(&self, block: Bytes) -> Result<T> {
        serde_json::from_slice(&block)
            .map_err(|error| Error::Decoding { encoding: "json", reason: error.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a21_values_survive_their_encoding_and_wrong_blocks_are_typed_errors() {
        let text = Utf8.encode("blåbær").unwrap();
        assert_eq!(Utf8.decode(text).unwrap(), "blåbær");
        assert_eq!(Utf8.decode(Bytes::from_static(&[0xff])).unwrap_err().code(), "DECODING_ERROR");

        let json = Json::<Vec<u32>>::default();
        assert_eq!(json.decode(json.encode(&vec![1, 2]).unwrap()).unwrap(), [1, 2]);
        assert_eq!(json.decode(Bytes::from_static(b"{")).unwrap_err().code(), "DECODING_ERROR");
    }
}
