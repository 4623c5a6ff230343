//! What is done with a core as a whole: recovering, purging, compacting.

use super::Hypercore;
#[cfg(doc)]
use crate::Error;
use crate::Result;
use crate::storage::blocking;

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
