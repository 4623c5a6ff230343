//! Whether there is evidence that a log of the store has two histories: what an audit finds beside the records themselves.
//!
//! There are two places for it. A core whose owner signed two logs keeps both heads ([`Conflict`]); and the witness beside the
//! store says what peers were told, which the stored log has to begin with.

use hc_crypto::DiscoveryKey;
use hc_storage::audit::{Fault, Report};
use hc_storage::{CoreStorage, StorageError};
use hc_tree::head_at;

use super::{Storage, Told};
use crate::core::{Conflict, NodesOf};
use crate::{Error, Result};

/// Adds what there is to a report: of one core, or of all.
pub(super) fn look(storage: &Storage, only: Option<&DiscoveryKey>, report: &mut Report) -> Result<()> {
    let store = storage.store().snapshot()?;
    for core in store.discovery_keys()? {
        if only.is_some_and(|only| *only != core) {
            continue;
        }
        // a core that cannot be read is in the report already
        let Ok(Some(disk)) = store.resume_core(&core) else { continue };
        if let Some(fault) = of_conflict(&disk)? {
            report.add(core, fault);
        }
        if let Some(told) = storage.told(&core)
            && let Some(fault) = of_witness(&disk, &told)?
        {
            report.add(core, fault);
        }
    }
    Ok(())
}

fn of_conflict(disk: &CoreStorage) -> Result<Option<Fault>> {
    let conflict = match Conflict::load(disk) {
        Err(Error::Storage(StorageError::Corrupt { key, reason })) => {
            let key = key.iter().map(|byte| format!("{byte:02x}")).collect();
            return Ok(Some(Fault::Record { key, reason }));
        }
        conflict => conflict?,
    };
    Ok(conflict.map(|conflict| Fault::TwoHistories {
        fork: conflict.fork,
        length: conflict.length,
        one: conflict.ours,
        other: conflict.theirs,
        where_other: "in the evidence that it keeps",
    }))
}

/// None also where the log is behind what peers were told, on another fork, or has not the hashes to compare: then it is
/// recovering, or there is nothing to be known.
fn of_witness(disk: &CoreStorage, told: &Told) -> Result<Option<Fault>> {
    let Ok(Some(record)) = disk.head() else { return Ok(None) };
    if record.fork != told.fork || record.length < told.length {
        return Ok(None);
    }
    let Ok(head) = disk.tree_head(&record) else { return Ok(None) };
    let there = match head_at(&NodesOf(disk), &head, told.length, told.fork) {
        Err(Error::TreeGap { .. } | Error::Storage(StorageError::Corrupt { .. })) => return Ok(None),
        there => there?,
    };
    Ok((there.hash() != told.tree_hash).then(|| Fault::TwoHistories {
        fork: told.fork,
        length: told.length,
        one: there.hash(),
        other: told.tree_hash,
        where_other: "peers were told of",
    }))
}
