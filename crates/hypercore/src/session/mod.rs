//! The public handle of a core: [`Hypercore`].
//!
//! A handle is a *session*: it shares the core (its blocks, its tree, its peers) with every other session of the same
//! core and has defaults of its own (writable, wait, timeout, encryption). Clones of a handle are the same session. Dropping
//! the last clone closes the session; the last session that is not weak closes the core.
//!
//! Most sessions are of the log that peers see. A session may also be of a log beside it: a snapshot, a named session, or
//! what an atom makes of either.
//!
//! | module | owns |
//! | --- | --- |
//! | [`opening`] | opening a core, and sessions of it |
//! | [`held`] | what a session holds while it is open |
//! | [`ongoing`] | what ends with it |
//! | [`read`] | single blocks, byte positions, streams |
//! | [`write`](mod@write) | appending, cutting, clearing, committing |
//! | [`records`] | records beside the log |
//! | [`marks`] | marking blocks, and sweeping the others away |
//! | [`proofs`] | hashes of the tree, proofs, what is signed |
//! | [`network`] | what is done with peers |
//! | [`info`] | what is known of a core |
//! | [`prologue`] | taking a log's fixed beginning from another log |
//! | [`moving`] | moving a named session to another core |
//! | [`lifetime`] | recovering, purging, compacting |
//!
//! Follows npm hypercore 11.37.1, `index.js`.

mod held;
mod info;
mod lifetime;
mod marks;
mod moving;
mod network;
mod ongoing;
mod opening;
mod prologue;
mod proofs;
mod read;
mod records;
mod write;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hc_crypto::{DiscoveryKey, Key, KeyPair, Manifest, PublicKey};
use parking_lot::RwLock;

use held::{Held, Last};
pub use info::Info;
pub use network::FindingPeers;
pub(crate) use ongoing::Lease;
pub use proofs::{decode_proof, encode_proof};

use crate::atom::Atom;
use crate::core::{Core, Home, Peer, Status};
use crate::encoding::ValueEncoding;
use crate::encryption::Encryption;
use crate::events::{Events, Feed};
use crate::limits::check_number;
use crate::storage::blocking;
use crate::typed::Encoded;
use crate::{Error, Result};

/// A secure, append-only log. See the [crate documentation](crate) for a tour.
#[derive(Clone)]
pub struct Hypercore {
    session: Arc<Session>,
}

/// What an append returns: how long the log is after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Blocks in the log. The appended ones are the last.
    pub length: u64,
    /// Bytes of all blocks in the log.
    pub byte_length: u64,
}

/// One session: what it holds while it is open, and what it was.
struct Session {
    /// The core that it was opened on.
    opened_on: Core,
    /// Where a named session is: it may be moved to another core.
    home: Option<Arc<Home>>,
    snapshot: bool,
    /// None once it is closed.
    held: RwLock<Option<Arc<Held>>>,
    last: OnceLock<Last>,
    waits: AtomicU64,
}

impl Session {
    fn held(&self) -> Option<Arc<Held>> {
        self.held.read().clone()
    }

    fn last(&self) -> Last {
        self.last.get().copied().unwrap_or_default()
    }

    fn core(&self) -> &Core {
        self.home.as_ref().map_or(&self.opened_on, |home| home.core())
    }

    /// The key pair that the session signs with. After a move it may be one that the other core does not know.
    fn key_pair(&self, held: &Held) -> Option<KeyPair> {
        let core = self.core();
        let chosen = held.chosen_key_pair().filter(|pair| core.is(&self.opened_on) || core.is_signer(pair));
        chosen.or_else(|| core.key_pair())
    }

    fn close(&self) {
        let (Some(held), core) = (self.held(), self.core()) else { return };
        let last = Last {
            status: held.status(core),
            signed_length: held.signed_length(core),
            padding: held.padding(core),
            public_key: self.key_pair(&held).map(|pair| pair.public()),
        };
        // of several closes at once the first one says
        let _ = self.last.set(last);
        let closing = self.held.write().take();
        if let Some(held) = closing {
            held.close(&self.opened_on);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.close();
    }
}

impl Hypercore {
    /// Changes of this core, and of others of its store, that are to be made at once.
    #[must_use]
    pub fn atom(&self) -> Atom {
        Atom::new(self.core().storage())
    }

    /// Whether this is a session of the log as it was at one moment.
    #[must_use]
    pub fn is_snapshot(&self) -> bool {
        self.session.snapshot
    }

    /// The core that this is a session of. That of a named session is another one once it was [moved](Self::move_to).
    #[must_use]
    pub fn core(&self) -> &Core {
        self.session.core()
    }

    /// The core's key: who has it can read the log and check every block of it.
    #[must_use]
    pub fn key(&self) -> &Key {
        self.core().key()
    }

    /// The key as z-base-32 text.
    #[must_use]
    pub fn id(&self) -> String {
        self.key().to_z32()
    }

    /// The key under which peers look for the core; it gives no right to read.
    #[must_use]
    pub fn discovery_key(&self) -> &DiscoveryKey {
        self.core().discovery_key()
    }

    /// Who may sign this log. None until the first proof came, for a core that was opened by its key alone.
    #[must_use]
    pub fn manifest(&self) -> Option<Manifest> {
        self.core().manifest()
    }

    /// The public half of the key pair that this session signs with.
    #[must_use]
    pub fn public_key(&self) -> Option<PublicKey> {
        match self.session.held() {
            Some(held) => self.session.key_pair(&held).map(|key_pair| key_pair.public()),
            None => self.session.last().public_key,
        }
    }

    /// Blocks in the log, as far as is known here. This and the other numbers of a closed session are what they were when it
    /// was closed.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.status().length
    }

    /// Whether the log has no block.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length() == 0
    }

    /// Blocks that are signed. The rest are changes of a named session, or what a snapshot has of a log that was cut.
    #[must_use]
    pub fn signed_length(&self) -> u64 {
        match self.session.held() {
            Some(held) => held.signed_length(self.core()),
            None => self.session.last().signed_length,
        }
    }

    /// Bytes of all blocks in the log, without what encryption adds.
    #[must_use]
    pub fn byte_length(&self) -> u64 {
        let status = self.status();
        status.byte_length.saturating_sub(status.length.saturating_mul(self.padding()))
    }

    /// Blocks stored here from the start without a hole.
    #[must_use]
    pub fn contiguous_length(&self) -> u64 {
        self.status().contiguous_length
    }

    /// The longest run of blocks from the start that some peer is known to store.
    #[must_use]
    pub fn remote_contiguous_length(&self) -> u64 {
        let status = self.status();
        status.remote_contiguous_length.min(status.length)
    }

    /// How often the log was truncated.
    #[must_use]
    pub fn fork(&self) -> u64 {
        self.status().fork
    }

    /// Bytes of each block that are not the application's: none without encryption.
    #[must_use]
    pub fn padding(&self) -> u64 {
        match self.session.held() {
            Some(held) => held.padding(self.core()),
            None => self.session.last().padding,
        }
    }

    /// Whether this session can append.
    #[must_use]
    pub fn writable(&self) -> bool {
        let Ok(held) = self.held() else { return false };
        if !held.options.writable.unwrap_or(true) || held.is_snapshot() {
            return false;
        }
        held.draft().is_some() || self.session.key_pair(&held).is_some()
    }

    /// Whether this session was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.session.held.read().is_none() || self.core().is_closed()
    }

    /// How often a read of this session had to wait for peers.
    #[must_use]
    pub fn waits(&self) -> u64 {
        self.session.waits.load(Ordering::Relaxed)
    }

    /// The peers that have this core open now: none once the session is closed.
    #[must_use]
    pub fn peers(&self) -> Vec<Peer> {
        if self.is_closed() { Vec::new() } else { self.core().peers() }
    }

    /// What happens to the log from now on, until this session is closed: [`Event::Close`](crate::Event::Close) is the last
    /// one. Of a snapshot it is the only one. Those of a session that is closed already end at once.
    #[must_use]
    pub fn events(&self) -> Events {
        self.held().map_or_else(|_| Feed::ended(), |held| held.events(self.core()))
    }

    /// This core seen through an encoding: values instead of bytes.
    #[must_use]
    pub fn encoded<E: ValueEncoding>(&self, encoding: E) -> Encoded<E> {
        Encoded::new(self.clone(), encoding)
    }

    /// Signs what this session appends from now on with this key pair. Does nothing once the session is closed.
    pub fn set_key_pair(&self, key_pair: KeyPair) {
        if let Some(held) = self.session.held() {
            held.set_key_pair(key_pair);
        }
    }

    /// Encrypts what this session appends from now on, and decrypts what it reads; or no longer does. Does nothing once the
    /// session is closed.
    pub fn set_encryption(&self, encryption: impl Into<Option<Encryption>>) {
        if let Some(held) = self.session.held() {
            held.set_encryption(encryption.into(), self.core());
        }
    }

    /// Stores who may sign this log, for a core of which only the key is known. Known already, nothing changes.
    ///
    /// # Errors
    /// [`Error::InvalidChecksum`] if the manifest does not hash to the key; [`Error::BadArgument`] if no log can have its
    /// prologue; [`Error::Storage`].
    pub async fn set_manifest(&self, manifest: Manifest) -> Result<()> {
        self.check_open()?;
        if let Some(prologue) = &manifest.prologue {
            check_number("the prologue's length", prologue.length)?;
        }
        let core = self.core().clone();
        blocking(move || core.set_manifest(manifest)).await
    }

    /// Makes the core a member of the group about a topic, for good.
    ///
    /// # Errors
    /// [`Error::StorageConflict`] if it is in another group already; [`Error::Storage`].
    pub async fn set_group(&self, topic: [u8; 32]) -> Result<()> {
        self.check_open()?;
        let core = self.core().clone();
        blocking(move || core.set_group(&topic)).await
    }

    /// Waits until everything appended so far is on the device.
    ///
    /// # Errors
    /// [`Error::Storage`] if it could not be written.
    pub async fn flush(&self) -> Result<()> {
        self.check_open()?;
        self.core().flush().await
    }

    /// Closes the session, for all clones of this handle. Its waiting reads and its downloads fail with
    /// [`Error::RequestCancelled`], its events end with [`Event::Close`](crate::Event::Close), and what it held is free. The
    /// last one closes the core: its peers are told, and its directory is free for another process when this returns, unless
    /// a store holds it.
    ///
    /// # Errors
    /// [`Error::Storage`] if the store could not be closed cleanly.
    pub async fn close(&self) -> Result<()> {
        self.session.close();
        self.core().release().await
    }

    pub(crate) fn status(&self) -> Status {
        match self.session.held() {
            Some(held) => held.status(self.core()),
            None => self.session.last().status,
        }
    }

    pub(crate) fn check_open(&self) -> Result<()> {
        if self.is_closed() { Err(self.core().reason_of_closing()) } else { Ok(()) }
    }

    /// What the session holds, for a call that needs it until it is done.
    fn held(&self) -> Result<Arc<Held>> {
        let held = self.session.held().filter(|_| !self.core().is_closed());
        held.ok_or_else(|| self.core().reason_of_closing())
    }

    /// A wait that ends when the session or its core is closed, when it is moved, or after the timeout.
    async fn within<T>(&self, timeout: Option<Duration>, wait: impl Future<Output = Result<T>>) -> Result<T> {
        let held = self.held()?;
        let core = self.core();
        let discovery_key = *core.discovery_key();
        let left = held.branch.as_ref().map(|branch| branch.left());
        let moved = async {
            match left {
                None => std::future::pending().await,
                Some(left) => left.cancelled().await,
            }
        };
        let late = async {
            match timeout.filter(|timeout| !timeout.is_zero()) {
                None => std::future::pending().await,
                Some(timeout) => tokio::time::sleep(timeout).await,
            }
        };
        tokio::select! {
            biased;
            () = held.cancelled.cancelled() => Err(Error::RequestCancelled { discovery_key }),
            () = moved => Err(Error::SessionMoved { discovery_key }),
            done = wait => done,
            () = core.closing() => Err(Error::RequestCancelled { discovery_key }),
            () = late => Err(Error::RequestTimeout { discovery_key }),
        }
    }
}

impl std::fmt::Debug for Hypercore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let status = self.status();
        f.debug_struct("Hypercore")
            .field("key", &self.id())
            .field("length", &status.length)
            .field("fork", &status.fork)
            .field("writable", &self.writable())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As in `tests/closed_handles.rs`, without what an allocation has beside it.
    #[test]
    fn a_handle_of_a_closed_session_is_small() {
        assert!(size_of::<Session>() <= 160, "{}", size_of::<Session>());
    }
}
