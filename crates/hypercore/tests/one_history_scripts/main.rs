//! Whatever is called in whatever order: no store signs two logs of one fork and length, and none uses a nonce twice.
//!
//! Each script makes random calls on two logs: appends, cuts to any fork, clears, named sessions, atoms, commits, signatures and
//! heads that were made elsewhere, purging, overwriting, closing and opening again, several of them at once. A recorder sees each
//! batch that reaches the engine (of a store on disk: the store after each call), and holds on to every signed head and every
//! encrypted block in it.
//!
//! `HYPERCORE_HISTORIES` sets how many scripts there are (1,000; 10^6 in the long tier), one in fifty of them on disk;
//! `HYPERCORE_SEED` the first one's seed. One that fails prints its seed: `HYPERCORE_HISTORIES=1 HYPERCORE_SEED=<seed>` is that
//! script again.

#[path = "../common/mod.rs"]
mod common;
mod recorder;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::upgrade;
use hc_crypto::Verifier;
use hc_storage::MemKv;
use hc_tree::{Batch, TreeHead};
use hypercore::core::{Core, CoreName};
use hypercore::storage::{Storage, StorageOptions};
use hypercore::{
    AppendOptions, Atom, CommitOptions, Encryption, Error, Hypercore, Manifest, OpenOptions, Result,
    SessionOptions, TruncateOptions,
};
use parking_lot::Mutex;
use recorder::{Recorder, Seen, key, pair};

/// Scripts at a time.
const AT_ONCE: usize = 2;
const STEPS: u64 = 30;
/// A script that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(60);
/// One script of so many is on disk.
const ON_DISK: u64 = 50;

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

/// A log of the store with what is open of it.
struct Log {
    core: Hypercore,
    drafts: Vec<Hypercore>,
    /// Sessions in the atom.
    inside: Option<Hypercore>,
}

struct Script {
    rng: Rng,
    seen: Arc<Mutex<Seen>>,
    dir: Option<tempfile::TempDir>,
    storage: Arc<Storage>,
    encryption: Option<Encryption>,
    logs: Vec<Log>,
    atom: Atom,
    blocks: u64,
    /// The present step, for people.
    what: String,
}

/// What an application is told. Anything else is a failure of the script.
fn is_told(error: &Error) -> bool {
    !matches!(error, Error::Internal(_))
}

impl Script {
    async fn new(seed: u64) -> Self {
        let mut rng = Rng(seed);
        let encrypted = rng.one_in(3);
        let encryption = encrypted.then(|| Encryption::key([9; 32]));
        let seen = Arc::new(Mutex::new(Seen { encrypted, ..Seen::default() }));
        let (dir, storage) = if seed.is_multiple_of(ON_DISK) {
            let dir = tempfile::tempdir().unwrap();
            let storage = on_disk(dir.path().to_owned()).await;
            (Some(dir), storage)
        } else {
            let recorder = Recorder { inner: MemKv::new(), seen: Arc::clone(&seen) };
            (None, Storage::over(Arc::new(recorder), StorageOptions::default(), true).unwrap())
        };
        let atom = Atom::new(&storage);
        let mut script = Self {
            rng,
            seen,
            dir,
            storage,
            encryption,
            logs: Vec::new(),
            atom,
            blocks: 0,
            what: String::new(),
        };
        for log in 0..2 {
            let opened = script.open(log, false).await.unwrap();
            script.logs.push(opened);
        }
        script
    }

    async fn open(&mut self, log: u64, overwrite: bool) -> Result<Log> {
        let options = OpenOptions::new().key(key(log)).key_pair(pair(log)).overwrite(overwrite);
        let options = match self.encryption.clone() {
            Some(encryption) => options.encryption(encryption),
            None => options,
        };
        let session = options.session_options();
        let core = Core::open(&self.storage, CoreName::default(), options).await?;
        Ok(Log { core: Hypercore::from_core(core, session).await?, drafts: Vec::new(), inside: None })
    }

    /// Blocks that were never appended before.
    fn fresh(&mut self) -> Vec<String> {
        let count = 1 + self.rng.below(3);
        self.blocks += count;
        (self.blocks - count..self.blocks).map(|block| format!("block {block}")).collect()
    }

    /// The fork for a cut: the next one, or any.
    fn fork(&mut self, present: u64) -> TruncateOptions {
        match self.rng.below(6) {
            0 => TruncateOptions::new().fork(self.rng.below(present + 4)),
            1 => TruncateOptions::new().fork(present),
            2 if self.rng.one_in(10) => TruncateOptions::new().fork((1 << 53) - self.rng.below(3)),
            _ => TruncateOptions::new(),
        }
    }

    async fn step(&mut self) -> Result<()> {
        let at = usize::try_from(self.rng.below(2)).unwrap();
        let core = self.logs[at].core.clone();
        let call = self.rng.below(22);
        self.what = format!("call {call} of log {at}");
        match call {
            0..=4 => core.append_batch(self.fresh()).await.map(drop),
            5 | 6 => {
                let length = self.rng.below(core.length() + 2);
                let fork = self.fork(core.fork());
                core.truncate_with(length, fork).await
            }
            7 => {
                let start = self.rng.below(core.length() + 1);
                core.clear(start..start + self.rng.below(6)).await.map(drop)
            }
            8..=10 => self.draft(at).await,
            11..=14 => self.inside(at).await,
            15 | 16 => self.atom.flush().await,
            17 => {
                self.atom = Atom::new(&self.storage);
                self.logs.iter_mut().for_each(|log| drop(log.inside.take()));
                Ok(())
            }
            18 => self.signed_elsewhere(&core).await,
            19 => self.foreign_head(at, &core).await,
            20 => self.begin_anew(at).await,
            _ => self.at_once(&core).await,
        }
    }

    async fn draft(&mut self, at: usize) -> Result<()> {
        let core = self.logs[at].core.clone();
        if self.logs[at].drafts.is_empty() || self.rng.one_in(4) {
            let name = ["one", "two"][usize::try_from(self.rng.below(2)).unwrap()];
            let options = SessionOptions::new().name(name).overwrite(self.rng.one_in(3));
            let options = if self.rng.one_in(4) { options.checkout(self.rng.below(6)) } else { options };
            let draft = core.session(options).await?;
            self.logs[at].drafts.push(draft);
        }
        let place = usize::try_from(self.rng.below(self.logs[at].drafts.len() as u64)).unwrap();
        let draft = self.logs[at].drafts[place].clone();
        let call = self.rng.below(8);
        self.what += &format!(", {call} in draft {place} of {} blocks on {}", draft.length(), draft.fork());
        match call {
            0..=2 => draft.append_batch(self.fresh()).await.map(drop),
            3 => {
                let length = self.rng.below(draft.length() + 1);
                let fork = self.fork(draft.fork()).key_pair(pair(at as u64));
                draft.truncate_with(length, fork).await
            }
            4 => draft.catch_up(self.rng.below(core.length() + 2)).await,
            5 => self.logs[at].drafts.swap_remove(place).close().await,
            _ => {
                let mut options = CommitOptions::new();
                if self.rng.one_in(3) {
                    options = options.length(self.rng.below(draft.length() + 2));
                }
                if self.rng.one_in(4) {
                    options = options.tree_length(self.rng.below(draft.length() + 2));
                }
                let inside = self.logs[at].inside.clone().filter(|_| self.rng.one_in(2));
                inside.unwrap_or(core).commit_with(&draft, options).await.map(drop)
            }
        }
    }

    async fn inside(&mut self, at: usize) -> Result<()> {
        let inside = match self.logs[at].inside.clone() {
            Some(inside) => inside,
            None => {
                let options = SessionOptions::new().atom(&self.atom);
                let length = self.logs[at].core.length();
                let back = self.rng.one_in(4).then(|| self.rng.below(length + 1));
                let options = match back {
                    Some(back) => options.checkout(back),
                    None => options,
                };
                let inside = self.logs[at].core.session(options).await?;
                self.logs[at].inside.insert(inside).clone()
            }
        };
        let call = self.rng.below(6);
        self.what += &format!(", {call} in the atom, of {} blocks on {}", inside.length(), inside.fork());
        match call {
            0..=2 => inside.append_batch(self.fresh()).await.map(drop),
            3 => {
                let length = self.rng.below(inside.length() + 1);
                let fork = self.fork(inside.fork());
                inside.truncate_with(length, fork).await
            }
            4 => inside.clear(0..self.rng.below(inside.length() + 1)).await.map(drop),
            _ => inside.set_user_data("k", Some(&self.blocks.to_le_bytes())).await,
        }
    }

    /// A signature that was made elsewhere, for the present fork or for another one.
    async fn signed_elsewhere(&mut self, core: &Hypercore) -> Result<()> {
        let log = u64::from(*core.key() == key(1));
        let verifier = Verifier::new(key(log), Manifest::single(pair(log).public())).unwrap();
        let fork = core.fork() + self.rng.below(2);
        if self.rng.one_in(2) {
            let length = self.rng.below(core.length() + 1);
            let hash = tokio::time::timeout(Duration::from_secs(1), core.tree_hash_at(length)).await;
            let Ok(Ok(hash)) = hash else { return Ok(()) };
            let signature = verifier.sign(&pair(log), &hash, length, fork).unwrap();
            return core.truncate_with(length, TruncateOptions::new().fork(fork).signature(signature)).await;
        }
        if self.encryption.is_some() || core.length() > 0 {
            return Ok(());
        }
        let blocks = self.fresh();
        let mut batch = Batch::new(&TreeHead::empty(fork));
        blocks.iter().for_each(|block| batch.append(block.as_bytes()));
        let signature = verifier.sign(&pair(log), &batch.hash(), blocks.len() as u64, fork).unwrap();
        core.append_with(blocks, AppendOptions::new().signature(signature)).await.map(drop)
    }

    /// The head of a longer log or of another fork, that somebody signed who has the same key.
    async fn foreign_head(&mut self, at: usize, core: &Hypercore) -> Result<()> {
        if core.fork() > 1000 || self.encryption.is_some() {
            return Ok(());
        }
        let other = Hypercore::builder().key(key(at as u64)).key_pair(pair(at as u64)).memory().await?;
        other.append_batch(self.fresh()).await?;
        other
            .truncate_with(other.length(), TruncateOptions::new().fork(core.fork() + 1 + self.rng.below(2)))
            .await?;
        core.apply_proof(other.proof(&upgrade(other.length())).await?).await.map(drop)
    }

    /// Closes a log, with the store if it is on disk, or takes it away; and opens it again.
    async fn begin_anew(&mut self, at: usize) -> Result<()> {
        self.atom = Atom::new(&self.storage);
        for log in &mut self.logs {
            log.inside = None;
            log.drafts.clear();
        }
        let how = self.rng.below(3);
        self.what += ["purged", "overwritten", "opened again"][usize::try_from(how).unwrap()];
        let gone = self.logs.remove(at);
        if how == 0 {
            gone.core.purge().await?;
        }
        gone.core.core().shut();
        drop(gone);
        if let Some(dir) = &self.dir {
            let dir = dir.path().to_owned();
            self.logs.clear();
            self.storage.close().await?;
            self.atom = Atom::new(&Storage::memory()?);
            self.storage = Storage::memory()?;
            self.storage = on_disk(dir).await;
            self.atom = Atom::new(&self.storage);
            let other = self.open(1 - at as u64, false).await?;
            self.logs.push(other);
        }
        let again = self.open(at as u64, how == 1).await?;
        self.logs.insert(at, again);
        Ok(())
    }

    async fn at_once(&mut self, core: &Hypercore) -> Result<()> {
        let (one, other, length) = (self.fresh(), self.fresh(), self.rng.below(core.length() + 1));
        let other_session = core.session(SessionOptions::new()).await?;
        let (first, second, third, fourth) = tokio::join!(
            core.append_batch(one),
            other_session.truncate(length),
            self.atom.flush(),
            other_session.append_batch(other),
        );
        for done in [first.map(drop), second, third, fourth.map(drop)] {
            assert!(done.as_ref().err().is_none_or(is_told), "{done:?}");
        }
        Ok(())
    }

    /// What a store on disk has now.
    fn look(&self) {
        let mut seen = self.seen.lock();
        if self.dir.is_some() {
            for (key, value) in self.storage.store().dump().unwrap() {
                seen.look_at(&key, &value.into());
            }
        }
        assert!(seen.wrong.is_empty(), "{:?}", seen.wrong);
    }

    #[expect(clippy::print_stdout, reason = "of a script that is run again alone, for people")]
    fn tell(&self, step: u64, done: &Result<()>) {
        if from_environment("HYPERCORE_HISTORIES", 0) != 1 {
            return;
        }
        let now =
            |log: &Log| (log.core.length(), log.core.fork(), log.inside.as_ref().map(Hypercore::length));
        let logs: Vec<_> = self.logs.iter().map(now).collect();
        println!("{step}: {} {done:?} {logs:?}", self.what);
    }

    async fn all(mut self) -> usize {
        for step in 0..STEPS {
            let done = self.step().await;
            self.tell(step, &done);
            if let Err(error) = done {
                assert!(is_told(&error), "step {step}: {error}");
            }
            self.look();
            if self.logs.len() < 2 {
                // a log that used all forks does not begin anew
                break;
            }
        }
        // whatever was refused, what is stored holds together
        let report = self.storage.audit(None).await.unwrap();
        let of_logs: Vec<_> = report.findings.iter().filter(|finding| finding.session.is_none()).collect();
        assert!(of_logs.is_empty(), "{of_logs:?}");
        self.seen.lock().heads.len()
    }
}

async fn on_disk(dir: PathBuf) -> Arc<Storage> {
    Storage::open(dir, StorageOptions::default()).await.unwrap()
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// How many heads were signed.
fn run(seed: u64) -> Result<usize, &'static str> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let whole = async { tokio::time::timeout(LONGEST, async { Script::new(seed).await.all().await }).await };
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runtime.block_on(whole)));
    runtime.shutdown_background();
    done.map_err(|_| "panics")?.map_err(|_| "hangs")
}

#[test]
fn one_history_is_signed_whatever_is_called() {
    let (scripts, first) =
        (from_environment("HYPERCORE_HISTORIES", 1_000), from_environment("HYPERCORE_SEED", 1));
    println!("{scripts} scripts from HYPERCORE_SEED={first} on");
    let (next, heads, failed) = (AtomicU64::new(first), AtomicU64::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + scripts || failed.lock().len() > 4 {
                        return;
                    }
                    match run(seed) {
                        Ok(signed) => drop(heads.fetch_add(signed as u64, Ordering::Relaxed)),
                        Err(why) => failed.lock().push((seed, why)),
                    }
                }
            });
        }
    });
    let failed = failed.into_inner();
    assert!(failed.is_empty(), "replay one with HYPERCORE_HISTORIES=1 HYPERCORE_SEED=…: {failed:?}");
    let heads = heads.into_inner();
    println!("{heads} heads");
    assert!(heads >= scripts * 5, "scripts that sign nothing show nothing: {heads}");
}
