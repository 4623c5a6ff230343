//! What a peer can do wrong. Each ends its connection and nothing else.

use compact_encoding::DecodeError;
use thiserror::Error;

/// A rule of the protocol that a peer broke.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Violation {
    /// A frame that is longer than allowed at this point.
    #[error("a frame of {len} bytes, at most {max} are allowed here")]
    FrameTooLarge {
        /// The length it claims.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// A message of the handshake that is none, or keys that are weak.
    #[error("the handshake failed: {0}")]
    Handshake(String),
    /// The first frame after the handshake has another length or another stream id.
    #[error("the stream header is not that of this handshake")]
    StreamHeader,
    /// A frame that cannot be opened: altered, replayed or out of order.
    #[error("frame {number} cannot be decrypted")]
    Decrypt {
        /// Which frame since the handshake, from 0.
        number: u64,
    },
    /// A frame of channels that cannot be read.
    #[error("malformed channel frame: {0}")]
    Channel(DecodeError),
    /// More messages in one batch than allowed.
    #[error("a batch of more than {max} messages")]
    BatchTooLong {
        /// The limit.
        max: usize,
    },
    /// A batch within a batch.
    #[error("a batch within a batch")]
    NestedBatch,
    /// A channel opened under an id that is in use or out of order.
    #[error("channel id {id} is in use or out of order")]
    ChannelId {
        /// The id.
        id: u64,
    },
    /// A refusal of a channel that was not asked for.
    #[error("refused channel {id}, which was not asked for")]
    Reject {
        /// The id.
        id: u64,
    },
    /// More channels than allowed.
    #[error("more than {max} channels")]
    TooManyChannels {
        /// The limit.
        max: usize,
    },
    /// More waits for channels to be accepted than allowed.
    #[error("more than {max} bytes wait for channels to be accepted")]
    TooMuchWaiting {
        /// The limit.
        max: usize,
    },
    /// A name that is longer than allowed.
    #[error("a name of {len} bytes, at most {max} are allowed")]
    NameTooLong {
        /// Its length.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// The peer opened a core's channel without knowing the core's key.
    #[error("the peer does not know the core's key")]
    Capability,
    /// A message that cannot be read.
    #[error("malformed {kind} message: {error}")]
    Message {
        /// Which message.
        kind: &'static str,
        /// What is wrong with it.
        error: DecodeError,
    },
}
