//! Changing a log: appending, cutting, clearing, committing.

use std::ops::RangeBounds;

use bytes::Bytes;

use super::{Appended, Hypercore};
use crate::core::{Blocks, CommitTerms, Kind, Signer};
use crate::download::block_range;
use crate::options::{AppendOptions, CommitOptions, TruncateOptions};
use crate::storage::blocking;
use crate::streams::WriteStream;
use crate::{Error, KeyPair, MAX_BLOCK_LEN, Result};

impl Hypercore {
    /// Appends a block. It is stored and signed when this returns.
    ///
    /// # Errors
    /// [`Error::SessionNotWritable`], [`Error::BlockTooLarge`], [`Error::SessionClosed`], [`Error::Storage`]. The log is
    /// then as it was.
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
        self.check_open()?;
        let signer = self.signer(options.key_pair, options.signature, self.is_draft())?;
        for (position, block) in blocks.iter().enumerate() {
            if block.len() > MAX_BLOCK_LEN {
                return Err(Error::BlockTooLarge { position, len: block.len(), max: MAX_BLOCK_LEN });
            }
        }
        if !self.is_draft() {
            self.recovered().await?;
        }
        let encryption = self.session.encryption.read().clone();
        encryption.check(self.key())?;
        let cipher = encryption.cipher(self.key(), self.core().is_compat());
        let expected = options.expected_length.map(|length| (length, None));
        let asked = Blocks { blocks, signer, cipher, max_length: options.max_length, expected };
        match encryption.provider() {
            Some(provider) if !asked.blocks.is_empty() => self.append_provided(asked, &*provider).await,
            _ => self.append_asked(asked).await,
        }
    }

    /// Encrypts in the application's own way, which may take its time: where the log has grown meanwhile, once more.
    async fn append_provided(
        &self,
        asked: Blocks,
        provider: &dyn crate::EncryptionProvider,
    ) -> Result<Appended> {
        loop {
            let status = self.status();
            let fork = self.branch().map_or(status.fork, |branch| branch.encryption_fork());
            if asked.expected.is_some_and(|(length, _)| length != status.length) {
                return self.append_asked(asked).await;
            }
            let mut blocks = Vec::with_capacity(asked.blocks.len());
            for (index, block) in (status.length..).zip(&asked.blocks) {
                blocks.push(provider.encrypt(index, fork, block.clone()).await?);
            }
            let attempt = Blocks {
                blocks,
                signer: asked.signer.clone(),
                cipher: None,
                max_length: asked.max_length,
                expected: Some((status.length, Some(status.fork))),
            };
            match self.append_asked(attempt).await {
                Err(Error::InvalidOperation { .. })
                    if asked.expected.is_none() && self.status() != status => {}
                done => return done,
            }
        }
    }

    async fn append_asked(&self, asked: Blocks) -> Result<Appended> {
        let appended = match self.session.branch.clone() {
            None => self.core().append(asked).await?,
            Some(branch) => blocking(move || branch.append(asked)).await?,
        };
        let padding = appended.length.saturating_mul(self.padding());
        Ok(Appended { byte_length: appended.byte_length.saturating_sub(padding), ..appended })
    }

    /// Whether what this session writes is not signed: it is a named session.
    fn is_draft(&self) -> bool {
        self.branch().is_some_and(|branch| branch.is_named())
    }

    /// Who vouches for a change of this session.
    fn signer(&self, pair: Option<KeyPair>, given: Option<Vec<u8>>, draft: bool) -> Result<Signer> {
        let refused = Error::SessionNotWritable { discovery_key: *self.discovery_key() };
        if !self.session.options.writable.unwrap_or(true) || self.is_snapshot() {
            return Err(refused);
        }
        if let Some(signature) = given {
            return Ok(Signer::Given(signature));
        }
        match pair.or_else(|| if draft { None } else { self.key_pair() }) {
            Some(pair) => Ok(Signer::Pair(pair)),
            None if draft => Ok(Signer::Nobody),
            None => Err(refused),
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
    /// [`Error::SessionClosed`], [`Error::Storage`]. The log is then as it was.
    pub async fn truncate(&self, length: u64) -> Result<()> {
        self.truncate_with(length, TruncateOptions::new()).await
    }

    /// As [`truncate`](Self::truncate), on terms of one's own.
    ///
    /// # Errors
    /// As [`truncate`](Self::truncate), and [`Error::InvalidSignature`].
    pub async fn truncate_with(&self, length: u64, options: TruncateOptions) -> Result<()> {
        self.check_open()?;
        // as Node: also a named session is signed when it is cut, if there is a key pair to do it with
        let pair = options.key_pair.or_else(|| self.key_pair());
        let signer = self.signer(pair, options.signature, self.is_draft())?;
        let fork = options.fork;
        match self.session.branch.clone() {
            Some(branch) => blocking(move || branch.truncate(length, fork, &signer)).await,
            None => {
                self.recovered().await?;
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
        self.check_open()?;
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
        match self.session.branch.clone() {
            None => self.core().clear(range.start, end).await,
            Some(branch) => blocking(move || branch.clear(range.start, end)).await,
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
    /// [`Error::InvalidOperation`] if the session is shorter; [`Error::InvalidSignature`]; [`Error::SessionNotWritable`],
    /// [`Error::SessionClosed`], [`Error::Storage`].
    pub async fn commit_with(&self, session: &Self, options: CommitOptions) -> Result<Option<Appended>> {
        self.check_open()?;
        session.check_open()?;
        if session.discovery_key() != self.discovery_key() {
            return Err(Error::Assertion("a session can be committed only to the core that it is of".into()));
        }
        let source = session.session.branch.clone().filter(|branch| branch.is_named());
        let source = source.ok_or_else(|| Error::Assertion("only named sessions can be committed".into()))?;
        let signer = self.signer(options.key_pair, options.signature, false)?;
        let terms = CommitTerms { length: options.length, tree_length: options.tree_length, signer };
        let (core, target) = (self.core().clone(), self.session.branch.clone());
        let committed = match target {
            None => {
                self.recovered().await?;
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
        let padding = self.padding();
        Ok(committed.map(|done| Appended {
            byte_length: done.byte_length.saturating_sub(done.length.saturating_mul(padding)),
            ..done
        }))
    }

    /// Drops what a named session has of its own, which then is the first blocks of the log.
    ///
    /// # Errors
    /// [`Error::Assertion`] if this is no named session; [`Error::InvalidOperation`] if the log is shorter, or if the tree
    /// of that length is not stored here; [`Error::Storage`].
    pub async fn catch_up(&self, length: u64) -> Result<()> {
        self.check_open()?;
        let branch = self.session.branch.clone().filter(|branch| branch.is_named());
        let branch = branch.ok_or_else(|| Error::Assertion("only named sessions can catch up".into()))?;
        blocking(move || branch.catch_up(length)).await
    }
}
