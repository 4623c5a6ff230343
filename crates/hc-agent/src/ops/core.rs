//! Cores: opening, state, sessions, events, records beside the log.

use futures_util::StreamExt;
use hypercore::{Event, Hypercore, Key, Manifest, OpenOptions, ReplicationOptions, SessionOptions};
use serde_json::{Value, json};

use super::nothing;
use crate::agent::Agent;
use crate::fields::{Fields, b64};
use crate::reply::{Failure, Result, event};

pub(super) fn core_options(fields: &Fields) -> Result<OpenOptions> {
    let mut options = OpenOptions::new()
        .create_if_missing(fields.opt_bool("createIfMissing")?.unwrap_or(true))
        .overwrite(fields.flag("overwrite")?)
        .compat(fields.flag("compat")?)
        .session(session_options(fields)?);
    let mut replication = ReplicationOptions::default();
    if let Some(eager) = fields.opt_bool("eagerUpgrade")? {
        replication.eager_upgrade = eager;
    }
    if let Some(range) = fields.uint_list("inflightRange")? {
        let [least, most] = range[..] else {
            return Err(Failure::bad_argument("inflightRange is not two integers"));
        };
        let bound =
            |n: u64| u32::try_from(n).map_err(|_| Failure::bad_argument("inflightRange is too large"));
        replication.inflight_range = (bound(least)?, bound(most)?);
    }
    options = options.replication(replication);
    if let Some(Value::Object(records)) = fields.0.get("userData") {
        for (key, value) in records {
            options = options.user_data(key, value.as_str().unwrap_or_default().as_bytes());
        }
    }
    Ok(options)
}

fn session_options(fields: &Fields) -> Result<SessionOptions> {
    let mut options = SessionOptions::new();
    if let Some(writable) = fields.opt_bool("writable")? {
        options = options.writable(writable);
    }
    if let Some(wait) = fields.opt_bool("wait")? {
        options = options.wait(wait);
    }
    if let Some(timeout) = fields.millis("timeout")? {
        options = options.timeout(timeout);
    }
    if let Some(weak) = fields.opt_bool("weak")? {
        options = options.weak(weak);
    }
    Ok(options)
}

pub(super) async fn open(agent: &Agent, fields: &Fields) -> Result {
    let mut options = core_options(fields)?;
    if let Some(key) = fields.opt_hex("key")? {
        options = options.key(Key::from(key));
    }
    if let Some(pair) = fields.opt_key_pair("keyPair")? {
        options = options.key_pair(pair);
    }
    if let Some(manifest) = fields.opt_b64("manifest")? {
        let manifest =
            Manifest::parse(&manifest).map_err(|error| Failure::bad_argument(error.to_string()))?;
        options = options.manifest(manifest);
    }
    let core = match fields.opt_text("dir")? {
        Some(dir) => options.open(dir).await?,
        None => options.memory().await?,
    };
    Ok(handed_out(agent, core))
}

/// Gives a core a number, and tells its state.
pub(super) fn handed_out(agent: &Agent, core: Hypercore) -> Value {
    let id = agent.fresh();
    let described = describe(id, &core);
    agent.handles().cores.put(id, core);
    described
}

fn describe(id: u64, core: &Hypercore) -> Value {
    json!({
        "core": id,
        "key": hex::encode(core.key().as_bytes()),
        "id": core.id(),
        "discoveryKey": core.discovery_key().to_string(),
        "manifest": core.manifest().map(|manifest| b64(&manifest.to_bytes())),
        "length": core.length(),
        "byteLength": core.byte_length(),
        "contiguousLength": core.contiguous_length(),
        "remoteContiguousLength": core.remote_contiguous_length(),
        "signedLength": core.length(),
        "fork": core.fork(),
        "writable": core.writable(),
        "padding": core.padding(),
    })
}

pub(super) fn state(agent: &Agent, fields: &Fields) -> Result {
    Ok(describe(fields.uint("core")?, &agent.core(fields)?))
}

pub(super) async fn session(agent: &Agent, fields: &Fields) -> Result {
    for later in ["name", "checkout", "snapshot", "atom"] {
        if fields.0.get(later).is_some_and(|value| !value.is_null() && *value != Value::Bool(false)) {
            return Err(Failure::bad_argument(format!("sessions with {later} are not there yet")));
        }
    }
    let session = agent.core(fields)?.session(session_options(fields)?).await?;
    Ok(handed_out(agent, session))
}

pub(super) async fn close(agent: &Agent, fields: &Fields) -> Result {
    agent.core(fields)?.close().await?;
    Ok(nothing())
}

pub(super) fn finding_peers(agent: &Agent, fields: &Fields) -> Result {
    let guard = agent.core(fields)?.finding_peers();
    agent.handles().finding.put(fields.uint("core")?, guard);
    Ok(nothing())
}

pub(super) fn found_peers(agent: &Agent, fields: &Fields) -> Result {
    drop(agent.handles().finding.take(fields.uint("core")?));
    Ok(nothing())
}

pub(super) async fn set_user_data(agent: &Agent, fields: &Fields) -> Result {
    let value = fields.opt_b64("value")?;
    agent.core(fields)?.set_user_data(fields.text("key")?, value.as_deref()).await?;
    Ok(nothing())
}

pub(super) async fn user_data(agent: &Agent, fields: &Fields) -> Result {
    let value = agent.core(fields)?.user_data(fields.text("key")?).await?;
    Ok(json!({ "value": value.map(|value| b64(&value)) }))
}

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
        Event::Download { index, byte_length, .. } => {
            event("download", core, json!({ "index": index, "byteLength": byte_length }));
        }
        Event::Upload { index, byte_length, .. } => {
            event("upload", core, json!({ "index": index, "byteLength": byte_length }));
        }
        Event::PeerAdd { .. } => event("peer-add", core, json!({})),
        Event::PeerRemove { .. } => event("peer-remove", core, json!({})),
        Event::Manifest => event("manifest", core, json!({})),
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
