//! Products: each public operation, in each situation of the peers, in memory and on disk, on one thread and on several, on the
//! writer's side and on a reader's. Each ends within its limit with a value or a typed error, the next operations work, and the
//! store then holds what it should.
//!
//! An operation is a line in `operations.rs`, a situation one in `situations.rs`. Each pair is run several times, with pauses
//! between its steps that follow from a seed:
//!
//! | variable | |
//! | --- | --- |
//! | `HYPERCORE_SHUFFLES` | how often each pair is run (20) |
//! | `HYPERCORE_SEED` | the seed of the first of them (1) |
//! | `HYPERCORE_ONLY` | runs only what has this in its name |
//!
//! A run that fails says with which of these it is run again. Threads do not come again as they were.

#[path = "../common/mod.rs"]
mod common;
mod operations;
mod situations;
mod world;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::watch::Watch;
use common::{Place, setting};
use futures_util::StreamExt;
use hypercore::storage::{Storage, StorageOptions};
use hypercore::{DiscoveryKey, Error, GetOptions, Result, UpdateOptions};
use operations::{OPERATIONS, Operation};
use situations::{SITUATIONS, Situation};
use world::{Side, World, block};

/// Runs at the same time.
const AT_ONCE: usize = 64;
/// How long an operation may take at most, with all the other runs beside it. Waits have a timeout far below.
const LIMIT: Duration = Duration::from_secs(20);

/// Whose each core is.
type Cores = Arc<Mutex<BTreeMap<DiscoveryKey, String>>>;

/// One run.
#[derive(Clone, Copy)]
struct Case {
    side: Side,
    place: Place,
    threads: usize,
    operation: &'static Operation,
    situation: &'static Situation,
    seed: u64,
}

impl Case {
    fn name(&self) -> String {
        let Self { side, place, threads, operation, situation, .. } = self;
        format!("{side:?}/{place:?}/{threads}/{}/{}", operation.name, situation.name)
    }

    fn replay(&self) -> String {
        format!("HYPERCORE_SHUFFLES=1 HYPERCORE_SEED={} HYPERCORE_ONLY='{}'", self.seed, self.name())
    }

    async fn run(self, storage: Option<Arc<Storage>>, cores: Cores) -> std::result::Result<(), String> {
        let world = World::new(self.side, storage, &self.name(), self.seed).await;
        cores.lock().unwrap().insert(*world.subject.discovery_key(), self.replay());
        limited("the situation", (self.situation.enter)(&world)).await?;
        world.pause().await;
        let done = limited("the operation", (self.operation.run)(&world)).await?;
        self.judge(done)?;
        world.pause().await;
        if self.operation.closes {
            limited("the call after closing", closed(&world)).await??;
        } else {
            limited("what is done next", next(&world, self.situation)).await??;
        }
        world.leave().await;
        limited("the end", async { world.subject.close().await })
            .await?
            .map_err(|error| format!("closing: {error}"))
    }

    /// Only what the operation may fail with is no failure.
    fn judge(&self, done: Result<()>) -> std::result::Result<(), String> {
        let Err(error) = done else { return Ok(()) };
        let expected = match self.side {
            Side::Writer => self.operation.on_writer,
            Side::Reader => self.operation.on_reader,
        };
        check(expected.contains(&error.code()), || {
            format!("the operation failed: {error} ({})", error.code())
        })
    }
}

async fn limited<T>(what: &str, does: impl Future<Output = T>) -> std::result::Result<T, String> {
    tokio::time::timeout(LIMIT, does).await.map_err(|_| format!("{what} does not end"))
}

fn check(holds: bool, what: impl FnOnce() -> String) -> std::result::Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

/// Whatever is called on a closed session says so.
async fn closed(world: &World) -> std::result::Result<(), String> {
    let got = world.subject.get(0).await;
    check(matches!(got, Err(Error::SessionClosed { .. })), || format!("a closed session gave {got:?}"))
}

/// What an application does next.
async fn next(world: &World, situation: &Situation) -> std::result::Result<(), String> {
    let said = |what: &'static str| move |error: Error| format!("{what} then: {error}");
    match world.side {
        Side::Writer => {
            let before = world.subject.length();
            let appended = world.subject.append("next").await.map_err(said("append"))?;
            check(appended.length == before + 1, || format!("{before} blocks, then {appended:?}"))?;
            let got = world.subject.get(before).await.map_err(said("get"))?;
            check(got == "next", || format!("it appended {got:?}"))?;
            world.pause().await;
            world.subject.truncate(before).await.map_err(said("truncate"))?;
            check(world.subject.length() == before, || "it was not cut".into())?;
            world.subject.append("last").await.map_err(said("append"))?;
        }
        Side::Reader => {
            let now = GetOptions::new().wait(false);
            world.subject.get_with(0, now).await.map_err(said("get without waiting"))?;
            if situation.is_source {
                let options = UpdateOptions::new().wait(true).timeout(Some(LIMIT / 2));
                world.subject.update_with(options).await.map_err(said("update"))?;
                let options = GetOptions::new().timeout(Some(LIMIT / 2));
                let got = world.subject.get_with(1, options).await.map_err(said("get"))?;
                check(got == Some(block(1)), || format!("it got {got:?}"))?;
            }
        }
    }
    Ok(())
}

/// All pairs under one seed; `HYPERCORE_ONLY` leaves some.
fn cases(side: Side, place: Place, threads: usize, seed: u64) -> Vec<Case> {
    let only = std::env::var("HYPERCORE_ONLY").unwrap_or_default();
    let of = |situation| {
        OPERATIONS.iter().map(move |operation| Case { side, place, threads, operation, situation, seed })
    };
    SITUATIONS.iter().flat_map(of).filter(|case| case.name().contains(&only)).collect()
}

/// Runs all pairs under one seed; the cores on disk share a store. What failed.
async fn round(cases: Vec<Case>, watch: Watch) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let storage = match cases.first().map(|case| case.place) {
        Some(Place::Disk) => Some(Storage::open(dir.path(), StorageOptions::default()).await.unwrap()),
        _ => None,
    };
    let cores = Cores::default();
    let runs = cases.into_iter().map(|case| {
        let (watch, storage, cores) = (watch.clone(), storage.clone(), Arc::clone(&cores));
        async move {
            let watched = watch.begin(case.replay());
            let done = tokio::spawn(case.run(storage, cores)).await;
            drop(watched);
            let why = match done {
                Ok(Ok(())) => return None,
                Ok(Err(why)) => why,
                Err(panic) => panic.to_string(),
            };
            Some(format!("{why}: {}", case.replay()))
        }
    });
    let runs = futures_util::stream::iter(runs).buffer_unordered(AT_ONCE);
    let mut failed: Vec<_> = runs.filter_map(std::future::ready).collect().await;
    if let Some(storage) = storage {
        for finding in storage.audit(None).await.unwrap().findings {
            let whose = finding.core.and_then(|core| cores.lock().unwrap().get(&core).cloned());
            failed.push(format!("the audit found {finding:?}: {}", whose.unwrap_or_default()));
        }
        storage.close().await.unwrap();
    }
    failed
}

#[expect(clippy::print_stdout, reason = "a failing test shows its seed")]
fn all_end(side: Side, place: Place) {
    let (shuffles, first) = (setting("HYPERCORE_SHUFFLES", 20), setting("HYPERCORE_SEED", 1));
    println!("{shuffles} shuffles from HYPERCORE_SEED={first} on");
    for threads in [1, 4] {
        let failed = Watch::over(threads, move |watch| async move {
            let mut failed = Vec::new();
            for seed in first..first + shuffles {
                failed.extend(round(cases(side, place, threads, seed), watch.clone()).await);
            }
            failed
        });
        assert!(failed.is_empty(), "{} of the runs failed:\n{}", failed.len(), failed.join("\n"));
    }
}

#[test]
fn products_of_a_writer_in_memory() {
    all_end(Side::Writer, Place::Memory);
}

#[test]
fn products_of_a_writer_on_disk() {
    all_end(Side::Writer, Place::Disk);
}

#[test]
fn products_of_a_reader_in_memory() {
    all_end(Side::Reader, Place::Memory);
}

#[test]
fn products_of_a_reader_on_disk() {
    all_end(Side::Reader, Place::Disk);
}

/// A name that stands for two things would hide one of them.
#[test]
fn operations_and_situations_have_names_of_their_own() {
    let operations: std::collections::BTreeSet<_> = OPERATIONS.iter().map(|one| one.name).collect();
    let situations: std::collections::BTreeSet<_> = SITUATIONS.iter().map(|one| one.name).collect();
    assert_eq!((operations.len(), situations.len()), (OPERATIONS.len(), SITUATIONS.len()));
}
