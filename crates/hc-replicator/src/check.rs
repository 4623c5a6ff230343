//! Invariants, for tests and simulations to look at after every step.

use crate::limits::{
    MAX_ANY_WANTS, MAX_CLAIM_PAGES, MAX_PEER_WANTS, MAX_QUEUED_WANTS, MAX_REMOTE_REQUESTS_HARD, MAX_WANTS,
};
use crate::peer::Peer;
use crate::replicator::Replicator;

impl Replicator {
    /// Whether all invariants hold; else, which one does not. Takes time in proportion to the state: for tests.
    ///
    /// # Errors
    /// A description of the broken invariant.
    pub fn check(&self) -> Result<(), String> {
        self.check_bits()?;
        self.check_requests()?;
        self.check_wants()?;
        for peer in self.peers.values() {
            self.check_peer(peer)?;
        }
        if self.order.len() != self.peers.len() || self.order.iter().any(|id| !self.peers.contains_key(id)) {
            return Err("the order of peers is not the set of peers".into());
        }
        Ok(())
    }

    fn check_bits(&self) -> Result<(), String> {
        let have = &self.have;
        have.stored.check()?;
        have.skip.check()?;
        self.wants.blocks.queued().check()?;
        if have.contiguous != have.stored.first_unset(0) || have.contiguous > have.length {
            return Err(format!("contiguous length {} of {}", have.contiguous, have.length));
        }
        let mut skip = have.stored.clone();
        for index in self.inflight.blocks() {
            skip.set(index, true);
        }
        let end = have.length.max(self.inflight.blocks().last().unwrap_or(0)) + 1;
        let differs = |a, b| crate::bits::first_match(a, None, Some(b), 0, end);
        match differs(&skip, &have.skip).or_else(|| differs(&have.skip, &skip)) {
            Some(index) => {
                Err(format!("block {index} is skipped, but not stored or in flight, or the other way"))
            }
            None => Ok(()),
        }
    }

    fn check_requests(&self) -> Result<(), String> {
        let upgrades = self.inflight.iter().filter(|(_, request)| request.upgrade).count();
        if upgrades != self.wants.upgrade.count() {
            return Err(format!("{upgrades} upgrades in flight, {} counted", self.wants.upgrade.count()));
        }
        let asked = self.manifest_asked;
        if asked.is_some_and(|asked| !self.inflight.iter().any(|(id, _)| id == asked)) {
            return Err("the manifest is awaited from nobody".into());
        }
        let retired: usize = self.peers.values().map(|peer| peer.retired.len()).sum();
        if !self.inflight.adds_up(retired) {
            return Err("request ids got lost".into());
        }
        Ok(())
    }

    fn check_wants(&self) -> Result<(), String> {
        self.wants.ranges.check(&self.have)?;
        if self.wants.places.len() > MAX_WANTS {
            return Err("too many wants".into());
        }
        for index in self.wants.blocks.waiting() {
            if self.have.stored.get(index) {
                return Err(format!("somebody waits for block {index}, which is stored"));
            }
            if self.wants.blocks.queued().get(index) == self.have.skip.get(index) {
                return Err(format!("block {index} is wanted, and neither queued nor in flight, or both"));
            }
        }
        Ok(())
    }

    fn check_peer(&self, peer: &Peer) -> Result<(), String> {
        let of_peer = |applying: bool| {
            self.inflight
                .iter()
                .filter(|(_, r)| r.peer == peer.id && r.applying.is_some() == applying)
                .count()
        };
        if (of_peer(false), of_peer(true)) != (peer.window.inflight(), peer.window.applying_count()) {
            return Err(format!("the window of {:?} is miscounted", peer.id));
        }
        peer.remote.claims().check()?;
        // Cutting a run in two may add a few entries beyond the cap.
        if peer.remote.claims().weight() > 2 * MAX_CLAIM_PAGES
            || peer.theirs.len() > MAX_PEER_WANTS + MAX_ANY_WANTS + MAX_QUEUED_WANTS + 1
            || peer.ours.len() > MAX_PEER_WANTS
            || peer.serving.len() > MAX_REMOTE_REQUESTS_HARD + 1
        {
            return Err(format!("{:?} takes more memory than it may", peer.id));
        }
        Ok(())
    }
}
