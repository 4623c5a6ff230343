//! The fields of a request, by type.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hypercore::{Encryption, KeyPair, Manifest};
use serde_json::Value;

use crate::reply::{Failure, Result};

/// A request: its operation and its fields.
pub(crate) struct Fields(pub(crate) Value);

impl Fields {
    fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn typed<'a, T>(
        &'a self,
        name: &str,
        kind: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => read(value)
                .map(Some)
                .ok_or_else(|| Failure::bad_argument(format!("field {name} is not {kind}"))),
        }
    }

    fn needed<T>(name: &str, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| Failure::bad_argument(format!("field {name} is missing")))
    }

    pub(crate) fn op(&self) -> Result<&str> {
        Self::needed("op", self.typed("op", "text", Value::as_str)?)
    }

    pub(crate) fn opt_uint(&self, name: &str) -> Result<Option<u64>> {
        self.typed(name, "an unsigned integer", Value::as_u64)
    }

    pub(crate) fn uint(&self, name: &str) -> Result<u64> {
        Self::needed(name, self.opt_uint(name)?)
    }

    pub(crate) fn opt_bool(&self, name: &str) -> Result<Option<bool>> {
        self.typed(name, "a boolean", Value::as_bool)
    }

    pub(crate) fn flag(&self, name: &str) -> Result<bool> {
        Ok(self.opt_bool(name)?.unwrap_or(false))
    }

    pub(crate) fn opt_text(&self, name: &str) -> Result<Option<&str>> {
        self.typed(name, "text", Value::as_str)
    }

    pub(crate) fn text(&self, name: &str) -> Result<&str> {
        Self::needed(name, self.opt_text(name)?)
    }

    /// A time span in milliseconds; 0 means none.
    pub(crate) fn millis(&self, name: &str) -> Result<Option<Option<Duration>>> {
        let millis = self.opt_uint(name)?;
        Ok(millis.map(|millis| Some(Duration::from_millis(millis)).filter(|span| !span.is_zero())))
    }

    pub(crate) fn opt_hex<const N: usize>(&self, name: &str) -> Result<Option<[u8; N]>> {
        self.typed(name, &format!("{N} bytes of hex"), |value| parse_hex(value.as_str()?))
    }

    /// Bytes of any number.
    pub(crate) fn opt_hex_bytes(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.typed(name, "hex", |value| hex::decode(value.as_str()?).ok())
    }

    pub(crate) fn hex<const N: usize>(&self, name: &str) -> Result<[u8; N]> {
        Self::needed(name, self.opt_hex(name)?)
    }

    pub(crate) fn b64(&self, name: &str) -> Result<Vec<u8>> {
        Self::needed(name, self.opt_b64(name)?)
    }

    pub(crate) fn opt_b64(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.typed(name, "base64", |value| STANDARD.decode(value.as_str()?).ok())
    }

    pub(crate) fn b64_list(&self, name: &str) -> Result<Vec<Vec<u8>>> {
        let list = self.typed(name, "a list of base64", |value| {
            value.as_array()?.iter().map(|item| STANDARD.decode(item.as_str()?).ok()).collect::<Option<_>>()
        })?;
        Self::needed(name, list)
    }

    pub(crate) fn uint_list(&self, name: &str) -> Result<Option<Vec<u64>>> {
        self.typed(name, "a list of integers", |value| {
            value.as_array()?.iter().map(Value::as_u64).collect::<Option<_>>()
        })
    }

    pub(crate) fn opt_key_pair(&self, name: &str) -> Result<Option<KeyPair>> {
        self.typed(name, "a key pair", |value| {
            let secret = parse_hex::<64>(value.get("secretKey")?.as_str()?)?;
            KeyPair::from_secret_key(&secret).ok()
        })
    }
    pub(crate) fn key_pair(&self, name: &str) -> Result<KeyPair> {
        Self::needed(name, self.opt_key_pair(name)?)
    }

    pub(crate) fn manifest(&self, name: &str) -> Result<Option<Manifest>> {
        let parse = |bytes: Vec<u8>| {
            Manifest::parse(&bytes).map_err(|error| Failure::bad_argument(error.to_string()))
        };
        self.opt_b64(name)?.map(parse).transpose()
    }

    /// A key, and whether it is that of the blocks.
    pub(crate) fn opt_encryption(&self, name: &str) -> Result<Option<Encryption>> {
        self.typed(name, "an encryption", |value| {
            let key = parse_hex::<32>(value.get("key")?.as_str()?)?;
            let block = value.get("block").and_then(Value::as_bool).unwrap_or(false);
            Some(if block { Encryption::block_key(key) } else { Encryption::key(key) })
        })
    }

    /// Bytes by name.
    pub(crate) fn records(&self, name: &str) -> Result<Vec<(String, Vec<u8>)>> {
        let records = self.typed(name, "an object of base64", |value| {
            let decoded =
                |(key, value): (&String, &Value)| Some((key.clone(), STANDARD.decode(value.as_str()?).ok()?));
            value.as_object()?.iter().map(decoded).collect::<Option<_>>()
        })?;
        Ok(records.unwrap_or_default())
    }

    /// The part of a request that is a request of its own.
    pub(crate) fn part(&self, name: &str) -> Option<Self> {
        self.value(name).map(|value| Self(value.clone()))
    }
}

fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    hex::decode(text).ok()?.try_into().ok()
}

pub(crate) fn b64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
