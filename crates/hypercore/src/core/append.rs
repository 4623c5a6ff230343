//! Appending: blocks that the owner signs become one batch.
//!
//! Appends queue. Whoever finds the writer free takes all that wait, makes one batch of them under one signature and commits
//! it; the others find their answer when they come to wait for it. A lone append so runs at once, on the task that asked for
//! it; only large ones, and those that wait for a sync, leave the async threads.
//!
//! Blocks are encrypted here, by the writer: the place of a block in the log and the fork are part of how it is encrypted, and
//! only the writer knows them.
//!
//! Follows npm hypercore 11.37.1, `lib/session-state.js` (`append`).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use hc_crypto::{BlockCipher, KeyPair};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;

use super::Core;
use super::line::{Line, Planned, Signing};
use super::state::{Committed, State};
use crate::events::Event;
use crate::options::Durability;
use crate::session::Appended;
use crate::storage::blocking;
use crate::{Error, Result};

/// Appends of more bytes than this are hashed and written off the async threads.
const INLINE_BYTES: usize = 256 * 1024;

#[derive(Default)]
pub(super) struct AppendQueue(Mutex<Vec<Append>>);

/// What is to be appended, and on what terms.
pub(crate) struct Blocks {
    pub(crate) blocks: Vec<Bytes>,
    pub(crate) signer: Signer,
    /// What the writer encrypts the blocks with.
    pub(crate) cipher: Option<Arc<BlockCipher>>,
    /// Whether they are encrypted, here or in the application's own way.
    pub(crate) encrypted: bool,
    /// Appends nothing if the log would be longer than this afterwards.
    pub(crate) max_length: Option<u64>,
    /// Fails unless the log has this length, and this fork if one is given.
    pub(crate) expected: Option<(u64, Option<u64>)>,
}

/// Who vouches for an append.
#[derive(Clone)]
pub(crate) enum Signer {
    Pair(KeyPair),
    Given(Vec<u8>),
    /// Nobody: only into named sessions.
    Nobody,
}

impl From<Signer> for Signing {
    fn from(signer: Signer) -> Self {
        match signer {
            Signer::Pair(pair) => Self::Pair(pair),
            Signer::Given(signature) => Self::Given(signature),
            Signer::Nobody => Self::Nobody,
        }
    }
}

impl Blocks {
    /// Whether it may become one batch with others of the same signer.
    const fn is_plain(&self) -> bool {
        self.max_length.is_none() && self.expected.is_none() && matches!(self.signer, Signer::Pair(_))
    }

    fn same_signer(&self, other: &Self) -> bool {
        match (&self.signer, &other.signer) {
            (Signer::Pair(one), Signer::Pair(other)) => one.public() == other.public(),
            _ => false,
        }
    }

    fn bytes(&self) -> usize {
        self.blocks.iter().map(Bytes::len).sum()
    }

    /// Whether the terms hold for a log with this length and fork; an error if they say that it must not be another one.
    pub(super) fn fits(&self, length: u64, fork: u64, core: &Core) -> Result<bool> {
        if let Some((expected, expected_fork)) = self.expected
            && (expected != length || expected_fork.is_some_and(|expected| expected != fork))
        {
            let reason =
                format!("the log was expected to have {expected} blocks, it has {length} on fork {fork}");
            return Err(Error::InvalidOperation { reason, discovery_key: *core.discovery_key() });
        }
        let after = length.saturating_add(u64::try_from(self.blocks.len()).unwrap_or(u64::MAX));
        Ok(self.max_length.is_none_or(|most| after <= most))
    }

    /// The blocks as they are stored behind a log of this length and fork.
    pub(super) fn sealed(&mut self, length: u64, fork: u64) -> Vec<Bytes> {
        match &self.cipher {
            None => std::mem::take(&mut self.blocks),
            Some(cipher) => {
                let seal = |(index, block): (u64, &Bytes)| Bytes::from(cipher.seal(index, fork, block));
                (length..).zip(&self.blocks).map(seal).collect()
            }
        }
    }
}

/// The writer, held for a change that is no append. Appends that came meanwhile found it taken, and are carried out when it
/// is let go.
pub(super) struct Writing<'a> {
    core: &'a Core,
    held: Option<MutexGuard<'a, ()>>,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.held.take();
        self.core.drive_writer();
    }
}

struct Append {
    asked: Blocks,
    done: oneshot::Sender<Result<Appended>>,
}

impl Core {
    /// Appends blocks. An empty batch changes nothing.
    pub(crate) async fn append(&self, asked: Blocks) -> Result<Appended> {
        if asked.blocks.is_empty() {
            return Ok(self.appended());
        }
        let large = asked.bytes() > INLINE_BYTES;
        let (done, answer) = oneshot::channel();
        self.0.appends.0.lock().push(Append { asked, done });
        if large {
            let core = self.clone();
            blocking(move || {
                core.drive_writer();
                Ok(())
            })
            .await?;
        } else {
            self.drive_writer();
        }
        let appended = answer.await.map_err(|_| self.closed_error())??;
        self.acknowledged().await?;
        Ok(appended)
    }

    /// Waits as long as a change has to be waited for before its caller hears of it.
    pub(crate) async fn acknowledged(&self) -> Result<()> {
        if self.0.storage.durability() == Durability::Sync {
            self.0.storage.sync().await?;
        }
        Ok(())
    }

    pub(super) fn appended(&self) -> Appended {
        let status = self.status();
        Appended { length: status.length, byte_length: status.byte_length }
    }

    /// Takes the writer.
    pub(super) fn writing(&self) -> Writing<'_> {
        Writing { core: self, held: Some(self.0.writer.lock()) }
    }

    /// Carries out the appends that wait, unless somebody else is at it.
    pub(super) fn drive_writer(&self) {
        while !self.0.appends.0.lock().is_empty() {
            // whoever holds the writer comes back here when it is done
            let Some(writing) = self.0.writer.try_lock() else { return };
            let mut waiting = std::mem::take(&mut *self.0.appends.0.lock());
            while let Some(first) = waiting.first() {
                let joins =
                    |append: &&Append| append.asked.is_plain() && append.asked.same_signer(&first.asked);
                let together = waiting.iter().take_while(joins).count().max(1);
                let rest = waiting.split_off(together);
                self.commit_appends(std::mem::replace(&mut waiting, rest));
            }
            drop(writing);
        }
    }

    /// Commits appends of one signer as one batch, and answers them.
    fn commit_appends(&self, mut appends: Vec<Append>) {
        let before = self.status();
        let mut blocks = Vec::with_capacity(appends.iter().map(|append| append.asked.blocks.len()).sum());
        let mut after = Vec::with_capacity(appends.len());
        let (mut length, mut byte_length) = (before.length, before.byte_length);
        if let [only] = appends.as_slice() {
            match only.asked.fits(length, before.fork, self) {
                Ok(true) => {}
                refused => return answer(appends, &refused.map(|_| self.appended())),
            }
        }
        for append in &mut appends {
            let sealed = append.asked.sealed(length, before.fork);
            length = length.saturating_add(count(sealed.len()));
            byte_length = byte_length.saturating_add(count(sealed.iter().map(Bytes::len).sum()));
            blocks.extend(sealed);
            after.push(Appended { length, byte_length });
        }
        let Some(signer) = appends.first().map(|append| append.asked.signer.clone()) else { return };
        match self.commit_blocks(&blocks, &signer.into()) {
            Ok(()) => {
                for (append, after) in appends.into_iter().zip(after) {
                    let Appended { length, byte_length } = after;
                    self.emit(|| Event::Append { length, byte_length });
                    // who asked may be gone; the blocks are there all the same
                    let _ = append.done.send(Ok(after));
                }
            }
            Err(error) => answer(appends, &Err(error)),
        }
    }

    fn commit_blocks(&self, blocks: &[Bytes], signing: &Signing) -> Result<()> {
        let state = self.0.state.read();
        let planned = self.line(&state).append(blocks, signing)?;
        drop(state);
        self.commit_planned(planned)?;
        self.announce(self.status().length);
        Ok(())
    }

    /// The log as peers see it.
    pub(super) fn line<'a>(&'a self, state: &'a State) -> Line<'a> {
        Line { key: self.key(), state, disk: &self.0.disk, public: true }
    }

    /// Writes a change and takes it over. Whoever calls holds the writer.
    pub(super) fn commit_planned(&self, planned: Planned) -> Result<()> {
        self.0.disk.commit(planned.write)?;
        self.0.storage.committed();
        self.take_over(planned.committed);
        Ok(())
    }

    /// What is written becomes what is known.
    pub(super) fn take_over(&self, committed: Committed) {
        self.0.changes.fetch_add(1, Ordering::AcqRel);
        let mut state = self.0.state.write();
        let is_new = committed.head.is_some();
        let group = if is_new { state.group().copied() } else { None };
        state.take_over(committed);
        if is_new {
            self.bear_witness(&state);
        }
        let status = state.status();
        drop(state);
        self.0.status.send_replace(status);
        if let Some(group) = group {
            self.tell_group(group, status);
        }
    }
}

fn answer(appends: Vec<Append>, result: &Result<Appended>) {
    for append in appends {
        let _ = append.done.send(result.clone());
    }
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
