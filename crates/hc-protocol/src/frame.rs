//! Frames: a length of three bytes, little-endian, then the body.
//!
//! Follows npm @hyperswarm/secret-stream 6.9.2, `index.js` and `lib/bridge.js`.

use crate::error::Violation;

/// Bytes before a frame's body.
pub(crate) const PREFIX: usize = 3;
/// Room is given back when so much of it is unused.
const SHRINK_ABOVE: usize = 64 * 1024;

/// Received bytes that are not yet a whole frame. Grows with what arrived, never with what a frame claims.
#[derive(Debug, Default)]
pub(crate) struct Framer {
    buffer: Vec<u8>,
    read: usize,
}

impl Framer {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.read == self.buffer.len() {
            self.buffer.clear();
            self.read = 0;
            if self.buffer.capacity() > SHRINK_ABOVE {
                self.buffer.shrink_to(SHRINK_ABOVE);
            }
        } else if self.buffer.len() + bytes.len() > self.buffer.capacity() {
            self.buffer.drain(..self.read);
            self.read = 0;
            self.grow(self.buffer.len() + bytes.len());
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Makes room: twice as much as there was, so that bytes are seldom moved, but not beyond the frame that has begun.
    fn grow(&mut self, needed: usize) {
        let (len, room) = (self.buffer.len(), self.buffer.capacity());
        let frame = self.buffer.first_chunk().map_or(0, |prefix| PREFIX + claimed(*prefix));
        self.buffer.reserve_exact(needed.max(frame.min(room * 2)) - len);
    }

    /// The next whole frame's body.
    pub(crate) fn next(&mut self, max: usize) -> Result<Option<&[u8]>, Violation> {
        let rest = self.buffer.get(self.read..).unwrap_or_default();
        let Some((prefix, rest)) = rest.split_first_chunk::<PREFIX>() else { return Ok(None) };
        let len = claimed(*prefix);
        if len > max {
            return Err(Violation::FrameTooLarge { len, max });
        }
        let Some(body) = rest.get(..len) else { return Ok(None) };
        self.read += PREFIX + len;
        Ok(Some(body))
    }
}

/// How long a body is to be, as its prefix says.
fn claimed(prefix: [u8; PREFIX]) -> usize {
    let [a, b, c] = prefix.map(usize::from);
    a | b << 8 | c << 16
}

/// The prefix of a body of so many bytes.
pub(crate) fn prefix(len: usize) -> [u8; PREFIX] {
    let [a, b, c, ..] = len.to_le_bytes();
    [a, b, c]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q2_frames_arrive_in_any_pieces() {
        let mut framer = Framer::default();
        let mut bodies = Vec::new();
        for byte in [prefix(2).as_slice(), b"ab", &prefix(0), &prefix(1), b"c"].concat() {
            framer.push(&[byte]);
            while let Some(body) = framer.next(10).unwrap() {
                bodies.push(body.to_vec());
            }
        }
        assert_eq!(bodies, [b"ab".to_vec(), vec![], b"c".to_vec()]);
    }

    #[test]
    fn q4_room_grows_with_what_arrives_and_not_beyond_the_frame() {
        let mut framer = Framer::default();
        framer.push(&prefix(1_000_000));
        let mut arrived = PREFIX;
        for _ in 0..100 {
            framer.push(&[7; 10_000]);
            arrived += 10_000;
            let room = framer.buffer.capacity();
            assert!(room <= (2 * arrived).min(PREFIX + 1_000_000), "{room} bytes for {arrived}");
        }
        assert_eq!(framer.next(1_000_000).unwrap().map(<[u8]>::len), Some(1_000_000));
    }

    #[test]
    fn what_was_read_gives_its_room_to_what_comes() {
        let mut framer = Framer::default();
        let frames = [prefix(2).as_slice(), b"ab"].concat().repeat(100_000);
        // pieces that end within a frame
        for piece in frames.chunks(1_001) {
            framer.push(piece);
            while framer.next(10).unwrap().is_some() {}
        }
        assert!(framer.buffer.capacity() < 4_000, "{}", framer.buffer.capacity());
    }

    #[test]
    fn q4_a_frame_that_claims_too_much_is_refused_at_its_prefix() {
        let mut framer = Framer::default();
        framer.push(&prefix(11));
        assert_eq!(framer.next(10), Err(Violation::FrameTooLarge { len: 11, max: 10 }));
        let mut framer = Framer::default();
        framer.push(&prefix(10));
        assert_eq!(framer.next(10), Ok(None));
    }
}
