//! Signatures of signers whose logs have different lengths are made and judged as Node does. The vectors are made by
//! `interop/generate/multisig.mjs`; block *i* of every log is the text of *i*.

use std::collections::BTreeMap;

use compact_encoding::{Decode, Encode};
use hc_crypto::multisig::{MultiSignature, PatchNode, signable_length};
use hc_crypto::{KeyPair, Manifest, PartialSignature, Signer, Verifier, VerifyError};
use hc_tree::{Batch, Node, NodeReader, Proof, ProofError, StoredHead, TreeHead, UpgradeProof, patch_nodes};
use proptest::prelude::*;
use serde_json::Value;

fn vectors(list: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("vectors/multisig.json")).unwrap();
    let list = all[list].as_array().unwrap().clone();
    assert!(!list.is_empty());
    list
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn unhex(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

/// The log with so many blocks, and all nodes of its tree.
fn log(fork: u64, length: u64) -> (TreeHead, BTreeMap<u64, Node>) {
    let mut batch = Batch::new(&TreeHead::empty(fork));
    (0..length).for_each(|index| batch.append(index.to_string().as_bytes()));
    let change = batch.finish();
    (change.head().clone(), change.nodes().iter().map(|node| (node.index, *node)).collect())
}

fn pairs() -> [KeyPair; 3] {
    [1, 2, 3].map(|seed| KeyPair::from_seed(&[seed; 32]))
}

/// What a signer with a log of `signed` blocks gives to the signature of a head with `length`.
fn part(verifier: &Verifier, pair: &KeyPair, fork: u64, length: u64, signed: u64) -> PartialSignature {
    let (head, nodes) = log(fork, signed);
    let part = verifier.sign_part(pair, &head.hash(), signed, fork).unwrap();
    let patch =
        patch_nodes(length, signed).into_iter().map(|index| PatchNode::from(&nodes[&index])).collect();
    part.of_longer(signed - length, patch)
}

fn verifier(vector: &Value) -> Verifier {
    let manifest = Manifest::from_bytes(&unhex(&vector["manifest"])).unwrap();
    Verifier::new(manifest.key(), manifest).unwrap()
}

#[test]
fn g11_g13_signatures_over_several_lengths_are_put_together_as_in_node() {
    for vector in vectors("assembled") {
        let (verifier, length) = (verifier(&vector), number(&vector["length"]));
        let fork = number(&vector["fork"]);
        let two = |field: &str| [0, 1].map(|i| number(&vector[field][i]));
        let mut parts = Vec::new();
        for (signer, signed) in two("signers").into_iter().zip(two("lengths")) {
            let pair = &pairs()[usize::try_from(signer).unwrap()];
            parts.push(part(&verifier, pair, fork, length, signed));
        }
        let signature = verifier.assemble(&parts).unwrap();
        assert_eq!(hex::encode(&signature), vector["signature"].as_str().unwrap(), "{}", vector["lengths"]);
        assert_eq!(vector["valid"], true);
        assert_eq!(verifier.verify_head(&log(fork, length).0, &signature), Ok(()), "{}", vector["lengths"]);
    }
}

/// A log none of whose nodes are stored.
struct Nothing;

impl NodeReader for Nothing {
    type Error = ProofError;

    fn node(&self, _: u64) -> Result<Option<Node>, ProofError> {
        Ok(None)
    }
}

#[test]
fn regression_roots_of_a_log_whose_signers_had_longer_ones_come_back() {
    for vector in vectors("assembled") {
        let (length, fork, signature) =
            (number(&vector["length"]), number(&vector["fork"]), unhex(&vector["signature"]));
        let head = log(fork, length).0;
        let upgrade = UpgradeProof {
            start: 0,
            length,
            nodes: head.roots().to_vec(),
            additional_nodes: Vec::new(),
            signature: Vec::new(),
        };
        let proof = Proof { fork, upgrade: Some(upgrade), ..Proof::default() };
        let stored = StoredHead { fork, length, root_hash: head.hash(), signature: &signature };
        let recovered = stored.recover(&proof, &verifier(&vector), &Nothing).unwrap();
        assert_eq!(recovered.head(), &head, "{}", vector["lengths"]);
    }
}

#[test]
fn g11_g13_altered_patches_are_judged_as_in_node() {
    let (mut good, mut bad) = (0, 0);
    for vector in vectors("altered") {
        let head = log(number(&vector["fork"]), number(&vector["length"])).0;
        let judged = verifier(&vector).verify_head(&head, &unhex(&vector["signature"]));
        let valid = vector["valid"].as_bool().unwrap();
        assert_eq!(judged.is_ok(), valid, "{}: {judged:?}", vector["what"]);
        *if valid { &mut good } else { &mut bad } += 1;
    }
    assert!(good > 10 && bad > 20, "{good} good, {bad} bad");
}

#[test]
fn g13_the_length_that_a_quorum_has_is_nodes() {
    for vector in vectors("lengths") {
        let lengths: Vec<u64> = vector["lengths"].as_array().unwrap().iter().map(number).collect();
        assert_eq!(
            signable_length(&lengths, number(&vector["quorum"])),
            number(&vector["length"]),
            "{vector}"
        );
    }
}

/// A log that two of three must sign, of whatever lengths.
fn patched() -> Verifier {
    let signers = pairs().iter().map(|pair| Signer::new(pair.public())).collect();
    let manifest = Manifest { allow_patch: true, ..Manifest::several(signers) };
    Verifier::new(manifest.key(), manifest).unwrap()
}

#[test]
fn g11_g13_a_quorum_signs_what_is_appended_and_not_a_part_of_it() {
    let (verifier, [a, b, _]) = (patched(), pairs());
    let change = |length: u64| {
        let mut batch = Batch::new(&TreeHead::empty(0));
        (0..length).for_each(|index| batch.append(index.to_string().as_bytes()));
        batch.finish()
    };
    let parts = [part(&verifier, &a, 0, 5, 5), part(&verifier, &b, 0, 5, 9)];
    let signature = verifier.assemble(&parts).unwrap();
    let signed = change(5).signed_with(&verifier, signature.clone()).unwrap();
    assert_eq!((signed.change().head().length(), signed.signature()), (5, &signature[..]));
    for length in [4, 6, 9] {
        assert!(change(length).signed_with(&verifier, signature.clone()).is_err(), "length {length}");
    }
}

#[test]
fn g13_a_patch_of_absurd_length_is_refused_and_costs_nothing() {
    let (verifier, [a, b, _]) = (patched(), pairs());
    let parts = [part(&verifier, &a, 0, 5, 5), part(&verifier, &b, 0, 5, 9)];
    let good = MultiSignature::assemble(&parts);
    let head = log(0, 5).0;
    assert_eq!(verifier.verify_head(&head, &good.to_vec()), Ok(()));
    for blocks in [1 << 51, 1 << 52, (1 << 52) - 5, (1 << 53) - 1] {
        let mut altered = good.clone();
        altered.proofs[1].patch = blocks;
        let refused = VerifyError::Patch { signer: 1, blocks };
        assert_eq!(verifier.verify_head(&head, &altered.to_vec()), Err(refused));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn g13_signers_of_any_two_lengths_sign_what_both_have(a in 1_u64..200, b in 1_u64..200, fork in 0_u64..3) {
        let (verifier, [one, two, _]) = (patched(), pairs());
        let length = signable_length(&[a, b], 2);
        let parts = [part(&verifier, &one, fork, length, a), part(&verifier, &two, fork, length, b)];
        let signature = verifier.assemble(&parts).unwrap();
        prop_assert_eq!(verifier.verify_head(&log(fork, length).0, &signature), Ok(()));
        // and nothing else
        for other in [length - 1, length + 1, a.max(b) + 1] {
            prop_assert!(verifier.verify_head(&log(fork, other).0, &signature).is_err());
        }
    }
}
