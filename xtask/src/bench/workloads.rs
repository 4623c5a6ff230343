//! The workloads. Each checks what it read, so that a fast wrong answer fails.

use std::time::Instant;

use hc_interop::{Peer, Value, json};

use super::report::Run;
use super::{Bench, Side};
use crate::shell;

type Work = fn(&Bench, Side) -> Result<Run, String>;
type Raw = fn(&Bench) -> Result<f64, String>;

/// One row of the table.
pub(super) struct Workload {
    pub(super) name: &'static str,
    pub(super) run: Work,
    /// The same reduced to what cannot be avoided, in seconds; `None` where there is no such thing.
    pub(super) raw: Option<Raw>,
    /// Whether Node can do it: it cannot wait for the device.
    pub(super) on_node: bool,
}

const fn both(name: &'static str, run: Work, raw: Option<Raw>) -> Workload {
    Workload { name, run, raw, on_node: true }
}

const fn ours(name: &'static str, run: Work, raw: Option<Raw>) -> Workload {
    Workload { name, run, raw, on_node: false }
}

pub(super) const WORKLOADS: [Workload; 11] = [
    both("append_one", append_one, Some(|bench| raw_new(bench, "append_one", SMALL_APPENDS, 100, 1))),
    both("append_concurrent", append_concurrent, None),
    both("append_batch", append_batch, Some(|bench| raw_new(bench, "append", 200_000, 1024, 1000))),
    both("append_large", append_large, Some(|bench| raw_new(bench, "append", 4096, 64 * 1024, 64))),
    both("get_seq", |bench, side| get(bench, side, "seq"), Some(|bench| raw_read(bench, "get_seq"))),
    both("get_rand", |bench, side| get(bench, side, "rand"), Some(|bench| raw_read(bench, "get_rand"))),
    both(
        "read_stream",
        |bench, side| get(bench, side, "stream"),
        Some(|bench| raw_read(bench, "read_stream")),
    ),
    both("open", open, Some(|bench| raw_read(bench, "open"))),
    both(
        "replicate_tcp",
        replicate_tcp,
        Some(|bench| raw_new(bench, "replicate_tcp", READ_BLOCKS, READ_SIZE, 1)),
    ),
    ours(
        "append_one_sync",
        append_one_sync,
        Some(|bench| raw_new(bench, "fdatasync", SYNCED_APPENDS, 100, 1)),
    ),
    ours(
        "append_concurrent_sync",
        append_concurrent_sync,
        Some(|bench| raw_new(bench, "fdatasync", SYNCED_APPENDS, 100, 1)),
    ),
];

/// Appends of `append_one`.
const SMALL_APPENDS: u64 = 20_000;
/// Appends that each wait for the device: few, since a sync takes long on many disks.
const SYNCED_APPENDS: u64 = 1000;
/// Tasks that append at the same time.
const TASKS: u64 = 64;
/// Blocks of the log that is read and copied.
const READ_BLOCKS: u64 = 100_000;
/// Their size in bytes.
const READ_SIZE: u64 = 1024;

pub(super) fn call(peer: &Peer, op: &str, fields: Value) -> Result<Value, String> {
    peer.call(op, fields).map_err(|error| error.to_string())
}

/// Resident bytes of a peer's process.
pub(super) fn rss(peer: &Peer) -> Result<u64, String> {
    call(peer, "memory", json!({}))?["rssBytes"].as_u64().ok_or_else(|| "no resident size".into())
}

pub(super) fn seconds(reply: &Value) -> Result<f64, String> {
    reply["seconds"].as_f64().ok_or_else(|| "no time".into())
}

/// A process with the log of a directory.
pub(super) struct Open {
    pub(super) peer: Peer,
    store: Value,
    pub(super) core: Value,
    key: Value,
}

pub(super) fn log(bench: &Bench, side: Side, dir: &str) -> Result<Open, String> {
    log_in(bench, side, json!({ "dir": dir }))
}

fn log_in(bench: &Bench, side: Side, store: Value) -> Result<Open, String> {
    let peer = bench.start(side)?;
    let store = call(&peer, "store.open", store)?["store"].clone();
    let opened = call(&peer, "store.get", json!({ "store": store, "name": "log" }))?;
    Ok(Open { peer, store, core: opened["core"].clone(), key: opened["key"].clone() })
}

impl Open {
    fn append(&self, n: u64, size: u64, batch: u64) -> Result<f64, String> {
        let fields = json!({ "core": self.core, "n": n, "size": size, "batch": batch });
        let done = call(&self.peer, "appendMany", fields)?;
        appended(&done, n, size)?;
        seconds(&done)
    }

    fn append_concurrently(&self, n: u64, size: u64) -> Result<f64, String> {
        let fields = json!({ "core": self.core, "n": n, "size": size, "tasks": TASKS });
        let done = call(&self.peer, "appendConcurrent", fields)?;
        appended(&done, n, size)?;
        if done["lengths"] != n * (n + 1) / 2 {
            return Err(format!("appends share places in the log: {done}"));
        }
        seconds(&done)
    }

    /// Reads blocks, and checks every byte of them.
    fn read(&self, n: u64, order: &str) -> Result<f64, String> {
        let fields = json!({ "core": self.core, "start": 0, "n": n, "order": order, "size": READ_SIZE });
        let done = call(&self.peer, "getMany", fields)?;
        if done["bytes"] != n * READ_SIZE {
            return Err(format!("{n} gets brought {} bytes", done["bytes"]));
        }
        seconds(&done)
    }

    pub(super) fn close(self) -> Result<(), String> {
        call(&self.peer, "store.close", json!({ "store": self.store }))?;
        if self.peer.finish() { Ok(()) } else { Err("the process did not end well".into()) }
    }
}

fn appended(done: &Value, n: u64, size: u64) -> Result<(), String> {
    if done["length"] == n && done["byteLength"] == n * size {
        return Ok(());
    }
    Err(format!("{n} blocks of {size} bytes became {done}"))
}

fn append_one(bench: &Bench, side: Side) -> Result<Run, String> {
    append(bench, side, bench.count(SMALL_APPENDS), 100, 1)
}

fn append_batch(bench: &Bench, side: Side) -> Result<Run, String> {
    append(bench, side, bench.count(200_000), 1024, 1000)
}

fn append_large(bench: &Bench, side: Side) -> Result<Run, String> {
    append(bench, side, bench.count(4096), 64 * 1024, 64)
}

fn append(bench: &Bench, side: Side, n: u64, size: u64, batch: u64) -> Result<Run, String> {
    let open = log(bench, side, &bench.empty_dir("append")?)?;
    let run = Run { seconds: open.append(n, size, batch)?, operations: n, rss: rss(&open.peer)? };
    open.close()?;
    Ok(run)
}

fn append_concurrent(bench: &Bench, side: Side) -> Result<Run, String> {
    concurrent(&log(bench, side, &bench.empty_dir("append")?)?, bench.count(50_000))
}

/// Our side with `Durability::Sync`.
fn synced(bench: &Bench, side: Side) -> Result<Open, String> {
    log_in(bench, side, json!({ "dir": bench.empty_dir("append")?, "durability": "sync" }))
}

fn append_one_sync(bench: &Bench, side: Side) -> Result<Run, String> {
    let (open, n) = (synced(bench, side)?, bench.count(SYNCED_APPENDS));
    Ok(Run { seconds: open.append(n, 100, 1)?, operations: n, rss: rss(&open.peer)? })
}

fn append_concurrent_sync(bench: &Bench, side: Side) -> Result<Run, String> {
    concurrent(&synced(bench, side)?, bench.count(SYNCED_APPENDS))
}

fn concurrent(open: &Open, n: u64) -> Result<Run, String> {
    Ok(Run { seconds: open.append_concurrently(n, 100)?, operations: n, rss: rss(&open.peer)? })
}

/// A directory with the log that is read, made once for each side.
fn filled(bench: &Bench, side: Side) -> Result<(String, u64), String> {
    let name = if side == Side::Rust { "read-rust" } else { "read-node" };
    let (dir, n) = (bench.scratch.join(name), bench.count(READ_BLOCKS));
    if !dir.exists() {
        let open = log(bench, side, &dir.display().to_string())?;
        open.append(n, READ_SIZE, 1000.min(n))?;
        open.close()?;
    }
    Ok((dir.display().to_string(), n))
}

fn get(bench: &Bench, side: Side, order: &str) -> Result<Run, String> {
    let (dir, n) = filled(bench, side)?;
    let open = log(bench, side, &dir)?;
    let run = Run { seconds: open.read(n, order)?, operations: n, rss: rss(&open.peer)? };
    open.close()?;
    Ok(run)
}

fn open(bench: &Bench, side: Side) -> Result<Run, String> {
    let (dir, n) = filled(bench, side)?;
    let (open, seconds) = open_and_read_last(bench, side, &dir, n, READ_SIZE)?;
    let run = Run { seconds, operations: 1, rss: rss(&open.peer)? };
    open.close()?;
    Ok(run)
}

/// Opens the store and the log and reads its last block, in a process that has just started; in how many seconds.
pub(super) fn open_and_read_last(
    bench: &Bench,
    side: Side,
    dir: &str,
    n: u64,
    size: u64,
) -> Result<(Open, f64), String> {
    let peer = bench.start(side)?;
    // the process is up when it answers
    rss(&peer)?;
    let started = Instant::now();
    let store = call(&peer, "store.open", json!({ "dir": dir }))?["store"].clone();
    let opened = call(&peer, "store.get", json!({ "store": store, "name": "log" }))?;
    let block = call(&peer, "get", json!({ "core": opened["core"], "index": n - 1 }))?;
    let seconds = started.elapsed().as_secs_f64();
    if hc_interop::bytes(&block["block"]).is_none_or(|block| block.len() as u64 != size) {
        return Err("the last block is not what was appended".into());
    }
    Ok((Open { peer, store, core: opened["core"].clone(), key: opened["key"].clone() }, seconds))
}

/// Two processes of the same side: the second copies the first one's log.
fn replicate_tcp(bench: &Bench, side: Side) -> Result<Run, String> {
    let (dir, n) = filled(bench, side)?;
    let writer = log(bench, side, &dir)?;
    let listening = call(&writer.peer, "replicate.listen", json!({ "store": writer.store }))?;
    let reader = bench.start(side)?;
    let copy = bench.empty_dir("copy")?;
    let store = call(&reader, "store.open", json!({ "dir": copy }))?["store"].clone();
    let core = call(&reader, "store.get", json!({ "store": store, "key": writer.key }))?["core"].clone();

    let started = Instant::now();
    call(&reader, "replicate.connect", json!({ "store": store, "port": listening["port"] }))?;
    call(&reader, "download", json!({ "core": core, "start": 0, "end": n }))?;
    let seconds = started.elapsed().as_secs_f64();

    let run = Run { seconds, operations: n, rss: rss(&reader)? };
    let copied = Open { peer: reader, store, core, key: writer.key.clone() };
    copied.read(n, "stream")?;
    copied.close()?;
    writer.close()?;
    Ok(run)
}

/// The raw limit of a workload that makes its own store.
fn raw_new(bench: &Bench, name: &str, n: u64, size: u64, batch: u64) -> Result<f64, String> {
    let dir = bench.empty_dir("raw")?;
    raw(bench, &[name, &dir, &bench.count(n).to_string(), &size.to_string(), &batch.to_string()])
}

/// The raw limit of a workload that reads our store.
fn raw_read(bench: &Bench, name: &str) -> Result<f64, String> {
    let (dir, n) = filled(bench, Side::Rust)?;
    raw(bench, &[name, &dir, &n.to_string(), &READ_SIZE.to_string(), "1"])
}

fn raw(bench: &Bench, args: &[&str]) -> Result<f64, String> {
    let program = bench.raw.display().to_string();
    shell::output(&program, args)?.trim().parse().map_err(|_| format!("{program} printed no time"))
}
