//! What a worker is told to do: a list of operations, made from a seed.
//!
//! Every block is made from the number of its operation and its place in it, so that whoever finds one knows which it is.

use hypercore::{Encryption, OpenOptions};
use serde::{Deserialize, Serialize};

use crate::model::{CoreModel, Model};
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
    /// Appends to a named session, and commits it.
    Commit { core: usize, id: u32, lens: Vec<u32> },
    /// Appends to several cores at once. The blocks of each have the next number.
    Atom { cores: Vec<usize>, id: u32, lens: Vec<u32> },
    /// Cuts the log.
    Truncate { core: usize, length: usize },
    /// Forgets blocks.
    Clear { core: usize, start: usize, end: usize },
    /// Makes the engine rewrite what it has of a core.
    Compact { core: usize },
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
        Self::after(rng, 0)
    }

    /// One whose operations have higher numbers than this.
    pub(crate) const fn after(rng: Rng, id: u32) -> Self {
        Self { rng, next_id: id + 1, reopens: true, largest: 300_000 }
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
            0..40 => Op::Append { core, id, lens: vec![self.len()] },
            40..57 => Op::Append { core, id, lens: self.lens() },
            57..65 => Op::Concurrent {
                core,
                id,
                count: narrow(self.rng.within(2, 12)),
                len: narrow(self.rng.within(24, 400)),
            },
            65..70 => {
                let len = (!self.rng.one_in(4)).then(|| narrow(self.rng.within(0, 300)));
                Op::UserData { core, id, key: self.rng.index(3) as u8, len }
            }
            70..75 => Op::Commit { core, id, lens: self.lens() },
            75..79 => {
                let first = self.rng.index(model.cores.len());
                let cores: Vec<usize> = (0..model.cores.len()).filter(|core| *core >= first).collect();
                self.next_id += narrow(cores.len() as u64);
                Op::Atom { cores, id, lens: self.lens() }
            }
            79..84 => self.truncate(model, core),
            84..89 => self.clear(model, core),
            89..91 => Op::Compact { core },
            91..97 => Op::Flush,
            _ if self.reopens => Op::Reopen,
            _ => Op::Flush,
        }
    }

    /// Mostly a few of the last blocks.
    fn truncate(&mut self, model: &Model, core: usize) -> Op {
        let Some(log) = model.cores.get(core) else { return Op::Flush };
        let length = log.len();
        let cut = if self.rng.one_in(4) { self.rng.index(length + 1) } else { self.rng.index(6).min(length) };
        let length = length - cut;
        if log.can_end_at(length) { Op::Truncate { core, length } } else { Op::Flush }
    }

    fn clear(&mut self, model: &Model, core: usize) -> Op {
        let length = model.cores.get(core).map_or(0, CoreModel::len);
        let start = self.rng.index(length + 1);
        let end = (start + self.rng.index(12)).min(length);
        Op::Clear { core, start, end }
    }

    fn lens(&mut self) -> Vec<u32> {
        let many = self.rng.one_in(8);
        let count = if many { self.rng.within(30, 200) } else { self.rng.within(2, 8) };
        let most = if many { 600 } else { self.largest };
        (0..count).map(|_| self.len().min(narrow(most))).collect()
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

/// Which of the cores is encrypted.
pub(crate) const ENCRYPTED: usize = 2;

/// How a core is opened.
pub(crate) fn core_options(core: usize) -> OpenOptions {
    if core == ENCRYPTED {
        OpenOptions::new().encryption(Encryption::key([7; 32]))
    } else {
        OpenOptions::new()
    }
}

/// The secret that all cores of all scripts follow from.
pub(crate) const PRIMARY_KEY: [u8; 32] = *b"the primary key of a tortured st";

/// The name of a record beside a log.
pub(crate) fn record_name(key: u8) -> String {
    format!("record-{key}")
}
