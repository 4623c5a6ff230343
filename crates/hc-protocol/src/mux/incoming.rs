//! A frame on its way in, read message by message.
//!
//! Follows npm protomux 3.12.1, `index.js`.

use bytes::Bytes;
use compact_encoding::Reader;

use super::BATCH;
use super::channels::RemoteId;
use crate::error::Violation;
use crate::limits::MAX_BATCH_MESSAGES;

/// A frame of which a part has been read. Empty at first.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    frame: Bytes,
    /// How many of its bytes were read.
    at: usize,
    batch: Option<Batch>,
}

/// Where in a batch one is.
#[derive(Debug)]
struct Batch {
    channel: RemoteId,
    /// Messages so far, and changes of the channel.
    messages: usize,
}

/// A message with its type before it, or one of control, on channel 0.
pub(super) struct Item<'a> {
    pub(super) channel: RemoteId,
    pub(super) frame: &'a Bytes,
    pub(super) reader: Reader<'a>,
}

impl Incoming {
    pub(crate) fn new(frame: Bytes) -> Self {
        Self { frame, at: 0, batch: None }
    }

    /// The next message, if there is one more.
    pub(super) fn next(&mut self) -> Result<Option<Item<'_>>, Violation> {
        if self.at >= self.frame.len() {
            return Ok(None);
        }
        let frame = &self.frame;
        let mut reader = Reader::new(frame);
        reader.take(self.at).map_err(Violation::Channel)?;
        if self.batch.is_none() {
            let channel = reader.uint().map_err(Violation::Channel)?;
            let mut control = reader.clone();
            if channel != 0 || control.uint() != Ok(BATCH) {
                self.at = frame.len();
                return Ok(Some(Item { channel, frame, reader }));
            }
            reader = control;
            self.batch = Some(Batch { channel: reader.uint().map_err(Violation::Channel)?, messages: 0 });
        }
        let next = self.batch.as_mut().map_or(Ok(None), |batch| batch.next(&mut reader))?;
        self.at = reader.position();
        Ok(next.map(|(channel, reader)| Item { channel, frame, reader }))
    }
}

impl Batch {
    fn next<'a>(&mut self, reader: &mut Reader<'a>) -> Result<Option<(RemoteId, Reader<'a>)>, Violation> {
        while !reader.is_empty() {
            self.messages += 1;
            if self.messages > MAX_BATCH_MESSAGES {
                return Err(Violation::BatchTooLong { max: MAX_BATCH_MESSAGES });
            }
            let len = reader.uint().map_err(Violation::Channel)?;
            if len == 0 {
                self.channel = reader.uint().map_err(Violation::Channel)?;
                continue;
            }
            // as in Node, a length beyond the end means up to the end
            let len = usize::try_from(len).unwrap_or(usize::MAX).min(reader.remaining());
            let message = reader.sub(len).map_err(Violation::Channel)?;
            if self.channel == 0 && message.clone().uint() == Ok(BATCH) {
                return Err(Violation::NestedBatch);
            }
            return Ok(Some((self.channel, message)));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(frame: &'static [u8]) -> Vec<(u64, Vec<u8>)> {
        let (mut incoming, mut found) = (Incoming::new(Bytes::from_static(frame)), Vec::new());
        while let Some(mut item) = incoming.next().unwrap() {
            found.push((item.channel, item.reader.rest().to_vec()));
        }
        found
    }

    #[test]
    fn q11_a_batch_is_read_one_message_at_a_time() {
        assert_eq!(all(&[7, 2, 9]), [(7, vec![2, 9])]);
        assert_eq!(all(&[0, 3, 4]), [(0, vec![3, 4])]);
        assert_eq!(all(&[0, 0, 5]), []);
        let batch = &[0, 0, 5, 1, 2, 2, 3, 4, 0, 0, 2, 3, 5, 0, 0, 0, 6, 9, 8];
        assert_eq!(all(batch), [(5, vec![2]), (5, vec![3, 4]), (0, vec![3, 5]), (6, vec![8])]);
    }

    #[test]
    fn what_is_wrong_in_a_batch_is_found_behind_what_comes_before() {
        let mut incoming = Incoming::new(Bytes::from_static(&[0, 0, 5, 1, 2, 253]));
        assert!(matches!(incoming.next(), Ok(Some(item)) if item.channel == 5));
        assert!(matches!(incoming.next(), Err(Violation::Channel(_))));
    }
}
