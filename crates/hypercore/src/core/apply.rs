//! Taking in what peers prove: several proofs become one batch.
//!
//! Follows npm hypercore 11.37.1, `lib/core.js` (`verify`) and `lib/session-state.js` (`_verifyBlock`).

use std::collections::BTreeMap;

use hc_crypto::{Manifest, Verifier};
use hc_protocol::wire::Data;
use hc_replicator::{ApplyFailure, Local, PeerId, Ticket};
use hc_storage::CoreWrite;
use hc_tree::bitfield::BitChange;
use hc_tree::{Node, Proof, ProofError, Reorg, TreeHead, Verified, verify};

use super::effects::Writing;
use super::state::{Committed, verifier_of};
use super::{Core, Status};
use crate::events::Event;
use crate::{Error, Result};

/// A proof that came, and from whom.
pub(super) struct Arrival {
    pub(super) peer: PeerId,
    pub(super) ticket: Ticket,
    pub(super) data: Data,
}

/// Proofs that were verified, on their way to the disk.
struct Staged {
    write: CoreWrite,
    head: TreeHead,
    signature: Option<Vec<u8>>,
    bits: Vec<BitChange>,
    verifier: Option<Verifier>,
    tickets: Vec<Ticket>,
    /// When the head is written, in milliseconds since 1970.
    timestamp: u64,
    /// Tree nodes that are in the batch.
    nodes: BTreeMap<u64, Node>,
}

impl Core {
    /// Verifies and stores what came. The replicator is told what came of each.
    pub(super) fn apply(&self, arrivals: Vec<Arrival>) {
        if self.needs_repair() {
            return self.repair_from_peers(arrivals);
        }
        let mut writing = self.writing();
        let before = self.status().length;
        let mut staged = self.nothing_staged();
        for Arrival { peer, ticket, data } in arrivals {
            if let Err(failure) = writing.stage(&mut staged, ticket, data.into(), peer) {
                writing.answer(ticket, Err(failure));
            }
        }
        writing.commit_staged(staged);
        writing.emit_if_longer(before);
    }

    /// Verifies and stores what the application got elsewhere, all or nothing; but a proof of a higher fork among the first
    /// ones is followed for itself. How many proofs could be used.
    pub(crate) fn apply_proofs(&self, proofs: Vec<Proof>) -> Result<usize> {
        if self.needs_repair() {
            return self.repair_with_any(proofs);
        }
        let discovery_key = *self.discovery_key();
        let mut writing = self.writing();
        let mut used = 0;
        let mut proofs = proofs.into_iter().peekable();
        while let Some(proof) = proofs.next_if(|proof| proof.fork > self.status().fork) {
            used += usize::from(writing.reorganise(&proof)?);
        }
        let before = self.status().length;
        let mut staged = self.nothing_staged();
        for mut proof in proofs {
            let manifest = proof.manifest.take();
            match self.check(&staged, &proof, manifest.as_ref()) {
                Ok(checked) => self.put_on_stage(&mut staged, checked),
                Err(Refusal::Stale) => continue,
                Err(Refusal::Storage(error)) => return Err(error.into()),
                Err(Refusal::Invalid(error)) => return Err(invalid(error, discovery_key)),
            }
            used += 1;
        }
        if used == 0 {
            return Ok(0);
        }
        let stored = staged.bits.clone();
        writing.write_staged(staged)?;
        if writing.emit_if_longer(before) {
            let length = self.status().length;
            writing.replicate(Local::Upgraded { length });
        }
        for BitChange { start, end, .. } in stored {
            writing.replicate(Local::Stored { start, end });
        }
        Ok(used)
    }

    /// What a proof that does not hold is to the application.
    pub(crate) fn invalid_proof(&self, error: ProofError) -> Error {
        invalid(error, *self.discovery_key())
    }

    fn nothing_staged(&self) -> Staged {
        Staged {
            write: self.0.disk.write(),
            head: self.0.state.read().head().clone(),
            signature: None,
            bits: Vec::new(),
            verifier: None,
            tickets: Vec::new(),
            timestamp: crate::now_millis(),
            nodes: BTreeMap::new(),
        }
    }

    /// Adds what was verified to what is written. None is what has become known meanwhile.
    fn put_on_stage(&self, staged: &mut Staged, checked: Option<(Verified, Option<Verifier>)>) {
        let Some((verified, fresh)) = checked else { return };
        let state = self.0.state.read();
        let (write, nodes) = (&mut staged.write, &mut staged.nodes);
        write.apply(&verified, staged.timestamp, |node| {
            state.known_nodes().has(node) != Some(true) && !nodes.contains_key(&node)
        });
        drop(state);
        nodes.extend(verified.nodes().iter().map(|node| (node.index, *node)));
        if let Some((index, _)) = verified.block() {
            staged.bits.push(BitChange { start: index, end: index.saturating_add(1), set: true });
        }
        if let Some((head, signature)) = verified.upgrade() {
            staged.head = head.clone();
            staged.signature = Some(signature.to_vec());
        }
        staged.verifier = staged.verifier.take().or(fresh);
    }

    /// Verifies a proof against what is stored and staged. None if it only repeats what is known.
    fn check(
        &self,
        staged: &Staged,
        proof: &Proof,
        manifest: Option<&Manifest>,
    ) -> std::result::Result<Option<(Verified, Option<Verifier>)>, Refusal> {
        if proof.upgrade.as_ref().is_some_and(|upgrade| upgrade.start != staged.head.length()) {
            return Err(Refusal::Stale);
        }
        let unchecked = match verify(&staged.head, proof) {
            Ok(unchecked) => unchecked,
            Err(ProofError::Fork { .. }) => return Err(Refusal::Stale),
            Err(error) => return Err(Refusal::Invalid(error)),
        };
        let anchor = match unchecked.anchor() {
            Some(index) => self.stored_or_root(staged, index)?,
            None => None,
        };
        let state = self.0.state.read();
        let known = state.verifier().or(staged.verifier.as_ref());
        let fresh = if known.is_none() { self.first_verifier(manifest) } else { None };
        let confirmed = unchecked.confirm(anchor.as_ref(), known.or(fresh.as_ref()));
        drop(state);
        match confirmed {
            Ok(verified) => {
                let fresh = fresh.filter(|_| verified.upgrade().is_some());
                Ok(Some((verified, fresh)))
            }
            Err(ProofError::Unanchored { .. }) => Err(Refusal::Stale),
            Err(error) => Err(Refusal::Invalid(error)),
        }
    }

    /// A stored node, or one that an earlier proof of this batch brought.
    fn stored_or_root(
        &self,
        staged: &Staged,
        index: u64,
    ) -> std::result::Result<Option<hc_tree::Node>, Refusal> {
        let root = staged.head.roots().iter().find(|root| root.index == index);
        match root.or_else(|| staged.nodes.get(&index)) {
            Some(node) => Ok(Some(*node)),
            None => self.0.disk.tree_node(index).map_err(Refusal::Storage),
        }
    }

    /// Who may sign a core of which only the key is known: as the manifest says that came with the proof, or the key itself.
    pub(super) fn first_verifier(&self, manifest: Option<&Manifest>) -> Option<Verifier> {
        let own_key = Manifest::single(hc_crypto::PublicKey::from(self.key().as_bytes()));
        verifier_of(*self.key(), Some(manifest.unwrap_or(&own_key)))
    }

    /// A peer is known to have all blocks below a length, of a fork.
    pub(super) fn remote_contiguous_length(&self, fork: u64, length: u64) {
        let mut writing = self.writing();
        let (present, mut hints) = {
            let state = self.0.state.read();
            (state.head().fork(), *state.hints())
        };
        // the log may have been truncated since the replicator said so
        if fork == present && length > hints.remote_contiguous_length {
            hints.remote_contiguous_length = length;
            if let Err(error) = writing.store_hints(hints) {
                tracing::warn!(core = %self.discovery_key(), %error, "a hint could not be stored");
            }
            writing.emit(|| Event::RemoteContiguousLength { length });
        }
    }
}

impl Writing<'_> {
    /// Moves to a peer's fork, if a proof of its head alone tells what the two forks share.
    fn reorganise(&mut self, proof: &Proof) -> Result<bool> {
        let core = self.host();
        let state = core.0.state.read();
        let known = state.verifier().cloned();
        let fresh = if known.is_none() { core.first_verifier(proof.manifest.as_ref()) } else { None };
        let verifier = known.as_ref().or(fresh.as_ref());
        let started = Reorg::start(state.head(), proof, verifier, &ReorgNodes(&core.0.disk));
        let reorged = match started {
            Ok(reorg) => reorg.finish(),
            Err(Refusal::Stale) => return Ok(false),
            Err(Refusal::Storage(error)) => return Err(error.into()),
            Err(Refusal::Invalid(error)) => return Err(core.invalid_proof(error)),
        };
        let Some(reorged) = reorged else { return Ok(false) };
        let ancestors = reorged.change().ancestors();
        let planned = core.line(&state).reorg(reorged, fresh);
        drop(state);
        self.commit_planned(planned)?;
        let after = core.status();
        self.truncated(ancestors, after.fork);
        if self.emit_if_longer(ancestors) {
            self.replicate(Local::Upgraded { length: after.length });
        }
        Ok(true)
    }

    /// Has subscribers told if the log is longer than it was. Whether it is.
    pub(super) fn emit_if_longer(&mut self, before: u64) -> bool {
        let Status { length, byte_length, .. } = self.host().status();
        if length > before {
            self.emit(|| Event::Append { length, byte_length });
        }
        length > before
    }

    fn stage(
        &mut self,
        staged: &mut Staged,
        ticket: Ticket,
        mut proof: Proof,
        peer: PeerId,
    ) -> std::result::Result<(), ApplyFailure> {
        let core = self.host();
        let manifest = proof.manifest.take();
        if let Some(manifest) = manifest.as_ref().filter(|_| is_empty(&proof)) {
            return self.stage_manifest(staged, ticket, manifest, peer);
        }
        match core.check(staged, &proof, manifest.as_ref()) {
            Ok(checked) => {
                core.put_on_stage(staged, checked);
                staged.tickets.push(ticket);
                Ok(())
            }
            Err(Refusal::Stale) => Err(ApplyFailure::Stale),
            Err(Refusal::Storage(error)) => {
                tracing::error!(core = %core.discovery_key(), %error, "a proof could not be checked");
                self.emit(|| Event::StorageFailed { reason: error.to_string() });
                Err(ApplyFailure::Storage)
            }
            Err(Refusal::Invalid(error)) => {
                tracing::debug!(core = %core.discovery_key(), %error, "a proof was refused");
                self.refuse(peer, error);
                Err(ApplyFailure::Invalid)
            }
        }
    }

    /// The manifest of a log that is still empty at the peer comes alone.
    fn stage_manifest(
        &mut self,
        staged: &mut Staged,
        ticket: Ticket,
        manifest: &Manifest,
        peer: PeerId,
    ) -> std::result::Result<(), ApplyFailure> {
        let core = self.host();
        if core.manifest().is_none() && staged.verifier.is_none() {
            staged.verifier = core.first_verifier(Some(manifest));
            if staged.verifier.is_none() {
                self.refuse(peer, "the manifest does not hash to the core's key");
                return Err(ApplyFailure::Invalid);
            }
        }
        staged.tickets.push(ticket);
        Ok(())
    }

    /// Has subscribers told that a peer's proof did not hold.
    fn refuse(&mut self, peer: PeerId, error: impl std::fmt::Display) {
        if let Some(event) = self.host().refusal(peer, error) {
            self.emit(|| event);
        }
    }

    fn commit_staged(&mut self, mut staged: Staged) {
        let tickets = std::mem::take(&mut staged.tickets);
        if tickets.is_empty() {
            return;
        }
        let length = staged.head.length();
        match self.write_staged(staged) {
            Err(error) => {
                tracing::error!(core = %self.host().discovery_key(), %error, "proofs could not be stored");
                // subscribers hear of it before the replicator asks somebody else
                self.emit(|| Event::StorageFailed { reason: error.to_string() });
                for ticket in tickets {
                    self.answer(ticket, Err(ApplyFailure::Storage));
                }
            }
            Ok(()) => {
                for ticket in tickets {
                    self.answer(ticket, Ok(length));
                }
            }
        }
    }

    /// Writes what is staged, and takes it over.
    fn write_staged(&mut self, staged: Staged) -> Result<()> {
        let core = self.host();
        let Staged { mut write, head, signature, bits, verifier, timestamp, nodes, .. } = staged;
        let state = core.0.state.read();
        for (page, bytes) in state.bitfield().pages_with(&bits) {
            write.bitfield_page(page, &bytes);
        }
        if let (Some(group), Some(_)) = (state.group(), &signature) {
            write.group_update(group.pointer, state.timestamp(), timestamp, core.key());
        }
        let hints = state.hints_with(&bits);
        let hints = (hints != *state.hints()).then_some(hints);
        if let Some(hints) = &hints {
            write.hints(hints);
        }
        if let Some(verifier) = &verifier {
            let auth =
                hc_storage::Auth { manifest: Some(verifier.manifest().clone()), ..state.auth().clone() };
            write.auth(&auth);
        }
        drop(state);
        self.check_open()?;
        core.0.disk.commit(write)?;
        let learned = verifier.is_some();
        let head = signature.map(|signature| (head, signature));
        let nodes = Some(nodes.into_keys().collect());
        self.take_over(Committed { head, timestamp, bits, hints, verifier, nodes, ..Committed::default() });
        if learned {
            self.replicate(Local::Manifest);
            self.emit(|| Event::Manifest);
        }
        Ok(())
    }

    pub(super) fn store_hints(&mut self, hints: hc_storage::Hints) -> Result<()> {
        let mut write = self.host().0.disk.write();
        write.hints(&hints);
        self.host().0.disk.commit(write)?;
        self.take_over(Committed { hints: Some(hints), ..Committed::default() });
        Ok(())
    }
}

/// Whether nothing is proven.
const fn is_empty(proof: &Proof) -> bool {
    proof.block.is_none() && proof.hash.is_none() && proof.seek.is_none() && proof.upgrade.is_none()
}

/// Why a proof was not taken.
enum Refusal {
    /// The local tree has changed since it was asked for.
    Stale,
    Storage(hc_storage::StorageError),
    Invalid(ProofError),
}

impl From<ProofError> for Refusal {
    fn from(error: ProofError) -> Self {
        Self::Invalid(error)
    }
}

/// The stored nodes of a core that may move to another fork.
struct ReorgNodes<'a>(&'a hc_storage::CoreStorage);

impl hc_tree::NodeReader for ReorgNodes<'_> {
    type Error = Refusal;

    fn node(&self, index: u64) -> std::result::Result<Option<Node>, Refusal> {
        self.0.tree_node(index).map_err(Refusal::Storage)
    }
}

/// What a proof that does not hold is to the application.
fn invalid(error: ProofError, discovery_key: hc_crypto::DiscoveryKey) -> Error {
    let reason = error.to_string();
    match error {
        ProofError::Signature(_) | ProofError::NoManifest => {
            Error::InvalidSignature { reason, discovery_key }
        }
        ProofError::HashMismatch { .. } => Error::InvalidChecksum { reason, discovery_key },
        _ => Error::InvalidProof { reason, discovery_key },
    }
}
