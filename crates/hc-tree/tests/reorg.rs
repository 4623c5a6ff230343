//! Moving to another fork, against two naive logs with a common beginning.

mod support;

use bytes::Bytes;
use hc_crypto::{KeyPair, Manifest, Verifier};
use hc_tree::{
    BlockRequest, Node, Proof, ProofError, ProofRequest, Reorg, Reorged, TreeHead, UpgradeRequest, flat,
    missing_nodes, verify,
};
use proptest::prelude::*;
use proptest::sample::Index;
use support::json::{bytes, number, vectors};
use support::{Log, Stored, spoil, tamper};

/// Somebody with a part of a log.
#[derive(Clone)]
struct Reader {
    head: TreeHead,
    nodes: Stored,
    blocks: Vec<Option<Bytes>>,
}

fn ask(upgrade: Option<(u64, u64)>, block: Option<(u64, u64)>) -> ProofRequest {
    ProofRequest {
        upgrade: upgrade.map(|(start, length)| UpgradeRequest { start, length }),
        block: block.map(|(index, nodes)| BlockRequest { index, nodes }),
        ..ProofRequest::default()
    }
}

impl Reader {
    fn new(log: &Log, blocks: impl IntoIterator<Item = u64>) -> Self {
        let length = log.blocks.len() as u64;
        let mut reader = Self {
            head: TreeHead::empty(log.fork),
            nodes: Stored::default(),
            blocks: vec![None; log.blocks.len()],
        };
        if length > 0 {
            reader.take(log, &log.prove(length, &ask(Some((0, length)), None)).unwrap());
        }
        reader.fetch(log, blocks);
        reader
    }

    /// With all of it.
    fn whole(log: &Log) -> Self {
        let blocks = log.blocks.iter().cloned().map(Some).collect();
        Self { head: log.head(log.blocks.len() as u64), nodes: log.nodes.clone(), blocks }
    }

    fn fetch(&mut self, log: &Log, blocks: impl IntoIterator<Item = u64>) {
        let length = self.head.length();
        for index in blocks {
            let nodes = missing_nodes(&self.nodes, index * 2, length).unwrap();
            let request = ask(None, Some((index, nodes)));
            self.take(log, &log.prove(length, &request).unwrap());
        }
    }

    fn take(&mut self, log: &Log, proof: &Proof) {
        let unchecked = verify(&self.head, proof).unwrap();
        let anchor = unchecked.anchor().and_then(|index| self.nodes.0.get(&index).copied());
        let verified = unchecked.confirm(anchor.as_ref(), Some(&log.verifier)).unwrap();
        self.nodes.0.extend(verified.nodes().iter().map(|node| (node.index, *node)));
        if let Some((index, block)) = verified.block() {
            self.blocks[index as usize] = Some(block.clone());
        }
        if let Some((head, _)) = verified.upgrade() {
            self.head = head.clone();
        }
    }

    /// Writes a reorg as a store does.
    fn replace(&mut self, reorged: &Reorged) {
        let change = reorged.change();
        if let Some(removed) = change.removed() {
            let (start, end) = removed.range;
            self.nodes.0.retain(|index, _| !(start..end).contains(index) && !removed.across.contains(index));
        }
        self.nodes.0.extend(change.nodes().iter().map(|node| (node.index, *node)));
        self.blocks.truncate(change.ancestors() as usize);
        self.blocks.resize(change.head().length() as usize, None);
        self.head = change.head().clone();
    }

    /// All that is stored is what the log has, and every block leads to a root.
    fn check(&self, log: &Log) {
        // a truncation leaves the node above a root that covers all
        let known = |index: &u64| flat::right_span(*index) / 2 < self.head.length();
        for (index, node) in self.nodes.0.iter().filter(|(index, _)| known(index)) {
            assert_eq!(Some(node), log.nodes.0.get(index), "not a node of this log");
        }
        for root in self.head.roots() {
            assert!(self.nodes.0.contains_key(&root.index), "root {} is not stored", root.index);
        }
        for (index, block) in self.blocks.iter().enumerate() {
            let Some(block) = block else { continue };
            assert_eq!(block, &log.blocks[index]);
            let mut cursor = flat::Cursor::new(index as u64 * 2);
            while !cursor.contains(self.head.length() * 2) {
                assert!(self.nodes.0.contains_key(&cursor.index()), "block {index} hangs in the air");
                cursor.parent().unwrap();
            }
        }
    }
}

fn block(history: u8, index: usize) -> Bytes {
    Bytes::from(vec![history; index * 7 % 23])
}

/// Two logs with a common beginning; the second is on a higher fork.
fn forks(shared: usize, ours: usize, theirs: usize) -> (Log, Log) {
    let make = |fork: u64, length: usize| {
        let block = |i: usize| {
            let history = if i < shared { 0 } else { 1 + fork as u8 };
            [block(history, i), Bytes::from(vec![history])].concat().into()
        };
        Log::of_blocks(fork, (0..length).map(block).collect())
    };
    (make(0, ours), make(3, theirs))
}

fn head_proof(log: &Log, asked: u64) -> Proof {
    log.prove(log.blocks.len() as u64, &ask(Some((0, asked)), None)).unwrap()
}

/// Asks until it is known what is shared. Returns also how many answers it took.
fn run(reader: &Reader, log: &Log, mut pick: impl FnMut(u64, u64) -> Option<u64>) -> (Reorged, usize) {
    let length = log.blocks.len() as u64;
    let proof = head_proof(log, length);
    let mut reorg = Reorg::start(&reader.head, &proof, Some(&log.verifier), &reader.nodes).unwrap();
    let mut count = 0;
    while let Some(want) = reorg.want() {
        assert!(want.start < want.end && want.end <= length, "{want:?}");
        let hash = pick(want.start, want.end).map_or_else(|| want.request(), |block| want.request_at(block));
        let request = ProofRequest { hash: Some(hash), ..ProofRequest::default() };
        reorg.update(&log.prove(length, &request).unwrap(), &reader.nodes).unwrap();
        count += 1;
    }
    (reorg.finish().unwrap(), count)
}

#[test]
fn f12_a_proof_of_another_fork_is_not_applied() {
    let (ours, theirs) = forks(3, 5, 8);
    let reader = Reader::whole(&ours);
    let upgrade = theirs.prove(8, &ask(Some((5, 3)), None)).unwrap();
    assert_eq!(verify(&reader.head, &upgrade).unwrap_err(), ProofError::Fork { ours: 0, theirs: 3 });
    let block = theirs.prove(8, &ask(None, Some((0, 0)))).unwrap();
    assert_eq!(verify(&reader.head, &block).unwrap_err(), ProofError::Fork { ours: 0, theirs: 3 });
}

#[test]
fn f12_only_a_signed_head_of_a_higher_fork_starts_a_reorg() {
    let (ours, theirs) = forks(3, 5, 8);
    let reader = Reader::whole(&ours);
    let start = |proof: &Proof, verifier: Option<&Verifier>| {
        Reorg::start(&reader.head, proof, verifier, &reader.nodes).is_ok()
    };
    let good = head_proof(&theirs, 8);
    assert!(start(&good, Some(&theirs.verifier)));
    assert!(!start(&good, None), "without a manifest");
    assert!(!start(&head_proof(&ours, 5), Some(&ours.verifier)), "the same fork");
    let spoiled = |change: &dyn Fn(&mut Proof)| {
        let mut proof = good.clone();
        change(&mut proof);
        start(&proof, Some(&theirs.verifier))
    };
    assert!(!spoiled(&|proof| proof.fork = 4), "the fork is signed too");
    assert!(!spoiled(&|proof| proof.upgrade.as_mut().unwrap().signature[20] ^= 1));
    assert!(!spoiled(&|proof| proof.upgrade.as_mut().unwrap().nodes[0].hash = [1; 32].into()));
    assert!(!spoiled(&|proof| proof.upgrade = None));
    // a head with a block that is no part of it
    let block = ours.prove(5, &ask(None, Some((0, 0)))).unwrap().block;
    assert!(!spoiled(&|proof| proof.block.clone_from(&block)));
}

#[test]
fn f13_the_last_common_length_of_all_small_forks() {
    for shared in 0..10 {
        for ours in shared..12 {
            for theirs in shared.max(1)..14 {
                let (ours, theirs) = forks(shared, ours, theirs);
                let mut reader = Reader::whole(&ours);
                let (reorged, _) = run(&reader, &theirs, |_, _| None);
                let expected = shared.min(ours.blocks.len()).min(theirs.blocks.len());
                assert_eq!(reorged.change().ancestors(), expected as u64);
                assert_eq!(
                    (reorged.change().head().length(), reorged.change().head().fork()),
                    (theirs.blocks.len() as u64, 3)
                );
                reader.replace(&reorged);
                reader.check(&theirs);
                assert_eq!(reader.blocks.iter().flatten().count(), expected);
            }
        }
    }
}

#[test]
fn f13_a_long_fork_and_a_big_gap_take_few_answers() {
    for (shared, ours, theirs) in
        [(0, 3000, 4000), (2047, 2048, 4000), (2990, 3000, 3001), (5, 10, 4000), (1500, 4000, 1501)]
    {
        let (ours, theirs) = forks(shared, ours, theirs);
        let reader = Reader::whole(&ours);
        let (reorged, answers) = run(&reader, &theirs, |_, _| None);
        assert_eq!(reorged.change().ancestors(), shared as u64);
        assert!(answers <= 12, "{answers} answers for {shared}");
    }
    let (ours, theirs) = forks(2990, 3000, 3001);
    let reader = Reader::whole(&ours);
    assert!(run(&reader, &theirs, |_, _| None).1 <= 4, "one that parts near the end");
}

#[test]
fn f13_an_answer_to_something_else_changes_nothing() {
    let (ours, theirs) = forks(5, 16, 16);
    let reader = Reader::whole(&ours);
    let proof = head_proof(&theirs, 16);
    let mut reorg = Reorg::start(&reader.head, &proof, Some(&theirs.verifier), &reader.nodes).unwrap();
    let first = reorg.want().unwrap();
    assert_eq!((first.start, first.end, first.nodes), (0, 16, 4));
    let answer = |log: &Log, block: u64, nodes: u64| log.prove(16, &ask(None, Some((block, nodes)))).unwrap();
    let refused = |reorg: &mut Reorg, proof: &Proof| {
        let before = format!("{reorg:?}");
        assert!(reorg.update(proof, &reader.nodes).is_err());
        assert_eq!(format!("{reorg:?}"), before);
    };
    refused(&mut reorg, &answer(&theirs, 3, 2));
    refused(&mut reorg, &answer(&ours, 3, 4));
    refused(&mut reorg, &Proof { fork: 3, ..Proof::default() });
    reorg.update(&answer(&theirs, 15, 4), &reader.nodes).unwrap();
    assert!(reorg.want().is_some_and(|want| want.nodes < 4));
    // the same again, as from a second peer, comes too late
    refused(&mut reorg, &answer(&theirs, 15, 4));
    assert!(reorg.clone().finish().is_none(), "it is not known yet what they share");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn f13_a_sparse_reader_keeps_what_is_shared_whatever_peers_send(
        (shared, ours, theirs) in (0..80_usize, 0..80_usize, 1..80_usize),
        local in prop::collection::vec(any::<Index>(), 0..30),
        picks in prop::collection::vec((any::<Index>(), prop::option::of(tamper())), 1..12),
        spoiled_start in prop::option::of(tamper()),
        asked in any::<Index>(),
    ) {
        let (ours, theirs) = forks(shared, shared + ours, shared + theirs);
        let length = theirs.blocks.len() as u64;
        let count = ours.blocks.len();
        let local: Vec<u64> = local.iter().filter(|_| count > 0).map(|at| at.index(count) as u64).collect();
        let mut reader = Reader::new(&ours, local);
        let mut proof = head_proof(&theirs, 1 + asked.index(theirs.blocks.len()) as u64);
        let good = proof.clone();
        let start = |proof: &Proof| Reorg::start(&reader.head, proof, Some(&theirs.verifier), &reader.nodes);
        if let Some(how) = &spoiled_start {
            spoil(&mut proof, how);
        }
        let mut reorg: Reorg = match start(&proof) {
            Ok(reorg) => reorg,
            Err(_) => {
                prop_assert!(spoiled_start.is_some());
                start(&good).unwrap()
            }
        };
        let mut picks = picks.iter().cycle();
        while let (Some(want), Some((at, how))) = (reorg.want(), picks.next()) {
            let hash = want.request_at(want.start + at.index((want.end - want.start) as usize) as u64);
            let good = theirs.prove(length, &ProofRequest { hash: Some(hash), ..ProofRequest::default() }).unwrap();
            let mut bad = good.clone();
            if let Some(how) = how {
                spoil(&mut bad, how);
            }
            if reorg.update(&bad, &reader.nodes).is_err() {
                prop_assert!(how.is_some());
                reorg.update(&good, &reader.nodes).unwrap();
            }
        }
        let reorged = reorg.finish().unwrap();
        let ancestors = reorged.change().ancestors() as usize;
        prop_assert!(ancestors <= shared);
        prop_assert!(reader.blocks[ancestors..shared.min(count)].iter().all(Option::is_none), "a shared block is lost");
        reader.replace(&reorged);
        reader.check(&theirs);
        let missing = (0..length).filter(|index| reader.blocks[*index as usize].is_none()).collect::<Vec<_>>();
        reader.fetch(&theirs, missing);
        reader.nodes.0.retain(|index, _| flat::right_span(*index) / 2 < length);
        prop_assert_eq!(&reader.nodes, &theirs.nodes);
    }
}

/// Bytes that are moved between two siblings change no hash: such nodes are used for comparing, but not stored.
#[test]
fn f13_sizes_that_only_add_up_are_not_stored() {
    let (ours, theirs) = forks(5, 8, 8);
    let mut reader = Reader::whole(&ours);
    let mut reorg =
        Reorg::start(&reader.head, &head_proof(&theirs, 8), Some(&theirs.verifier), &reader.nodes).unwrap();
    while let Some(want) = reorg.want() {
        let request = ProofRequest { hash: Some(want.request_at(want.start)), ..ProofRequest::default() };
        let mut proof = theirs.prove(8, &request).unwrap();
        let nodes: &mut Vec<Node> = &mut proof.hash.as_mut().unwrap().nodes;
        nodes[0].size += 1;
        nodes[1].size -= 1;
        reorg.update(&proof, &reader.nodes).unwrap();
    }
    let reorged = reorg.finish().unwrap();
    assert_eq!(reorged.change().ancestors(), 5);
    reader.replace(&reorged);
    reader.check(&theirs);
}

#[test]
fn f13_reorgs_take_the_same_steps_as_in_node() {
    for vector in vectors("reorgs") {
        let field = |name: &str| number(&vector[name]);
        let make = |fork: u64, length: u64, history: u8| {
            let shared = field("shared");
            let block = |i: u64| Bytes::from(vec![if i < shared { 0 } else { history }, i as u8]);
            Log::of_blocks(fork, (0..length).map(block).collect())
        };
        let (ours, mut theirs) = (make(0, field("ours"), 1), make(field("fork"), field("theirs"), 2));
        theirs.pair = KeyPair::from_seed(&[1; 32]);
        let manifest = Manifest::single(theirs.pair.public());
        theirs.verifier = Verifier::new(manifest.key(), manifest).unwrap();
        let reader = Reader::whole(&ours);
        let proof = head_proof(&theirs, field("theirs"));
        let mut reorg = Reorg::start(&reader.head, &proof, Some(&theirs.verifier), &reader.nodes).unwrap();
        let mut wants = Vec::new();
        while let Some(want) = reorg.want() {
            wants.push(vec![want.start, want.end, want.nodes]);
            let request = ProofRequest { hash: Some(want.request()), ..ProofRequest::default() };
            reorg.update(&theirs.prove(field("theirs"), &request).unwrap(), &reader.nodes).unwrap();
        }
        let reorged = reorg.finish().unwrap();
        assert_eq!(serde_json::json!(wants), vector["wants"], "{vector}");
        assert_eq!(reorged.change().ancestors(), field("ancestors"), "{vector}");
        assert_eq!(reorged.change().head().hash().to_string(), vector["hash"].as_str().unwrap());
        assert_eq!(reorged.signature(), bytes(&vector["signature"]));
    }
}
