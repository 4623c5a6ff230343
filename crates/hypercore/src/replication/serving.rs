//! Answers requests of a peer, several at once, so that their answers leave in few frames.

use hc_replicator::{Input, Served};

use super::connection::ServeJob;
use crate::core::Core;

/// Answers all jobs. Jobs of one core that follow each other go through its replicator together.
pub(super) async fn answer(jobs: &[ServeJob]) {
    for same_core in jobs.chunk_by(|a, b| a.core.discovery_key() == b.core.discovery_key()) {
        let Some(first) = same_core.first() else { continue };
        let core = first.core.clone();
        let answers = same_core.iter().map(|job| Input::Served {
            peer: job.peer,
            request: job.request,
            answer: core.serve(&job.proof, job.manifest),
        });
        let mut answers: Vec<_> = answers.collect();
        withhold_unsynced(&core, &mut answers).await;
        core.inputs(answers);
    }
}

/// An upgrade tells of the newest signed head, which may be longer than what was announced. Like an announcement it leaves only
/// when that head is on the device.
async fn withhold_unsynced(core: &Core, answers: &mut [Input]) {
    let tells_of_head = |answer: &Input| matches!(answer, Input::Served { answer: Served::Data(data), .. } if data.upgrade.is_some());
    if !core.may_have_unsynced() || !answers.iter().any(tells_of_head) {
        return;
    }
    let Err(error) = core.flush().await else { return };
    tracing::error!(core = %core.discovery_key(), %error, "not served: the sync failed");
    for told in answers.iter_mut().filter(|answer| tells_of_head(answer)) {
        if let Input::Served { answer, .. } = told {
            *answer = Served::NotAvailable;
        }
    }
}
