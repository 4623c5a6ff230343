//! The vectors of `interop/generate/tree.mjs`, and requests and proofs as they are written there.

use hc_crypto::Key;
use hc_tree::{BlockRequest, HashRequest, Node, Proof, ProofRequest, SeekRequest, UpgradeRequest};
use serde_json::Value;

pub fn vectors(list: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../vectors/tree.json")).unwrap();
    let list = all[list].as_array().unwrap().clone();
    assert!(!list.is_empty());
    list
}

pub fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

pub fn request(vector: &Value) -> ProofRequest {
    let field = |part: &str, name: &str| number(&vector[part][name]);
    ProofRequest {
        block: vector["block"]
            .is_object()
            .then(|| BlockRequest { index: field("block", "index"), nodes: field("block", "nodes") }),
        hash: vector["hash"]
            .is_object()
            .then(|| HashRequest { index: field("hash", "index"), nodes: field("hash", "nodes") }),
        seek: vector["seek"]
            .is_object()
            .then(|| SeekRequest { bytes: field("seek", "bytes"), padding: field("seek", "padding") }),
        upgrade: vector["upgrade"]
            .is_object()
            .then(|| UpgradeRequest { start: field("upgrade", "start"), length: field("upgrade", "length") }),
    }
}

fn indices(nodes: &[Node]) -> Value {
    nodes.iter().map(|node| node.index).collect()
}

/// A proof as the script writes it.
pub fn plain(proof: &Proof) -> Value {
    let mut out = serde_json::Map::new();
    let mut put = |name: &str, nodes: &[Node]| out.insert(name.to_owned(), indices(nodes));
    if let Some(block) = &proof.block {
        put("block", &block.nodes);
    }
    if let Some(hash) = &proof.hash {
        put("hash", &hash.nodes);
    }
    if let Some(seek) = &proof.seek {
        put("seek", &seek.nodes);
    }
    if let Some(upgrade) = &proof.upgrade {
        put("upgrade", &upgrade.nodes);
        put("additional", &upgrade.additional_nodes);
    }
    Value::Object(out)
}

/// Bytes that are written in hex.
pub fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

/// A core's key.
pub fn key(value: &Value) -> Key {
    Key::from(<[u8; 32]>::try_from(bytes(value)).unwrap())
}
