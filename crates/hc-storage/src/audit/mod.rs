//! Whether everything in a store fits together: [`audit`], and what could be done about what does not.
//!
//! An audit reads one snapshot of the store, and writes nothing. Each [`Finding`] says what does not fit and where; most come
//! with a repair. What a repair writes is in [`Report::repairs`], to be looked at first; it never invents data: it takes away
//! what is wrong or unreachable (a block that was altered is fetched again from peers), and corrects what follows from the
//! rest (bits, hints, names).
//!
//! | what | is checked against |
//! | --- | --- |
//! | the store's head | the pointers that are in use |
//! | a core's record | its authority, its name |
//! | authority | key, discovery key, manifest |
//! | a head | the roots of its tree, the signature |
//! | a tree node | the two below it |
//! | a block | its tree node, or else the first stored node above it |
//! | the bitfield | the blocks |
//! | hints | the bitfield |
//! | everything else | a core that it belongs to |
//!
//! Node's `audit` checks less: no signature, and it gives up at a missing root (npm hypercore 11.37.1, `lib/audit.js`).

mod log;
mod orphans;

use compact_encoding::{DecodeError, Encode};
use hc_crypto::{DiscoveryKey, Hash, Verifier};
use thiserror::Error;

use crate::error::StorageError;
use crate::keys::{self, Key};
use crate::kv::{Op, WriteBatch};
use crate::readable;
use crate::records::{Alias, Auth, CoreRecord};
use crate::store::{Store, decode};

type Result<T> = std::result::Result<T, StorageError>;

/// Something that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The core that it is of, where that is known.
    pub core: Option<DiscoveryKey>,
    /// The named session of the core, if it is of one.
    pub session: Option<String>,
    /// What does not fit.
    pub fault: Fault,
    /// Whether the report's repairs mend it.
    pub repairable: bool,
}

/// What does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Fault {
    /// A record that is none.
    #[error("the record at key {key} cannot be read: {reason}")]
    Record {
        /// Where it is, in hexadecimal.
        key: String,
        /// What is wrong with it.
        reason: DecodeError,
    },
    /// The core has no authority, or that of another core.
    #[error("who may sign the core is not known, or is of another core")]
    Authority,
    /// The manifest is not the key's.
    #[error("the manifest does not hash to the core's key")]
    Manifest,
    /// A name leads elsewhere, or nowhere.
    #[error("the name {name:?} does not lead to its core")]
    Name {
        /// The name.
        name: String,
    },
    /// A pointer that the store could give out again.
    #[error("the store's counters are behind the pointers that are in use")]
    Counters,
    /// The roots of the head's tree are missing, or others.
    #[error("the tree does not fit the head: {0}")]
    Head(String),
    /// The head is not signed as the manifest demands.
    #[error("the head of length {length} is not signed: {reason}")]
    Signature {
        /// Its length.
        length: u64,
        /// What is wrong with the signature.
        reason: String,
    },
    /// A tree node is not what is below it.
    #[error("tree node {index} is not the one over those below it")]
    Node {
        /// The node.
        index: u64,
    },
    /// A block is not what the tree says.
    #[error("block {index} is not the one that was signed")]
    Block {
        /// The block.
        index: u64,
    },
    /// Nothing in the tree says what this block must be.
    #[error("block {index} cannot be checked: the tree above it is not stored")]
    Unproven {
        /// The block.
        index: u64,
    },
    /// The bitfield has a block that is not stored.
    #[error("block {index} is not stored, but the bitfield has it")]
    Missing {
        /// The block.
        index: u64,
    },
    /// A block is stored that the bitfield does not have.
    #[error("block {index} is stored, but the bitfield does not have it")]
    Unmarked {
        /// The block.
        index: u64,
    },
    /// Something beyond the end of the log.
    #[error("block {index} lies beyond the log's {length} blocks")]
    Beyond {
        /// The block.
        index: u64,
        /// Blocks of the log.
        length: u64,
    },
    /// The contiguous length is another one than the blocks say.
    #[error("the hint says {hint} blocks without a hole, there are {actual}")]
    Contiguous {
        /// What is stored.
        hint: u64,
        /// What is right.
        actual: u64,
    },
    /// There is evidence of two logs that are signed with the core's key.
    #[error(
        "two histories: of fork {fork} and length {length} there is the log {one}, and {where_other} the log {other}"
    )]
    TwoHistories {
        /// The fork of both.
        fork: u64,
        /// The length of both.
        length: u64,
        /// The tree hash of what is stored.
        one: Hash,
        /// The tree hash of the other one.
        other: Hash,
        /// Where the other one is known from.
        where_other: &'static str,
    },
    /// Files that the engine's own checks refuse to read.
    #[error("{what} cannot be read: {reason}")]
    Damaged {
        /// What cannot be read.
        what: String,
        /// What the engine says.
        reason: String,
    },
    /// Something that belongs to no core.
    #[error("key {key} belongs to no core")]
    Orphan {
        /// Where, in hexadecimal.
        key: String,
    },
}

/// What an audit saw.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Cores that were looked at.
    pub cores: u64,
    /// Blocks that were hashed.
    pub blocks: u64,
    /// Tree nodes that were looked at.
    pub nodes: u64,
    /// What does not fit.
    pub findings: Vec<Finding>,
    /// What the repairs write, in order, each with what it does.
    pub repairs: Vec<(String, Op)>,
}

impl Report {
    /// Whether everything fits.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// Adds what was found elsewhere than in the store's records. Nothing in the store mends it.
    pub fn add(&mut self, core: DiscoveryKey, fault: Fault) {
        self.find(&Of { core: Some(core), session: None }, fault);
    }

    fn find(&mut self, of: &Of, fault: Fault) {
        let finding = Finding { core: of.core, session: of.session.clone(), fault, repairable: false };
        self.findings.push(finding);
    }

    fn find_and_mend(&mut self, of: &Of, fault: Fault, what: &str, ops: impl IntoIterator<Item = Op>) {
        self.repairs.extend(ops.into_iter().map(|op| (format!("{fault}: {what}"), op)));
        let finding = Finding { core: of.core, session: of.session.clone(), fault, repairable: true };
        self.findings.push(finding);
    }
}

/// What a finding is of.
#[derive(Debug, Clone, Default)]
struct Of {
    core: Option<DiscoveryKey>,
    session: Option<String>,
}

/// Looks at everything in a store, or at one core of it.
///
/// # Errors
/// If the store cannot be read at all. What can be read but does not fit is in the report.
pub fn audit(store: &Store, only: Option<&DiscoveryKey>) -> Result<Report> {
    let store = store.snapshot()?;
    let mut report = Report::default();
    let mut known = orphans::Known::default();
    for discovery_key in store.discovery_keys()? {
        if only.is_none_or(|only| *only == discovery_key) {
            report.cores += 1;
        }
        let wanted = only.is_none_or(|only| *only == discovery_key);
        let mut silent = Report::default();
        core(&store, &discovery_key, if wanted { &mut report } else { &mut silent }, &mut known, wanted)?;
    }
    if only.is_none()
        && let Err(error) = orphans::check(&store, &known, &mut report)
    {
        found(&mut report, &Of::default(), error)?;
    }
    Ok(report)
}

/// Writes the repairs of a report that was just made.
///
/// # Errors
/// As [`Kv::commit`](crate::Kv::commit), and [`StorageError::Unwritable`]; then nothing was repaired.
pub fn repair(store: &Store, report: &Report) -> Result<()> {
    let mut batch = WriteBatch::new();
    for (_, op) in &report.repairs {
        if let Op::Put(key, value) = op {
            readable::check(key, value)?;
        }
    }
    batch.extend(report.repairs.iter().map(|(_, op)| op.clone()));
    store.kv().commit(batch)
}

/// Looks at one core. What it uses is noted also where the core itself is not wanted.
fn core(
    store: &Store,
    discovery_key: &DiscoveryKey,
    report: &mut Report,
    known: &mut orphans::Known,
    wanted: bool,
) -> Result<()> {
    let of = Of { core: Some(*discovery_key), session: None };
    let key = keys::core(discovery_key);
    let bytes = store.kv().get(&key)?.unwrap_or_default();
    let record: CoreRecord = match decode(&key, &bytes) {
        Ok(record) => record,
        Err(error) => return found(report, &of, error),
    };
    known.core(record.core_pointer, record.data_pointer);
    if let Some(alias) = &record.alias {
        name(store, &of, discovery_key, alias, report)?;
    }
    let storage = match store.resume_core(discovery_key) {
        Ok(Some(storage)) => storage,
        Ok(None) => return Ok(()),
        Err(error) => return found(report, &of, error),
    };
    let verifier = match storage.auth() {
        Ok(auth) => authority(&of, &auth, report),
        Err(StorageError::Corrupt { .. }) => {
            report.find(&of, Fault::Authority);
            None
        }
        Err(error) => {
            found(report, &of, error)?;
            None
        }
    };
    let sessions = match storage.sessions() {
        Ok(sessions) => sessions,
        Err(error) => {
            found(report, &of, error)?;
            crate::records::Sessions::default()
        }
    };
    for session in &sessions.0 {
        known.data(session.data_pointer);
    }
    if !wanted {
        return Ok(());
    }
    log::check(&storage, &of, log::Kind::Public { verifier: verifier.as_ref() }, report)?;
    let over_cut = storage.head().is_ok_and(|head| head.is_some_and(|head| head.fork > 0));
    for session in &sessions.0 {
        let of = Of { session: Some(session.name.to_string()), ..of.clone() };
        match store.resume_session(&storage, &session.name) {
            Ok(Some(storage)) => log::check(&storage, &of, log::Kind::Session { over_cut }, report)?,
            Ok(None) => {}
            Err(error) => found(report, &of, error)?,
        }
    }
    Ok(())
}

/// A record that cannot be read is a finding; a store that cannot be read is an error.
fn found(report: &mut Report, of: &Of, error: StorageError) -> Result<()> {
    match error {
        StorageError::Corrupt { key, reason } => {
            report.find(of, Fault::Record { key: hex(&key), reason });
            Ok(())
        }
        StorageError::Tree { reason, .. } => {
            report.find(of, Fault::Head(reason.to_string()));
            Ok(())
        }
        StorageError::Unsupported(what) => {
            report.find(of, Fault::Head(what));
            Ok(())
        }
        StorageError::Damaged(reason) => {
            report.find(of, Fault::Damaged { what: "a record".into(), reason });
            Ok(())
        }
        other => Err(other),
    }
}

fn name(
    store: &Store,
    of: &Of,
    discovery_key: &DiscoveryKey,
    alias: &Alias,
    report: &mut Report,
) -> Result<()> {
    if store.alias(alias)? != Some(*discovery_key) {
        let put = Op::Put(keys::alias(&alias.namespace, &alias.name), discovery_key.to_vec().into());
        let fault = Fault::Name { name: alias.name.clone() };
        report.find_and_mend(of, fault, "let it lead to the core", [put]);
    }
    Ok(())
}

fn authority(of: &Of, auth: &Auth, report: &mut Report) -> Option<Verifier> {
    let manifest = auth.manifest.clone()?;
    let verifier = Verifier::new(auth.key, manifest);
    if verifier.is_err() {
        report.find(of, Fault::Manifest);
    }
    verifier.ok()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Deletes a key.
fn delete(key: Key) -> Op {
    Op::Delete(key)
}
