//! The operations, by what they act on.

mod core;
mod events;
mod log;
mod network;
mod proof;
mod session;
mod store;

use serde_json::{Value, json};

use crate::agent::Agent;
use crate::fields::Fields;
use crate::reply::{Failure, Result};

/// Runs an operation by name.
pub(crate) async fn run(agent: &Agent, op: &str, fields: &Fields) -> Result {
    match op {
        "store.open" => store::open(agent, fields).await,
        "store.close" => store::close(agent, fields).await,
        "store.suspend" => store::suspend(agent, fields).await,
        "store.resume" => store::resume(agent, fields).await,
        "store.audit" => store::audit(agent, fields).await,
        "store.list" => store::list(agent, fields),
        "store.session" => store::session(agent, fields),
        "store.namespace" => store::namespace(agent, fields),
        "store.get" => store::get(agent, fields).await,
        "store.createKeyPair" => store::create_key_pair(agent, fields),
        "group.watch" => store::watch_group(agent, fields),
        "group.updates" => store::group_updates(agent, fields),
        "core.open" => core::open(agent, fields).await,
        "core.state" => core::state(agent, fields),
        "core.session" => session::session(agent, fields).await,
        "core.commit" => session::commit(agent, fields).await,
        "core.moveTo" => session::move_to(agent, fields).await,
        "core.copyPrologue" => session::copy_prologue(agent, fields).await,
        "core.setKeyPair" => session::set_key_pair(agent, fields),
        "core.setManifest" => session::set_manifest(agent, fields).await,
        "core.setEncryption" => session::set_encryption(agent, fields),
        "core.setGroup" => session::set_group(agent, fields).await,
        "core.close" => core::close(agent, fields).await,
        "core.purge" => session::purge(agent, fields).await,
        "core.compact" => session::compact(agent, fields).await,
        "core.recover" => session::recover(agent, fields).await,
        "atom.create" => session::create_atom(agent, fields),
        "atom.flush" => session::flush_atom(agent, fields).await,
        "userData.set" => session::set_user_data(agent, fields).await,
        "userData.get" => session::user_data(agent, fields).await,
        "marks.start" => session::start_marking(agent, fields).await,
        "marks.mark" => session::mark(agent, fields).await,
        "marks.clear" => session::clear_marks(agent, fields).await,
        "marks.sweep" => session::sweep(agent, fields).await,
        "events.subscribe" => events::subscribe(agent, fields),
        "findingPeers.start" => core::finding_peers(agent, fields),
        "findingPeers.done" => core::found_peers(agent, fields),
        "append" => log::append(agent, fields).await,
        "appendMany" => log::append_many(agent, fields).await,
        "appendConcurrent" => log::append_concurrent(agent, fields).await,
        "get" => log::get(agent, fields).await,
        "getMany" => log::get_many(agent, fields).await,
        "has" => log::has(agent, fields).await,
        "update" => log::update(agent, fields).await,
        "download" => log::download(agent, fields).await,
        "download.start" => log::start_download(agent, fields),
        "download.stop" => log::stop_download(agent, fields),
        "bytes" => log::bytes(agent, fields).await,
        "seek" => log::seek(agent, fields).await,
        "truncate" => log::truncate(agent, fields).await,
        "clear" => log::clear(agent, fields).await,
        "treeHash" => proof::tree_hash(agent, fields).await,
        "signable" => proof::signable(agent, fields).await,
        "missingNodes" => proof::missing_nodes(agent, fields).await,
        "proof" => proof::proof(agent, fields).await,
        "applyProof" => proof::apply(agent, fields).await,
        "verifyFullyRemote" => proof::verify_fully_remote(agent, fields),
        "info" => session::info(agent, fields).await,
        "peers" => network::peers(agent, fields),
        "replicate.listen" => network::listen(agent, fields).await,
        "replicate.connect" => network::connect(agent, fields).await,
        "replicate.attach" => network::attach(agent, fields).await,
        "replicate.stop" => network::stop(agent, fields),
        "dump" => store::dump(fields).await,
        "memory" => memory(),
        _ => Err(Failure::bad_argument(format!("unknown operation {op}"))),
    }
}

fn memory() -> Result {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: Option<u64> = line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse().ok());
    let kib = kib.ok_or_else(|| Failure::bad_argument("this system does not tell the resident size"))?;
    Ok(json!({ "rssBytes": kib * 1024 }))
}

/// The reply of an operation that returns nothing.
fn nothing() -> Value {
    json!({})
}
