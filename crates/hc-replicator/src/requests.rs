//! Both ends of a request: ours, until the answer is stored; theirs, until it is answered.
//!
//! Follows npm hypercore 11.37.1, lib/replicator.js (ondata, onnodata, _cancelRequest, onrequest, _fulfillRequest).

use crate::wire::{self, Message};
use hc_tree::ProofRequest;

use crate::event::{ApplyFailure, Event, Output, PeerId, Served, Ticket};
use crate::inflight::{Applying, Request};
use crate::limits::{MAX_INVALID_REQUESTS, MAX_REMOTE_REQUESTS_HARD};
use crate::replicator::Replicator;
use crate::violation::Violation;

/// Why there is no data in an answer: not here.
const NOT_AVAILABLE: u64 = 1;
/// Why there is no data in an answer: the request makes no sense.
const INVALID_REQUEST: u64 = 2;

impl Replicator {
    /// An answer. One to a request that was cancelled, or never sent, is ignored.
    pub(crate) fn data(&mut self, id: PeerId, data: wire::Data) -> Result<(), Violation> {
        let Some(request) = self.inflight.unanswered(data.request, id) else { return Ok(()) };
        let nothing = data.block.is_none() && data.upgrade.is_none();
        let refused = nothing && (request.block.is_some() || request.upgrade);
        if data.fork != request.fork || (refused && data.manifest.is_none()) {
            self.no_data(id, data.request, 0);
            return Ok(());
        }
        let block_fits = data.block.as_ref().map(|block| block.index) == request.block;
        let parts_fit = block_fits && data.upgrade.is_some() == request.upgrade;
        if (!parts_fit && !refused) || data.hash.is_some() || data.seek.is_some() {
            return Err(Violation::UnmatchedData { request: data.request });
        }
        let elapsed = self.now.since(request.sent);
        let bytes = data.block.as_ref().map_or(0, |block| block.value.len() as u64);
        let waited_for = request.block.is_some_and(|index| self.wants.blocks.is_waited_for(index));
        let value = data.block.as_ref().filter(|_| waited_for).map(|block| block.value.clone());
        let tick = request.tick;
        request.applying =
            Some(Applying { bytes, elapsed, manifest: data.manifest.is_some(), value, refused });
        let ticket = self.inflight.ticket(data.request);
        self.round_trip(id, tick, elapsed);
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.window.applying(bytes);
        }
        self.out.push(Output::Apply { peer: id, ticket, data });
        Ok(())
    }

    fn round_trip(&mut self, id: PeerId, tick: u64, elapsed: u64) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.window.answered(Some(elapsed));
        while let Some(request) = peer.retired.flush(tick) {
            self.inflight.reuse(request);
        }
    }

    /// An answer without data.
    pub(crate) fn no_data(&mut self, id: PeerId, request: u64, reason: u64) {
        let Some(found) = self.inflight.unanswered(request, id) else { return };
        let (tick, elapsed) = (found.tick, self.now.since(found.sent));
        self.round_trip(id, tick, elapsed);
        if let Some(gone) = self.inflight.remove(request) {
            self.inflight.reuse(request);
            self.release(request, &gone);
            self.deny(id, &gone);
        }
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if peer.trust.count_no_data(reason) {
            self.out.event(Event::PeerPaused { peer: id });
        }
    }

    /// They do not have what they were asked for, whatever they claimed.
    fn deny(&mut self, id: PeerId, request: &Request) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if let Some(index) = request.block {
            peer.remote.deny(index);
        } else if request.upgrade {
            peer.trust.denied_length = Some(peer.remote.length);
        } else {
            peer.remote.has_manifest = false;
        }
    }

    /// What this request was for can be asked for again.
    fn release(&mut self, id: u64, request: &Request) {
        if let Some(index) = request.block {
            self.have.release(index);
            self.wants.blocks.release(index, &self.have);
        }
        if request.upgrade {
            self.wants.upgrade.done();
        }
        if self.manifest_asked == Some(id) {
            self.manifest_asked = None;
        }
        self.changed();
    }

    /// Forgets a request without telling the peer; its id stays taken.
    pub(crate) fn drop_request(&mut self, id: u64) {
        if let Some(request) = self.inflight.remove(id) {
            self.release(id, &request);
        }
    }

    /// Cancels an unanswered request.
    pub(crate) fn cancel_request(&mut self, id: u64) {
        let Some(request) = self.inflight.remove(id) else { return };
        self.release(id, &request);
        if let Some(peer) = self.peers.get_mut(&request.peer) {
            peer.window.answered(None);
            peer.retired.add(id);
            self.out.send(request.peer, Message::Cancel(wire::Cancel { request: id }));
        } else {
            self.inflight.reuse(id);
        }
    }

    /// Cancels the unanswered requests for blocks of `start..end`.
    pub(crate) fn cancel_blocks(&mut self, start: u64, end: u64) {
        let found: Vec<u64> = self.inflight.unanswered_blocks(start, end).collect();
        for id in found {
            self.cancel_request(id);
        }
    }

    /// A proof is stored. First our own state changes, then peers and waiters hear of it.
    pub(crate) fn applied(&mut self, ticket: Ticket, length: u64) {
        let Some((id, request)) = self.inflight.applied(ticket) else { return };
        let Some(applying) = &request.applying else { return };
        if let Some(peer) = self.peers.get_mut(&request.peer) {
            peer.window.applied(applying.bytes);
            peer.trust.kept_word();
        }
        self.have.has_manifest |= applying.manifest;
        let current = request.fork == self.have.fork;
        let longer = length > self.have.length && current;
        if longer {
            self.have.length = length;
        }
        let useful = current && !applying.refused;
        let stored = request.block.filter(|index| useful && *index < self.have.length);
        if let Some(index) = stored {
            self.have.store(index);
        }
        if stored.is_none() || request.upgrade {
            self.release(id, &request);
        }
        if applying.refused {
            self.deny(request.peer, &request);
        }
        if longer {
            self.length_changed();
        }
        if let Some(index) = stored {
            self.tell_downloaded(index, request.peer, applying);
        }
    }

    fn tell_downloaded(&mut self, index: u64, from: PeerId, applying: &Applying) {
        self.resolve_block(index, applying.value.as_ref());
        for want in self.wants.ranges.stored(index, &self.have) {
            self.resolve_range(want);
        }
        self.each_peer(|peer, us, out| peer.announce(us.have, index, 1, false, out));
        let (bytes, elapsed) = (applying.bytes, applying.elapsed);
        self.out.event(Event::Download { index, bytes, peer: from, elapsed });
    }

    pub(crate) fn apply_failed(&mut self, ticket: Ticket, failure: ApplyFailure) {
        let Some((id, request)) = self.inflight.applied(ticket) else { return };
        self.release(id, &request);
        let from = request.peer;
        let bytes = request.applying.as_ref().map_or(0, |applying| applying.bytes);
        let Some(peer) = self.peers.get_mut(&from) else { return };
        peer.window.applied(bytes);
        match failure {
            ApplyFailure::Stale => {
                // not the peer's fault where we took away what it builds on
                if request.losses == self.losses && peer.trust.count_stale() {
                    self.out.event(Event::PeerPaused { peer: from });
                }
            }
            ApplyFailure::Invalid => self.close(from, Violation::InvalidProof),
            ApplyFailure::Storage => self.pause(from),
        }
    }

    /// A request of a peer.
    pub(crate) fn request(&mut self, id: PeerId, request: wire::Request) -> Result<(), Violation> {
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        if !peer.serving.add(request) {
            return Err(Violation::TooManyRequests { limit: MAX_REMOTE_REQUESTS_HARD });
        }
        self.serve(id);
        if let Some(peer) = self.peers.get(&id)
            && peer.serving.invalid >= MAX_INVALID_REQUESTS
        {
            return Err(Violation::TooManyInvalidRequests { count: peer.serving.invalid });
        }
        Ok(())
    }

    /// Hands waiting requests to the driver, or answers those that need no proof.
    pub(crate) fn serve(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        while let Some((task, request)) = peer.serving.next() {
            let known = request.block.as_ref().is_none_or(|block| self.have.stored.get(block.index));
            let current = request.fork == self.have.fork;
            let manifest = request.manifest && self.have.has_manifest;
            let upgrade = request.upgrade.as_ref();
            let beyond = upgrade
                .is_some_and(|up| up.start.checked_add(up.length).is_none_or(|end| end > self.have.length));
            let asks = request.block.is_some()
                || request.hash.is_some()
                || request.seek.is_some()
                || upgrade.is_some();
            if peer.trust.paused && request.block.is_some() {
                peer.serving.answer(task);
            } else if current && known && (beyond || (!asks && !request.manifest)) {
                reject(peer, self.now, task, &mut self.out);
            } else if (current && known && asks) || manifest {
                let available = current && known;
                peer.serving.started();
                let wire::Request { block, hash, seek, upgrade, .. } = request;
                let proof = if available {
                    ProofRequest { block, hash, seek, upgrade }
                } else {
                    ProofRequest::default()
                };
                self.out.push(Output::Serve { peer: id, request: task, proof, manifest });
            } else if let Some((request, _)) = peer.serving.answer(task) {
                self.out.send(id, Message::NoData(wire::NoData { request, reason: NOT_AVAILABLE }));
            }
        }
        if let Some(enabled) = peer.serving.reading() {
            self.out.push(Output::Reading { peer: id, enabled });
        }
    }

    /// The driver's answer to a request.
    pub(crate) fn served(&mut self, id: PeerId, task: u64, answer: Served) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        match answer {
            Served::Invalid => {
                peer.serving.handed_back();
                reject(peer, self.now, task, &mut self.out);
                if peer.serving.invalid >= MAX_INVALID_REQUESTS {
                    let count = peer.serving.invalid;
                    self.close(id, Violation::TooManyInvalidRequests { count });
                    return;
                }
            }
            Served::NotAvailable => {
                if let Some((request, _)) = peer.serving.finished(task) {
                    self.out.send(id, Message::NoData(wire::NoData { request, reason: NOT_AVAILABLE }));
                }
            }
            Served::Data(mut data) => {
                if let Some((request, fork)) = peer.serving.finished(task) {
                    let proof = (&data.block, &data.hash, &data.seek, &data.upgrade);
                    if data.fork != fork && !matches!(proof, (None, None, None, None)) {
                        // truncated since it was asked: nothing here proves anything of that fork any more
                        self.out.send(id, Message::NoData(wire::NoData { request, reason: NOT_AVAILABLE }));
                        return self.serve(id);
                    }
                    data.request = request;
                    data.fork = fork;
                    if let Some(block) = &data.block {
                        let (index, bytes) = (block.index, block.value.len() as u64);
                        self.out.event(Event::Upload { index, bytes, peer: id });
                    }
                    self.out.send(id, Message::Data(data));
                }
            }
        }
        self.serve(id);
    }

    /// Answers the invalid requests whose time has come.
    pub(crate) fn answer_late(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        while let Some(request) = peer.serving.due(self.now) {
            self.out.send(id, Message::NoData(wire::NoData { request, reason: INVALID_REQUEST }));
        }
        if let Some(enabled) = peer.serving.reading() {
            self.out.push(Output::Reading { peer: id, enabled });
        }
    }
}

fn reject(peer: &mut crate::peer::Peer, now: crate::event::Time, task: u64, out: &mut crate::outbox::Outbox) {
    peer.serving.reject(now, task);
    out.event(Event::InvalidRequest { peer: peer.id, count: peer.serving.invalid });
}
