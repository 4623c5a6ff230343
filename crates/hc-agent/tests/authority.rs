//! Interop of who may sign a log: manifests over the wire, between Rust and Node.

mod support;

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hc_interop::{Value, json};
use hypercore::{Hypercore, KeyPair, Manifest, Signer};
use support::{Actor, Core, with_pairs};

/// Waits until the core knows who may sign it.
fn manifest_of(core: &Core<'_>) -> Value {
    let late = Instant::now() + Duration::from_secs(20);
    loop {
        let manifest = core.state("manifest");
        if !manifest.is_null() || Instant::now() > late {
            return manifest;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn g9_the_manifest_comes_with_the_first_upgrade_and_is_handed_on() {
    with_pairs("G9", |writer, reader| {
        let (writer, first, second) = (Actor::new(writer), Actor::new(reader), Actor::new(writer));
        let log = writer.named("log");
        log.append(&["a", "b"]);
        let (copy, further) = (first.copy(&log), second.copy(&log));
        first.connect(&writer.listen());
        copy.wait_for_length(2);
        assert_eq!(copy.state("manifest"), log.state("manifest"));
        second.connect(&first.listen());
        further.wait_for_length(2);
        assert_eq!(further.state("manifest"), log.state("manifest"));
    });
}

#[test]
fn g9_the_manifest_of_an_empty_log_comes_too() {
    with_pairs("G9", |writer, reader| {
        let (writer, reader) = (Actor::new(writer), Actor::new(reader));
        let log = writer.named("log");
        let copy = reader.copy(&log);
        reader.connect(&writer.listen());
        assert_eq!(manifest_of(&copy), log.state("manifest"));
        // and the connection is as good as any
        log.append(&["a"]);
        copy.wait_for_length(1);
        assert_eq!(copy.block(0), b"a");
    });
}

/// What two of three signers of a log sign for its first blocks, the texts of their numbers.
fn quorum(manifest: &Manifest, signers: [u8; 2], length: u64) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let hash = runtime.block_on(async {
        let same = Hypercore::memory().await.unwrap();
        same.append_batch((0..length).map(|block| block.to_string())).await.unwrap();
        same.tree_hash().await.unwrap()
    });
    let verifier = hc_crypto::Verifier::new(manifest.key(), manifest.clone()).unwrap();
    let part = |seed| verifier.sign_part(&KeyPair::from_seed(&[seed; 32]), &hash, length, 0).unwrap();
    hex::encode(verifier.assemble(&signers.map(part)).unwrap())
}

#[test]
fn g11_g15_a_log_of_several_signers_replicates_and_goes_on_after_reopening() {
    with_pairs("G15", |writer, reader| {
        let dir = tempfile::tempdir().unwrap();
        let signers = [1, 2, 3].map(|seed| Signer::new(KeyPair::from_seed(&[seed; 32]).public()));
        let manifest = Manifest::several(signers.to_vec());
        let target = json!({ "manifest": STANDARD.encode(manifest.to_bytes()) });
        let append = |log: &Core<'_>, start: u64, end: u64, signers| {
            let blocks: Vec<String> = (start..end).map(|block| STANDARD.encode(block.to_string())).collect();
            log.call("append", json!({ "blocks": blocks, "signature": quorum(&manifest, signers, end) }));
        };
        let first = Actor::at(writer, dir.path());
        append(&first.get(target.clone()), 0, 3, [1, 3]);
        first.close();
        let (again, reader) = (Actor::at(writer, dir.path()), Actor::new(reader));
        let log = again.get(target);
        append(&log, 3, 5, [2, 3]);
        let copy = reader.copy(&log);
        reader.connect(&again.listen());
        copy.wait_for_length(5);
        for index in 0..5 {
            assert_eq!(copy.block(index), index.to_string().as_bytes());
        }
        assert_eq!(copy.state("manifest"), log.state("manifest"));
        copy.assert_same_as(&log);
    });
}
