//! A core that lost roots of its tree: it opens, gives and takes nothing, and waits for them.
//!
//! The stored head still says what the roots hash to, so they may come from anybody: from the application, or from a peer that
//! is asked for the head of our length as soon as it is there.
//!
//! Follows npm hypercore 11.37.1, `lib/core.js` (`_repairTreeNodes`) and `index.js` (`recoverTreeNodeFromPeers`). There any
//! signed head's nodes are stored; here only those that give back the head that was stored.

use hc_protocol::wire::Request;
use hc_replicator::{ApplyFailure, Local, PeerId};
use hc_storage::{CoreStorage, HeadRecord, StorageError};
use hc_tree::{Node, NodeReader, Proof, ProofError, ProofRequest, StoredHead, UpgradeRequest};

use super::Core;
use super::apply::Arrival;
use super::effects::Writing;
use super::state::Committed;
use crate::events::Event;
use crate::{Error, Result};

/// Why a proof gave no roots back.
enum Failure {
    Proof(ProofError),
    Storage(StorageError),
}

impl From<ProofError> for Failure {
    fn from(error: ProofError) -> Self {
        Self::Proof(error)
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

struct Nodes<'a>(&'a CoreStorage);

impl NodeReader for Nodes<'_> {
    type Error = Failure;

    fn node(&self, index: u64) -> Result<Option<Node>, Failure> {
        Ok(self.0.tree_node(index)?)
    }
}

fn stored(lost: &HeadRecord) -> StoredHead<'_> {
    let signature = lost.signature.as_deref().unwrap_or_default();
    StoredHead { fork: lost.fork, length: lost.length, root_hash: lost.root_hash, signature }
}

impl Core {
    /// Whether roots are lost.
    pub(crate) fn needs_repair(&self) -> bool {
        self.0.state.read().lost().is_some()
    }

    pub(crate) fn check_roots(&self) -> Result<()> {
        if self.needs_repair() {
            return Err(Error::RootsLost { discovery_key: *self.discovery_key() });
        }
        Ok(())
    }

    /// What to ask for so that the answer gives the roots back.
    pub(crate) fn repair_request(&self) -> Option<ProofRequest> {
        self.0.state.read().lost().map(|lost| stored(lost).request())
    }

    /// Takes the roots from the first proof that has them. How many proofs were used.
    pub(crate) fn repair_with_any(&self, proofs: Vec<Proof>) -> Result<usize> {
        let mut failed = None;
        for proof in proofs {
            match self.repair(&proof) {
                Ok(None) => return Ok(0),
                Ok(Some(_)) => return Ok(1),
                Err(Failure::Proof(error)) => failed = Some(self.invalid_proof(error)),
                Err(Failure::Storage(error)) => return Err(error.into()),
            }
        }
        failed.map_or(Ok(0), Err)
    }

    /// As [`apply`](Self::apply), for a core that has no roots.
    pub(super) fn repair_from_peers(&self, arrivals: Vec<Arrival>) {
        for Arrival { peer, ticket, data } in arrivals {
            let stored = match self.repair(&data.into()) {
                Ok(Some(length)) => Ok(length),
                Ok(None) => Err(ApplyFailure::Stale),
                Err(failure) => Err(self.blame(peer, failure)),
            };
            self.writing().answer(ticket, stored);
        }
    }

    /// Whose fault it is that a proof of a peer gave no roots back.
    fn blame(&self, peer: PeerId, failure: Failure) -> ApplyFailure {
        match failure {
            // the peer has another length now, or another fork: it is left alone
            Failure::Proof(ProofError::NodeMissing { .. } | ProofError::Fork { .. }) => ApplyFailure::Storage,
            Failure::Proof(error) => {
                if let Some(event) = self.refusal(peer, error) {
                    self.emit(|| event);
                }
                ApplyFailure::Invalid
            }
            Failure::Storage(error) => {
                tracing::error!(core = %self.discovery_key(), %error, "a repair could not be stored");
                ApplyFailure::Storage
            }
        }
    }

    /// Makes a request for a longer log one for our own head, while its roots are lost. False if the peer cannot have it.
    pub(super) fn ask_for_roots(&self, request: &mut Request) -> bool {
        let state = self.0.state.read();
        let (Some(lost), Some(UpgradeRequest { start: 0, length })) = (state.lost(), &mut request.upgrade)
        else {
            return true;
        };
        if *length < lost.length {
            return false;
        }
        *length = lost.length;
        true
    }

    /// Takes the roots that are lost from a proof: the length of the log then. None if nothing is lost.
    fn repair(&self, proof: &Proof) -> Result<Option<u64>, Failure> {
        let mut writing = self.writing();
        let Some(lost) = self.0.state.read().lost().cloned() else { return Ok(None) };
        writing.emit(|| Event::Repairing);
        let done = writing.recover_roots(&lost, proof);
        match &done {
            Ok(()) => {
                writing.look_for_losses();
                writing.emit(|| Event::Repaired);
            }
            Err(failure) => {
                let reason = match failure {
                    Failure::Proof(error) => error.to_string(),
                    Failure::Storage(error) => error.to_string(),
                };
                writing.emit(|| Event::RepairFailed { reason });
            }
        }
        done.map(|()| Some(lost.length))
    }
}

impl Writing<'_> {
    /// Now that the head is whole it is compared with what peers were told, before anybody can go on from it.
    fn look_for_losses(&mut self) {
        let core = self.host();
        let found = core.was_set_back().and_then(|set_back| match (set_back, core.recovering()) {
            (true, 0) => self.set_recovering(crate::now_millis()),
            (false, 0) if core.may_be_watched() => {
                core.note_present_head();
                Ok(())
            }
            _ => Ok(()),
        });
        if let Err(error) = found {
            tracing::error!(core = %core.discovery_key(), %error, "not compared with what peers were told");
        }
    }

    /// Stores roots, and has the replicator told of the log that is whole again.
    fn recover_roots(&mut self, lost: &HeadRecord, proof: &Proof) -> Result<(), Failure> {
        let core = self.host();
        let verifier = core.verifier().or_else(|| core.first_verifier(proof.manifest.as_ref()));
        let verifier = verifier.ok_or(ProofError::NoManifest)?;
        let recovered = stored(lost).recover(proof, &verifier, &Nodes(&core.0.disk))?;
        let mut write = core.0.disk.write();
        write.recover(&recovered);
        core.0.disk.commit(write)?;
        let signature = lost.signature.clone().unwrap_or_default();
        let head = Some((recovered.head().clone(), signature));
        self.take_over(Committed { head, timestamp: lost.timestamp, ..Committed::default() });
        self.replicate(Local::Upgraded { length: lost.length });
        let stored: Vec<_> = core.0.state.read().bitfield().ranges().collect();
        for (start, end) in stored {
            self.replicate(Local::Stored { start, end });
        }
        Ok(())
    }
}
