//! One of the two stores that are compared, and who works on it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use hc_interop::dump::{Dump, masked};
use hc_interop::{Peer, PeerError, Value, json};

/// One operation. A field of the form `$name` is the number that the step which `gives` that name got.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) op: &'static str,
    pub(super) fields: Value,
    pub(super) gives: Option<String>,
}

impl Step {
    pub(super) const fn new(op: &'static str, fields: Value) -> Self {
        Self { op, fields, gives: None }
    }

    pub(super) fn giving(mut self, name: &str) -> Self {
        self.gives = Some(name.to_owned());
        self
    }
}

/// A directory, and the peers that have it in turn: a new one each time that the store is opened.
pub(super) struct Part<'a> {
    pub(super) name: &'static str,
    peers: Vec<&'a Peer>,
    turn: usize,
    pub(super) dir: PathBuf,
    numbers: HashMap<String, Value>,
}

/// What a step came to: its reply without the numbers that were handed out, or its error's code.
pub(super) type Reply = Result<Value, String>;

/// What numbers are handed out as.
const NUMBERS: [&str; 3] = ["core", "store", "atom"];

impl<'a> Part<'a> {
    pub(super) fn new(name: &'static str, dir: PathBuf, peers: Vec<&'a Peer>) -> Self {
        Self { name, peers, turn: 0, dir, numbers: HashMap::new() }
    }

    pub(super) fn peer(&self) -> Result<&'a Peer, String> {
        self.peers.get(self.turn).copied().ok_or_else(|| format!("{} has no peer", self.name))
    }

    /// Hands the directory to the next peer.
    pub(super) fn hand_over(&mut self) {
        self.turn = (self.turn + 1) % self.peers.len().max(1);
    }

    pub(super) fn begin(&self, step: &Step) -> Result<hc_interop::Pending, String> {
        let mut fields = step.fields.clone();
        if let Some(fields) = fields.as_object_mut() {
            for value in fields.values_mut() {
                match value.as_str() {
                    Some("$dir") => *value = json!(self.dir),
                    Some(name) if name.starts_with('$') => {
                        *value =
                            self.numbers.get(name).cloned().ok_or_else(|| format!("there is no {name}"))?;
                    }
                    _ => {}
                }
            }
        }
        Ok(self.peer()?.begin(step.op, fields))
    }

    /// Waits for the reply and keeps the number that it gives.
    pub(super) fn end(&mut self, step: &Step, pending: hc_interop::Pending) -> Result<Reply, String> {
        let mut reply = match pending.wait() {
            Ok(reply) => reply,
            Err(PeerError::Failed { code, .. }) => return Ok(Err(code)),
            Err(lost) => return Err(format!("{}: {lost}", self.name)),
        };
        if let (Some(name), Some(fields)) = (&step.gives, reply.as_object()) {
            let number = NUMBERS.iter().find_map(|field| fields.get(*field));
            self.numbers.insert(name.clone(), number.cloned().unwrap_or_default());
        }
        if let Some(fields) = reply.as_object_mut() {
            for field in NUMBERS {
                fields.remove(field);
            }
        }
        Ok(Ok(reply))
    }

    /// Nothing in the store is found to be wrong by this peer; but for named sessions, beneath which the log may have been cut.
    pub(super) fn audit(&self, by: &Peer) -> Result<(), String> {
        let say = |error: PeerError| format!("{}: {error}", self.name);
        let opened = by.call("store.open", json!({ "dir": self.dir })).map_err(say)?;
        let audited = by.call("store.audit", json!({ "store": opened["store"] })).map_err(say)?;
        by.call("store.close", json!({ "store": opened["store"] })).map_err(say)?;
        let of_log = |problem: &&Value| problem.get("session").is_none_or(Value::is_null);
        match audited.get("problems").and_then(Value::as_array) {
            Some(problems) if !problems.iter().any(|problem| of_log(&problem)) => Ok(()),
            _ => Err(format!("{}: an audit finds {audited}", self.name)),
        }
    }

    /// What is on disk, read by this peer.
    pub(super) fn dump(&self, by: &Peer) -> Result<Dump, String> {
        let reply =
            by.call("dump", json!({ "dir": self.dir })).map_err(|error| format!("{}: {error}", self.name))?;
        masked(&reply).ok_or_else(|| format!("{}: a dump without entries", self.name))
    }
}

/// Removes a directory that a script is done with.
pub(super) fn remove(dir: &Path) -> Result<(), String> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{}: {error}", dir.display()))
        }
        _ => Ok(()),
    }
}
