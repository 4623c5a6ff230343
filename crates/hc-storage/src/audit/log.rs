//! One log: head, tree, blocks, bitfield, hints.

use std::ops::ControlFlow;

use bytes::Bytes;
use compact_encoding::Encode;
use hc_crypto::Verifier;
use hc_tree::bitfield::BitChange;
use hc_tree::flat::{self, Cursor};
use hc_tree::{LocalBitfield, Node, NodeReader, TreeHead};

use super::{Fault, Of, Report, Result, delete, found};
use crate::core_storage::CoreStorage;
use crate::error::StorageError;
use crate::keys;
use crate::kv::Op;
use crate::records::{HeadRecord, Hints};

/// How many records are looked at in one scan: the store is not held for longer.
const STEP: usize = 4096;

/// What kind of log it is.
#[derive(Clone, Copy)]
pub(super) enum Kind<'a> {
    /// What peers see: signed, with a bitfield and hints.
    Public { verifier: Option<&'a Verifier> },
    /// A named session.
    Session {
        /// Whether the log that it continues was ever cut. What the session shared with it may then be gone, or be other
        /// blocks: that is what became of it, and no damage.
        over_cut: bool,
    },
}

/// A log that is looked at.
struct Log<'a> {
    storage: &'a CoreStorage,
    of: &'a Of,
    data: u64,
    head: TreeHead,
    report: &'a mut Report,
    /// Blocks that may be others than those that the log's own tree covers.
    unsure: u64,
    /// Bits that are wrong.
    bits: Vec<BitChange>,
}

pub(super) fn check(storage: &CoreStorage, of: &Of, kind: Kind<'_>, report: &mut Report) -> Result<()> {
    let record = match storage.head() {
        Ok(record) => record,
        Err(error) => return found(report, of, error),
    };
    let head = match &record {
        None => TreeHead::empty(0),
        Some(record) => match storage.tree_head(record) {
            Ok(head) => head,
            Err(StorageError::Tree { .. }) if matches!(kind, Kind::Session { over_cut: true }) => {
                return Ok(());
            }
            Err(error) => return found(report, of, error),
        },
    };
    let unsure = match kind {
        Kind::Session { over_cut: true } => storage.shared_length().unwrap_or(0),
        _ => 0,
    };
    let mut log = Log { unsure, storage, of, data: storage.pointers().data, head, report, bits: Vec::new() };
    let nodes = log.nodes();
    log.note(nodes, "the tree")?;
    match kind {
        Kind::Public { verifier } => {
            if let (Some(record), Some(verifier)) = (&record, verifier) {
                log.signature(record, verifier);
            }
            let stored = match storage.bitfield() {
                Ok(stored) => stored,
                Err(error) => return found(log.report, of, error),
            };
            match log.blocks(Some(&stored)) {
                Err(StorageError::Damaged(_)) => log.blocks_one_by_one(&stored)?,
                done => done?,
            }
            let missing = log.missing(&stored);
            log.note(missing, "the blocks")?;
            log.bitfield_and_hints(stored)?;
        }
        Kind::Session { .. } => {
            let blocks = log.blocks(None);
            log.note(blocks, "the blocks")?;
        }
    }
    Ok(())
}

impl Log<'_> {
    /// Damage is a finding, everything else that fails an error.
    fn note(&mut self, done: Result<()>, what: &str) -> Result<()> {
        match done {
            Err(StorageError::Damaged(reason)) => {
                self.report.find(self.of, Fault::Damaged { what: what.to_owned(), reason });
                Ok(())
            }
            done => done,
        }
    }

    /// The blocks that the bitfield has, each for itself: where some cannot be read, the others still can.
    fn blocks_one_by_one(&mut self, stored: &LocalBitfield) -> Result<()> {
        for (start, end) in stored.ranges() {
            for index in start..end.min(self.head.length()) {
                let key = keys::block(self.data, index);
                match self.storage.block(index) {
                    Ok(Some(block)) => self.block(&key, index, &block, Some(stored))?,
                    Ok(None) => {}
                    Err(StorageError::Damaged(reason)) => {
                        let fault = Fault::Damaged { what: format!("block {index}"), reason };
                        let ops = [delete(key)];
                        self.report.find_and_mend(self.of, fault, "take it away, to be fetched again", ops);
                        self.bits.push(BitChange { start: index, end: index + 1, set: false });
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    fn signature(&mut self, record: &HeadRecord, verifier: &Verifier) {
        if record.length == 0 && record.signature.is_none() {
            return;
        }
        let signature = record.signature.as_deref().unwrap_or_default();
        if let Err(error) = verifier.verify_head(&self.head, signature) {
            let fault = Fault::Signature { length: record.length, reason: error.to_string() };
            self.report.find(self.of, fault);
        }
    }

    /// Each inner node against the two below it, where both are stored.
    fn nodes(&mut self) -> Result<()> {
        let (mut from, end) = keys::tree_nodes(self.data);
        loop {
            let found = self.scan(&from, &end)?;
            let Some((last, _)) = found.last() else { return Ok(()) };
            from = last.clone();
            for (key, value) in &found {
                self.node(key, value)?;
            }
            if found.len() < STEP {
                return Ok(());
            }
            // the next scan begins behind the last key: no key ends in a zero byte more than another
            let mut next = from.to_vec();
            next.push(0);
            from = keys::Key::from(next.as_slice());
        }
    }

    fn node(&mut self, key: &keys::Key, value: &Bytes) -> Result<()> {
        self.report.nodes += 1;
        let index = match keys::parse_block(key) {
            Ok(index) => index,
            Err(reason) => return self.unreadable(key, reason),
        };
        let node: Node = match compact_encoding::Decode::from_prefix(value) {
            Ok(node) => node,
            Err(reason) => return self.unreadable(key, reason),
        };
        if flat::right_span(index) >= self.head.length().saturating_mul(2) {
            // what a truncation leaves, as upstream does; nothing leads there
            return Ok(());
        }
        let mut wrong = node.index != index;
        if !wrong && flat::depth(index) > 0 && flat::left_span(index) / 2 >= self.unsure {
            wrong = self
                .children(index)?
                .is_some_and(|(left, right)| Node::parent(index, &left, &right) != Some(node));
        }
        if wrong {
            let fault = Fault::Node { index };
            if self.head.roots().iter().any(|root| root.index == index) {
                // the root itself was checked with the head: something below it is wrong
                self.report.find(self.of, fault);
            } else {
                self.report.find_and_mend(self.of, fault, "take it away", [delete(key.clone())]);
            }
        }
        Ok(())
    }

    fn children(&self, index: u64) -> Result<Option<(Node, Node)>> {
        let mut cursor = Cursor::new(index);
        let Some(left) = cursor.left_child() else { return Ok(None) };
        let right = cursor.sibling();
        let read = |index| match self.storage.node(index) {
            Ok(node) => Ok(node),
            // reported where it is looked at itself
            Err(StorageError::Corrupt { .. } | StorageError::Damaged(_)) => Ok(None),
            Err(error) => Err(error),
        };
        Ok(read(left)?.zip(read(right)?))
    }

    /// Each stored block against the tree, and against the bitfield of a public log.
    fn blocks(&mut self, stored: Option<&LocalBitfield>) -> Result<()> {
        let (mut from, end) = keys::blocks(self.data);
        loop {
            let found = self.scan(&from, &end)?;
            let Some((last, _)) = found.last() else { return Ok(()) };
            let mut next = last.to_vec();
            next.push(0);
            from = keys::Key::from(next.as_slice());
            for (key, value) in &found {
                match keys::parse_block(key) {
                    Ok(index) => self.block(key, index, value, stored)?,
                    Err(reason) => self.unreadable(key, reason)?,
                }
            }
            if found.len() < STEP {
                return Ok(());
            }
        }
    }

    fn block(
        &mut self,
        key: &keys::Key,
        index: u64,
        value: &[u8],
        stored: Option<&LocalBitfield>,
    ) -> Result<()> {
        self.report.blocks += 1;
        let length = self.head.length();
        if index >= length {
            let fault = Fault::Beyond { index, length };
            self.report.find_and_mend(self.of, fault, "take it away", [delete(key.clone())]);
            return Ok(());
        }
        match self.proven(index, value)? {
            None => {
                let fault = Fault::Unproven { index };
                let ops = [delete(key.clone())];
                self.report.find_and_mend(self.of, fault, "take it away, to be fetched again", ops);
                self.bits.push(BitChange { start: index, end: index + 1, set: false });
            }
            Some(false) => {
                let fault = Fault::Block { index };
                let ops = [delete(key.clone())];
                self.report.find_and_mend(self.of, fault, "take it away, to be fetched again", ops);
                self.bits.push(BitChange { start: index, end: index + 1, set: false });
            }
            Some(true) if stored.is_some_and(|stored| !stored.get(index)) => {
                let fault = Fault::Unmarked { index };
                self.report.find_and_mend(self.of, fault, "set its bit", []);
                self.bits.push(BitChange { start: index, end: index + 1, set: true });
            }
            Some(true) => {}
        }
        Ok(())
    }

    /// Whether a block is what the first stored node at or above it says; none if there is no such node.
    fn proven(&self, index: u64, value: &[u8]) -> Result<Option<bool>> {
        let mut node = Node::of_block(index, value);
        let mut cursor = Cursor::new(node.index);
        loop {
            match self.storage.node(node.index) {
                Ok(Some(stored)) => return Ok(Some(stored == node)),
                Ok(None) => {}
                Err(StorageError::Corrupt { .. } | StorageError::Damaged(_)) => return Ok(None),
                Err(error) => return Err(error),
            }
            let sibling = cursor.sibling();
            let (Ok(Some(sibling)), Some(above)) = (self.storage.node(sibling), cursor.parent()) else {
                return Ok(None);
            };
            let Some(parent) = Node::parent(above, &node, &sibling) else { return Ok(Some(false)) };
            node = parent;
        }
    }

    /// Blocks that the bitfield has and the store has not.
    fn missing(&mut self, stored: &LocalBitfield) -> Result<()> {
        let length = self.head.length();
        for (start, end) in stored.ranges() {
            let mut next = start;
            let end_here = end.min(length);
            while next < end_here {
                let run = self.storage.run_of_blocks(next, end_here)?;
                next = next.saturating_add(run);
                if next < end_here {
                    let fault = Fault::Missing { index: next };
                    self.report.find_and_mend(self.of, fault, "clear its bit, to be fetched again", []);
                    self.bits.push(BitChange { start: next, end: next + 1, set: false });
                    next += 1;
                }
            }
            if end > length {
                let start = start.max(length);
                let fault = Fault::Beyond { index: start, length };
                self.report.find_and_mend(self.of, fault, "clear the bits", []);
                self.bits.push(BitChange { start, end, set: false });
            }
        }
        Ok(())
    }

    fn bitfield_and_hints(&mut self, mut stored: LocalBitfield) -> Result<()> {
        for (page, bytes) in stored.pages_with(&self.bits) {
            let put = Op::Put(keys::bitfield_page(self.data, page), Bytes::copy_from_slice(&bytes[..]));
            self.report.repairs.push((format!("page {page} of the bitfield"), put));
        }
        for change in self.bits.drain(..) {
            stored.apply(change);
        }
        let hints = match self.storage.hints() {
            Ok(hints) => hints,
            Err(error) => return found(self.report, self.of, error),
        };
        let actual = stored.first_unset(0);
        if hints.contiguous_length != actual {
            let fault = Fault::Contiguous { hint: hints.contiguous_length, actual };
            let hints = Hints { contiguous_length: actual, ..hints };
            let put = Op::Put(keys::hints(self.data), hints.to_vec().into());
            self.report.find_and_mend(self.of, fault, "correct it", [put]);
        }
        Ok(())
    }

    fn unreadable(&mut self, key: &keys::Key, reason: compact_encoding::DecodeError) -> Result<()> {
        let fault = Fault::Record { key: super::hex(key), reason };
        self.report.find_and_mend(self.of, fault, "take it away", [delete(key.clone())]);
        Ok(())
    }

    fn scan(&self, start: &[u8], end: &[u8]) -> Result<Vec<(keys::Key, Bytes)>> {
        let mut found = Vec::new();
        self.storage.kv().scan(start, end, &mut |key, value| {
            found.push((keys::Key::from(key), Bytes::copy_from_slice(value)));
            if found.len() >= STEP { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(found)
    }
}
