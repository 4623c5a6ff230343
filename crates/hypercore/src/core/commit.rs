//! Committing a named session: its blocks become the log's.
//!
//! Both sides change in one batch: the log takes the blocks over, and the session gives them away and from then on reads them
//! from the log.
//!
//! Follows npm hypercore 11.37.1, `lib/session-state.js` (`commit`, `_overwrite`) and `lib/core.js` (`_validateCommit`).
//! Unlike there, a session that was itself cut can be committed, and a commit that brings nothing new leaves the head as it
//! is: upstream signs for the wrong fork in the first case and loses the signature in the second.

use bytes::Bytes;
use hc_storage::{CoreStorage, CoreWrite};
use hc_tree::{Node, TreeChange, TreeHead, flat, head_at};

use super::branch::Branch;
use super::line::{Line, NodesOf, Planned, Signing};
use super::state::Committed;
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
}

impl Core {
    /// Makes the blocks of a named session the log's. None if the log has moved on with other content.
    ///
    /// # Errors
    /// If the session cannot be signed for, or if it does not have all of its blocks.
    pub(crate) fn commit(&self, session: &Branch, terms: &CommitTerms) -> Result<Option<Appended>> {
        let writing = self.0.writer.lock();
        let giving = session.writer().lock();
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
        self.0.disk.commit(write)?;
        self.0.storage.committed();
        if let Some(committed) = committed {
            self.take_over(committed);
        }
        session.take_over(Committed { disk: given, ..Committed::default() });
        drop(giving);
        let appended = self.appended();
        if after > before {
            self.announce(after);
            let Appended { length, byte_length } = appended;
            self.emit(|| Event::Append { length, byte_length });
        }
        drop(writing);
        self.drive_writer();
        Ok(Some(appended))
    }
}

impl Branch {
    /// As [`Core::commit`], into what an atom makes of the log. The session keeps its own blocks: it is no part of the atom.
    pub(crate) fn commit_session(&self, session: &Self, terms: &CommitTerms) -> Result<Option<Appended>> {
        let _writing = self.writer().lock();
        let Some(change) = self.plan(|line| plan(&line, session, terms))? else { return Ok(None) };
        if let Some(planned) = change.into {
            self.commit(planned)?;
            let status = self.status();
            self.tell(Event::Append { length: status.length, byte_length: status.byte_length });
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
    if base.length() > length || line.state.verifier().is_none() || !same_beginning(base, &disk)? {
        return Ok(None);
    }
    let mut change = Change { length, into: None, given: None };
    if length > base.length() {
        let target = head_at(&NodesOf(&disk), &theirs, length, base.fork())?;
        let (nodes, blocks) = (own_nodes(&disk, &target, shared)?, own_blocks(&disk, shared, length)?);
        let tree = TreeChange::of_session(shared, target, nodes);
        let signing: Signing = terms.signer.clone().into();
        change.into = Some(line.adopt(tree, &blocks, &signing)?);
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
    into: Option<Planned>,
    /// Where the session is after it gave its blocks away, and what that writes.
    given: Option<(CoreStorage, CoreWrite)>,
}

/// Whether a session begins with the log as it is.
fn same_beginning(base: &TreeHead, session: &CoreStorage) -> Result<bool> {
    for root in base.roots() {
        if session.tree_node(root.index)? != Some(*root) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The nodes of a log that one of a shorter length does not have.
fn own_nodes(disk: &CoreStorage, target: &TreeHead, from: u64) -> Result<Vec<Node>> {
    let mut indices = Vec::new();
    for block in from..target.length() {
        let mut cursor = flat::Cursor::new(block.saturating_mul(2));
        let end = cursor.index();
        // a node is complete with the last block below it
        while flat::right_span(cursor.index()) == end {
            indices.push(cursor.index());
            if cursor.parent().is_none() {
                break;
            }
        }
    }
    let (found, _) = disk.tree_nodes_and_block(indices.iter().copied(), None)?;
    let missing = |(node, index): (Option<Node>, u64)| node.ok_or(hc_tree::MissingNode { index });
    Ok(found.into_iter().zip(indices).map(missing).collect::<std::result::Result<_, _>>()?)
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
