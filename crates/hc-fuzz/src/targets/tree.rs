//! Proofs: whatever a peer makes of them, what is verified is part of the log.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bytes::Bytes;
use compact_encoding::Encode;
use hc_crypto::{KeyPair, Manifest, Verifier};
use hc_protocol::wire::{Data, Message};
use hc_tree::{
    Batch, BlockRequest, HashRequest, MissingNode, Node, NodeReader, Proof, ProofRequest, RequestError,
    SeekRequest, TreeHead, UpgradeRequest, Verified, plan, verify,
};

use super::machine;
use crate::probe::Probe;
use crate::rng::Rng;
use crate::target::{Target, Verdict, class, described};
use crate::values::maybe;

pub(super) fn targets() -> Vec<Target> {
    vec![machine("tree-verify", &["hc-tree verify"], seeds, run)]
}

/// The lengths that the writer signed, and at which a reader may be.
const LENGTHS: [u64; 7] = [0, 1, 5, 8, 33, 64, 70];

/// A log, all of which is known.
struct Log {
    heads: BTreeMap<u64, (TreeHead, Vec<u8>)>,
    nodes: BTreeMap<u64, Node>,
    blocks: Vec<Bytes>,
    verifier: Verifier,
}

static LOG: LazyLock<Log> = LazyLock::new(|| {
    let pair = KeyPair::from_seed(&[1; 32]);
    let manifest = Manifest::single(pair.public());
    let verifier = Verifier::new(manifest.key(), manifest).expect("the manifest makes the key");
    let mut log = Log { heads: BTreeMap::new(), nodes: BTreeMap::new(), blocks: Vec::new(), verifier };
    let mut head = TreeHead::empty(0);
    log.heads.insert(0, (head.clone(), Vec::new()));
    for index in 0..70_u8 {
        let block = Bytes::from(vec![index; usize::from(index) * 3 % 17]);
        let mut batch = Batch::new(&head);
        batch.append(&block);
        let signed = batch.finish().sign(&log.verifier, &pair).expect("the pair is the signer");
        log.nodes.extend(signed.change().nodes().iter().map(|node| (node.index, *node)));
        log.blocks.push(block);
        let signature;
        (head, signature) = signed.into_head();
        log.heads.insert(head.length(), (head.clone(), signature));
    }
    log
});

#[derive(Debug)]
struct Cannot;

impl From<RequestError> for Cannot {
    fn from(_: RequestError) -> Self {
        Self
    }
}

impl From<MissingNode> for Cannot {
    fn from(_: MissingNode) -> Self {
        Self
    }
}

impl NodeReader for Log {
    type Error = Cannot;

    fn node(&self, index: u64) -> Result<Option<Node>, Cannot> {
        Ok(self.nodes.get(&index).copied())
    }
}

impl Log {
    fn prove(&self, length: u64, request: &ProofRequest) -> Option<Proof> {
        let (head, signature) = self.heads.get(&length)?;
        let planned = plan(head, request, self).ok()?;
        let nodes: Vec<_> = planned.indices().map(|index| self.nodes.get(&index).copied()).collect();
        let block =
            request.block.and_then(|block| self.blocks.get(usize::try_from(block.index).ok()?).cloned());
        planned.build(0, signature, block, None, nodes).ok()
    }

    /// What is wrong with something that was verified.
    fn wrong(&self, verified: &Verified) -> Option<String> {
        let truth = |node: &&Node| self.nodes.get(&node.index);
        if let Some(node) = verified.nodes().iter().find(|node| truth(node) != Some(node)) {
            return Some(format!("node {} was verified, but is not of this log", node.index));
        }
        if let Some(node) =
            verified.claimed().iter().find(|node| truth(node).is_none_or(|is| is.hash != node.hash))
        {
            return Some(format!("node {} is claimed, but its hash is not of this log", node.index));
        }
        if let Some((index, block)) = verified.block()
            && usize::try_from(index).ok().and_then(|index| self.blocks.get(index)) != Some(block)
        {
            return Some(format!("block {index} was verified, but has other bytes"));
        }
        let (head, _) = verified.upgrade()?;
        let real = self.heads.get(&head.length()).map(|(head, _)| head);
        let same =
            real.is_some_and(|real| real.hash() == head.hash() && real.byte_length() == head.byte_length());
        if same {
            None
        } else {
            Some(format!("a head of length {} was verified that nobody signed", head.length()))
        }
    }
}

/// Which length the reader is at, whether it has the nodes below it, then a proof as it is sent.
fn run(probe: &mut Probe, input: &[u8]) -> Verdict {
    let Some(([at, has], body)) = input.split_first_chunk::<2>() else { return Verdict::Refused(0) };
    let log = &*LOG;
    let (head, _) = &log.heads[&LENGTHS[usize::from(*at) % LENGTHS.len()]];
    let body = Bytes::copy_from_slice(body);
    let proof: Proof = match Message::decode(3, &body) {
        Ok(Message::Data(data)) => data.into(),
        _ => return Verdict::Refused(1),
    };
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

fn seeds(rng: &mut Rng) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    while seeds.len() < 400 {
        let (at, to) = (rng.below(LENGTHS.len()), rng.below(LENGTHS.len()));
        let (from, to) = (LENGTHS[at], LENGTHS[to]);
        let upgrade = if to > from {
            let shown = 1 + rng.next() % (to - from);
            Some(UpgradeRequest { start: from, length: shown })
        } else {
            None
        };
        let index = rng.next() % 70;
        let block = maybe(rng, |rng| BlockRequest { index, nodes: rng.next() % 8 });
        let hash = maybe(rng, |rng| HashRequest { index: rng.next() % 140, nodes: rng.next() % 8 });
        let seek = maybe(rng, |rng| SeekRequest { bytes: rng.next() % 600, padding: 0 });
        let request = ProofRequest { block, hash: hash.filter(|_| block.is_none()), seek, upgrade };
        let Some(proof) = LOG.prove(to.max(from), &request) else { continue };
        seeds.push([vec![at as u8, 0], Data::from(proof).to_vec()].concat());
    }
    seeds
}
