//! Frames on their way out: small messages that follow each other leave as one batch.

use compact_encoding::{Encode, Sink, put};

use super::channels::Name;
use super::{CLOSE, OPEN, REJECT};
use crate::limits::BATCH_TARGET;

/// Collects frames and hands each to `seal` when it is whole.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    /// A batch in the making, without the two bytes before it.
    batch: Vec<u8>,
    /// The channel of its last message.
    channel: u64,
    messages: usize,
    /// Where the only message of a batch of one begins.
    first_body: usize,
}

impl Outgoing {
    /// Bytes that are not sealed yet.
    pub(crate) const fn pending(&self) -> usize {
        self.batch.len()
    }

    pub(crate) fn message(
        &mut self,
        channel: u64,
        type_id: u64,
        body: &impl Encode,
        seal: &mut impl FnMut(&[u8]),
    ) {
        let len = body.encoded_len() + uint_len(type_id);
        if len >= BATCH_TARGET {
            self.flush(seal);
            let mut frame = Vec::with_capacity(len + 9);
            put::uint(&mut frame, channel);
            put::uint(&mut frame, type_id);
            body.encode(&mut frame);
            return seal(&frame);
        }
        if self.messages == 0 {
            put::uint(&mut self.batch, channel);
        } else if self.channel != channel {
            self.batch.push(0);
            put::uint(&mut self.batch, channel);
        }
        self.channel = channel;
        put::len(&mut self.batch, len);
        if self.messages == 0 {
            self.first_body = self.batch.len();
        }
        self.messages += 1;
        put::uint(&mut self.batch, type_id);
        body.encode(&mut self.batch);
        if self.batch.len() >= BATCH_TARGET {
            self.flush(seal);
        }
    }

    pub(crate) fn open(&mut self, id: u64, name: &Name, handshake: &[u8], seal: &mut impl FnMut(&[u8])) {
        self.control(OPEN, id, seal, |frame| {
            put::buffer(frame, &name.protocol);
            put::optional_buffer(frame, Some(&name.id));
            frame.extend_from_slice(handshake);
        });
    }

    pub(crate) fn reject(&mut self, remote_id: u64, seal: &mut impl FnMut(&[u8])) {
        // a peer that opens many channels at once is answered with one batch, as Node does
        self.message(0, REJECT, &Number(remote_id), seal);
    }

    pub(crate) fn close(&mut self, id: u64, seal: &mut impl FnMut(&[u8])) {
        self.control(CLOSE, id, seal, |_| {});
    }

    fn control(
        &mut self,
        kind: u64,
        id: u64,
        seal: &mut impl FnMut(&[u8]),
        fields: impl FnOnce(&mut Vec<u8>),
    ) {
        self.flush(seal);
        let mut frame = vec![0];
        put::uint(&mut frame, kind);
        put::uint(&mut frame, id);
        fields(&mut frame);
        seal(&frame);
    }

    /// Ends the batch.
    pub(crate) fn flush(&mut self, seal: &mut impl FnMut(&[u8])) {
        match self.messages {
            0 => return,
            1 => {
                // alone, a message needs no batch around it
                let mut frame = Vec::with_capacity(self.batch.len());
                put::uint(&mut frame, self.channel);
                frame.extend_from_slice(self.batch.get(self.first_body..).unwrap_or_default());
                seal(&frame);
            }
            _ => {
                let mut frame = Vec::with_capacity(self.batch.len() + 2);
                frame.extend_from_slice(&[0, 0]);
                frame.extend_from_slice(&self.batch);
                seal(&frame);
            }
        }
        self.batch.clear();
        self.messages = 0;
    }
}

/// The number of a channel, as all that there is in a message.
struct Number(u64);

impl Encode for Number {
    fn encode<S: Sink>(&self, out: &mut S) {
        put::uint(out, self.0);
    }
}

fn uint_len(n: u64) -> usize {
    let mut count = compact_encoding::Count::default();
    put::uint(&mut count, n);
    count.0
}
