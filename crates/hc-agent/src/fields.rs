//! The fields of a request, by type.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hypercore::KeyPair;
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
}

fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    hex::decode(text).ok()?.try_into().ok()
}

pub(crate) fn b64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
