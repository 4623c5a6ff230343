//! Reading vectors.
#![allow(dead_code, unreachable_pub, reason = "each test file uses some of these")]

use serde_json::Value;

/// A list of `vectors/crypto.json`, which `interop/generate/crypto.mjs` makes.
pub fn vectors(list: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../vectors/crypto.json")).unwrap();
    let list = all[list].as_array().unwrap().clone();
    assert!(!list.is_empty());
    list
}

pub fn unhex(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

pub fn unhex32(value: &Value) -> [u8; 32] {
    unhex(value).try_into().unwrap()
}

pub fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}
