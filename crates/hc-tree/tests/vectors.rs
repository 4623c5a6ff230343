//! Trees and proofs are those of Node. The vectors are made by `interop/generate/tree.mjs`: a log whose blocks both sides know,
//! and proofs as lists of node indices, since a log has only one node for each.

mod support;

use std::collections::BTreeMap;

use bytes::Bytes;
use hc_crypto::{KeyPair, Manifest, Verifier};
use hc_tree::{
    Batch, BlockRequest, MissingNode, Node, NodeReader, Proof, ProofError, ProofRequest, RequestError,
    TreeHead, UpgradeRequest, Verified, missing_nodes, plan, verify,
};
use serde_json::Value;
use support::json::{number, plain, request, vectors};

/// As in the script.
fn block(i: u64) -> Bytes {
    vec![u8::try_from(i).unwrap(); usize::try_from(i * 37 % 300).unwrap()].into()
}

/// Nodes that are stored.
#[derive(Default)]
struct Stored(BTreeMap<u64, Node>);

#[derive(Debug)]
#[expect(dead_code, reason = "the errors are shown when a test fails")]
enum Failed {
    Request(RequestError),
    Missing(MissingNode),
}

impl From<RequestError> for Failed {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl From<MissingNode> for Failed {
    fn from(error: MissingNode) -> Self {
        Self::Missing(error)
    }
}

impl NodeReader for Stored {
    type Error = Failed;

    fn node(&self, index: u64) -> Result<Option<Node>, Failed> {
        Ok(self.0.get(&index).copied())
    }
}

/// The log of the script, with this many blocks.
struct Log {
    head: TreeHead,
    nodes: Stored,
    signature: Vec<u8>,
    verifier: Verifier,
}

impl Log {
    fn new(length: u64) -> Self {
        let pair = KeyPair::from_seed(&[1; 32]);
        let manifest = Manifest::single(pair.public());
        let verifier = Verifier::new(manifest.key(), manifest).unwrap();
        let mut batch = Batch::new(&TreeHead::empty(0));
        for i in 0..length {
            batch.append(&block(i));
        }
        let signed = batch.finish().sign(&verifier, &pair).unwrap();
        let nodes = Stored(signed.change().nodes().iter().map(|node| (node.index, *node)).collect());
        let (head, signature) = signed.into_head();
        Self { head, nodes, signature, verifier }
    }

    fn prove(&self, request: &ProofRequest) -> Result<Proof, Failed> {
        let plan = plan(&self.head, request, &self.nodes)?;
        let value = request.block.map(|asked| block(asked.index));
        let nodes: Vec<Option<Node>> =
            plan.indices().map(|index| self.nodes.0.get(&index).copied()).collect();
        Ok(plan.build(0, &self.signature, value, None, nodes)?)
    }

    /// Checks a proof as a reader with this head and these nodes does.
    fn accept(&self, head: &TreeHead, stored: &Stored, proof: &Proof) -> Result<Verified, ProofError> {
        let unchecked = verify(head, proof)?;
        let anchor = unchecked.anchor().and_then(|index| stored.0.get(&index).copied());
        unchecked.confirm(anchor.as_ref(), Some(&self.verifier))
    }
}

#[test]
fn b3_tree_hashes_of_all_lengths_are_nodes() {
    let mut head = TreeHead::empty(0);
    for vector in vectors("hashes") {
        let length = number(&vector["length"]);
        if length > 0 {
            let mut batch = Batch::new(&head);
            batch.append(&block(length - 1));
            head = batch.finish().head().clone();
        }
        assert_eq!(head.length(), length);
        assert_eq!(head.hash().to_string(), vector["hash"].as_str().unwrap(), "at {length}");
        assert_eq!(head.byte_length(), number(&vector["byteLength"]));
        assert_eq!(Log::new(length).head, head, "one batch or many give the same tree");
    }
}

#[test]
fn the_signature_of_a_head_is_nodes() {
    for vector in vectors("signed") {
        assert_eq!(
            hex::encode(Log::new(number(&vector["length"])).signature),
            vector["signature"].as_str().unwrap()
        );
    }
}

#[test]
fn f2_f3_f4_f7_proofs_consist_of_the_nodes_that_node_sends() {
    for vector in vectors("proofs") {
        let (at, request) = (number(&vector["at"]), request(&vector));
        let ours = Log::new(at).prove(&request);
        if request.block.is_some_and(|asked| asked.index >= at) {
            // Node answers some of these with an empty proof
            assert!(matches!(ours, Err(Failed::Request(_))), "{vector}: {ours:?}");
            continue;
        }
        let ours = ours.ok().map_or(Value::Null, |proof| plain(&proof));
        assert_eq!(ours, vector["proof"], "{vector}");
    }
}

#[test]
fn f5_seeks_lead_down_the_nodes_that_node_sends() {
    let mut found = 0;
    for vector in vectors("seeks") {
        let (at, request) = (number(&vector["at"]), request(&vector));
        let log = Log::new(at);
        let ours = log.prove(&request).ok();
        let plain = ours.as_ref().map_or(Value::Null, plain);
        assert_eq!(plain, vector["proof"], "{vector}");
        let Some(proof) = ours.filter(|proof| proof.seek.is_some()) else { continue };
        let reader = Log::new(request.upgrade.map_or(at, |upgrade| upgrade.start));
        let verified = log.accept(&reader.head, &reader.nodes, &proof);
        let verified = verified.unwrap_or_else(|error| panic!("{vector}: {error}"));
        for node in verified.nodes().iter().chain(verified.claimed()) {
            assert_eq!(log.nodes.0.get(&node.index), Some(node), "{vector}");
        }
        found += 1;
    }
    assert!(found > 200, "{found}");
}

#[test]
fn f2_f3_f4_f7_what_is_proven_is_accepted_by_who_has_less() {
    let mut accepted = 0;
    for vector in vectors("proofs") {
        let (at, request) = (number(&vector["at"]), request(&vector));
        let log = Log::new(at);
        let Ok(proof) = log.prove(&request) else { continue };
        // who asks for a longer log has the shorter one; others have this one
        let reader = Log::new(request.upgrade.map_or(at, |upgrade| upgrade.start));
        let verified = log
            .accept(&reader.head, &reader.nodes, &proof)
            .unwrap_or_else(|error| panic!("{vector}: {error}"));
        for node in verified.nodes() {
            assert_eq!(log.nodes.0.get(&node.index), Some(node), "{vector}");
        }
        if let Some((head, signature)) = verified.upgrade() {
            assert_eq!((head, signature), (&log.head, log.signature.as_slice()), "{vector}");
        }
        if let Some(asked) = request.block {
            assert_eq!(verified.block(), Some((asked.index, &block(asked.index))));
        }
        accepted += 1;
    }
    assert!(accepted > 1000, "{accepted}");
}

#[test]
fn f11_a_proof_that_is_wrong_anywhere_is_refused() {
    let (log, reader) = (Log::new(13), Log::new(5));
    let asked = ProofRequest {
        block: Some(BlockRequest { index: 9, nodes: 0 }),
        upgrade: Some(UpgradeRequest { start: 5, length: 8 }),
        ..ProofRequest::default()
    };
    let good = log.prove(&asked).unwrap();
    assert!(log.accept(&reader.head, &reader.nodes, &good).is_ok());
    let mut bad: Vec<Proof> = Vec::new();
    let mut spoil = |spoil: &dyn Fn(&mut Proof)| {
        let mut proof = good.clone();
        spoil(&mut proof);
        bad.push(proof);
    };
    spoil(&|proof| proof.fork = 1);
    spoil(&|proof| proof.block.as_mut().unwrap().value = Bytes::from_static(b"another"));
    spoil(&|proof| proof.block.as_mut().unwrap().index = 8);
    spoil(&|proof| proof.block.as_mut().unwrap().nodes.clear());
    spoil(&|proof| proof.block.as_mut().unwrap().nodes[0].size += 1);
    spoil(&|proof| proof.block.as_mut().unwrap().nodes[0].index += 2);
    spoil(&|proof| proof.block.as_mut().unwrap().nodes.reverse());
    spoil(&|proof| proof.upgrade.as_mut().unwrap().start = 4);
    spoil(&|proof| proof.upgrade.as_mut().unwrap().length = 7);
    spoil(&|proof| proof.upgrade.as_mut().unwrap().nodes[0].hash = [0; 32].into());
    spoil(&|proof| proof.upgrade.as_mut().unwrap().nodes[0].size += 1);
    spoil(&|proof| proof.upgrade.as_mut().unwrap().nodes.truncate(1));
    spoil(&|proof| proof.upgrade.as_mut().unwrap().signature[9] ^= 1);
    spoil(&|proof| proof.upgrade.as_mut().unwrap().signature.clear());
    for (position, proof) in bad.iter().enumerate() {
        assert!(log.accept(&reader.head, &reader.nodes, proof).is_err(), "spoiled in way {position}");
    }
}

#[test]
fn f1_a_sparse_reader_misses_as_many_nodes_as_in_node() {
    let vectors = vectors("missing");
    let length = u64::try_from(vectors[0]["counts"].as_array().unwrap().len()).unwrap();
    let log = Log::new(length);
    let (mut head, mut stored) = (TreeHead::empty(0), Stored::default());
    for vector in vectors {
        let proof = log.prove(&request(&vector)).unwrap();
        let verified = log.accept(&head, &stored, &proof).unwrap_or_else(|error| panic!("{vector}: {error}"));
        stored.0.extend(verified.nodes().iter().map(|node| (node.index, *node)));
        if let Some((longer, _)) = verified.upgrade() {
            head = longer.clone();
        }
        let counts: Value = (0..length).map(|i| missing_nodes(&stored, 2 * i, length).unwrap()).collect();
        assert_eq!(counts, vector["counts"], "after {vector}");
    }
}
