//! Answers requests of a peer, several at once, so that their answers leave in few frames.

use hc_replicator::Input;

use super::connection::ServeJob;

/// Answers all jobs. Jobs of one core that follow each other go through its replicator together.
pub(super) fn answer(jobs: &[ServeJob]) {
    for same_core in jobs.chunk_by(|a, b| a.core.discovery_key() == b.core.discovery_key()) {
        let Some(first) = same_core.first() else { continue };
        let core = first.core.clone();
        let answers = same_core.iter().map(|job| Input::Served {
            peer: job.peer,
            request: job.request,
            answer: core.serve(&job.proof, job.manifest),
        });
        core.inputs(answers.collect::<Vec<_>>());
    }
}
