//! Keys and records have the bytes that Node writes. The vectors are made by `interop/generate/storage.mjs`.

use compact_encoding::{Decode, Encode};
use hc_crypto::{DiscoveryKey, Namespace};
use hc_storage::keys::{self, Place};
use hc_storage::records::{CoreRecord, GroupRecord, HeadRecord, Hints, Record, Sessions, StoreHead};
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors/storage.json")).unwrap()
}

fn unhex(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn unhex32(value: &Value) -> Option<[u8; 32]> {
    value.as_str().map(|text| hex::decode(text).unwrap().try_into().unwrap())
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

/// What the fields of a vector say.
fn place(vector: &Value) -> Place {
    let (n, text) =
        (|name: &str| number(&vector[name]), |name: &str| vector[name].as_str().unwrap().to_owned());
    let bytes32 = |name: &str| unhex32(&vector[name]).unwrap();
    match vector["kind"].as_str().unwrap() {
        "store-head" => Place::StoreHead,
        "core" => Place::Core(DiscoveryKey::from(bytes32("discoveryKey"))),
        "alias" => Place::Alias { namespace: Namespace::from(bytes32("namespace")), name: text("name") },
        "auth" => Place::Auth { core: n("pointer") },
        "sessions" => Place::Sessions { core: n("pointer") },
        "group" => Place::Group { core: n("pointer") },
        "head" => Place::Head { data: n("pointer") },
        "dependency" => Place::Dependency { data: n("pointer") },
        "hints" => Place::Hints { data: n("pointer") },
        "block" => Place::Block { data: n("pointer"), index: n("index") },
        "tree-node" => Place::TreeNode { data: n("pointer"), index: n("index") },
        "bitfield-page" => Place::BitfieldPage { data: n("pointer"), page: n("index") },
        "user-data" => Place::UserData { data: n("pointer"), name: text("name") },
        "local" => Place::Local { data: n("pointer"), name: unhex(&vector["name"]) },
        "mark" => Place::Mark { data: n("pointer"), index: n("index") },
        "group-topic" => Place::GroupTopic(bytes32("topic")),
        "group-update" => {
            Place::GroupUpdate { group: n("group"), timestamp: n("timestamp"), core: n("pointer") }
        }
        other => panic!("a vector of an unknown kind: {other}"),
    }
}

#[test]
fn o1_keys_equal_nodes() {
    for vector in vectors()["keys"].as_array().unwrap() {
        let (place, key) = (place(vector), unhex(&vector["key"]));
        assert_eq!(place.key().as_ref(), key, "{place:?}");
        assert_eq!(Place::parse(&key), Ok(place));
    }
}

#[test]
fn o1_keys_that_are_cut_or_longer_are_refused() {
    for vector in vectors()["keys"].as_array().unwrap() {
        let (place, key) = (place(vector), unhex(&vector["key"]));
        let longer = [key.as_slice(), &[0]].concat();
        if !matches!(place, Place::Local { .. }) {
            assert!(Place::parse(&longer).is_err(), "{place:?}");
            assert!(Place::parse(&key[..key.len() - 1]).is_err(), "{place:?}");
        }
    }
}

/// A place of the kind of a record's vector.
fn place_of(kind: &str) -> Place {
    match kind {
        "store-head" | "store-head-v1" => Place::StoreHead,
        "core" => Place::Core(DiscoveryKey::from([0; 32])),
        "auth" => Place::Auth { core: 0 },
        "head" => Place::Head { data: 0 },
        "hints" => Place::Hints { data: 0 },
        "sessions" => Place::Sessions { core: 0 },
        "dependency" => Place::Dependency { data: 0 },
        "group" => Place::Group { core: 0 },
        "tree-node" => Place::TreeNode { data: 0, index: 0 },
        other => panic!("a vector of an unknown kind: {other}"),
    }
}

#[test]
fn o1_records_are_read_and_written_as_node_does() {
    for vector in vectors()["records"].as_array().unwrap() {
        let (kind, bytes) = (vector["kind"].as_str().unwrap(), unhex(&vector["bytes"]));
        let record =
            Record::parse(&place_of(kind), &bytes).unwrap_or_else(|error| panic!("{vector}: {error}"));
        check_fields(&record, &vector["value"]);
        if kind == "store-head-v1" {
            assert_eq!(record.to_vec()[0], 2, "version 1 is written as version 2");
        } else {
            assert_eq!(record.to_vec(), bytes, "{vector}");
        }
    }
}

fn check_fields(record: &Record, value: &Value) {
    let n = |name: &str| number(&value[name]);
    match record {
        Record::StoreHead(StoreHead { cores, datas, groups, seed, default_discovery_key }) => {
            let counters = [value["cores"].as_u64(), value["datas"].as_u64(), value["groups"].as_u64()];
            if counters[0].is_some() {
                assert_eq!([Some(*cores), Some(*datas), Some(*groups)], counters);
            }
            assert_eq!(*seed, unhex32(&value["seed"]));
            let default = unhex32(&value["defaultDiscoveryKey"]);
            assert_eq!(*default_discovery_key, default.map(DiscoveryKey::from));
        }
        Record::Core(CoreRecord { version, core_pointer, data_pointer, alias }) => {
            assert_eq!(
                [*version, *core_pointer, *data_pointer],
                [n("version"), n("corePointer"), n("dataPointer")]
            );
            assert_eq!(alias.as_ref().map(|alias| alias.name.as_str()), value["alias"]["name"].as_str());
        }
        Record::Auth(auth) => {
            assert_eq!(Some(*auth.key.as_bytes()), unhex32(&value["key"]));
            assert_eq!(auth.manifest.is_some(), !value["manifest"].is_null());
            assert_eq!(auth.key_pair.is_some(), !value["keyPair"].is_null());
            if let Some(manifest) = &auth.manifest {
                assert_eq!(manifest.version, number(&value["manifest"]["version"]));
                assert_eq!(manifest.signers.len(), value["manifest"]["signers"].as_array().unwrap().len());
            }
        }
        Record::Head(HeadRecord { fork, length, root_hash, signature, timestamp }) => {
            assert_eq!([*fork, *length, *timestamp], [n("fork"), n("length"), n("timestamp")]);
            assert_eq!(Some(*root_hash.as_bytes()), unhex32(&value["rootHash"]));
            assert_eq!(signature.is_some(), !value["signature"].is_null());
        }
        Record::Hints(Hints { contiguous_length, remote_contiguous_length, recovering }) => assert_eq!(
            [*contiguous_length, *remote_contiguous_length, *recovering],
            [n("contiguousLength"), n("remoteContiguousLength"), n("recovering")]
        ),
        Record::Sessions(Sessions(sessions)) => {
            let said = value.as_array().unwrap();
            assert_eq!(sessions.len(), said.len());
            for (session, said) in sessions.iter().zip(said) {
                assert_eq!(&*session.name, said["name"].as_str().unwrap());
                assert_eq!(session.data_pointer, number(&said["dataPointer"]));
            }
        }
        Record::Dependency(dependency) => {
            assert_eq!([dependency.data_pointer, dependency.length], [n("dataPointer"), n("length")]);
        }
        Record::Group(GroupRecord { topic, pointer }) => {
            assert_eq!((*topic, *pointer), (unhex32(&value["key"]), n("pointer")));
        }
        Record::TreeNode(node) => assert_eq!([node.index, node.size], [n("index"), n("size")]),
        other => panic!("no vector is of this kind: {other:?}"),
    }
}

#[test]
fn records_that_are_cut_are_refused() {
    for vector in vectors()["records"].as_array().unwrap() {
        let (kind, bytes) = (vector["kind"].as_str().unwrap(), unhex(&vector["bytes"]));
        for len in 0..bytes.len() {
            // a head of version 1 ends before its flags
            let read = Record::parse(&place_of(kind), &bytes[..len]);
            assert!(read.is_err() || kind == "head", "{vector} cut to {len}");
        }
    }
}

#[test]
fn o7_a_head_of_version_1_has_no_timestamp() {
    let record = HeadRecord {
        fork: 1,
        length: 2,
        root_hash: hc_crypto::Hash::from([3; 32]),
        signature: None,
        timestamp: 0,
    };
    let mut bytes = record.to_vec();
    bytes.pop();
    assert_eq!(HeadRecord::from_bytes(&bytes), Ok(record));
}

#[test]
fn o1_every_entry_of_a_store_of_nodes_is_understood() {
    for entry in vectors()["store"]["entries"].as_array().unwrap() {
        let (key, value) = (unhex(&entry[0]), unhex(&entry[1]));
        let place = Place::parse(&key).unwrap();
        assert_eq!(place.key().as_ref(), key);
        assert_eq!(Record::parse(&place, &value).unwrap().to_vec(), value, "{place:?}");
    }
    assert_eq!(keys::store_head().as_ref(), [0]);
}
