//! Who may sign a log: manifests that come later, quorums, prologues.

mod common;

use std::time::Duration;

use common::{filled, texts, told, until, upgrade};
use hc_crypto::multisig::PatchNode;
use hc_crypto::{PartialSignature, Verifier};
use hypercore::storage::{Storage, StorageOptions};
use hypercore::{
    AppendOptions, Event, Hypercore, Key, KeyPair, Manifest, Prologue, ProofRequest, Role, SessionOptions,
    Signer, UpgradeRequest,
};

fn pair(seed: u8) -> KeyPair {
    KeyPair::from_seed(&[seed; 32])
}

async fn reader(key: Key) -> Hypercore {
    Hypercore::builder().key(key).timeout(Some(Duration::from_secs(20))).memory().await.unwrap()
}

fn connect(a: &Hypercore, b: &Hypercore) {
    let (here, there) = tokio::io::duplex(64 * 1024);
    a.replicate(here, Role::Responder).unwrap();
    b.replicate(there, Role::Initiator).unwrap();
}

#[tokio::test]
async fn g7_a_manifest_that_comes_later_is_kept_if_it_hashes_to_the_key() {
    let manifest = Manifest::single(pair(1).public());
    let other = Manifest::single(pair(2).public());
    let dir = tempfile::tempdir().unwrap();
    let open = || Hypercore::builder().key(manifest.key()).open(dir.path());
    let core = open().await.unwrap();
    assert_eq!(core.manifest(), None);
    let mut events = core.events();
    assert_eq!(core.set_manifest(other.clone()).await.unwrap_err().code(), "INVALID_CHECKSUM");
    assert_eq!((core.manifest(), told(&mut events).await), (None, vec![]));
    // through a session, seen by all of them
    let session = core.session(SessionOptions::new()).await.unwrap();
    session.set_manifest(manifest.clone()).await.unwrap();
    assert_eq!(core.manifest().as_ref(), Some(&manifest));
    assert_eq!(told(&mut events).await, [Event::Manifest]);
    // once known it stays
    session.set_manifest(other).await.unwrap();
    session.close().await.unwrap();
    core.close().await.unwrap();
    let core = open().await.unwrap();
    assert_eq!(core.manifest().as_ref(), Some(&manifest));
}

#[tokio::test]
async fn g7_a_manifest_that_comes_at_a_later_opening_is_kept_too() {
    let manifest = Manifest::single(pair(1).public());
    let dir = tempfile::tempdir().unwrap();
    let key = manifest.key();
    Hypercore::builder().key(key).open(dir.path()).await.unwrap().close().await.unwrap();
    let with = |manifest: &Manifest| Hypercore::builder().key(key).manifest(manifest.clone());
    let wrong = with(&Manifest::single(pair(2).public())).open(dir.path()).await;
    assert_eq!(wrong.unwrap_err().code(), "STORAGE_CONFLICT");
    let core = with(&manifest).key_pair(pair(1)).open(dir.path()).await.unwrap();
    assert!(core.writable());
    core.append("a").await.unwrap();
    core.close().await.unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    assert_eq!(core.manifest(), Some(manifest));
    assert!(core.writable(), "the key pair that may sign is kept with it");
}

#[tokio::test]
async fn g8_a_manifest_can_be_given_as_bytes() {
    let signers = [1, 2, 3].map(|seed| Signer::new(pair(seed).public())).to_vec();
    let manifest = Manifest { version: 2, user_data: Some(b"x".to_vec()), ..Manifest::several(signers) };
    let bytes = manifest.to_bytes();
    let core = Hypercore::builder().manifest_bytes(&bytes).unwrap().memory().await.unwrap();
    assert_eq!((*core.key(), core.manifest()), (manifest.key(), Some(manifest.clone())));
    let later = reader(manifest.key()).await;
    later.set_manifest(Manifest::parse(&bytes).unwrap()).await.unwrap();
    assert_eq!(later.manifest(), Some(manifest));
    for cut in 0..bytes.len() {
        let refused = Hypercore::builder().manifest_bytes(&bytes[..cut]).unwrap_err();
        assert_eq!(refused.code(), "BAD_ARGUMENT", "{cut}");
    }
}

#[tokio::test]
async fn g9_the_manifest_comes_with_the_first_upgrade_and_is_handed_on() {
    let writer = filled(3).await;
    let (first, second) = (reader(*writer.key()).await, reader(*writer.key()).await);
    let mut events = first.events();
    assert!(first.apply_proof(writer.proof(&upgrade(3)).await.unwrap()).await.unwrap());
    assert_eq!((first.manifest(), first.length()), (writer.manifest(), 3));
    assert!(told(&mut events).await.contains(&Event::Manifest));
    // who got it from a peer gives it to the next one
    let mut events = second.events();
    connect(&first, &second);
    until("a manifest", || second.manifest().is_some()).await;
    until("a length", || second.length() == 3).await;
    assert_eq!(second.manifest(), writer.manifest());
    assert_eq!(told(&mut events).await.iter().filter(|event| **event == Event::Manifest).count(), 1);
}

#[tokio::test]
async fn g9_the_manifest_of_an_empty_log_comes_too() {
    let writer = Hypercore::memory().await.unwrap();
    let (first, second) = (reader(*writer.key()).await, reader(*writer.key()).await);
    connect(&writer, &first);
    connect(&first, &second);
    until("a manifest", || second.manifest().is_some()).await;
    assert_eq!((first.manifest(), second.length()), (writer.manifest(), 0));
}

#[tokio::test]
async fn g10_a_proof_with_the_manifest_of_another_log_is_refused() {
    let writer = filled(3).await;
    let copy = reader(*writer.key()).await;
    let good = writer.proof(&upgrade(3)).await.unwrap();
    for manifest in [Some(Manifest::single(pair(9).public())), None] {
        let proof = hypercore::Proof { manifest, ..good.clone() };
        assert_eq!(copy.apply_proof(proof).await.unwrap_err().code(), "INVALID_SIGNATURE");
        assert_eq!((copy.manifest(), copy.length()), (None, 0));
    }
    assert!(copy.apply_proof(good).await.unwrap());
}

/// A log that two of three must sign; its signers have the same blocks in logs of their own.
struct Quorum {
    manifest: Manifest,
    verifier: Verifier,
}

impl Quorum {
    fn new(allow_patch: bool) -> Self {
        let signers = [1, 2, 3].map(|seed| Signer::new(pair(seed).public())).to_vec();
        let manifest = Manifest { allow_patch, ..Manifest::several(signers) };
        let verifier = Verifier::new(manifest.key(), manifest.clone()).unwrap();
        Self { manifest, verifier }
    }

    async fn open(&self) -> Hypercore {
        Hypercore::builder().manifest(self.manifest.clone()).memory().await.unwrap()
    }

    /// What a signer whose log has `signed` blocks gives to the signature of the first `length`.
    async fn part(&self, seed: u8, length: u64, signed: u64) -> PartialSignature {
        let own = filled(signed).await;
        let hash = own.tree_hash().await.unwrap();
        let part = self.verifier.sign_part(&pair(seed), &hash, signed, 0).unwrap();
        let wanted = hc_tree::patch_nodes(length, signed);
        let request = UpgradeRequest { start: length, length: signed - length };
        if wanted.is_empty() {
            return part;
        }
        let proof = own.proof(&ProofRequest { upgrade: Some(request), ..ProofRequest::default() }).await;
        let nodes: Vec<PatchNode> =
            proof.unwrap().upgrade.unwrap().nodes.iter().map(PatchNode::from).collect();
        part.of_longer(signed - length, nodes)
    }

    async fn signature(&self, seeds: &[u8], length: u64) -> Vec<u8> {
        let mut parts = Vec::new();
        for seed in seeds {
            parts.push(self.part(*seed, length, length).await);
        }
        self.verifier.assemble(&parts).unwrap()
    }
}

fn numbers(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

fn signed(signature: Vec<u8>) -> AppendOptions {
    AppendOptions::new().signature(signature)
}

#[tokio::test]
async fn g11_g12_a_quorum_appends_what_it_signed_and_nothing_else() {
    let quorum = Quorum::new(false);
    let core = quorum.open().await;
    let both = quorum.signature(&[1, 3], 4).await;
    // another batch, a part of it, a part first and then the rest
    for blocks in [numbers(1..5), numbers(0..3), numbers(0..5)] {
        let refused = core.append_with(blocks, signed(both.clone())).await.unwrap_err();
        assert_eq!((refused.code(), core.length()), ("INVALID_SIGNATURE", 0));
    }
    // too few, or one twice
    let one = quorum.part(1, 4, 4).await;
    assert!(quorum.verifier.assemble(std::slice::from_ref(&one)).is_err());
    assert!(quorum.verifier.assemble(&[one.clone(), one]).is_err());
    // somebody else's key pair alone
    let alone = core.append_with(["0"], AppendOptions::new().key_pair(pair(1))).await.unwrap_err();
    assert_eq!((alone.code(), core.length()), ("BAD_ARGUMENT", 0));
    core.append_with(numbers(0..4), signed(both)).await.unwrap();
    assert_eq!(texts(&core).await, numbers(0..4));
    // a reader is shown by the quorum's signature
    let copy = reader(*core.key()).await;
    assert!(copy.apply_proof(core.proof(&upgrade(4)).await.unwrap()).await.unwrap());
    assert_eq!(copy.tree_hash().await.unwrap(), filled(4).await.tree_hash().await.unwrap());
}

#[tokio::test]
async fn g13_signers_of_other_lengths_sign_what_all_of_them_have() {
    let quorum = Quorum::new(true);
    let core = quorum.open().await;
    let parts = [quorum.part(2, 5, 9).await, quorum.part(3, 5, 5).await];
    let signature = quorum.verifier.assemble(&parts).unwrap();
    core.append_with(numbers(0..5), signed(signature)).await.unwrap();
    let copy = reader(*core.key()).await;
    connect(&core, &copy);
    assert_eq!(copy.get(4).await.unwrap(), "4");
}

#[tokio::test]
async fn regression_an_audit_takes_the_signature_of_signers_of_other_lengths() {
    let (quorum, dir) = (Quorum::new(true), tempfile::tempdir().unwrap());
    let open = || Hypercore::builder().manifest(quorum.manifest.clone()).open(dir.path());
    let core = open().await.unwrap();
    let parts = [quorum.part(2, 5, 9).await, quorum.part(3, 5, 5).await];
    core.append_with(numbers(0..5), signed(quorum.verifier.assemble(&parts).unwrap())).await.unwrap();
    core.close().await.unwrap();
    let storage = Storage::open(dir.path(), StorageOptions::default()).await.unwrap();
    assert_eq!(storage.audit(None).await.unwrap().findings, []);
    storage.close().await.unwrap();
    assert_eq!(texts(&open().await.unwrap()).await, numbers(0..5));
}

#[tokio::test]
async fn g14_overlapping_appends_of_several_signers_converge() {
    let quorum = Quorum::new(false);
    let (one, other) = (quorum.open().await, quorum.open().await);
    one.append_with(numbers(0..2), signed(quorum.signature(&[1, 2], 2).await)).await.unwrap();
    one.append_with(numbers(2..5), signed(quorum.signature(&[2, 3], 5).await)).await.unwrap();
    other.append_with(numbers(0..3), signed(quorum.signature(&[1, 3], 3).await)).await.unwrap();
    connect(&one, &other);
    until("the longer log", || other.length() == 5).await;
    let third = reader(*one.key()).await;
    connect(&other, &third);
    other.download(0..5).done().await.unwrap();
    // the shorter copy goes on from there
    other.append_with(numbers(5..7), signed(quorum.signature(&[3, 1], 7).await)).await.unwrap();
    until("the longer log", || one.length() == 7 && third.length() == 7).await;
    one.download(0..7).done().await.unwrap();
    third.download(0..7).done().await.unwrap();
    for core in [&one, &other, &third] {
        assert_eq!(texts(core).await, numbers(0..7));
        assert_eq!(core.conflict(), None);
    }
    assert_eq!(one.tree_hash().await.unwrap(), other.tree_hash().await.unwrap());
}

#[tokio::test]
async fn g15_a_log_of_several_signers_replicates_after_reopening() {
    let quorum = Quorum::new(false);
    let dir = tempfile::tempdir().unwrap();
    let core = Hypercore::builder().manifest(quorum.manifest.clone()).open(dir.path()).await.unwrap();
    core.append_with(numbers(0..4), signed(quorum.signature(&[1, 2], 4).await)).await.unwrap();
    core.close().await.unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    assert_eq!(core.manifest().as_ref(), Some(&quorum.manifest));
    core.append_with(numbers(4..6), signed(quorum.signature(&[2, 3], 6).await)).await.unwrap();
    let copy = reader(*core.key()).await;
    connect(&core, &copy);
    copy.get(5).await.unwrap();
    copy.download(0..6).done().await.unwrap();
    assert_eq!(texts(&copy).await, numbers(0..6));
    assert_eq!(copy.manifest(), Some(quorum.manifest));
}

/// A log that begins with the first blocks of [`filled`], and that this key pair goes on with.
async fn with_prologue(length: u64, signer: Option<KeyPair>) -> Hypercore {
    let hash = filled(length).await.tree_hash().await.unwrap();
    let signers = signer.iter().map(|pair| Signer::new(pair.public())).collect();
    let prologue = Some(Prologue { hash, length });
    let manifest = Manifest { prologue, ..Manifest::several(signers) };
    let options = Hypercore::builder().manifest(manifest);
    let options = if let Some(pair) = signer { options.key_pair(pair) } else { options };
    options.memory().await.unwrap()
}

#[tokio::test]
async fn g17_nothing_is_appended_or_cut_below_a_prologue() {
    let core = with_prologue(4, Some(pair(1))).await;
    let short = core.append_batch(numbers(0..3)).await.unwrap_err();
    assert_eq!((short.code(), core.length()), ("INVALID_OPERATION", 0));
    for other in [numbers(1..5), numbers(1..9)] {
        let refused = core.append_batch(other).await.unwrap_err();
        assert_eq!((refused.code(), core.length()), ("INVALID_SIGNATURE", 0), "other blocks");
    }
    // the prologue needs no signature, what follows does
    core.append_with(numbers(0..4), signed(Vec::new())).await.unwrap();
    core.append_batch(numbers(4..6)).await.unwrap();
    assert_eq!(core.truncate(3).await.unwrap_err().code(), "INVALID_OPERATION");
    core.truncate(4).await.unwrap();
    assert_eq!(texts(&core).await, numbers(0..4));
    let draft = core.session(SessionOptions::new().name("draft")).await.unwrap();
    assert_eq!(draft.truncate(3).await.unwrap_err().code(), "INVALID_OPERATION");
}

#[tokio::test]
async fn g16_g17_a_log_without_signers_is_its_prologue() {
    let core = with_prologue(4, None).await;
    core.append_with(numbers(0..4), signed(Vec::new())).await.unwrap();
    for signature in [vec![], vec![0; 64]] {
        let longer = core.append_with(["4"], signed(signature)).await.unwrap_err();
        assert_eq!((longer.code(), core.length()), ("INVALID_SIGNATURE", 4));
    }
    let copy = reader(*core.key()).await;
    connect(&core, &copy);
    assert_eq!(copy.get(2).await.unwrap(), "2");
    assert_eq!(copy.length(), 4);
}

#[tokio::test]
async fn d10_no_session_goes_back_into_the_prologue() {
    let core = with_prologue(4, Some(pair(1))).await;
    core.append_batch(numbers(0..7)).await.unwrap();
    let back = |length| core.session(SessionOptions::new().name("back").checkout(length));
    assert_eq!(back(3).await.unwrap_err().code(), "ERR_ASSERTION");
    assert_eq!(back(4).await.unwrap().length(), 4);
    let atom = core.atom();
    let within = core.session(SessionOptions::new().atom(&atom).checkout(2)).await;
    assert_eq!(within.unwrap_err().code(), "ERR_ASSERTION");
}

#[tokio::test]
async fn g19_a_prologue_is_copied_and_is_independent_afterwards() {
    let source = filled(6).await;
    source.set_user_data("of", Some(b"the source")).await.unwrap();
    let core = with_prologue(4, Some(pair(1))).await;
    let mut events = core.events();
    assert!(core.copy_prologue(&source).await.unwrap());
    assert_eq!(told(&mut events).await, [Event::Append { length: 4, byte_length: 4 }]);
    assert_eq!((core.contiguous_length(), texts(&core).await), (4, numbers(0..4)));
    assert_eq!(core.user_data("of").await.unwrap().unwrap(), "the source");
    assert!(!core.copy_prologue(&source).await.unwrap(), "it is there");
    core.append_batch(["x", "y"]).await.unwrap();
    source.truncate(1).await.unwrap();
    source.purge().await.unwrap();
    assert_eq!(texts(&core).await, ["0", "1", "2", "3", "x", "y"]);
    // a peer gets all of it by proofs
    let copy = reader(*core.key()).await;
    connect(&core, &copy);
    copy.get(0).await.unwrap();
    copy.download(0..6).done().await.unwrap();
    assert_eq!(texts(&copy).await, texts(&core).await);
}

#[tokio::test]
async fn g19_a_prologue_with_another_hash_or_without_all_blocks_is_refused() {
    let core = with_prologue(4, None).await;
    let other = Hypercore::memory().await.unwrap();
    other.append_batch(["0", "1", "2", "x"]).await.unwrap();
    assert_eq!(core.copy_prologue(&other).await.unwrap_err().code(), "INVALID_SIGNATURE");
    let holed = filled(5).await;
    holed.clear(2..3).await.unwrap();
    assert_eq!(core.copy_prologue(&holed).await.unwrap_err().code(), "BLOCK_NOT_AVAILABLE");
    assert!(!core.copy_prologue(&filled(3).await).await.unwrap(), "too short");
    assert_eq!((core.length(), core.has(0).await.unwrap()), (0, false));
    assert!(!filled(0).await.copy_prologue(&filled(3).await).await.unwrap(), "no prologue");
    assert!(core.copy_prologue(&filled(4).await).await.unwrap());
}

#[tokio::test]
async fn g19_copies_of_copies_on_disk() {
    let mut source = filled(3).await;
    let dirs: Vec<_> = (0..4).map(|_| tempfile::tempdir().unwrap()).collect();
    for (round, dir) in (1..).zip(&dirs) {
        let prologue = Prologue { hash: source.tree_hash().await.unwrap(), length: source.length() };
        let manifest = Manifest { prologue: Some(prologue), ..Manifest::single(pair(round).public()) };
        let options = Hypercore::builder().manifest(manifest).key_pair(pair(round));
        let core = options.open(dir.path()).await.unwrap();
        assert!(core.copy_prologue(&source).await.unwrap());
        core.append(format!("of {round}")).await.unwrap();
        core.close().await.unwrap();
        source.close().await.unwrap();
        source = Hypercore::open(dir.path()).await.unwrap();
    }
    assert_eq!(texts(&source).await, ["0", "1", "2", "of 1", "of 2", "of 3", "of 4"]);
    source.close().await.unwrap();
    let last = dirs.last().unwrap().path();
    let storage = Storage::open(last, StorageOptions::default()).await.unwrap();
    let report = storage.audit(None).await.unwrap();
    assert!(report.findings.is_empty(), "{report:?}");
}
