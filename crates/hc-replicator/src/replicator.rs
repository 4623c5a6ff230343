//! The replicator: its parts, and which input goes to which of them.

use std::collections::BTreeMap;

use crate::activity::Activity;
use crate::config::Config;
use crate::event::{Event, Input, Local, LocalState, Outcome, Output, PeerId, Time, Want, WantId};
use crate::have::Have;
use crate::inflight::Inflight;
use crate::limits::{MAX_INDEX, MAX_WANTS};
use crate::outbox::Outbox;
use crate::peer::Peer;
use crate::peer::announce::Us;
use crate::rng::Rng;
use crate::violation::Violation;
use crate::want::ranges::Range;
use crate::want::{Place, Wants};

/// The replication state machine of one core. See the [crate documentation](crate) for how to drive it.
#[derive(Debug)]
pub struct Replicator {
    pub(crate) config: Config,
    pub(crate) now: Time,
    pub(crate) rng: Rng,
    pub(crate) have: Have,
    pub(crate) peers: BTreeMap<PeerId, Peer>,
    /// The peers in order of arrival.
    pub(crate) order: Vec<PeerId>,
    pub(crate) wants: Wants,
    pub(crate) inflight: Inflight,
    pub(crate) activity: Activity,
    /// The request that asks for nothing but the manifest.
    pub(crate) manifest_asked: Option<u64>,
    /// The highest length below which a peer of our fork has everything.
    pub(crate) remote_contiguous: u64,
    pub(crate) told_contiguous: u64,
    /// Counts the changes that may give peers something to be asked for.
    pub(crate) world: u64,
    /// Counts the changes that took something away here on which answers may build that are under way.
    pub(crate) losses: u64,
    /// Whether to schedule before the next poll ends.
    dirty: bool,
    pub(crate) out: Outbox,
}

impl Replicator {
    /// A replicator of a core in this state, which has the blocks of these `start..end` ranges.
    #[must_use]
    pub fn new(config: Config, local: LocalState, ranges: impl IntoIterator<Item = (u64, u64)>) -> Self {
        Self {
            now: Time(0),
            rng: Rng::new(config.seed),
            have: Have::new(local, ranges),
            peers: BTreeMap::new(),
            order: Vec::new(),
            wants: Wants::default(),
            inflight: Inflight::default(),
            activity: Activity::default(),
            manifest_asked: None,
            remote_contiguous: 0,
            told_contiguous: 0,
            world: 0,
            losses: 0,
            dirty: false,
            out: Outbox::default(),
            config,
        }
    }

    /// Takes one input. Never panics, whatever a peer sent. Feed all that is at hand, then poll.
    pub fn handle(&mut self, now: Time, input: Input) {
        self.now = self.now.max(now);
        self.dirty = true;
        match input {
            Input::PeerAdded { peer } => self.add_peer(peer),
            Input::PeerRemoved { peer } => self.remove_peer(peer),
            Input::PeerWritable { peer, writable } => self.set_writable(peer, writable),
            Input::PeerRtt { peer, millis } => {
                if let Some(peer) = self.peers.get_mut(&peer) {
                    peer.window.tell_rtt(millis);
                }
            }
            Input::Message { peer, message } => {
                if let Err(violation) = self.message(peer, message) {
                    self.close(peer, violation);
                }
            }
            Input::Local(local) => self.local(local),
            Input::Applied { ticket, length } => self.applied(ticket, length),
            Input::ApplyFailed { ticket, failure } => self.apply_failed(ticket, failure),
            Input::Served { peer, request, answer } => self.served(peer, request, answer),
            Input::Probed { peer, fork, length, upgradable } => {
                self.with_peer(peer, |peer, us, out| peer.probed((fork, length, upgradable), us, out));
            }
            Input::Want { id, want } => self.want(id, want),
            Input::CancelWant { id } => self.cancel_want(id),
            Input::FindingPeers { count } => self.activity.finding = count,
            Input::Connecting { count } => self.activity.connecting = count,
            Input::Active { active } => self.activity.set(active, self.now, self.config.linger),
            Input::SendExtension { peer, name, message } => self.send_extension(peer, name, message),
            Input::Tick => self.tick(),
        }
        self.tell_downloading();
    }

    /// Whether something is waited for. Not if it was there when the wait began.
    #[must_use]
    pub fn is_waiting(&self, id: WantId) -> bool {
        self.wants.places.contains_key(&id)
    }

    /// The next thing to do, until there is nothing more to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.out.len() == 0 && std::mem::take(&mut self.dirty) {
            self.schedule();
            self.tell_downloading();
        }
        self.out.pop()
    }

    /// When to call `handle` with [`Input::Tick`] if nothing else happens before. May change after every input.
    #[must_use]
    pub fn next_wake(&self) -> Option<Time> {
        let of_peers = self.peers.values().flat_map(|peer| [peer.serving.wake(), peer.theirs.wake()]);
        of_peers.chain([self.activity.wake()]).flatten().min()
    }

    pub(crate) fn downloading(&self) -> bool {
        self.activity.downloading || self.inflight.active() > 0
    }

    /// Something changed that may give any peer something to be asked for.
    pub(crate) const fn changed(&mut self) {
        self.world += 1;
    }

    pub(crate) fn with_peer(&mut self, id: PeerId, act: impl FnOnce(&mut Peer, Us<'_>, &mut Outbox)) {
        let us =
            Us { have: &self.have, downloading: self.activity.downloading || self.inflight.active() > 0 };
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.trust.exhausted = None;
            act(peer, us, &mut self.out);
        }
    }

    pub(crate) fn each_peer(&mut self, mut act: impl FnMut(&mut Peer, Us<'_>, &mut Outbox)) {
        let us =
            Us { have: &self.have, downloading: self.activity.downloading || self.inflight.active() > 0 };
        for id in &self.order {
            if let Some(peer) = self.peers.get_mut(id) {
                act(peer, us, &mut self.out);
            }
        }
    }

    fn add_peer(&mut self, id: PeerId) {
        if self.peers.contains_key(&id) {
            return;
        }
        self.activity.had_peers = true;
        self.peers.insert(id, Peer::new(id, self.now));
        self.order.push(id);
        self.with_peer(id, |peer, us, out| peer.greet(us, out));
    }

    pub(crate) fn remove_peer(&mut self, id: PeerId) {
        let Some(mut peer) = self.peers.remove(&id) else { return };
        self.order.retain(|other| *other != id);
        for request in self.inflight.find(|request| request.peer == id) {
            self.drop_request(request);
            self.inflight.reuse(request);
        }
        while let Some(request) = peer.retired.flush(u64::MAX) {
            self.inflight.reuse(request);
        }
        self.changed();
    }

    pub(crate) fn close(&mut self, peer: PeerId, violation: Violation) {
        if self.peers.contains_key(&peer) {
            self.out.push(Output::Close { peer, violation });
            self.remove_peer(peer);
        }
    }

    pub(crate) fn pause(&mut self, peer: PeerId) {
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.trust.paused = true;
            self.out.event(Event::PeerPaused { peer: peer.id });
        }
    }

    fn set_writable(&mut self, id: PeerId, writable: bool) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.serving.writable = writable;
            self.serve(id);
        }
    }

    fn tick(&mut self) {
        self.activity.tick(self.now);
        let (have, now) = (&self.have, self.now);
        for peer in self.peers.values_mut() {
            peer.answer_postponed(have, now, &mut self.out);
        }
        for at in 0..self.order.len() {
            if let Some(id) = self.order.get(at).copied() {
                self.answer_late(id);
            }
        }
    }

    /// Tells everybody when downloading begins or ends, and lets go of those that do not download either.
    fn tell_downloading(&mut self) {
        let downloading = self.downloading();
        if self.activity.told == downloading {
            return;
        }
        self.activity.told = downloading;
        self.each_peer(|peer, us, out| {
            peer.signal(us, out);
            if !us.downloading && peer.remote.synced && !peer.remote.downloading {
                out.push(Output::Idle { peer: peer.id });
            }
        });
    }

    fn local(&mut self, local: Local) {
        match local {
            Local::Appended { length } => self.appended(length),
            Local::Stored { start, end } => self.stored(start, end.min(self.have.length)),
            Local::Cleared { start, end } => self.cleared(start, end.min(self.have.length)),
            Local::Truncated { fork, length } => self.truncated(fork, length),
            Local::Upgraded { length } if length > self.have.length => {
                self.have.length = length;
                self.length_changed();
            }
            Local::Upgraded { .. } => {}
            Local::Manifest => {
                self.have.has_manifest = true;
                // who has none of an empty log may ask for it now
                self.each_peer(Peer::signal);
            }
        }
        self.changed();
    }

    fn appended(&mut self, length: u64) {
        let start = self.have.length;
        if length <= start {
            return;
        }
        self.have.length = length;
        self.have.store_range(start, length);
        self.length_changed();
        self.tell_stored(start, length);
    }

    fn stored(&mut self, start: u64, end: u64) {
        if start < end {
            self.have.store_range(start, end);
            self.tell_stored(start, end);
        }
    }

    fn tell_stored(&mut self, start: u64, end: u64) {
        self.each_peer(|peer, us, out| peer.announce(us.have, start, end - start, false, out));
        self.cancel_blocks(start, end);
        while let Some(index) = self.wants.blocks.first_in(start, end) {
            self.resolve_block(index, None);
        }
        for want in self.wants.ranges.recheck(&self.have, false) {
            self.resolve_range(want);
        }
    }

    /// Our length (or fork) is another one.
    pub(crate) fn length_changed(&mut self) {
        self.each_peer(Peer::signal);
        for want in self.wants.upgrade.take_changed(&self.have) {
            self.wants.places.remove(&want);
            self.out.resolve(want, Outcome::Update(true));
        }
        self.tell_remote_contiguous();
        self.changed();
    }

    fn cleared(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        self.losses += 1;
        self.drop_blocks(start, end);
        self.each_peer(|peer, us, out| peer.announce(us.have, start, end - start, true, out));
        for want in self.wants.ranges.recheck(&self.have, true) {
            self.resolve_range(want);
        }
    }

    /// The blocks are gone, but those in flight stay in flight.
    fn drop_blocks(&mut self, start: u64, end: u64) {
        self.have.drop_range(start, end);
        for index in self.inflight.blocks() {
            self.have.mark(index);
        }
    }

    fn truncated(&mut self, fork: u64, length: u64) {
        for request in self.inflight.find(|_| true) {
            self.cancel_request(request);
        }
        self.losses += 1;
        let before = self.have.length;
        self.have.fork = fork;
        self.have.length = length;
        self.drop_blocks(length, MAX_INDEX);
        self.remote_contiguous = self.remote_contiguous.min(length);
        self.each_peer(|peer, us, out| {
            peer.told.truncated(length);
            if before > length {
                peer.announce(us.have, length, before - length, true, out);
            }
        });
        self.length_changed();
        for want in self.wants.ranges.recheck(&self.have, true) {
            self.resolve_range(want);
        }
    }

    fn want(&mut self, id: WantId, want: Want) {
        if self.wants.places.contains_key(&id) {
            return;
        }
        if self.wants.places.len() >= MAX_WANTS {
            self.out.resolve(id, Outcome::Refused);
            return;
        }
        self.changed();
        match want {
            Want::Block { index } if self.have.stored.get(index) => {
                self.out.resolve(id, Outcome::Block { index, value: None });
            }
            Want::Block { index } => {
                self.wants.places.insert(id, Place::Block(index));
                self.wants.blocks.add(index, id, &self.have);
            }
            Want::Range { start, end, linear } => self.want_range(id, Range::new(start, end, linear)),
            Want::Blocks { indices } => self.want_range(id, Range::of_list(&indices)),
            Want::Update => {
                self.wants.places.insert(id, Place::Update);
                self.wants.upgrade.add(id, &self.have);
            }
        }
    }

    fn want_range(&mut self, id: WantId, range: Range) {
        if self.wants.ranges.add(id, range, &self.have) {
            self.wants.places.insert(id, Place::Range);
        } else {
            self.out.resolve(id, Outcome::Range);
        }
    }

    fn cancel_want(&mut self, id: WantId) {
        match self.wants.places.remove(&id) {
            Some(Place::Block(index)) => {
                let unwanted = self.wants.blocks.cancel(index, id);
                if unwanted && !self.wants.ranges.iter().any(|range| range.covers(index)) {
                    self.cancel_blocks(index, index + 1);
                }
            }
            Some(Place::Range) => self.wants.ranges.remove(id),
            Some(Place::Update) => self.wants.upgrade.cancel(id, self.config.eager_upgrade),
            None => {}
        }
    }

    pub(crate) fn resolve_block(&mut self, index: u64, value: Option<&bytes::Bytes>) {
        for want in self.wants.blocks.take(index) {
            self.wants.places.remove(&want);
            self.out.resolve(want, Outcome::Block { index, value: value.cloned() });
        }
    }

    pub(crate) fn resolve_range(&mut self, want: WantId) {
        self.wants.places.remove(&want);
        self.out.resolve(want, Outcome::Range);
    }
}
