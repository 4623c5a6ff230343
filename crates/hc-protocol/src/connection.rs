//! All of a connection: encrypted stream, channels, and the cores' messages on them.

use std::collections::BTreeMap;

use bytes::Bytes;
use compact_encoding::{Decode, Encode};
use hc_crypto::signable::{equal_in_constant_time, replicate_capability};
use hc_crypto::{DiscoveryKey, Key, PublicKey};
use thiserror::Error;

use crate::error::Violation;
use crate::mux::{Incoming, LocalId, Mux, MuxEvent, Name, Outgoing};
use crate::secret_stream::{Role, SecretStream};
use crate::wire::{Message, Open};

/// The protocol of cores' channels.
const PROTOCOL: &[u8] = b"hypercore/alpha";

/// A channel of a connection. Never used again, unlike the numbers that go over the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(u64);

/// What happened on a connection.
#[derive(Debug)]
#[non_exhaustive]
#[expect(
    clippy::large_enum_variant,
    reason = "messages are the large and the frequent ones, and are moved, not kept"
)]
pub enum Event {
    /// The stream is open: channels can be.
    Handshake {
        /// This end's static key.
        public_key: PublicKey,
        /// The other end's static key.
        remote_public_key: PublicKey,
        /// The hash of the handshake.
        hash: [u8; 64],
    },
    /// The peer opened a core's channel that is not open here. Open it, or [`reject`](Connection::reject) it.
    ChannelRequested {
        /// The core.
        discovery_key: DiscoveryKey,
    },
    /// The channel is open at both ends, and the peer has shown that it knows the core's key.
    ChannelOpened {
        /// The channel.
        channel: ChannelId,
        /// Whether the peer answers seeks.
        seeks: bool,
    },
    /// A message on an open channel.
    Message {
        /// The channel.
        channel: ChannelId,
        /// The message.
        message: Message,
    },
    /// The peer closed or refused the channel.
    ChannelClosed {
        /// The channel.
        channel: ChannelId,
    },
}

/// Why a channel could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The handshake is not done, or the connection failed.
    #[error("the connection is not open")]
    NotConnected,
    /// There are too many channels.
    #[error("too many channels are open")]
    TooMany,
}

/// One connection.
pub struct Connection {
    stream: SecretStream,
    /// The frame whose messages are being taken.
    incoming: Incoming,
    mux: Mux,
    outgoing: Outgoing,
    channels: BTreeMap<ChannelId, LocalId>,
    open: BTreeMap<LocalId, Channel>,
    next_channel: u64,
    announced: bool,
    failed: bool,
}

struct Channel {
    id: ChannelId,
    /// What the peer must show when it opens the channel.
    expected: [u8; 32],
    accepted: bool,
}

impl Connection {
    /// Over a stream.
    #[must_use]
    pub fn new(stream: SecretStream) -> Self {
        Self {
            stream,
            incoming: Incoming::default(),
            mux: Mux::default(),
            outgoing: Outgoing::default(),
            channels: BTreeMap::new(),
            open: BTreeMap::new(),
            next_channel: 0,
            announced: false,
            failed: false,
        }
    }

    /// Takes bytes from the transport, in any pieces, and keeps them. [`poll_event`](Self::poll_event) says what they mean,
    /// and is to be called until there is no event before more bytes are handed over: they are not looked at before that, and
    /// so nothing is answered either.
    pub fn receive(&mut self, bytes: &[u8]) {
        if !self.failed {
            self.stream.receive(bytes);
        }
    }

    /// What happened next. Decodes one message, or a few that mean nothing here.
    ///
    /// # Errors
    /// A [`Violation`]: the connection is over, and there are no more events.
    pub fn poll_event(&mut self) -> Result<Option<Event>, Violation> {
        if self.failed {
            return Ok(None);
        }
        let next = self.next_event();
        if next.is_err() {
            self.failed = true;
            self.incoming = Incoming::default();
        }
        next
    }

    fn next_event(&mut self) -> Result<Option<Event>, Violation> {
        loop {
            while let Some(event) = self.mux.poll_event(&mut self.incoming)? {
                let event = self.take_mux_event(event);
                // returned as it is: a message is large, and moved as seldom as can be
                if !matches!(event, Ok(None)) {
                    return event;
                }
            }
            // let go before there is another
            self.incoming = Incoming::default();
            let frame = self.stream.poll_frame()?;
            let (handshake, more) = (self.announce(), frame.is_some());
            self.incoming = frame.map(Incoming::new).unwrap_or_default();
            if handshake.is_some() || !more {
                return Ok(handshake);
            }
        }
    }

    /// That the stream is open, once.
    fn announce(&mut self) -> Option<Event> {
        let done = self.stream.handshake().filter(|_| !self.announced)?;
        self.announced = true;
        Some(Event::Handshake {
            public_key: done.public_key,
            remote_public_key: done.remote_public_key,
            hash: done.hash,
        })
    }

    fn take_mux_event(&mut self, event: MuxEvent) -> Result<Option<Event>, Violation> {
        match event {
            MuxEvent::Requested { name } => Ok(self.requested(&name)),
            MuxEvent::Opened { local, handshake } => self.opened(local, &handshake),
            MuxEvent::Message { local, type_id, body } => self.message(local, type_id, &body),
            MuxEvent::Closed { local } => {
                let Some(channel) = self.open.remove(&local) else { return Ok(None) };
                self.channels.remove(&channel.id);
                Ok(Some(Event::ChannelClosed { channel: channel.id }))
            }
            MuxEvent::Reject { remote } => {
                let stream = &mut self.stream;
                self.outgoing.reject(remote, &mut |frame| sealed(stream, frame));
                Ok(None)
            }
        }
    }

    fn requested(&mut self, name: &Name) -> Option<Event> {
        let core = (name.protocol == PROTOCOL).then(|| DiscoveryKey::try_from(name.id.as_slice()));
        match core {
            Some(Ok(discovery_key)) => Some(Event::ChannelRequested { discovery_key }),
            // another protocol, or no core
            _ => {
                self.refuse(name);
                None
            }
        }
    }

    fn opened(&mut self, local: LocalId, handshake: &[u8]) -> Result<Option<Event>, Violation> {
        let Some(channel) = self.open.get_mut(&local) else { return Ok(None) };
        let open =
            Open::from_prefix(handshake).map_err(|error| Violation::Message { kind: "open", error })?;
        if !equal_in_constant_time(&open.capability, &channel.expected) {
            return Err(Violation::Capability);
        }
        channel.accepted = true;
        Ok(Some(Event::ChannelOpened { channel: channel.id, seeks: open.seeks }))
    }

    fn message(&mut self, local: LocalId, type_id: u64, body: &Bytes) -> Result<Option<Event>, Violation> {
        let Some(channel) = self.open.get(&local).filter(|channel| channel.accepted) else { return Ok(None) };
        match Message::decode(type_id, body)? {
            Message::Unknown { .. } => Ok(None),
            message => Ok(Some(Event::Message { channel: channel.id, message })),
        }
    }

    /// Opens a core's channel from this side, or accepts the peer's. What the peer sent on it before is polled next.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_channel(&mut self, key: &Key) -> Result<ChannelId, OpenError> {
        let done = self.stream.handshake().filter(|_| !self.failed).ok_or(OpenError::NotConnected)?;
        let initiator = done.role == Role::Initiator;
        let handshake = Open { seeks: true, capability: replicate_capability(initiator, key, &done.hash) };
        let expected = replicate_capability(!initiator, key, &done.hash);
        let name = core_name(&key.discovery_key());
        let local = self.mux.open(&name).ok_or(OpenError::TooMany)?;
        let stream = &mut self.stream;
        self.outgoing.open(local, &name, &handshake.to_vec(), &mut |frame| sealed(stream, frame));
        let id = ChannelId(self.next_channel);
        self.next_channel += 1;
        self.channels.insert(id, local);
        self.open.insert(local, Channel { id, expected, accepted: false });
        Ok(id)
    }

    /// Refuses a core's channel that the peer opened.
    pub fn reject(&mut self, discovery_key: &DiscoveryKey) {
        self.refuse(&core_name(discovery_key));
    }

    fn refuse(&mut self, name: &Name) {
        for remote in self.mux.refuse(name) {
            let stream = &mut self.stream;
            self.outgoing.reject(remote, &mut |frame| sealed(stream, frame));
        }
    }

    /// Queues a message. Nothing happens if the channel is closed.
    pub fn send(&mut self, channel: ChannelId, message: &Message) {
        let Some(local) = self.channels.get(&channel).filter(|local| self.mux.is_open(**local)) else {
            return;
        };
        let stream = &mut self.stream;
        self.outgoing.message(*local, message.type_id(), message, &mut |frame| sealed(stream, frame));
    }

    /// Closes a channel from this side.
    pub fn close_channel(&mut self, channel: ChannelId) {
        let Some(local) = self.channels.remove(&channel) else { return };
        self.open.remove(&local);
        if self.mux.close(local) {
            let stream = &mut self.stream;
            self.outgoing.close(local, &mut |frame| sealed(stream, frame));
        }
    }

    /// Says that this end is still there.
    pub fn keep_alive(&mut self) {
        self.stream.send(&[]);
    }

    /// The bytes to hand to the transport.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        let stream = &mut self.stream;
        self.outgoing.flush(&mut |frame| sealed(stream, frame));
        self.stream.poll_transmit()
    }

    /// How many bytes wait to be handed to the transport.
    #[must_use]
    pub const fn pending_output(&self) -> usize {
        self.stream.pending_output() + self.outgoing.pending()
    }
}

/// Frames from here are far below the limit of a frame's size: messages are bounded where they are made.
fn sealed(stream: &mut SecretStream, frame: &[u8]) {
    let queued = stream.send(frame);
    debug_assert!(queued, "a frame of {} bytes before the stream was open, or too long", frame.len());
}

fn core_name(discovery_key: &DiscoveryKey) -> Name {
    Name { protocol: PROTOCOL.to_vec(), id: discovery_key.as_bytes().to_vec() }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("channels", &self.channels.len()).finish_non_exhaustive()
    }
}
