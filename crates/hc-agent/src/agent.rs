//! What the agent has handed out, and how a request finds it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use corestore::Corestore;
use hypercore::{Atom, Download, FindingPeers, Hypercore, Replication};
use parking_lot::Mutex;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::fields::Fields;
use crate::ops;
use crate::reply::{Failure, Result, reply};

#[derive(Clone)]
pub(crate) struct Agent(Arc<Handles>);

/// Everything that has a number.
#[derive(Default)]
pub(crate) struct Handles {
    next: AtomicU64,
    pub(crate) stores: Table<Corestore>,
    pub(crate) cores: Table<Hypercore>,
    pub(crate) atoms: Table<Atom>,
    pub(crate) downloads: Table<Download>,
    pub(crate) replications: Table<Running>,
    pub(crate) finding: Table<FindingPeers>,
}

/// A replication: one connection, or a port with those that were accepted.
#[derive(Clone)]
pub(crate) struct Running {
    pub(crate) connections: Arc<Mutex<Vec<Replication>>>,
    pub(crate) stop: CancellationToken,
}

/// Handles of one kind.
pub(crate) struct Table<T>(Mutex<BTreeMap<u64, T>>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Table<T> {
    pub(crate) fn put(&self, id: u64, value: T) {
        self.0.lock().insert(id, value);
    }

    pub(crate) fn take(&self, id: u64) -> Option<T> {
        self.0.lock().remove(&id)
    }
}

impl<T: Clone> Table<T> {
    pub(crate) fn get(&self, kind: &str, id: u64) -> Result<T> {
        let found = self.0.lock().get(&id).cloned();
        found.ok_or_else(|| Failure::bad_argument(format!("there is no {kind} {id}")))
    }
}

impl Agent {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn handles(&self) -> &Handles {
        &self.0
    }

    pub(crate) fn fresh(&self) -> u64 {
        self.0.next.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn store(&self, fields: &Fields) -> Result<Corestore> {
        self.0.stores.get("store", fields.uint("store")?)
    }

    pub(crate) fn core(&self, fields: &Fields) -> Result<Hypercore> {
        self.0.cores.get("core", fields.uint("core")?)
    }

    /// Answers one line.
    pub(crate) async fn answer(&self, line: &[u8]) {
        let request: Value = match serde_json::from_slice(line) {
            Ok(request) => request,
            Err(error) => {
                return reply(&Value::Null, Err(Failure::bad_argument(format!("not JSON: {error}"))));
            }
        };
        let id = request.get("id").cloned().unwrap_or(Value::Null);
        let fields = Fields(request);
        let result = match fields.op() {
            Ok(op) => ops::run(self, op, &fields).await,
            Err(failure) => Err(failure),
        };
        reply(&id, result);
    }

    /// Closes everything that was opened.
    pub(crate) async fn close(&self) {
        let stores = std::mem::take(&mut *self.0.stores.0.lock());
        let cores = std::mem::take(&mut *self.0.cores.0.lock());
        for core in cores.into_values() {
            // what cannot be closed is closed by the end of the process
            let _ = core.close().await;
        }
        for store in stores.into_values() {
            let _ = store.close().await;
        }
    }
}
