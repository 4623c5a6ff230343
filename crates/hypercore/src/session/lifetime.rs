//! What is done with a core as a whole: recovering, purging, compacting.

use super::Hypercore;
use crate::core::Conflict;
use crate::storage::blocking;
use crate::{Error, Proof, ProofRequest, Result};

impl Hypercore {
    /// When the store of this core was found to have lost something that peers may have, in milliseconds since 1970; 0 if it
    /// was not. Until that is cleared up, appends wait for peers to confirm that none of them has more than is here.
    #[must_use]
    pub fn recovering(&self) -> u64 {
        self.core().recovering()
    }

    /// Waits until the log may be changed: at most for the session's timeout, and no longer than the session is open.
    pub(super) async fn recovered(&self) -> Result<()> {
        let recovered = self.core().recovered(self.session.options.timeout.flatten());
        if self.recovering() == 0 {
            return recovered.await;
        }
        self.within(None, recovered).await
    }

    /// Waits until peers confirm that none of them has more than is here, and until everything that peers are known to have
    /// been told is here again; then the core is no longer recovering.
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

    /// Whether roots of the log's tree are lost. Its blocks can be read, but nothing can be appended, and peers get nothing.
    /// Any peer that has the whole log repairs it as soon as it is connected; so does a proof, see
    /// [`repair_with`](Self::repair_with).
    #[must_use]
    pub fn needs_repair(&self) -> bool {
        self.core().needs_repair()
    }

    /// What to ask somebody who has this log, with [`proof`](Self::proof), so that the answer repairs it here. None if nothing
    /// is lost.
    #[must_use]
    pub fn repair_request(&self) -> Option<ProofRequest> {
        self.core().repair_request()
    }

    /// Takes the roots that are lost from a proof, in one batch. They are compared with what the head that is stored says, so
    /// that it does not matter where the proof comes from. Whether there was anything to repair.
    ///
    /// # Errors
    /// [`Error::InvalidProof`] and [`Error::InvalidSignature`] if the proof does not give them back: then nothing was
    /// changed. [`Error::SessionClosed`], [`Error::Storage`].
    pub async fn repair_with(&self, proof: &Proof) -> Result<bool> {
        self.check_open()?;
        let (core, proof) = (self.core().clone(), proof.clone());
        blocking(move || Ok(core.repair_with_any(vec![proof])? > 0)).await
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
