//! A few replicators over fake cores, links with latency, and a virtual clock. Proofs are faked: a block is right if
//! its bytes spell its index, an upgrade if it starts at the local length.
#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use hc_replicator::wire::{self, Message};
use hc_replicator::{
    ApplyFailure, Config, Event, Input, Local, LocalState, Outcome, Output, PeerId, Replicator, Served, Time,
    Violation, Want, WantId,
};
use hc_tree::{BlockProof, UpgradeProof};

pub struct Node {
    pub rep: Replicator,
    pub blocks: BTreeSet<u64>,
    pub length: u64,
    pub fork: u64,
    pub resolved: BTreeMap<u64, Outcome>,
    pub closed: Vec<(PeerId, Violation)>,
    pub idle: Vec<PeerId>,
    pub downloads: BTreeMap<u64, u64>,
    pub events: Vec<Event>,
    /// Milliseconds to verify and store.
    pub apply_delay: u64,
    /// Blocks that it claims, but answers with no data.
    pub lies: BTreeSet<u64>,
    /// Answers every request with "invalid".
    pub rejects: bool,
    /// Blocks whose first proof is called stale.
    pub stale_once: BTreeSet<u64>,
    /// Whether it has the roots of shorter lengths.
    pub has_roots: bool,
    next_want: u64,
}

enum Step {
    Deliver { to: usize, peer: PeerId, message: Message },
    Feed { node: usize, input: Input },
}

#[derive(Default)]
pub struct World {
    pub now: u64,
    pub nodes: Vec<Node>,
    steps: BTreeMap<(u64, u64), Step>,
    seq: u64,
    /// (node, peer id at that node) to (other node, peer id there, latency)
    links: BTreeMap<(usize, PeerId), (usize, PeerId, u64)>,
    /// Messages sent, per (sender, kind).
    pub sent: BTreeMap<(usize, &'static str), u64>,
    /// Requests for blocks seen: (from, to, block).
    pub asked: Vec<(usize, usize, u64)>,
    next_peer: u64,
}

pub fn bytes_of(index: u64) -> Bytes {
    Bytes::from(index.to_le_bytes().to_vec())
}

pub const fn kind(message: &Message) -> &'static str {
    match message {
        Message::Sync(_) => "sync",
        Message::Request(_) => "request",
        Message::Cancel(_) => "cancel",
        Message::Data(_) => "data",
        Message::NoData(_) => "no_data",
        Message::Want(_) => "want",
        Message::Unwant(_) => "unwant",
        Message::Bitfield(_) => "bitfield",
        Message::Range(_) => "range",
        Message::Extension(_) => "extension",
        _ => "unknown",
    }
}

impl World {
    pub fn new() -> Self {
        Self::default()
    }

    /// A node with `length` blocks, all of them here.
    pub fn full(&mut self, length: u64) -> usize {
        self.node(length, &(0..length).collect::<Vec<_>>(), Config::default())
    }

    pub fn empty(&mut self) -> usize {
        self.full(0)
    }

    pub fn node(&mut self, length: u64, blocks: &[u64], config: Config) -> usize {
        let state = LocalState { fork: 0, length, has_manifest: length > 0 };
        let mut rep = Replicator::new(config, state, blocks.iter().map(|index| (*index, index + 1)));
        rep.handle(Time(self.now), Input::Active { active: true });
        self.nodes.push(Node {
            rep,
            blocks: blocks.iter().copied().collect(),
            length,
            fork: 0,
            resolved: BTreeMap::new(),
            closed: Vec::new(),
            idle: Vec::new(),
            downloads: BTreeMap::new(),
            events: Vec::new(),
            apply_delay: 0,
            lies: BTreeSet::new(),
            rejects: false,
            stale_once: BTreeSet::new(),
            has_roots: true,
            next_want: 1,
        });
        self.nodes.len() - 1
    }

    pub fn link(&mut self, a: usize, b: usize, latency: u64) -> (PeerId, PeerId) {
        self.next_peer += 2;
        let (at_a, at_b) = (PeerId(self.next_peer), PeerId(self.next_peer + 1));
        self.links.insert((a, at_a), (b, at_b, latency));
        self.links.insert((b, at_b), (a, at_a, latency));
        self.feed(a, Input::PeerAdded { peer: at_a });
        self.feed(b, Input::PeerAdded { peer: at_b });
        (at_a, at_b)
    }

    pub fn cut(&mut self, node: usize, peer: PeerId) {
        if let Some((other, there, _)) = self.links.remove(&(node, peer)) {
            self.links.remove(&(other, there));
            self.feed(node, Input::PeerRemoved { peer });
            self.feed(other, Input::PeerRemoved { peer: there });
        }
    }

    pub fn want(&mut self, node: usize, want: Want) -> WantId {
        let id = WantId(self.nodes[node].next_want);
        self.nodes[node].next_want += 1;
        self.feed(node, Input::Want { id, want });
        id
    }

    pub fn get(&mut self, node: usize, index: u64) -> WantId {
        self.want(node, Want::Block { index })
    }

    pub fn download(&mut self, node: usize, start: u64, end: u64) -> WantId {
        self.want(node, Want::Range { start, end: Some(end), linear: false })
    }

    pub fn append(&mut self, node: usize, count: u64) {
        self.append_unannounced(node, count);
        let length = self.nodes[node].length;
        self.feed(node, Input::Local(Local::Appended { length }));
    }

    /// Appends without a word, though proofs of the newest head tell of it.
    pub fn append_unannounced(&mut self, node: usize, count: u64) {
        let from = self.nodes[node].length;
        let length = from + count;
        self.nodes[node].blocks.extend(from..length);
        self.nodes[node].length = length;
    }

    pub fn outcome(&self, node: usize, want: WantId) -> Option<&Outcome> {
        self.nodes[node].resolved.get(&want.0)
    }

    pub fn count(&self, node: usize, kind: &'static str) -> u64 {
        self.sent.get(&(node, kind)).copied().unwrap_or(0)
    }

    /// Feeds an input and carries out what comes of it.
    pub fn feed(&mut self, node: usize, input: Input) {
        self.handle_only(node, input);
        self.drain(node);
    }

    /// Feeds an input without polling.
    pub fn handle_only(&mut self, node: usize, input: Input) {
        self.nodes[node].rep.handle(Time(self.now), input);
        self.nodes[node].rep.check().unwrap();
    }

    pub fn drain(&mut self, node: usize) {
        let mut outputs = 0;
        while let Some(output) = self.nodes[node].rep.poll_output() {
            outputs += 1;
            assert!(outputs < 200_000, "the replicator never comes to rest");
            self.carry_out(node, output);
        }
        self.nodes[node].rep.check().unwrap();
    }

    fn push(&mut self, at: u64, step: Step) {
        self.seq += 1;
        self.steps.insert((at, self.seq), step);
    }

    fn carry_out(&mut self, node: usize, output: Output) {
        match output {
            Output::Send { peer, message } => self.send(node, peer, message),
            Output::Request { peer, request } => {
                if let (Some(block), Some((other, ..))) = (&request.block, self.links.get(&(node, peer))) {
                    self.asked.push((node, *other, block.index));
                }
                self.send(node, peer, Message::Request(request));
            }
            Output::Serve { peer, request, proof, manifest: _ } => {
                let me = &self.nodes[node];
                let block = proof.block.as_ref().map(|block| block.index);
                let answer = if me.rejects {
                    Served::Invalid
                } else if block.is_some_and(|index| me.lies.contains(&index) || !me.blocks.contains(&index)) {
                    Served::NotAvailable
                } else {
                    let block =
                        block.map(|index| BlockProof { index, value: bytes_of(index), nodes: Vec::new() });
                    // a head is signed as a whole: who asks for a part of it gets all of it
                    let upgrade = proof.upgrade.map(|upgrade| UpgradeProof {
                        start: upgrade.start,
                        length: me.length.saturating_sub(upgrade.start),
                        nodes: Vec::new(),
                        additional_nodes: Vec::new(),
                        signature: b"signed".to_vec(),
                    });
                    Served::Data(wire::Data {
                        request: 0,
                        fork: 0,
                        block,
                        hash: None,
                        seek: None,
                        upgrade,
                        manifest: None,
                    })
                };
                self.push(self.now, Step::Feed { node, input: Input::Served { peer, request, answer } });
            }
            Output::Apply { ticket, data, .. } => {
                let input = self.apply(node, ticket, &data);
                let at = self.now + self.nodes[node].apply_delay;
                self.push(at, Step::Feed { node, input });
            }
            Output::Probe { peer, fork, length } => {
                let upgradable = self.nodes[node].has_roots;
                let input = Input::Probed { peer, fork, length, upgradable };
                self.push(self.now, Step::Feed { node, input });
            }
            Output::Resolve { want, outcome } => {
                assert!(self.nodes[node].resolved.insert(want.0, outcome).is_none(), "resolved twice");
            }
            Output::Close { peer, violation } => {
                self.nodes[node].closed.push((peer, violation));
                self.cut(node, peer);
            }
            Output::Idle { peer } => {
                self.nodes[node].idle.push(peer);
                self.cut(node, peer);
            }
            Output::Reading { .. } => {}
            Output::Event(event) => {
                if let Event::Download { index, .. } = &event {
                    *self.nodes[node].downloads.entry(*index).or_default() += 1;
                }
                self.nodes[node].events.push(event);
            }
        }
    }

    fn apply(&mut self, node: usize, ticket: hc_replicator::Ticket, data: &wire::Data) -> Input {
        let me = &mut self.nodes[node];
        if let Some(block) = &data.block {
            if block.value != bytes_of(block.index) {
                return Input::ApplyFailed { ticket, failure: ApplyFailure::Invalid };
            }
            if me.stale_once.remove(&block.index) {
                return Input::ApplyFailed { ticket, failure: ApplyFailure::Stale };
            }
        }
        if let Some(upgrade) = &data.upgrade {
            if upgrade.start != me.length {
                return Input::ApplyFailed { ticket, failure: ApplyFailure::Stale };
            }
            me.length += upgrade.length;
        }
        me.blocks.extend(data.block.as_ref().map(|block| block.index));
        Input::Applied { ticket, length: me.length }
    }

    pub fn send(&mut self, node: usize, peer: PeerId, message: Message) {
        *self.sent.entry((node, kind(&message))).or_default() += 1;
        if let Some((to, there, latency)) = self.links.get(&(node, peer)).copied() {
            self.push(self.now + latency, Step::Deliver { to, peer: there, message });
        }
    }

    /// Runs until nothing is under way, or until `limit` milliseconds passed.
    pub fn run_for(&mut self, limit: u64) {
        let end = self.now + limit;
        loop {
            let step = self.steps.first_key_value().map(|((at, _), _)| *at);
            let wake = self.nodes.iter().filter_map(|node| node.rep.next_wake()).map(|time| time.0).min();
            let Some(at) = step.into_iter().chain(wake).min().filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            if step.is_some_and(|step| step <= at) {
                let (_, step) = self.steps.pop_first().unwrap();
                self.step(step);
            } else {
                for node in 0..self.nodes.len() {
                    self.feed(node, Input::Tick);
                }
            }
        }
        self.now = end;
    }

    /// Runs until nothing is under way, within a virtual minute.
    pub fn run(&mut self) {
        self.run_for(60_000);
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Feed { node, input } => self.feed(node, input),
            Step::Deliver { to, peer, message } => {
                if !self.links.contains_key(&(to, peer)) {
                    return;
                }
                self.handle_only(to, Input::Message { peer, message });
                // A real connection reads what arrived together at once.
                while let Some(entry) = self.steps.first_entry() {
                    let same = entry.key().0 <= self.now
                        && matches!(entry.get(), Step::Deliver { to: node, peer: at, .. } if (*node, *at) == (to, peer));
                    if !same {
                        break;
                    }
                    if let Step::Deliver { message, .. } = entry.remove() {
                        self.handle_only(to, Input::Message { peer, message });
                    }
                }
                self.drain(to);
            }
        }
    }
}
