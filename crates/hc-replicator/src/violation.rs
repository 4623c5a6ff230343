//! What a peer must not do.

/// A rule that a peer broke. Its connection is closed; nothing else changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// A proof did not verify.
    #[error("the peer sent a proof that does not verify")]
    InvalidProof,
    /// An answer lacks a part that was asked for, or has one that was not.
    #[error("the peer's answer to request {request} does not fit what was asked")]
    UnmatchedData {
        /// Our request id.
        request: u64,
    },
    /// Too many requests that no proof can answer.
    #[error("the peer sent {count} invalid requests")]
    TooManyInvalidRequests {
        /// How many.
        count: u32,
    },
    /// More unanswered requests than allowed.
    #[error("the peer has more than {limit} requests open")]
    TooManyRequests {
        /// The limit.
        limit: usize,
    },
    /// An index or length beyond 2^53, or a range that ends there.
    #[error("the peer sent an index or a length that is out of bounds")]
    OutOfBounds,
    /// A bitfield that starts in the middle of a word or is larger than one segment.
    #[error("the peer sent a bitfield of {words} words from block {start}")]
    MalformedBitfield {
        /// First block.
        start: u64,
        /// 32-bit words.
        words: usize,
    },
    /// An extension name is too long.
    #[error("the peer sent an extension name of {length} bytes")]
    ExtensionName {
        /// Its length.
        length: usize,
    },
}
