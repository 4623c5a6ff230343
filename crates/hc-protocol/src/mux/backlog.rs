//! What waits for a channel to be accepted: messages as bytes, one behind the other, for as long as nobody takes them.

use bytes::Bytes;
use compact_encoding::{Reader, put};

use crate::limits::{MAX_PENDING_BYTES, MAX_PENDING_MESSAGES, WAITING_MESSAGE_COST};

/// The messages of a channel that this end has not opened.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// For each message its type, then its body behind its length.
    encoded: Vec<u8>,
    messages: usize,
    /// Bytes of the bodies.
    bytes: usize,
}

impl Pending {
    /// Keeps a message. Gives what it counts for.
    pub(super) fn push(&mut self, type_id: u64, body: &[u8]) -> usize {
        put::uint(&mut self.encoded, type_id);
        put::buffer(&mut self.encoded, body);
        self.messages += 1;
        self.bytes += body.len();
        body.len() + WAITING_MESSAGE_COST
    }

    /// Whether it is more than one channel may keep.
    pub(super) const fn is_over(&self) -> bool {
        self.bytes > MAX_PENDING_BYTES || self.messages > MAX_PENDING_MESSAGES
    }

    /// What all of it counts for.
    pub(super) const fn cost(&self) -> usize {
        self.bytes + self.messages * WAITING_MESSAGE_COST
    }
}

/// The same once this end has opened the channel, until all of it was taken.
#[derive(Debug)]
pub(super) struct Backlog {
    /// The peer's, until the channel was said to be open.
    handshake: Option<Bytes>,
    encoded: Bytes,
    /// How many bytes of it were taken.
    at: usize,
}

impl Backlog {
    pub(super) fn new(handshake: Bytes, pending: Pending) -> Self {
        Self { handshake: Some(handshake), encoded: pending.encoded.into(), at: 0 }
    }

    /// What comes first: that the channel is open.
    pub(super) const fn opened(&mut self) -> Option<Bytes> {
        self.handshake.take()
    }

    /// The next message: its type and body.
    pub(super) fn next(&mut self) -> Option<(u64, Bytes)> {
        let mut reader = Reader::new(&self.encoded);
        // written above, so that it can be read
        reader.take(self.at).ok()?;
        let (type_id, body) = (reader.uint().ok()?, reader.buffer().ok()?);
        self.at = reader.position();
        Some((type_id, self.encoded.slice_ref(body)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q9_what_waited_comes_out_as_it_went_in() {
        let mut pending = Pending::default();
        let counted = pending.push(5, b"body") + pending.push(1 << 40, b"");
        assert_eq!(counted, pending.cost());
        let mut backlog = Backlog::new(Bytes::from_static(b"hello"), pending);
        assert_eq!((backlog.opened(), backlog.opened()), (Some(Bytes::from_static(b"hello")), None));
        assert_eq!(backlog.next(), Some((5, Bytes::from_static(b"body"))));
        assert_eq!(backlog.next(), Some((1 << 40, Bytes::new())));
        assert_eq!(backlog.next(), None);
    }
}
