//! What happened to a core, for whoever subscribed.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::Stream;
use hc_crypto::{Key, PublicKey};
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

/// How many events a subscriber may lag behind before it loses the oldest. It is told how many it lost.
pub(crate) const EVENT_BACKLOG: usize = 1024;

/// Something that happened to a core.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The core has a new length, from a local append or from a peer. One event for each append call or upgrade.
    Append {
        /// Blocks now.
        length: u64,
        /// Bytes of all blocks now.
        byte_length: u64,
    },
    /// The log was cut: by its owner, or because a peer proved that its owner did.
    Truncate {
        /// Blocks that stayed.
        length: u64,
        /// How often the log was cut now.
        fork: u64,
    },
    /// A block came from a peer and is stored.
    Download {
        /// The block.
        index: u64,
        /// Its size in bytes.
        byte_length: u64,
        /// The peer's key on the connection it came over.
        peer: PublicKey,
    },
    /// A block was handed to a peer's connection.
    Upload {
        /// The block.
        index: u64,
        /// Its size in bytes.
        byte_length: u64,
        /// The peer's key on the connection.
        peer: PublicKey,
    },
    /// A peer opened this core on a connection.
    PeerAdd {
        /// The peer's key on the connection.
        peer: PublicKey,
    },
    /// A peer closed this core, or its connection ended.
    PeerRemove {
        /// The peer's key on the connection.
        peer: PublicKey,
    },
    /// The session was moved to another core, see [`Hypercore::move_to`](crate::Hypercore::move_to). What follows is of that
    /// one.
    Migrate {
        /// The key of the core that it is of now.
        key: Key,
    },
    /// The manifest of a core that was opened by its key alone became known.
    Manifest,
    /// A peer is known to hold all blocks below this length.
    RemoteContiguousLength {
        /// Blocks from the start without a hole.
        length: u64,
    },
    /// A peer sent something that could not be verified. Nothing of it was stored.
    VerificationError {
        /// The peer's key on the connection.
        peer: PublicKey,
        /// What was wrong.
        reason: String,
    },
    /// What a peer sent could not be stored: the disk is full, or failed. Nothing of it is here, and the peer is asked for
    /// nothing more on this connection.
    StorageFailed {
        /// What went wrong.
        reason: String,
    },
    /// Lost roots of the tree are about to be repaired with a proof.
    Repairing,
    /// The roots are there again: the core is as before.
    Repaired,
    /// The proof did not give the roots back. Nothing was changed.
    RepairFailed {
        /// What was wrong with it.
        reason: String,
    },
    /// The subscriber was too slow and lost this many events.
    Lagged {
        /// How many.
        missed: u64,
    },
    /// The core was closed; nothing follows.
    Close,
}

/// The events of a core from the moment of subscription on. Ends when the core closes.
#[derive(Debug)]
pub struct Events(BroadcastStream<Event>);

impl Events {
    pub(crate) fn new(receiver: broadcast::Receiver<Event>) -> Self {
        Self(BroadcastStream::new(receiver))
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let next = ready!(Pin::new(&mut self.0).poll_next(cx));
        Poll::Ready(next.map(|event| {
            event.unwrap_or_else(|BroadcastStreamRecvError::Lagged(missed)| Event::Lagged { missed })
        }))
    }
}
