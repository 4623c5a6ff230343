//! Each option has its effect by every way of opening, or is refused. [`no_option_is_left_out`] sees to it that a new one comes
//! in here.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::place::{ALL, Place, Way, fill, manifest, pair};
use common::{connect, texts, until};
use hypercore::storage::Storage;
use hypercore::{
    Atom, DownloadOptions, Durability, Encryption, GetOptions, Hypercore, KeyPair, Manifest, OpenOptions,
    ReplicationOptions, Result, SeekOptions, SessionOptions, UpdateOptions,
};

const SOON: Duration = Duration::from_secs(10);
const MOMENT: Duration = Duration::from_millis(30);

/// Another session of the core, with none of the options.
async fn plain(core: &Hypercore) -> Hypercore {
    Hypercore::from_core(core.core().clone(), SessionOptions::new()).await.unwrap()
}

fn code<T>(result: Result<T>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "ok")
}

#[tokio::test]
async fn key_key_pair_and_manifest_name_the_core_or_are_refused() {
    let other = Manifest::single(KeyPair::from_seed(&[2; 32]).public());
    for way in ALL {
        let place = Place::new(way).await;
        let session = place.opened(OpenOptions::new().key(manifest().key())).await.unwrap();
        assert_eq!(*session.key(), manifest().key(), "{way:?}");
        fill(&session).await;
        session.append("x").await.unwrap();
        drop(session);
        let place = Place::new(way).await;
        let refused = place.opened(OpenOptions::new().key(other.key())).await;
        // a session has no such option
        let expected = if place.opens_core() { "STORAGE_CONFLICT" } else { "ok" };
        assert_eq!(code(refused), expected, "{way:?}");
    }
    let storage = Storage::memory().unwrap();
    let core =
        common::in_store(&storage, OpenOptions::new().manifest_bytes(&manifest().to_bytes()).unwrap()).await;
    assert_eq!(core.manifest(), Some(manifest()));
    assert_eq!(code(core.core().join(&OpenOptions::new().manifest(other)).await), "STORAGE_CONFLICT");
}

#[tokio::test]
async fn a_key_pair_of_its_own_signs_for_the_session_that_it_was_given_to() {
    for way in ALL {
        // a copy, of which the key pair is not stored
        let place = Place::of(way, false).await;
        let session = place.session(SessionOptions::new().key_pair(pair())).await;
        session.append("signed").await.unwrap();
        let wrong = SessionOptions::new().key_pair(KeyPair::from_seed(&[3; 32]));
        let stranger = session.session(wrong).await.unwrap();
        assert_eq!(code(stranger.append("x").await), "BAD_ARGUMENT", "{way:?}");
        assert_eq!(code(plain(&session).await.append("x").await), "SESSION_NOT_WRITABLE", "{way:?}");
    }
}

#[tokio::test]
async fn create_if_missing_finds_only_what_is_there() {
    for way in ALL {
        let place = Place::new(way).await;
        let opened = place.opened(OpenOptions::new().create_if_missing(false)).await;
        assert_eq!(code(opened), if place.has_blocks() { "ok" } else { "STORAGE_EMPTY" }, "{way:?}");
    }
}

#[tokio::test]
async fn overwrite_begins_anew_or_is_refused() {
    for way in ALL {
        let place = Place::new(way).await;
        let opened = place.opened(OpenOptions::new().overwrite(true)).await;
        match way {
            Way::New | Way::Directory | Way::DirectoryAgain => assert_eq!(opened.unwrap().length(), 0),
            // what was signed under this key may be known to others
            Way::Stored => {
                let anew = opened.unwrap();
                assert_eq!((anew.length(), anew.fork()), (0, 1));
            }
            Way::Open => {
                assert_eq!(code(opened), "STORAGE_CONFLICT", "{way:?}");
                let still = place.opened(OpenOptions::new()).await.unwrap();
                assert_eq!(texts(&still).await, ["0", "1", "2"], "{way:?}");
            }
            Way::Session => assert_eq!(opened.unwrap().length(), 3, "a session has no such option"),
        }
    }
    // a copy of somebody's log can be fetched anew
    let storage = Storage::memory().unwrap();
    let source = common::filled(3).await;
    let copy = common::in_store(&storage, OpenOptions::new().key(*source.key())).await;
    assert!(copy.apply_proof(source.proof(&common::upgrade(3)).await.unwrap()).await.unwrap());
    copy.core().shut();
    let anew = common::in_store(&storage, OpenOptions::new().key(*source.key()).overwrite(true)).await;
    assert_eq!((copy.length(), anew.length()), (3, 0));
}

#[tokio::test]
async fn compat_decides_the_key_of_a_core_that_is_made_from_a_key_pair() {
    let public = hypercore::Key::from(pair().public().as_bytes());
    let made = OpenOptions::new().key_pair(pair()).compat(true).memory().await.unwrap();
    assert_eq!(*made.key(), public);
    // by its key, with the flag or without, it is what its key says
    for compat in [true, false] {
        for key in [public, manifest().key()] {
            let options = OpenOptions::new().key(key).key_pair(pair()).compat(compat);
            let core = options.memory().await.unwrap();
            assert_eq!(*core.key(), key);
            core.append("x").await.unwrap();
            let copy = common::reader(&core).await;
            connect(&core, &copy);
            assert_eq!(copy.get(0).await.unwrap(), "x");
        }
    }
}

#[tokio::test]
async fn user_data_is_stored() {
    for way in ALL {
        let place = Place::new(way).await;
        let session = place.opened(OpenOptions::new().user_data("key", "value")).await.unwrap();
        assert_eq!(session.user_data("key").await.unwrap().unwrap(), "value", "{way:?}");
        let own = session.session(SessionOptions::new().user_data("key", "other")).await.unwrap();
        assert_eq!(session.user_data("key").await.unwrap(), own.user_data("key").await.unwrap(), "{way:?}");
    }
}

#[tokio::test]
async fn group_is_joined_or_refused() {
    for way in ALL.into_iter().filter(|way| *way != Way::Session) {
        let place = Place::new(way).await;
        let session = place.opened(OpenOptions::new().group([7; 32])).await.unwrap();
        assert_eq!(session.core().group(), Some([7; 32]), "{way:?}");
        let again = session.core().join(&OpenOptions::new().group([7; 32])).await;
        assert_eq!(code(again), "ok");
        let other = session.core().join(&OpenOptions::new().group([8; 32])).await;
        assert_eq!(code(other), "STORAGE_CONFLICT", "{way:?}");
    }
}

#[tokio::test]
async fn durability_is_the_stores() {
    for way in ALL.into_iter().filter(|way| *way != Way::Session) {
        let place = Place::new(way).await;
        let synced = place.opened(OpenOptions::new().durability(Durability::Sync)).await;
        match way {
            Way::Directory | Way::DirectoryAgain => {
                is_sync(&synced.unwrap()).await;
            }
            _ => assert_eq!(code(synced), "BAD_ARGUMENT", "{way:?}"),
        }
        let place = Place::new(way).await;
        let buffered = place.opened(OpenOptions::new().durability(Durability::Buffered)).await;
        assert_eq!(code(buffered), "ok", "{way:?}");
    }
    let memory = OpenOptions::new().durability(Durability::Sync).memory().await.unwrap();
    is_sync(&memory).await;
}

async fn is_sync(core: &Hypercore) {
    for (durability, expected) in [(Durability::Sync, "ok"), (Durability::Buffered, "BAD_ARGUMENT")] {
        let joined = core.core().join(&OpenOptions::new().durability(durability)).await;
        assert_eq!(code(joined), expected);
    }
}

#[tokio::test]
async fn replication_is_that_of_the_core_while_it_is_open() {
    let lazy = ReplicationOptions { eager_upgrade: false, ..ReplicationOptions::default() };
    let narrow = ReplicationOptions { inflight_range: (1, 2), ..ReplicationOptions::default() };
    for way in ALL.into_iter().filter(|way| *way != Way::Session) {
        for replication in [lazy, narrow] {
            let place = Place::new(way).await;
            let opened = place.opened(OpenOptions::new().replication(replication)).await;
            let Ok(session) = opened else {
                assert_eq!((code(opened), way), ("STORAGE_CONFLICT", Way::Open));
                continue;
            };
            assert_ne!(way, Way::Open);
            let same = OpenOptions::new().replication(replication);
            assert_eq!(code(session.core().join(&same).await), "ok", "{way:?}");
            let default = OpenOptions::new().replication(ReplicationOptions::default());
            assert_eq!(code(session.core().join(&default).await), "STORAGE_CONFLICT", "{way:?}");
        }
    }
    let core = common::filled(3).await;
    for eager in [true, false] {
        let replication = if eager { ReplicationOptions::default() } else { lazy };
        let options = OpenOptions::new().key(*core.key()).replication(replication);
        let copy = options.memory().await.unwrap();
        connect(&core, &copy);
        until("they know each other", || copy.peers().iter().any(|peer| peer.remote_length == 3)).await;
        tokio::time::sleep(MOMENT).await;
        if !eager {
            assert_eq!(copy.length(), 0);
            copy.update().await.unwrap();
        }
        until("the length is known", || copy.length() == 3).await;
    }
}

#[tokio::test]
async fn encryption_is_the_sessions_and_that_of_its_sessions() {
    for way in ALL {
        let place = Place::new(way).await;
        let options = OpenOptions::new().encryption(Encryption::key([4; 32]));
        let session = place.opened(options).await.unwrap();
        let at = session.append("secret").await.unwrap().length - 1;
        let child = session.session(SessionOptions::new()).await.unwrap();
        assert_eq!((session.padding(), child.get(at).await.unwrap()), (8, "secret".into()), "{way:?}");
        assert_ne!(plain(&session).await.get(at).await.unwrap(), "secret", "{way:?}");
        let bare = session.session(SessionOptions::new().encryption(None)).await.unwrap();
        assert_ne!(bare.get(at).await.unwrap(), "secret", "{way:?}");
    }
}

#[tokio::test]
async fn writable_wait_and_timeout_are_the_sessions_and_those_of_its_sessions() {
    let soon = Some(Duration::from_millis(5));
    let table: [(SessionOptions, &str, &str); 4] = [
        (SessionOptions::new().writable(false), "SESSION_NOT_WRITABLE", ""),
        (SessionOptions::new().wait(false), "ok", "BLOCK_NOT_AVAILABLE"),
        (SessionOptions::new().timeout(soon), "ok", "REQUEST_TIMEOUT"),
        (SessionOptions::new().wait(false).timeout(soon).writable(true), "ok", "BLOCK_NOT_AVAILABLE"),
    ];
    for way in ALL {
        for (which, (options, append, get)) in table.iter().enumerate() {
            let place = Place::new(way).await;
            let session = place.session(options.clone()).await;
            let child = session.session(SessionOptions::new()).await.unwrap();
            for session in [&session, &child] {
                assert_eq!(code(session.append("x").await), *append, "{way:?} {which}");
                assert_eq!(session.writable(), *append == "ok");
                if !get.is_empty() {
                    assert_eq!(code(session.get(99).await), *get, "{way:?} {which}");
                }
            }
        }
        let place = Place::new(way).await;
        let short = place.opened(OpenOptions::new().timeout(soon).writable(false)).await.unwrap();
        assert_eq!(code(short.get(99).await), "REQUEST_TIMEOUT", "{way:?}");
        assert_eq!(code(short.append("x").await), "SESSION_NOT_WRITABLE", "{way:?}");
    }
}

#[tokio::test]
async fn weak_sessions_keep_no_core_open() {
    for way in ALL {
        let place = Place::new(way).await;
        let weak = place.session(SessionOptions::new().weak(true)).await;
        assert_eq!(weak.core().has_sessions(), place.open.is_some(), "{way:?}");
        let strong = weak.session(SessionOptions::new().weak(false)).await.unwrap();
        assert!(weak.core().has_sessions(), "{way:?}");
        strong.close().await.unwrap();
        let child = weak.session(SessionOptions::new()).await;
        assert_eq!(weak.core().has_sessions(), place.open.is_some(), "{way:?}");
        drop(child);
    }
}

#[tokio::test]
async fn hooks_are_called() {
    for way in ALL {
        let (waits, reads) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (of_wait, of_read) = (Arc::clone(&waits), Arc::clone(&reads));
        let options = SessionOptions::new()
            .timeout(Some(Duration::from_millis(5)))
            .on_wait(move |index| of_wait.store(index, Ordering::Relaxed))
            .on_seq(move |index| of_read.store(index, Ordering::Relaxed));
        let place = Place::new(way).await;
        let session = place.session(options).await;
        session.get(99).await.unwrap_err();
        assert_eq!((waits.load(Ordering::Relaxed), reads.load(Ordering::Relaxed)), (99, 99), "{way:?}");
        session.session(SessionOptions::new()).await.unwrap().get(98).await.unwrap_err();
        assert_eq!((waits.load(Ordering::Relaxed), reads.load(Ordering::Relaxed)), (98, 98), "{way:?}");
    }
}

#[tokio::test]
async fn verified_reads_notice_what_was_altered() {
    // what is in a directory cannot be altered while it is open
    for way in [Way::New, Way::Stored, Way::Open, Way::Session] {
        let place = Place::new(way).await;
        let session = place.session(SessionOptions::new().verify_reads(true)).await;
        fill(&session).await;
        let mut batch = hc_storage::WriteBatch::new();
        batch.put(hc_storage::keys::block(0, 1), b"?".to_vec());
        place.storage.store().kv().commit(batch).unwrap();
        assert_eq!(code(session.get(1).await), "INVALID_CHECKSUM", "{way:?}");
        assert_eq!(plain(&session).await.get(1).await.unwrap(), "?", "{way:?}");
    }
}

#[tokio::test]
async fn regression_exclusive_sessions_keep_each_other_out() {
    let exclusive = || OpenOptions::new().session(SessionOptions::new().exclusive(true));
    for way in ALL {
        let place = Place::new(way).await;
        let first = place.opened(exclusive()).await.unwrap();
        let core = first.core().clone();
        let second = Hypercore::from_core(core, exclusive().session_options());
        let mut second = Box::pin(second);
        assert!(tokio::time::timeout(MOMENT, &mut second).await.is_err(), "{way:?}: it waits");
        let keeps_open = plain(&first).await;
        first.close().await.unwrap();
        tokio::time::timeout(SOON, second).await.expect("it is free").unwrap();
        drop(keeps_open);
    }
}

#[tokio::test]
async fn regression_the_first_session_too_can_be_of_another_log() {
    for way in ALL {
        let place = Place::new(way).await;
        let named = place.session(SessionOptions::new().name("draft")).await;
        named.append("draft").await.unwrap();
        assert!(!texts(&plain(&named).await).await.contains(&"draft".into()), "{way:?}");
        let core = named.core().clone();
        let again = SessionOptions::new().name("draft");
        let same = Hypercore::from_core(core.clone(), again.clone()).await.unwrap();
        assert_eq!(same.length(), named.length(), "{way:?}");
        let anew = Hypercore::from_core(core.clone(), again.clone().overwrite(true)).await.unwrap();
        assert_eq!(anew.length() + 1, if place.has_blocks() { 4 } else { 1 }, "{way:?}");
        fill(&plain(&named).await).await;
        let back = again.overwrite(true).checkout(2);
        let back = Hypercore::from_core(core, back).await.unwrap();
        assert_eq!(texts(&back).await, ["0", "1"], "{way:?}");

        let place = Place::new(way).await;
        let snapshot = place.session(SessionOptions::new().snapshot(true)).await;
        let length = snapshot.length();
        plain(&snapshot).await.append("later").await.unwrap();
        assert_eq!((snapshot.is_snapshot(), snapshot.length()), (true, length), "{way:?}");
        assert_eq!(code(snapshot.append("x").await), "SESSION_NOT_WRITABLE", "{way:?}");
    }
}

#[tokio::test]
async fn regression_the_first_session_too_can_be_in_an_atom() {
    for way in [Way::New, Way::Stored, Way::Open, Way::Session] {
        let place = Place::new(way).await;
        let atom = Atom::new(&place.storage);
        let inside = place.session(SessionOptions::new().atom(&atom)).await;
        inside.append("waits").await.unwrap();
        // with a name it is the named session in the atom
        let named = SessionOptions::new().name("draft").atom(&atom);
        let named = Hypercore::from_core(inside.core().clone(), named).await.unwrap();
        named.append("waits too").await.unwrap();
        let outside = plain(&inside).await;
        let draft = common::named(&outside, "draft").await;
        assert_eq!((outside.length() + 1, draft.length() + 1), (inside.length(), named.length()), "{way:?}");
        atom.flush().await.unwrap();
        assert_eq!((outside.length(), draft.length()), (inside.length(), named.length()), "{way:?}");
    }
}

#[tokio::test]
async fn options_that_would_have_no_effect_are_refused() {
    for way in ALL {
        let place = Place::new(way).await;
        for options in [SessionOptions::new().checkout(0), SessionOptions::new().overwrite(true)] {
            let refused = place.opened(OpenOptions::new().session(options)).await;
            assert_eq!(code(refused), "ERR_ASSERTION", "{way:?}");
        }
    }
}

#[tokio::test]
async fn a_call_decides_for_itself() {
    let core = common::filled(3).await;
    let soon = Some(Duration::from_millis(5));
    let quick = core.session(SessionOptions::new().wait(false).timeout(Some(SOON))).await.unwrap();
    let get = GetOptions::new();
    assert_eq!(code(quick.get_with(9, get.wait(true).timeout(soon)).await), "REQUEST_TIMEOUT");
    assert_eq!(core.get_with(9, get.wait(false)).await.unwrap(), None);
    let copy = common::reader(&core).await;
    let seek = SeekOptions::new();
    assert!(copy.apply_proof(core.proof(&common::upgrade(3)).await.unwrap()).await.unwrap());
    assert_eq!(copy.seek_with(1, seek.wait(false)).await.unwrap(), None);
    assert_eq!(code(copy.seek_with(1, seek.timeout(soon)).await), "REQUEST_TIMEOUT");
    let update = UpdateOptions::new();
    let searching = (copy.finding_peers(), core.finding_peers());
    assert_eq!(code(copy.update_with(update.wait(true).timeout(soon)).await), "REQUEST_TIMEOUT");
    assert!(!copy.update_with(update.wait(false)).await.unwrap());
    assert!(!core.update_with(update.wait(true).timeout(soon)).await.unwrap(), "a writer knows itself");
    assert_eq!(code(core.update_with(update.force(true).wait(true).timeout(soon)).await), "REQUEST_TIMEOUT");
    drop(searching);
    connect(&core, &copy);
    copy.download_with(.., DownloadOptions { linear: true }).destroy();
    copy.download_with(..3, DownloadOptions { linear: true }).done().await.unwrap();
    assert!(copy.has_range(0..3).await.unwrap());
}

/// The names of the options in a source.
fn options_of(source: &str) -> impl Iterator<Item = &str> {
    let methods = source.lines().filter(|line| line.contains("pub ") && line.contains("(mut self"));
    methods.filter_map(|line| line.split("fn ").nth(1)?.split(['(', '<']).next())
}

#[test]
fn no_option_is_left_out() {
    let here = include_str!("options.rs");
    let opening = include_str!("../src/options/mod.rs");
    let (of_sessions, of_calls) =
        (include_str!("../src/options/session.rs"), include_str!("../src/options/calls.rs"));
    let missing = |name: &&str| !here.contains(&format!(".{name}("));
    for (source, at_least) in [(opening, 12), (of_sessions, 14)] {
        assert_eq!(options_of(source).filter(missing).collect::<Vec<_>>(), Vec::<&str>::new());
        assert!(options_of(source).count() >= at_least, "the sources are not what they were");
    }
    // those of calls are also shown where the calls are
    let others = [
        include_str!("named.rs"),
        include_str!("authority.rs"),
        include_str!("forks.rs"),
        include_str!("encryption.rs"),
        include_str!("sessions.rs"),
        include_str!("reading.rs"),
    ];
    let nowhere =
        |name: &&str| others.iter().all(|test| !test.contains(&format!(".{name}("))) && missing(name);
    assert_eq!(options_of(of_calls).filter(nowhere).collect::<Vec<_>>(), Vec::<&str>::new());
}
