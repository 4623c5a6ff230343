//! What can be wrong with encoded bytes.

use thiserror::Error;

/// Why bytes are not a value. Offsets count from the start of the buffer that the outermost [`Reader`](crate::Reader)
/// was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The value goes on beyond the end of the input.
    #[error("input ends at byte {at}, {needed} more needed")]
    OutOfBounds {
        /// Where the reader stood.
        at: usize,
        /// How many bytes the value needs from there that are not there.
        needed: u64,
    },
    /// An unsigned integer above [`MAX_SAFE_UINT`](crate::MAX_SAFE_UINT).
    #[error("integer {value} at byte {at} is above 2^53 - 1")]
    TooLarge {
        /// Where the integer begins.
        at: usize,
        /// The integer.
        value: u64,
    },
    /// A list with more elements than its format allows.
    #[error("list at byte {at} claims {count} elements, at most {max} are allowed")]
    TooMany {
        /// Where the list begins.
        at: usize,
        /// The claimed number of elements.
        count: u64,
        /// The bound.
        max: usize,
    },
    /// A string that is not UTF-8.
    #[error("string at byte {at} is not UTF-8")]
    InvalidUtf8 {
        /// Where the text begins.
        at: usize,
    },
    /// Bytes that follow the value where none may.
    #[error("{extra} bytes follow the value, which ends at byte {at}")]
    Trailing {
        /// Where the value ends.
        at: usize,
        /// How many bytes follow.
        extra: usize,
    },
    /// A field with a value that its format does not know.
    #[error("unknown or illegal {what} before byte {at}")]
    Invalid {
        /// Where the reader stood after the field.
        at: usize,
        /// The field.
        what: &'static str,
    },
}
