//! What is done with a core as a whole: recovering, purging, compacting.

use super::Hypercore;
use crate::core::Conflict;
use crate::storage::blocking;
use crate::{Error, Proof, Result};

impl Hypercore {
    /// When the store of this core was found to have lost something that peers may have, in milliseconds since 1970; 0 if it
    /// was not. Until that is cleared up, appends wait for peers to confirm that none of them has more than is here.
    #[must_use]
    pub fn recovering(&self) -> u64 {
        self.core().recovering()
    }

    /// Waits until peers confirm that none of them has more than is here; then the core is no longer recovering.
    ///
    /// # Errors
    /// [`Error::SessionClosed`] if it closes first; [`Error::RequestTimeout`]; [`Error::Storage`].
    pub async fn recover(&self) -> Result<()> {
        self.check_open()?;
        if self.recovering() == 0 {
            return Ok(());
        }
        self.within(self.session.options.timeout.flatten(), self.core().confirmed_by_peers()).await
    }

    /// Ends recovering without asking anybody. If a peer does have blocks that are lost here, the next append makes a
    /// second history of this log, and every peer that sees both stops trusting it.
    ///
    /// # Errors
    /// [`Error::SessionClosed`], [`Error::Storage`].
    pub async fn recover_unconfirmed(&self) -> Result<()> {
        self.check_open()?;
        let core = self.core().clone();
        blocking(move || core.set_recovering(0)).await
    }

    /// Two signed heads of one length, if such were seen: somebody has the owner's key who should not, or the owner went on
    /// with a copy that was behind. Until that is cleared up, nothing can be appended here.
    #[must_use]
    pub fn conflict(&self) -> Option<Conflict> {
        self.core().conflict()
    }

    /// Whether a proof of a whole head (an upgrade from 0) contradicts this log: it is signed, and of another log. The
    /// evidence is then kept, and every change fails with [`Error::Conflict`].
    ///
    /// # Errors
    /// [`Error::SessionClosed`], [`Error::Storage`].
    pub async fn check_conflict(&self, proof: &Proof) -> Result<bool> {
        self.check_open()?;
        let (core, proof) = (self.core().clone(), proof.clone());
        blocking(move || core.contradicts(&proof)).await
    }

    /// Decides a conflict for the log that is stored here: the evidence goes, and the log can be changed again. Peers that
    /// have the other log do not follow, unless this one goes to a higher fork.
    ///
    /// # Errors
    /// [`Error::SessionClosed`], [`Error::Storage`].
    pub async fn resolve_conflict(&self) -> Result<()> {
        self.check_open()?;
        let core = self.core().clone();
        blocking(move || core.resolve_conflict()).await
    }

    /// Takes over what another process wrote since, in a store that follows it
    /// ([`StorageOptions::follow`](crate::storage::StorageOptions::follow)). Whether anything changed.
    ///
    /// # Errors
    /// [`Error::Assertion`] if the store is open for writing: then nobody else writes; [`Error::SessionClosed`],
    /// [`Error::Storage`].
    pub async fn catch_up_with_store(&self) -> Result<bool> {
        self.check_open()?;
        if !self.core().storage().is_read_only() {
            return Err(Error::Assertion("only a store that follows another process can catch up".into()));
        }
        std::sync::Arc::clone(self.core().storage()).catch_up().await?;
        let core = self.core().clone();
        blocking(move || core.refresh()).await
    }

    /// Closes all sessions of the core, and takes away everything that its store has of it, in one batch. A core opened
    /// under the same key later begins anew.
    ///
    /// # Errors
    /// [`Error::SessionClosed`], [`Error::Storage`].
    pub async fn purge(&self) -> Result<()> {
        self.check_open()?;
        let core = self.core().clone();
        core.shut();
        let purging = core.clone();
        blocking(move || purging.purge()).await?;
        self.session.close();
        core.release().await
    }

    /// Reclaims the space on disk of what was deleted of this core.
    ///
    /// # Errors
    /// [`Error::SessionClosed`], [`Error::Storage`].
    pub async fn compact(&self) -> Result<()> {
        self.check_open()?;
        let disk = self.disk();
        blocking(move || Ok(disk.compact()?)).await
    }
}
