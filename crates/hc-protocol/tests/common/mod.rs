//! Two ends in memory, and an end that sends whatever frames it likes.
#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};

use bytes::Bytes;
use hc_crypto::{Key, KeyPair};
use hc_protocol::wire::{Cancel, Message};
use hc_protocol::{ChannelId, Connection, Event, Role, SecretStream, Violation};

pub(crate) fn stream(role: Role) -> SecretStream {
    let n = if role == Role::Initiator { 1 } else { 2 };
    SecretStream::new(role, &KeyPair::from_seed(&[n; 32]), [n + 10; 32], [n; 24]).unwrap()
}

pub(crate) fn key(n: u8) -> Key {
    Key::from([n; 32])
}

pub(crate) fn message(n: u64) -> Message {
    Message::Cancel(Cancel { request: n })
}

/// A connection whose events are polled as soon as there are bytes, and kept.
pub(crate) struct End {
    connection: Connection,
    seen: VecDeque<Event>,
}

impl End {
    pub(crate) fn new(stream: SecretStream) -> Self {
        Connection::new(stream).into()
    }

    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        self.connection.receive(bytes);
        self.poll()
    }

    /// Polls until there is nothing more.
    pub(crate) fn poll(&mut self) -> Result<(), Violation> {
        while let Some(event) = self.connection.poll_event()? {
            self.seen.push_back(event);
        }
        Ok(())
    }
}

impl From<Connection> for End {
    fn from(connection: Connection) -> Self {
        Self { connection, seen: VecDeque::new() }
    }
}

impl Deref for End {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for End {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

/// Moves bytes both ways until there are none, in pieces of at most `piece` bytes.
pub(crate) fn settle_in(a: &mut End, b: &mut End, piece: usize) {
    loop {
        let (to_b, to_a) = (a.poll_transmit(), b.poll_transmit());
        if to_a.is_none() && to_b.is_none() {
            return;
        }
        to_b.iter().flat_map(|bytes| bytes.chunks(piece)).for_each(|bytes| b.receive(bytes).unwrap());
        to_a.iter().flat_map(|bytes| bytes.chunks(piece)).for_each(|bytes| a.receive(bytes).unwrap());
    }
}

pub(crate) fn settle(a: &mut End, b: &mut End) {
    settle_in(a, b, usize::MAX);
}

/// After the handshake, with its events taken.
pub(crate) fn pair() -> (End, End) {
    let (mut a, mut b) = (End::new(stream(Role::Initiator)), End::new(stream(Role::Responder)));
    settle(&mut a, &mut b);
    assert_eq!(events(&mut a), ["handshake"]);
    assert_eq!(events(&mut b), ["handshake"]);
    (a, b)
}

/// With a channel of `key(1)` that is open at both ends.
pub(crate) fn pair_with_channel() -> (End, End, ChannelId, ChannelId) {
    let (mut a, mut b) = pair();
    let (at_a, at_b) = join(&mut a, &mut b, 1);
    (a, b, at_a, at_b)
}

pub(crate) fn join(a: &mut End, b: &mut End, n: u8) -> (ChannelId, ChannelId) {
    let at_a = a.open_channel(&key(n)).unwrap();
    let at_b = b.open_channel(&key(n)).unwrap();
    settle(a, b);
    assert_eq!(events(a), ["opened"]);
    assert_eq!(events(b), ["opened"]);
    (at_a, at_b)
}

pub(crate) fn drain(end: &mut End) -> Vec<Event> {
    end.poll().unwrap();
    end.seen.drain(..).collect()
}

/// Events in short.
pub(crate) fn events(end: &mut End) -> Vec<String> {
    drain(end)
        .into_iter()
        .map(|event| match event {
            Event::Handshake { .. } => "handshake".into(),
            Event::ChannelRequested { .. } => "requested".into(),
            Event::ChannelOpened { .. } => "opened".into(),
            Event::ChannelClosed { .. } => "closed".into(),
            Event::Message { message: Message::Cancel(Cancel { request }), .. } => format!("{request}"),
            Event::Message { message, .. } => format!("type {}", message.type_id()),
            _ => "unknown".into(),
        })
        .collect()
}

/// The initiator, as frames.
pub(crate) struct Raw(pub(crate) SecretStream);

impl Raw {
    /// Opposite an end that has done the handshake.
    pub(crate) fn connect() -> (Self, End) {
        let (mut raw, mut end) = (stream(Role::Initiator), End::new(stream(Role::Responder)));
        loop {
            let (out, back) = (raw.poll_transmit(), end.poll_transmit());
            if out.is_none() && back.is_none() {
                break;
            }
            end.receive(&out.unwrap_or_default()).unwrap();
            raw.receive(&back.unwrap_or_default());
            assert_eq!(raw.poll_frame(), Ok(None));
        }
        assert_eq!(events(&mut end), ["handshake"]);
        (Self(raw), end)
    }

    pub(crate) fn send(&mut self, frame: &[u8], end: &mut End) -> Result<(), Violation> {
        assert!(self.0.send(frame));
        end.receive(&self.0.poll_transmit().unwrap())
    }

    /// What the end sent back.
    pub(crate) fn frames(&mut self, end: &mut End) -> Vec<Bytes> {
        self.0.receive(&end.poll_transmit().unwrap_or_default());
        std::iter::from_fn(|| self.0.poll_frame().unwrap()).collect()
    }
}
