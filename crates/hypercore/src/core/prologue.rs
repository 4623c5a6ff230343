//! Taking a log's prologue from another log that begins with the same blocks.
//!
//! The blocks are hashed anew. Who may write them is settled by the manifest: it names the hash of the prologue, so that a
//! head that is the prologue needs no signature, and no other head of that length can be written here.
//!
//! Follows npm hypercore 11.37.1, `lib/copy-prologue.js`, which compares the roots of the two trees, copies the nodes and
//! blocks below them as they are, and writes them in several batches.

use bytes::Bytes;
use hc_crypto::{Prologue, Verifier};
use hc_replicator::Local;
use hc_storage::CoreStorage;

use super::Core;
use super::line::{Planned, Signing};
use crate::{Error, Result};

impl Core {
    /// Copies the prologue from a log of a length. Whether there was something to copy.
    pub(crate) fn copy_prologue(&self, source: &CoreStorage, source_length: u64) -> Result<bool> {
        self.check_roots()?;
        let mut writing = self.writing();
        let prologue = self.verifier().as_ref().and_then(Verifier::prologue).copied();
        let Some(prologue) = prologue.filter(|prologue| prologue.length > 0) else { return Ok(false) };
        let present = self.status().length;
        if source_length < prologue.length || present >= prologue.length && self.has_all(prologue.length) {
            return Ok(false);
        }
        if present > 0 {
            let reason = "the log is not empty: what is missing of its prologue comes from peers".into();
            return Err(Error::InvalidOperation { reason, discovery_key: *self.discovery_key() });
        }
        let blocks = Self::blocks_of(source, &prologue)?;
        let state = self.0.state.read();
        let mut planned = self.line(&state).append(&blocks, &Signing::Given(Vec::new()))?;
        drop(state);
        copy_records(source, &mut planned)?;
        writing.commit_planned(planned)?;
        writing.emit_if_longer(present);
        writing.replicate(Local::Appended { length: self.status().length });
        Ok(true)
    }

    fn has_all(&self, length: u64) -> bool {
        self.status().contiguous_length >= length
    }

    fn blocks_of(source: &CoreStorage, prologue: &Prologue) -> Result<Vec<Bytes>> {
        let mut blocks: Vec<Bytes> = Vec::new();
        let mut next = 0;
        while next < prologue.length {
            let run = source.blocks(next, prologue.length, usize::MAX)?;
            if run.is_empty() {
                return Err(Error::BlockNotAvailable { index: next, discovery_key: *source.discovery_key() });
            }
            next = next.saturating_add(u64::try_from(run.len()).unwrap_or(u64::MAX));
            blocks.extend(run);
        }
        Ok(blocks)
    }
}

/// As upstream: the application's records are taken over too.
fn copy_records(source: &CoreStorage, planned: &mut Planned) -> Result<()> {
    for (name, value) in source.user_data_range("", None)? {
        planned.write.user_data(&name, Some(&value));
    }
    Ok(())
}
