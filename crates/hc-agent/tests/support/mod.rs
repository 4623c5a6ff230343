//! What the interop tests share: who plays which part, and the operations they all begin with.

#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::path::Path;
use std::sync::Arc;

use hc_interop::dump::{Dump, difference, masked};
use hc_interop::{Peer, Value, b64, bytes, json};

/// An implementation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Rust,
    Node,
}
use Side::{Node, Rust};

/// Who writes and who reads: each with Node in one part, and ours alone as the control.
pub(crate) const PAIRS: [(Side, Side); 3] = [(Rust, Rust), (Rust, Node), (Node, Rust)];

impl Side {
    pub(crate) fn start(self) -> Peer {
        match self {
            Rust => Peer::rust(env!("CARGO_BIN_EXE_hc-agent")).unwrap(),
            Node => Peer::node().unwrap(),
        }
    }
}

/// Runs a scenario with every pair that can be had here.
#[expect(clippy::print_stdout, reason = "a failing test shows which pair it was")]
pub(crate) fn with_pairs(name: &str, scenario: impl Fn(Side, Side)) {
    let node = hc_interop::node_or_skip(name);
    for (writer, reader) in PAIRS {
        if node || (writer == Rust && reader == Rust) {
            println!("{name}: {writer:?} writes, {reader:?} reads");
            scenario(writer, reader);
        }
    }
}

/// What a directory that nobody has open holds, but for times.
pub(crate) fn dump(dir: &Path) -> Dump {
    let reply = Side::Rust.start().call("dump", json!({ "dir": dir })).unwrap();
    masked(&reply).unwrap()
}

/// Compares two directories, key by key.
pub(crate) fn assert_same_store(one: (&str, &Path), two: (&str, &Path)) {
    if let Some(differs) = difference((one.0, &dump(one.1)), (two.0, &dump(two.1))) {
        panic!("the stores differ:\n{differs}");
    }
}

/// A peer with a store.
pub(crate) struct Actor {
    pub(crate) peer: Arc<Peer>,
    pub(crate) store: Value,
}

impl Actor {
    pub(crate) fn new(side: Side) -> Self {
        Self::open(side, json!({}))
    }

    pub(crate) fn at(side: Side, dir: &Path) -> Self {
        Self::open(side, json!({ "dir": dir }))
    }

    pub(crate) fn open(side: Side, options: Value) -> Self {
        Self::with(&Arc::new(side.start()), options)
    }

    /// A store at a peer that runs already: a new process costs a third of a second.
    pub(crate) fn with(peer: &Arc<Peer>, options: Value) -> Self {
        let store = peer.call("store.open", options).unwrap()["store"].clone();
        Self { peer: Arc::clone(peer), store }
    }

    pub(crate) fn get(&self, target: Value) -> Core<'_> {
        let mut fields = target;
        fields["store"] = self.store.clone();
        let opened = self.peer.call("store.get", fields).unwrap();
        Core { peer: &self.peer, id: opened["core"].clone(), opened }
    }

    pub(crate) fn named(&self, name: &str) -> Core<'_> {
        self.get(json!({ "name": name }))
    }

    /// A copy of somebody's core, waiting for peers.
    pub(crate) fn copy(&self, of: &Core<'_>) -> Core<'_> {
        self.get(json!({ "key": of.key(), "timeout": 30_000 }))
    }

    pub(crate) fn listen(&self) -> Value {
        self.peer.call("replicate.listen", json!({ "store": self.store })).unwrap()
    }

    /// Replicates with somebody who listens.
    pub(crate) fn connect(&self, listening: &Value) -> Value {
        let fields = json!({ "store": self.store, "port": listening["port"] });
        self.peer.call("replicate.connect", fields).unwrap()["replication"].clone()
    }

    pub(crate) fn disconnect(&self, replication: &Value) {
        self.peer.call("replicate.stop", json!({ "replication": replication })).unwrap();
    }

    /// Closes the store and lets the peer run on.
    pub(crate) fn leave(self) {
        self.peer.call("store.close", json!({ "store": self.store })).unwrap();
    }

    pub(crate) fn close(self) {
        self.peer.call("store.close", json!({ "store": self.store })).unwrap();
        assert!(self.peer.finish(), "the peer ends well");
    }
}

/// A core at a peer.
pub(crate) struct Core<'a> {
    pub(crate) peer: &'a Peer,
    pub(crate) id: Value,
    pub(crate) opened: Value,
}

impl Core<'_> {
    pub(crate) fn call(&self, op: &str, mut fields: Value) -> Value {
        fields["core"] = self.id.clone();
        self.peer.call(op, fields).unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) fn key(&self) -> &str {
        self.opened["key"].as_str().unwrap()
    }

    pub(crate) fn state(&self, field: &str) -> Value {
        self.call("core.state", json!({}))[field].clone()
    }

    pub(crate) fn length(&self) -> u64 {
        self.state("length").as_u64().unwrap()
    }

    pub(crate) fn append(&self, blocks: &[impl AsRef<[u8]>]) -> u64 {
        let blocks: Vec<String> = blocks.iter().map(b64).collect();
        self.call("append", json!({ "blocks": blocks }))["length"].as_u64().unwrap()
    }

    pub(crate) fn append_many(&self, n: u64, size: u64, batch: u64) {
        self.call("appendMany", json!({ "n": n, "size": size, "batch": batch }));
    }

    pub(crate) fn block(&self, index: u64) -> Vec<u8> {
        bytes(&self.call("get", json!({ "index": index, "timeout": 30_000 }))["block"]).expect("a block")
    }

    pub(crate) fn has(&self, start: u64, end: u64) -> bool {
        self.call("has", json!({ "start": start, "end": end }))["has"].as_bool().unwrap()
    }

    pub(crate) fn tree_hash(&self) -> String {
        self.call("treeHash", json!({}))["hash"].as_str().unwrap().to_owned()
    }

    /// Waits until the log has so many blocks.
    pub(crate) fn wait_for_length(&self, length: u64) {
        let patience = std::time::Instant::now();
        while self.length() < length {
            assert!(patience.elapsed().as_secs() < 30, "length {} instead of {length}", self.length());
            self.call("update", json!({}));
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// Downloads everything that there is.
    pub(crate) fn download_all(&self, length: u64) {
        self.wait_for_length(length);
        self.call("download", json!({ "start": 0, "end": length }));
    }

    /// Compares all blocks, read as a stream at both, by their tree hash and their sizes.
    pub(crate) fn assert_same_as(&self, other: &Core<'_>) {
        let length = other.length();
        assert_eq!(self.length(), length);
        assert!(self.has(0, length));
        assert_eq!(self.tree_hash(), other.tree_hash());
        let read = |core: &Core<'_>| {
            core.call("getMany", json!({ "start": 0, "n": length, "order": "stream" }))["bytes"].clone()
        };
        assert_eq!(read(self), read(other));
    }
}
