//! The replicator: any peers, any messages, any order of what happens here. Its parts must agree as it goes.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use compact_encoding::{Encode, Reader, put};
use hc_replicator::wire::{Message, Range, Sync};
use hc_replicator::{
    ApplyFailure, Config, Input, Local, LocalState, Output, PeerId, Replicator, Served, Ticket, Time, Want,
    WantId,
};

use super::{machine, wire};
use crate::probe::Probe;
use crate::rng::Rng;
use crate::target::{Allowance, Target, Verdict, class};

pub(super) fn targets() -> Vec<Target> {
    let allowance = Allowance {
        why: "a claim of a few bytes may take a page of 4 KiB; how many pages a peer has is bounded in limits.rs",
        free: 256 * 1024,
        per_byte: 4096,
    };
    vec![Target { allowance, ..machine("replicator", &[], seeds, run) }]
}

/// Peers that are there at the same time.
const PEERS: usize = 3;
/// What is told of what happens here, beyond messages of peers.
const DEEDS: u8 = 16;
/// After each of so many steps the parts are looked at and outputs are taken.
const CLOSE_STEPS: u64 = 256;
/// Later only after so many: a check goes through the whole state, and a driver takes outputs once a read.
const LATER: u64 = 32;
/// What the caller waits for at the same time: its own cost, not that of a peer's bytes.
const MAX_OF_CALLER: usize = 256;

struct Driver {
    rep: Replicator,
    now: Time,
    peers: [PeerId; PEERS],
    fresh: u64,
    fork: u64,
    length: u64,
    applies: VecDeque<(Ticket, u64)>,
    serves: VecDeque<(PeerId, u64)>,
    probes: VecDeque<(PeerId, u64, u64)>,
    wants: VecDeque<WantId>,
    seen: u64,
    steps: u64,
    /// What looking at the parts took, which is not the replicator's time.
    checking: Duration,
}

impl Driver {
    fn new(length: u64) -> Self {
        let local = LocalState { fork: 0, length, has_manifest: length > 0 };
        let rep = Replicator::new(Config::default(), local, [(0, length / 2)]);
        let mut driver = Self {
            rep,
            now: Time(1),
            peers: [PeerId(0); PEERS],
            fresh: 0,
            fork: 0,
            length,
            applies: VecDeque::new(),
            serves: VecDeque::new(),
            probes: VecDeque::new(),
            wants: VecDeque::new(),
            seen: 0,
            steps: 0,
            checking: Duration::ZERO,
        };
        driver.rep.handle(driver.now, Input::Active { active: true });
        for at in 0..PEERS {
            driver.add_peer(at);
        }
        driver
    }

    fn add_peer(&mut self, at: usize) {
        self.fresh += 1;
        self.peers[at] = PeerId(self.fresh);
        self.rep.handle(self.now, Input::PeerAdded { peer: self.peers[at] });
    }

    fn feed(&mut self, input: Input) -> Result<(), String> {
        self.rep.handle(self.now, input);
        self.check()
    }

    /// Whether this step is one after which to look closely.
    const fn is_close(&self) -> bool {
        self.steps < CLOSE_STEPS || self.steps.is_multiple_of(LATER)
    }

    fn check(&mut self) -> Result<(), String> {
        if self.is_close() { self.check_all() } else { Ok(()) }
    }

    fn check_all(&mut self) -> Result<(), String> {
        let started = Instant::now();
        let found = self.rep.check();
        self.checking += started.elapsed();
        found
    }

    fn drain(&mut self) -> Result<(), String> {
        while let Some(output) = self.rep.poll_output() {
            let kind = match output {
                Output::Send { .. } => 0,
                Output::Request { .. } => 1,
                Output::Serve { peer, request, .. } => {
                    self.serves.push_back((peer, request));
                    2
                }
                Output::Apply { ticket, data, .. } => {
                    let upgrade =
                        data.upgrade.map_or(0, |upgrade| upgrade.start.saturating_add(upgrade.length));
                    self.applies.push_back((ticket, upgrade));
                    3
                }
                Output::Probe { peer, fork, length } => {
                    self.probes.push_back((peer, fork, length));
                    4
                }
                Output::Resolve { want, .. } => {
                    self.wants.retain(|id| *id != want);
                    5
                }
                Output::Close { peer, .. } => {
                    // as a driver does: the peer comes back as another
                    if let Some(at) = self.peers.iter().position(|id| *id == peer) {
                        self.add_peer(at);
                    }
                    6
                }
                Output::Idle { peer } => {
                    self.rep.handle(self.now, Input::PeerRemoved { peer });
                    7
                }
                _ => 8,
            };
            self.seen |= 1 << kind;
        }
        self.check()
    }

    /// Something happens here.
    fn happen(&mut self, kind: u8, a: u64, b: u64) -> Result<(), String> {
        let at = (a % PEERS as u64) as usize;
        let peer = self.peers[at];
        match kind {
            0 => {
                self.feed(Input::PeerRemoved { peer })?;
                self.add_peer(at);
                self.check()
            }
            1 => self.feed(Input::PeerWritable { peer, writable: b & 1 == 1 }),
            2 => {
                self.length = (self.length + 1 + a % 50).min(1 << 40);
                self.feed(Input::Local(Local::Appended { length: self.length }))
            }
            3 => {
                let (start, end) = (a.min(b).min(self.length), a.max(b).min(self.length));
                self.feed(Input::Local(Local::Cleared { start, end }))
            }
            4 => self.want(Want::Block { index: a }),
            5 => self.want(Want::Range {
                start: a.min(b),
                end: Some(b).filter(|b| b % 3 > 0).map(|b| b.max(a)),
                linear: a & 1 == 1,
            }),
            6 => self.want(Want::Blocks { indices: vec![a, b, a] }),
            7 => self.want(Want::Update),
            8 => match self.wants.pop_front() {
                Some(id) => self.feed(Input::CancelWant { id }),
                None => Ok(()),
            },
            9 => self.serve(b),
            10 => self.apply(b),
            11 => match self.probes.pop_front() {
                Some((peer, fork, length)) => {
                    self.feed(Input::Probed { peer, fork, length, upgradable: b & 1 == 1 })
                }
                None => Ok(()),
            },
            12 => {
                self.fork += 1;
                self.length = self.length.min(a);
                self.feed(Input::Local(Local::Truncated { fork: self.fork, length: self.length }))
            }
            13 => self.feed(Input::Active { active: a & 1 == 1 }),
            _ => {
                self.now = self.now.plus(a % 100_000);
                self.feed(Input::Tick)
            }
        }
    }

    fn want(&mut self, want: Want) -> Result<(), String> {
        if self.wants.len() >= MAX_OF_CALLER
            && let Some(id) = self.wants.pop_front()
        {
            self.feed(Input::CancelWant { id })?;
        }
        self.fresh += 1;
        let id = WantId(self.fresh);
        self.wants.push_back(id);
        self.feed(Input::Want { id, want })
    }

    fn serve(&mut self, how: u64) -> Result<(), String> {
        let Some((peer, request)) = self.serves.pop_front() else { return Ok(()) };
        let answer = match how % 3 {
            0 => Served::NotAvailable,
            1 => Served::Invalid,
            _ => Served::Data(Default::default()),
        };
        self.feed(Input::Served { peer, request, answer })
    }

    fn apply(&mut self, how: u64) -> Result<(), String> {
        let Some((ticket, upgrade)) = self.applies.pop_front() else { return Ok(()) };
        let failure = match how % 5 {
            0 => ApplyFailure::Stale,
            1 => ApplyFailure::Invalid,
            2 => ApplyFailure::Storage,
            _ => {
                self.length = self.length.max(upgrade);
                return self.feed(Input::Applied { ticket, length: self.length });
            }
        };
        self.feed(Input::ApplyFailed { ticket, failure })
    }
}

/// The length to begin with, then steps: a byte says what, then come its numbers, or a message behind its length.
fn run(probe: &mut Probe, input: &[u8]) -> Verdict {
    let mut reader = Reader::new(input);
    let Ok(length) = reader.uint8() else { return Verdict::Refused(0) };
    let mut checking = Duration::ZERO;
    let judged = probe.watch(|| {
        let mut driver = Driver::new(u64::from(length));
        while let Ok(kind) = reader.uint8() {
            let step = if kind < 0x80 {
                message(&mut driver, kind, &mut reader)
            } else {
                deed(&mut driver, kind, &mut reader)
            };
            if let Some(step) = step {
                step?;
            }
            // now and then several things happen before outputs are taken
            if kind % 4 != 3 && driver.is_close() {
                driver.drain()?;
            }
            driver.steps += 1;
        }
        driver.drain()?;
        driver.check_all()?;
        checking = driver.checking;
        Ok::<_, String>(driver.seen)
    });
    probe.elapsed = probe.elapsed.saturating_sub(checking);
    match judged {
        Ok(seen) => Verdict::Accepted(class(seen)),
        Err(what) => Verdict::Broken(what),
    }
}

fn message(driver: &mut Driver, kind: u8, reader: &mut Reader<'_>) -> Option<Result<(), String>> {
    let peer = driver.peers[usize::from(kind >> 4) % PEERS];
    let body = Bytes::copy_from_slice(reader.buffer().ok()?);
    let message = Message::decode(u64::from(kind & 0xf), &body).ok()?;
    Some(driver.feed(Input::Message { peer, message }))
}

fn deed(driver: &mut Driver, kind: u8, reader: &mut Reader<'_>) -> Option<Result<(), String>> {
    let (a, b) = (reader.uint().ok()?, reader.uint().ok()?);
    // what is wanted or cleared here is the caller's: at most the largest length
    Some(driver.happen((kind & 0x7f) % DEEDS, a % (1 << 52), b % (1 << 52)))
}

/// A peer that claims more than there is, and then everything that can happen to the log here.
fn claims_more_than_there_is() -> Vec<u8> {
    let far_too_many = 1 << 40;
    let sync = Sync {
        fork: 0,
        length: far_too_many,
        remote_length: 0,
        can_upgrade: true,
        uploading: true,
        downloading: true,
        has_manifest: true,
        allow_push: false,
    };
    let range = Range { drop: false, start: 0, length: far_too_many };
    let mut seed = vec![10];
    for message in [Message::Sync(sync), Message::Range(range)] {
        seed.push(u8::try_from(message.type_id()).unwrap_or_default());
        put::buffer(&mut seed, &message.to_vec());
    }
    // appends, clears, truncates, appends
    for (deed, a, b) in
        [(2, 4, 0), (2, 40, 0), (3, 2, 7), (12, 8, 0), (2, 1, 0), (3, 0, 80), (12, 0, 0), (2, 9, 0)]
    {
        seed.push(0x80 | deed);
        put::uint(&mut seed, a);
        put::uint(&mut seed, b);
    }
    seed
}

fn seeds(rng: &mut Rng) -> Vec<Vec<u8>> {
    let messages = wire::messages(rng);
    let mut seeds = vec![claims_more_than_there_is()];
    for _ in 0..150 {
        let mut seed = vec![[0, 1, 40, 200][rng.below(4)]];
        for peer in 0..PEERS as u8 {
            // who is not in sync yet is asked nothing
            let sync = [0x0f_u8, 0, 60 + peer, 0];
            seed.push(peer << 4);
            put::buffer(&mut seed, &sync);
        }
        for _ in 0..rng.below(30) {
            if rng.once_in(2) {
                seed.push(0x80 | rng.byte());
                put::uint(&mut seed, rng.next() % 80);
                put::uint(&mut seed, rng.next() % 80);
                continue;
            }
            let message = &messages[rng.below(messages.len())];
            seed.push((rng.byte() % 3) << 4 | message[0]);
            put::buffer(&mut seed, &message[1..]);
        }
        seeds.push(seed);
    }
    seeds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regression_a_peer_that_claims_more_than_there_is_breaks_nothing() {
        let seed = claims_more_than_there_is();
        let mut reader = Reader::new(&seed[1..]);
        let mut driver = Driver::new(10);
        let mut steps = 0;
        while let Ok(kind) = reader.uint8() {
            let read = if kind < 0x80 { message } else { deed };
            read(&mut driver, kind, &mut reader).expect("all of it is read").unwrap();
            steps += 1;
        }
        assert_eq!((steps, driver.fork), (10, 2), "each step is one");
        let verdict = run(&mut Probe::default(), &seed);
        assert!(matches!(verdict, Verdict::Accepted(_)), "{verdict:?}");
    }
}
