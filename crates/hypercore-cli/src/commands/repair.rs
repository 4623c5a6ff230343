//! `hypercore repair`: what can be done about what does not fit.

use hypercore::storage::{Storage, StorageOptions};

use super::verify::{describe, summary};
use crate::args::Repair;
use crate::failure::{Failure, Result};
use crate::{place, show};

pub(crate) async fn run(args: Repair) -> Result {
    place::must_hold_a_store(&args.dir)?;
    // without --yes nothing may be written, so nothing can be
    let options = StorageOptions { follow: !args.yes, ..StorageOptions::default() };
    let storage = Storage::open(&args.dir, options).await?;
    let report = storage.audit(None).await?;
    for finding in &report.findings {
        show::line(describe(finding))?;
    }
    for (what, _) in &report.repairs {
        show::line(format_args!("repair: {what}"))?;
    }
    let (found, repairs) = (report.findings.len(), report.repairs.len());
    if !args.yes {
        show::line(summary(&report))?;
        storage.close().await?;
        if found == 0 {
            return Ok(());
        }
        return Err(Failure::DoesNotFit(format!("{repairs} repairs would be made; say --yes to make them")));
    }
    storage.repair(report).await?;
    let after = storage.audit(None).await?;
    show::line(summary(&after))?;
    storage.close().await?;
    if after.is_clean() {
        return Ok(());
    }
    let left = after.findings.len();
    Err(Failure::DoesNotFit(format!(
        "{left} of {found} things still do not fit: they need a peer or a backup"
    )))
}
