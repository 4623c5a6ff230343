//! Proofs: whatever a peer makes of them, what is verified is part of the log.

mod log;

use std::sync::LazyLock;

use bytes::Bytes;
use compact_encoding::{Encode, Reader, put};
use hc_tree::{
    BlockProof, BlockRequest, HashProof, HashRequest, Node, NodeReader, Proof, ProofRequest, RemoteProof,
    Reorg, SeekProof, SeekRequest, StoredHead, UpgradeProof, UpgradeRequest, verify,
};

use super::{decoder, machine};
use crate::probe::Probe;
use crate::rng::Rng;
use crate::target::{Classed, Target, Verdict, class, described, stable, stable_in_frame};
use crate::values::{data, maybe, some};
use log::{Fault, Log, manifest};

pub(super) fn targets() -> Vec<Target> {
    const RECOVER: &[&str] = &["hc-tree StoredHead::recover"];
    const REORG: &[&str] = &["hc-tree Reorg::start", "hc-tree Reorg::update", "hc-tree verify_alone"];
    const PROOFS: fn(&mut Rng) -> Vec<Vec<u8>> = |rng| some(rng, |rng| Proof::from(data(rng)).to_vec());
    vec![
        decoder(
            "block-proof",
            &["hc-tree BlockProof::decode_from"],
            |rng| part(rng, |proof| proof.block),
            |probe, input| stable_in_frame(probe, input, BlockProof::decode_from),
        ),
        decoder(
            "hash-proof",
            &["hc-tree HashProof"],
            |rng| part(rng, |proof| proof.hash),
            stable::<HashProof>,
        ),
        decoder(
            "seek-proof",
            &["hc-tree SeekProof"],
            |rng| part(rng, |proof| proof.seek),
            stable::<SeekProof>,
        ),
        decoder(
            "upgrade-proof",
            &["hc-tree UpgradeProof"],
            |rng| part(rng, |proof| proof.upgrade),
            stable::<UpgradeProof>,
        ),
        decoder("proof", &["hc-tree Proof::decode_from"], PROOFS, |probe, input| {
            stable_in_frame(probe, input, Proof::decode_from)
        }),
        machine("remote-proof", &["hc-tree RemoteProof::from_bytes"], remote_seeds, remote),
        machine("tree-verify", &["hc-tree verify"], seeds, run),
        machine("tree-recover", RECOVER, recover_seeds, recover),
        machine("tree-reorg", REORG, reorg_seeds, reorg),
    ]
}

/// The lengths at which a reader may be.
const LENGTHS: [u64; 7] = [0, 1, 5, 8, 33, 64, 70];
/// Blocks of the log.
const BLOCKS: u8 = 70;
/// Blocks that the other fork shares with it.
const SHARED: u8 = 42;

static LOG: LazyLock<Log> = LazyLock::new(|| Log::new(0, BLOCKS, BLOCKS));
static FORK: LazyLock<Log> = LazyLock::new(|| Log::new(1, BLOCKS - 5, SHARED));

/// One part of random proofs.
fn part<T: Encode>(rng: &mut Rng, of: fn(Proof) -> Option<T>) -> Vec<Vec<u8>> {
    let proofs = some(rng, |rng| Proof::from(data(rng)));
    proofs.into_iter().filter_map(of).map(|part| part.to_vec()).collect()
}

fn read(body: &[u8]) -> Option<Proof> {
    let body = Bytes::copy_from_slice(body);
    Proof::decode_from(&body, &mut Reader::new(&body)).ok()
}

/// Which length the reader is at, whether it has the nodes below it, then a proof as it is sent.
fn run(probe: &mut Probe, input: &[u8]) -> Verdict {
    let Some(([at, has], body)) = input.split_first_chunk::<2>() else { return Verdict::Refused(0) };
    let (log, Some(proof)) = (&*LOG, read(body)) else { return Verdict::Refused(1) };
    let (head, _) = &log.heads[&LENGTHS[usize::from(*at) % LENGTHS.len()]];
    let judged = probe.watch(|| {
        let unchecked = verify(head, &proof)?;
        let anchor = unchecked.anchor().filter(|index| has & 1 == 0 && *index < head.length() * 2);
        unchecked.confirm(anchor.and_then(|index| log.nodes.get(&index)), Some(&log.verifier))
    });
    match judged {
        Err(error) => Verdict::Refused(described(&error)),
        Ok(verified) => match log.wrong(&verified) {
            Some(what) => Verdict::Broken(what),
            None => Verdict::Accepted(class((verified.nodes().len(), verified.upgrade().is_some()))),
        },
    }
}

fn request(rng: &mut Rng, upgrade: Option<UpgradeRequest>) -> ProofRequest {
    let block = maybe(rng, |rng| BlockRequest { index: rng.next() % 70, nodes: rng.next() % 8 });
    let hash = maybe(rng, |rng| HashRequest { index: rng.next() % 140, nodes: rng.next() % 8 });
    let seek = maybe(rng, |rng| SeekRequest { bytes: rng.next() % 600, padding: 0 });
    ProofRequest { block, hash: hash.filter(|_| block.is_none()), seek, upgrade }
}

fn seeds(rng: &mut Rng) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    while seeds.len() < 400 {
        let (at, to) = (rng.below(LENGTHS.len()), rng.below(LENGTHS.len()));
        let (from, to) = (LENGTHS[at], LENGTHS[to]);
        let upgrade = to.checked_sub(from).filter(|more| *more > 0);
        let upgrade = upgrade.map(|more| UpgradeRequest { start: from, length: 1 + rng.next() % more });
        let Some(proof) = LOG.prove(to.max(from), &request(rng, upgrade)) else { continue };
        seeds.push([vec![at as u8, 0], proof.to_vec()].concat());
    }
    seeds
}

/// A proof for somebody who has nothing.
fn remote(probe: &mut Probe, input: &[u8]) -> Verdict {
    let frame = Bytes::copy_from_slice(input);
    let parsed = match probe.watch(|| RemoteProof::from_bytes(&frame)) {
        Ok(parsed) => parsed,
        Err(error) => return Verdict::Refused(error.class()),
    };
    let written = Bytes::from(parsed.to_bytes());
    if RemoteProof::from_bytes(&written).as_ref() != Ok(&parsed) {
        return Verdict::Broken("it is not read again as it was".into());
    }
    let key = manifest().1.key();
    match probe.watch(|| parsed.verify(&key, None)) {
        Err(error) => Verdict::Refused(described(&error)),
        Ok(head) if !LOG.has(head.head()) => Verdict::Broken("nobody signed that head".into()),
        Ok(head) => match head.block() {
            Some((index, block)) if LOG.blocks.get(index as usize) != Some(block) => {
                Verdict::Broken(format!("block {index} has other bytes"))
            }
            block => Verdict::Accepted(class((head.head().length(), block.is_some()))),
        },
    }
}

fn remote_seeds(rng: &mut Rng) -> Vec<Vec<u8>> {
    let manifest = manifest().1;
    let lengths = LENGTHS.iter().filter(|length| **length > 0);
    let make = |length: &u64| {
        let block = maybe(rng, |rng| rng.next() % length);
        let mut proof = LOG.prove(*length, &RemoteProof::request(*length, block))?;
        proof.manifest = Some(manifest.clone());
        Some(RemoteProof::new(&manifest.key(), proof).to_bytes())
    };
    lengths.filter_map(make).collect()
}

/// The log without some of its roots.
struct Damaged(u8);

impl NodeReader for Damaged {
    type Error = Fault;

    fn node(&self, index: u64) -> Result<Option<Node>, Fault> {
        let (head, _) = &LOG.heads[&u64::from(BLOCKS)];
        let lost =
            head.roots().iter().position(|root| root.index == index).is_some_and(|at| self.0 >> at & 1 == 1);
        Ok(LOG.nodes.get(&index).copied().filter(|_| !lost))
    }
}

/// Which roots are lost, then a proof.
fn recover(probe: &mut Probe, input: &[u8]) -> Verdict {
    let Some((lost, body)) = input.split_first() else { return Verdict::Refused(0) };
    let Some(proof) = read(body) else { return Verdict::Refused(1) };
    let (head, signature) = &LOG.heads[&u64::from(BLOCKS)];
    let stored = StoredHead { fork: 0, length: head.length(), root_hash: head.hash(), signature };
    match probe.watch(|| stored.recover(&proof, &LOG.verifier, &Damaged(*lost))) {
        Err(error) => Verdict::Refused(described(&error)),
        Ok(recovered) => match recovered.nodes().iter().find(|node| LOG.nodes.get(&node.index) != Some(node))
        {
            Some(node) => Verdict::Broken(format!("root {} is not of this log", node.index)),
            None => Verdict::Accepted(class(recovered.nodes().len())),
        },
    }
}

fn recover_seeds(rng: &mut Rng) -> Vec<Vec<u8>> {
    let upgrade = Some(UpgradeRequest { start: 0, length: u64::from(BLOCKS) });
    let proof = LOG.prove(u64::from(BLOCKS), &ProofRequest { upgrade, ..ProofRequest::default() });
    let proof = proof.map_or_else(Vec::new, |proof| proof.to_vec());
    some(rng, |rng| [vec![rng.byte() % 8], proof.clone()].concat())
}

/// The length we are at, then proofs behind their lengths: first of the other fork's head, then of the way to what is shared.
fn reorg(probe: &mut Probe, input: &[u8]) -> Verdict {
    let mut reader = Reader::new(input);
    let Ok(at) = reader.uint8() else { return Verdict::Refused(0) };
    let (ours, _) = &LOG.heads[&LENGTHS[usize::from(at) % LENGTHS.len()]];
    let proofs: Vec<Proof> = std::iter::from_fn(|| reader.buffer().ok()).map_while(read).collect();
    let Some((first, rest)) = proofs.split_first() else { return Verdict::Refused(1) };
    let judged = probe.watch(|| {
        let mut reorg = Reorg::start(ours, first, Some(&FORK.verifier), &*LOG)?;
        let mut taken = 0;
        for proof in rest {
            taken += usize::from(reorg.update(proof, &*LOG).is_ok());
        }
        Ok::<_, Fault>((taken, reorg.finish()))
    });
    let (taken, done) = match judged {
        Ok(judged) => judged,
        Err(error) => return Verdict::Refused(described(&error)),
    };
    let Some(done) = done else { return Verdict::Accepted(class(taken)) };
    let (change, shared) = (done.change(), u64::from(SHARED).min(ours.length()));
    // logs part where they part, whatever a peer says
    if change.ancestors() > shared || !FORK.has(change.head()) {
        return Verdict::Broken(format!("{} blocks are kept, {shared} are shared", change.ancestors()));
    }
    match change.nodes().iter().find(|node| FORK.nodes.get(&node.index) != Some(node)) {
        Some(node) => Verdict::Broken(format!("node {} is not of that fork", node.index)),
        None => Verdict::Accepted(class((taken, change.ancestors()))),
    }
}

/// Whole reorgs with an honest peer.
fn reorg_seeds(_: &mut Rng) -> Vec<Vec<u8>> {
    let length = u64::from(BLOCKS) - 5;
    let upgrade = Some(UpgradeRequest { start: 0, length });
    let mut seeds = Vec::new();
    for (at, from) in (0_u8..).zip(LENGTHS) {
        let Some(first) = FORK.prove(length, &ProofRequest { upgrade, ..ProofRequest::default() }) else {
            continue;
        };
        let mut seed = vec![at];
        put::buffer(&mut seed, &first.to_vec());
        let Ok(mut reorg) = Reorg::start(&LOG.heads[&from].0, &first, Some(&FORK.verifier), &*LOG) else {
            continue;
        };
        while let Some(want) = reorg.want() {
            let request = ProofRequest { hash: Some(want.request()), ..ProofRequest::default() };
            let Some(proof) = FORK.prove(length, &request) else { break };
            put::buffer(&mut seed, &proof.to_vec());
            if reorg.update(&proof, &*LOG).is_err() {
                break;
            }
        }
        seeds.push(seed);
    }
    seeds
}
