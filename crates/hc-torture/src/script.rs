//! What a worker is told to do: a list of operations, made from a seed.
//!
//! Every block is made from the number of its operation and its place in it, so that whoever finds one knows which it is.

use serde::{Deserialize, Serialize};

use crate::model::Model;
use crate::rng::Rng;

/// An operation on a store. `id` is its number, `core` which core.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Op {
    /// Appends blocks of these lengths with one call.
    Append { core: usize, id: u32, lens: Vec<u32> },
    /// Appends so many blocks of a length with as many calls at the same time.
    Concurrent { core: usize, id: u32, count: u32, len: u32 },
    /// Stores a record beside the log, or deletes it.
    UserData { core: usize, id: u32, key: u8, len: Option<u32> },
    /// Waits until everything is on the device.
    Flush,
    /// Closes the store and opens it again, which makes tables of what is in the log.
    Reopen,
}

/// What a worker runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Script {
    /// Whether an append is acknowledged only when it is on the device.
    pub(crate) sync: bool,
    /// Whether a reader is connected to each core, and says of which lengths it was told.
    pub(crate) watch: bool,
    /// How many cores there are.
    pub(crate) cores: usize,
    pub(crate) ops: Vec<Op>,
}

/// Makes operations that a store in a given state can carry out.
#[derive(Debug, Clone)]
pub(crate) struct Generator {
    pub(crate) rng: Rng,
    next_id: u32,
    /// Whether scripts may close and open the store, and how long single blocks may be.
    pub(crate) reopens: bool,
    pub(crate) largest: u64,
}

impl Generator {
    pub(crate) const fn new(rng: Rng) -> Self {
        Self { rng, next_id: 1, reopens: true, largest: 300_000 }
    }

    /// So many operations, from this state on.
    pub(crate) fn ops(&mut self, model: &Model, count: u64) -> Vec<Op> {
        let mut planned = model.clone();
        let mut next = |_| {
            let op = self.op(&planned);
            planned.apply(&op);
            op
        };
        (0..count).map(&mut next).collect()
    }

    fn op(&mut self, model: &Model) -> Op {
        let core = self.rng.index(model.cores.len());
        let id = self.next_id;
        self.next_id += 1;
        match self.rng.below(100) {
            0..50 => Op::Append { core, id, lens: vec![self.len()] },
            50..75 => {
                let count = if self.rng.one_in(8) { self.rng.within(30, 200) } else { self.rng.within(2, 8) };
                let cap = if count > 8 { 600 } else { self.largest };
                Op::Append { core, id, lens: (0..count).map(|_| self.len().min(narrow(cap))).collect() }
            }
            75..85 => Op::Concurrent {
                core,
                id,
                count: narrow(self.rng.within(2, 12)),
                len: narrow(self.rng.within(24, 400)),
            },
            85..92 => {
                let len = (!self.rng.one_in(4)).then(|| narrow(self.rng.within(0, 300)));
                Op::UserData { core, id, key: narrow(self.rng.below(3)) as u8, len }
            }
            92..98 => Op::Flush,
            _ if self.reopens => Op::Reopen,
            _ => Op::Flush,
        }
    }

    /// Lengths around what the engine treats differently: nothing, inline, and from 4 KiB on in blob files.
    fn len(&mut self) -> u32 {
        let len = match self.rng.below(100) {
            0..4 => 0,
            4..50 => self.rng.within(1, 64),
            50..80 => self.rng.within(65, 1000),
            80..97 => self.rng.within(3900, 6000),
            _ => self.rng.within(10_000, self.largest.max(10_000)),
        };
        narrow(len.min(self.largest))
    }
}

fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The bytes of a block, or of a record.
pub(crate) fn content(id: u32, place: u32, len: u32) -> Vec<u8> {
    let mut rng = Rng::new((u64::from(id) << 32) | u64::from(place));
    let len = len as usize;
    let mut bytes = Vec::with_capacity(len + 8);
    bytes.extend(id.to_le_bytes());
    bytes.extend(place.to_le_bytes());
    while bytes.len() < len {
        bytes.extend(rng.next().to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// What a core is called.
pub(crate) fn core_name(core: usize) -> String {
    format!("core-{core}")
}

/// The secret that all cores of all scripts follow from.
pub(crate) const PRIMARY_KEY: [u8; 32] = *b"the primary key of a tortured st";

/// The name of a record beside a log.
pub(crate) fn record_name(key: u8) -> String {
    format!("record-{key}")
}
