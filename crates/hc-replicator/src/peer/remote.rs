//! What a peer says about itself. Claims, not facts: only a proof is a fact.

use crate::wire;

use crate::bits::Bits;
use crate::limits::{MAX_CLAIM, MAX_CLAIM_PAGES};

/// The last sync of a peer and the blocks it claims.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) synced: bool,
    pub(crate) fork: u64,
    pub(crate) length: u64,
    /// Our length as they last heard it, 0 while they are on another fork.
    pub(crate) acked: u64,
    pub(crate) can_upgrade: bool,
    pub(crate) uploading: bool,
    pub(crate) downloading: bool,
    pub(crate) has_manifest: bool,
    claims: Bits,
}

impl Remote {
    pub(crate) const fn new() -> Self {
        Self {
            synced: false,
            fork: 0,
            length: 0,
            acked: 0,
            can_upgrade: false,
            uploading: true,
            downloading: true,
            has_manifest: false,
            claims: Bits::with_cap(MAX_CLAIM_PAGES),
        }
    }

    pub(crate) fn sync(&mut self, message: &wire::Sync) {
        self.synced = true;
        self.fork = message.fork;
        self.length = message.length;
        self.can_upgrade = message.can_upgrade;
        self.uploading = message.uploading;
        self.downloading = message.downloading;
        self.has_manifest = message.has_manifest;
    }

    /// The blocks they claim.
    pub(crate) const fn claims(&self) -> &Bits {
        &self.claims
    }

    /// They have, or dropped, `start..end`.
    pub(crate) fn claim(&mut self, start: u64, end: u64, has: bool) {
        self.claims.set_range(start, end.min(MAX_CLAIM), has);
    }

    /// They have, of the blocks from `start` on, exactly these.
    pub(crate) fn claim_words(&mut self, start: u64, words: &[u32]) {
        let room = usize::try_from(MAX_CLAIM.saturating_sub(start) / 32).unwrap_or(usize::MAX);
        self.claims.insert_words(start, words.get(..room).unwrap_or(words));
    }

    /// They do not have this block after all.
    pub(crate) fn deny(&mut self, index: u64) {
        if index < MAX_CLAIM {
            self.claims.set(index, false);
        }
    }
}
