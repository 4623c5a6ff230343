//! The workloads. Each checks what it read, so that a fast wrong answer fails.

use std::time::Instant;

use hc_interop::{Peer, Value, json};

use super::report::Run;
use super::{Bench, Side};
use crate::shell;

pub(super) type Workload = fn(&Bench, Side) -> Result<Run, String>;

pub(super) const WORKLOADS: [(&str, Workload); 7] = [
    ("append_one", append_one),
    ("append_batch", append_batch),
    ("get_seq", |bench, side| get(bench, side, "seq")),
    ("get_rand", |bench, side| get(bench, side, "rand")),
    ("read_stream", |bench, side| get(bench, side, "stream")),
    ("open", open),
    ("replicate_tcp", replicate_tcp),
];

/// Blocks of the log that is read and copied.
const READ_BLOCKS: u64 = 100_000;
/// Their size in bytes.
const READ_SIZE: u64 = 1024;

fn call(peer: &Peer, op: &str, fields: Value) -> Result<Value, String> {
    peer.call(op, fields).map_err(|error| error.to_string())
}

fn rss(peer: &Peer) -> Result<u64, String> {
    call(peer, "memory", json!({}))?["rssBytes"].as_u64().ok_or_else(|| "no resident size".into())
}

fn seconds(reply: &Value) -> Result<f64, String> {
    reply["seconds"].as_f64().ok_or_else(|| "no time".into())
}

/// A process with the log of a directory.
struct Open {
    peer: Peer,
    store: Value,
    core: Value,
    key: Value,
}

fn log(bench: &Bench, side: Side, dir: &str) -> Result<Open, String> {
    let peer = bench.start(side)?;
    let store = call(&peer, "store.open", json!({ "dir": dir }))?["store"].clone();
    let opened = call(&peer, "store.get", json!({ "store": store, "name": "log" }))?;
    Ok(Open { peer, store, core: opened["core"].clone(), key: opened["key"].clone() })
}

impl Open {
    fn append(&self, n: u64, size: u64, batch: u64) -> Result<f64, String> {
        let fields = json!({ "core": self.core, "n": n, "size": size, "batch": batch });
        let done = call(&self.peer, "appendMany", fields)?;
        if done["length"] != n || done["byteLength"] != n * size {
            return Err(format!("{n} blocks of {size} bytes became {done}"));
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

    fn close(self) -> Result<(), String> {
        call(&self.peer, "store.close", json!({ "store": self.store }))?;
        if self.peer.finish() { Ok(()) } else { Err("the process did not end well".into()) }
    }
}

fn append_one(bench: &Bench, side: Side) -> Result<Run, String> {
    append(bench, side, bench.count(20_000), 100, 1)
}

fn append_batch(bench: &Bench, side: Side) -> Result<Run, String> {
    append(bench, side, bench.count(200_000), 1024, 1000)
}

fn append(bench: &Bench, side: Side, n: u64, size: u64, batch: u64) -> Result<Run, String> {
    let open = log(bench, side, &bench.empty_dir("append")?)?;
    let run = Run { seconds: open.append(n, size, batch)?, operations: n, rss: rss(&open.peer)? };
    open.close()?;
    Ok(run)
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

/// Opens the store and the log and reads its last block, in a process that has just started.
fn open(bench: &Bench, side: Side) -> Result<Run, String> {
    let (dir, n) = filled(bench, side)?;
    let peer = bench.start(side)?;
    // the process is up when it answers
    rss(&peer)?;
    let started = Instant::now();
    let store = call(&peer, "store.open", json!({ "dir": dir }))?["store"].clone();
    let core = call(&peer, "store.get", json!({ "store": store, "name": "log" }))?["core"].clone();
    let block = call(&peer, "get", json!({ "core": core, "index": n - 1 }))?;
    let seconds = started.elapsed().as_secs_f64();
    if hc_interop::bytes(&block["block"]).is_none_or(|block| block.len() as u64 != READ_SIZE) {
        return Err("the last block is not what was appended".into());
    }
    let run = Run { seconds, operations: 1, rss: rss(&peer)? };
    call(&peer, "store.close", json!({ "store": store }))?;
    Ok(run)
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

/// The same work on our side's data, reduced to what cannot be avoided.
pub(super) fn raw(bench: &Bench, name: &str) -> Result<f64, String> {
    let (dir, n) = match name {
        "append_one" => (bench.empty_dir("raw")?, bench.count(20_000)),
        "append_batch" => (bench.empty_dir("raw")?, bench.count(200_000)),
        "replicate_tcp" => (bench.empty_dir("raw")?, bench.count(READ_BLOCKS)),
        _ => filled(bench, Side::Rust)?,
    };
    let program = bench.raw.display().to_string();
    let printed = shell::output(&program, &[name, &dir, &n.to_string()])?;
    printed.trim().parse().map_err(|_| format!("{program} printed no time"))
}
