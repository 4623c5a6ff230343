//! What tests of a single core share.
#![allow(dead_code, reason = "not every test needs all of it")]

pub(crate) mod device;
pub(crate) mod liar;
pub(crate) mod place;
pub(crate) mod shuffle;
pub(crate) mod watch;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use hypercore::core::{Core, CoreName};
use hypercore::storage::Storage;
use hypercore::{Event, Events, Hypercore, OpenOptions, ProofRequest, Role, SessionOptions, UpgradeRequest};

pub(crate) async fn filled(blocks: u64) -> Hypercore {
    let core = Hypercore::memory().await.unwrap();
    core.append_batch((0..blocks).map(|i| i.to_string())).await.unwrap();
    core
}

pub(crate) async fn named(core: &Hypercore, name: &str) -> Hypercore {
    core.session(SessionOptions::new().name(name)).await.unwrap()
}

/// All blocks, as text.
pub(crate) async fn texts(core: &Hypercore) -> Vec<String> {
    let blocks: Vec<Bytes> = core.read_stream(..).try_collect().await.unwrap();
    blocks.into_iter().map(|block| String::from_utf8(block.to_vec()).unwrap()).collect()
}

/// What was told up to now.
pub(crate) async fn told(events: &mut Events) -> Vec<Event> {
    let mut all = Vec::new();
    while let Ok(Some(event)) =
        tokio::time::timeout(std::time::Duration::from_millis(20), futures_util::StreamExt::next(events))
            .await
    {
        all.push(event);
    }
    all
}

/// Somebody who has only the key.
pub(crate) async fn reader(of: &Hypercore) -> Hypercore {
    let timeout = Some(Duration::from_secs(20));
    Hypercore::builder().key(*of.key()).timeout(timeout).memory().await.unwrap()
}

pub(crate) fn connect(a: &Hypercore, b: &Hypercore) {
    let (here, there) = tokio::io::duplex(64 * 1024);
    a.replicate(here, Role::Responder).unwrap();
    b.replicate(there, Role::Initiator).unwrap();
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}");
}

/// Asks for a whole log of this length.
pub(crate) fn upgrade(length: u64) -> ProofRequest {
    ProofRequest { upgrade: Some(UpgradeRequest { start: 0, length }), ..ProofRequest::default() }
}

/// A core of a store that has others too.
pub(crate) async fn in_store(storage: &Arc<Storage>, options: OpenOptions) -> Hypercore {
    let session = options.session_options();
    let core = Core::open(storage, CoreName::default(), options).await.unwrap();
    Hypercore::from_core(core, session).await.unwrap()
}

/// A new core of a store, that its own key pair signs.
pub(crate) async fn new_in(storage: &Arc<Storage>, seed: u8) -> Hypercore {
    let pair = hypercore::KeyPair::from_seed(&[seed; 32]);
    let manifest = hypercore::Manifest::single(pair.public());
    in_store(storage, OpenOptions::new().key_pair(pair).manifest(manifest)).await
}

/// Numbers that look random and are the same each time.
pub(crate) fn numbers(seed: u64) -> impl Iterator<Item = u64> {
    let step =
        |n: &u64| Some(n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407));
    std::iter::successors(Some(seed), step).skip(1).map(|n| n >> 33)
}

/// How long a test may take at most that would wait for good if it failed.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// Runs a test on a runtime of its own with four threads, and fails if it is not done within [`LIMIT`]: also where a thread
/// waits for a lock that it holds, so that no timer of the runtime comes any more.
pub(crate) fn ends<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    ends_within(LIMIT, test);
}

/// A runtime with this many threads.
pub(crate) fn runtime(threads: usize) -> tokio::runtime::Runtime {
    let mut builder = match threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.worker_threads(threads).enable_all().build().unwrap()
}

/// As [`ends`], within a time of its own.
pub(crate) fn ends_within<F: Future<Output = ()>>(
    limit: Duration,
    test: impl FnOnce() -> F + Send + 'static,
) {
    let (done, end) = std::sync::mpsc::channel();
    let runs = std::thread::spawn(move || {
        let runtime = runtime(4);
        runtime.block_on(test());
        runtime.shutdown_timeout(Duration::from_secs(1));
        let _ = done.send(());
    });
    match end.recv_timeout(limit) {
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("not done within {limit:?}"),
        Ok(()) | Err(_) => runs.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
    }
}

/// A number from the environment.
pub(crate) fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => default,
    }
}

/// Where a core is stored: some tests run with each.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    Memory,
    Disk,
}

pub(crate) const PLACES: [Place; 2] = [Place::Memory, Place::Disk];

/// A core in a place; its directory goes with the second part.
pub(crate) async fn open_in(place: Place, options: OpenOptions) -> (Hypercore, Option<tempfile::TempDir>) {
    match place {
        Place::Memory => (options.memory().await.unwrap(), None),
        Place::Disk => {
            let dir = tempfile::tempdir().unwrap();
            (options.open(dir.path()).await.unwrap(), Some(dir))
        }
    }
}
