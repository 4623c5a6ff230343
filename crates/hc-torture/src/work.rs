//! The worker: a process that runs a script on a store and says on its standard output what was acknowledged.
//!
//! | line | says |
//! | --- | --- |
//! | `open` | the store is open |
//! | `part N PLACE LENGTH` | of operation N, the append of this place was acknowledged, and the log has this length |
//! | `ack N LENGTH` | operation N was acknowledged; the log has this length (0 where there is no log) |
//! | `told CORE LENGTH` | a reader was told of this length |
//! | `fail N WHY` | operation N failed with a typed error |
//! | `closed` | the store is closed |
//!
//! A line is one write: it is there as a whole, or not at all.

use std::io::Write;
use std::path::Path;

use bytes::Bytes;
use corestore::Corestore;
use futures_util::StreamExt;
use futures_util::future::join_all;
use hypercore::{Durability, Error, Event, Hypercore, Role, SessionOptions};

use crate::model::blocks;
use crate::script::{Op, PRIMARY_KEY, Script, content, core_name, core_options, record_name};

/// A store that a script runs on.
struct Worker<'a> {
    dir: &'a Path,
    script: &'a Script,
    store: Corestore,
    logs: Vec<Hypercore>,
    /// Readers of the cores, connected to them.
    readers: Vec<Hypercore>,
}

/// Says something, in one write.
fn say(line: &str) {
    let line = format!("{line}\n");
    // whoever reads us may be gone
    let _ = std::io::stdout().write_all(line.as_bytes());
}

/// Runs a script. What fails is said, and the next operation is tried.
pub(crate) async fn run(dir: &Path, script: &Script) {
    let mut worker = match Worker::open(dir, script).await {
        Ok(worker) => worker,
        Err(error) => return say(&format!("fail open {}", one_line(&error))),
    };
    say("open");
    for (number, op) in script.ops.iter().enumerate() {
        match worker.run(number, op).await {
            Ok(length) => say(&format!("ack {number} {length}")),
            Err(error) => say(&format!("fail {number} {}", one_line(&error))),
        }
    }
    match worker.store.close().await {
        Ok(()) => say("closed"),
        Err(error) => say(&format!("fail close {}", one_line(&error))),
    }
}

fn one_line(error: &Error) -> String {
    let internal = if matches!(error, Error::Internal(_)) { "INTERNAL " } else { "" };
    format!("{internal}{}", error.to_string().replace('\n', " "))
}

async fn open(dir: &Path, script: &Script) -> Result<(Corestore, Vec<Hypercore>), Error> {
    let durability = if script.sync { Durability::Sync } else { Durability::Buffered };
    let store = Corestore::builder().primary_key(PRIMARY_KEY).durability(durability).open(dir).await?;
    let mut logs = Vec::new();
    for core in 0..script.cores {
        logs.push(store.get_with(core_name(core), core_options(core)).await?);
    }
    Ok((store, logs))
}

impl<'a> Worker<'a> {
    async fn open(dir: &'a Path, script: &'a Script) -> Result<Self, Error> {
        let (store, logs) = open(dir, script).await?;
        let mut worker = Self { dir, script, store, logs, readers: Vec::new() };
        worker.watch().await?;
        Ok(worker)
    }

    /// Connects a reader in memory to each core, which says what it is told.
    async fn watch(&mut self) -> Result<(), Error> {
        self.readers.clear();
        if !self.script.watch {
            return Ok(());
        }
        for (core, log) in self.logs.iter().enumerate() {
            let reader = Hypercore::builder().key(*log.key()).memory().await?;
            let mut events = reader.events();
            tokio::spawn(async move {
                while let Some(event) = events.next().await {
                    if let Event::Append { length, .. } = event {
                        say(&format!("told {core} {length}"));
                    }
                }
            });
            let (here, there) = tokio::io::duplex(64 * 1024);
            log.replicate(here, Role::Responder)?;
            reader.replicate(there, Role::Initiator)?;
            self.readers.push(reader);
        }
        Ok(())
    }

    async fn run(&mut self, number: usize, op: &Op) -> Result<u64, Error> {
        match op {
            Op::Append { core, id, lens } => {
                let blocks: Vec<Bytes> = blocks(*id, lens).into_iter().map(Bytes::from).collect();
                Ok(self.log(*core)?.append_batch(blocks).await?.length)
            }
            Op::Concurrent { core, id, count, len } => {
                let log = self.log(*core)?;
                let appends = (0..*count).map(|place| async move {
                    let appended = log.append(content(*id, place, *len)).await?;
                    say(&format!("part {number} {place} {}", appended.length));
                    Ok::<_, Error>(())
                });
                join_all(appends).await.into_iter().collect::<Result<(), Error>>()?;
                Ok(log.length())
            }
            Op::UserData { core, id, key, len } => {
                let value = len.map(|len| content(*id, 0, len));
                let log = self.log(*core)?;
                log.set_user_data(&record_name(*key), value.as_deref()).await?;
                Ok(log.length())
            }
            Op::Commit { core, id, lens } => {
                let log = self.log(*core)?;
                let session = log.session(SessionOptions::new().name("draft").overwrite(true)).await?;
                session.append_batch(blocks(*id, lens)).await?;
                let committed = log.commit(&session).await?;
                committed.map(|done| done.length).ok_or(Error::Internal("a session was not committed"))
            }
            Op::Atom { cores, id, lens } => self.append_together(cores, *id, lens).await,
            Op::Truncate { core, length } => {
                let log = self.log(*core)?;
                log.truncate(*length as u64).await?;
                Ok(log.length())
            }
            Op::Clear { core, start, end } => {
                let log = self.log(*core)?;
                log.clear(*start as u64..*end as u64).await?;
                Ok(log.length())
            }
            Op::Compact { core } => {
                let log = self.log(*core)?;
                log.compact().await?;
                Ok(log.length())
            }
            Op::Flush => self.store.flush().await.map(|()| 0),
            Op::Reopen => {
                self.readers.clear();
                self.store.close().await?;
                (self.store, self.logs) = open(self.dir, self.script).await?;
                self.watch().await.map(|()| 0)
            }
        }
    }

    async fn append_together(&self, cores: &[usize], id: u32, lens: &[u32]) -> Result<u64, Error> {
        let Some(first) = cores.first() else { return Ok(0) };
        let atom = self.log(*first)?.atom();
        for (id, core) in (id..).zip(cores) {
            let session = self.log(*core)?.session(SessionOptions::new().atom(&atom)).await?;
            session.append_batch(blocks(id, lens)).await?;
        }
        atom.flush().await?;
        Ok(self.log(*first)?.length())
    }

    fn log(&self, core: usize) -> Result<&Hypercore, Error> {
        self.logs.get(core).ok_or_else(|| Error::BadArgument(format!("there is no core {core}")))
    }
}
