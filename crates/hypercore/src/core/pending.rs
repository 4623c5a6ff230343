//! What an atom has to remember of a log until it is flushed: what it did, and what the log was when it began.

use hc_tree::TreeHead;
use hc_tree::bitfield::BitChange;

use super::append::Signer;
use super::branch::Branch;
use crate::events::Event;

/// What an atom did to a log since it was last flushed.
#[derive(Default)]
pub(super) struct Pending {
    /// Whether anything was written at all.
    pub(super) changed: bool,
    /// Who signed the head, if one was written.
    pub(super) signer: Option<Signer>,
    /// Where encrypted blocks begin that were appended, and the fork that they were encrypted for.
    pub(super) sealed: Vec<(u64, u64)>,
    /// What has to be told when the atom is flushed.
    pub(super) untold: Vec<Event>,
    pub(super) bits: Vec<BitChange>,
    /// How often the core had changed when this began.
    pub(super) seen: u64,
    /// What the log was when this began.
    pub(super) began_with: Option<TreeHead>,
}

impl Branch {
    /// Notes of an atom who signed the new head; and where encrypted blocks begin behind it, and for which fork they are.
    pub(super) fn written_by(&self, signer: &Signer, sealed: Option<(u64, u64)>) {
        if self.is_public() {
            let mut pending = self.pending.lock();
            pending.signer = Some(signer.clone());
            pending.sealed.extend(sealed);
        }
    }

    /// Blocks of the log that the atom began with, and did not cut away itself.
    pub(super) fn base(&self) -> u64 {
        let pending = self.pending.lock();
        let cuts = pending.untold.iter().filter_map(|event| match event {
            Event::Truncate { length, .. } => Some(*length),
            _ => None,
        });
        let began_with = pending.began_with.as_ref().map_or(0, TreeHead::length);
        cuts.min().map_or(began_with, |cut| cut.min(began_with))
    }

    /// Whether this is what the log was when the atom began.
    pub(super) fn began_with(&self, head: &TreeHead) -> bool {
        self.pending.lock().began_with.as_ref() == Some(head)
    }

    /// Who signed the head that the atom wrote, if it wrote one.
    pub(super) fn signed_by(&self) -> Option<Signer> {
        self.pending.lock().signer.clone()
    }

    /// Whether the atom has encrypted blocks for this fork, or for one before it.
    pub(super) fn sealed_up_to(&self, fork: u64) -> bool {
        self.pending.lock().sealed.iter().any(|(_, sealed_for)| *sealed_for <= fork)
    }
}
