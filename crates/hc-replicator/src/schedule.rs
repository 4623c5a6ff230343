//! Who is asked for what next.
//!
//! Runs when the driver polls and nothing else is left to do, so that all messages of one read are taken in first.
//! Peers take turns, one request each, until no peer with room has anything that is wanted. Per peer: the manifest,
//! then single blocks, then ranges, then a longer length; what a peer may have but did not claim is asked for with a
//! want. A peer for which there was nothing is left alone until the world (`Replicator::world`) or its claims change.
//!
//! Follows npm hypercore 11.37.1, lib/replicator.js (updateAll, _updatePeer, _requestRange, _maybeWant).

use std::collections::BTreeSet;

use crate::wire;
use hc_tree::{BlockRequest, UpgradeRequest};

use crate::bits::{Bits, first_match};
use crate::event::{Outcome, Output, PeerId};
use crate::have::Have;
use crate::inflight::Request;
use crate::limits::{MAX_PEER_WANTS, MAX_RANGE_BATCHES, MAX_UPGRADE_PEERS, WANT_BATCH};
use crate::peer::Peer;
use crate::replicator::Replicator;
use crate::rng::Rng;
use crate::want::ranges::Range;

/// What to ask a peer for.
#[derive(Default)]
struct Ask {
    block: Option<u64>,
    upgrade: bool,
}

impl Replicator {
    /// Issues all requests that can be issued now.
    pub(crate) fn schedule(&mut self) {
        loop {
            let mut progress = false;
            for at in 0..self.order.len() {
                let Some(peer) = self.order.get(at) else { break };
                progress |= self.ask_next(*peer);
            }
            if !progress {
                break;
            }
        }
        self.end_upgrade_if_hopeless();
    }

    /// Issues one request to a peer, if it has room and there is something to ask it for.
    fn ask_next(&mut self, id: PeerId) -> bool {
        let peers = self.order.len();
        let Some(peer) = self.peers.get(&id) else { return false };
        let ready = peer.remote.synced
            && peer.remote.uploading
            && !peer.trust.paused
            && peer.trust.exhausted != Some(self.world)
            && peer.window.has_room(self.config.inflight, peers);
        if !ready {
            return false;
        }
        let ask = self.manifest_of(peer).or_else(|| self.next_block(peer));
        let ask = ask.or_else(|| self.next_of_ranges(id)).or_else(|| self.next_upgrade(id));
        let Some(ask) = ask else {
            self.want_unclaimed(id);
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.trust.exhausted = Some(self.world);
            }
            return false;
        };
        self.send_request(id, &ask);
        true
    }

    /// The manifest of a core that is still empty there (else it comes with the first upgrade).
    fn manifest_of(&self, peer: &Peer) -> Option<Ask> {
        let eager = !self.have.has_manifest && peer.remote.has_manifest && peer.remote.length == 0;
        (eager && self.manifest_asked.is_none()).then(Ask::default)
    }

    fn may_upgrade(&self, peer: &Peer) -> bool {
        !self.wants.upgrade.in_flight() && peer.offers_upgrade(&self.have)
    }

    /// One past the last block that this peer can prove to us, with an upgrade if that is possible now.
    fn reach(&self, peer: &Peer) -> u64 {
        let provable = peer.provable(&self.have);
        if self.may_upgrade(peer) { provable } else { provable.min(self.have.length) }
    }

    fn next_block(&self, peer: &Peer) -> Option<Ask> {
        let queued = self.wants.blocks.queued();
        if queued.is_empty() {
            return None;
        }
        let index = first_match(peer.remote.claims(), Some(queued), None, 0, self.reach(peer))?;
        Some(Ask { block: Some(index), upgrade: index >= self.have.length })
    }

    fn next_of_ranges(&mut self, id: PeerId) -> Option<Ask> {
        let peer = self.peers.get(&id).filter(|peer| !peer.told.is_syncing())?;
        if self.wants.ranges.is_empty() {
            return None;
        }
        let reach = self.reach(peer);
        let (claims, have, rng) = (peer.remote.claims(), &self.have, &mut self.rng);
        let index = self.wants.ranges.next_turn(|range| next_of_range(range, claims, reach, have, rng))?;
        Some(Ask { block: Some(index), upgrade: index >= self.have.length })
    }

    /// A longer length; with it the last block, if somebody follows the log as it grows.
    fn next_upgrade(&self, id: PeerId) -> Option<Ask> {
        let peer = self.peers.get(&id)?;
        if !self.wants.upgrade.is_idle() || !self.may_upgrade(peer) {
            return None;
        }
        let last = peer.remote.length.checked_sub(1).filter(|last| {
            self.wants.ranges.any_open() && peer.remote.claims().get(*last) && !self.have.skip.get(*last)
        });
        Some(Ask { block: last, upgrade: true })
    }

    fn send_request(&mut self, id: PeerId, ask: &Ask) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let auto = self.wants.upgrade.is_idle() && peer.offers_upgrade(&self.have);
        let upgrade = (ask.upgrade || (auto && ask.block.is_some())) && !self.wants.upgrade.in_flight();
        let manifest = !self.have.has_manifest && peer.remote.has_manifest;
        let start = self.have.length;
        let length = peer.remote.length.saturating_sub(start);
        let fork = peer.remote.fork;
        let request = self.inflight.add(Request {
            peer: id,
            fork,
            block: ask.block,
            upgrade,
            sent: self.now,
            losses: self.losses,
            tick: peer.retired.tick(),
            applying: None,
        });
        peer.window.sent();
        if let Some(index) = ask.block {
            self.have.mark(index);
            self.wants.blocks.mark(index);
        }
        if upgrade {
            self.wants.upgrade.begin(&self.have);
            self.wants.upgrade.sent();
        }
        if ask.block.is_none() && !upgrade {
            self.manifest_asked = Some(request);
        }
        let request = wire::Request {
            id: request,
            fork,
            block: ask.block.map(|index| BlockRequest { index, nodes: 0 }),
            hash: None,
            seek: None,
            upgrade: upgrade.then_some(UpgradeRequest { start, length }),
            manifest,
            priority: 0,
        };
        self.out.push(Output::Request { peer: id, request });
    }

    /// Asks a peer about the parts in which something is wanted that it did not claim.
    fn want_unclaimed(&mut self, id: PeerId) {
        for batch in self.unclaimed(id) {
            if !self.send_want(id, batch) {
                // what cannot give way for this batch cannot for the others
                break;
            }
        }
    }

    /// The first blocks of batches to ask a peer about: at most as many as it may be asked about at all.
    fn unclaimed(&self, id: PeerId) -> BTreeSet<u64> {
        let mut batches = BTreeSet::new();
        let Some(peer) = self.peers.get(&id).filter(|peer| !peer.ours.is_stuck(self.world)) else {
            return batches;
        };
        let queued = self.wants.blocks.queued();
        let mut at = 0;
        while batches.len() < MAX_PEER_WANTS
            && let Some(index) = first_match(queued, None, Some(peer.remote.claims()), at, u64::MAX)
        {
            let batch = index / WANT_BATCH;
            if !peer.ours.has(index) {
                batches.insert(batch * WANT_BATCH);
            }
            at = (batch + 1) * WANT_BATCH;
        }
        if peer.remote.fork == self.have.fork {
            for range in self.wants.ranges.iter() {
                if batches.len() >= MAX_PEER_WANTS {
                    break;
                }
                self.unclaimed_of_range(peer, range, &mut batches);
            }
        }
        batches
    }

    fn unclaimed_of_range(&self, peer: &Peer, range: &Range, batches: &mut BTreeSet<u64>) {
        let end = range.end.unwrap_or(u64::MAX).min(peer.remote.length);
        let mut at = range.start;
        for _ in 0..MAX_RANGE_BATCHES {
            if at >= end {
                break;
            }
            let batch = at / WANT_BATCH * WANT_BATCH;
            let stop = (batch + WANT_BATCH).min(end);
            let known = peer.ours.has(at) || batches.contains(&batch);
            if !known && peer.remote.claims().first_unset(at) < stop && range.needs(&self.have, at, stop) {
                batches.insert(batch);
            }
            at = stop;
        }
    }

    /// Sends a want of a batch that was not wanted; false if there is no room for it.
    fn send_want(&mut self, id: PeerId, batch: u64) -> bool {
        let (wants, have) = (&self.wants, &self.have);
        let Some(peer) = self.peers.get_mut(&id) else { return false };
        let needed = |start: u64| {
            let end = start.saturating_add(WANT_BATCH);
            wants.blocks.first_in(start, end).is_some()
                || wants.ranges.iter().any(|range| range.needs(have, start, end))
        };
        let Some(wanted) = peer.ours.add(batch, self.world, needed) else { return false };
        let message = |start| wire::Want { start, length: WANT_BATCH, any: false };
        if let Some(start) = wanted.unwant {
            self.out.send(id, wire::Message::Unwant(message(start)));
        }
        self.out.send(id, wire::Message::Want(message(wanted.start)));
        true
    }

    /// Ends the wait for a longer length if nobody can help and nobody is expected.
    fn end_upgrade_if_hopeless(&mut self) {
        let Some((fork, length)) = self.wants.upgrade.waited_from() else { return };
        let activity = &self.activity;
        let expecting = activity.connecting > 0 && self.order.len() < MAX_UPGRADE_PEERS;
        let searching = !activity.had_peers && activity.finding > 0;
        if expecting || searching || self.wants.upgrade.in_flight() {
            return;
        }
        for peer in self.order.iter().take(MAX_UPGRADE_PEERS).filter_map(|id| self.peers.get(id)) {
            if peer.trust.paused || !peer.remote.uploading {
                continue;
            }
            let remote = &peer.remote;
            if !remote.synced {
                return;
            }
            if remote.length <= length
                || remote.fork != fork
                || peer.trust.denied_length == Some(remote.length)
            {
                continue;
            }
            if peer.told.is_syncing() || remote.acked != self.have.length || remote.can_upgrade {
                return;
            }
        }
        for want in self.wants.upgrade.take() {
            self.wants.places.remove(&want);
            self.out.resolve(want, Outcome::Update(false));
        }
    }
}

/// A block of the range that is missing, not in flight, claimed, and below `reach`.
fn next_of_range(range: &mut Range, claims: &Bits, reach: u64, have: &Have, rng: &mut Rng) -> Option<u64> {
    range.advance_open(have);
    let skip = Some(&have.skip);
    let end = range.end.unwrap_or(u64::MAX);
    if let Some(list) = &range.list {
        return first_match(claims, Some(list), skip, range.start, end.min(reach));
    }
    let (start, end) = (range.start, end.min(reach).min(have.length));
    let middle = if range.linear || start >= end { start } else { start + rng.below(end - start) };
    first_match(claims, None, skip, middle, end).or_else(|| first_match(claims, None, skip, start, middle))
}
