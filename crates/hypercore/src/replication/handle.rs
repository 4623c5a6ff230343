//! A running replication: [`Replication`].

use std::sync::Arc;

use hc_crypto::{KeyPair, PublicKey};
use hc_protocol::SecretStream;
use tokio::io::{AsyncRead, AsyncWrite};

use super::connection::Connection;
use super::reader::{Reader, attach};
use super::source::CoreSource;
use super::writer;
use crate::core::Core;
use crate::{Error, Hypercore, Result};

/// Which end of a connection this is. Both ends must agree: the one that connected is the initiator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The end that connected.
    Initiator,
    /// The end that listened.
    Responder,
}

/// A replication that runs in the background until its transport ends, or until it is stopped. Dropping the handle does
/// not stop it.
#[derive(Clone)]
pub struct Replication {
    connection: Arc<Connection>,
}

/// The keys of an established connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// Our key on it.
    pub public_key: PublicKey,
    /// The peer's key on it.
    pub remote_public_key: PublicKey,
}

/// How a replication is started.
#[derive(Default)]
pub struct ReplicationBuilder {
    key_pair: Option<KeyPair>,
}

impl ReplicationBuilder {
    /// The defaults: a fresh key pair for the connection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The static key of this end of the connection; by it the peer knows this end again. It has nothing to do with the
    /// keys of cores.
    #[must_use]
    pub fn key_pair(mut self, key_pair: KeyPair) -> Self {
        self.key_pair = Some(key_pair);
        self
    }

    /// Starts replicating the cores of a source over a byte stream. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`Error::Internal`] if the system has no randomness to make keys from.
    pub fn start<S>(self, transport: S, role: Role, source: Arc<dyn CoreSource>) -> Result<Replication>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let key_pair = match self.key_pair {
            Some(key_pair) => key_pair,
            None => KeyPair::from_seed(&crate::random()?),
        };
        let role = match role {
            Role::Initiator => hc_protocol::Role::Initiator,
            Role::Responder => hc_protocol::Role::Responder,
        };
        let stream = SecretStream::new(role, &key_pair, crate::random()?, crate::random()?)?;
        let connection = Connection::new(hc_protocol::Connection::new(stream));
        connection.output.notify_one();
        let (read, write) = tokio::io::split(transport);
        tokio::spawn(writer::run(Arc::clone(&connection), Box::pin(write)));
        tokio::spawn(Reader::new(Arc::clone(&connection), source).run(Box::pin(read)));
        Ok(Replication { connection })
    }
}

impl Replication {
    /// Replicates one more core over this connection.
    ///
    /// # Errors
    /// [`Error::SessionClosed`], [`Error::Storage`] if what the core has cannot be brought to the device.
    pub async fn attach(&self, core: &Hypercore) -> Result<()> {
        core.check_open()?;
        self.attach_core(core.core()).await
    }

    /// As [`attach`](Self::attach), for a core without a session.
    ///
    /// # Errors
    /// As [`attach`](Self::attach).
    pub async fn attach_core(&self, core: &Core) -> Result<()> {
        attach(&self.connection, core).await
    }

    /// The keys of the connection; none before the handshake is done.
    #[must_use]
    pub fn info(&self) -> Option<ConnectionInfo> {
        let keys = *self.connection.keys.lock();
        keys.map(|(public_key, remote_public_key)| ConnectionInfo { public_key, remote_public_key })
    }

    /// Whether the connection has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.connection.ended.is_cancelled()
    }

    /// Waits until the connection has ended: by either end as it should be, or with the error that ended it.
    ///
    /// # Errors
    /// [`Error::Protocol`] and [`Error::Replication`] if the peer broke a rule, [`Error::Connection`] if the transport
    /// failed.
    pub async fn closed(&self) -> Result<()> {
        self.connection.ended.cancelled().await;
        let outcome = self.connection.outcome.lock().clone();
        outcome.map_or(Ok(()), Err::<(), Error>)
    }

    /// Ends the connection. What is queued is still sent.
    pub fn stop(&self) {
        self.connection.end(None);
    }
}

impl std::fmt::Debug for Replication {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replication").field("closed", &self.is_closed()).finish_non_exhaustive()
    }
}
