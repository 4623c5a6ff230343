//! Messages as Node encodes them; made by `interop/generate/wire.mjs`.

use bytes::Bytes;
use compact_encoding::Encode;
use hc_protocol::wire::{Data, Message, Want};
use hc_tree::Node;
use serde_json::{Value, json};

fn nodes(nodes: &[Node]) -> Value {
    nodes.iter().map(|node| json!([node.index, node.size, hex::encode(node.hash.as_bytes())])).collect()
}

fn data(data: &Data) -> Value {
    json!({
        "request": data.request,
        "fork": data.fork,
        "block": data.block.as_ref().map(|block| json!({
            "index": block.index, "value": hex::encode(&block.value), "nodes": nodes(&block.nodes),
        })),
        "hash": data.hash.as_ref().map(|hash| json!({ "index": hash.index, "nodes": nodes(&hash.nodes) })),
        "seek": data.seek.as_ref().map(|seek| json!({ "bytes": seek.bytes, "nodes": nodes(&seek.nodes) })),
        "upgrade": data.upgrade.as_ref().map(|upgrade| json!({
            "start": upgrade.start,
            "length": upgrade.length,
            "nodes": nodes(&upgrade.nodes),
            "additionalNodes": nodes(&upgrade.additional_nodes),
            "signature": hex::encode(&upgrade.signature),
        })),
        "manifest": data.manifest.as_ref().map(|_| "a manifest"),
    })
}

fn want(want: &Want) -> Value {
    json!({ "start": want.start, "length": want.length, "any": want.any })
}

fn fields(message: &Message) -> Value {
    match message {
        Message::Sync(sync) => json!({
            "fork": sync.fork, "length": sync.length, "remoteLength": sync.remote_length,
            "canUpgrade": sync.can_upgrade, "uploading": sync.uploading, "downloading": sync.downloading,
            "hasManifest": sync.has_manifest, "allowPush": sync.allow_push,
        }),
        Message::Request(request) => json!({
            "id": request.id, "fork": request.fork,
            "block": request.block.map(|block| json!({ "index": block.index, "nodes": block.nodes })),
            "hash": request.hash.map(|hash| json!({ "index": hash.index, "nodes": hash.nodes })),
            "seek": request.seek.map(|seek| json!({ "bytes": seek.bytes, "padding": seek.padding })),
            "upgrade": request.upgrade.map(|upgrade| json!({ "start": upgrade.start, "length": upgrade.length })),
            "manifest": request.manifest, "priority": request.priority,
        }),
        Message::Cancel(cancel) => json!({ "request": cancel.request }),
        Message::Data(message) => data(message),
        Message::NoData(none) => json!({ "request": none.request, "reason": none.reason }),
        Message::Want(message) | Message::Unwant(message) => want(message),
        Message::Bitfield(bits) => json!({ "start": bits.start, "bitfield": bits.bitfield }),
        Message::Range(range) => json!({ "drop": range.drop, "start": range.start, "length": range.length }),
        Message::Extension(extension) => {
            json!({ "name": extension.name, "message": hex::encode(&extension.message) })
        }
        Message::Unknown { .. } => Value::Null,
    }
}

#[test]
fn messages_are_encoded_as_node_does() {
    let vectors: Value = serde_json::from_str(include_str!("vectors/wire.json")).unwrap();
    let messages = vectors["messages"].as_array().unwrap();
    let mut seen = [0; 10];
    for vector in messages {
        let type_id = vector["type"].as_u64().unwrap();
        let bytes = Bytes::from(hex::decode(vector["hex"].as_str().unwrap()).unwrap());
        let message = Message::decode(type_id, &bytes).unwrap();
        assert_eq!(fields(&message), vector["fields"]);
        assert_eq!(message.type_id(), type_id);
        assert_eq!(hex::encode(message.to_vec()), vector["hex"].as_str().unwrap(), "{vector}");
        // what a later version may add is ignored
        if type_id != 9 && !matches!(message, Message::NoData(_) | Message::Want(_) | Message::Unwant(_)) {
            let longer = Bytes::from([&bytes[..], &[0xff; 3]].concat());
            assert_eq!(Message::decode(type_id, &longer), Ok(message));
        }
        seen[usize::try_from(type_id).unwrap()] += 1;
    }
    assert!(seen.iter().all(|count| *count > 1), "{seen:?}");
}
