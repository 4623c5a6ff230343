//! What is simple and has to hold: sessions of one log, closing, waiting, snapshots, and how far a log is stored.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{connect, filled, named, reader, texts, told, until};
use hypercore::storage::Storage;
use hypercore::{
    Event, GetOptions, Hypercore, Key, OpenOptions, SessionOptions, TruncateOptions, UpdateOptions,
};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a2_a3_key_and_id_are_known_at_once_also_in_sessions() {
    let key = Key::from([b'a'; 32]);
    let core = Hypercore::builder().key(key).memory().await.unwrap();
    let session = core.session(SessionOptions::new()).await.unwrap();
    for session in [&core, &session, &core.snapshot().await.unwrap(), &named(&core, "draft").await] {
        assert_eq!(session.id(), "cfosnambcfosnambcfosnambcfosnambcfosnambcfosnambcfoo");
        assert_eq!((session.key(), session.discovery_key()), (&key, &key.discovery_key()));
        assert!(session.is_empty());
    }
}

#[tokio::test]
async fn a9_sessions_share_the_log_and_hear_of_it() {
    let core = Hypercore::memory().await.unwrap();
    let session = core.session(SessionOptions::new()).await.unwrap();
    let mut events = core.events();
    assert!(core.writable() && core.is_empty() && core.signed_length() == 0);
    session.append("hello").await.unwrap();
    core.append("world").await.unwrap();
    assert_eq!(session.get(1).await.unwrap(), "world");
    assert_eq!(core.get(0).await.unwrap(), "hello");
    let info = core.info().await.unwrap();
    assert_eq!((info.length, info.byte_length, info.storage), (2, 10, None));
    assert_eq!((core.signed_length(), session.signed_length()), (2, 2));
    let appended = [(1, 5), (2, 10)].map(|(length, byte_length)| Event::Append { length, byte_length });
    assert_eq!(told(&mut events).await, appended);
    let space = core.info_with_storage().await.unwrap().storage.unwrap();
    assert!(space.blocks >= 10 && space.tree > 0, "{space:?}");
}

#[tokio::test]
async fn a10_closing_several_times_at_once_is_one_close() {
    let dir = tempfile::tempdir().unwrap();
    let core = Hypercore::open(dir.path()).await.unwrap();
    core.append("x").await.unwrap();
    let mut events = core.events();
    let (first, second, third) = tokio::join!(core.close(), core.close(), core.close());
    first.and(second).and(third).unwrap();
    assert_eq!(told(&mut events).await, [Event::Close]);
    Hypercore::open(dir.path()).await.unwrap();
}

#[tokio::test]
async fn a17_sessions_that_are_not_weak_are_counted() {
    let core = Hypercore::memory().await.unwrap();
    assert_eq!(core.core().active_sessions(), 1);
    let session = core.session(SessionOptions::new()).await.unwrap();
    let clone = session.clone();
    assert_eq!(core.core().active_sessions(), 2, "a clone is the same session");
    let weak = core.session(SessionOptions::new().weak(true)).await.unwrap();
    let (draft, snapshot) = (named(&core, "draft").await, core.snapshot().await.unwrap());
    assert_eq!(core.core().active_sessions(), 4);
    for session in [draft, snapshot, clone, weak] {
        session.close().await.unwrap();
    }
    assert_eq!(core.core().active_sessions(), 1);
    assert!(session.is_closed());
}

#[tokio::test]
async fn a19_a_read_beyond_the_end_waits_and_is_counted_until_the_block_comes() {
    let core = filled(1).await;
    assert_eq!(core.waits(), 0);
    let waiting = {
        let core = core.clone();
        tokio::spawn(async move { core.get(1).await })
    };
    until("it waits", || core.waits() == 1).await;
    core.append("b").await.unwrap();
    assert_eq!(timeout(SOON, waiting).await.unwrap().unwrap().unwrap(), "b");
    // what is here is downloaded at once, and giving that up does no harm
    timeout(SOON, core.download(0..2).done()).await.unwrap().unwrap();
    core.download(0..2).destroy();
    core.download(..).destroy();
}

#[tokio::test]
async fn a23_d9_a_session_that_cannot_be_names_its_core() {
    let core = filled(1).await;
    for options in [SessionOptions::new().checkout(0), SessionOptions::new().overwrite(true)] {
        let refused = core.session(options).await.unwrap_err();
        assert_eq!(refused.code(), "ERR_ASSERTION");
        assert!(refused.to_string().contains(&core.discovery_key().to_string()), "{refused}");
    }
}

#[tokio::test]
async fn c1_a_session_in_an_atom_that_went_back_can_be_cut_further() {
    let core = filled(10).await;
    let atom = core.atom();
    let inside = core.session(SessionOptions::new().atom(&atom).checkout(7)).await.unwrap();
    assert_eq!(inside.length(), 7);
    let present = TruncateOptions::new().fork(inside.fork());
    assert_eq!(inside.truncate_with(5, present).await.unwrap_err().code(), "INVALID_OPERATION");
    inside.truncate(5).await.unwrap();
    assert_eq!(inside.length(), 5);
    inside.append("hello").await.unwrap();
    assert_eq!(texts(&inside).await, ["0", "1", "2", "3", "4", "hello"]);
    assert_eq!(core.length(), 10);
    inside.close().await.unwrap();
    atom.flush().await.unwrap();
    assert_eq!(texts(&core).await, ["0", "1", "2", "3", "4", "hello"]);
}

#[tokio::test]
async fn c6_snapshots_of_different_moments_stay_what_they_were() {
    let core = Hypercore::memory().await.unwrap();
    let empty = core.snapshot().await.unwrap();
    core.append("a").await.unwrap();
    let one = core.snapshot().await.unwrap();
    core.append("c").await.unwrap();
    assert_eq!((empty.length(), one.length(), core.length()), (0, 1, 2));
    assert_eq!((empty.fork(), texts(&one).await), (0, vec!["a".to_owned()]));
}

#[tokio::test]
async fn c7_a_snapshot_has_its_blocks_whatever_becomes_of_the_log() {
    let core = filled(3).await;
    let snapshot = core.snapshot().await.unwrap();
    let states = [(3, 4), (3, 3), (2, 2), (2, 3)];
    for (step, (signed, length)) in states.into_iter().enumerate() {
        match step {
            0 => drop(core.append("3").await.unwrap()),
            1 => core.truncate(3).await.unwrap(),
            2 => core.truncate(2).await.unwrap(),
            _ => drop(core.append("new 2").await.unwrap()),
        }
        assert_eq!((snapshot.signed_length(), snapshot.length(), core.length()), (signed, 3, length));
        assert_eq!(texts(&snapshot).await, ["0", "1", "2"], "step {step}");
    }
}

#[tokio::test]
async fn regression_c8_a_snapshot_is_not_updated() {
    let core = filled(3).await;
    let copy = reader(&core).await;
    let empty = copy.snapshot().await.unwrap();
    let searching = copy.finding_peers();
    let wait = UpdateOptions::new().wait(true).force(true);
    assert!(!timeout(SOON, empty.update_with(wait)).await.expect("it asks nobody").unwrap());
    drop(searching);
    connect(&core, &copy);
    until("the log is known", || copy.length() == 3).await;
    assert!(!empty.update().await.unwrap());
    assert_eq!(empty.length(), 0);
}

#[tokio::test]
async fn c11_a_snapshot_of_a_draft_outlives_it_and_the_log_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    for core in [filled(3).await, Hypercore::open(dir.path()).await.unwrap()] {
        if core.is_empty() {
            core.append_batch(["0", "1", "2"]).await.unwrap();
        }
        let draft = named(&core, "draft").await;
        let snapshot = draft.snapshot().await.unwrap();
        draft.close().await.unwrap();
        core.truncate(1).await.unwrap();
        core.append("new 1").await.unwrap();
        assert_eq!((core.fork(), core.length(), snapshot.length()), (1, 2, 3));
        assert_eq!(texts(&snapshot).await, ["0", "1", "2"]);
    }
}

/// Whether each block is here, as memory and the disk have it, and how far the log is stored without a hole.
async fn stored(core: &Hypercore, storage: &Arc<Storage>, blocks: u64) -> (String, u64) {
    let disk = storage.store().resume_core(core.discovery_key()).unwrap().unwrap();
    let (bits, hints) = (disk.bitfield().unwrap(), disk.hints().unwrap());
    let mut here = String::new();
    for block in 0..blocks {
        let has = core.has(block).await.unwrap();
        assert_eq!(bits.get(block), has, "block {block}");
        here.push(if has { '1' } else { '0' });
    }
    assert_eq!(hints.contiguous_length, core.contiguous_length());
    (here, core.contiguous_length())
}

#[tokio::test]
async fn b12_c4_e2_what_is_here_is_known_in_memory_and_on_the_disk() {
    let storage = Storage::memory().unwrap();
    let mut core = common::in_store(&storage, OpenOptions::new()).await;
    assert_eq!(stored(&core, &storage, 1).await, ("0".into(), 0));
    let steps: [(&str, u64, &str); 6] = [
        ("append 5", 5, "11111000"),
        ("append 2", 7, "11111110"),
        ("clear 4", 4, "11110110"),
        ("append 1", 4, "11110111"),
        ("truncate 2", 2, "11000000"),
        ("append 1", 3, "11100000"),
    ];
    for (step, contiguous, bits) in steps {
        let (what, number) = step.split_once(' ').unwrap();
        let number: u64 = number.parse().unwrap();
        match what {
            "append" => drop(core.append_batch((0..number).map(|i| i.to_string())).await.unwrap()),
            "clear" => drop(core.clear(number..number + 1).await.unwrap()),
            _ => core.truncate(number).await.unwrap(),
        }
        for again in [false, true] {
            if again {
                core.core().shut();
                core = common::in_store(&storage, OpenOptions::new()).await;
            }
            assert_eq!(stored(&core, &storage, 8).await, (bits.to_owned(), contiguous), "{step}, {again}");
        }
    }
}

#[tokio::test]
async fn b5_ranges_with_a_hole_are_not_here() {
    let core = filled(6).await;
    assert!(core.has_range(0..5).await.unwrap());
    core.clear(2..3).await.unwrap();
    for (range, here) in [(0..5, false), (0..2, true), (3..5, true), (2..3, false), (2..2, true)] {
        assert_eq!(core.has_range(range.clone()).await.unwrap(), here, "{range:?}");
    }
    assert_eq!(core.get_with(2, GetOptions::new().wait(false)).await.unwrap(), None);
}

#[tokio::test]
async fn b3_the_hash_of_an_empty_log_is_that_of_every_empty_log() {
    let (one, other) = (Hypercore::memory().await.unwrap(), Hypercore::memory().await.unwrap());
    assert_eq!(one.tree_hash().await.unwrap(), other.tree_hash().await.unwrap());
    one.append("a").await.unwrap();
    assert_ne!(one.tree_hash().await.unwrap(), other.tree_hash().await.unwrap());
    other.append("a").await.unwrap();
    assert_eq!(one.tree_hash().await.unwrap(), other.tree_hash().await.unwrap());
}
