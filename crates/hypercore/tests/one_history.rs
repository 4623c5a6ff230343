//! A writer never contradicts what it has signed: each way in which a call could make it do so, by name.

mod common;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use common::{filled, in_store, named, new_in, texts};
use futures_util::future::BoxFuture;
use hc_crypto::Verifier;
use hypercore::core::{Core, CoreName};
use hypercore::storage::audit::{Fault, Report};
use hypercore::storage::{Storage, StorageOptions};
use hypercore::{
    AppendOptions, Encryption, EncryptionProvider, Error, Hash, Hypercore, KeyPair, Manifest, OpenOptions,
    Role, SessionOptions, TruncateOptions,
};

fn to_fork(fork: u64) -> TruncateOptions {
    TruncateOptions::new().fork(fork)
}

fn is_refused(error: &Error, what: &str) {
    assert!(matches!(error, Error::InvalidOperation { .. }), "{what}: {error:?}");
}

fn is_bad(error: &Error, argument: &str) {
    assert!(matches!(error, Error::BadArgument(text) if text.contains(argument)), "{argument}: {error:?}");
}

#[tokio::test]
async fn regression_a_cut_goes_to_a_higher_fork_or_is_refused() {
    let core = filled(4).await;
    core.truncate_with(4, to_fork(3)).await.unwrap();
    let before = core.tree_hash().await.unwrap();
    for (length, fork) in [(2, 3), (4, 3), (2, 2), (0, 0)] {
        let error = core.truncate_with(length, to_fork(fork)).await.unwrap_err();
        is_refused(&error, "a fork that is not above the present one");
        assert!(
            error.to_string().contains(&format!("fork {fork} is not above the present one, 3")),
            "{error}"
        );
    }
    let inside = core.session(SessionOptions::new().atom(&core.atom())).await.unwrap();
    is_refused(&inside.truncate_with(2, to_fork(3)).await.unwrap_err(), "in an atom");
    assert_eq!((core.length(), core.fork(), core.tree_hash().await.unwrap()), (4, 3, before));
    core.truncate_with(2, to_fork(4)).await.unwrap();
    assert_eq!((core.length(), core.fork()), (2, 4));
}

#[tokio::test]
async fn regression_a_named_session_is_not_signed_when_it_is_cut() {
    let storage = Storage::memory().unwrap();
    let core = new_in(&storage, 1).await;
    core.append_batch(["0", "1", "2", "3"]).await.unwrap();
    let pair = KeyPair::from_seed(&[1; 32]);
    let verifier = Verifier::new(*core.key(), core.manifest().unwrap()).unwrap();
    let log = storage.store().resume_core(core.discovery_key()).unwrap().unwrap();
    for (name, options) in [
        ("plain", TruncateOptions::new()),
        ("with a fork", to_fork(5)),
        ("with a pair", TruncateOptions::new().key_pair(pair.clone())),
    ] {
        let draft = named(&core, name).await;
        draft.truncate_with(2, options).await.unwrap();
        let signed = |length: u64| {
            let head = storage.store().resume_session(&log, name).unwrap().unwrap().head().unwrap().unwrap();
            assert_eq!(head.length, length);
            let signature = head.signature.unwrap_or_default();
            verifier.verify(&head.root_hash, head.length, head.fork, &signature).is_ok()
        };
        assert!(!signed(2), "{name}");
        draft.append_with(["x"], AppendOptions::new().key_pair(pair.clone())).await.unwrap();
        assert!(!signed(3), "{name}: what is appended");
        is_bad(
            &draft.append_with(["y"], AppendOptions::new().signature([0; 64])).await.unwrap_err(),
            "signature",
        );
        assert_eq!(texts(&draft).await.concat(), "01x");
    }
    assert_eq!((texts(&core).await.concat(), core.fork()), ("0123".into(), 0));
}

/// A log of so many blocks with an atom over it, and what writes into the atom.
async fn with_atom(blocks: u64) -> (Arc<Storage>, Hypercore, hypercore::Atom, Hypercore) {
    let storage = Storage::memory().unwrap();
    let core = new_in(&storage, 1).await;
    core.append_batch((0..blocks).map(|block| block.to_string())).await.unwrap();
    let atom = core.atom();
    let inside = core.session(SessionOptions::new().atom(&atom)).await.unwrap();
    (storage, core, atom, inside)
}

/// The store holds together, and its head is signed.
async fn is_whole(storage: &Arc<Storage>) {
    let report = storage.audit(None).await.unwrap();
    assert!(report.is_clean(), "{:?}", report.findings);
}

#[tokio::test]
async fn regression_an_atom_wins_on_a_fork_of_its_own_only() {
    // what is written beside it, and where that leads to
    let (storage, core, atom, inside) = with_atom(4).await;
    inside.append_batch(["a", "b"]).await.unwrap();
    core.append("x").await.unwrap();
    let (beside, snapshot) = (core.tree_hash().await.unwrap(), core.snapshot().await.unwrap());
    atom.flush().await.unwrap();
    assert_eq!((texts(&core).await.concat(), core.fork()), ("0123ab".into(), 1));
    assert_ne!(core.tree_hash_at(5).await.unwrap(), beside);
    assert_eq!(snapshot.signed_length(), 4, "the fifth block is another one now");
    is_whole(&storage).await;
    // the atom goes on from there
    inside.append("c").await.unwrap();
    atom.flush().await.unwrap();
    assert_eq!((texts(&core).await.concat(), core.fork()), ("0123abc".into(), 1));

    // also where the log is longer than the atom
    let (storage, core, atom, inside) = with_atom(3).await;
    inside.append("a").await.unwrap();
    core.append_batch(["x"; 9]).await.unwrap();
    atom.flush().await.unwrap();
    assert_eq!((texts(&core).await.concat(), core.fork(), core.contiguous_length()), ("012a".into(), 1, 4));
    core.append_batch(["4", "5"]).await.unwrap();
    is_whole(&storage).await;
}

#[tokio::test]
async fn regression_an_atom_never_takes_the_log_to_a_lower_fork() {
    let (storage, core, atom, inside) = with_atom(4).await;
    inside.append("a").await.unwrap();
    // to fork 2, where the first four blocks are still what they were
    core.append("x").await.unwrap();
    core.truncate(4).await.unwrap();
    core.truncate(4).await.unwrap();
    core.append("y").await.unwrap();
    atom.flush().await.unwrap();
    assert_eq!((texts(&core).await.concat(), core.fork()), ("0123a".into(), 3));
    is_whole(&storage).await;

    // both were cut, to the same fork
    let (storage, core, atom, inside) = with_atom(4).await;
    inside.truncate(1).await.unwrap();
    inside.append("a").await.unwrap();
    core.truncate(2).await.unwrap();
    core.append("x").await.unwrap();
    atom.flush().await.unwrap();
    assert_eq!((texts(&core).await.concat(), core.fork()), ("0a".into(), 2));
    is_whole(&storage).await;
}

#[tokio::test]
async fn regression_an_atom_whose_blocks_were_cut_away_beside_it_is_refused() {
    let (storage, core, atom, inside) = with_atom(4).await;
    inside.append("a").await.unwrap();
    core.truncate(2).await.unwrap();
    core.append_batch(["x", "y", "z"]).await.unwrap();
    is_refused(&atom.flush().await.unwrap_err(), "its third and fourth block are others now");
    assert_eq!((texts(&core).await.concat(), core.fork()), ("01xyz".into(), 1));
    // also where the log is now a beginning of the atom's, on the same fork: the blocks between the two are gone
    let (_, short, same, back) = with_atom(4).await;
    back.truncate(4).await.unwrap();
    back.append("a").await.unwrap();
    short.truncate(1).await.unwrap();
    is_refused(&same.flush().await.unwrap_err(), "the blocks 1 to 3 are not there any more");
    assert_eq!((texts(&short).await.concat(), short.fork()), ("0".into(), 1));
    // cut to what both have it can be flushed
    inside.truncate(2).await.unwrap();
    inside.append("b").await.unwrap();
    atom.flush().await.unwrap();
    assert_eq!((texts(&core).await.concat(), core.fork()), ("01b".into(), 2));
    is_whole(&storage).await;
}

#[tokio::test]
async fn regression_an_atom_that_only_clears_leaves_the_log_its_length() {
    let (_, core, atom, inside) = with_atom(4).await;
    inside.clear(0..2).await.unwrap();
    core.append("x").await.unwrap();
    is_refused(&atom.flush().await.unwrap_err(), "the log is longer than the atom knows");
    assert_eq!((core.length(), core.fork(), core.has(0).await.unwrap()), (5, 0, true));
    // a record is no change of the log
    let (storage, core, atom, inside) = with_atom(4).await;
    inside.set_user_data("k", Some(b"v")).await.unwrap();
    core.append("x").await.unwrap();
    atom.flush().await.unwrap();
    assert_eq!((core.length(), core.fork(), core.user_data("k").await.unwrap().unwrap()), (5, 0, "v".into()));
    is_whole(&storage).await;
}

#[tokio::test]
async fn regression_an_atom_signed_elsewhere_is_not_moved_to_another_fork() {
    let pair = KeyPair::from_seed(&[3; 32]);
    let core = Hypercore::builder().key_pair(pair.clone()).memory().await.unwrap();
    let verifier = Verifier::new(*core.key(), core.manifest().unwrap()).unwrap();
    let hash = filled(1).await.tree_hash().await.unwrap();
    let signature = verifier.sign(&pair, &hash, 1, 0).unwrap();
    let atom = core.atom();
    let inside = core.session(SessionOptions::new().atom(&atom)).await.unwrap();
    inside.append_with(["0"], AppendOptions::new().signature(signature)).await.unwrap();
    core.append("x").await.unwrap();
    is_refused(&atom.flush().await.unwrap_err(), "the signature is for fork 0");
    assert_eq!((texts(&core).await.concat(), core.fork()), ("x".into(), 0));
}

/// An encryption of the application's own.
struct OwnWay;

impl EncryptionProvider for OwnWay {
    fn padding(&self) -> u64 {
        0
    }

    fn encrypt(&self, _: u64, _: u64, block: Bytes) -> BoxFuture<'_, hypercore::Result<Bytes>> {
        Box::pin(async move { Ok(block.iter().rev().copied().collect::<Vec<u8>>().into()) })
    }

    fn decrypt(&self, index: u64, block: Bytes) -> BoxFuture<'_, hypercore::Result<Bytes>> {
        self.encrypt(index, 0, block)
    }
}

#[tokio::test]
async fn h9_regression_an_atom_that_would_use_a_nonce_twice_is_refused() {
    for own_way in [false, true] {
        let encryption =
            if own_way { Encryption::Provider(Arc::new(OwnWay)) } else { Encryption::key([7; 32]) };
        let core = Hypercore::builder().encryption(encryption).memory().await.unwrap();
        core.append("0").await.unwrap();
        let atom = core.atom();
        let inside = core.session(SessionOptions::new().atom(&atom)).await.unwrap();
        inside.append("a secret of the atom").await.unwrap();
        core.append("a secret beside it!!").await.unwrap();
        is_refused(&atom.flush().await.unwrap_err(), "block 1 was encrypted for fork 0 twice");
        // nor on a higher fork, as long as the block is the same
        inside.truncate(2).await.unwrap();
        is_refused(&atom.flush().await.unwrap_err(), "it still is");
        inside.truncate(1).await.unwrap();
        inside.append("sealed for fork two").await.unwrap();
        atom.flush().await.unwrap();
        assert_eq!((texts(&core).await.concat(), core.fork()), ("0sealed for fork two".into(), 2));
    }
}

#[tokio::test]
async fn regression_a_log_that_may_not_be_changed_is_not_changed_by_an_atom_either() {
    let (_, core, atom, inside) = with_atom(4).await;
    inside.truncate(2).await.unwrap();
    // somebody has a log with the same key and other blocks
    let other = new_in(&Storage::memory().unwrap(), 1).await;
    other.append_batch(["a", "b", "c", "d"]).await.unwrap();
    let proof = other.proof(&common::upgrade(4)).await.unwrap();
    assert!(core.check_conflict(&proof).await.unwrap());
    assert!(matches!(atom.flush().await, Err(Error::Conflict { .. })));
    assert_eq!((core.length(), core.fork()), (4, 0));
    core.resolve_conflict().await.unwrap();
    atom.flush().await.unwrap();
    assert_eq!((core.length(), core.fork()), (2, 1));
}

fn own(seed: u8) -> OpenOptions {
    let pair = KeyPair::from_seed(&[seed; 32]);
    OpenOptions::new().manifest(Manifest::single(pair.public())).key_pair(pair)
}

async fn on_disk(dir: &Path) -> Arc<Storage> {
    Storage::open(dir, StorageOptions::default()).await.unwrap()
}

/// Another process has the directory once this returns.
async fn reopened(storage: Arc<Storage>, dir: &Path) -> Arc<Storage> {
    storage.close().await.unwrap();
    drop(storage);
    on_disk(dir).await
}

#[tokio::test]
async fn regression_a_key_that_was_purged_begins_on_a_higher_fork() {
    let dir = tempfile::tempdir().unwrap();
    for is_on_disk in [false, true] {
        let mut storage = if is_on_disk { on_disk(dir.path()).await } else { Storage::memory().unwrap() };
        for round in 0..3_u64 {
            let core = in_store(&storage, own(1)).await;
            assert_eq!((core.length(), core.fork()), (0, 2 * round));
            core.append_batch([format!("round {round}"), "x".into()]).await.unwrap();
            core.truncate(1).await.unwrap();
            is_whole(&storage).await;
            core.purge().await.unwrap();
            if is_on_disk {
                storage = reopened(storage, dir.path()).await;
            }
        }
        // nothing was signed: there is nothing to contradict
        let core = in_store(&storage, own(2)).await;
        core.purge().await.unwrap();
        assert_eq!(in_store(&storage, own(2)).await.fork(), 0);
        // and what others sign is followed on any fork
        let writer = filled(2).await;
        let copy = in_store(&storage, OpenOptions::new().key(*writer.key())).await;
        let head = writer.proof(&common::upgrade(2)).await.unwrap();
        assert!(copy.apply_proof(head.clone()).await.unwrap());
        copy.purge().await.unwrap();
        let copy = in_store(&storage, OpenOptions::new().key(*writer.key())).await;
        assert!(copy.apply_proof(head).await.unwrap());
        assert_eq!((copy.length(), copy.fork()), (2, 0));
    }
}

#[tokio::test]
async fn regression_a_log_that_is_overwritten_under_its_key_begins_on_the_next_fork() {
    let dir = tempfile::tempdir().unwrap();
    let pair = KeyPair::from_seed(&[1; 32]);
    let key = Manifest::single(pair.public()).key();
    for round in 0..3_u64 {
        let options = Hypercore::builder().key(key).key_pair(pair.clone()).overwrite(round > 0);
        let core = options.open(dir.path()).await.unwrap();
        assert_eq!((core.length(), core.fork()), (0, round));
        core.append(format!("round {round}")).await.unwrap();
        core.close().await.unwrap();
        let core = Hypercore::open(dir.path()).await.unwrap();
        assert_eq!((core.length(), core.fork()), (1, round));
        core.close().await.unwrap();
    }
    let storage = on_disk(dir.path()).await;
    is_whole(&storage).await;
    // the same for a core of a store in memory
    let storage = Storage::memory().unwrap();
    in_store(&storage, own(1)).await.append("old").await.unwrap();
    let core = in_store(&storage, own(1).overwrite(true)).await;
    assert_eq!((core.length(), core.fork()), (0, 1));
    core.append("new").await.unwrap();
    is_whole(&storage).await;
}

#[tokio::test]
async fn regression_a_directory_that_begins_anew_remembers_what_its_first_key_signed() {
    let dir = tempfile::tempdir().unwrap();
    let pair = KeyPair::from_seed(&[1; 32]);
    let core = Hypercore::builder().key_pair(pair.clone()).open(dir.path()).await.unwrap();
    core.append("old").await.unwrap();
    core.close().await.unwrap();
    let core = Hypercore::builder().overwrite(true).open(dir.path()).await.unwrap();
    assert_eq!(core.fork(), 0, "with a new key");
    core.close().await.unwrap();
    let storage = on_disk(dir.path()).await;
    assert_eq!(in_store(&storage, own(1)).await.fork(), 1);
}

#[tokio::test]
async fn regression_recovering_alone_goes_to_a_fork_that_nobody_was_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let (db, saved) = (dir.path().join("db"), dir.path().join("saved"));
    let open = || async {
        Hypercore::builder().key_pair(KeyPair::from_seed(&[1; 32])).open(dir.path()).await.unwrap()
    };
    for blocks in [0, 2] {
        let writer = open().await;
        writer.append_batch(vec!["kept"; blocks]).await.unwrap();
        let kept = (writer.length(), writer.fork());
        writer.close().await.unwrap();
        copy_folder(&db, &saved);
        let writer = open().await;
        let copy = common::reader(&writer).await;
        let (here, there) = tokio::io::duplex(64 * 1024);
        let connection = writer.replicate(here, Role::Responder).unwrap();
        copy.replicate(there, Role::Initiator).unwrap();
        common::until("a peer", || !writer.peers().is_empty()).await;
        writer.append_batch(["lost", "too"]).await.unwrap();
        writer.flush().await.unwrap();
        connection.stop();
        common::until("the peer is gone", || writer.peers().is_empty()).await;
        writer.truncate_with(writer.length() - 1, to_fork(kept.1 + 5)).await.unwrap();
        let told = writer.fork();
        writer.close().await.unwrap();
        std::fs::remove_dir_all(&db).unwrap();
        std::fs::rename(&saved, &db).unwrap();
        let writer = open().await;
        assert_eq!((writer.length(), writer.fork()), kept);
        assert!(writer.recovering() > 0);
        writer.recover_unconfirmed().await.unwrap();
        assert_eq!((writer.length(), writer.fork(), writer.recovering()), (kept.0, told + 1, 0));
        writer.append("another").await.unwrap();
        writer.close().await.unwrap();
        let storage = on_disk(dir.path()).await;
        is_whole(&storage).await;
        storage.close().await.unwrap();
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[tokio::test]
async fn an_audit_finds_two_histories_in_what_a_core_keeps_and_in_what_peers_were_told() {
    let dir = tempfile::tempdir().unwrap();
    let storage = on_disk(dir.path()).await;
    let core = in_store(&storage, own(1)).await;
    core.append_batch(["0", "1", "2"]).await.unwrap();
    is_whole(&storage).await;
    let other = in_store(&Storage::memory().unwrap(), own(1)).await;
    other.append_batch(["a", "b"]).await.unwrap();
    let (ours, theirs) = (core.tree_hash_at(2).await.unwrap(), other.tree_hash().await.unwrap());
    assert!(core.check_conflict(&other.proof(&common::upgrade(2)).await.unwrap()).await.unwrap());
    let found = |report: Report| {
        let [finding] = report.findings.as_slice() else { panic!("{:?}", report.findings) };
        assert!(!finding.repairable);
        let Fault::TwoHistories { fork, length, one, other, .. } = finding.fault else {
            panic!("{finding:?}")
        };
        (finding.core, fork, length, one, other)
    };
    let discovery_key = *core.discovery_key();
    let dk = Some(discovery_key);
    assert_eq!(found(storage.audit(None).await.unwrap()), (dk, 0, 2, ours, theirs));
    core.resolve_conflict().await.unwrap();
    is_whole(&storage).await;
    drop(core);
    storage.close().await.unwrap();
    drop(storage);

    // what a line of the witness says, with the check at its end
    let told = |length: u64, hash: &Hash| {
        let body = format!("{discovery_key} 0 {length} {hash}");
        let check = hc_crypto::hash::blake2b(&[body.as_bytes()]).to_string();
        std::fs::write(dir.path().join("WITNESS"), format!("{body} {}\n", &check[..8])).unwrap();
    };
    for read_only in [true, false] {
        for (length, hash, differs) in [(2, &ours, false), (2, &theirs, true), (9, &theirs, false)] {
            told(length, hash);
            let options = StorageOptions { read_only, ..StorageOptions::default() };
            let storage = Storage::open(dir.path(), options).await.unwrap();
            let report = storage.audit(dk).await.unwrap();
            if differs {
                assert_eq!(found(report), (dk, 0, 2, ours, theirs));
            } else {
                assert!(report.is_clean(), "{:?}", report.findings);
            }
            storage.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn h9_regression_a_draft_that_was_encrypted_for_a_fork_that_is_left_is_not_committed() {
    let core = Hypercore::builder().encryption(Encryption::key([7; 32])).memory().await.unwrap();
    core.append("0").await.unwrap();
    let draft = named(&core, "draft").await;
    draft.append("a secret of the draft").await.unwrap();
    // somebody may have seen this one
    core.append("a secret beside it!!!").await.unwrap();
    core.truncate(1).await.unwrap();
    let error = core.commit(&draft).await.unwrap_err();
    is_refused(&error, "block 1 of fork 0 would have two plain texts");
    assert!(error.to_string().contains("encrypted for fork 0, the log is on 1"), "{error}");
    assert_eq!((core.length(), draft.length()), (1, 2), "nothing is lost");
    let inside = core.session(SessionOptions::new().atom(&core.atom())).await.unwrap();
    is_refused(&inside.commit(&draft).await.unwrap_err(), "nor in an atom");
    // appended anew it is
    draft.truncate(1).await.unwrap();
    draft.append("a secret of the draft").await.unwrap();
    assert_eq!(core.commit(&draft).await.unwrap().unwrap().length, 2);
    assert_eq!(core.get(1).await.unwrap(), "a secret of the draft");
}

#[tokio::test(flavor = "multi_thread")]
async fn regression_a_core_that_is_opened_twice_in_a_store_is_one_core() {
    let storage = Storage::memory().unwrap();
    let opened = (in_store(&storage, own(1)), in_store(&storage, own(1)));
    let (core, again) = tokio::join!(opened.0, opened.1);
    core.append("0").await.unwrap();
    again.append("1").await.unwrap();
    core.append("2").await.unwrap();
    assert_eq!(texts(&again).await.concat(), "012");
    is_whole(&storage).await;
    let before = storage.store().dump().unwrap();
    let anew = Core::open(&storage, CoreName::default(), own(1).overwrite(true)).await.unwrap_err();
    assert!(matches!(anew, Error::StorageConflict { .. }), "{anew:?}");
    assert_eq!(storage.store().dump().unwrap(), before);
    // once it is closed, or nobody holds it, it is opened from what is stored
    core.core().shut();
    let third = in_store(&storage, own(1)).await;
    assert!(core.is_closed() && again.is_closed() && !third.is_closed());
    third.append("3").await.unwrap();
    drop(third);
    assert_eq!(texts(&in_store(&storage, own(1).overwrite(false)).await).await.concat(), "0123");
    assert_eq!(in_store(&storage, own(1).overwrite(true)).await.fork(), 1);
}
