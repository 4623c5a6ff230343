//! What happens to a core, told as it happens.

use futures_util::StreamExt;
use hypercore::Event;
use serde_json::json;

use super::nothing;
use crate::agent::Agent;
use crate::fields::Fields;
use crate::reply::{Result, event};

pub(super) fn subscribe(agent: &Agent, fields: &Fields) -> Result {
    let (id, mut events) = (fields.uint("core")?, agent.core(fields)?.events());
    tokio::spawn(async move {
        while let Some(happened) = events.next().await {
            tell(id, &happened);
        }
    });
    Ok(nothing())
}

fn tell(core: u64, happened: &Event) {
    match happened {
        Event::Append { length, .. } => event("append", core, json!({ "length": length })),
        Event::Truncate { length, fork } => {
            event("truncate", core, json!({ "ancestors": length, "fork": fork }));
        }
        Event::Download { index, byte_length, .. } => {
            event("download", core, json!({ "index": index, "byteLength": byte_length }));
        }
        Event::Upload { index, byte_length, .. } => {
            event("upload", core, json!({ "index": index, "byteLength": byte_length }));
        }
        Event::Migrate { key } => event("migrate", core, json!({ "key": hex::encode(key.as_bytes()) })),
        Event::PeerAdd { .. } => event("peer-add", core, json!({})),
        Event::PeerRemove { .. } => event("peer-remove", core, json!({})),
        Event::Manifest => event("manifest", core, json!({})),
        Event::Repairing => event("repairing", core, json!({})),
        Event::Repaired => event("repaired", core, json!({})),
        Event::RemoteContiguousLength { length } => {
            event("remote-contiguous-length", core, json!({ "length": length }));
        }
        Event::VerificationError { reason, .. } => {
            event("verification-error", core, json!({ "message": reason }));
        }
        Event::Close => event("close", core, json!({})),
        _ => {}
    }
}
