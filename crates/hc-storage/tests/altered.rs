//! A store whose records were altered answers with typed errors, and never panics.

use std::sync::Arc;

use hc_storage::keys::{Key, Place};
use hc_storage::{Kv, MemKv, StorageError, Store, WriteBatch};
use proptest::prelude::*;

fn entries() -> Vec<(Vec<u8>, Vec<u8>)> {
    let vectors: serde_json::Value = serde_json::from_str(include_str!("vectors/storage.json")).unwrap();
    let unhex = |value: &serde_json::Value| hex::decode(value.as_str().unwrap()).unwrap();
    vectors["store"]["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (unhex(&entry[0]), unhex(&entry[1])))
        .collect()
}

/// Reads everything that there is to read; the errors that came.
fn read_all(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<StorageError> {
    let kv = MemKv::new();
    let mut batch = WriteBatch::new();
    for (key, value) in entries {
        batch.put(Key::from(key.as_slice()), value.clone());
    }
    kv.commit(batch).unwrap();
    let store = match Store::open(Arc::new(kv)) {
        Ok(store) => store,
        Err(error) => return vec![error],
    };
    let mut errors: Vec<StorageError> = Vec::new();
    errors.extend(store.aliases(&hc_crypto::Namespace::from([0; 32])).err());
    let discovery_keys = store.discovery_keys().unwrap_or_else(|error| {
        errors.push(error);
        Vec::new()
    });
    for discovery_key in discovery_keys {
        let core = match store.resume_core(&discovery_key) {
            Ok(Some(core)) => core,
            Ok(None) => continue,
            Err(error) => {
                errors.push(error);
                continue;
            }
        };
        errors.extend(core.auth().err());
        errors.extend(core.hints().err());
        errors.extend(core.sessions().err());
        errors.extend(core.bitfield().map(|bits| bits.ranges().count()).err());
        errors.extend(core.blocks(0, u64::MAX, usize::MAX).err());
        errors.extend(core.tree_nodes_and_block([0, 1, 2, u64::MAX].into_iter(), Some(0)).err());
        match core.head() {
            Ok(Some(head)) => errors.extend(core.tree_head(&head).err()),
            Ok(None) => {}
            Err(error) => errors.push(error),
        }
    }
    errors
}

#[test]
fn a_store_of_nodes_reads_without_errors() {
    assert!(read_all(&entries()).is_empty());
}

#[test]
fn a_cut_record_is_named_with_its_key() {
    for (at, (key, value)) in entries().into_iter().enumerate() {
        if matches!(Place::parse(&key).unwrap(), Place::Block { .. } | Place::UserData { .. }) {
            continue;
        }
        // a head without its flags and its timestamp is one of version 1
        let cut = if value.len() > 20 { value.len() - 20 } else { value.len() - 1 };
        let mut altered = entries();
        altered[at].1.truncate(cut);
        let errors = read_all(&altered);
        assert!(!errors.is_empty(), "{}", hex::encode(&key));
        for error in errors {
            match error {
                StorageError::Corrupt { key: named, .. } => assert_eq!(named, key),
                other => panic!("{}: {other}", hex::encode(&key)),
            }
        }
    }
}

fn is_typed(error: &StorageError) -> bool {
    matches!(error, StorageError::Corrupt { .. } | StorageError::Tree { .. } | StorageError::Unsupported(_))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn an_altered_byte_is_no_panic(at: prop::sample::Index, byte: prop::sample::Index, value: u8, in_key in prop::bool::weighted(0.2)) {
        let mut entries = entries();
        let at = at.index(entries.len());
        let bytes = if in_key { &mut entries[at].0 } else { &mut entries[at].1 };
        if !bytes.is_empty() {
            let byte = byte.index(bytes.len());
            bytes[byte] = value;
        }
        prop_assert!(read_all(&entries).iter().all(is_typed));
    }

    #[test]
    fn any_bytes_as_a_record_are_no_panic(at: prop::sample::Index, value: Vec<u8>) {
        let mut entries = entries();
        let at = at.index(entries.len());
        entries[at].1 = value;
        prop_assert!(read_all(&entries).iter().all(is_typed));
    }

    #[test]
    fn any_bytes_are_a_key_or_an_error(bytes: Vec<u8>) {
        if let Ok(place) = Place::parse(&bytes) {
            // a long form of a small number is read, and written short
            prop_assert_eq!(Place::parse(&place.key()), Ok(place));
        }
    }
}
