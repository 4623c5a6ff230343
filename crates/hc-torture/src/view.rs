//! What a store shows to who opens it: every block of every core, and what the tree says of them.

use std::collections::BTreeMap;
use std::path::Path;

use corestore::Corestore;
use hypercore::storage::{Storage, StorageOptions};
use hypercore::{Error, GetOptions, Hypercore};
use serde::{Deserialize, Serialize};

use crate::model::digest;
use crate::script::{PRIMARY_KEY, core_name, core_options, record_name};

/// What came of reading a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Found {
    /// A short hash of its bytes.
    Bytes(u64),
    Missing,
    /// A typed error.
    Error(String),
}

/// What a core shows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct CoreView {
    /// Why it cannot be opened.
    pub(crate) error: Option<String>,
    pub(crate) length: u64,
    pub(crate) byte_length: u64,
    pub(crate) fork: u64,
    pub(crate) tree_hash: Vec<u8>,
    pub(crate) blocks: Vec<Found>,
    pub(crate) records: BTreeMap<String, u64>,
    /// Since when it is known to have lost something, if it is.
    pub(crate) recovering: u64,
}

/// What a store shows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct View {
    pub(crate) cores: Vec<CoreView>,
    /// What must never be, whatever the store should hold.
    pub(crate) findings: Vec<String>,
}

/// How a store is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Look {
    /// Everything is read.
    Read,
    /// Everything is read, and audited.
    Audit,
    /// The same, and then a block appended to each core.
    GoOn,
}

/// Opens a store and reads everything.
///
/// # Errors
/// If the store cannot be opened.
pub(crate) async fn look(dir: &Path, cores: usize, look: Look) -> Result<View, Error> {
    let storage = Storage::open(dir, StorageOptions::default()).await?;
    let mut view = View::default();
    if look != Look::Read {
        let found = storage.audit(None).await?.findings;
        // a named session is left behind by each commit; it rests on blocks of the log, which may since have been cut off
        let of_logs = found.iter().filter(|found| found.session.is_none());
        view.findings.extend(of_logs.map(|found| format!("audit: {}", found.fault)));
    }
    let store = Corestore::builder().primary_key(PRIMARY_KEY).over(storage)?;
    for core in 0..cores {
        let options = core_options(core).create_if_missing(false);
        let shown = match store.get_with(core_name(core), options).await {
            Ok(log) => {
                let shown = look_at(&log).await;
                if look == Look::GoOn && shown.is_ok() {
                    view.findings.extend(try_append(&log).await.err());
                }
                shown
            }
            // what was never written is as good as empty
            Err(Error::StorageEmpty { .. }) => Ok(CoreView::empty()),
            Err(error) => Err(error),
        };
        let shown =
            shown.unwrap_or_else(|error| CoreView { error: Some(error.to_string()), ..CoreView::default() });
        view.cores.push(shown);
    }
    store.close().await?;
    Ok(view)
}

async fn look_at(log: &Hypercore) -> Result<CoreView, Error> {
    let info = log.info().await?;
    let mut view = CoreView {
        length: info.length,
        byte_length: info.byte_length,
        fork: info.fork,
        recovering: log.recovering(),
        tree_hash: log.tree_hash().await?.as_bytes().to_vec(),
        ..CoreView::default()
    };
    for index in 0..info.length {
        view.blocks.push(match log.get_with(index, GetOptions::new().wait(false)).await {
            Ok(Some(block)) => Found::Bytes(digest(&block)),
            Ok(None) => Found::Missing,
            Err(error) => Found::Error(error.to_string()),
        });
    }
    for name in (0..3).map(record_name) {
        if let Some(value) = log.user_data(&name).await? {
            view.records.insert(name, digest(&value));
        }
    }
    Ok(view)
}

/// A store that survived goes on.
async fn try_append(log: &Hypercore) -> Result<(), String> {
    let length = log.length();
    let block = b"life goes on".as_slice();
    let appended = log.append(block).await.map_err(|error| format!("it cannot go on: {error}"))?;
    let read = log.get(length).await.map_err(|error| format!("what it went on with: {error}"))?;
    if appended.length == length + 1 && read == block {
        Ok(())
    } else {
        Err(format!("it went on at {} instead of {length}, or with other bytes", appended.length))
    }
}

impl CoreView {
    /// A core that nothing was appended to.
    pub(crate) fn empty() -> Self {
        let hash = hc_crypto::hash::tree([]);
        Self { tree_hash: hash.as_bytes().to_vec(), ..Self::default() }
    }
}

#[cfg(test)]
impl View {
    /// What a store shows that holds what it must.
    pub(crate) fn of(model: &crate::model::Model) -> Self {
        Self { cores: model.cores.iter().map(crate::model::CoreModel::view).collect(), findings: Vec::new() }
    }
}
