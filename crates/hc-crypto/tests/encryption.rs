//! Encrypted blocks are those of Node, in each mode. The vectors are made by `interop/generate/crypto.mjs`.

mod common;

use std::collections::BTreeSet;

use common::{number, unhex, unhex32, vectors};
use hc_crypto::{BlockCipher, Key, block_encryption_key};
use serde_json::Value;

fn cipher(vector: &Value) -> BlockCipher {
    let (encryption_key, key) = (unhex32(&vector["encryptionKey"]), Key::from(unhex32(&vector["key"])));
    let [block, compat] = ["block", "compat"].map(|flag| vector[flag].as_bool().unwrap());
    BlockCipher::new(&encryption_key, &key, block, compat)
}

#[test]
fn h2_block_keys_are_nodes() {
    for vector in vectors("blockKeys") {
        let (key, encryption_key) = (Key::from(unhex32(&vector["key"])), unhex32(&vector["encryptionKey"]));
        assert_eq!(*block_encryption_key(&key, &encryption_key), unhex32(&vector["blockKey"]));
    }
}

#[test]
fn h1_h2_blocks_are_stored_as_node_does_in_all_modes() {
    let mut modes = BTreeSet::new();
    for vector in vectors("encrypted") {
        let (cipher, stored) = (cipher(&vector), unhex(&vector["stored"]));
        let (index, fork) = (number(&vector["index"]), number(&vector["fork"]));
        let block = vec![0x61; usize::try_from(number(&vector["size"])).unwrap()];
        assert_eq!(stored.len(), block.len() + cipher.padding());
        assert_eq!(hex::encode(cipher.seal(index, fork, &block)), hex::encode(&stored), "{vector}");
        assert_eq!(cipher.open(index, &stored).unwrap(), block, "{vector}");
        modes.insert(vector["mode"].to_string());
    }
    assert_eq!(modes.len(), 4);
}

#[test]
fn h2_h9_what_cores_store_before_and_after_truncations_is_sealed_alike() {
    for vector in vectors("encryptedCores") {
        let cipher = cipher(&vector);
        assert_eq!(number(&vector["padding"]), cipher.padding() as u64);
        let mut nonces = BTreeSet::new();
        for block in vector["blocks"].as_array().unwrap() {
            let (index, fork) = (number(&block["index"]), number(&block["fork"]));
            let (value, stored) = (unhex(&block["value"]), unhex(&block["stored"]));
            assert_eq!(hex::encode(cipher.seal(index, fork, &value)), hex::encode(&stored), "{block}");
            assert_eq!(cipher.open(index, &stored).unwrap(), value, "{block}");
            assert!(nonces.insert((index, stored[..8].to_vec())), "a nonce was used twice: {block}");
        }
    }
}
