//! Cores: opening, state, closing.

use hypercore::{Hypercore, Key, OpenOptions, ReplicationOptions, SessionOptions};
use serde_json::{Value, json};

use super::nothing;
use crate::agent::Agent;
use crate::fields::{Fields, b64};
use crate::reply::{Failure, Result};

pub(super) fn core_options(fields: &Fields) -> Result<OpenOptions> {
    let mut options = OpenOptions::new()
        .create_if_missing(fields.opt_bool("createIfMissing")?.unwrap_or(true))
        .overwrite(fields.flag("overwrite")?)
        .compat(fields.flag("compat")?)
        .session(session_options(fields)?);
    if let Some(replication) = replication(fields)? {
        options = options.replication(replication);
    }
    if let Some(topic) = fields.opt_hex("group")? {
        options = options.group(topic);
    }
    for (key, value) in fields.records("userData")? {
        options = options.user_data(key, value);
    }
    Ok(options)
}

/// How the core is to behave towards peers, if anything is said of it.
fn replication(fields: &Fields) -> Result<Option<ReplicationOptions>> {
    let (eager, range) = (fields.opt_bool("eagerUpgrade")?, fields.uint_list("inflightRange")?);
    if eager.is_none() && range.is_none() {
        return Ok(None);
    }
    let mut replication = ReplicationOptions::default();
    replication.eager_upgrade = eager.unwrap_or(replication.eager_upgrade);
    if let Some(range) = range {
        let [least, most] = range[..] else {
            return Err(Failure::bad_argument("inflightRange is not two integers"));
        };
        let bound =
            |n: u64| u32::try_from(n).map_err(|_| Failure::bad_argument("inflightRange is too large"));
        replication.inflight_range = (bound(least)?, bound(most)?);
    }
    Ok(Some(replication))
}

pub(super) fn session_options(fields: &Fields) -> Result<SessionOptions> {
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
    if let Some(encryption) = fields.opt_encryption("encryption")? {
        options = options.encryption(encryption);
    }
    Ok(options.exclusive(fields.flag("exclusive")?))
}

pub(super) async fn open(agent: &Agent, fields: &Fields) -> Result {
    let mut options = core_options(fields)?;
    if let Some(key) = fields.opt_hex("key")? {
        options = options.key(Key::from(key));
    }
    if let Some(pair) = fields.opt_key_pair("keyPair")? {
        options = options.key_pair(pair);
    }
    if let Some(manifest) = fields.manifest("manifest")? {
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
        "signedLength": core.signed_length(),
        "fork": core.fork(),
        "writable": core.writable(),
        "padding": core.padding(),
    })
}

pub(super) fn state(agent: &Agent, fields: &Fields) -> Result {
    Ok(describe(fields.uint("core")?, &agent.core(fields)?))
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
