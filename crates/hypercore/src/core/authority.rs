//! Who may sign the core, and whether somebody signed two different logs with its key.

use hc_crypto::{KeyPair, Manifest, Verifier};
use hc_replicator::Local;

use super::Core;
use super::state::Committed;
use crate::events::Event;
use crate::{Error, Result};

impl Core {
    /// Stores who may sign a core of which only the key was known.
    pub(crate) fn set_manifest(&self, manifest: Manifest) -> Result<()> {
        let mut writing = self.writing();
        if self.manifest().is_some() {
            return Ok(());
        }
        let verifier = Verifier::new(*self.key(), manifest).map_err(|error| Error::InvalidChecksum {
            reason: error.to_string(),
            discovery_key: *self.discovery_key(),
        })?;
        let mut write = self.0.disk.write();
        let auth = self.0.state.read().auth().clone();
        write.auth(&hc_storage::Auth { manifest: Some(verifier.manifest().clone()), ..auth });
        self.0.disk.commit(write)?;
        writing.take_over(Committed { verifier: Some(verifier), ..Committed::default() });
        writing.replicate(Local::Manifest);
        writing.emit(|| Event::Manifest);
        Ok(())
    }

    /// Who may sign the log, if that is known.
    pub(crate) fn verifier(&self) -> Option<Verifier> {
        self.0.state.read().verifier().cloned()
    }

    /// Whether this is one of those who may sign the log.
    pub(crate) fn is_signer(&self, pair: &KeyPair) -> bool {
        let verifier = self.verifier();
        verifier
            .is_some_and(|of| of.manifest().signers.iter().any(|signer| signer.public_key == pair.public()))
    }

    /// The beginning of the log that needs no signature, in blocks.
    pub(crate) fn prologue_length(&self) -> u64 {
        self.0.state.read().prologue_length()
    }
}
