//! Each option of a core has its effect by every way of opening it in a store, or is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use corestore::{Corestore, Hypercore, OpenOptions, Target};
use hypercore::storage::Storage;
use hypercore::{Durability, Encryption, Key, KeyPair, Manifest, ReplicationOptions, Result, SessionOptions};

const SOON: Duration = Duration::from_secs(10);
const MOMENT: Duration = Duration::from_millis(30);

/// In what state a core is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    /// It is stored, and the store is opened again.
    Stored,
    Open,
}

/// What names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Name,
    Namespace,
    Key,
    KeyPair,
    Manifest,
    DiscoveryKey,
}

/// A core of one's own in a store of three blocks, and how it is opened.
struct Place {
    state: State,
    by: By,
    store: Corestore,
    _open: Option<Hypercore>,
    _dir: tempfile::TempDir,
}

impl Place {
    async fn new(state: State, by: By) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Corestore::builder().primary_key([1; 32]).open(dir.path()).await.unwrap();
        let mut open = None;
        if state != State::New {
            let (store, named) = Self::named(&store, by);
            let core = store.get_with(named, owned(&store, by)).await.unwrap();
            core.append_batch(["0", "1", "2"]).await.unwrap();
            open = Some(core);
        }
        if state == State::Stored {
            store.close().await.unwrap();
            open = None;
            store = Corestore::open(dir.path()).await.unwrap();
        }
        Self { state, by, store, _open: open, _dir: dir }
    }

    /// The store that the core is opened in, and what names it there.
    fn named(store: &Corestore, by: By) -> (Corestore, Target) {
        let pair = pair(store, by);
        let manifest = Manifest::single(pair.public());
        let target = match by {
            By::Name | By::Namespace => Target::from("log"),
            By::Key => Target::from(manifest.key()),
            By::KeyPair => Target::from(pair),
            By::Manifest => Target::from(manifest),
            // made by its key
            By::DiscoveryKey => Target::from(manifest.key()),
        };
        let store = if by == By::Namespace { store.namespace("inner") } else { store.clone() };
        (store, target)
    }

    async fn opened(&self, options: OpenOptions) -> Result<Hypercore> {
        let (store, target) = Self::named(&self.store, self.by);
        let target = match self.by {
            By::DiscoveryKey => Target::from(self.key().discovery_key()),
            _ => target,
        };
        store.get_with(target, options).await
    }

    async fn session(&self, session: SessionOptions) -> Hypercore {
        self.opened(OpenOptions::new().session(session)).await.unwrap()
    }

    fn key(&self) -> Key {
        Manifest::single(pair(&self.store, self.by).public()).key()
    }

    /// Whether it can be written without a key pair that comes with the options.
    fn is_writable(&self) -> bool {
        self.state != State::New || !matches!(self.by, By::Key | By::Manifest)
    }
}

fn pair(store: &Corestore, by: By) -> KeyPair {
    if by == By::Namespace { store.namespace("inner") } else { store.clone() }.create_key_pair("log")
}

/// Options with which the core is one's own, however it is named.
fn owned(store: &Corestore, by: By) -> OpenOptions {
    match by {
        By::Name | By::Namespace | By::KeyPair => OpenOptions::new(),
        _ => OpenOptions::new().key_pair(store.create_key_pair("log")),
    }
}

/// All ways, but for those that find nothing.
async fn places() -> Vec<Place> {
    let mut places = Vec::new();
    for state in [State::New, State::Stored, State::Open] {
        for by in [By::Name, By::Namespace, By::Key, By::KeyPair, By::Manifest, By::DiscoveryKey] {
            if (state, by) != (State::New, By::DiscoveryKey) {
                places.push(Place::new(state, by).await);
            }
        }
    }
    places
}

fn code<T>(result: Result<T>) -> &'static str {
    result.map_or_else(|error| error.code(), |_| "ok")
}

/// A session without options of the same open core.
async fn plain(core: &Hypercore) -> Hypercore {
    Hypercore::from_core(core.core().clone(), SessionOptions::new()).await.unwrap()
}

#[tokio::test]
async fn what_names_another_core_is_refused() {
    let other = Manifest::single(KeyPair::from_seed(&[9; 32]).public());
    for place in places().await {
        let (state, by) = (place.state, place.by);
        for options in [OpenOptions::new().key(other.key()), OpenOptions::new().manifest(other.clone())] {
            // by a name that is not taken yet, it is the core of that manifest
            let manifest = OpenOptions::new().manifest(other.clone());
            let custom = state == State::New && matches!(by, By::Name | By::Namespace);
            if custom && options.given_manifest().is_some() {
                assert_eq!(*place.opened(manifest).await.unwrap().key(), other.key());
                continue;
            }
            let refused = code(place.opened(options).await);
            assert!(["BAD_ARGUMENT", "STORAGE_CONFLICT"].contains(&refused), "{state:?} {by:?}: {refused}");
        }
        if state == State::New && matches!(by, By::Name | By::Namespace) {
            continue;
        }
        let same = OpenOptions::new().key(place.key());
        assert_eq!(*place.opened(same).await.unwrap().key(), place.key(), "{state:?} {by:?}");
    }
}

#[tokio::test]
async fn compat_and_another_durability_are_refused() {
    for place in places().await {
        let (state, by) = (place.state, place.by);
        assert_eq!(code(place.opened(OpenOptions::new().compat(true)).await), "BAD_ARGUMENT");
        let sync = OpenOptions::new().durability(Durability::Sync);
        assert_eq!(code(place.opened(sync).await), "BAD_ARGUMENT", "{state:?} {by:?}");
        let buffered = OpenOptions::new().durability(Durability::Buffered);
        assert_eq!(code(place.opened(buffered).await), "ok", "{state:?} {by:?}");
    }
    let sync = Corestore::builder().durability(Durability::Sync).memory().await.unwrap();
    let options = OpenOptions::new().durability(Durability::Sync);
    assert_eq!(code(sync.get_with("log", options).await), "ok");
    let options = OpenOptions::new().durability(Durability::Buffered);
    assert_eq!(code(sync.get_with("log", options).await), "BAD_ARGUMENT");
}

#[tokio::test]
async fn options_of_a_store_count_or_are_refused() {
    let memory = || Storage::memory().unwrap();
    let sync = || Corestore::builder().durability(Durability::Sync);
    assert_eq!(code(sync().over(memory())), "BAD_ARGUMENT");
    assert_eq!(code(sync().over(Storage::memory_with(Durability::Sync).unwrap())), "ok");
    assert_eq!(code(Corestore::builder().over(Storage::memory_with(Durability::Sync).unwrap())), "ok");
    assert_eq!(code(Corestore::builder().adopt(true).memory().await), "BAD_ARGUMENT");
    assert_eq!(code(Corestore::builder().follow(true).memory().await), "BAD_ARGUMENT");
    let nothing = Corestore::builder().read_only(true).memory().await.unwrap();
    assert_eq!(code(nothing.get("log").await), "STORAGE_EMPTY");
    let given = Corestore::builder().primary_key([7; 32]).memory().await.unwrap();
    assert_eq!(given.primary_key(), &[7; 32]);
}

#[tokio::test]
async fn overwriting_begins_on_the_next_fork_and_is_refused_where_the_core_is_open() {
    for place in places().await {
        let (state, by) = (place.state, place.by);
        let opened = place.opened(OpenOptions::new().overwrite(true)).await;
        let expected = if state == State::Open { "STORAGE_CONFLICT" } else { "ok" };
        assert_eq!(code(opened), expected, "{state:?} {by:?}");
        let core = place.opened(OpenOptions::new()).await.unwrap();
        let (length, fork) = match state {
            State::New => (0, 0),
            // its key signed the log that was there
            State::Stored => (0, 1),
            State::Open => (3, 0),
        };
        assert_eq!((core.length(), core.fork()), (length, fork), "{state:?} {by:?}");
    }
}

#[tokio::test]
async fn regression_what_is_said_of_the_core_is_stored_also_if_it_is_open() {
    for place in places().await {
        let (state, by) = (place.state, place.by);
        let options = OpenOptions::new().group([7; 32]).user_data("key", "value");
        let session = place.opened(options).await.unwrap();
        assert_eq!(session.core().group(), Some([7; 32]), "{state:?} {by:?}");
        assert_eq!(session.user_data("key").await.unwrap().unwrap(), "value", "{state:?} {by:?}");
        let again = place.opened(OpenOptions::new().user_data("more", "x")).await.unwrap();
        assert_eq!(session.user_data("more").await.unwrap(), again.user_data("more").await.unwrap());
        assert!(again.user_data("key").await.unwrap().is_some());
        let other = place.opened(OpenOptions::new().group([8; 32])).await;
        assert_eq!(code(other), "STORAGE_CONFLICT", "{state:?} {by:?}");
    }
}

#[tokio::test]
async fn a_key_pair_signs_for_the_session_that_it_is_given_to() {
    for place in places().await {
        let (state, by) = (place.state, place.by);
        let wrong = KeyPair::from_seed(&[3; 32]);
        for options in [
            OpenOptions::new().key_pair(wrong.clone()),
            OpenOptions::new().session(SessionOptions::new().key_pair(wrong)),
        ] {
            let stranger = place.opened(options).await.unwrap();
            let expected = if by == By::Key && state == State::New {
                // nobody knows yet who may sign
                "SESSION_NOT_WRITABLE"
            } else {
                "BAD_ARGUMENT"
            };
            assert_eq!(code(stranger.append("x").await), expected, "{state:?} {by:?}");
        }
        let own = OpenOptions::new().key_pair(pair(&place.store, by));
        let own = place.opened(own).await.unwrap();
        own.append("x").await.unwrap();
    }
}

#[tokio::test]
async fn replication_is_that_of_the_core_while_it_is_open() {
    let lazy = ReplicationOptions { eager_upgrade: false, ..ReplicationOptions::default() };
    for place in places().await {
        let first = place.opened(OpenOptions::new().replication(lazy)).await;
        let expected = if place.state == State::Open { "STORAGE_CONFLICT" } else { "ok" };
        assert_eq!(code(first), expected, "{:?} {:?}", place.state, place.by);
        if place.state != State::Open {
            let default = OpenOptions::new().replication(ReplicationOptions::default());
            assert_eq!(code(place.opened(default).await), "STORAGE_CONFLICT");
            assert_eq!(code(place.opened(OpenOptions::new().replication(lazy)).await), "ok");
            assert_eq!(code(place.opened(OpenOptions::new()).await), "ok");
        }
    }
}

#[tokio::test]
async fn create_if_missing_finds_only_what_is_there() {
    for place in places().await {
        let opened = place.opened(OpenOptions::new().create_if_missing(false)).await;
        let expected = if place.state == State::New { "STORAGE_EMPTY" } else { "ok" };
        assert_eq!(code(opened), expected, "{:?} {:?}", place.state, place.by);
    }
}

fn add(sum: &AtomicU64, index: u64) {
    sum.fetch_add(index, Ordering::Relaxed);
}

#[tokio::test]
async fn options_of_the_session_count() {
    let soon = Some(Duration::from_millis(5));
    for place in places().await {
        let way = (place.state, place.by);
        let reads = Arc::new(AtomicU64::new(0));
        let (on_seq, on_wait) = (Arc::clone(&reads), Arc::clone(&reads));
        let options = SessionOptions::new()
            .writable(false)
            .timeout(soon)
            .on_seq(move |index| add(&on_seq, index))
            .on_wait(move |index| add(&on_wait, index));
        let session = place.session(options).await;
        assert_eq!(code(session.append("x").await), "SESSION_NOT_WRITABLE", "{way:?}");
        assert_eq!(code(session.get(10).await), "REQUEST_TIMEOUT", "{way:?}");
        assert_eq!(reads.load(Ordering::Relaxed), 20, "{way:?}");
        let quick = place.session(SessionOptions::new().wait(false).verify_reads(true)).await;
        assert_eq!(code(quick.get(10).await), "BLOCK_NOT_AVAILABLE", "{way:?}");
        if place.is_writable() {
            let secret = place.opened(OpenOptions::new().encryption(Encryption::key([1; 32]))).await.unwrap();
            let at = secret.append("secret").await.unwrap().length - 1;
            assert_ne!(plain(&secret).await.get(at).await.unwrap(), "secret", "{way:?}");
            assert_eq!(secret.get(at).await.unwrap(), "secret", "{way:?}");
        }
        let weak = place.session(SessionOptions::new().weak(true)).await;
        drop((session, quick));
        assert_eq!(weak.core().has_sessions(), way.0 == State::Open, "{way:?}");
    }
}

#[tokio::test]
async fn regression_exclusive_sessions_keep_each_other_out() {
    for place in places().await {
        let exclusive = || OpenOptions::new().session(SessionOptions::new().exclusive(true));
        let first = place.opened(exclusive()).await.unwrap();
        let mut second = Box::pin(place.opened(exclusive()));
        let way = (place.state, place.by);
        assert!(tokio::time::timeout(MOMENT, &mut second).await.is_err(), "{way:?}: it waits");
        first.close().await.unwrap();
        tokio::time::timeout(SOON, second).await.expect("it is free").unwrap();
    }
}

#[tokio::test]
async fn regression_who_waits_for_an_exclusive_session_hears_that_the_store_closes() {
    let store = Corestore::memory().await.unwrap();
    let exclusive = || OpenOptions::new().session(SessionOptions::new().exclusive(true));
    let _first = store.get_with("log", exclusive()).await.unwrap();
    let waiting = {
        let store = store.clone();
        tokio::spawn(async move { store.get_with("log", exclusive()).await })
    };
    tokio::time::sleep(MOMENT).await;
    store.close().await.unwrap();
    let refused = tokio::time::timeout(SOON, waiting).await.expect("it does not wait on").unwrap();
    assert_eq!(code(refused), "SESSION_CLOSED");
}

#[tokio::test]
async fn regression_a_session_can_be_of_a_log_beside_the_public_one() {
    for place in places().await {
        let way = (place.state, place.by);
        let draft = place.session(SessionOptions::new().name("draft")).await;
        let before = draft.length();
        draft.append("draft").await.unwrap();
        assert_eq!(plain(&draft).await.length(), before, "{way:?}");
        let anew =
            place.session(SessionOptions::new().name("draft").overwrite(true).checkout(before / 2)).await;
        assert_eq!(anew.length(), before / 2, "{way:?}");
        let snapshot = place.session(SessionOptions::new().snapshot(true)).await;
        assert!(snapshot.is_snapshot(), "{way:?}");
        let refused = place.opened(OpenOptions::new().session(SessionOptions::new().checkout(0))).await;
        assert_eq!(code(refused), "ERR_ASSERTION", "{way:?}");
        if place.is_writable() {
            let atom = place.store.atom();
            let inside = place.session(SessionOptions::new().atom(&atom)).await;
            inside.append("x").await.unwrap();
            let outside = plain(&inside).await;
            assert_eq!(outside.length(), before, "{way:?}");
            atom.flush().await.unwrap();
            assert_eq!(outside.length(), before + 1, "{way:?}");
            assert_eq!(snapshot.length(), before, "{way:?}");
        }
    }
}

#[tokio::test]
async fn a_read_only_store_refuses_what_it_would_have_to_write() {
    let dir = tempfile::tempdir().unwrap();
    let store = Corestore::open(dir.path()).await.unwrap();
    let core = store.get_with("log", OpenOptions::new().user_data("key", "value")).await.unwrap();
    core.append("x").await.unwrap();
    core.flush().await.unwrap();
    for open_already in [false, true] {
        let reading = Corestore::builder().read_only(true).open(dir.path()).await.unwrap();
        let _open = if open_already { Some(reading.get("log").await.unwrap()) } else { None };
        let get = |options: OpenOptions| reading.get_with("log", options);
        assert_eq!(code(get(OpenOptions::new().user_data("key", "value")).await), "ok");
        assert_eq!(code(get(OpenOptions::new().user_data("key", "other")).await), "WRITE_FAILED");
        assert_eq!(code(get(OpenOptions::new().group([1; 32])).await), "WRITE_FAILED");
        let name = SessionOptions::new().name("draft");
        assert_eq!(code(get(OpenOptions::new().session(name)).await), "WRITE_FAILED");
        assert_eq!(code(reading.get("other").await), "STORAGE_EMPTY");
    }
}
