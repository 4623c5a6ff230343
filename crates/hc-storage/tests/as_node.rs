//! The same operations leave the same keys and values as Node's: the store of `interop/generate/storage.mjs`, made here.

use std::sync::Arc;

use bytes::Bytes;
use hc_crypto::{Key, KeyPair, Manifest, Namespace, Verifier};
use hc_storage::{Alias, CoreInit, CoreStorage, MemKv, Store};
use hc_tree::bitfield::BitChange;
use hc_tree::{Batch, LocalBitfield, TreeHead};
use serde_json::Value;

struct Log {
    disk: CoreStorage,
    verifier: Verifier,
    pair: KeyPair,
    head: TreeHead,
    bits: LocalBitfield,
}

impl Log {
    fn create(store: &Store, key: Key, pair: KeyPair, alias: Option<Alias>) -> Self {
        let manifest = Manifest::single(pair.public());
        let (known, key_pair) = (Some(manifest.clone()), Some(pair.clone()));
        let init = CoreInit { key, manifest: known, key_pair, alias, user_data: Vec::new() };
        let disk = store.create_core(&init).unwrap();
        let verifier = Verifier::new(key, manifest).unwrap();
        Self { disk, verifier, pair, head: TreeHead::empty(0), bits: LocalBitfield::new() }
    }

    fn append(&mut self, blocks: &[&'static str], timestamp: u64) {
        let blocks: Vec<Bytes> = blocks.iter().map(|block| Bytes::from(*block)).collect();
        let mut batch = Batch::new(&self.head);
        for block in &blocks {
            batch.append(block);
        }
        let signed = batch.finish().sign(&self.verifier, &self.pair).unwrap();
        let bits =
            BitChange { start: signed.change().ancestors(), end: signed.change().head().length(), set: true };
        let mut write = self.disk.write();
        write.change(&signed, &blocks, timestamp);
        for (page, bytes) in self.bits.pages_with(&[bits]) {
            write.bitfield_page(page, &bytes);
        }
        let mut hints = self.disk.hints().unwrap();
        hints.contiguous_length = signed.change().head().length();
        write.hints(&hints);
        self.disk.commit(write).unwrap();
        self.bits.apply(bits);
        self.head = signed.into_head().0;
    }
}

#[test]
fn s39_the_same_operations_leave_the_same_bytes_as_nodes() {
    let vectors: Value = serde_json::from_str(include_str!("vectors/storage.json")).unwrap();
    let said = &vectors["store"];
    let unhex = |value: &Value| hex::decode(value.as_str().unwrap()).unwrap();
    let primary_key: [u8; 32] = unhex(&said["primaryKey"]).try_into().unwrap();
    let timestamp = said["timestamp"].as_u64().unwrap();

    let store = Store::open(Arc::new(MemKv::new())).unwrap();
    store.set_seed(&primary_key).unwrap();
    let pair = KeyPair::for_name(&primary_key, &Namespace::corestore_default(), b"log");
    let alias = Alias { namespace: Namespace::from([0; 32]), name: "log".into() };
    let mut log = Log::create(&store, Manifest::single(pair.public()).key(), pair, Some(alias));
    log.append(&["hello", "world"], timestamp);
    log.append(&[""], timestamp);
    let key = Key::from([9; 32]);
    store
        .create_core(&CoreInit { key, manifest: None, key_pair: None, alias: None, user_data: Vec::new() })
        .unwrap();
    let pair = KeyPair::from_seed(&[13; 32]);
    let mut compat = Log::create(&store, Key::from(pair.public().as_bytes()), pair, None);
    compat.append(&["compat"], timestamp);

    let nodes: Vec<(Vec<u8>, Vec<u8>)> = said["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (unhex(&entry[0]), unhex(&entry[1])))
        .collect();
    let ours = store.dump().unwrap();
    for (ours, nodes) in ours.iter().zip(&nodes) {
        assert_eq!(
            (hex::encode(&ours.0), hex::encode(&ours.1)),
            (hex::encode(&nodes.0), hex::encode(&nodes.1))
        );
    }
    assert_eq!(ours.len(), nodes.len());
}
