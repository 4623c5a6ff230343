//! Replication over a byte stream: the only place that joins transport, protocol, replicators and storage.
//!
//! A connection is two tasks. The *reader* takes bytes from the transport through [`hc_protocol::Connection`], hands
//! messages to the cores they belong to and answers the peer's requests; the *writer* sends what the protocol has sealed.
//! Any task that pumps a core may add to a connection through a [`Link`]; nothing here waits for another connection.
//!
//! Backpressure: requests are answered only while little waits to be sent ([`limits::SERVE_HIGH_WATER`]); a peer that
//! does not read stops being served, and one that makes no progress for [`limits::STALL`] is closed.

mod connection;
mod handle;
pub(crate) mod limits;
mod reader;
mod serving;
mod source;
mod writer;

pub(crate) use connection::{Link, ServeJob};
pub use handle::{ConnectionInfo, Replication, ReplicationBuilder, Role};
pub use source::{CoreSource, OneCore};
