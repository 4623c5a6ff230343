//! What happens after a loss: stores that were set back, roots that are gone, logs with two histories; and groups.

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::{filled, named, texts, told, until, upgrade};
use hc_storage::{WriteBatch, keys};
use hypercore::core::CoreName;
use hypercore::storage::{GroupUpdate, Storage};
use hypercore::{
    Core, Error, Event, Hypercore, KeyPair, OpenOptions, Proof, Replication, Role, SessionOptions,
};

fn pair(seed: u8) -> KeyPair {
    KeyPair::from_seed(&[seed; 32])
}

fn connect(a: &Hypercore, b: &Hypercore) -> Replication {
    let (here, there) = tokio::io::duplex(64 * 1024);
    b.replicate(there, Role::Initiator).unwrap();
    a.replicate(here, Role::Responder).unwrap()
}

async fn within(storage: &Arc<Storage>, options: OpenOptions) -> Hypercore {
    let session = options.session_options();
    let core = Core::open(storage, CoreName::default(), options).await.unwrap();
    Hypercore::from_core(core, session).await.unwrap()
}

// groups

#[tokio::test]
async fn m5_a_group_is_set_once_kept_and_another_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let open = |topic: u8| Hypercore::builder().group([topic; 32]).open(dir.path());
    let core = open(1).await.unwrap();
    assert_eq!(core.core().group(), Some([1; 32]));
    core.set_group([1; 32]).await.unwrap();
    assert_eq!(core.set_group([2; 32]).await.unwrap_err().code(), "STORAGE_CONFLICT");
    core.close().await.unwrap();
    assert_eq!(open(2).await.unwrap_err().code(), "STORAGE_CONFLICT");
    let core = Hypercore::open(dir.path()).await.unwrap();
    assert_eq!(core.core().group(), Some([1; 32]));
}

#[tokio::test]
async fn m5_updates_of_a_group_are_told_once_they_are_written() {
    let storage = Storage::memory().unwrap();
    let core = within(&storage, OpenOptions::new().key_pair(pair(1))).await;
    let mut updates = storage.group_updates();
    core.append("before").await.unwrap();
    core.set_group([7; 32]).await.unwrap();
    assert!(updates.try_recv().is_err());
    let update = |length, fork| GroupUpdate { topic: [7; 32], key: *core.key(), length, fork };
    core.append_batch(["a", "b"]).await.unwrap();
    assert_eq!(updates.try_recv().unwrap(), update(3, 0));
    core.truncate(1).await.unwrap();
    assert_eq!(updates.try_recv().unwrap(), update(1, 1));
    let atom = core.atom();
    let inside = core.session(SessionOptions::new().atom(&atom)).await.unwrap();
    inside.append("c").await.unwrap();
    assert!(updates.try_recv().is_err(), "nothing is written yet");
    atom.flush().await.unwrap();
    assert_eq!(updates.try_recv().unwrap(), update(2, 1));
    // the newest update of the group is this core's
    let group = storage.store().group(&[7; 32]).unwrap().unwrap();
    assert_eq!(storage.store().group_updates(&group, 0).unwrap(), [*core.key()]);
}

// lost roots

/// A store with a log of these blocks, whose roots are gone.
async fn without_roots(blocks: u64, lost: &[u64]) -> (Arc<Storage>, Hypercore) {
    let storage = Storage::memory().unwrap();
    let core = within(&storage, OpenOptions::new().key_pair(pair(1))).await;
    core.append_batch((0..blocks).map(|i| i.to_string())).await.unwrap();
    core.core().shut();
    drop(core);
    let disk = storage.store().resume_core(&storage.store().default_discovery_key().unwrap()).unwrap();
    let data = disk.unwrap().pointers().data;
    let mut batch = WriteBatch::new();
    for root in lost {
        batch.delete(keys::tree_node(data, *root));
    }
    storage.store().kv().commit(batch).unwrap();
    let core = within(&storage, OpenOptions::new()).await;
    (storage, core)
}

/// The same log as it should be.
async fn whole(blocks: u64) -> Hypercore {
    let core = Hypercore::builder().key_pair(pair(1)).memory().await.unwrap();
    core.append_batch((0..blocks).map(|i| i.to_string())).await.unwrap();
    core
}

#[tokio::test]
async fn m6_without_a_root_a_core_opens_and_changes_nothing() {
    let (_storage, core) = without_roots(5, &[8]).await;
    assert!(core.needs_repair());
    assert_eq!((core.length(), core.fork()), (5, 0));
    assert_eq!(core.get(3).await.unwrap(), "3", "blocks are there");
    let lost = |error: Error| matches!(error, Error::RootsLost { .. });
    assert!(lost(core.append("x").await.unwrap_err()));
    assert!(lost(core.truncate(2).await.unwrap_err()));
    assert!(lost(core.clear(0..1).await.unwrap_err()));
    assert!(lost(core.session(SessionOptions::new().name("draft")).await.unwrap_err()));
    assert!(lost(core.snapshot().await.unwrap_err()));
    let atom = core.atom();
    assert!(lost(core.session(SessionOptions::new().atom(&atom)).await.unwrap_err()));
    assert!(lost(core.proof(&upgrade(5)).await.unwrap_err()));
    assert!(lost(core.tree_hash().await.unwrap_err()));
    assert_eq!(core.append("x").await.unwrap_err().code(), "ERR_ASSERTION");
    assert_eq!((core.length(), core.get(4).await.unwrap()), (5, "4".into()));
}

#[tokio::test]
async fn m6_it_answers_no_request() {
    let (_storage, core) = without_roots(5, &[3]).await;
    let copy = Hypercore::builder().key(*core.key()).memory().await.unwrap();
    connect(&core, &copy);
    until("a peer", || !copy.peers().is_empty()).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(copy.length(), 0);
    assert!(core.needs_repair());
}

#[tokio::test]
async fn m7_a_proof_repairs_and_a_mangled_one_changes_nothing() {
    let (storage, core) = without_roots(6, &[3, 9]).await;
    let request = core.repair_request().unwrap();
    let good = whole(6).await.proof(&request).await.unwrap();
    let before = storage.store().dump().unwrap();
    let mut events = core.events();
    let mut mangled: Vec<Proof> = Vec::new();
    for change in 0..6 {
        let mut proof = good.clone();
        let upgrade = proof.upgrade.as_mut().unwrap();
        match change {
            0 => upgrade.nodes[0].size += 1,
            1 => upgrade.nodes[1].hash = upgrade.nodes[0].hash,
            2 => upgrade.nodes.clear(),
            3 => proof.fork = 1,
            4 => proof.upgrade = None,
            _ => proof = filled(6).await.proof(&request).await.unwrap(),
        }
        mangled.push(proof);
    }
    // another log of the same signer
    let other = Hypercore::builder().key_pair(pair(1)).memory().await.unwrap();
    other.append_batch(["0", "1", "2", "3", "4", "x"]).await.unwrap();
    mangled[5] = other.proof(&request).await.unwrap();
    for (change, proof) in mangled.iter().enumerate() {
        let refused = core.repair_with(proof).await.unwrap_err();
        assert!(["INVALID_PROOF", "INVALID_CHECKSUM"].contains(&refused.code()), "{change}: {refused}");
        let all = told(&mut events).await;
        assert!(matches!(all[..], [Event::Repairing, Event::RepairFailed { .. }]), "{change}: {all:?}");
        assert!(storage.store().dump().unwrap() == before, "{change}");
    }
    assert!(core.repair_with(&good).await.unwrap());
    assert_eq!(told(&mut events).await, [Event::Repairing, Event::Repaired]);
    assert!(!core.needs_repair() && core.repair_request().is_none());
    assert!(!core.repair_with(&good).await.unwrap(), "there is nothing to repair");
    assert_eq!(core.tree_hash().await.unwrap(), whole(6).await.tree_hash().await.unwrap());
    core.append("6").await.unwrap();
    assert_eq!(texts(&core).await, texts(&whole(7).await).await);
    assert_eq!(core.tree_hash().await.unwrap(), whole(7).await.tree_hash().await.unwrap());
    assert_eq!(storage.audit(None).await.unwrap().findings, []);
}

#[tokio::test]
async fn m7_a_proof_that_is_applied_repairs_too() {
    let (_storage, core) = without_roots(6, &[9]).await;
    assert!(core.apply_proof(whole(6).await.proof(&upgrade(6)).await.unwrap()).await.unwrap());
    assert!(!core.needs_repair());
}

#[tokio::test]
async fn m7_peers_repair_also_those_that_have_more() {
    for more in [0, 3] {
        let (storage, core) = without_roots(6, &[3, 9]).await;
        let peer = whole(6 + more).await;
        let mut events = core.events();
        connect(&peer, &core);
        until("repaired", || !core.needs_repair()).await;
        until("the longer log", || core.length() == 6 + more).await;
        let all = told(&mut events).await;
        assert!(all.contains(&Event::Repairing) && all.contains(&Event::Repaired), "{all:?}");
        assert_eq!(core.tree_hash().await.unwrap(), peer.tree_hash().await.unwrap());
        assert_eq!(storage.audit(None).await.unwrap().findings, []);
        // and it serves others again
        let copy = Hypercore::builder().key(*core.key()).memory().await.unwrap();
        connect(&core, &copy);
        assert_eq!(copy.get(2).await.unwrap(), "2");
    }
}

#[tokio::test]
async fn m7_a_peer_that_has_less_does_not_repair() {
    let (_storage, core) = without_roots(6, &[3]).await;
    let (short, enough) = (whole(5).await, whole(6).await);
    connect(&short, &core);
    until("a peer", || !core.peers().is_empty()).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(core.needs_repair());
    connect(&enough, &core);
    until("repaired", || !core.needs_repair()).await;
}

// stores that were set back

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// A directory whose database was set back from 7 blocks, which a peer has, to 3; and that peer.
async fn set_back() -> (tempfile::TempDir, Hypercore) {
    let dir = tempfile::tempdir().unwrap();
    let (db, saved) = (dir.path().join("db"), dir.path().join("saved"));
    let writer = Hypercore::open(dir.path()).await.unwrap();
    writer.append_batch(["0", "1", "2"]).await.unwrap();
    writer.close().await.unwrap();
    copy_folder(&db, &saved);
    let writer = Hypercore::open(dir.path()).await.unwrap();
    let peer = Hypercore::builder().key(*writer.key()).memory().await.unwrap();
    let connection = connect(&writer, &peer);
    writer.append_batch(["3", "4", "5", "6"]).await.unwrap();
    until("the peer has the log", || peer.length() == 7).await;
    peer.download(0..7).done().await.unwrap();
    connection.stop();
    writer.close().await.unwrap();
    std::fs::remove_dir_all(&db).unwrap();
    std::fs::rename(&saved, &db).unwrap();
    (dir, peer)
}

fn is_recovering(error: &Error) -> bool {
    matches!(error, Error::Recovering { .. }) && error.code() == "SESSION_NOT_WRITABLE"
}

#[tokio::test]
async fn m8_a_writer_that_was_set_back_changes_nothing_until_somebody_says_so() {
    let (dir, _peer) = set_back().await;
    for _ in 0..2 {
        // also after reopening
        let writer = Hypercore::open(dir.path()).await.unwrap();
        assert!(writer.recovering() > 0);
        assert_eq!(writer.length(), 3);
        let draft = named(&writer, "draft").await;
        draft.append("x").await.unwrap();
        assert!(is_recovering(&writer.append("x").await.unwrap_err()));
        assert!(is_recovering(&writer.truncate(1).await.unwrap_err()));
        assert!(is_recovering(&writer.commit(&draft).await.unwrap_err()));
        assert_eq!((writer.length(), writer.fork()), (3, 0));
        draft.close().await.unwrap();
        writer.close().await.unwrap();
    }
    let writer = Hypercore::open(dir.path()).await.unwrap();
    writer.recover_unconfirmed().await.unwrap();
    assert_eq!(writer.recovering(), 0);
    assert_eq!((writer.length(), writer.fork()), (3, 1), "peers have more on the first fork");
    assert_eq!(writer.append("x").await.unwrap().length, 4);
    writer.close().await.unwrap();
    let writer = Hypercore::open(dir.path()).await.unwrap();
    assert_eq!((writer.recovering(), writer.length(), writer.fork()), (0, 4, 1), "it is decided for good");
}

#[tokio::test]
async fn regression_m8_a19_what_waits_for_peers_to_confirm_ends_with_its_session() {
    let (dir, _peer) = set_back().await;
    let writer = Hypercore::open(dir.path()).await.unwrap();
    let _searching = writer.finding_peers();
    let session = writer.session(SessionOptions::new()).await.unwrap();
    let draft = named(&writer, "draft").await;
    draft.append("x").await.unwrap();
    let waiting = {
        let (one, two, three, four) = (session.clone(), session.clone(), session.clone(), session.clone());
        [
            tokio::spawn(async move { one.append("x").await.map(drop) }),
            tokio::spawn(async move { two.truncate(1).await }),
            tokio::spawn(async move { three.commit(&draft).await.map(drop) }),
            tokio::spawn(async move { four.recover().await }),
        ]
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(waiting.iter().all(|call| !call.is_finished()));
    session.close().await.unwrap();
    for call in waiting {
        let ended = tokio::time::timeout(Duration::from_secs(10), call).await.expect("it ends").unwrap();
        assert_eq!(ended.unwrap_err().code(), "REQUEST_CANCELLED");
    }
    assert_eq!((writer.length(), writer.fork()), (3, 0));
}

#[tokio::test]
async fn m8_peers_give_back_what_was_lost_and_the_writer_goes_on_behind_it() {
    let (dir, peer) = set_back().await;
    let writer = Hypercore::open(dir.path()).await.unwrap();
    assert!(writer.recovering() > 0);
    connect(&writer, &peer);
    until("a peer", || !writer.peers().is_empty()).await;
    // the append waits for the peers
    assert_eq!(writer.append("7").await.unwrap().length, 8);
    assert_eq!(writer.recovering(), 0);
    until("the peer goes on", || peer.length() == 8).await;
    peer.download(0..8).done().await.unwrap();
    assert_eq!(texts(&peer).await, ["0", "1", "2", "3", "4", "5", "6", "7"]);
    assert_eq!(peer.conflict(), None);
    writer.close().await.unwrap();
    let writer = Hypercore::open(dir.path()).await.unwrap();
    assert_eq!((writer.recovering(), writer.length()), (0, 8));
}

#[tokio::test]
async fn m8_peers_that_have_less_than_others_were_told_confirm_nothing() {
    let (dir, peer) = set_back().await;
    let behind = Hypercore::builder().key(*peer.key()).memory().await.unwrap();
    let early = {
        // read from a copy of what the store was set back to
        let copy = tempfile::tempdir().unwrap();
        copy_folder(&dir.path().join("db"), &copy.path().join("db"));
        let writer = Hypercore::open(copy.path()).await.unwrap();
        writer.proof(&upgrade(3)).await.unwrap()
    };
    assert!(behind.apply_proof(early).await.unwrap());
    let options = Hypercore::builder().timeout(Some(Duration::from_secs(10)));
    let writer = options.open(dir.path()).await.unwrap();
    connect(&writer, &behind);
    until("a peer", || !writer.peers().is_empty()).await;
    assert!(is_recovering(&writer.append("x").await.unwrap_err()));
    assert_eq!(writer.recover().await.unwrap_err().code(), "REQUEST_TIMEOUT");
    assert!(writer.recovering() > 0);
}

#[tokio::test]
async fn m8_a_writer_opens_although_it_cleared_the_tree_of_what_it_told() {
    let dir = tempfile::tempdir().unwrap();
    let writer = Hypercore::open(dir.path()).await.unwrap();
    writer.append_batch((0..10).map(|i| i.to_string())).await.unwrap();
    let peer = Hypercore::builder().key(*writer.key()).memory().await.unwrap();
    connect(&writer, &peer);
    until("the peer has the log", || peer.length() == 10).await;
    writer.close().await.unwrap();
    let writer = Hypercore::open(dir.path()).await.unwrap();
    writer.append_batch(["10", "11"]).await.unwrap();
    writer.clear(0..12).await.unwrap();
    writer.close().await.unwrap();
    let writer = Hypercore::open(dir.path()).await.unwrap();
    assert_eq!((writer.recovering(), writer.length()), (0, 12));
    assert_eq!(writer.append("12").await.unwrap().length, 13);
}

// two histories

#[tokio::test]
async fn m8_two_logs_of_one_key_are_a_conflict_that_lasts_until_it_is_decided() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Hypercore::builder().key_pair(pair(1)).open(dir.path());
    let core = open().await.unwrap();
    core.append_batch(["0", "1", "2"]).await.unwrap();
    let other = Hypercore::builder().key_pair(pair(1)).memory().await.unwrap();
    other.append_batch(["0", "x"]).await.unwrap();
    let evidence = other.proof(&upgrade(2)).await.unwrap();
    // what is no contradiction
    let mut unsigned = evidence.clone();
    unsigned.upgrade.as_mut().unwrap().signature[10] ^= 1;
    for harmless in
        [unsigned, core.proof(&upgrade(3)).await.unwrap(), whole(2).await.proof(&upgrade(2)).await.unwrap()]
    {
        assert!(!core.check_conflict(&harmless).await.unwrap());
    }
    assert_eq!(core.conflict(), None);
    assert!(core.check_conflict(&evidence).await.unwrap());
    let conflict = core.conflict().unwrap();
    assert_eq!((conflict.fork, conflict.length), (0, 2));
    assert_eq!(conflict.theirs, other.tree_hash().await.unwrap());
    assert_eq!(conflict.ours, core.tree_hash_at(2).await.unwrap());
    assert_eq!(conflict.their_signature, evidence.upgrade.unwrap().signature);
    for _ in 0..2 {
        let core = core.clone();
        assert!(matches!(core.append("y").await.unwrap_err(), Error::Conflict { length: 2, .. }));
        assert!(matches!(core.truncate(1).await.unwrap_err(), Error::Conflict { .. }));
        assert_eq!(texts(&core).await, ["0", "1", "2"], "what is here can be read");
    }
    core.close().await.unwrap();
    let core = open().await.unwrap();
    assert_eq!(core.conflict(), Some(conflict), "the evidence is kept");
    assert!(matches!(core.append("y").await.unwrap_err(), Error::Conflict { .. }));
    core.resolve_conflict().await.unwrap();
    assert_eq!(core.append("y").await.unwrap().length, 4);
    core.close().await.unwrap();
    assert_eq!(open().await.unwrap().conflict(), None);
}
