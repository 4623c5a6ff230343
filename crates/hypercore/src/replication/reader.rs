//! Takes bytes from the transport, hands messages to their cores, and answers the peer's requests.

use std::collections::BTreeMap;
use std::sync::Arc;

use hc_crypto::DiscoveryKey;
use hc_protocol::{ChannelId, Event};
use hc_replicator::Input;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

use super::connection::{Connection, Link, Remote};
use super::limits;
use super::source::CoreSource;
use crate::core::Core;
use crate::{Error, Result};

pub(super) struct Reader {
    connection: Arc<Connection>,
    source: Arc<dyn CoreSource>,
    opening: Arc<Semaphore>,
    handshaken: bool,
}

impl Reader {
    pub(super) fn new(connection: Arc<Connection>, source: Arc<dyn CoreSource>) -> Self {
        Self { connection, source, opening: Arc::new(Semaphore::new(limits::OPENING_MAX)), handshaken: false }
    }

    /// Runs until the connection ends.
    pub(super) async fn run(mut self, mut transport: impl AsyncRead + Unpin) {
        let mut buffer = ReadBuffer::default();
        let deadline = Instant::now() + limits::HANDSHAKE;
        let connection = Arc::clone(&self.connection);
        while !connection.ended.is_cancelled() {
            tokio::select! {
                () = connection.ended.cancelled() => break,
                () = sleep_until(deadline), if !self.handshaken => {
                    connection.end(Some(Error::Connection("the handshake took too long".into())));
                }
                () = connection.work.notified() => self.dispatch_events(),
                read = transport.read(buffer.room()), if connection.may_read() => match read {
                    Ok(0) => connection.end(self.left_early()),
                    Ok(n) => self.receive(buffer.filled(n)),
                    Err(error) => connection.end(Some(Error::Connection(error.to_string()))),
                },
            }
            self.answer_requests().await;
        }
    }

    /// What is wrong with a peer that leaves now: nothing, once it has shown who it is.
    fn left_early(&self) -> Option<Error> {
        (!self.handshaken).then(|| Error::Connection("the peer left in the middle of the handshake".into()))
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.connection.protocol.lock().receive(bytes);
        self.dispatch_events();
    }

    /// Carries out what the protocol made of the bytes, then lets each core that it concerns act on all of it at once.
    fn dispatch_events(&mut self) {
        let mut fed: BTreeMap<DiscoveryKey, Core> = BTreeMap::new();
        let violation = loop {
            // the lock is not held while an event is carried out
            let polled = self.connection.protocol.lock().poll_event();
            let event = match polled {
                Ok(Some(event)) => event,
                Ok(None) => break None,
                Err(violation) => break Some(violation),
            };
            if let Some(core) = self.dispatch(event) {
                fed.entry(*core.discovery_key()).or_insert(core);
            }
        };
        // what came before a violation still counts
        for core in fed.values() {
            core.pump();
        }
        // what the protocol answers by itself counts too
        self.connection.sent();
        if let Some(violation) = violation {
            self.connection.violated(violation);
        }
    }

    /// Carries out an event. Returns the core that has to be pumped for it.
    fn dispatch(&mut self, event: Event) -> Option<Core> {
        match event {
            Event::Handshake { public_key, remote_public_key, .. } => {
                self.handshaken = true;
                *self.connection.keys.lock() = Some((public_key, remote_public_key));
                for core in self.source.open_cores() {
                    self.attach(core);
                }
                self.connection.open_early();
                None
            }
            Event::ChannelRequested { discovery_key } => {
                self.open_on_demand(discovery_key);
                None
            }
            Event::ChannelOpened { channel, .. } => {
                self.opened(channel);
                None
            }
            Event::Message { channel, message } => {
                let channels = self.connection.channels.lock();
                let attached = channels.get(&channel)?;
                let (core, peer) = (attached.core.clone(), attached.peer()?);
                drop(channels);
                core.feed(Input::Message { peer, message });
                Some(core)
            }
            Event::ChannelClosed { channel } => {
                let gone = self.connection.channels.lock().remove(&channel);
                self.connection.resume_reading(channel);
                if let Some(gone) = gone {
                    gone.detach();
                }
                None
            }
            _ => None,
        }
    }

    /// Opens a core's channel from this side, once what it has is on the device.
    fn attach(&self, core: Core) {
        let connection = Arc::clone(&self.connection);
        tokio::spawn(async move {
            if let Err(error) = attach(&connection, &core).await {
                tracing::error!(core = %core.discovery_key(), %error, "not replicated");
            }
        });
    }

    /// The peer asks for a core that is not open on this connection.
    fn open_on_demand(&self, discovery_key: DiscoveryKey) {
        let connection = Arc::clone(&self.connection);
        let (source, opening) = (Arc::clone(&self.source), Arc::clone(&self.opening));
        tokio::spawn(async move {
            let Ok(_permit) = opening.acquire().await else { return };
            match source.find(discovery_key).await {
                Ok(Some(core)) => match attach(&connection, &core).await {
                    Ok(()) => {}
                    Err(error) => refuse(&connection, &discovery_key, &error),
                },
                Ok(None) => reject(&connection, &discovery_key),
                Err(error) => refuse(&connection, &discovery_key, &error),
            }
        });
    }

    fn opened(&self, channel: ChannelId) {
        let Some((public_key, remote_public_key)) = *self.connection.keys.lock() else { return };
        let link = Link { connection: Arc::clone(&self.connection), channel };
        let core = self.connection.channels.lock().get(&channel).map(|attached| attached.core.clone());
        let Some(core) = core else { return };
        if core.is_closed() {
            return link.close();
        }
        let peer = core.peer_added(link.clone(), public_key, remote_public_key);
        let mut channels = self.connection.channels.lock();
        let attached = channels.get_mut(&channel);
        let expected = attached.map(|attached| std::mem::replace(&mut attached.peer, Remote::Open(peer)));
        drop(channels);
        // the peer is there before it is no longer expected
        drop(expected);
        if core.is_closed() {
            // it may have closed before it could close this with the others
            core.peer_removed(peer);
            link.close();
        }
    }

    async fn answer_requests(&self) {
        loop {
            let jobs = self.connection.next_serves();
            if jobs.is_empty() {
                return;
            }
            super::serving::answer(&self.connection, jobs);
        }
    }
}

impl Drop for Reader {
    /// Also where the runtime ends before the connection does.
    fn drop(&mut self) {
        self.connection.end(None);
        self.connection.detach_all();
    }
}

/// Room for what is read: little for an idle connection, more for one over which much comes.
struct ReadBuffer {
    bytes: Vec<u8>,
    /// How many reads in a row left most of it empty.
    sparse: u32,
}

impl Default for ReadBuffer {
    fn default() -> Self {
        Self { bytes: vec![0; limits::READ_BUFFER_MIN], sparse: 0 }
    }
}

impl ReadBuffer {
    /// Where the next read goes.
    fn room(&mut self) -> &mut [u8] {
        if self.sparse >= limits::SPARSE_READS && self.bytes.len() > limits::READ_BUFFER_MIN {
            self.bytes = vec![0; limits::READ_BUFFER_MIN];
            self.sparse = 0;
        }
        &mut self.bytes
    }

    /// What a read brought.
    fn filled(&mut self, n: usize) -> &[u8] {
        let len = self.bytes.len();
        self.sparse = if n < len / 8 { self.sparse.saturating_add(1) } else { 0 };
        if n == len && len < limits::READ_BUFFER_MAX {
            self.bytes.resize(len * 2, 0);
        }
        self.bytes.get(..n).unwrap_or_default()
    }
}

/// Opens a core's channel on a connection, once what the core has is on the device.
pub(super) async fn attach(connection: &Connection, core: &Core) -> Result<()> {
    if core.is_closed() {
        return Err(core.reason_of_closing());
    }
    core.ready_for_peers().await?;
    connection.open(core);
    Ok(())
}

/// Refuses a core that could not be opened for the peer.
fn refuse(connection: &Connection, discovery_key: &DiscoveryKey, error: &Error) {
    tracing::warn!(%discovery_key, %error, "a core that a peer asked for does not open");
    reject(connection, discovery_key);
}

fn reject(connection: &Connection, discovery_key: &DiscoveryKey) {
    connection.protocol.lock().reject(discovery_key);
    connection.sent();
}
