//! One peer process.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::{Value, json};
use thiserror::Error;

use crate::node::{self, NodeMissing, interop_dir};

/// How long a reply may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a peer may take to end by itself.
const FAREWELL: Duration = Duration::from_secs(10);

/// Why an operation of a peer failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PeerError {
    /// The implementation said so.
    #[error("{peer}: {op}: {code}: {message}")]
    Failed {
        /// Which peer.
        peer: String,
        /// The operation.
        op: String,
        /// The error's code.
        code: String,
        /// The error's message.
        message: String,
    },
    /// The process ended.
    #[error("{peer}: {op}: the process ended")]
    Ended {
        /// Which peer.
        peer: String,
        /// The operation.
        op: String,
    },
    /// No reply came.
    #[error("{peer}: {op}: no reply within {} s", PATIENCE.as_secs())]
    Silent {
        /// Which peer.
        peer: String,
        /// The operation.
        op: String,
    },
    /// The process could not be started.
    #[error("{peer} does not start: {reason}")]
    Start {
        /// Which peer.
        peer: String,
        /// Why.
        reason: String,
    },
    /// There is no Node.
    #[error(transparent)]
    Node(#[from] NodeMissing),
}

impl PeerError {
    /// The error's code, if the implementation gave one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Failed { code, .. } => Some(code),
            _ => None,
        }
    }
}

type Waiting = Arc<Mutex<HashMap<u64, Sender<Value>>>>;

/// A peer process.
pub struct Peer {
    name: String,
    child: Mutex<Child>,
    input: Mutex<Option<ChildStdin>>,
    next: AtomicU64,
    waiting: Waiting,
    events: Mutex<Receiver<Value>>,
}

/// An operation whose reply is still to come.
pub struct Pending {
    peer: String,
    op: String,
    reply: Receiver<Value>,
}

impl Peer {
    /// Our peer, from the `hc-agent` program at this path.
    ///
    /// # Errors
    /// [`PeerError::Start`].
    pub fn rust(agent: impl AsRef<Path>) -> Result<Self, PeerError> {
        Self::start("rust", Command::new(agent.as_ref()))
    }

    /// The Node peer.
    ///
    /// # Errors
    /// [`PeerError::Node`], [`PeerError::Start`].
    pub fn node() -> Result<Self, PeerError> {
        node::find()?;
        let mut command = Command::new("node");
        command.arg(interop_dir().join("agent.mjs"));
        Self::start("node", command)
    }

    fn start(name: &str, mut command: Command) -> Result<Self, PeerError> {
        let failed = |reason: String| PeerError::Start { peer: name.into(), reason };
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
        let mut child = spawned.map_err(|error| failed(error.to_string()))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let output = output.ok_or_else(|| failed("no output".into()))?;
        let waiting: Waiting = Arc::default();
        let (tell, events) = channel();
        let listening = Arc::clone(&waiting);
        std::thread::spawn(move || listen(output, &listening, &tell));
        Ok(Self {
            name: name.into(),
            child: Mutex::new(child),
            input: Mutex::new(input),
            next: AtomicU64::new(1),
            waiting,
            events: Mutex::new(events),
        })
    }

    /// Which implementation this is: `rust` or `node`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs an operation and waits for its reply.
    ///
    /// # Errors
    /// [`PeerError`].
    pub fn call(&self, op: &str, fields: Value) -> Result<Value, PeerError> {
        self.begin(op, fields).wait()
    }

    /// Begins an operation.
    #[must_use]
    pub fn begin(&self, op: &str, mut fields: Value) -> Pending {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        if let Some(fields) = fields.as_object_mut() {
            fields.insert("id".into(), json!(id));
            fields.insert("op".into(), json!(op));
        }
        let (answer, reply) = channel();
        self.waiting.lock().insert(id, answer);
        let mut line = fields.to_string();
        line.push('\n');
        let written = match &mut *self.input.lock() {
            Some(input) => input.write_all(line.as_bytes()).and_then(|()| input.flush()).is_ok(),
            None => false,
        };
        if !written {
            self.waiting.lock().remove(&id);
        }
        Pending { peer: self.name.clone(), op: op.into(), reply }
    }

    /// The next event that the peer tells of, if one comes in time.
    #[must_use]
    pub fn event(&self, patience: Duration) -> Option<Value> {
        self.events.lock().recv_timeout(patience).ok()
    }

    /// Writes a line as it is.
    pub fn raw(&self, line: &str) {
        if let Some(input) = &mut *self.input.lock() {
            // a peer that is gone shows when its reply is waited for
            let _ = writeln!(input, "{line}").and_then(|()| input.flush());
        }
    }

    /// Ends the process at once, as a power button would.
    pub fn kill(&self) {
        let mut child = self.child.lock();
        // it may have ended already
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Closes the peer's input and waits for it to end. Whether it ended well.
    pub fn finish(&self) -> bool {
        drop(self.input.lock().take());
        let deadline = Instant::now() + FAREWELL;
        loop {
            match self.child.lock().try_wait() {
                Ok(Some(status)) => return status.success(),
                Ok(None) if Instant::now() < deadline => {}
                _ => break,
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.kill();
        false
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Pending {
    /// Waits for the reply.
    ///
    /// # Errors
    /// [`PeerError`].
    pub fn wait(self) -> Result<Value, PeerError> {
        use std::sync::mpsc::RecvTimeoutError as Late;
        let Self { peer, op, reply } = self;
        let reply = match reply.recv_timeout(PATIENCE) {
            Ok(reply) => reply,
            Err(Late::Disconnected) => return Err(PeerError::Ended { peer, op }),
            Err(Late::Timeout) => return Err(PeerError::Silent { peer, op }),
        };
        match (reply.get("ok"), reply.get("err")) {
            (Some(ok), _) => Ok(ok.clone()),
            (None, err) => {
                let text = |name| err.and_then(|err| err.get(name)?.as_str()).unwrap_or_default().to_owned();
                Err(PeerError::Failed { peer, op, code: text("code"), message: text("message") })
            }
        }
    }
}

/// Hands replies to who waits for them, and everything else to the events. Ends with the process.
fn listen(output: ChildStdout, waiting: &Waiting, events: &Sender<Value>) {
    for line in BufReader::new(output).lines() {
        let Ok(line) = line else { break };
        let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
        let answer = message.get("id").and_then(Value::as_u64).and_then(|id| waiting.lock().remove(&id));
        // whoever waited may have given up
        let _ = match answer {
            Some(answer) => answer.send(message),
            None => events.send(message),
        };
    }
    waiting.lock().clear();
}
