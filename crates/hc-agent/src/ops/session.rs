//! Sessions and what can be changed of one, atoms, records beside the log, what is done with a core as a whole.

use hypercore::{Atom, CommitOptions};
use serde_json::{Value, json};

use super::core::{handed_out, session_options};
use super::nothing;
use crate::agent::Agent;
use crate::fields::{Fields, b64};
use crate::reply::{Failure, Result};

pub(super) async fn session(agent: &Agent, fields: &Fields) -> Result {
    let mut options = session_options(fields)?;
    if let Some(name) = fields.opt_text("name")? {
        options = options.name(name).overwrite(fields.flag("overwrite")?);
    }
    if let Some(length) = fields.opt_uint("checkout")? {
        options = options.checkout(length);
    }
    if let Some(atom) = fields.opt_uint("atom")? {
        options = options.atom(&agent.handles().atoms.get("atom", atom)?);
    }
    let session = agent.core(fields)?.session(options.snapshot(fields.flag("snapshot")?)).await?;
    Ok(handed_out(agent, session))
}

pub(super) async fn commit(agent: &Agent, fields: &Fields) -> Result {
    let mut options = CommitOptions::new();
    if let Some(length) = fields.opt_uint("length")? {
        options = options.length(length);
    }
    if let Some(signature) = fields.opt_hex_bytes("signature")? {
        options = options.signature(signature);
    }
    if let Some(pair) = fields.opt_key_pair("keyPair")? {
        options = options.key_pair(pair);
    }
    let session = agent.handles().cores.get("core", fields.uint("session")?)?;
    let committed = agent.core(fields)?.commit_with(&session, options).await?;
    Ok(committed.map_or_else(
        || json!({ "length": null }),
        |done| json!({ "length": done.length, "byteLength": done.byte_length }),
    ))
}

/// The session becomes one of another core.
pub(super) async fn move_to(agent: &Agent, fields: &Fields) -> Result {
    let target = agent.handles().cores.get("core", fields.uint("target")?)?;
    agent.core(fields)?.move_to(&target, fields.uint("length")?).await?;
    Ok(nothing())
}

pub(super) async fn copy_prologue(agent: &Agent, fields: &Fields) -> Result {
    let source = agent.handles().cores.get("core", fields.uint("source")?)?;
    agent.core(fields)?.copy_prologue(&source).await?;
    Ok(nothing())
}

pub(super) fn set_key_pair(agent: &Agent, fields: &Fields) -> Result {
    agent.core(fields)?.set_key_pair(fields.key_pair("keyPair")?);
    Ok(nothing())
}

pub(super) async fn set_manifest(agent: &Agent, fields: &Fields) -> Result {
    let manifest =
        fields.manifest("manifest")?.ok_or_else(|| Failure::bad_argument("field manifest is missing"))?;
    agent.core(fields)?.set_manifest(manifest).await?;
    Ok(nothing())
}

pub(super) fn set_encryption(agent: &Agent, fields: &Fields) -> Result {
    agent.core(fields)?.set_encryption(fields.opt_encryption("encryption")?);
    Ok(nothing())
}

pub(super) async fn set_group(agent: &Agent, fields: &Fields) -> Result {
    agent.core(fields)?.set_group(fields.hex("group")?).await?;
    Ok(nothing())
}

pub(super) async fn purge(agent: &Agent, fields: &Fields) -> Result {
    agent.core(fields)?.purge().await?;
    Ok(nothing())
}

pub(super) async fn compact(agent: &Agent, fields: &Fields) -> Result {
    agent.core(fields)?.compact().await?;
    Ok(nothing())
}

pub(super) async fn recover(agent: &Agent, fields: &Fields) -> Result {
    agent.core(fields)?.recover().await?;
    Ok(nothing())
}

pub(super) fn create_atom(agent: &Agent, fields: &Fields) -> Result {
    let atom = match fields.opt_uint("store")? {
        Some(_) => agent.store(fields)?.atom(),
        None => agent.core(fields)?.atom(),
    };
    let id = agent.fresh();
    agent.handles().atoms.put(id, atom);
    Ok(json!({ "atom": id }))
}

pub(super) async fn flush_atom(agent: &Agent, fields: &Fields) -> Result {
    let atom: Atom = agent.handles().atoms.get("atom", fields.uint("atom")?)?;
    atom.flush().await?;
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

pub(super) async fn info(agent: &Agent, fields: &Fields) -> Result {
    let core = agent.core(fields)?;
    let info = if fields.flag("storage")? { core.info_with_storage().await? } else { core.info().await? };
    let storage: Value = info.storage.map_or(Value::Null, |space| {
        json!({
            "oplog": space.other, "tree": space.tree, "blocks": space.blocks, "bitfield": space.bitfield,
        })
    });
    Ok(json!({
        "key": hex::encode(info.key.as_bytes()),
        "discoveryKey": info.discovery_key.to_string(),
        "length": info.length,
        "contiguousLength": info.contiguous_length,
        "byteLength": info.byte_length,
        "fork": info.fork,
        "padding": info.padding,
        "storage": storage,
    }))
}

pub(super) async fn start_marking(agent: &Agent, fields: &Fields) -> Result {
    agent.core(fields)?.start_marking().await?;
    Ok(nothing())
}

pub(super) async fn mark(agent: &Agent, fields: &Fields) -> Result {
    let start = fields.uint("start")?;
    let end = fields.opt_uint("end")?.unwrap_or_else(|| start.saturating_add(1));
    agent.core(fields)?.mark(start..end).await?;
    Ok(nothing())
}

pub(super) async fn clear_marks(agent: &Agent, fields: &Fields) -> Result {
    agent.core(fields)?.clear_marks().await?;
    Ok(nothing())
}

pub(super) async fn sweep(agent: &Agent, fields: &Fields) -> Result {
    agent.core(fields)?.sweep().await?;
    Ok(nothing())
}
