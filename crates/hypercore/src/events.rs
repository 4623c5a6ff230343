//! What happened to a log, for whoever subscribed: [`Events`] of a session, which end with it.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use futures_util::Stream;
use hc_crypto::{Key, PublicKey};
use parking_lot::Mutex;
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
    /// The session was closed, or the core with all of its sessions; nothing follows.
    Close,
}

/// The events of a session from the moment of subscription on. The last one is [`Event::Close`], when the session closes or its
/// core does; those of a session that is closed already end at once.
#[derive(Debug)]
pub struct Events {
    told: BroadcastStream<Event>,
    ended: bool,
}

impl Events {
    fn new(receiver: broadcast::Receiver<Event>) -> Self {
        Self { told: BroadcastStream::new(receiver), ended: false }
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let next = ready!(Pin::new(&mut self.told).poll_next(cx));
        let next = next.map(|event| {
            event.unwrap_or_else(|BroadcastStreamRecvError::Lagged(missed)| Event::Lagged { missed })
        });
        self.ended = matches!(next, None | Some(Event::Close));
        Poll::Ready(next)
    }
}

/// What one session is told. There is a buffer only once somebody listens.
#[derive(Default)]
pub(crate) struct Feed(Mutex<Hearing>);

#[derive(Default)]
enum Hearing {
    #[default]
    Nobody,
    Somebody(Arc<broadcast::Sender<Event>>),
    /// The session is closed.
    Over,
}

impl Feed {
    /// Listens from now on. The first listener makes the session one of those that the log tells.
    pub(crate) fn listen(&self, log: &Listeners) -> Events {
        let mut hearing = self.0.lock();
        if matches!(*hearing, Hearing::Nobody) {
            let sender = Arc::new(broadcast::Sender::new(EVENT_BACKLOG));
            log.add(&sender);
            *hearing = Hearing::Somebody(sender);
        }
        match &*hearing {
            Hearing::Somebody(sender) => Events::new(sender.subscribe()),
            Hearing::Nobody | Hearing::Over => Self::ended(),
        }
    }

    /// What there is to hear of a session that is closed: nothing.
    pub(crate) fn ended() -> Events {
        let (_, receiver) = broadcast::channel(1);
        Events::new(receiver)
    }

    /// Tells that the session is closed, and nothing after it.
    pub(crate) fn close(&self) {
        if let Hearing::Somebody(sender) = std::mem::replace(&mut *self.0.lock(), Hearing::Over) {
            // no receiver any more is no error
            let _ = sender.send(Event::Close);
        }
    }
}

/// The sessions of a log that somebody listens to. Each has its own sender, since its events end with it.
#[derive(Default)]
pub(crate) struct Listeners(Mutex<Vec<Weak<broadcast::Sender<Event>>>>);

impl Listeners {
    fn add(&self, session: &Arc<broadcast::Sender<Event>>) {
        let mut listeners = self.0.lock();
        listeners.retain(|session| session.strong_count() > 0);
        listeners.push(Arc::downgrade(session));
    }

    /// Whether nobody listens.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// Tells all of them; without any it costs nothing.
    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        let mut listeners = self.0.lock();
        if listeners.is_empty() {
            return;
        }
        let event = event();
        listeners.retain(|session| {
            let Some(session) = session.upgrade() else { return false };
            // no receiver any more is no error
            let _ = session.send(event.clone());
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt};

    use super::*;

    fn heard(events: &mut Events) -> Vec<Event> {
        std::iter::from_fn(|| events.next().now_or_never().flatten()).collect()
    }

    #[test]
    fn nothing_follows_the_close_of_the_session_that_somebody_listens_to() {
        let (log, one, other) = (Listeners::default(), Feed::default(), Feed::default());
        let (mut first, mut second, mut third) = (one.listen(&log), one.listen(&log), other.listen(&log));
        log.tell(|| Event::Manifest);
        one.close();
        log.tell(|| Event::Repaired);
        for events in [&mut first, &mut second] {
            assert_eq!(heard(events), [Event::Manifest, Event::Close]);
            assert_eq!(events.next().now_or_never(), Some(None), "it has ended");
        }
        assert_eq!(heard(&mut third), [Event::Manifest, Event::Repaired]);
        assert_eq!(one.listen(&log).next().now_or_never(), Some(None));
        assert_eq!(log.0.lock().len(), 1, "who is closed is forgotten");
    }

    #[test]
    fn who_is_too_slow_still_hears_of_the_close() {
        let (log, feed) = (Listeners::default(), Feed::default());
        let mut events = feed.listen(&log);
        for _ in 0..2 * EVENT_BACKLOG {
            log.tell(|| Event::Manifest);
        }
        feed.close();
        let heard = heard(&mut events);
        assert!(
            matches!(heard.first(), Some(Event::Lagged { missed }) if *missed > 0),
            "{:?}",
            heard.first()
        );
        assert_eq!(heard.last(), Some(&Event::Close));
    }

    #[test]
    fn who_does_not_listen_costs_no_buffer() {
        let (log, feed) = (Listeners::default(), Feed::default());
        log.tell(|| unreachable!("nobody listens"));
        assert!(matches!(*feed.0.lock(), Hearing::Nobody));
    }
}
