//! The peer that a command fetches a log from.

use std::time::Duration;

use corestore::{Corestore, Hypercore, Replication, Role};
use futures_util::{FutureExt, StreamExt};
use hypercore::{Error, Event, Events, FindingPeers, UpdateOptions};
use tokio::net::TcpStream;

use crate::failure::{Failure, Result};
use crate::values::Address;

/// A connection to a peer, over which one log is fetched.
pub(crate) struct Peer<'a> {
    address: &'a Address,
    replication: Replication,
    events: Events,
    /// Until the peer has answered for the first time.
    finding: Option<FindingPeers>,
}

impl<'a> Peer<'a> {
    /// Starts to replicate a store over a connection, to fetch one log.
    ///
    /// # Errors
    /// If the store is closed.
    pub(crate) fn start(
        transport: TcpStream,
        address: &'a Address,
        store: &Corestore,
        log: &Hypercore,
    ) -> Result<Self> {
        let (events, finding) = (log.events(), log.finding_peers());
        let replication = store.replicate(transport, Role::Initiator)?;
        Ok(Self { address, replication, events, finding: Some(finding) })
    }

    /// Waits until the peer said how long the log is. It says nothing if it does not have the log, or if the key is wrong.
    ///
    /// # Errors
    /// [`Failure::NotDelivered`] if it does not say so in time; [`Failure::NotStored`].
    pub(crate) async fn learn_length(&mut self, log: &Hypercore, patience: Duration) -> Result {
        let update = log.update_with(UpdateOptions::new().wait(true).timeout(Some(patience)));
        let learnt = tokio::select! {
            biased;
            updated = update => match updated {
                Ok(_) => Ok(()),
                Err(Error::RequestTimeout { .. }) => Err(self.has_nothing()),
                Err(error) => Err(error.into()),
            },
            trouble = self.trouble() => Err(trouble),
        };
        self.finding = None;
        // a length that could not be stored is not learnt, and not the peer's fault
        while let Some(Some(event)) = self.events.next().now_or_never() {
            if let Event::StorageFailed { reason } = event {
                return Err(Failure::NotStored(reason));
            }
        }
        learnt
    }

    /// What is wrong with a peer that says nothing of a log, or that it has no blocks.
    pub(crate) fn has_nothing(&self) -> Failure {
        Failure::NotDelivered(format!("{} does not serve a log with this key, or it is empty", self.address))
    }

    /// Waits for the next event of the log.
    ///
    /// # Errors
    /// What ends fetching: see [`trouble`](Self::trouble).
    pub(crate) async fn event(&mut self) -> Result<Event> {
        tokio::select! {
            biased;
            event = self.events.next() => match event {
                Some(Event::StorageFailed { reason }) => Err(Failure::NotStored(reason)),
                Some(event) => Ok(event),
                None => Err(Failure::NotDelivered("the log was closed".into())),
            },
            closed = self.replication.closed() => Err(match closed {
                Ok(()) => Failure::NotDelivered(format!("{} closed the connection", self.address)),
                Err(error @ (Error::Connection(_) | Error::Protocol(_) | Error::Replication(_))) => {
                    Failure::NotDelivered(format!("{}: {error}", self.address))
                }
                Err(error) => error.into(),
            }),
        }
    }

    /// Waits until nothing more can be fetched, and says why: the connection ended, or what came could not be stored.
    pub(crate) async fn trouble(&mut self) -> Failure {
        loop {
            if let Err(failure) = self.event().await {
                return failure;
            }
        }
    }
}

/// Connects to a peer.
///
/// # Errors
/// [`Failure::Unreachable`].
pub(crate) async fn reach(address: &Address) -> Result<TcpStream> {
    let unreachable = |error| Failure::Unreachable { address: address.to_string(), error };
    let stream = TcpStream::connect(address.as_str()).await.map_err(unreachable)?;
    stream.set_nodelay(true).map_err(unreachable)?;
    Ok(stream)
}
