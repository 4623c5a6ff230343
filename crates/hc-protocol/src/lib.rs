//! One connection between two peers: bytes in, messages out.
//!
//! ```text
//!   transport bytes ──► frames ──► Noise XX handshake, then sealed frames ──► channels ──► messages of cores
//!                       [frame]    [noise] [secret_stream]                    [mux]        [wire]
//! ```
//!
//! [`Connection`] is all of it in one state machine without I/O: [`Connection::receive`] takes bytes,
//! [`Connection::poll_event`] says what they meant, [`Connection::poll_transmit`] gives the bytes to send. Keys, seeds and
//! the decision when to say that one is still there come from the caller; there is no clock and no randomness in here.
//!
//! What is received is kept as bytes. A frame is opened, and a message of it decoded, when its event is polled and not
//! before, so what a peer sends never takes much more memory than its bytes.
//!
//! A peer that breaks a rule is a [`Violation`]; the connection is then over: what came before the offending message was
//! handed out, and nothing after it is. What a peer may cost is in [`limits`].
//!
//! Follows npm @hyperswarm/secret-stream 6.9.2, npm noise-handshake, npm protomux 3.12.1 and npm hypercore 11.37.1,
//! `lib/messages.js`.
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::unwrap_used))]

mod connection;
mod error;
mod frame;
pub mod limits;
mod mux;
mod noise;
mod secret_stream;
pub mod wire;

pub use connection::{ChannelId, Connection, Event, OpenError};
pub use error::Violation;
pub use secret_stream::{FinishedHandshake, Role, SecretStream};
