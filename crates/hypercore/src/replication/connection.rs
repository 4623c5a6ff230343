//! What the tasks of a connection share, and what the cores see of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use hc_crypto::PublicKey;
use hc_protocol::wire::Message;
use hc_protocol::{ChannelId, OpenError, Violation};
use hc_replicator::PeerId;
use hc_tree::ProofRequest;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::limits;
use crate::Error;
use crate::core::{Connecting, Core};

/// A connection as its tasks and its cores share it.
pub(crate) struct Connection {
    pub(super) protocol: Mutex<hc_protocol::Connection>,
    /// The cores that are open on it, by channel. None comes in once the connection has ended.
    pub(super) channels: Mutex<BTreeMap<ChannelId, Attached>>,
    serves: Mutex<VecDeque<ServeJob>>,
    /// Cores that came before the handshake was done.
    early: Mutex<Vec<Core>>,
    /// The channels whose cores asked to stop reading, because the peer asks faster than it reads.
    paused: Mutex<BTreeSet<ChannelId>>,
    /// Wakes the writer: there are bytes to send.
    pub(super) output: Notify,
    /// Wakes the reader: there is a request to answer, or room for answers.
    pub(super) work: Notify,
    /// Ends both tasks.
    pub(super) ended: CancellationToken,
    pub(super) outcome: Mutex<Option<Error>>,
    pub(super) keys: Mutex<Option<(PublicKey, PublicKey)>>,
}

/// A core on a channel.
pub(super) struct Attached {
    pub(super) core: Core,
    pub(super) peer: Remote,
}

/// The other end of a channel.
pub(super) enum Remote {
    /// Has not opened it yet.
    Expected(Connecting),
    Open(PeerId),
}

impl Attached {
    /// Tells the core that its channel is gone. Whoever calls holds no lock of the connection.
    pub(super) fn detach(self) {
        match self.peer {
            Remote::Open(peer) => self.core.peer_removed(peer),
            Remote::Expected(connecting) => drop(connecting),
        }
    }

    /// The peer, once it has opened the channel.
    pub(super) const fn peer(&self) -> Option<PeerId> {
        match self.peer {
            Remote::Open(peer) => Some(peer),
            Remote::Expected(_) => None,
        }
    }
}

/// A request of the peer that waits for its answer.
pub(crate) struct ServeJob {
    pub(crate) core: Core,
    pub(crate) peer: PeerId,
    pub(crate) request: u64,
    pub(crate) proof: ProofRequest,
    pub(crate) manifest: bool,
}

/// One core's channel on one connection.
#[derive(Clone)]
pub(crate) struct Link {
    pub(super) connection: Arc<Connection>,
    pub(super) channel: ChannelId,
}

impl Link {
    /// Queues a message.
    pub(crate) fn send(&self, message: &Message) {
        let mut protocol = self.connection.protocol.lock();
        protocol.send(self.channel, message);
        drop(protocol);
        self.connection.sent();
    }

    /// Queues a request to be answered when there is room for the answer.
    pub(crate) fn serve(&self, job: ServeJob) {
        self.connection.serves.lock().push_back(job);
        self.connection.work.notify_one();
    }

    /// Stops or goes on reading from the peer, for one core.
    pub(crate) fn reading(&self, enabled: bool) {
        if enabled {
            self.connection.resume_reading(self.channel);
        } else {
            self.connection.paused.lock().insert(self.channel);
        }
    }

    /// Closes the channel; the connection stays.
    pub(crate) fn close(&self) {
        let gone = self.connection.channels.lock().remove(&self.channel);
        // not under the lock: what it counted is told to its core
        drop(gone);
        self.connection.protocol.lock().close_channel(self.channel);
        self.connection.resume_reading(self.channel);
        self.connection.output.notify_one();
    }

    /// Ends the connection.
    pub(crate) fn fail(&self, error: Error) {
        self.connection.end(Some(error));
    }
}

impl Connection {
    pub(super) fn new(protocol: hc_protocol::Connection) -> Arc<Self> {
        Arc::new(Self {
            protocol: Mutex::new(protocol),
            channels: Mutex::default(),
            serves: Mutex::default(),
            early: Mutex::default(),
            paused: Mutex::default(),
            output: Notify::new(),
            work: Notify::new(),
            ended: CancellationToken::new(),
            outcome: Mutex::new(None),
            keys: Mutex::new(None),
        })
    }

    /// Ends the connection. The first reason counts.
    pub(super) fn end(&self, reason: Option<Error>) {
        let mut outcome = self.outcome.lock();
        if !self.ended.is_cancelled() {
            *outcome = reason;
            self.ended.cancel();
        }
    }

    /// Something was queued to be sent. Ends the connection if the peer leaves too much unread.
    pub(super) fn sent(&self) {
        let pending = self.protocol.lock().pending_output();
        self.output.notify_one();
        if pending > limits::OUTPUT_MAX {
            self.end(Some(Error::Connection(format!("the peer leaves {pending} bytes unread"))));
        }
    }

    pub(super) fn violated(&self, violation: Violation) {
        tracing::debug!(%violation, "peer broke the protocol");
        self.end(Some(Error::Protocol(violation)));
    }

    /// A channel no longer keeps the connection from being read: also because it is gone.
    pub(super) fn resume_reading(&self, channel: ChannelId) {
        if self.paused.lock().remove(&channel) {
            self.work.notify_one();
        }
    }

    /// Whether bytes from the peer may be taken in.
    pub(super) fn may_read(&self) -> bool {
        self.paused.lock().is_empty() && self.serves.lock().len() < limits::SERVE_QUEUE
    }

    /// Whether so little waits to be sent that requests are answered.
    pub(super) fn has_room(&self) -> bool {
        self.protocol.lock().pending_output() < limits::SERVE_HIGH_WATER
    }

    /// Takes requests back that there is no room to answer: they are the next ones.
    pub(super) fn put_back(&self, jobs: Vec<ServeJob>) {
        let mut serves = self.serves.lock();
        for job in jobs.into_iter().rev() {
            serves.push_front(job);
        }
    }

    /// The next requests to answer, if there is room for answers.
    pub(super) fn next_serves(&self) -> Vec<ServeJob> {
        if !self.has_room() {
            return Vec::new();
        }
        let mut serves = self.serves.lock();
        let count = serves.len().min(limits::SERVE_BATCH);
        serves.drain(..count).collect()
    }

    /// Opens the channels of cores that came before the handshake was done.
    pub(super) fn open_early(&self) {
        let early = {
            // whoever finds the handshake not done has added its core before this
            let _channels = self.channels.lock();
            std::mem::take(&mut *self.early.lock())
        };
        for core in early {
            self.open(&core);
        }
    }

    /// Lets go of all cores: the connection has ended.
    pub(super) fn detach_all(&self) {
        self.serves.lock().clear();
        self.early.lock().clear();
        let gone = std::mem::take(&mut *self.channels.lock());
        for attached in gone.into_values() {
            attached.detach();
        }
    }

    /// Opens a core's channel from this side, once the handshake is done. Does nothing if it is open already, or if the
    /// connection has ended: nobody would take the core off it again.
    pub(super) fn open(&self, core: &Core) {
        // counted before anybody can end it
        let connecting = core.connecting();
        let mut channels = self.channels.lock();
        let same =
            channels.iter().find(|(_, attached)| attached.core.discovery_key() == core.discovery_key());
        let same = same.map(|(channel, attached)| (*channel, attached.core.is_closed()));
        if matches!(same, Some((_, false))) || self.ended.is_cancelled() {
            drop(channels);
            return;
        }
        // of the core as it was before it was closed and opened again
        let outdated = same.and_then(|(channel, _)| Some((channel, channels.remove(&channel)?)));
        if let Some((channel, _)) = &outdated {
            self.protocol.lock().close_channel(*channel);
        }
        let opened = self.protocol.lock().open_channel(core.key());
        match opened {
            Ok(channel) => {
                let attached = Attached { core: core.clone(), peer: Remote::Expected(connecting) };
                channels.insert(channel, attached);
                drop(channels);
            }
            Err(error) => {
                if error == OpenError::NotConnected {
                    self.early.lock().push(core.clone());
                }
                drop(channels);
                tracing::debug!(%error, "channel not opened");
            }
        }
        if let Some((_, attached)) = outdated {
            attached.detach();
        }
        self.output.notify_one();
        // the peer may have opened it before: what it said then is waiting
        self.work.notify_one();
    }
}
