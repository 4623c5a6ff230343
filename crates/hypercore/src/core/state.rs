//! What is committed of a core.
//!
//! Only the writer changes it, and only after the batch that says the same is written.

use std::sync::Arc;

use hc_crypto::{Key, KeyPair, Manifest, Verifier};
use hc_storage::{Auth, CoreStorage, GroupRecord, HeadRecord, Hints, StorageError, StoredKeyPair, TreeFault};
use hc_tree::bitfield::BitChange;
use hc_tree::{LocalBitfield, TreeHead};

use super::known_nodes::KnownNodes;
use crate::{Error, Result};

/// The numbers of a core at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Status {
    pub(crate) length: u64,
    pub(crate) byte_length: u64,
    pub(crate) fork: u64,
    pub(crate) contiguous_length: u64,
    pub(crate) remote_contiguous_length: u64,
}

/// A head, and the signature that vouches for it.
#[derive(Debug, Default)]
pub(super) struct SignedHead {
    /// Empty while roots of it are lost.
    pub(super) head: TreeHead,
    /// Empty for a log without blocks, and for one that needs none.
    pub(super) signature: Vec<u8>,
}

#[derive(Clone)]
pub(super) struct State {
    signed: Arc<SignedHead>,
    /// The head as it is stored, if roots of it are not.
    lost: Option<HeadRecord>,
    /// When the head was written, in milliseconds since 1970.
    timestamp: u64,
    group: Option<GroupRecord>,
    bitfield: LocalBitfield,
    hints: Hints,
    auth: Auth,
    verifier: Option<Verifier>,
    known_nodes: KnownNodes,
}

/// A change that is written, and now becomes the state.
#[derive(Default)]
pub(super) struct Committed {
    pub(super) head: Option<(TreeHead, Vec<u8>)>,
    /// When the head was written, if it was.
    pub(super) timestamp: u64,
    /// Blocks that stay, if the log was cut.
    pub(super) cut: Option<u64>,
    pub(super) bits: Vec<BitChange>,
    pub(super) group: Option<GroupRecord>,
    /// Where the log is from now on, if it was cut into what it shares with another.
    pub(super) disk: Option<CoreStorage>,
    pub(super) hints: Option<Hints>,
    pub(super) verifier: Option<Verifier>,
    /// The tree nodes that were written, if all of them are named.
    pub(super) nodes: Option<Vec<u64>>,
}

impl State {
    /// What is stored.
    pub(super) fn load(disk: &CoreStorage, auth: Auth, verifier: Option<Verifier>) -> Result<Self> {
        let (bitfield, hints) = (disk.bitfield()?, disk.hints()?);
        let mut state = Self::with_roots_or_without(disk, auth, verifier, true)?;
        (state.bitfield, state.hints) = (bitfield, hints);
        Ok(state)
    }

    /// What is stored of a named session, which has no bitfield.
    pub(super) fn load_session(disk: &CoreStorage, auth: Auth, verifier: Option<Verifier>) -> Result<Self> {
        Self::with_roots_or_without(disk, auth, verifier, false)
    }

    /// A named session goes on from this log, whatever fork it was left on: so it can be committed. Its heads are stored with
    /// the signature of the log where it has the same length. As npm hypercore 11.37.1, `lib/session-state.js` (`createSession`).
    pub(super) fn beside(self, log: &Self) -> Result<Self> {
        let beside = self.on_fork(log.head().fork())?;
        let head = beside.head().clone();
        let same = head.length() == log.head().length();
        let signature = if same { log.signature().to_vec() } else { Vec::new() };
        Ok(Self { signed: Arc::new(SignedHead { head, signature }), ..beside })
    }

    /// The same blocks on another fork.
    pub(super) fn on_fork(self, fork: u64) -> Result<Self> {
        let head = TreeHead::from_roots(fork, self.head().roots().to_vec());
        let head = head.map_err(|_| Error::Internal("the roots of a log are no roots"))?;
        let signature = self.signature().to_vec();
        Ok(Self { signed: Arc::new(SignedHead { head, signature }), ..self })
    }

    /// Without blocks. Roots may be missing where they can be repaired.
    fn with_roots_or_without(
        disk: &CoreStorage,
        auth: Auth,
        verifier: Option<Verifier>,
        repairable: bool,
    ) -> Result<Self> {
        let (mut lost, stored) = (None, disk.head()?);
        let (head, signature, timestamp) = match stored {
            Some(record) => {
                let head = match disk.tree_head(&record) {
                    Err(StorageError::Tree { reason: TreeFault::Missing(_), .. }) if repairable => {
                        lost = Some(record.clone());
                        TreeHead::empty(record.fork)
                    }
                    head => head?,
                };
                (head, record.signature.unwrap_or_default(), record.timestamp)
            }
            None => (TreeHead::empty(0), Vec::new(), 0),
        };
        let empty = head.length() == 0 && lost.is_none();
        let known_nodes = if empty { KnownNodes::none_stored() } else { KnownNodes::unknown() };
        Ok(Self {
            signed: Arc::new(SignedHead { head, signature }),
            lost,
            timestamp,
            group: disk.group()?,
            bitfield: LocalBitfield::new(),
            hints: Hints::default(),
            auth,
            verifier,
            known_nodes,
        })
    }

    pub(super) fn status(&self) -> Status {
        let length = self.length();
        Status {
            length,
            byte_length: self.head().byte_length(),
            fork: self.head().fork(),
            contiguous_length: self.hints.contiguous_length.min(length),
            remote_contiguous_length: self.hints.remote_contiguous_length,
        }
    }

    /// Blocks in the log, also while roots of it are lost.
    fn length(&self) -> u64 {
        self.lost.as_ref().map_or_else(|| self.head().length(), |lost| lost.length)
    }

    pub(super) fn head(&self) -> &TreeHead {
        &self.signed.head
    }

    /// The head with its signature.
    pub(super) const fn signed(&self) -> &Arc<SignedHead> {
        &self.signed
    }

    /// The head as it is stored, if roots of it are lost.
    pub(super) const fn lost(&self) -> Option<&HeadRecord> {
        self.lost.as_ref()
    }

    pub(super) fn signature(&self) -> &[u8] {
        &self.signed.signature
    }

    pub(super) const fn timestamp(&self) -> u64 {
        self.timestamp
    }

    pub(super) const fn group(&self) -> Option<&GroupRecord> {
        self.group.as_ref()
    }

    /// The beginning of the log that needs no signature, in blocks.
    pub(super) fn prologue_length(&self) -> u64 {
        self.verifier.as_ref().and_then(Verifier::prologue).map_or(0, |prologue| prologue.length)
    }

    pub(super) const fn bitfield(&self) -> &LocalBitfield {
        &self.bitfield
    }

    pub(super) const fn hints(&self) -> &Hints {
        &self.hints
    }

    pub(super) const fn known_nodes(&self) -> &KnownNodes {
        &self.known_nodes
    }

    pub(super) const fn auth(&self) -> &Auth {
        &self.auth
    }

    pub(super) const fn verifier(&self) -> Option<&Verifier> {
        self.verifier.as_ref()
    }

    pub(super) fn manifest(&self) -> Option<&Manifest> {
        self.verifier.as_ref().map(Verifier::manifest)
    }

    pub(super) const fn key_pair(&self) -> Option<&KeyPair> {
        match &self.auth.key_pair {
            Some(StoredKeyPair::Full(pair)) => Some(pair),
            _ => None,
        }
    }

    /// Says of a gap in the tree what is known of it.
    pub(super) fn explained(&self, error: Error, key: &Key, length: Option<u64>) -> Error {
        error.in_log(&key.discovery_key(), length, self.key_pair().is_some())
    }

    /// Corrects what the hints say of the blocks that are stored: how many from the start without a hole. Whether there was
    /// anything to correct.
    pub(super) fn mend_hints(&mut self) -> bool {
        let contiguous = self.bitfield.first_unset(0).min(self.length());
        let differs = contiguous != self.hints.contiguous_length;
        self.hints.contiguous_length = contiguous;
        differs
    }

    /// Takes another bitfield with these changes made; the hints that follow.
    pub(super) fn rebase(&mut self, bitfield: LocalBitfield, changes: Vec<BitChange>) -> Hints {
        self.bitfield = bitfield;
        for change in changes {
            self.bitfield.apply(change);
        }
        self.hints.contiguous_length = self.bitfield.first_unset(0).min(self.head().length());
        self.hints
    }

    pub(super) fn take_over(&mut self, committed: Committed) {
        match (&committed.nodes, &committed.head) {
            (Some(nodes), _) => self.known_nodes.add(nodes),
            (None, Some(_)) => self.known_nodes = KnownNodes::unknown(),
            (None, None) => {}
        }
        // nodes go with blocks that are cut off or cleared
        if committed.cut.is_some() || committed.bits.iter().any(|bits| !bits.set) {
            self.known_nodes = KnownNodes::unknown();
        }
        if let Some((head, signature)) = committed.head {
            self.signed = Arc::new(SignedHead { head, signature });
            self.timestamp = committed.timestamp;
            self.lost = None;
        }
        self.group = committed.group.or(self.group);
        for change in committed.bits {
            self.bitfield.apply(change);
        }
        if let Some(hints) = committed.hints {
            self.hints = hints;
        }
        if let Some(verifier) = committed.verifier {
            self.auth.manifest = Some(verifier.manifest().clone());
            self.verifier = Some(verifier);
        }
    }

    /// The hints after blocks were stored or taken away: how far the log is here without a hole.
    pub(super) fn hints_with(&self, bits: &[BitChange]) -> Hints {
        let mut hints = self.hints;
        if let Some(first) =
            bits.iter().filter(|bit| !bit.set && bit.start < bit.end).map(|bit| bit.start).min()
        {
            hints.contiguous_length = hints.contiguous_length.min(first);
            return hints;
        }
        // a block that fills the first hole may join what is stored behind it
        loop {
            let at = hints.contiguous_length;
            let by_change =
                bits.iter().filter(|bit| bit.set && bit.start <= at && at < bit.end).map(|bit| bit.end).max();
            let next = by_change.unwrap_or_else(|| self.bitfield.first_unset(at));
            if next <= at {
                return hints;
            }
            hints.contiguous_length = next;
        }
    }
}

/// Who may sign a core with this key, if that is known: its manifest, or its key itself as version 10 had it.
pub(super) fn verifier_of(key: Key, manifest: Option<&Manifest>) -> Option<Verifier> {
    Verifier::new(key, manifest?.clone()).ok()
}
