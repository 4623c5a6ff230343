//! A writer whose store may have lost what it told others: it appends only once peers say that none of them has more.
//!
//! Follows npm hypercore 11.37.1, `lib/session-state.js` (`waitForRecovery`). Where nobody is there to ask, and nobody is
//! being looked for, ours fails at once instead of waiting for good.

use std::time::Duration;

use hc_tree::TreeHead;

use super::Core;
use super::effects::Writing;
use super::line::{Planned, Signing};
use super::state::Committed;
use crate::{Error, Result};

/// How often the peers are looked at.
const STEP: Duration = Duration::from_millis(250);
/// How often in a row none of them may have more.
const CALM_STEPS: u32 = 32;

impl Core {
    /// When the store was found to have lost something, in milliseconds since 1970; 0 if it was not.
    #[must_use]
    pub fn recovering(&self) -> u64 {
        self.0.state.read().hints().recovering
    }

    /// Whether the store was set back, or may have been.
    pub(super) fn was_set_back(&self) -> Result<bool> {
        if self.0.storage.is_adopted() && self.0.state.read().key_pair().is_some() {
            return Ok(true);
        }
        self.is_behind_what_was_told()
    }

    /// Whether the log is behind what peers were told of it, or another one.
    fn is_behind_what_was_told(&self) -> Result<bool> {
        let (head, writable) = {
            let state = self.0.state.read();
            (state.head().clone(), state.key_pair().is_some() && state.lost().is_none())
        };
        if !writable {
            return Ok(false);
        }
        let Some(told) = self.0.storage.told(self.discovery_key()) else { return Ok(false) };
        if head.fork() != told.fork || head.length() < told.length {
            return Ok((head.fork(), head.length()) < (told.fork, told.length));
        }
        // where the tree of that length is not stored any more, the log is longer for certain, and signed by the same writer
        Ok(self.has_roots(told.fork, told.length)
            && self.head_at(None, told.length)?.hash() != told.tree_hash)
    }

    /// Fails if nothing may be signed now: the core is recovering, lost its roots, or has two histories.
    pub(super) fn check_writable(&self) -> Result<()> {
        self.check_conflict()?;
        self.check_roots()?;
        if self.recovering() == 0 {
            return Ok(());
        }
        Err(Error::Recovering { discovery_key: *self.discovery_key() })
    }

    /// Waits until the core is no longer recovering. `timeout` bounds the wait.
    pub(crate) async fn recovered(&self, timeout: Option<Duration>) -> Result<()> {
        self.check_conflict()?;
        self.check_roots()?;
        if self.recovering() == 0 {
            return Ok(());
        }
        let refused = Error::Recovering { discovery_key: *self.discovery_key() };
        if !self.has_peers() && !self.is_finding_peers() {
            return Err(refused);
        }
        match timeout.filter(|timeout| !timeout.is_zero()) {
            None => self.confirmed_by_peers().await,
            Some(timeout) => {
                tokio::time::timeout(timeout, self.confirmed_by_peers()).await.unwrap_or(Err(refused))
            }
        }
    }

    /// Waits until for a while there were peers, and none of them had more than is here; and until what peers were told, as far
    /// as that is known, is here again: those who are connected may not be those who were told.
    pub(crate) async fn confirmed_by_peers(&self) -> Result<()> {
        let mut calm = 0;
        let mut length = self.status().length;
        while calm < CALM_STEPS {
            if self.is_closed() {
                return Err(self.closed_error());
            }
            tokio::time::sleep(STEP).await;
            let peers = self.peers();
            let fork = self.status().fork;
            let none_has_more = peers
                .iter()
                .all(|peer| (peer.remote_fork, peer.remote_length) <= (fork, self.status().length));
            let same = std::mem::replace(&mut length, self.status().length) == length;
            let calm_now = !peers.is_empty() && none_has_more && same && !self.is_behind_what_was_told()?;
            calm = if calm_now { calm + 1 } else { 0 };
        }
        let core = self.clone();
        crate::storage::blocking(move || core.set_recovering(0)).await
    }

    /// Ends recovering without having been confirmed by anybody: the log goes on from what is here on a fork above all that are
    /// known of, so that what it signs contradicts nothing that peers were told.
    pub(crate) fn recover_alone(&self) -> Result<()> {
        self.check_conflict()?;
        let mut writing = self.writing();
        let left = writing.leave_fork()?;
        writing.set_recovering(0)?;
        if let Some((length, fork)) = left {
            writing.truncated(length, fork);
        }
        Ok(())
    }

    /// Notes that the core is recovering since a time, or (0) that it is not.
    pub(crate) fn set_recovering(&self, since: u64) -> Result<()> {
        self.writing().set_recovering(since)
    }
}

impl Writing<'_> {
    /// Goes to the next fork with the log as it is, if it is signed here. Its length and fork then.
    fn leave_fork(&mut self) -> Result<Option<(u64, u64)>> {
        let core = self.host();
        let state = core.0.state.read();
        if state.hints().recovering == 0 || state.lost().is_some() {
            return Ok(None);
        }
        let Some(pair) = state.key_pair().cloned() else { return Ok(None) };
        let (length, present) = (state.head().length(), state.head().fork());
        let told = core.0.storage.told(core.discovery_key()).map_or(0, |told| told.fork);
        let fork = core.next_fork(present.max(told), None)?;
        let planned = if length > 0 {
            match core.line(&state).truncate(length, fork, &Signing::Pair(pair)) {
                // it takes others to sign: then they decide
                Err(Error::BadArgument(_)) => return Ok(None),
                planned => planned?,
            }
        } else {
            let timestamp = crate::now_millis();
            let mut write = core.0.disk.write();
            write.begin(fork, timestamp);
            let head = Some((TreeHead::empty(fork), Vec::new()));
            Planned { write, committed: Committed { head, timestamp, ..Committed::default() } }
        };
        drop(state);
        self.commit_planned(planned)?;
        Ok(Some((length, fork)))
    }

    /// As [`Core::set_recovering`].
    pub(super) fn set_recovering(&mut self, since: u64) -> Result<()> {
        let core = self.host();
        let hints = hc_storage::Hints { recovering: since, ..*core.0.state.read().hints() };
        self.store_hints(hints)?;
        if since == 0 {
            // from here on this is what counts
            core.note_present_head();
            core.0.storage.sync_blocking()?;
        }
        Ok(())
    }
}
