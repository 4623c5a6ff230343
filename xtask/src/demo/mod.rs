//! The main job on real files, for people to watch: store, serve, copy, check, follow.
//!
//! A writer stores the files of a folder as blocks of named logs, and a list of them as another log. It serves all logs on one
//! port. A second Rust process and, where it is installed, a Node process copy them by key; every byte of both copies is
//! compared with the files. Then the writer appends while both follow.

mod files;
mod readers;

use std::time::Instant;

use hc_interop::{Peer, Value, b64, json};

use crate::{Outcome, setup, shell};
use files::{Entry, Library};
use readers::Reader;

/// The log that lists the files.
const INDEX: &str = "index";

pub(crate) fn run(args: &[String]) -> Outcome {
    let need_node = args.iter().any(|arg| arg == "--need-node");
    let folder = args.iter().find(|arg| !arg.starts_with("--"));
    let node = setup::run(if need_node { setup::Node::Needed } else { setup::Node::Optional })?;
    println!("Building the peers …");
    let agent = shell::build(&["hc-agent"], false)?.join("hc-agent");
    let library = files::collect(folder.map(String::as_str))?;
    let scratch = Scratch::new()?;

    println!("\n1. A writer stores {} as blocks of named logs.", library.describe());
    let writer = Peer::rust(&agent).map_err(text)?;
    let store = call(&writer, "store.open", json!({ "dir": scratch.dir("writer") }))?["store"].clone();
    let keys = store_files(&writer, &store, &library)?;

    println!(
        "\n2. It serves them all on one port. Who has a log's key can read and check it; nobody else can."
    );
    let listening = call(&writer, "replicate.listen", json!({ "store": store }))?;
    println!("   127.0.0.1:{}, Noise-encrypted", listening["port"]);

    let mut copies = vec![Reader::start(
        "a second Rust process",
        Peer::rust(&agent).map_err(text)?,
        &scratch.dir("rust"),
    )?];
    if node {
        copies.push(Reader::start("a Node process", Peer::node().map_err(text)?, &scratch.dir("node"))?);
    }
    println!("\n3. Others copy them, knowing only the key of the list, and check what they get.");
    for copy in &mut copies {
        copy.connect(&listening)?;
        copy.check_everything(&keys, &library)?;
    }
    if !node {
        println!(
            "   LEFT OUT: the Node part, since Node 20 with npm is not installed here. `cargo xtask ci` does not leave it out."
        );
    }

    println!("\n4. The writer appends while the others follow.");
    follow(&writer, &keys, &copies)?;

    for copy in copies {
        copy.finish()?;
    }
    call(&writer, "store.close", json!({ "store": store }))?;
    if !writer.finish() {
        return Err("the writer did not end well".into());
    }
    let both = if node { "Rust and Node hold" } else { "The Rust reader holds" };
    println!("\nAll is as it should be: {both} what was written, byte for byte.");
    Ok(())
}

/// A log of the writer: its name, its key, its handle there.
struct Log {
    name: String,
    key: String,
    core: Value,
    length: u64,
}

/// Stores all files, and the list of them last. Returns the logs, the list first.
fn store_files(writer: &Peer, store: &Value, library: &Library) -> Result<Vec<Log>, String> {
    let started = Instant::now();
    let mut logs = vec![open(writer, store, INDEX)?];
    let mut list = Vec::new();
    for (name, entries) in library.by_log() {
        let mut log = open(writer, store, name)?;
        for batch in entries.chunks(64) {
            let blocks: Vec<String> = batch.iter().flat_map(|entry| entry.blocks()).map(b64).collect();
            let appended = call(writer, "append", json!({ "core": log.core, "blocks": blocks }))?;
            for entry in batch {
                let count = entry.blocks().count() as u64;
                let line =
                    json!({ "path": entry.path, "key": log.key, "first": log.length, "blocks": count });
                list.push(line.to_string());
                log.length += count;
            }
            if appended["length"] != log.length {
                return Err(format!(
                    "log {name} has {} blocks instead of {}",
                    appended["length"], log.length
                ));
            }
        }
        logs.push(log);
    }
    if let Some(index) = logs.first_mut() {
        let blocks: Vec<String> = list.iter().map(b64).collect();
        call(writer, "append", json!({ "core": index.core, "blocks": blocks }))?;
        index.length = list.len() as u64;
    }
    let seconds = started.elapsed().as_secs_f64();
    for log in &logs {
        println!("   {:<12} {:>6} blocks   key {}", log.name, log.length, log.key);
    }
    println!(
        "   {} in {seconds:.2} s, {}/s",
        files::size(library.bytes()),
        files::size(rate(library.bytes(), seconds))
    );
    Ok(logs)
}

fn open(writer: &Peer, store: &Value, name: &str) -> Result<Log, String> {
    let opened = call(writer, "store.get", json!({ "store": store, "name": name }))?;
    let key = opened["key"].as_str().ok_or("a log without a key")?.to_owned();
    Ok(Log { name: name.into(), key, core: opened["core"].clone(), length: 0 })
}

/// Appends to the list while all copies wait for what comes.
fn follow(writer: &Peer, logs: &[Log], copies: &[Reader]) -> Outcome {
    let Some(index) = logs.first() else { return Err("there is no list".into()) };
    for round in 0..5 {
        let at = index.length + round;
        let news = format!("{{\"news\":\"appended while you watch, number {}\"}}", round + 1);
        let waiting: Vec<_> =
            copies.iter().map(|copy| copy.begin_get(&index.key, at)).collect::<Result<_, _>>()?;
        let started = Instant::now();
        call(writer, "append", json!({ "core": index.core, "blocks": [b64(&news)] }))?;
        for (copy, arriving) in copies.iter().zip(waiting) {
            let block = arriving.wait().map_err(text)?["block"].clone();
            if hc_interop::bytes(&block).as_deref() != Some(news.as_bytes()) {
                return Err(format!("{} got another block {at} than was appended", copy.title));
            }
            let millis = started.elapsed().as_secs_f64() * 1e3;
            println!("   block {at} at {} after {millis:.1} ms", copy.title);
        }
    }
    Ok(())
}

/// A folder for the stores, gone at the end.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new() -> Result<Self, String> {
        let path = std::env::temp_dir().join(format!("hypercore-demo-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }

    fn dir(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // what cannot be removed is in the system's folder for such things
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn call(peer: &Peer, op: &str, fields: Value) -> Result<Value, String> {
    peer.call(op, fields).map_err(text)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn rate(amount: u64, seconds: f64) -> u64 {
    (amount as f64 / seconds.max(1e-9)) as u64
}

impl Entry {
    /// The file's blocks.
    fn blocks(&self) -> impl Iterator<Item = &[u8]> {
        // an empty file is one empty block
        let empty = self.content.is_empty().then_some([].as_slice());
        self.content.chunks(files::BLOCK).chain(empty)
    }
}
