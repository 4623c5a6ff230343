//! Moving named sessions to other cores.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{connect, ends, filled, in_store, named, new_in, texts, told};
use hypercore::storage::Storage;
use hypercore::{
    CommitOptions, Encryption, Event, Hypercore, KeyPair, Manifest, OpenOptions, Prologue, SessionOptions,
};

/// How a core is opened that begins with the blocks of another one, in other hands.
async fn heir(of: &Hypercore) -> OpenOptions {
    let pair = KeyPair::from_seed(&[9; 32]);
    let prologue = Prologue { hash: of.tree_hash().await.unwrap(), length: of.length() };
    let manifest = Manifest { prologue: Some(prologue), ..Manifest::single(pair.public()) };
    OpenOptions::new().manifest(manifest).key_pair(pair)
}

/// A core that begins with another one's blocks, in a store of its own.
async fn successor(of: &Hypercore) -> Hypercore {
    let core = heir(of).await.memory().await.unwrap();
    assert!(core.copy_prologue(of).await.unwrap());
    core
}

/// Two cores of one store, of three blocks each, and a session of the first, with two handles.
async fn two_of_a_store() -> (Hypercore, Hypercore, Hypercore, Hypercore) {
    let storage = Storage::memory().unwrap();
    let old = new_in(&storage, 1).await;
    let draft = named(&old, "draft").await;
    draft.append_batch(["a", "b", "c"]).await.unwrap();
    old.commit(&draft).await.unwrap().unwrap();
    let new = in_store(&storage, heir(&old).await).await;
    assert!(new.copy_prologue(&old).await.unwrap());
    let other = named(&old, "draft").await;
    (old, new, draft, other)
}

#[tokio::test]
async fn d22_a_moved_session_keeps_its_blocks_and_tells_the_new_key() {
    let (old, new, draft, other) = two_of_a_store().await;
    let (mut events, mut of_log) = (other.events(), new.events());
    draft.move_to(&new, 3).await.unwrap();
    for session in [&draft, &other] {
        assert_eq!((session.key(), session.discovery_key()), (new.key(), new.discovery_key()));
        assert_eq!((session.length(), session.signed_length(), session.fork()), (3, 3, 0));
        assert_eq!(texts(session).await, ["a", "b", "c"]);
        assert_eq!(session.manifest(), new.manifest());
    }
    assert_eq!(told(&mut events).await, [Event::Migrate { key: *new.key() }]);
    other.append("d").await.unwrap();
    assert_eq!((old.length(), new.length(), draft.length()), (3, 3, 4));
    assert_eq!(old.commit(&draft).await.unwrap_err().code(), "ERR_ASSERTION");
    assert_eq!(new.commit(&draft).await.unwrap().unwrap().length, 4);
    assert_eq!((texts(&new).await, old.length()), (["a", "b", "c", "d"].map(String::from).to_vec(), 3));
    assert_eq!(told(&mut events).await, [Event::Append { length: 4, byte_length: 4 }]);
    assert_eq!(told(&mut of_log).await, [Event::Append { length: 4, byte_length: 4 }]);
    // the name is free on the old core, where what was stored of it still is
    let left = named(&old, "draft").await;
    assert_eq!((texts(&left).await, left.key()), (["a", "b", "c"].map(String::from).to_vec(), old.key()));
    left.append("x").await.unwrap();
    assert_eq!((draft.length(), left.length()), (4, 4));
    assert_eq!(texts(&draft).await, ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn d22_a_session_moves_to_another_store_and_is_there_after_reopening() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let old = Hypercore::open(one.path()).await.unwrap();
    let draft = named(&old, "draft").await;
    draft.append_batch(["a", "b"]).await.unwrap();
    old.commit(&draft).await.unwrap().unwrap();
    let new = heir(&old).await.open(two.path()).await.unwrap();
    new.copy_prologue(&old).await.unwrap();
    old.close().await.unwrap();
    assert!(!draft.is_closed(), "the session keeps its core open");
    draft.move_to(&new, 2).await.unwrap();
    // and no longer does: the directory is free
    let old = Hypercore::open(one.path()).await.unwrap();
    new.close().await.unwrap();
    assert!(!draft.is_closed(), "it keeps the new one open");
    draft.append("c").await.unwrap();
    draft.set_user_data("of", Some(b"the session")).await.unwrap();
    draft.close().await.unwrap();
    let new = Hypercore::open(two.path()).await.unwrap();
    assert_eq!(texts(&new).await, ["a", "b"]);
    let draft = named(&new, "draft").await;
    assert_eq!(texts(&draft).await, ["a", "b", "c"]);
    assert_eq!(draft.user_data("of").await.unwrap().unwrap(), "the session");
    assert_eq!(old.user_data("of").await.unwrap(), None);
}

#[tokio::test]
async fn d22_a_session_is_cut_or_grows_to_the_length_that_it_moves_to() {
    let (old, new, draft, _) = two_of_a_store().await;
    let further = named(&old, "further").await;
    draft.append_batch(["own", "blocks"]).await.unwrap();
    new.append_batch(["d", "e"]).await.unwrap();
    let (mut events, mut of_further) = (draft.events(), further.events());
    draft.move_to(&new, 3).await.unwrap();
    assert_eq!((texts(&draft).await, draft.fork()), (["a", "b", "c"].map(String::from).to_vec(), 1));
    let migrate = Event::Migrate { key: *new.key() };
    assert_eq!(told(&mut events).await, [migrate.clone(), Event::Truncate { length: 3, fork: 1 }]);
    further.move_to(&new, 5).await.unwrap();
    assert_eq!((texts(&further).await.concat(), further.fork()), ("abcde".into(), 0));
    assert_eq!(told(&mut of_further).await, [migrate, Event::Append { length: 5, byte_length: 5 }]);
    // both can be committed
    draft.append_batch(["d", "e", "f"]).await.unwrap();
    assert_eq!(new.commit(&draft).await.unwrap().unwrap().length, 6);
    further.append_batch(["f", "g"]).await.unwrap();
    let terms = CommitOptions::new().length(7);
    assert_eq!(new.commit_with(&further, terms).await.unwrap().unwrap().length, 7);
    assert_eq!((texts(&new).await.concat(), new.fork()), ("abcdefg".into(), 0));
    assert_eq!(named(&old, "draft").await.length(), 3, "what was cut off is gone there too");
}

#[tokio::test]
async fn d22_a_stored_session_of_the_name_is_taken_up() {
    let (old, new, draft, _) = two_of_a_store().await;
    let there = named(&new, "draft").await;
    there.append_batch(["d", "e"]).await.unwrap();
    let open = draft.move_to(&new, 3).await.unwrap_err();
    assert_eq!((open.code(), open.discovery_key()), ("STORAGE_CONFLICT", Some(new.discovery_key())));
    there.close().await.unwrap();
    let too_long = draft.move_to(&new, 6).await.unwrap_err();
    assert_eq!((too_long.code(), draft.key()), ("INVALID_OPERATION", old.key()));
    draft.move_to(&new, 4).await.unwrap();
    assert_eq!(texts(&draft).await.concat(), "abcd");
    draft.append("f").await.unwrap();
    draft.close().await.unwrap();
    assert_eq!(texts(&named(&new, "draft").await).await.concat(), "abcdf");
}

#[tokio::test]
async fn d22_a_session_moves_back_and_on() {
    let (old, new, draft, other) = two_of_a_store().await;
    other.close().await.unwrap();
    for round in 0..4 {
        let (from, to) = if round % 2 == 0 { (&old, &new) } else { (&new, &old) };
        assert_eq!(draft.key(), from.key());
        draft.move_to(to, 3).await.unwrap();
        assert_eq!((draft.key(), texts(&draft).await.concat()), (to.key(), "abc".into()));
    }
    draft.append("d").await.unwrap();
    assert_eq!(old.commit(&draft).await.unwrap().unwrap().length, 4);
}

#[tokio::test]
async fn d22_what_cannot_be_moved_is_refused_and_stays_where_it_was() {
    let (old, new, draft, _) = two_of_a_store().await;
    let refused = async |session: &Hypercore, to: &Hypercore, length: u64| {
        let key = *session.key();
        let error = session.move_to(to, length).await.unwrap_err();
        assert_eq!(*session.key(), key);
        error.code()
    };
    assert_eq!(refused(&old, &new, 3).await, "ERR_ASSERTION", "the log itself");
    assert_eq!(refused(&draft.snapshot().await.unwrap(), &new, 3).await, "ERR_ASSERTION");
    let in_atom = draft.session(SessionOptions::new().atom(&old.atom())).await.unwrap();
    assert_eq!(refused(&in_atom, &new, 3).await, "ERR_ASSERTION");
    assert_eq!(refused(&draft, &old, 3).await, "ERR_ASSERTION", "it is there already");
    assert_eq!(refused(&draft, &named(&new, "other").await, 3).await, "ERR_ASSERTION", "not to a log itself");
    assert_eq!(refused(&draft, &new, 2).await, "INVALID_OPERATION", "inside the prologue");
    assert_eq!(refused(&draft, &new, 4).await, "INVALID_OPERATION", "the log is shorter");
    assert_eq!(refused(&draft, &filled(5).await, 3).await, "INVALID_OPERATION", "other blocks");
    // its own block is not there: neither lost nor taken for the other one
    draft.append("mine").await.unwrap();
    new.append("theirs").await.unwrap();
    assert_eq!(refused(&draft, &new, 4).await, "INVALID_OPERATION");
    assert_eq!(texts(&draft).await, ["a", "b", "c", "mine"]);
    assert_eq!(named(&new, "draft").await.length(), 4, "nothing was made there");
    let closed = successor(&filled(3).await).await;
    closed.close().await.unwrap();
    assert_eq!(refused(&draft, &closed, 3).await, "SESSION_CLOSED");
    draft.close().await.unwrap();
    assert_eq!(refused(&draft, &new, 3).await, "SESSION_CLOSED");
}

#[tokio::test]
async fn d22_snapshots_and_atoms_of_a_moved_session_stay() {
    let (old, new, draft, _) = two_of_a_store().await;
    draft.append("own").await.unwrap();
    let snapshot = draft.snapshot().await.unwrap();
    let atom = old.atom();
    let in_atom = draft.session(SessionOptions::new().atom(&atom)).await.unwrap();
    in_atom.append("more").await.unwrap();
    draft.move_to(&new, 3).await.unwrap();
    assert_eq!((snapshot.key(), texts(&snapshot).await.concat()), (old.key(), "abcown".into()));
    assert_eq!((in_atom.key(), atom.flush().await.unwrap_err().code()), (old.key(), "INVALID_OPERATION"));
    draft.move_to(&old, 3).await.unwrap();
    assert_eq!((old.length(), texts(&draft).await.concat()), (3, "abc".into()));
    // a snapshot of a moved session is one of the new core's
    draft.move_to(&new, 3).await.unwrap();
    let snapshot = draft.snapshot().await.unwrap();
    draft.truncate(3).await.unwrap();
    assert_eq!((snapshot.key(), texts(&snapshot).await.concat()), (new.key(), "abc".into()));
}

#[tokio::test]
async fn d22_a_read_that_waits_goes_on_at_the_new_core() {
    let source = filled(4).await;
    let owner = successor(&source).await;
    owner.append("from the new core").await.unwrap();
    // a reader of the new core, that has the tree but not the blocks
    let new = common::reader(&owner).await;
    connect(&owner, &new);
    new.update().await.unwrap();
    let draft = named(&source, "draft").await;
    let waiting = {
        let draft = draft.clone();
        tokio::spawn(async move { draft.get(4).await })
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished());
    new.get(3).await.unwrap();
    draft.move_to(&new, 5).await.unwrap();
    let read = tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap().unwrap();
    assert_eq!(read.unwrap(), "from the new core");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d22_reads_meanwhile_never_see_anything_else() {
    let (old, new, draft, _) = two_of_a_store().await;
    let readers: Vec<_> = (0..3)
        .map(|index| {
            let draft = draft.clone();
            tokio::spawn(async move {
                let mut reads = 0_u32;
                while draft.length() == 3 {
                    assert_eq!(
                        draft.get(index).await.unwrap(),
                        ["a", "b", "c"][usize::try_from(index).unwrap()]
                    );
                    reads += 1;
                    tokio::task::yield_now().await;
                }
                reads
            })
        })
        .collect();
    for _ in 0..50 {
        let (there, back) = (Arc::new(new.clone()), Arc::new(old.clone()));
        draft.move_to(&there, 3).await.unwrap();
        let opened = named(&new, "draft").await;
        opened.close().await.unwrap();
        draft.move_to(&back, 3).await.unwrap();
    }
    draft.append("end").await.unwrap();
    for reader in readers {
        assert!(reader.await.unwrap() > 0);
    }
    drop(draft);
    assert_eq!((old.length(), new.length()), (3, 3));
}

#[tokio::test]
async fn d22_an_encrypted_session_moves_with_a_key_that_is_good_for_both_cores() {
    let encrypted = |encryption: Encryption| SessionOptions::new().name("draft").encryption(Some(encryption));
    let old = Hypercore::builder().encryption(Encryption::block_key([4; 32])).memory().await.unwrap();
    old.append_batch(["a", "b"]).await.unwrap();
    let new = successor(&old).await;
    let draft = old.session(SessionOptions::new().name("draft")).await.unwrap();
    draft.move_to(&new, 2).await.unwrap();
    assert_eq!(texts(&draft).await, ["a", "b"]);
    draft.append("c").await.unwrap();
    new.commit(&draft).await.unwrap().unwrap();
    new.set_encryption(Encryption::block_key([4; 32]));
    assert_eq!((texts(&new).await, new.byte_length()), (["a", "b", "c"].map(String::from).to_vec(), 3));

    let old = Hypercore::builder().encryption(Encryption::key([4; 32])).memory().await.unwrap();
    old.append_batch(["a", "b"]).await.unwrap();
    let new = successor(&old).await;
    let draft = old.session(encrypted(Encryption::key([4; 32]))).await.unwrap();
    assert_eq!(draft.move_to(&new, 2).await.unwrap_err().code(), "ERR_ASSERTION");
    assert_eq!(texts(&draft).await, ["a", "b"]);
    // another session of the name has no such key, and moves this one along
    let plain = old.session(SessionOptions::new().name("draft").encryption(None)).await.unwrap();
    plain.move_to(&new, 2).await.unwrap();
    assert_eq!(draft.get(0).await.unwrap_err().code(), "ERR_ASSERTION", "not the wrong plain text");
    assert_eq!(draft.append("c").await.unwrap_err().code(), "ERR_ASSERTION");
    draft.set_encryption(Encryption::key([4; 32]));
    draft.append("c").await.unwrap();
    assert_eq!(draft.get(2).await.unwrap(), "c");
}

#[test]
fn regression_an_atom_takes_a_session_once_wherever_it_has_moved_to() {
    ends(|| async {
        let (old, new, draft, _other) = two_of_a_store().await;
        let atom = old.atom();
        let inside = draft.session(SessionOptions::new().atom(&atom)).await.unwrap();
        inside.append("in the atom").await.unwrap();
        draft.move_to(&new, 3).await.unwrap();
        let again = draft.session(SessionOptions::new().atom(&atom)).await;
        assert_eq!(again.unwrap_err().code(), "ERR_ASSERTION");
        assert_eq!(atom.flush().await.unwrap_err().code(), "INVALID_OPERATION");
        assert_eq!(new.append("goes on").await.unwrap().length, 4);
        assert_eq!(old.append("goes on").await.unwrap().length, 4);
    });
}
