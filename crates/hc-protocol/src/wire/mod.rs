//! The messages of a core's channel, as bytes.
//!
//! | type | message | says |
//! | --- | --- | --- |
//! | 0 | [`Sync`] | how long the sender's log is, and what it is up to |
//! | 1 | [`Request`] | asks for a proof |
//! | 2 | [`Cancel`] | the request is not needed any more |
//! | 3 | [`Data`] | a proof |
//! | 4 | [`NoData`] | there is no proof for that request |
//! | 5, 6 | [`Want`] | wants (no longer) to know which blocks of a range the other has |
//! | 7 | [`Bitfield`] | which blocks of a range the sender has |
//! | 8 | [`Range`] | that the sender has, or dropped, a range |
//! | 9 | [`Extension`] | something of the application's |
//!
//! Bytes that follow a message are those of a later version, and ignored. Types above 9 are, too.
//!
//! Follows npm hypercore 11.37.1, `lib/messages.js` (`wire`), and `lib/replicator.js` for the order of the types.

mod data;
mod have;
mod open;
mod request;

pub use data::{Data, NoData};
pub use have::{Bitfield, Extension, Range, Sync, Want};
pub use open::Open;
pub use request::{Cancel, Request};

use bytes::Bytes;
use compact_encoding::{Decode, DecodeError, Encode, Reader, Sink};

use crate::error::Violation;

/// A message of a core's channel.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "the large one is also the frequent one, and is moved, not kept"
)]
pub enum Message {
    /// How long the sender's log is.
    Sync(Sync),
    /// Asks for a proof.
    Request(Request),
    /// The request is not needed any more.
    Cancel(Cancel),
    /// A proof.
    Data(Data),
    /// There is no proof.
    NoData(NoData),
    /// Wants to know.
    Want(Want),
    /// Does not want to know any more.
    Unwant(Want),
    /// Which blocks the sender has.
    Bitfield(Bitfield),
    /// That the sender has or dropped blocks.
    Range(Range),
    /// Something of the application's.
    Extension(Extension),
    /// A message of a later version.
    Unknown {
        /// Its type.
        type_id: u64,
    },
}

impl Message {
    /// The number that stands before the message.
    #[must_use]
    pub const fn type_id(&self) -> u64 {
        match self {
            Self::Sync(_) => 0,
            Self::Request(_) => 1,
            Self::Cancel(_) => 2,
            Self::Data(_) => 3,
            Self::NoData(_) => 4,
            Self::Want(_) => 5,
            Self::Unwant(_) => 6,
            Self::Bitfield(_) => 7,
            Self::Range(_) => 8,
            Self::Extension(_) => 9,
            Self::Unknown { type_id } => *type_id,
        }
    }

    /// Reads the message of a type. Blocks are slices of `body` where that wastes little.
    ///
    /// # Errors
    /// [`Violation::Message`].
    pub fn decode(type_id: u64, body: &Bytes) -> Result<Self, Violation> {
        fn read<'a, T: Decode<'a>>(kind: &'static str, body: &'a Bytes) -> Result<T, Violation> {
            T::from_prefix(body).map_err(|error| Violation::Message { kind, error })
        }
        Ok(match type_id {
            0 => Self::Sync(read("sync", body)?),
            1 => Self::Request(read("request", body)?),
            2 => Self::Cancel(read("cancel", body)?),
            3 => {
                let data = Data::decode_from(body, &mut Reader::new(body));
                Self::Data(data.map_err(|error| Violation::Message { kind: "data", error })?)
            }
            4 => Self::NoData(read("no-data", body)?),
            5 => Self::Want(read("want", body)?),
            6 => Self::Unwant(read("unwant", body)?),
            7 => Self::Bitfield(read("bitfield", body)?),
            8 => Self::Range(read("range", body)?),
            9 => Self::Extension(read("extension", body)?),
            type_id => Self::Unknown { type_id },
        })
    }
}

impl Encode for Message {
    fn encode<S: Sink>(&self, out: &mut S) {
        match self {
            Self::Sync(message) => message.encode(out),
            Self::Request(message) => message.encode(out),
            Self::Cancel(message) => message.encode(out),
            Self::Data(message) => message.encode(out),
            Self::NoData(message) => message.encode(out),
            Self::Want(message) | Self::Unwant(message) => message.encode(out),
            Self::Bitfield(message) => message.encode(out),
            Self::Range(message) => message.encode(out),
            Self::Extension(message) => message.encode(out),
            Self::Unknown { .. } => {}
        }
    }
}

/// Bits of a flags field, in the order in which they are given.
fn flags(bits: &[bool]) -> u64 {
    bits.iter().rev().fold(0, |flags, bit| flags << 1 | u64::from(*bit))
}

/// What a message's optional part holds, if its bit is set.
fn part<'a, T>(
    reader: &mut Reader<'a>,
    set: bool,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<Option<T>, DecodeError> {
    if set { read(reader).map(Some) } else { Ok(None) }
}
