//! Every kind of wait, with everything that can come between, in every order: it ends with a value, a typed error or its timeout;
//! without a timeout it may go on only as long as nobody closes anything.
//!
//! A kind of wait is a line in [`WAITS`]. `HYPERCORE_ORDERS` says how many things happen in a run (3; 5 is the long tier),
//! `HYPERCORE_SEED` from which seed their pauses follow, and `HYPERCORE_ONLY` runs only what has this in its name.

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::device::Device;
use common::shuffle::Shuffle;
use common::watch::Watch;
use common::{in_store, setting};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use hc_storage::Kv;
use hypercore::storage::{Storage, StorageOptions};
use hypercore::{
    Durability, Error, Hypercore, KeyPair, Manifest, OpenOptions, Replication, Result, Role, SessionOptions,
    UpdateOptions,
};

/// Runs at the same time.
const AT_ONCE: usize = 64;
/// How long a wait may go on that has to end, beside all the others.
const SOON: Duration = Duration::from_secs(15);
/// The timeout of waits that have one.
const TIMEOUT: Duration = Duration::from_millis(100);

/// A kind of wait.
struct Wait {
    name: &'static str,
    /// Whether it is a writer's, of a store that may have been set back.
    recovering: bool,
    begin: fn(Hypercore) -> BoxFuture<'static, Result<()>>,
}

const fn of_reader(name: &'static str, begin: fn(Hypercore) -> BoxFuture<'static, Result<()>>) -> Wait {
    Wait { name, recovering: false, begin }
}

const WAITS: [Wait; 8] = [
    of_reader("get", |core| async move { core.get(3).await.map(drop) }.boxed()),
    of_reader("update", |core| {
        async move { core.update_with(UpdateOptions::new().wait(true)).await.map(drop) }.boxed()
    }),
    of_reader("download", |core| async move { core.download(..20).done().await }.boxed()),
    of_reader("seek", |core| async move { core.seek(7).await.map(drop) }.boxed()),
    of_reader("live stream", |core| {
        async move { core.read_stream(..).live(true).try_for_each(|_| async { Ok(()) }).await }.boxed()
    }),
    of_reader("exclusive session", |core| {
        async move { core.session(SessionOptions::new().exclusive(true)).await.map(drop) }.boxed()
    }),
    Wait {
        name: "append",
        recovering: true,
        begin: |core| async move { core.append("one").await.map(drop) }.boxed(),
    },
    of_reader("flush", |core| {
        async move {
            core.set_user_data("name", Some(b"value")).await?;
            core.flush().await
        }
        .boxed()
    }),
];

/// Waits that no timeout ends: a download has none of its own, nor has the wait for one's turn.
const WITHOUT_TIMEOUT: [&str; 2] = ["download", "exclusive session"];

/// What comes between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Happening {
    Connect,
    Leave,
    Suspend,
    Resume,
    Fail,
    Close,
}

use Happening::{Close, Connect, Fail, Leave, Resume, Suspend};

/// All orders of so many different ones.
fn orders(count: u64) -> Vec<Vec<Happening>> {
    (0..count).fold(vec![Vec::new()], |orders, _| {
        let longer = |order: Vec<Happening>| {
            let others = [Connect, Leave, Suspend, Resume, Fail, Close];
            let next = others.into_iter().filter(|next| !order.contains(next));
            next.map(|next| [order.as_slice(), &[next]].concat()).collect::<Vec<_>>()
        };
        orders.into_iter().flat_map(longer).collect()
    })
}

struct World {
    shuffle: Shuffle,
    device: Arc<Device>,
    storage: Arc<Storage>,
    /// The session that waits.
    session: Hypercore,
    /// Another one, which is exclusive, and keeps the core open.
    other: Hypercore,
    peer: Hypercore,
    connections: Vec<Replication>,
}

impl World {
    async fn new(wait: &Wait, timeout: Option<Duration>, shuffle: Shuffle) -> Self {
        let pair = KeyPair::from_seed(&[shuffle.below(256) as u8; 32]);
        let manifest = Manifest::single(pair.public());
        let writing = OpenOptions::new().key_pair(pair).manifest(manifest);
        let device = Arc::new(Device::default());
        let options = StorageOptions {
            durability: if shuffle.below(2) == 0 { Durability::Sync } else { Durability::Buffered },
            adopt: wait.recovering,
            ..StorageOptions::default()
        };
        let storage = Storage::over(Arc::clone(&device) as Arc<dyn Kv>, options, false).unwrap();
        let (core, peer) = if wait.recovering {
            let core = in_store(&storage, writing).await;
            let peer = OpenOptions::new().key(*core.key()).memory().await.unwrap();
            (core, peer)
        } else {
            let peer = writing.memory().await.unwrap();
            peer.append_batch((0..10).map(|index| index.to_string())).await.unwrap();
            (in_store(&storage, OpenOptions::new().key(*peer.key())).await, peer)
        };
        let other = core.session(SessionOptions::new().exclusive(true)).await.unwrap();
        let session = core.session(SessionOptions::new().timeout(timeout)).await.unwrap();
        Self { shuffle, device, storage, session, other, peer, connections: Vec::new() }
    }

    async fn happens(&mut self, happening: Happening) {
        match happening {
            Connect => {
                let (here, there) = tokio::io::duplex(1 << 10);
                // whether it is closed already is no matter
                let ours = self.session.replicate(here, Role::Initiator);
                let theirs = self.peer.replicate(there, Role::Responder);
                self.connections.extend(ours.into_iter().chain(theirs));
            }
            Leave => self.connections.iter().for_each(Replication::stop),
            Suspend => drop(self.storage.suspend().await),
            Resume => drop(self.storage.resume().await),
            Fail => {
                self.device.full.store(true, Ordering::SeqCst);
                self.device.broken.store(true, Ordering::SeqCst);
            }
            Close => self.close().await,
        }
    }

    /// The session is closed, or the core is: by whoever closes its store.
    async fn close(&self) {
        if self.shuffle.below(2) == 0 {
            drop(self.session.close().await);
        } else {
            self.other.core().shut();
        }
    }
}

async fn run(
    wait: &'static Wait,
    order: Vec<Happening>,
    timeout: Option<Duration>,
    name: String,
) -> Option<String> {
    let mut world = World::new(wait, timeout, Shuffle::new(&name, setting("HYPERCORE_SEED", 1))).await;
    // somebody is looked for: or else some would not wait at all
    let looking = world.session.finding_peers();
    let begins_after = world.shuffle.below(order.len() as u64 + 1);
    let mut waits = None;
    for step in 0..=order.len() {
        if begins_after == step as u64 {
            waits = Some(tokio::spawn((wait.begin)(world.session.clone())));
            world.shuffle.pause().await;
        }
        if let Some(happening) = order.get(step) {
            world.happens(*happening).await;
            world.shuffle.pause().await;
        }
    }
    let mut waits = waits?;
    let ends_by_itself =
        order.contains(&Close) || (timeout.is_some() && !WITHOUT_TIMEOUT.contains(&wait.name));
    if !ends_by_itself {
        world.shuffle.pause().await;
        world.close().await;
    }
    let ended = tokio::time::timeout(SOON, &mut waits).await;
    drop(looking);
    match ended {
        Err(_) => Some(format!("does not end: {name}")),
        Ok(Err(panic)) => Some(format!("{panic}: {name}")),
        Ok(Ok(Err(error @ Error::Internal(_)))) => Some(format!("{error}: {name}")),
        Ok(Ok(_)) => None,
    }
}

#[expect(clippy::print_stdout, reason = "a failing test shows its seed")]
fn all_end(threads: usize) {
    let only = std::env::var("HYPERCORE_ONLY").unwrap_or_default();
    let mut runs = Vec::new();
    for order in orders(setting("HYPERCORE_ORDERS", 3)) {
        for wait in &WAITS {
            for timeout in [None, Some(TIMEOUT)] {
                let ends = if timeout.is_some() { "with" } else { "without" };
                let name = format!("{}/{order:?}/{ends} timeout/{threads}", wait.name);
                if name.contains(&only) {
                    runs.push((wait, order.clone(), timeout, name));
                }
            }
        }
    }
    println!("{} runs, HYPERCORE_SEED={}", runs.len(), setting("HYPERCORE_SEED", 1));
    let failed: Vec<String> = Watch::over(threads, |watch| async move {
        let runs = runs.into_iter().map(|(wait, order, timeout, name)| {
            let watch = watch.clone();
            async move {
                let _watched = watch.begin(name.clone());
                tokio::spawn(run(wait, order, timeout, name))
                    .await
                    .unwrap_or_else(|panic| Some(panic.to_string()))
            }
        });
        futures_util::stream::iter(runs)
            .buffer_unordered(AT_ONCE)
            .filter_map(std::future::ready)
            .collect()
            .await
    });
    assert!(failed.is_empty(), "{} waits:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn every_wait_ends_in_every_order_on_one_thread() {
    all_end(1);
}

#[test]
fn every_wait_ends_in_every_order_on_several_threads() {
    all_end(4);
}

#[test]
fn orders_are_all_orders() {
    assert_eq!((orders(3).len(), orders(5).len()), (120, 720));
}
