//! A core and its peers: the [`Replicator`], who waits for what, and over which connections its messages go.
//!
//! Any task may feed an input ([`Core::input`]). Outputs are carried out by one task at a time, the *pump*: whoever
//! comes while another task pumps leaves its outputs to that one. So the messages to each peer keep their order, and
//! nobody waits for a lock while a batch is written.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hc_crypto::PublicKey;
use hc_protocol::wire::{Message, NoData};
use hc_replicator::{Config, Input, LocalState, Outcome, Output, PeerId, Replicator, Time, Want, WantId};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Core;
use super::apply::Arrival;
use super::writer::{Turn, check_none_held};
use crate::events::Event;
use crate::replication::{Link, ServeJob};
use crate::{Error, Result};

/// How many outputs are taken from the replicator at once.
const PUMP_BATCH: usize = 1024;
/// The first and the longest pause before blocks are asked for again that were cleared and that the replicator took to be here:
/// it hears of changes after they are made.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
/// Why a peer gives no data: it does not have it.
const NOT_AVAILABLE: u64 = 1;

/// A connection on which a core is open at both ends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// Our key on this connection.
    pub public_key: PublicKey,
    /// The peer's key on this connection.
    pub remote_public_key: PublicKey,
    /// Blocks that the peer said its log has.
    pub remote_length: u64,
    /// The fork that the peer said it is on.
    pub remote_fork: u64,
}

/// What somebody waits for.
#[derive(Debug, Clone)]
pub(crate) enum WantKind {
    Block(u64),
    Range { start: u64, end: Option<u64>, linear: bool },
    Blocks(Vec<u64>),
    Upgrade,
}

pub(crate) struct Hub {
    started: Instant,
    machine: Mutex<Replicator>,
    links: Mutex<BTreeMap<PeerId, (Link, Peer)>>,
    wants: Mutex<HashMap<WantId, oneshot::Sender<Outcome>>>,
    pumping: Turn,
    next_id: AtomicU64,
    finding_peers: AtomicU32,
    /// Connections on which this core's channel is opened here, but not yet by the peer.
    connecting: AtomicU32,
    /// The earliest moment at which a timer task will feed a tick, in milliseconds; `u64::MAX` if there is none.
    alarm: AtomicU64,
}

impl Hub {
    pub(super) fn new(config: Config, local: LocalState, have: &[(u64, u64)]) -> Self {
        Self {
            started: Instant::now(),
            machine: Mutex::new(Replicator::new(config, local, have.iter().copied())),
            links: Mutex::default(),
            wants: Mutex::default(),
            pumping: Turn::default(),
            next_id: AtomicU64::new(1),
            finding_peers: AtomicU32::new(0),
            connecting: AtomicU32::new(0),
            alarm: AtomicU64::new(u64::MAX),
        }
    }

    fn now(&self) -> Time {
        Time(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn fresh_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Feeds the replicator. Never by a thread that holds a writer: what it learns of the log comes as an
    /// [`Effect`](super::effects::Effect) of the change.
    fn handle(&self, inputs: impl IntoIterator<Item = Input>) {
        check_none_held("the replicator was to be fed");
        let now = self.now();
        let mut machine = self.machine.lock();
        for input in inputs {
            machine.handle(now, input);
        }
    }

    /// Feeds the replicator an input that is made while nobody else can feed it: so counts reach it in the order in which they
    /// were counted.
    fn handle_in_order(&self, input: impl FnOnce() -> Input) {
        check_none_held("the replicator was to be fed");
        let now = self.now();
        let mut machine = self.machine.lock();
        let input = input();
        machine.handle(now, input);
    }

    /// Begins a wait. Whether the replicator misses anything: it does not if it takes all of it to be here.
    fn begin(&self, id: WantId, want: Want) -> bool {
        check_none_held("the replicator was to be fed");
        let now = self.now();
        let mut machine = self.machine.lock();
        machine.handle(now, Input::Want { id, want });
        machine.is_waiting(id)
    }

    fn outputs(&self) -> Vec<Output> {
        let mut machine = self.machine.lock();
        std::iter::from_fn(|| machine.poll_output()).take(PUMP_BATCH).collect()
    }

    fn link(&self, peer: PeerId) -> Option<Link> {
        self.links.lock().get(&peer).map(|(link, _)| link.clone())
    }
}

/// Counts one more or one less; the new count.
fn step(counter: &AtomicU32, more: bool) -> u32 {
    if more {
        counter.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    } else {
        counter.fetch_sub(1, Ordering::Relaxed).saturating_sub(1)
    }
}

/// A channel that was opened here and not yet by the peer. The core counts it until this is dropped.
pub(crate) struct Connecting(Core);

impl Drop for Connecting {
    fn drop(&mut self) {
        self.0.count(|hub| Input::Connecting { count: step(&hub.connecting, false) });
    }
}

/// Somebody's wait for blocks or for a longer log. Dropping it gives the wait up.
pub(crate) struct Waiting {
    core: Core,
    id: WantId,
    /// Whether the replicator takes blocks to be here that are not: it has yet to hear that they were cleared.
    missed: bool,
    outcome: oneshot::Receiver<Outcome>,
}

impl Waiting {
    pub(crate) async fn outcome(mut self) -> Result<Outcome> {
        let cancelled = || Error::RequestCancelled { discovery_key: *self.core.discovery_key() };
        match (&mut self.outcome).await.map_err(|_| cancelled())? {
            Outcome::Refused => Err(Error::BadArgument("too many requests are waiting for peers".into())),
            outcome => Ok(outcome),
        }
    }
}

impl Waiting {
    /// Gives the wait up: its outcome is then [`Error::RequestCancelled`].
    pub(crate) fn canceller(&self) -> impl FnOnce() + Send + use<> {
        let (core, id) = (self.core.clone(), self.id);
        move || core.give_up(id)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.core.give_up(self.id);
    }
}

impl Core {
    /// Starts to wait for something.
    pub(crate) fn want(&self, kind: WantKind) -> Waiting {
        let hub = &self.0.hub;
        let id = WantId(hub.fresh_id());
        let (resolve, outcome) = oneshot::channel();
        let mut missed = false;
        if !self.is_closed() {
            hub.wants.lock().insert(id, resolve);
            let is_here = self.is_here(&kind);
            let want = match kind {
                WantKind::Block(index) => Want::Block { index },
                WantKind::Range { start, end, linear } => Want::Range { start, end, linear },
                WantKind::Blocks(indices) => Want::Blocks { indices },
                WantKind::Upgrade => Want::Update,
            };
            missed = !hub.begin(id, want) && !is_here;
            self.pump();
            if self.is_closed() {
                // it may have closed before this could be cancelled with the others
                hub.wants.lock().remove(&id);
            }
        }
        Waiting { core: self.clone(), id, missed, outcome }
    }

    /// Whether all blocks are stored that are waited for. A log that is longer, or all that is to come, never is.
    fn is_here(&self, kind: &WantKind) -> bool {
        match kind {
            WantKind::Block(index) => self.has_range(*index, index.saturating_add(1)),
            WantKind::Range { start, end: Some(end), .. } => start >= end || self.has_range(*start, *end),
            WantKind::Blocks(indices) => self.has_blocks(indices),
            WantKind::Range { end: None, .. } | WantKind::Upgrade => false,
        }
    }

    /// Waits until blocks are here.
    pub(crate) async fn fetch_all(&self, mut waiting: Waiting, kind: WantKind) -> Result<()> {
        let mut pause = FIRST_PAUSE;
        loop {
            let missed = waiting.missed;
            waiting.outcome().await?;
            if !missed {
                return Ok(());
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            waiting = self.want(kind.clone());
        }
    }

    fn give_up(&self, id: WantId) {
        let given_up = self.0.hub.wants.lock().remove(&id);
        if given_up.is_some() {
            self.input(Input::CancelWant { id });
        }
    }

    /// Waits for a block from peers, or from an append.
    pub(crate) async fn fetch_block(&self, index: u64) -> Result<Bytes> {
        let mut pause = FIRST_PAUSE;
        loop {
            if let Outcome::Block { value: Some(block), .. } =
                self.want(WantKind::Block(index)).outcome().await?
            {
                return Ok(block);
            }
            if let Some(block) = self.read_block(index)? {
                return Ok(block);
            }
            if self.is_lost(index)? {
                return Err(Error::BlockNotAvailable { index, discovery_key: *self.discovery_key() });
            }
            // it was cleared, and the replicator has yet to hear of it
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Whether a block is noted as stored, and is not there: no peer is asked for it. Looked at twice, since it may be cleared
    /// and fetched again meanwhile.
    fn is_lost(&self, index: u64) -> Result<bool> {
        let noted = || self.has_range(index, index.saturating_add(1));
        Ok(noted() && self.read_block(index)?.is_none() && noted())
    }

    /// Waits until peers said whether there is a longer log, and takes it over.
    pub(crate) async fn fetch_upgrade(&self) -> Result<bool> {
        let outcome = self.want(WantKind::Upgrade).outcome().await?;
        Ok(matches!(outcome, Outcome::Update(true)))
    }

    pub(crate) fn is_finding_peers(&self) -> bool {
        self.0.hub.finding_peers.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn finding_peers(&self, more: bool) {
        self.count(|hub| Input::FindingPeers { count: step(&hub.finding_peers, more) });
    }

    /// Whether a peer has this core open, or is about to.
    pub(crate) fn has_peers(&self) -> bool {
        self.0.hub.connecting.load(Ordering::Relaxed) > 0 || !self.0.hub.links.lock().is_empty()
    }

    /// A channel is opened from this side: until the guard is dropped, a peer is expected.
    pub(crate) fn connecting(&self) -> Connecting {
        self.count(|hub| Input::Connecting { count: step(&hub.connecting, true) });
        Connecting(self.clone())
    }

    /// Whether a peer or somebody who waits still needs the core.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.has_peers() || !self.0.hub.wants.lock().is_empty()
    }

    /// What subscribers are told of a peer whose proof did not hold; `None` if the peer is gone.
    pub(super) fn refusal(&self, peer: PeerId, error: impl std::fmt::Display) -> Option<Event> {
        let peer = self.0.hub.links.lock().get(&peer).map(|(_, peer)| peer.remote_public_key)?;
        Some(Event::VerificationError { peer, reason: error.to_string() })
    }

    pub(crate) fn peers(&self) -> Vec<Peer> {
        self.0.hub.links.lock().values().map(|(_, peer)| peer.clone()).collect()
    }

    /// A channel for this core stands on a connection.
    pub(crate) fn peer_added(
        &self,
        link: Link,
        public_key: PublicKey,
        remote_public_key: PublicKey,
    ) -> PeerId {
        let id = PeerId(self.0.hub.fresh_id());
        let peer = Peer { public_key, remote_public_key, remote_length: 0, remote_fork: 0 };
        self.0.hub.links.lock().insert(id, (link, peer));
        self.emit(|| Event::PeerAdd { peer: remote_public_key });
        self.input(Input::PeerAdded { peer: id });
        id
    }

    /// The channel is gone.
    pub(crate) fn peer_removed(&self, peer: PeerId) {
        let Some((_, gone)) = self.0.hub.links.lock().remove(&peer) else { return };
        self.emit(|| Event::PeerRemove { peer: gone.remote_public_key });
        self.input(Input::PeerRemoved { peer });
    }

    /// Feeds the replicator and carries out what it answers.
    pub(crate) fn input(&self, input: Input) {
        self.inputs([input]);
    }

    /// Feeds the replicator what is counted as it is fed, and carries out what it answers.
    pub(super) fn count(&self, input: impl FnOnce(&Hub) -> Input) {
        self.0.hub.handle_in_order(|| input(&self.0.hub));
        self.pump();
    }

    /// As [`input`](Self::input), for several at once.
    pub(crate) fn inputs(&self, inputs: impl IntoIterator<Item = Input>) {
        self.0.hub.handle(inputs);
        self.pump();
    }

    /// Feeds the replicator; a [`pump`](Self::pump) must follow.
    pub(crate) fn feed(&self, input: Input) {
        self.0.hub.handle([input]);
    }

    /// As [`feed`](Self::feed), for several at once.
    pub(super) fn feed_all(&self, inputs: impl IntoIterator<Item = Input>) {
        self.0.hub.handle(inputs);
    }

    /// Fails everything that waits: the core closes.
    pub(super) fn cancel_wants(&self) {
        self.0.hub.wants.lock().clear();
    }

    /// Closes the core's channels on all connections.
    pub(super) fn drop_peers(&self) {
        let links: Vec<PeerId> = self.0.hub.links.lock().keys().copied().collect();
        for peer in links {
            if let Some(link) = self.0.hub.link(peer) {
                link.close();
            }
            self.peer_removed(peer);
        }
    }

    /// Carries out what the replicator gives, unless another thread is at it.
    pub(crate) fn pump(&self) {
        check_none_held("the replicator's outputs were to be carried out");
        self.0.hub.pumping.take(|| {
            self.drain();
            self.set_alarm();
        });
    }

    fn drain(&self) {
        loop {
            let outputs = self.0.hub.outputs();
            if outputs.is_empty() {
                return;
            }
            let mut arrivals = Vec::new();
            for output in outputs {
                self.carry_out(output, &mut arrivals);
            }
            if !arrivals.is_empty() {
                self.apply(arrivals);
            }
        }
    }

    fn carry_out(&self, output: Output, arrivals: &mut Vec<Arrival>) {
        let hub = &self.0.hub;
        match output {
            Output::Send { peer, message } => self.with_link(peer, |link| link.send(&message)),
            Output::Request { peer, mut request } => {
                if !self.ask_for_roots(&mut request) {
                    let nothing = NoData { request: request.id, reason: NOT_AVAILABLE };
                    hub.handle([Input::Message { peer, message: Message::NoData(nothing) }]);
                    return;
                }
                self.fill_missing_nodes(&mut request);
                self.with_link(peer, |link| link.send(&Message::Request(request)));
            }
            Output::Serve { peer, request, proof, manifest } => {
                let job = ServeJob { core: self.clone(), peer, request, proof, manifest };
                self.with_link(peer, |link| link.serve(job));
            }
            Output::Apply { peer, ticket, data } => arrivals.push(Arrival { peer, ticket, data }),
            Output::Probe { peer, fork, length } => {
                let upgradable = self.has_roots(fork, length);
                hub.handle([Input::Probed { peer, fork, length, upgradable }]);
            }
            Output::Resolve { want, outcome } => {
                if let Some(resolve) = hub.wants.lock().remove(&want) {
                    // who waited may be gone
                    let _ = resolve.send(outcome);
                }
            }
            Output::Close { peer, violation } => {
                self.with_link(peer, |link| link.fail(Error::Replication(violation)));
                self.peer_gone(peer);
            }
            Output::Idle { peer } => {
                self.with_link(peer, |link| link.close());
                self.peer_gone(peer);
                hub.handle([Input::PeerRemoved { peer }]);
            }
            Output::Reading { peer, enabled } => self.with_link(peer, |link| link.reading(enabled)),
            Output::Event(event) => self.tell(event),
        }
    }

    fn peer_gone(&self, peer: PeerId) {
        if let Some((_, gone)) = self.0.hub.links.lock().remove(&peer) {
            self.emit(|| Event::PeerRemove { peer: gone.remote_public_key });
        }
    }

    fn with_link(&self, peer: PeerId, act: impl FnOnce(&Link)) {
        if let Some(link) = self.0.hub.link(peer) {
            act(&link);
        }
    }

    fn tell(&self, event: hc_replicator::Event) {
        use hc_replicator::Event as From;
        let key = |peer: PeerId| self.0.hub.links.lock().get(&peer).map(|(_, peer)| peer.remote_public_key);
        match event {
            From::Download { index, bytes, peer, .. } => {
                if let Some(peer) = key(peer) {
                    self.emit(|| Event::Download { index, byte_length: bytes, peer });
                }
            }
            From::Upload { index, bytes, peer } => {
                if let Some(peer) = key(peer) {
                    self.emit(|| Event::Upload { index, byte_length: bytes, peer });
                }
            }
            From::RemoteLength { peer, fork, length } => {
                if let Some((_, peer)) = self.0.hub.links.lock().get_mut(&peer) {
                    peer.remote_length = length;
                    peer.remote_fork = fork;
                }
            }
            From::RemoteContiguousLength { fork, length } => self.remote_contiguous_length(fork, length),
            other => tracing::debug!(core = %self.discovery_key(), event = ?other, "replication"),
        }
    }

    /// Arms a timer for the replicator's next deadline, unless an earlier one is armed.
    fn set_alarm(&self) {
        let hub = &self.0.hub;
        let Some(Time(due)) = hub.machine.lock().next_wake() else { return };
        // without a runtime nothing is armed: whoever pumps next does it
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if hub.alarm.fetch_min(due, Ordering::SeqCst) <= due {
            return;
        }
        let core = Arc::downgrade(&self.0);
        let delay = Duration::from_millis(due.saturating_sub(hub.now().0).max(1));
        runtime.spawn(async move {
            tokio::time::sleep(delay).await;
            let Some(core) = core.upgrade().map(Self) else { return };
            core.0.hub.alarm.store(u64::MAX, Ordering::SeqCst);
            core.input(Input::Tick);
        });
    }
}
