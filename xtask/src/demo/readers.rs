//! A process that copies the writer's logs and checks them.

use std::collections::BTreeMap;
use std::time::Instant;

use hc_interop::{Peer, Pending, Value, bytes, json};

use super::files::{Library, size};
use super::{Log, call, rate, text};
use crate::Outcome;

/// How long a block may take, in milliseconds.
const PATIENCE: u64 = 60_000;

pub(super) struct Reader {
    pub(super) title: &'static str,
    peer: Peer,
    store: Value,
    /// Handles of the logs that it has opened, by key.
    cores: BTreeMap<String, Value>,
}

impl Reader {
    pub(super) fn start(title: &'static str, peer: Peer, dir: &str) -> Result<Self, String> {
        let store = call(&peer, "store.open", json!({ "dir": dir }))?["store"].clone();
        Ok(Self { title, peer, store, cores: BTreeMap::new() })
    }

    pub(super) fn connect(&self, listening: &Value) -> Outcome {
        call(&self.peer, "replicate.connect", json!({ "store": self.store, "port": listening["port"] }))
            .map(|_| ())
    }

    fn core(&mut self, key: &str) -> Result<Value, String> {
        if let Some(core) = self.cores.get(key) {
            return Ok(core.clone());
        }
        let fields = json!({ "store": self.store, "key": key, "timeout": PATIENCE });
        let core = call(&self.peer, "store.get", fields)?["core"].clone();
        self.cores.insert(key.to_owned(), core.clone());
        Ok(core)
    }

    fn block(&mut self, key: &str, index: u64) -> Result<Vec<u8>, String> {
        let core = self.core(key)?;
        let block = call(&self.peer, "get", json!({ "core": core, "index": index, "timeout": PATIENCE }))?;
        bytes(&block["block"]).ok_or_else(|| format!("{}: block {index} is missing", self.title))
    }

    /// Copies everything that the list names, and compares it with the files.
    pub(super) fn check_everything(&mut self, logs: &[Log], library: &Library) -> Outcome {
        let started = Instant::now();
        let index = logs.first().ok_or("there is no list")?;
        let mut found = BTreeMap::new();
        for at in 0..index.length {
            let line: Value = serde_json::from_slice(&self.block(&index.key, at)?).map_err(text)?;
            found.insert(line["path"].as_str().unwrap_or_default().to_owned(), line);
        }
        for log in logs {
            let core = self.core(&log.key)?;
            call(&self.peer, "download", json!({ "core": core, "start": 0, "end": log.length }))?;
        }
        let seconds = started.elapsed().as_secs_f64();
        for entry in library.entries() {
            let line = found.get(&entry.path).ok_or_else(|| format!("the list lacks {}", entry.path))?;
            let (first, count) = (line["first"].as_u64().unwrap_or(0), line["blocks"].as_u64().unwrap_or(0));
            let mut content = Vec::with_capacity(entry.content.len());
            for at in first..first + count {
                content.extend(self.block(line["key"].as_str().unwrap_or_default(), at)?);
            }
            if content != entry.content {
                return Err(format!("{}: {} differs from the file", self.title, entry.path));
            }
        }
        println!(
            "   {}: {} files, {} in {seconds:.2} s ({}/s); every byte compared with the files",
            self.title,
            library.entries().count(),
            size(library.bytes()),
            size(rate(library.bytes(), seconds)),
        );
        Ok(())
    }

    /// Begins to wait for a block.
    pub(super) fn begin_get(&self, key: &str, index: u64) -> Result<Pending, String> {
        let core = self.cores.get(key).ok_or("the log is not open")?;
        Ok(self.peer.begin("get", json!({ "core": core, "index": index, "timeout": PATIENCE })))
    }

    pub(super) fn finish(self) -> Outcome {
        call(&self.peer, "store.close", json!({ "store": self.store }))?;
        if self.peer.finish() { Ok(()) } else { Err(format!("{} did not end well", self.title)) }
    }
}
