//! Proofs that stand alone, and roots that were lost: as Node makes them, and against what a hostile sender may alter.

mod support;

use bytes::Bytes;
use hc_crypto::{Key, KeyPair, Manifest, Namespace, Signer, Verifier};
use hc_tree::{Batch, Proof, ProofError, RemoteProof, SignedChange, StoredHead, TreeHead, flat, plan};
use proptest::prelude::*;
use support::json::{bytes, key, number, vectors};
use support::{Failed, Log, Stored, spoil, tamper};

/// As in the script.
fn block(i: u64) -> Bytes {
    vec![u8::try_from(i).unwrap(); usize::try_from(i * 37 % 300).unwrap()].into()
}

fn verifier(kind: &str) -> Verifier {
    let public_key = KeyPair::from_seed(&[1; 32]).public();
    let manifest = Manifest::single(public_key);
    match kind {
        "v1" => Verifier::new(manifest.key(), manifest),
        "compat" => Verifier::new(Key::from(public_key.as_bytes()), manifest),
        _ => {
            let signers = vec![Signer { namespace: Namespace::from([5; 32]), public_key }];
            let manifest = Manifest { version: 0, signers, ..manifest };
            Verifier::new(manifest.key(), manifest)
        }
    }
    .unwrap()
}

fn signed(length: u64, verifier: &Verifier) -> (SignedChange, Stored) {
    let mut batch = Batch::new(&TreeHead::empty(0));
    (0..length).for_each(|i| batch.append(&block(i)));
    let signed = batch.finish().sign(verifier, &KeyPair::from_seed(&[1; 32])).unwrap();
    let nodes = signed.change().nodes().iter().map(|node| (node.index, *node)).collect();
    (signed, Stored(nodes))
}

fn prove(length: u64, request: &hc_tree::ProofRequest, verifier: &Verifier) -> Proof {
    let (signed, stored) = signed(length, verifier);
    let plan = plan(signed.change().head(), request, &stored).unwrap();
    let nodes: Vec<_> = plan.indices().map(|index| stored.0.get(&index).copied()).collect();
    let value = request.block.map(|asked| block(asked.index));
    plan.build(0, signed.signature(), value, Some(verifier.manifest().clone()), nodes).unwrap()
}

#[test]
fn f14_proofs_that_stand_alone_are_nodes_byte_for_byte() {
    for vector in vectors("remotes") {
        let (length, index) = (number(&vector["length"]), vector["index"].as_u64());
        let verifier = verifier(vector["kind"].as_str().unwrap());
        let request = RemoteProof::request(vector["upgrade"].as_u64().unwrap_or(length), index);
        let ours = RemoteProof::new(&key(&vector["key"]), prove(length, &request, &verifier));
        assert_eq!(hex::encode(ours.to_bytes()), vector["proof"].as_str().unwrap(), "{vector}");
        assert_eq!(RemoteProof::from_bytes(&bytes(&vector["proof"]).into()).unwrap(), ours);
    }
}

#[test]
fn f14_a_proof_of_nodes_is_verified_with_nothing_but_the_key() {
    for vector in vectors("remotes") {
        let (length, index) = (number(&vector["length"]), vector["index"].as_u64());
        let remote = RemoteProof::from_bytes(&bytes(&vector["proof"]).into()).unwrap();
        let shown = remote.verify(&key(&vector["key"]), None).unwrap();
        let (signed, _) = signed(length, &verifier(vector["kind"].as_str().unwrap()));
        assert_eq!(
            shown.head(),
            signed.change().head(),
            "the whole head, also where a shorter one was asked for"
        );
        assert_eq!(shown.signature(), signed.signature());
        assert_eq!(
            shown.block(),
            index.map(|index| (index, block(index))).as_ref().map(|(i, value)| (*i, value))
        );
        assert!(remote.verify(&key(&vector["key"]), Some(shown.verifier())).is_ok());
        let other = Manifest::single(KeyPair::from_seed(&[2; 32]).public()).key();
        assert_eq!(remote.verify(&other, None).unwrap_err(), ProofError::OtherLog);
    }
}

#[test]
fn f14_a_block_that_is_no_part_of_the_head_is_refused() {
    let verifier = verifier("v1");
    let key = verifier.manifest().key();
    let mut proof = prove(6, &RemoteProof::request(6, None), &verifier);
    proof.block = prove(3, &RemoteProof::request(3, Some(1)), &verifier).block;
    proof.block.as_mut().unwrap().value = Bytes::from_static(b"another");
    assert!(RemoteProof::new(&key, proof.clone()).verify(&key, None).is_err());
    proof.block = None;
    assert!(RemoteProof::new(&key, proof.clone()).verify(&key, None).is_ok());
    proof.manifest = Some(Manifest::single(KeyPair::from_seed(&[2; 32]).public()));
    assert!(matches!(RemoteProof::new(&key, proof).verify(&key, None), Err(ProofError::Signature(_))));
}

proptest! {
    #[test]
    fn f14_an_altered_proof_shows_the_truth_or_nothing(
        length in 1..30_u64, asked in any::<u64>(), index in prop::option::of(any::<u64>()), how in tamper(),
    ) {
        let verifier = verifier("v1");
        let key = verifier.manifest().key();
        let asked = 1 + asked % length;
        let mut proof = prove(length, &RemoteProof::request(asked, index.map(|index| index % asked)), &verifier);
        spoil(&mut proof, &how);
        if let Ok(shown) = RemoteProof::new(&key, proof).verify(&key, None) {
            let (signed, _) = signed(length, &verifier);
            prop_assert_eq!(shown.head(), signed.change().head());
            if let Some((index, value)) = shown.block() {
                prop_assert_eq!(value, &block(index));
            }
        }
    }

    #[test]
    fn any_bytes_are_a_proof_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = RemoteProof::from_bytes(&bytes.into());
    }
}

#[test]
fn m7_a_lost_root_comes_back_from_a_proof_of_nodes() {
    let verifier = verifier("v1");
    for vector in vectors("recoveries") {
        let (length, root) = (number(&vector["length"]), number(&vector["root"]));
        let remote = RemoteProof::from_bytes(&bytes(&vector["proof"]).into()).unwrap();
        // the head of the blocks up to the end of that root
        let request = RemoteProof::request(flat::right_span(root) / 2 + 1, None);
        let ours = RemoteProof::new(&verifier.manifest().key(), prove(length, &request, &verifier));
        assert_eq!(remote, ours, "{vector}");
        let (signed, whole) = signed(length, &verifier);
        let mut broken = whole.clone();
        broken.0.remove(&root);
        let head = stored(&signed);
        let recovered = head.recover(&remote.proof, &verifier, &broken).unwrap();
        assert_eq!(recovered.head(), signed.change().head());
        assert_eq!(recovered.nodes(), [whole.0[&root]]);
    }
}

fn stored(signed: &SignedChange) -> StoredHead<'_> {
    let head = signed.change().head();
    StoredHead { fork: 0, length: head.length(), root_hash: head.hash(), signature: signed.signature() }
}

#[test]
fn m7_all_roots_come_back_from_a_peer_that_has_more() {
    let verifier = verifier("v1");
    let (signed, _) = signed(7, &verifier);
    let head = stored(&signed);
    let nothing = Stored::default();
    let recovered = head.recover(&prove(20, &head.request(), &verifier), &verifier, &nothing).unwrap();
    assert_eq!(
        (recovered.head(), recovered.nodes()),
        (signed.change().head(), signed.change().head().roots())
    );
}

#[test]
fn m7_roots_of_anything_else_are_refused() {
    let verifier = verifier("v1");
    let (signed, _) = signed(7, &verifier);
    let head = stored(&signed);
    let good = prove(7, &head.request(), &verifier);
    let refused = |head: &StoredHead<'_>, proof: &Proof| {
        head.recover(proof, &verifier, &Stored::default()).unwrap_err()
    };
    for at in 0..3 {
        let with = |change: fn(&mut hc_tree::Node)| {
            let mut proof = good.clone();
            change(&mut proof.upgrade.as_mut().unwrap().nodes[at]);
            refused(&head, &proof)
        };
        assert_eq!(with(|node| node.hash = [1; 32].into()), Failed::Proof(ProofError::Roots));
        assert_eq!(with(|node| node.size += 1), Failed::Proof(ProofError::Roots));
        assert!(matches!(with(|node| node.index += 2), Failed::Proof(ProofError::NodeMissing { .. })));
    }
    assert!(matches!(
        refused(&head, &Proof { fork: 1, ..good.clone() }),
        Failed::Proof(ProofError::Fork { .. })
    ));
    assert!(matches!(
        refused(&head, &Proof::default()),
        Failed::Proof(ProofError::NodeMissing { expected: 3 })
    ));
    let damaged = StoredHead { signature: &[0; 66], ..head };
    assert!(matches!(refused(&damaged, &good), Failed::Proof(ProofError::Signature(_))));
    // a log of the same length that is signed by the same key, but is not this one
    let other = Log::new(&[1; 7]).prove(7, &head.request()).unwrap();
    assert_eq!(refused(&head, &other), Failed::Proof(ProofError::Roots));
}
