//! A log's fixed beginning, taken from a log that begins with the same blocks.

use super::Hypercore;
use crate::Result;
use crate::storage::blocking;

impl Hypercore {
    /// Copies the blocks of this log's prologue, their tree and the application's records from another log, of this store or
    /// of another one. The two logs share nothing afterwards. Whether there was something to copy: not if this log has no
    /// prologue, and not if the other one is shorter than it.
    ///
    /// All of it is written in one batch: it has to fit into memory.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> hypercore::Result<()> {
    /// use hypercore::{Hypercore, KeyPair, Manifest, Prologue};
    ///
    /// let old = Hypercore::memory().await?;
    /// old.append_batch(["a", "b"]).await?;
    ///
    /// // the same log in the hands of somebody else
    /// let pair = KeyPair::from_seed(&[7; 32]);
    /// let prologue = Prologue { hash: old.tree_hash().await?, length: 2 };
    /// let manifest = Manifest { prologue: Some(prologue), ..Manifest::single(pair.public()) };
    /// let new = Hypercore::builder().manifest(manifest).key_pair(pair).memory().await?;
    /// assert!(new.copy_prologue(&old).await?);
    /// new.append("c").await?;
    /// assert_eq!((new.get(0).await?, new.length()), ("a".into(), 3));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidSignature`](crate::Error::InvalidSignature) if the other log begins with other blocks, and
    /// [`Error::BlockNotAvailable`](crate::Error::BlockNotAvailable) if it does not have all of them: then nothing was
    /// written. [`Error::SessionClosed`](crate::Error::SessionClosed), [`Error::Storage`](crate::Error::Storage).
    pub async fn copy_prologue(&self, source: &Self) -> Result<bool> {
        self.check_open()?;
        let (core, disk, length) = (self.core().clone(), source.disk()?, source.length());
        let copied = blocking(move || core.copy_prologue(&disk, length)).await?;
        self.core().acknowledged().await?;
        Ok(copied)
    }
}
