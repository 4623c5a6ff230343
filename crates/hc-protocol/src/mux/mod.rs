//! Many channels over one stream.
//!
//! Each end numbers its own channels from 1. A frame is the sender's number of a channel, then a message's type and body;
//! number 0 is for control:
//!
//! | type | control message | fields |
//! | --- | --- | --- |
//! | 0 | batch | for each run of one channel: its number, then messages behind their lengths; a length of 0 precedes the next number |
//! | 1 | open | number, protocol, id, handshake |
//! | 2 | reject | number |
//! | 3 | close | number |
//!
//! A channel is open when both ends have opened it under one name (protocol and id). What its opener sends before the other
//! end has answered waits there. A number is used again only after both ends let go of it.
//!
//! Frames are kept as bytes, and a message is looked at when it is polled: what the reader of an event does (to open or
//! close a channel, say) is done before the next message of the same batch is looked at, and however many messages a batch
//! has, only one of them is in memory beside it.
//!
//! Follows npm protomux 3.12.1, `index.js`.

mod backlog;
mod channels;
mod incoming;
mod outgoing;

pub(crate) use channels::{LocalId, Mux, MuxEvent, Name};
pub(crate) use incoming::Incoming;
pub(crate) use outgoing::Outgoing;

const BATCH: u64 = 0;
const OPEN: u64 = 1;
const REJECT: u64 = 2;
const CLOSE: u64 = 3;
