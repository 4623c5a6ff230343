//! Logs that begin with a prologue: who has less than that gets all of it, and nobody takes another beginning for it.

mod support;

use bytes::Bytes;
use hc_crypto::{Hash, KeyPair, Manifest, Prologue, Verifier, VerifyError};
use hc_tree::{ProofError, ProofRequest, TreeHead, UpgradeRequest, verify};
use support::Log;
use support::json::{number, plain, request, vectors};

const LENGTH: u64 = 5;

/// As in the script.
fn block(i: u64) -> Bytes {
    vec![u8::try_from(i).unwrap(); usize::try_from(i * 37 % 300).unwrap()].into()
}

fn log_with(prologue: Option<Hash>) -> Log {
    let mut log = Log::of_blocks(0, (0..8).map(block).collect());
    let hash = prologue.unwrap_or_else(|| log.head(LENGTH).hash());
    log.pair = KeyPair::from_seed(&[1; 32]);
    let prologue = Some(Prologue { hash, length: LENGTH });
    let manifest = Manifest { prologue, ..Manifest::single(log.pair.public()) };
    log.verifier = Verifier::new(manifest.key(), manifest).unwrap();
    log
}

fn upgrade(start: u64, length: u64) -> ProofRequest {
    ProofRequest { upgrade: Some(UpgradeRequest { start, length }), ..ProofRequest::default() }
}

#[test]
fn g18_a_request_that_begins_inside_the_prologue_gets_all_of_it_as_in_node() {
    let log = log_with(None);
    for vector in vectors("prologues") {
        assert_eq!(log.verifier.manifest().key(), support::json::key(&vector["key"]));
        let request = request(&vector).with_prologue(LENGTH);
        let ours = log.prove(number(&vector["at"]), &request).ok();
        assert_eq!(ours.as_ref().map_or(serde_json::Value::Null, plain), vector["proof"], "{vector}");
        let answered = ours.and_then(|proof| proof.upgrade).map(|upgrade| [upgrade.start, upgrade.length]);
        assert_eq!(serde_json::json!(answered), vector["answered"], "{vector}");
    }
}

#[test]
fn g17_a_log_is_taken_only_with_its_prologue() {
    let log = log_with(None);
    let empty = TreeHead::empty(0);
    let take = |log: &Log, head: &TreeHead, length: u64, request: &ProofRequest| {
        let proof = log.prove(length, request).unwrap();
        verify(head, &proof)?
            .confirm(None, Some(&log.verifier))
            .map(|verified| verified.upgrade().map(|(head, _)| head.clone()))
    };
    let longer = take(&log, &empty, 8, &upgrade(0, 8).with_prologue(LENGTH)).unwrap();
    assert_eq!(longer, Some(log.head(8)));
    assert_eq!(take(&log, &empty, 5, &upgrade(0, 5)).unwrap(), Some(log.head(5)));
    assert_eq!(take(&log, &log.head(5), 8, &upgrade(5, 3)).unwrap(), Some(log.head(8)));
    let refused = Err(ProofError::Signature(VerifyError::Prologue));
    // what is signed, but does not show the prologue, or only part of it
    assert_eq!(take(&log, &empty, 8, &upgrade(0, 8)), refused);
    assert_eq!(take(&log, &empty, 8, &upgrade(0, 3)), refused);
    assert_eq!(take(&log, &log.head(3), 8, &upgrade(3, 5)), refused);
    // a signer that signs another beginning
    let other = log_with(Some(Hash::from([9; 32])));
    assert_eq!(take(&other, &empty, 8, &upgrade(0, 5)), refused);
    assert_eq!(take(&other, &empty, 8, &upgrade(0, 8)), refused);
}
