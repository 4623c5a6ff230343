//! Moving a named session to another core: [`Hypercore::move_to`].

use super::Hypercore;
use crate::storage::blocking;
use crate::{Error, Result};

impl Hypercore {
    /// Makes this named session one of another core, whose log begins with the same blocks: as after
    /// [`copy_prologue`](Self::copy_prologue). It then has `length` blocks and goes on from there. All handles and sessions of
    /// this name move along. Whoever listens is told the new key ([`Event::Migrate`](crate::Event::Migrate)), and reads that
    /// wait go on to wait for the new core's peers. Snapshots that were made of it stay with the old core, and so do downloads,
    /// the guards of [`finding_peers`](Self::finding_peers), and the lock of an exclusive session until it closes.
    ///
    /// If the other core has a session of this name in its store, the session becomes that one, cut to the length.
    /// Otherwise it is made there. Either way the blocks up to the length, or up to the session's end if that comes first,
    /// have to be the same ones: none are copied. So what was appended here only has to be committed first, or be cut off by a
    /// smaller length. What the old core's store has of the session stays there; opening the name on that core again finds it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> hypercore::Result<()> {
    /// use hypercore::{Hypercore, KeyPair, Manifest, Prologue, SessionOptions};
    ///
    /// let old = Hypercore::memory().await?;
    /// let draft = old.session(SessionOptions::new().name("draft")).await?;
    /// draft.append_batch(["a", "b"]).await?;
    /// old.commit(&draft).await?;
    ///
    /// let pair = KeyPair::from_seed(&[7; 32]);
    /// let prologue = Prologue { hash: old.tree_hash().await?, length: 2 };
    /// let manifest = Manifest { prologue: Some(prologue), ..Manifest::single(pair.public()) };
    /// let new = Hypercore::builder().manifest(manifest).key_pair(pair).memory().await?;
    /// new.copy_prologue(&old).await?;
    ///
    /// draft.move_to(&new, 2).await?;
    /// assert_eq!((draft.key(), draft.get(0).await?), (new.key(), "a".into()));
    /// draft.append("c").await?;
    /// assert_eq!(new.commit(&draft).await?.map(|done| done.length), Some(3));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error::Assertion`] if this is no named session, or one of that core already, if the other one is not a session of
    /// its log itself, if the session is encrypted with a key that follows from its core's
    /// ([`Encryption::Key`](crate::Encryption::Key)); [`Error::TreeGap`] if hashes that are needed to compare are not stored;
    /// [`Error::StorageConflict`] if a session of this name is open at the other core; [`Error::InvalidOperation`] if the other
    /// core does not have these blocks, is shorter, or has a prologue that is longer; [`Error::SessionMoved`] if somebody else
    /// moved it meanwhile; [`Error::SessionClosed`], [`Error::Storage`]. The session is then where it was.
    pub async fn move_to(&self, target: &Self, length: u64) -> Result<()> {
        let (held, there) = (self.held()?, target.held()?);
        let branch = held.branch.clone();
        let branch = branch.ok_or_else(|| Error::Assertion("only named sessions can be moved".into()))?;
        if there.branch.is_some() {
            return Err(Error::Assertion("a session can be moved only to a log itself".into()));
        }
        if held.encryption().is_bound() {
            let reason = "what is encrypted with a key that follows from the core's cannot be another core's";
            return Err(Error::Assertion(reason.into()));
        }
        let core = target.core().clone();
        let left = blocking(move || branch.move_to(&core, length)).await?;
        self.core().acknowledged().await?;
        left.release().await
    }
}
