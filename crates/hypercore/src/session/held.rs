//! What a session holds while it is open. It goes with the close, however many handles are left: a handle of a closed session
//! knows its core, and what the session was.
//!
//! Whoever calls something of an open session holds this until it is done. So what a call began with stays in place when the
//! session is closed meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hc_crypto::{KeyPair, PublicKey};
use parking_lot::{Mutex, RwLock};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::ongoing::Ongoing;
use crate::core::{Branch, Core, Status};
use crate::encryption::{Encryption, SessionEncryption};
use crate::events::{Events, Feed};
use crate::options::SessionOptions;

/// What an open session holds.
pub(super) struct Held {
    /// The log that this is a session of, if it is not the one that peers see. It knows which core it is of now.
    pub(super) branch: Option<Arc<Branch>>,
    /// Without the key pair and the encryption, which may change.
    pub(super) options: SessionOptions,
    key_pair: RwLock<Option<KeyPair>>,
    encryption: RwLock<Arc<SessionEncryption>>,
    /// Keeps other exclusive sessions out.
    exclusive: Mutex<Option<OwnedSemaphorePermit>>,
    /// Whether reads mark blocks.
    marking: AtomicBool,
    /// Ends what the session waits for.
    pub(super) cancelled: CancellationToken,
    /// Goes on until the session ends.
    pub(super) ongoing: Ongoing,
    feed: Feed,
}

impl Held {
    pub(super) fn new(
        branch: Option<Arc<Branch>>,
        core: &Core,
        mut options: SessionOptions,
        exclusive: Option<OwnedSemaphorePermit>,
    ) -> Self {
        let encryption = SessionEncryption::new(options.encryption.take().flatten(), core.key());
        Self {
            branch,
            key_pair: RwLock::new(options.key_pair.take()),
            encryption: RwLock::new(Arc::new(encryption)),
            exclusive: Mutex::new(exclusive),
            marking: AtomicBool::new(false),
            options,
            cancelled: CancellationToken::new(),
            ongoing: Ongoing::default(),
            feed: Feed::default(),
        }
    }

    /// Options of a session that is made from this one: what they leave open is as it is here now.
    pub(super) fn inherited(&self, options: SessionOptions) -> SessionOptions {
        let mut options = options.over(&self.options);
        if options.encryption.is_none() {
            options.encryption = self.encryption().chosen().cloned().map(Some);
        }
        if options.key_pair.is_none() {
            options.key_pair = self.chosen_key_pair();
        }
        options
    }

    /// The log that this is a session of, if it is a named session.
    pub(super) fn draft(&self) -> Option<&Arc<Branch>> {
        self.branch.as_ref().filter(|branch| branch.is_named())
    }

    pub(super) fn is_snapshot(&self) -> bool {
        self.branch.as_ref().is_some_and(|branch| branch.is_snapshot())
    }

    pub(super) fn chosen_key_pair(&self) -> Option<KeyPair> {
        self.key_pair.read().clone()
    }

    pub(super) fn set_key_pair(&self, key_pair: KeyPair) {
        *self.key_pair.write() = Some(key_pair);
    }

    pub(super) fn encryption(&self) -> Arc<SessionEncryption> {
        Arc::clone(&self.encryption.read())
    }

    /// The encryption, if there is any.
    pub(super) fn encrypts(&self) -> Option<Arc<SessionEncryption>> {
        let encryption = self.encryption.read();
        encryption.chosen().map(|_| Arc::clone(&encryption))
    }

    pub(super) fn set_encryption(&self, encryption: Option<Encryption>, core: &Core) {
        *self.encryption.write() = Arc::new(SessionEncryption::new(encryption, core.key()));
    }

    /// Bytes of each block that are not the application's.
    pub(super) fn padding(&self, core: &Core) -> u64 {
        if !core.has_manifest() {
            return 0;
        }
        self.encryption.read().padding(core.key(), core.is_compat())
    }

    pub(super) fn is_marking(&self) -> bool {
        self.marking.load(Ordering::Relaxed)
    }

    pub(super) fn set_marking(&self, marking: bool) {
        self.marking.store(marking, Ordering::Relaxed);
    }

    pub(super) fn status(&self, core: &Core) -> Status {
        self.branch.as_ref().map_or_else(|| core.status(), |branch| branch.status())
    }

    pub(super) fn signed_length(&self, core: &Core) -> u64 {
        self.branch.as_ref().map_or_else(|| core.status().length, |branch| branch.signed_length())
    }

    /// Listens to the log, and to the close of the session.
    pub(super) fn events(&self, core: &Core) -> Events {
        self.feed.listen(self.branch.as_ref().map_or_else(|| core.listeners(), |branch| branch.listeners()))
    }

    /// Ends what the session promised, and tells those who listen. Whoever calls took this away from the session, so that
    /// nothing is promised after it.
    pub(super) fn close(&self, opened_on: &Core) {
        self.cancelled.cancel();
        self.exclusive.lock().take();
        self.ongoing.end();
        self.feed.close();
        let weak = self.options.weak.unwrap_or(false);
        match &self.branch {
            Some(branch) => branch.session_closed(weak),
            None => {
                opened_on.session_closed(weak);
            }
        }
    }
}

/// What a session was when it was closed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Last {
    pub(super) status: Status,
    pub(super) signed_length: u64,
    pub(super) padding: u64,
    pub(super) public_key: Option<PublicKey>,
}
