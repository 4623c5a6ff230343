//! A writer whose store is rolled back after it was replicated: it never signs a second history, and never encrypts two blocks
//! with one nonce. What counts is what anybody else got to see.
//!
//! `HYPERCORE_ROLLBACKS` sets how many runs there are (1,000; 10^5 in the long tier), `HYPERCORE_SEED` the
//! first run's seed. A run that fails prints its seed: `HYPERCORE_ROLLBACKS=1 HYPERCORE_SEED=<seed>` is that run again.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hypercore::{
    Encryption, Error, GetOptions, Hash, Hypercore, KeyPair, Manifest, ProofRequest, Replication, Role,
    UpgradeRequest,
};

/// Runs at a time.
const AT_ONCE: usize = 4;
/// A run that takes longer, by its own clock, hangs.
const LONGEST: Duration = Duration::from_secs(600);

/// SplitMix64: the same numbers from a seed on every machine.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// All that anybody but the writer ever saw of its log.
#[derive(Default)]
struct Seen {
    /// The hash of the tree at each fork and length.
    histories: HashMap<(u64, u64), Hash>,
    /// The stored block for each index and padding, which together are the nonce.
    sealed: HashMap<(u64, [u8; 8]), Bytes>,
}

impl Seen {
    /// Looks at everything that a reader has.
    async fn look_at(&mut self, reader: &Hypercore) {
        let fork = reader.fork();
        for length in 1..=reader.length() {
            if !reader.has(length - 1).await.unwrap() {
                continue;
            }
            let hash = reader.tree_hash_at(length).await.unwrap();
            let before = *self.histories.entry((fork, length)).or_insert(hash);
            assert_eq!(before, hash, "two histories at length {length} of fork {fork}");
            let stored = reader.get_with(length - 1, GetOptions::new().raw(true)).await.unwrap().unwrap();
            let nonce = (length - 1, *stored.first_chunk().unwrap());
            let before = self.sealed.entry(nonce).or_insert_with(|| stored.clone());
            assert_eq!(*before, stored, "a nonce of block {} was used twice", length - 1);
        }
    }
}

struct Run {
    rng: Rng,
    dir: tempfile::TempDir,
    pair: KeyPair,
    seen: Seen,
    readers: Vec<Hypercore>,
    blocks: u64,
    /// Whether the writer cuts its log now and then.
    cuts: bool,
    /// Whether peers may have been told what none of them can give back.
    uncertain: bool,
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut rng = Rng(seed);
        let mut secret = [0; 32];
        secret[..8].copy_from_slice(&rng.next().to_le_bytes());
        let dir = tempfile::tempdir().unwrap();
        let (pair, seen) = (KeyPair::from_seed(&secret), Seen::default());
        let cuts = rng.one_in(6);
        Self { rng, dir, pair, seen, readers: Vec::new(), blocks: 0, cuts, uncertain: false }
    }

    async fn open(&self) -> Hypercore {
        let options = Hypercore::builder().key_pair(self.pair.clone()).encryption(Encryption::key([7; 32]));
        options.timeout(Some(Duration::from_secs(20))).open(self.dir.path()).await.unwrap()
    }

    async fn reader(&self) -> Hypercore {
        let key = Manifest::single(self.pair.public()).key();
        Hypercore::builder().key(key).timeout(Some(Duration::from_secs(60))).memory().await.unwrap()
    }

    /// Blocks that were never appended before.
    fn fresh(&mut self) -> Vec<String> {
        let count = 1 + self.rng.below(4);
        self.blocks += count;
        (self.blocks - count..self.blocks).map(|block| format!("block {block} of this run")).collect()
    }

    /// Connects a reader.
    async fn replicate(&self, writer: &Hypercore, reader: &Hypercore) -> Replication {
        let (here, there) = tokio::io::duplex(64 * 1024);
        reader.replicate(there, Role::Initiator).unwrap();
        let connection = writer.replicate(here, Role::Responder).unwrap();
        while writer.peers().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        connection
    }

    /// Lets a reader get all it can, and looks at it.
    async fn follow(&mut self, writer: &Hypercore, reader: &Hypercore) {
        // not to another fork, and a writer that got its head back has neither all blocks nor all of the tree
        for _ in 0..400 {
            if reader.length() >= writer.length() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.uncertain |= reader.length() < writer.length();
        for index in 0..reader.length().min(writer.length()) {
            let comes = writer.has(index).await.unwrap() && reader.fork() == writer.fork();
            if comes && !reader.has(index).await.unwrap() {
                let patient = GetOptions::new().timeout(Some(Duration::from_secs(2)));
                // it may be that the writer cannot prove it
                let _ = reader.get_with(index, patient).await;
            }
        }
        self.seen.look_at(reader).await;
    }

    /// Writes for a while, with somebody watching or not. `saves` is whether the database is saved in the middle of it.
    async fn write(&mut self, saves: bool) {
        let mut writer = self.open().await;
        self.append(&writer).await;
        if saves {
            writer.close().await.unwrap();
            let saved = self.dir.path().join("saved");
            copy_folder(&self.dir.path().join("db"), &saved);
            writer = self.open().await;
        }
        if !self.rng.one_in(5) {
            let fresh = self.readers.is_empty() || self.rng.one_in(3);
            let reader = if fresh { self.reader().await } else { self.readers[0].clone() };
            let connection = self.replicate(&writer, &reader).await;
            self.append(&writer).await;
            if fresh {
                self.readers.push(reader.clone());
            }
            self.follow(&writer, &reader).await;
            // a last append: the reader may get it or not
            if self.rng.one_in(3) {
                self.append(&writer).await;
                self.uncertain = true;
            }
            connection.stop();
            writer.close().await.unwrap();
            self.look_at_head(&reader).await;
        } else {
            self.append(&writer).await;
            writer.close().await.unwrap();
        }
    }

    /// What a reader has not got of the log cannot be fetched any more; its head counts all the same.
    async fn look_at_head(&mut self, reader: &Hypercore) {
        if reader.length() == 0 {
            return;
        }
        let hash = reader.tree_hash().await.unwrap();
        let at = (reader.fork(), reader.length());
        assert_eq!(*self.seen.histories.entry(at).or_insert(hash), hash, "two histories at {at:?}");
    }

    async fn append(&mut self, writer: &Hypercore) {
        let blocks = self.fresh();
        // who is recovering may wait, but not for long here
        let patient = Duration::from_secs(if writer.recovering() > 0 { 1 } else { 60 });
        match tokio::time::timeout(patient, writer.append_batch(blocks)).await {
            Ok(Ok(_)) => {}
            Ok(Err(Error::Recovering { .. })) | Err(_) => return,
            Ok(Err(error)) => panic!("{error}"),
        }
        if self.cuts && self.rng.one_in(4) && writer.length() > 1 {
            self.uncertain = true;
            writer.truncate(writer.length() - 1).await.unwrap();
            let blocks = self.fresh();
            writer.append_batch(blocks).await.unwrap();
        }
    }

    /// Sets the database back to where it was saved.
    fn roll_back(&self) {
        let (db, saved) = (self.dir.path().join("db"), self.dir.path().join("saved"));
        std::fs::remove_dir_all(&db).unwrap();
        std::fs::rename(saved, db).unwrap();
    }

    /// Opens what was rolled back and tries to go on.
    async fn go_on(&mut self) {
        let writer = self.open().await;
        let told = self.seen.histories.keys().max().copied().unwrap_or_default();
        if (writer.fork(), writer.length()) < told {
            assert!(writer.recovering() > 0, "behind what others have: {told:?}");
        }
        if writer.recovering() > 0 {
            let alone = writer.append("alone").await;
            assert!(matches!(alone, Err(Error::Recovering { .. })), "{alone:?}");
        }
        let newest = self.readers.iter().max_by_key(|reader| (reader.fork(), reader.length())).cloned();
        let behind = self.reader().await;
        if self.rng.one_in(3) {
            // somebody who knows nothing
            let connection = self.replicate(&writer, &behind).await;
            let patient = Duration::from_secs(1 + self.rng.below(11));
            let blocks = self.fresh();
            // whether it waits for good or goes on depends on what others were told
            let _ = tokio::time::timeout(patient, writer.append_batch(blocks)).await;
            self.uncertain = true;
            connection.stop();
            self.readers.push(behind);
        }
        if let Some(newest) = newest.filter(|newest| newest.fork() == writer.fork()) {
            let connection = self.replicate(&writer, &newest).await;
            let blocks = self.fresh();
            match writer.append_batch(blocks).await {
                Ok(_) => assert_eq!(writer.recovering(), 0),
                // somebody was told what nobody got, or what is on another fork
                Err(Error::Recovering { .. }) if self.uncertain => {}
                Err(error) => panic!("{error}"),
            }
            self.follow(&writer, &newest).await;
            connection.stop();
        }
        self.check_writer(&writer).await;
        writer.close().await.unwrap();
        for reader in self.readers.clone() {
            self.look_at_head(&reader).await;
        }
    }

    /// No reader has anything that contradicts the writer's log.
    async fn check_writer(&self, writer: &Hypercore) {
        for reader in self.readers.iter().filter(|reader| reader.length() > 0) {
            let upgrade = Some(UpgradeRequest { start: 0, length: reader.length() });
            let request = ProofRequest { upgrade, ..ProofRequest::default() };
            let Ok(proof) = reader.proof(&request).await else { continue };
            // a writer that got its head back has not all of the tree: there is nothing to compare with then
            let contradicts = writer.check_conflict(&proof).await.unwrap_or(false);
            assert!(!contradicts, "{:?}", writer.conflict());
        }
    }

    async fn all(mut self) {
        self.write(false).await;
        for _ in 0..1 + self.rng.below(2) {
            self.write(true).await;
            if self.rng.one_in(2) {
                self.write(false).await;
            }
            self.roll_back();
            self.go_on().await;
        }
    }
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// One run, on a clock that jumps whenever everybody waits: a recovering writer looks at its peers for seconds.
fn run(seed: u64) -> Result<(), &'static str> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let whole = async { tokio::time::timeout(LONGEST, Run::new(seed).all()).await };
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runtime.block_on(whole)));
    done.map_err(|_| "panics")?.map_err(|_| "hangs")
}

#[test]
fn m8_a_writer_that_was_rolled_back_signs_no_second_history_and_reuses_no_nonce() {
    let (runs, first) =
        (from_environment("HYPERCORE_ROLLBACKS", 1_000), from_environment("HYPERCORE_SEED", 1));
    println!("{runs} runs from HYPERCORE_SEED={first} on");
    let (next, failed) = (AtomicU64::new(first), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + runs {
                        return;
                    }
                    if let Err(why) = run(seed) {
                        failed.lock().unwrap().push((seed, why));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "replay one with HYPERCORE_ROLLBACKS=1 HYPERCORE_SEED=…: {failed:?}");
}
