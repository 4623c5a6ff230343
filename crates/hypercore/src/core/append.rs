//! Appending: blocks that the owner signs become one batch.
//!
//! A lone append runs at once, on the task that asked for it; only large ones, and those that wait for a sync, leave the async
//! threads. Where the writer (`core/writer`) is taken appends queue: whoever releases it makes one batch of all that wait,
//! under one signature, and the others find their answer when they come to wait for it.
//!
//! Blocks are encrypted here, by the writer: the place of a block in the log and the fork are part of how it is encrypted, and
//! only the writer knows them.
//!
//! Follows npm hypercore 11.37.1, `lib/session-state.js` (`append`).

use std::sync::Arc;

use bytes::Bytes;
use hc_crypto::{BlockCipher, KeyPair};
use hc_replicator::Local;
use tokio::sync::oneshot;

use super::effects::Writing;
use super::line::{Line, Signing};
use super::state::State;
use super::{Core, writer};
use crate::events::Event;
use crate::options::Durability;
use crate::session::Appended;
use crate::storage::blocking;
use crate::{Error, Result};

/// Appends of more bytes than this are hashed and written off the async threads.
const INLINE_BYTES: usize = 256 * 1024;

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

/// Blocks that wait for the writer, and who waits for them.
pub(super) struct Append {
    asked: Blocks,
    done: oneshot::Sender<Result<Appended>>,
}

impl Core {
    /// Appends blocks. An empty batch changes nothing.
    pub(crate) async fn append(&self, asked: Blocks) -> Result<Appended> {
        if asked.blocks.is_empty() {
            return Ok(self.appended());
        }
        let appended = if asked.bytes() > INLINE_BYTES {
            let core = self.clone();
            blocking(move || core.writing().append(asked)).await?
        } else {
            self.append_inline(asked).await?
        };
        self.acknowledged().await?;
        Ok(appended)
    }

    /// Appends at once if nobody else changes the log, else together with the others that wait.
    async fn append_inline(&self, asked: Blocks) -> Result<Appended> {
        if let Some(mut writing) = Writing::alone(self) {
            return writing.append(asked);
        }
        let (done, answer) = oneshot::channel();
        writer::queue(self, Append { asked, done });
        self.commit_waiting();
        answer.await.map_err(|_| self.closed_error())?
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

    /// The log as peers see it.
    pub(super) fn line<'a>(&'a self, state: &'a State) -> Line<'a> {
        Line { key: self.key(), state, disk: &self.0.disk, public: true }
    }
}

impl Writing<'_> {
    /// Commits the appends that wait: those of one signer that follow each other as one batch.
    pub(super) fn commit_appends(&mut self, mut waiting: Vec<Append>) {
        while let Some(first) = waiting.first() {
            let joins = |append: &&Append| append.asked.is_plain() && append.asked.same_signer(&first.asked);
            let together = waiting.iter().take_while(joins).count().max(1);
            let rest = waiting.split_off(together);
            let appends = std::mem::replace(&mut waiting, rest);
            match <[Append; 1]>::try_from(appends) {
                Ok([Append { asked, done }]) => answer([done], &self.append(asked)),
                Err(appends) => self.append_together(appends),
            }
        }
    }

    /// Appends blocks on their terms.
    fn append(&mut self, mut asked: Blocks) -> Result<Appended> {
        let core = self.host();
        let before = core.status();
        if !asked.fits(before.length, before.fork, core)? {
            return Ok(core.appended());
        }
        let blocks = asked.sealed(before.length, before.fork);
        self.commit_blocks(&blocks, &asked.signer.into())?;
        let appended = core.appended();
        self.emit_append(appended);
        Ok(appended)
    }

    /// Commits appends of one signer as one batch, and answers them.
    fn append_together(&mut self, mut appends: Vec<Append>) {
        let before = self.host().status();
        let mut blocks = Vec::with_capacity(appends.iter().map(|append| append.asked.blocks.len()).sum());
        let mut after = Vec::with_capacity(appends.len());
        let (mut length, mut byte_length) = (before.length, before.byte_length);
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
                    self.emit_append(after);
                    answer([append.done], &Ok(after));
                }
            }
            Err(error) => answer(appends.into_iter().map(|append| append.done), &Err(error)),
        }
    }

    fn commit_blocks(&mut self, blocks: &[Bytes], signing: &Signing) -> Result<()> {
        let core = self.host();
        let state = core.0.state.read();
        let planned = core.line(&state).append(blocks, signing)?;
        drop(state);
        self.commit_planned(planned)?;
        self.replicate(Local::Appended { length: core.status().length });
        Ok(())
    }

    fn emit_append(&mut self, Appended { length, byte_length }: Appended) {
        self.emit(|| Event::Append { length, byte_length });
    }
}

/// Answers those who wait. Who asked may be gone; what was appended is there all the same.
fn answer(waiting: impl IntoIterator<Item = oneshot::Sender<Result<Appended>>>, result: &Result<Appended>) {
    for done in waiting {
        let _ = done.send(result.clone());
    }
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
