//! Stores.

use corestore::{Corestore, Target};
use futures_util::StreamExt;
use hypercore::{DiscoveryKey, Durability, Key, Namespace};
use serde_json::json;

use super::core::{core_options, handed_out};
use super::nothing;
use crate::agent::Agent;
use crate::fields::Fields;
use crate::reply::{Failure, Result, event};

pub(super) async fn open(agent: &Agent, fields: &Fields) -> Result {
    let mut builder = Corestore::builder();
    if let Some(primary_key) = fields.opt_hex("primaryKey")? {
        if !fields.flag("unsafe")? {
            return Err(Failure::bad_argument("a given primaryKey needs unsafe: true"));
        }
        builder = builder.primary_key(primary_key);
    }
    builder = builder.read_only(fields.flag("readOnly")?).durability(durability(fields)?);
    let store = match fields.opt_text("dir")? {
        Some(dir) => builder.open(dir).await?,
        None => builder.memory().await?,
    };
    let primary_key = hex::encode(store.primary_key());
    let id = agent.fresh();
    agent.handles().stores.put(id, store);
    Ok(json!({ "store": id, "primaryKey": primary_key }))
}

fn durability(fields: &Fields) -> Result<Durability> {
    match fields.opt_text("durability")? {
        None | Some("buffered") => Ok(Durability::Buffered),
        Some("sync") => Ok(Durability::Sync),
        Some(other) => Err(Failure::bad_argument(format!("unknown durability {other}"))),
    }
}

pub(super) async fn close(agent: &Agent, fields: &Fields) -> Result {
    agent.store(fields)?.close().await?;
    Ok(nothing())
}

pub(super) async fn suspend(agent: &Agent, fields: &Fields) -> Result {
    agent.store(fields)?.suspend().await?;
    Ok(nothing())
}

pub(super) async fn resume(agent: &Agent, fields: &Fields) -> Result {
    agent.store(fields)?.resume().await?;
    Ok(nothing())
}

pub(super) async fn audit(agent: &Agent, fields: &Fields) -> Result {
    let report = agent.store(fields)?.audit().await?;
    let problems = report.findings.iter().map(|finding| {
        json!({
            "discoveryKey": finding.core.map(|core| core.to_string()),
            "session": finding.session,
            "problem": finding.fault.to_string(),
            "repairable": finding.repairable,
        })
    });
    let problems: Vec<_> = problems.collect();
    Ok(json!({ "problems": problems }))
}

pub(super) fn list(agent: &Agent, fields: &Fields) -> Result {
    let namespace = fields.opt_hex("namespace")?.map(Namespace::from);
    let keys = agent.store(fields)?.list(namespace.as_ref())?;
    let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
    Ok(json!({ "discoveryKeys": keys }))
}

pub(super) fn session(agent: &Agent, fields: &Fields) -> Result {
    if fields.opt_uint("manifestVersion")?.is_some_and(|version| version != 1) {
        return Err(Failure::bad_argument("only manifest version 1 can be chosen"));
    }
    let store = agent.store(fields)?;
    handed_out_store(agent, store)
}

pub(super) fn namespace(agent: &Agent, fields: &Fields) -> Result {
    let store = agent.store(fields)?.namespace(fields.text("name")?);
    handed_out_store(agent, store)
}

fn handed_out_store(agent: &Agent, store: Corestore) -> Result {
    let id = agent.fresh();
    let namespace = store.current_namespace().to_string();
    agent.handles().stores.put(id, store);
    Ok(json!({ "store": id, "namespace": namespace }))
}

pub(super) async fn get(agent: &Agent, fields: &Fields) -> Result {
    let store = agent.store(fields)?;
    let core = store.get_with(target(fields)?, core_options(fields)?).await?;
    Ok(handed_out(agent, core))
}

fn target(fields: &Fields) -> Result<Target> {
    if let Some(name) = fields.opt_text("name")? {
        return Ok(Target::Name(name.to_owned()));
    }
    if let Some(key) = fields.opt_hex("key")? {
        return Ok(Target::Key(Key::from(key)));
    }
    if let Some(pair) = fields.opt_key_pair("keyPair")? {
        return Ok(Target::KeyPair(pair));
    }
    if let Some(manifest) = fields.manifest("manifest")? {
        return Ok(Target::Manifest(Box::new(manifest)));
    }
    match fields.opt_hex("discoveryKey")? {
        Some(key) => Ok(Target::DiscoveryKey(DiscoveryKey::from(key))),
        None => Err(Failure::bad_argument("one of name, key, keyPair, manifest, discoveryKey is needed")),
    }
}

pub(super) fn create_key_pair(agent: &Agent, fields: &Fields) -> Result {
    let pair = agent.store(fields)?.create_key_pair(fields.text("name")?);
    let secret = pair.secret_bytes();
    Ok(json!({ "publicKey": pair.public().to_string(), "secretKey": hex::encode(secret.as_slice()) }))
}

pub(super) async fn dump(fields: &Fields) -> Result {
    let entries = hypercore::storage::dump(fields.text("dir")?).await?;
    let entries: Vec<[String; 2]> =
        entries.into_iter().map(|(key, value)| [hex::encode(key), hex::encode(value)]).collect();
    Ok(json!({ "entries": entries }))
}

pub(super) fn group_updates(agent: &Agent, fields: &Fields) -> Result {
    let updates = agent.store(fields)?.group_updates(&fields.hex("topic")?, 0)?;
    let updates: Vec<String> = updates.iter().map(|key| hex::encode(key.as_bytes())).collect();
    Ok(json!({ "updates": updates }))
}

pub(super) fn watch_group(agent: &Agent, fields: &Fields) -> Result {
    let (mut updates, topic) = (Box::pin(agent.store(fields)?.watch_groups()), fields.hex::<32>("topic")?);
    tokio::spawn(async move {
        while let Some(update) = updates.next().await {
            if update.topic == topic {
                let key = hex::encode(update.key.as_bytes());
                let fields = json!({ "topic": hex::encode(topic), "key": key, "length": update.length, "fork": update.fork });
                event("group", None, fields);
            }
        }
    });
    Ok(nothing())
}
