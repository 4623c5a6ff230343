//! What a run has: the core that the operation is done to, the writer of its log, and what keeps its peers there.

use std::any::Any;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use hypercore::storage::Storage;
use hypercore::{Hypercore, KeyPair, Manifest, OpenOptions, Replication, Role};
use tokio::io::DuplexStream;

use crate::common::in_store;
use crate::common::shuffle::Shuffle;

/// Blocks of the log when an operation begins.
pub(crate) const BLOCKS: u64 = 12;
// situations and operations name single blocks
const _: () = assert!(BLOCKS > 9);
/// How long an operation waits for peers that may never answer.
pub(crate) const PATIENCE: Duration = Duration::from_millis(150);

/// Whose operation it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Writer,
    Reader,
}

/// A run's.
pub(crate) struct World {
    pub(crate) side: Side,
    /// The core that the operation is done to.
    pub(crate) subject: Hypercore,
    /// The writer of its log: on the writer's side that is the subject.
    pub(crate) writer: Hypercore,
    /// What signs the log.
    pub(crate) pair: KeyPair,
    /// The store that the subject shares with others, if it is on disk.
    pub(crate) storage: Option<Arc<Storage>>,
    /// Connections, to be ended with the run.
    replications: Mutex<Vec<Replication>>,
    /// What lives as long as the run.
    kept: Mutex<Vec<Box<dyn Any + Send>>>,
    shuffle: Shuffle,
}

/// A block of the log, as it is before the operation.
pub(crate) fn block(index: u64) -> Bytes {
    format!("block {index} {}", "x".repeat(usize::try_from(index % 5).unwrap() * 200)).into()
}

impl World {
    /// A log with some blocks; its reader has none of them.
    pub(crate) async fn new(side: Side, storage: Option<Arc<Storage>>, name: &str, seed: u64) -> Self {
        let shuffle = Shuffle::new(name, seed);
        let mut secret = [0; 32];
        secret[..8].copy_from_slice(&shuffle.next().to_le_bytes());
        secret[8..16].copy_from_slice(&shuffle.next().to_le_bytes());
        let pair = KeyPair::from_seed(&secret);
        let manifest = Manifest::single(pair.public());
        let writing = OpenOptions::new().key_pair(pair.clone()).manifest(manifest).timeout(Some(PATIENCE));
        let (writer, subject) = match side {
            Side::Writer => {
                let writer = open(storage.as_ref(), writing).await;
                (writer.clone(), writer)
            }
            Side::Reader => {
                let writer = open(None, writing).await;
                let reading = OpenOptions::new().key(*writer.key()).timeout(Some(PATIENCE));
                (writer, open(storage.as_ref(), reading).await)
            }
        };
        writer.append_batch((0..BLOCKS).map(block)).await.unwrap();
        Self {
            side,
            subject,
            writer,
            pair,
            storage,
            replications: Mutex::default(),
            kept: Mutex::default(),
            shuffle,
        }
    }

    /// A number below another one.
    pub(crate) fn below(&self, end: u64) -> u64 {
        self.shuffle.below(end)
    }

    /// Between two steps.
    pub(crate) async fn pause(&self) {
        self.shuffle.pause().await;
    }

    /// Two ends of a byte stream that holds more or less.
    pub(crate) fn pipe(&self) -> (DuplexStream, DuplexStream) {
        tokio::io::duplex([64, 1 << 10, 1 << 16][usize::try_from(self.below(3)).unwrap()])
    }

    /// Connects two cores over such a stream.
    pub(crate) fn connect(&self, one: &Hypercore, other: &Hypercore) -> [Replication; 2] {
        let (here, there) = self.pipe();
        let ends =
            [one.replicate(here, Role::Responder).unwrap(), other.replicate(there, Role::Initiator).unwrap()];
        self.replications.lock().unwrap().extend(ends.iter().cloned());
        ends
    }

    /// Somebody else in memory who has only the key.
    pub(crate) async fn stranger(&self) -> Hypercore {
        open(None, OpenOptions::new().key(*self.writer.key()).timeout(Some(Duration::from_secs(15)))).await
    }

    /// Keeps something as long as the run.
    pub(crate) fn keep(&self, what: impl Any + Send) {
        self.kept.lock().unwrap().push(Box::new(what));
    }

    /// Ends a connection with the run.
    pub(crate) fn keep_connection(&self, replication: Replication) {
        self.replications.lock().unwrap().push(replication);
    }

    /// All peers leave.
    pub(crate) async fn leave(&self) {
        for replication in std::mem::take(&mut *self.replications.lock().unwrap()) {
            replication.stop();
        }
        self.kept.lock().unwrap().clear();
        while !self.subject.peers().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

pub(crate) async fn open(storage: Option<&Arc<Storage>>, options: OpenOptions) -> Hypercore {
    match storage {
        Some(storage) => in_store(storage, options).await,
        None => options.memory().await.unwrap(),
    }
}
