//! The world of one seed: nodes, links, the clock and what happens when.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use hc_replicator::wire::Message;
use hc_replicator::{
    Config, Input, Local, LocalState, Outcome, Output, PeerId, Replicator, Time, Want, WantId,
};

use crate::core::Core;

/// Milliseconds in which things are appended, wanted and broken.
const BUSY: u64 = 5_000;
/// Milliseconds after that in which everything must come to its end.
const CALM: u64 = 120_000;

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Nodes, the writer included.
    pub nodes: usize,
    /// Blocks that were appended.
    pub length: u64,
    /// Messages that were sent.
    pub messages: u64,
    /// Links that broke.
    pub cuts: u64,
    /// Gets and downloads that were asked for and not cancelled.
    pub wants: usize,
    /// A digest of all messages in their order.
    pub fingerprint: u64,
}

/// What went wrong in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The seed to replay it with.
    pub seed: u64,
    /// Virtual milliseconds from the start.
    pub at: u64,
    /// What.
    pub what: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "seed {} at {} ms: {}", self.seed, self.at, self.what)
    }
}

impl std::error::Error for Failure {}

struct Node {
    core: Core,
    rep: Replicator,
    /// What is waited for, and the block if it is one.
    waiting: BTreeMap<WantId, Option<u64>>,
    apply_delay: u64,
}

#[derive(Debug)]
enum Step {
    Deliver { to: usize, peer: PeerId, message: Message },
    Feed { node: usize, input: Input },
    Apply { node: usize, output: Output },
    Link { a: usize, b: usize },
}

#[derive(Clone, Copy)]
struct Link {
    other: usize,
    there: PeerId,
    latency: u64,
}

struct World {
    random: u64,
    now: u64,
    seq: u64,
    next_id: u64,
    nodes: Vec<Node>,
    links: BTreeMap<(usize, PeerId), Link>,
    steps: BTreeMap<(u64, u64), Step>,
    digest: DefaultHasher,
    report: Report,
}

/// Runs the world of a seed.
///
/// # Errors
/// The first thing that was not as it should be.
pub fn run(seed: u64) -> Result<Report, Failure> {
    let mut world = World::new(seed);
    let result = world.live();
    world.report.length = world.nodes.first().map_or(0, |writer| writer.core.head.length());
    world.report.fingerprint = world.digest.finish();
    result.map(|()| world.report.clone()).map_err(|what| Failure { seed, at: world.now, what })
}

impl World {
    fn new(seed: u64) -> Self {
        let report = Report { nodes: 0, length: 0, messages: 0, cuts: 0, wants: 0, fingerprint: 0 };
        let mut world = Self {
            random: seed,
            now: 0,
            seq: 0,
            next_id: 1,
            nodes: Vec::new(),
            links: BTreeMap::new(),
            steps: BTreeMap::new(),
            digest: DefaultHasher::new(),
            report,
        };
        world.report.nodes = 2 + world.below(4) as usize;
        for at in 0..world.report.nodes {
            let (core, apply_delay) = (Core::new(at == 0), world.below(20));
            let config = Config { seed: seed ^ at as u64, ..Config::default() };
            let local = LocalState { fork: 0, length: 0, has_manifest: core.has_manifest };
            let rep = Replicator::new(config, local, []);
            world.nodes.push(Node { core, rep, waiting: BTreeMap::new(), apply_delay });
        }
        world
    }

    /// SplitMix64.
    const fn below(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    fn live(&mut self) -> Result<(), String> {
        for node in 0..self.nodes.len() {
            self.feed(node, Input::Active { active: true })?;
        }
        self.append()?;
        for b in 1..self.nodes.len() {
            let a = self.below(b as u64) as usize;
            self.link(a, b)?;
        }
        while self.now < BUSY {
            let pause = 1 + self.below(200);
            self.pass(pause)?;
            self.happen()?;
        }
        // Nobody fetches for others: what a reader wants it must be able to get from the writer.
        for node in 1..self.nodes.len() {
            self.link(0, node)?;
        }
        self.pass(CALM)?;
        self.judge()
    }

    /// Something happens.
    fn happen(&mut self) -> Result<(), String> {
        let node = self.below(self.nodes.len() as u64) as usize;
        match self.below(6) {
            0 => self.append(),
            1 => self.break_link(),
            2 => {
                let other = self.below(self.nodes.len() as u64) as usize;
                if node == other { Ok(()) } else { self.link(node, other) }
            }
            3 => self.cancel(node),
            _ => self.want(node),
        }
    }

    fn append(&mut self) -> Result<(), String> {
        let count = 1 + self.below(40);
        let blocks: Vec<Bytes> = (0..count).map(|_| self.block()).collect();
        self.nodes[0].core.append(blocks);
        let length = self.nodes[0].core.head.length();
        self.feed(0, Input::Local(Local::Appended { length }))
    }

    fn block(&mut self) -> Bytes {
        let (size, byte) = (self.below(60), self.below(256) as u8);
        Bytes::from(vec![byte; size as usize])
    }

    fn want(&mut self, node: usize) -> Result<(), String> {
        let length = self.nodes[0].core.head.length();
        let (a, b) = (self.below(length), self.below(length));
        let (want, block) = match self.below(4) {
            0 => (Want::Range { start: a.min(b), end: Some(a.max(b)), linear: b.is_multiple_of(2) }, None),
            1 => (Want::Blocks { indices: vec![a, b, a] }, None),
            _ => (Want::Block { index: a }, Some(a)),
        };
        let id = WantId(self.fresh());
        self.nodes[node].waiting.insert(id, block);
        self.report.wants += 1;
        self.feed(node, Input::Want { id, want })
    }

    fn cancel(&mut self, node: usize) -> Result<(), String> {
        let Some((id, _)) = self.nodes[node].waiting.pop_first() else { return Ok(()) };
        self.report.wants -= 1;
        self.feed(node, Input::CancelWant { id })
    }

    const fn fresh(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    fn link(&mut self, a: usize, b: usize) -> Result<(), String> {
        let (at_a, at_b, latency) = (PeerId(self.fresh()), PeerId(self.fresh()), self.below(80));
        self.links.insert((a, at_a), Link { other: b, there: at_b, latency });
        self.links.insert((b, at_b), Link { other: a, there: at_a, latency });
        self.feed(a, Input::PeerAdded { peer: at_a })?;
        self.feed(b, Input::PeerAdded { peer: at_b })
    }

    /// A link breaks, and comes back later.
    fn break_link(&mut self) -> Result<(), String> {
        let at = self.below(self.links.len().max(1) as u64) as usize;
        let Some((node, peer)) = self.links.keys().nth(at).copied() else { return Ok(()) };
        let back = self.now + 1 + self.below(1_000);
        let other = self.links.get(&(node, peer)).map_or(0, |link| link.other);
        self.push(back, Step::Link { a: node, b: other });
        self.report.cuts += 1;
        self.cut(node, peer)
    }

    fn cut(&mut self, node: usize, peer: PeerId) -> Result<(), String> {
        let Some(link) = self.links.remove(&(node, peer)) else { return Ok(()) };
        self.links.remove(&(link.other, link.there));
        self.feed(node, Input::PeerRemoved { peer })?;
        self.feed(link.other, Input::PeerRemoved { peer: link.there })
    }

    fn push(&mut self, at: u64, step: Step) {
        self.seq += 1;
        self.steps.insert((at, self.seq), step);
    }

    /// Lets time pass.
    fn pass(&mut self, millis: u64) -> Result<(), String> {
        let end = self.now + millis;
        loop {
            let step = self.steps.first_key_value().map(|((at, _), _)| *at);
            let wake = self.nodes.iter().filter_map(|node| node.rep.next_wake()).map(|time| time.0).min();
            let Some(at) = step.into_iter().chain(wake).min().filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            if step != Some(at) {
                for node in 0..self.nodes.len() {
                    self.feed(node, Input::Tick)?;
                }
            } else if let Some((_, step)) = self.steps.pop_first() {
                self.step(step)?;
            }
        }
        self.now = end;
        Ok(())
    }

    fn step(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Feed { node, input } => self.feed(node, input),
            Step::Link { a, b } => self.link(a, b),
            Step::Deliver { to, peer, message } if self.links.contains_key(&(to, peer)) => {
                self.feed(to, Input::Message { peer, message })
            }
            Step::Apply { node, output: Output::Apply { ticket, data, .. } } => {
                let input = match self.nodes[node].core.apply(data) {
                    Ok(length) => Input::Applied { ticket, length },
                    Err(failure) => Input::ApplyFailed { ticket, failure },
                };
                self.feed(node, input)
            }
            Step::Deliver { .. } | Step::Apply { .. } => Ok(()),
        }
    }

    fn feed(&mut self, node: usize, input: Input) -> Result<(), String> {
        let now = Time(self.now);
        self.nodes[node].rep.handle(now, input);
        self.nodes[node].rep.check()?;
        while let Some(output) = self.nodes[node].rep.poll_output() {
            self.carry_out(node, output)?;
        }
        self.nodes[node].rep.check()
    }

    fn carry_out(&mut self, node: usize, output: Output) -> Result<(), String> {
        match output {
            Output::Send { peer, message } => self.send(node, peer, message),
            Output::Request { peer, mut request } => {
                self.nodes[node].core.fill(&mut request);
                self.send(node, peer, Message::Request(request));
            }
            Output::Serve { peer, request, proof, manifest } => {
                let answer = self.nodes[node].core.serve(&proof, manifest);
                self.push(self.now, Step::Feed { node, input: Input::Served { peer, request, answer } });
            }
            output @ Output::Apply { .. } => {
                self.push(self.now + self.nodes[node].apply_delay, Step::Apply { node, output });
            }
            Output::Probe { peer, fork, length } => {
                let upgradable = self.nodes[node].core.has_roots(length);
                self.push(
                    self.now,
                    Step::Feed { node, input: Input::Probed { peer, fork, length, upgradable } },
                );
            }
            Output::Resolve { want, outcome } => self.resolved(node, want, &outcome)?,
            Output::Close { violation, .. } => return Err(format!("an honest peer was closed: {violation}")),
            Output::Idle { .. } => return Err("an active core was called idle".into()),
            Output::Reading { .. } | Output::Event(_) => {}
        }
        Ok(())
    }

    fn send(&mut self, node: usize, peer: PeerId, message: Message) {
        self.report.messages += 1;
        format!("{} {node} {message:?}", self.now).hash(&mut self.digest);
        if let Some(link) = self.links.get(&(node, peer)).copied() {
            self.push(self.now + link.latency, Step::Deliver { to: link.other, peer: link.there, message });
        }
    }

    fn resolved(&mut self, node: usize, want: WantId, outcome: &Outcome) -> Result<(), String> {
        let Some(block) = self.nodes[node].waiting.remove(&want) else {
            return Err(format!("{want:?} was resolved although nobody waits for it"));
        };
        match (outcome, block) {
            (Outcome::Range, None) => Ok(()),
            (Outcome::Block { index, value }, Some(wanted)) if *index == wanted => {
                let right = self.nodes[0].core.blocks.get(index);
                let local = self.nodes[node].core.blocks.get(index);
                let got = value.as_ref().or(local);
                if got == right { Ok(()) } else { Err(format!("block {index} has other bytes")) }
            }
            (other, _) => Err(format!("{want:?} ended as {other:?}")),
        }
    }

    /// All is quiet: everybody has what they should have.
    fn judge(&self) -> Result<(), String> {
        let Some(writer) = self.nodes.first() else { return Ok(()) };
        for (at, node) in self.nodes.iter().enumerate() {
            let (length, full) = (node.core.head.length(), writer.core.head.length());
            if length != full {
                return Err(format!("node {at} has length {length} of {full}"));
            }
            if !node.waiting.is_empty() {
                return Err(format!("node {at} still waits for {:?}", node.waiting));
            }
            if node.core.blocks.iter().any(|(index, block)| writer.core.blocks.get(index) != Some(block)) {
                return Err(format!("node {at} has a block with other bytes"));
            }
        }
        Ok(())
    }
}
