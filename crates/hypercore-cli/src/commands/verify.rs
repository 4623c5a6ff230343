//! `hypercore verify`: whether everything in a directory fits together.

use hypercore::storage::audit::Report;
use hypercore::storage::{Storage, StorageOptions};
use serde_json::{Value, json};

use crate::args::Verify;
use crate::failure::{Failure, Result};
use crate::{place, show};

pub(crate) async fn run(args: Verify) -> Result {
    place::must_hold_a_store(&args.dir)?;
    let options = StorageOptions { follow: true, ..StorageOptions::default() };
    let storage = Storage::open(&args.dir, options).await?;
    let only = args.key.map(|key| key.discovery_key());
    let report = storage.audit(only).await?;
    storage.close().await?;
    if args.json {
        show::json(&as_json(&report))?;
    } else {
        for finding in &report.findings {
            show::line(describe(finding))?;
        }
        show::line(summary(&report))?;
    }
    if report.is_clean() {
        return Ok(());
    }
    Err(Failure::DoesNotFit(format!("{} things do not fit", report.findings.len())))
}

pub(super) fn describe(finding: &hypercore::storage::audit::Finding) -> String {
    let core = finding.core.map(|core| format!("{core}: ")).unwrap_or_default();
    let session = finding.session.as_ref().map(|name| format!("session {name:?}: ")).unwrap_or_default();
    let repair = if finding.repairable { "" } else { " (cannot be repaired from here)" };
    format!("{core}{session}{}{repair}", finding.fault)
}

pub(super) fn summary(report: &Report) -> String {
    let Report { cores, blocks, nodes, findings, .. } = report;
    let fits = if findings.is_empty() { "everything fits" } else { "not everything fits" };
    format!("{cores} logs, {blocks} blocks, {nodes} tree nodes: {fits}")
}

fn as_json(report: &Report) -> Value {
    let findings: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| {
            json!({
                "discoveryKey": finding.core.map(|core| core.to_string()),
                "session": finding.session,
                "fault": finding.fault.to_string(),
                "repairable": finding.repairable,
            })
        })
        .collect();
    json!({
        "logs": report.cores,
        "blocks": report.blocks,
        "treeNodes": report.nodes,
        "clean": report.is_clean(),
        "findings": findings,
    })
}
