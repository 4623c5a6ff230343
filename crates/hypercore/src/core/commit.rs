//! Committing a named session: its blocks become the log's.
//!
//! Both sides change in one batch: the log takes the blocks over, and the session gives them away and from then on reads them
//! from the log.
//!
//! Follows npm hypercore 11.37.1, `lib/session-state.js` (`commit`, `_overwrite`) and `lib/core.js` (`_validateCommit`).
//! Unlike there, a session that was itself cut can be committed, and a commit that brings nothing new leaves the head as it
//! is: upstream signs for the wrong fork in the first case and loses the signature in the second.

use std::sync::Arc;

use bytes::Bytes;
use hc_crypto::BlockCipher;
use hc_replicator::Local;
use hc_storage::{CoreStorage, CoreWrite};
use hc_tree::flat::right_span;
use hc_tree::{Batch, Node, TreeChange, TreeHead, head_at};

use super::branch::Branch;
use super::line::{Line, NodesOf, Planned, Signing};
use super::state::{Committed, Status};
use super::{Core, Signer};
use crate::events::Event;
use crate::session::Appended;
use crate::{Error, Result};

/// What of a session is committed, and who signs it.
#[derive(Clone)]
pub(crate) struct CommitTerms {
    /// Up to which length; all of it if none.
    pub(crate) length: Option<u64>,
    /// Where the session's own blocks begin; as it knows if none.
    pub(crate) tree_length: Option<u64>,
    pub(crate) signer: Signer,
    /// Whether the session's blocks may be encrypted.
    pub(crate) encrypted: bool,
    /// What they are encrypted with, if it is not the application's own way.
    pub(crate) cipher: Option<Arc<BlockCipher>>,
}

impl CommitTerms {
    /// Fails if a block that is new to the log was encrypted for another fork than the log is on: on that one the log may have
    /// had another block in its place.
    fn check_nonces(&self, line: &Line<'_>, blocks: &[(u64, Bytes)]) -> Result<()> {
        let Some(cipher) = &self.cipher else { return Ok(()) };
        let head = line.state.head();
        for (index, block) in blocks.iter().filter(|(index, _)| *index >= head.length()) {
            if let Some(fork) = cipher.fork_of(*index, block).filter(|fork| *fork != head.fork()) {
                let reason = format!(
                    "block {index} of the session is encrypted for fork {fork}, the log is on {}: it has to be appended anew",
                    head.fork()
                );
                return Err(Error::InvalidOperation { reason, discovery_key: line.key.discovery_key() });
            }
        }
        Ok(())
    }
}

impl Core {
    /// Makes the blocks of a named session the log's. None if the log has moved on with other content.
    ///
    /// # Errors
    /// If the session cannot be signed for, or if it does not have all of its blocks.
    pub(crate) fn commit(&self, session: &Branch, terms: &CommitTerms) -> Result<Option<Appended>> {
        let mut writing = self.writing();
        let giving = session.writer().lock();
        if !session.core().is(self) {
            return Err(Error::Assertion("a session can be committed only to the core that it is of".into()));
        }
        let state = self.0.state.read();
        let planned = plan(&self.line(&state), session, terms)?;
        drop(state);
        let Some(change) = planned else { return Ok(None) };
        let before = self.status().length;
        let after = change.length;
        let mut write = self.0.disk.write();
        let committed = change.into.map(|planned| {
            write.join(planned.write);
            planned.committed
        });
        let given = change.given.map(|(disk, given)| {
            write.join(given);
            disk
        });
        writing.check_open()?;
        self.0.disk.commit(write)?;
        if let Some(committed) = committed {
            writing.take_over(committed);
        }
        session.take_over(Committed { disk: given, ..Committed::default() });
        drop(giving);
        if writing.emit_if_longer(before) {
            writing.replicate(Local::Appended { length: after });
        }
        if let Some((start, end)) = change.filled {
            writing.replicate(Local::Stored { start, end });
        }
        Ok(Some(self.appended()))
    }
}

impl Branch {
    /// As [`Core::commit`], into what an atom makes of the log. The session keeps its own blocks: it is no part of the atom.
    pub(crate) fn commit_session(&self, session: &Self, terms: &CommitTerms) -> Result<Option<Appended>> {
        let _writing = self.writer().lock();
        let Some(change) = self.plan(|line| plan(&line, session, terms))? else { return Ok(None) };
        if let Some(planned) = change.into {
            let before = self.status().length;
            // a named session's blocks are encrypted for the core's fork
            let sealed = terms.encrypted.then(|| (before, self.core().status().fork));
            self.commit(planned)?;
            self.written_by(&terms.signer, sealed);
            let Status { length, byte_length, .. } = self.status();
            if length > before {
                self.tell(Event::Append { length, byte_length });
            }
        }
        let status = self.status();
        Ok(Some(Appended { length: status.length, byte_length: status.byte_length }))
    }
}

/// Works out what a commit changes. None if the log has moved on with other content.
fn plan(line: &Line<'_>, session: &Branch, terms: &CommitTerms) -> Result<Option<Change>> {
    let (theirs, disk) = (session.head(), session.disk());
    let length = terms.length.unwrap_or_else(|| theirs.length());
    if length > theirs.length() {
        let reason = format!("the session has {} blocks, {length} were to be committed", theirs.length());
        return Err(Error::InvalidOperation { reason, discovery_key: line.key.discovery_key() });
    }
    let shared = terms.tree_length.or_else(|| disk.shared_length()).unwrap_or(0);
    let base = line.state.head();
    if base.length() > length || base.length() < shared || line.state.verifier().is_none() {
        return Ok(None);
    }
    let rebuilt = rebuilt(base, &theirs, &disk, (shared, length))
        .map_err(|error| line.state.explained(error, line.key, None))?;
    let Some((tree, beyond)) = rebuilt else { return Ok(None) };
    let mut change = Change { length, filled: None, into: None, given: None };
    if !line.state.bitfield().has_range(shared, base.length()) {
        change.filled = Some((shared, base.length()));
    }
    if length > base.length() || change.filled.is_some() {
        let blocks = own_blocks(&disk, shared, length)?;
        terms.check_nonces(line, &blocks)?;
        let signing = match length > base.length() {
            true => terms.signer.clone().into(),
            // the log stays what it is, and signed as it is
            false => Signing::Given(line.state.signature().to_vec()),
        };
        change.into = Some(line.adopt(tree, &beyond, &blocks, &signing)?);
    }
    if shared < length
        && let Some((after, dependency)) = disk.given_away(length)
    {
        let mut write = disk.write();
        write.delete_blocks(shared, length);
        write.dependency(dependency);
        change.given = Some((after, write));
    }
    Ok(Some(change))
}

/// What a commit does.
struct Change {
    length: u64,
    /// Where the log has blocks that are not all stored, and are now.
    filled: Option<(u64, u64)>,
    into: Option<Planned>,
    /// Where the session is after it gave its blocks away, and what that writes.
    given: Option<(CoreStorage, CoreWrite)>,
}

/// The log with the blocks of a session from `shared` up to `length` on top, worked out anew from the log's own tree; and
/// nodes of the session's tree that stand in between, but cover later blocks too. Nobody needs these in the log; upstream copies
/// them along. None if that is not what the session has, or not what the log has already: then one of them changed since the
/// session began.
fn rebuilt(
    base: &TreeHead,
    session: &TreeHead,
    disk: &CoreStorage,
    (shared, length): (u64, u64),
) -> Result<Option<(TreeChange, Vec<Node>)>> {
    let leaves: Vec<u64> = (shared..session.length()).map(|block| block.saturating_mul(2)).collect();
    let (nodes, _) = disk.tree_nodes_and_block(leaves.iter().copied(), None)?;
    let start = head_at(&NodesOf(disk), base, shared, base.fork())?;
    let mut batch = Batch::new(&start);
    let mut target = (length == shared).then(|| batch.clone().finish());
    let mut fits = shared < base.length() || start.hash() == base.hash();
    for (node, index) in nodes.into_iter().zip(leaves) {
        batch.append_leaf(node.ok_or(hc_tree::MissingNode { index })?);
        let reached = index / 2 + 1;
        if reached == base.length() {
            fits = batch.clone().finish().head().hash() == base.hash();
        }
        if reached == length {
            target = Some(batch.clone().finish());
        }
    }
    let whole = batch.finish();
    if !fits || whole.head().hash() != session.hash() {
        return Ok(None);
    }
    let between = shared.saturating_mul(2)..length.saturating_mul(2);
    let is_beyond = |node: &&Node| between.contains(&node.index) && right_span(node.index) >= between.end;
    let beyond = whole.nodes().iter().filter(is_beyond).copied().collect();
    Ok(target.map(|target| (target, beyond)))
}

fn own_blocks(disk: &CoreStorage, start: u64, end: u64) -> Result<Vec<(u64, Bytes)>> {
    let mut blocks: Vec<(u64, Bytes)> = Vec::new();
    let mut next = start;
    while next < end {
        let run = disk.blocks(next, end, usize::MAX)?;
        if run.is_empty() {
            return Err(Error::Assertion(format!("block {next} of the session is not stored")));
        }
        for block in run {
            blocks.push((next, block));
            next += 1;
        }
    }
    Ok(blocks)
}
