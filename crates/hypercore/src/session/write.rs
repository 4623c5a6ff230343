//! Changing a log: appending, cutting, clearing, committing.

use std::ops::RangeBounds;
use std::sync::Arc;

use bytes::Bytes;

use super::held::Held;
use super::{Appended, Hypercore};
use crate::core::{Blocks, Branch, CommitTerms, Kind, Signer};
use crate::download::block_range;
use crate::limits::check_number;
use crate::options::{AppendOptions, CommitOptions, TruncateOptions};
use crate::storage::blocking;
use crate::streams::WriteStream;
use crate::{Error, KeyPair, MAX_BLOCK_LEN, Result};

impl Hypercore {
    /// Appends a block. It is stored and signed when this returns.
    ///
    /// # Errors
    /// [`Error::SessionNotWritable`], [`Error::BlockTooLarge`], [`Error::SessionClosed`], [`Error::Storage`]. The log is
    /// then as it was; but with [`Durability::Sync`](crate::Durability::Sync) a sync that fails is an error of a block that is
    /// in the log, of a store that takes nothing more before it is opened again.
    pub async fn append(&self, block: impl Into<Bytes>) -> Result<Appended> {
        self.append_blocks(vec![block.into()], AppendOptions::new()).await
    }

    /// Appends blocks in order, all or none, under one signature. An empty batch returns the present length.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub async fn append_batch<B: Into<Bytes>>(
        &self,
        blocks: impl IntoIterator<Item = B>,
    ) -> Result<Appended> {
        self.append_with(blocks, AppendOptions::new()).await
    }

    /// As [`append_batch`](Self::append_batch), on terms of one's own.
    ///
    /// # Errors
    /// As [`append`](Self::append); [`Error::InvalidOperation`] if the log has another length than was expected;
    /// [`Error::InvalidSignature`] if the signature that was given is not one of this log with these blocks.
    pub async fn append_with<B: Into<Bytes>>(
        &self,
        blocks: impl IntoIterator<Item = B>,
        options: AppendOptions,
    ) -> Result<Appended> {
        self.append_blocks(blocks.into_iter().map(Into::into).collect(), options).await
    }

    async fn append_blocks(&self, blocks: Vec<Bytes>, options: AppendOptions) -> Result<Appended> {
        let held = self.held()?;
        let draft = held.draft().is_some();
        let signer = self.signer(&held, options.key_pair, options.signature, draft)?;
        for (position, block) in blocks.iter().enumerate() {
            if block.len() > MAX_BLOCK_LEN {
                return Err(Error::BlockTooLarge { position, len: block.len(), max: MAX_BLOCK_LEN });
            }
        }
        if !draft {
            self.recovered(&held).await?;
        }
        let encryption = held.encryption();
        encryption.check(self.key())?;
        let cipher = encryption.cipher(self.key(), self.core().is_compat());
        let expected = options.expected_length.map(|length| (length, None));
        let encrypted = encryption.chosen().is_some();
        let asked = Blocks { blocks, signer, cipher, encrypted, max_length: options.max_length, expected };
        match encryption.provider() {
            Some(provider) if !asked.blocks.is_empty() => {
                self.append_provided(&held, asked, &*provider).await
            }
            _ => self.append_asked(&held, asked).await,
        }
    }

    /// Waits until the log may be changed, if its writer has to ask peers first; not longer than the session is open.
    async fn recovered(&self, held: &Held) -> Result<()> {
        let recovered = self.core().recovered(held.options.timeout.flatten());
        if self.recovering() == 0 {
            // there is nothing to wait for
            return recovered.await;
        }
        self.within(None, recovered).await
    }

    /// Encrypts in the application's own way, which may take its time: where the log has grown meanwhile, once more.
    async fn append_provided(
        &self,
        held: &Held,
        asked: Blocks,
        provider: &dyn crate::EncryptionProvider,
    ) -> Result<Appended> {
        loop {
            let status = held.status(self.core());
            let fork = held.branch.as_ref().map_or(status.fork, |branch| branch.encryption_fork());
            if asked.expected.is_some_and(|(length, _)| length != status.length) {
                return self.append_asked(held, asked).await;
            }
            let mut blocks = Vec::with_capacity(asked.blocks.len());
            for (index, block) in (status.length..).zip(&asked.blocks) {
                blocks.push(provider.encrypt(index, fork, block.clone()).await?);
            }
            let attempt = Blocks {
                blocks,
                signer: asked.signer.clone(),
                cipher: None,
                encrypted: true,
                max_length: asked.max_length,
                expected: Some((status.length, Some(status.fork))),
            };
            match self.append_asked(held, attempt).await {
                Err(Error::InvalidOperation { .. })
                    if asked.expected.is_none() && held.status(self.core()) != status => {}
                done => return done,
            }
        }
    }

    /// Changes a log beside the public one, and waits as long as a change has to be waited for. What is in an atom waits for its
    /// flush.
    async fn change<T: Send + 'static>(
        &self,
        branch: Arc<Branch>,
        change: impl FnOnce(&Branch) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let stored = !branch.is_atomic();
        let done = blocking(move || change(&branch)).await?;
        if stored {
            self.core().acknowledged().await?;
        }
        Ok(done)
    }

    async fn append_asked(&self, held: &Held, asked: Blocks) -> Result<Appended> {
        let appended = match held.branch.clone() {
            None => self.core().append(asked).await?,
            Some(branch) => self.change(branch, |branch| branch.append(asked)).await?,
        };
        let padding = appended.length.saturating_mul(held.padding(self.core()));
        Ok(Appended { byte_length: appended.byte_length.saturating_sub(padding), ..appended })
    }

    /// Who vouches for a commit. What the log has already needs nobody who signs it.
    fn commit_signer(&self, held: &Held, pair: Option<KeyPair>, given: Option<Vec<u8>>) -> Result<Signer> {
        match self.signer(held, pair, given, false) {
            Err(Error::SessionNotWritable { .. }) if self.may_write(held) => Ok(Signer::Nobody),
            signer => signer,
        }
    }

    /// Whether the session is one that changes, if there is somebody to sign.
    fn may_write(&self, held: &Held) -> bool {
        held.options.writable.unwrap_or(true) && !held.is_snapshot()
    }

    /// Who vouches for a change of this session.
    fn signer(
        &self,
        held: &Held,
        pair: Option<KeyPair>,
        given: Option<Vec<u8>>,
        draft: bool,
    ) -> Result<Signer> {
        let refused = Error::SessionNotWritable { discovery_key: *self.discovery_key() };
        if !self.may_write(held) {
            return Err(refused);
        }
        // a head that is not the log's is not signed: the commit signs
        match (given, pair) {
            (Some(_), _) if draft => {
                let reason = "a named session takes no signature: its commit does";
                Err(Error::BadArgument(reason.into()))
            }
            _ if draft => Ok(Signer::Nobody),
            (Some(signature), _) => Ok(Signer::Given(signature)),
            (None, pair) => pair.or_else(|| self.session.key_pair(held)).map(Signer::Pair).ok_or(refused),
        }
    }

    /// Blocks that are appended as they come, several at a time if they come faster than they can be stored.
    pub fn write_stream(&self) -> WriteStream {
        WriteStream::new(self.clone())
    }

    /// Cuts the log to a length: the blocks behind it are gone, and the log is on the next fork. Peers follow.
    ///
    /// # Errors
    /// [`Error::SessionNotWritable`]; [`Error::InvalidOperation`] if the log is shorter, or if the cut breaks its prologue;
    /// [`Error::TreeGap`] if hashes of that length went with cleared blocks, which they do only where no block on either side
    /// of it is stored; [`Error::SessionClosed`], [`Error::Storage`]. The log is then as it was.
    pub async fn truncate(&self, length: u64) -> Result<()> {
        self.truncate_with(length, TruncateOptions::new()).await
    }

    /// As [`truncate`](Self::truncate), on terms of one's own.
    ///
    /// # Errors
    /// As [`truncate`](Self::truncate); [`Error::BadArgument`] for a fork above 2^53 - 1, and [`Error::InvalidOperation`]
    /// for one that is not above the log's, or if the log is on the highest fork already; [`Error::InvalidSignature`].
    pub async fn truncate_with(&self, length: u64, options: TruncateOptions) -> Result<()> {
        let held = self.held()?;
        options.fork.map_or(Ok(()), |fork| check_number("fork", fork))?;
        let signer = self.signer(&held, options.key_pair, options.signature, held.draft().is_some())?;
        let fork = options.fork;
        match held.branch.clone() {
            Some(branch) => self.change(branch, move |branch| branch.truncate(length, fork, &signer)).await,
            None => {
                self.recovered(&held).await?;
                self.core().truncate(length, fork, signer).await
            }
        }
    }

    /// Takes the blocks of a range away from here, and returns how many there were. The log keeps its length and its hash; a
    /// block that was taken away is fetched again when it is read.
    ///
    /// # Errors
    /// [`Error::BadArgument`] if the range has no end; [`Error::SessionClosed`], [`Error::Storage`].
    pub async fn clear(&self, blocks: impl RangeBounds<u64> + Send) -> Result<u64> {
        let held = self.held()?;
        let range = block_range(&blocks);
        let end = range.end.ok_or_else(|| Error::BadArgument("the range has no end".into()))?;
        let end = end.min(self.length());
        if range.start >= end {
            return Ok(0);
        }
        if self.is_snapshot() {
            return Err(Error::Assertion("nothing can be taken away from a snapshot".into()));
        }
        self.core().check_roots()?;
        match held.branch.clone() {
            None => self.core().clear(range.start, end).await,
            Some(branch) => self.change(branch, move |branch| branch.clear(range.start, end)).await,
        }
    }

    /// Makes the blocks of a named session this log's. None if the log has moved on with other content; then nothing
    /// changed, here or there.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> hypercore::Result<()> {
    /// use hypercore::{Hypercore, SessionOptions};
    ///
    /// let log = Hypercore::memory().await?;
    /// let draft = log.session(SessionOptions::new().name("draft")).await?;
    /// draft.append_batch(["a", "b"]).await?;
    /// assert_eq!(log.length(), 0);
    /// assert_eq!(log.commit(&draft).await?.map(|done| done.length), Some(2));
    /// assert_eq!(log.get(1).await?, "b");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`commit_with`](Self::commit_with).
    pub async fn commit(&self, session: &Self) -> Result<Option<Appended>> {
        self.commit_with(session, CommitOptions::new()).await
    }

    /// As [`commit`](Self::commit), on terms of one's own.
    ///
    /// # Errors
    /// [`Error::Assertion`] if it is not a named session of this core, or if this is not a session of the log itself;
    /// [`Error::InvalidOperation`] if the session is shorter, or if its blocks are encrypted for a fork that the log has left:
    /// nonces could be used twice; [`Error::InvalidSignature`]; [`Error::SessionNotWritable`],
    /// [`Error::SessionClosed`], [`Error::Storage`].
    pub async fn commit_with(&self, session: &Self, options: CommitOptions) -> Result<Option<Appended>> {
        let (held, given) = (self.held()?, session.held()?);
        if session.discovery_key() != self.discovery_key() {
            return Err(Error::Assertion("a session can be committed only to the core that it is of".into()));
        }
        let source = given.draft().cloned();
        let source = source.ok_or_else(|| Error::Assertion("only named sessions can be committed".into()))?;
        let signer = self.commit_signer(&held, options.key_pair, options.signature)?;
        let (length, tree_length) = (options.length, options.tree_length);
        let encryption = given.encrypts().or_else(|| held.encrypts());
        let encrypted = encryption.is_some();
        let cipher = encryption.and_then(|with| with.cipher(self.key(), self.core().is_compat()));
        let terms = CommitTerms { length, tree_length, signer, encrypted, cipher };
        let (core, target) = (self.core().clone(), held.branch.clone());
        let committed = match target {
            None => {
                self.recovered(&held).await?;
                blocking(move || core.commit(&source, &terms)).await?
            }
            Some(target) if matches!(target.kind(), Kind::Atomic) => {
                blocking(move || target.commit_session(&source, &terms)).await?
            }
            Some(_) => {
                return Err(Error::Assertion("a session can be committed only to the log itself".into()));
            }
        };
        self.core().acknowledged().await?;
        let padding = held.padding(self.core());
        Ok(committed.map(|done| Appended {
            byte_length: done.byte_length.saturating_sub(done.length.saturating_mul(padding)),
            ..done
        }))
    }

    /// Drops what a named session has of its own, which then is the first blocks of the log.
    ///
    /// # Errors
    /// [`Error::Assertion`] if this is no named session; [`Error::InvalidOperation`] if the log is shorter;
    /// [`Error::TreeGap`] if the tree of that length is not stored here; [`Error::Storage`].
    pub async fn catch_up(&self, length: u64) -> Result<()> {
        let branch = self.held()?.draft().cloned();
        let branch = branch.ok_or_else(|| Error::Assertion("only named sessions can catch up".into()))?;
        self.change(branch, move |branch| branch.catch_up(length)).await
    }
}
