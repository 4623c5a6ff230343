//! Connections: TCP on loopback.

use std::sync::Arc;

use corestore::Corestore;
use hypercore::replication::ReplicationBuilder;
use hypercore::{Hypercore, KeyPair, Replication, Role};
use parking_lot::Mutex;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::nothing;
use crate::agent::{Agent, Running};
use crate::fields::Fields;
use crate::reply::{Failure, Result};

/// What is replicated: a whole store, or one core.
#[derive(Clone)]
enum What {
    Store(Corestore),
    Core(Hypercore),
}

impl What {
    fn of(agent: &Agent, fields: &Fields) -> Result<Self> {
        match fields.opt_uint("store")? {
            Some(_) => agent.store(fields).map(Self::Store),
            None => agent.core(fields).map(Self::Core),
        }
    }

    fn replicate(&self, transport: TcpStream, role: Role, key_pair: Option<KeyPair>) -> Result<Replication> {
        transport.set_nodelay(true)?;
        let builder =
            key_pair.map_or_else(ReplicationBuilder::new, |pair| ReplicationBuilder::new().key_pair(pair));
        Ok(match self {
            Self::Store(store) => store.replicate_with(transport, role, builder)?,
            Self::Core(core) => core.replicate_with(transport, role, builder)?,
        })
    }
}

pub(super) async fn listen(agent: &Agent, fields: &Fields) -> Result {
    let (what, key_pair) = (What::of(agent, fields)?, fields.opt_key_pair("keyPair")?);
    let listener = TcpListener::bind(("127.0.0.1", port(fields)?.unwrap_or(0))).await?;
    let port = listener.local_addr()?.port();
    let running = Running { connections: Arc::new(Mutex::default()), stop: CancellationToken::new() };
    let id = agent.fresh();
    agent.handles().replications.put(id, running.clone());
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = running.stop.cancelled() => return,
            };
            let Ok((transport, _)) = accepted else { continue };
            if let Ok(replication) = what.replicate(transport, Role::Responder, key_pair.clone()) {
                let mut connections = running.connections.lock();
                connections.retain(|connection| !connection.is_closed());
                connections.push(replication);
            }
        }
    });
    Ok(json!({ "port": port, "replication": id }))
}

pub(super) async fn connect(agent: &Agent, fields: &Fields) -> Result {
    let (what, key_pair) = (What::of(agent, fields)?, fields.opt_key_pair("keyPair")?);
    let port = port(fields)?.ok_or_else(|| Failure::bad_argument("field port is missing"))?;
    let transport = TcpStream::connect(("127.0.0.1", port)).await?;
    let replication = what.replicate(transport, Role::Initiator, key_pair)?;
    let running =
        Running { connections: Arc::new(Mutex::new(vec![replication])), stop: CancellationToken::new() };
    let id = agent.fresh();
    agent.handles().replications.put(id, running);
    Ok(json!({ "replication": id }))
}

fn port(fields: &Fields) -> Result<Option<u16>> {
    let port = fields.opt_uint("port")?.map(u16::try_from).transpose();
    port.map_err(|_| Failure::bad_argument("field port is not a port"))
}

fn running(agent: &Agent, fields: &Fields) -> Result<Running> {
    agent.handles().replications.get("replication", fields.uint("replication")?)
}

pub(super) async fn attach(agent: &Agent, fields: &Fields) -> Result {
    let core = agent.core(fields)?;
    let connections = running(agent, fields)?.connections.lock().clone();
    for connection in connections {
        connection.attach(&core).await?;
    }
    Ok(nothing())
}

pub(super) fn stop(agent: &Agent, fields: &Fields) -> Result {
    let running = running(agent, fields)?;
    running.stop.cancel();
    for connection in running.connections.lock().drain(..) {
        connection.stop();
    }
    Ok(nothing())
}

pub(super) fn peers(agent: &Agent, fields: &Fields) -> Result {
    let peers = agent.core(fields)?.peers();
    let peers = peers.iter().map(|peer| {
        json!({
            "publicKey": peer.public_key.to_string(),
            "remotePublicKey": peer.remote_public_key.to_string(),
            "remoteLength": peer.remote_length,
            "remoteFork": peer.remote_fork,
        })
    });
    let peers: Vec<_> = peers.collect();
    Ok(json!({ "peers": peers }))
}
