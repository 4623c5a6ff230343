//! What a connection may cost.

use std::time::Duration;

/// A handshake that takes longer ends the connection.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(10);
/// An idle connection says every so often that it lives. As npm hypercore 11.37.1, `index.js`.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// Bytes taken from the transport at once, on a connection over which much comes.
pub(crate) const READ_BUFFER_MAX: usize = 256 * 1024;
/// The same on one over which little comes.
pub(crate) const READ_BUFFER_MIN: usize = 8 * 1024;
/// So many reads in a row that leave most of the buffer empty make it small again.
pub(crate) const SPARSE_READS: u32 = 64;
/// The peer's requests are answered while fewer bytes than this wait to be sent.
pub(crate) const SERVE_HIGH_WATER: usize = 1024 * 1024;
/// A connection with more bytes than this that wait to be sent is closed: 8 MiB, beside the largest frame. Answers stop below
/// it: at [`SERVE_HIGH_WATER`], and the last ones are so many bytes again and a block. What reaches it are announcements and
/// refusals of channels to a peer that reads nothing.
pub(crate) const OUTPUT_MAX: usize = 8 * 1024 * 1024 + hc_protocol::limits::MAX_FRAME;
/// How long a peer may leave bytes unread before its connection is closed.
pub(crate) const STALL: Duration = Duration::from_secs(60);
/// How long a connection that ends may take to send what is queued.
pub(crate) const FAREWELL: Duration = Duration::from_secs(1);
/// Requests taken up at once, before their answers go out.
pub(crate) const SERVE_BATCH: usize = 64;
/// Requests of one connection that may wait to be answered; beyond it, reading stops.
pub(crate) const SERVE_QUEUE: usize = 4096;
/// Cores that one connection may have being opened by discovery key at the same time; the others wait.
pub(crate) const OPENING_MAX: usize = 128;

const _: () = assert!(2 * SERVE_HIGH_WATER + hc_protocol::limits::MAX_FRAME < OUTPUT_MAX);
