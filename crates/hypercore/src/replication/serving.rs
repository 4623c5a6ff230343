//! Answers requests of a peer, several at once, so that their answers leave in few frames.

use hc_replicator::{Input, Served};

use super::connection::{Connection, ServeJob};
use super::limits;

/// Answers jobs as long as there is room for answers. Those of one core that follow each other go through its replicator
/// together, up to so many bytes that a peer which reads never has too many of them waiting.
pub(super) fn answer(connection: &Connection, mut jobs: Vec<ServeJob>) {
    while let Some(first) = jobs.first() {
        if !connection.has_room() {
            return connection.put_back(jobs);
        }
        let core = first.core.clone();
        let (mut answers, mut bytes) = (Vec::new(), 0);
        for job in &jobs {
            if bytes >= limits::SERVE_HIGH_WATER || job.core.discovery_key() != core.discovery_key() {
                break;
            }
            let answer = core.serve(&job.proof, job.manifest);
            bytes = bytes.saturating_add(block_bytes(&answer));
            answers.push(Input::Served { peer: job.peer, request: job.request, answer });
        }
        jobs.drain(..answers.len());
        core.inputs(answers);
    }
}

/// Bytes of the block in an answer.
fn block_bytes(answer: &Served) -> usize {
    match answer {
        Served::Data(data) => data.block.as_ref().map_or(0, |block| block.value.len()),
        _ => 0,
    }
}
