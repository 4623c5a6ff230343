//! What a change of a log writes, worked out: for a core, for an atom over one, and for its named sessions.
//!
//! Nothing here waits, locks or writes. A [`Line`] is a log as it is; each change of it is a [`Planned`]: the batch, and what
//! is known once the batch is committed.
//!
//! Follows npm hypercore 11.37.1, `lib/session-state.js` (`append`, `_truncate`, `clear`, `updateGroupIndex`).

use bytes::Bytes;
use hc_crypto::{Key, KeyPair, Manifest, SignError, Verifier, VerifyError};
use hc_storage::{Auth, CoreStorage, CoreWrite, HeadRecord};
use hc_tree::bitfield::BitChange;
use hc_tree::limits::{MAX_BYTES, MAX_LENGTH};
use hc_tree::{
    Batch, Draft, Node, NodeReader, Reorged, SignedChange, TreeChange, TreeHead, cleared_nodes, flat,
    truncate,
};

use super::state::{Committed, State};
use crate::{Error, Result};

/// A log that is about to change.
pub(super) struct Line<'a> {
    pub(super) key: &'a Key,
    pub(super) state: &'a State,
    pub(super) disk: &'a CoreStorage,
    /// Whether this is what peers see: it has a bitfield, hints, and a place in a group.
    pub(super) public: bool,
}

/// Who vouches for a new head.
#[derive(Clone)]
pub(super) enum Signing {
    /// A key pair that is at hand.
    Pair(KeyPair),
    /// A signature that was made elsewhere.
    Given(Vec<u8>),
    /// Nobody: a change of a named session.
    Nobody,
}

/// A change, worked out.
pub(super) struct Planned {
    pub(super) write: CoreWrite,
    pub(super) committed: Committed,
}

/// A changed tree with what makes it good.
enum Vouched {
    Signed(SignedChange),
    Draft(Draft),
}

impl Line<'_> {
    fn error(&self, reason: impl Into<String>) -> Error {
        Error::InvalidOperation { reason: reason.into(), discovery_key: self.key.discovery_key() }
    }

    fn invalid_signature(&self, reason: &dyn std::fmt::Display) -> Error {
        Error::InvalidSignature { reason: reason.to_string(), discovery_key: self.key.discovery_key() }
    }

    /// Appends blocks, as they are stored.
    pub(super) fn append(&self, blocks: &[Bytes], signing: &Signing) -> Result<Planned> {
        self.check_size(blocks)?;
        let mut batch = Batch::new(self.state.head());
        batch.append_all(blocks);
        let change = batch.finish();
        if change.head().length() < self.state.prologue_length() {
            return Err(self.error("the append ends inside the log's prologue"));
        }
        self.plan(change, blocks, signing)
    }

    /// Fails if no log can be so long.
    fn check_size(&self, blocks: &[Bytes]) -> Result<()> {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let (head, more) = (self.state.head(), count(blocks.len()));
        if head.length().saturating_add(more) >= MAX_LENGTH {
            return Err(self.error(format!("a log of {} blocks gets no {more} more", head.length())));
        }
        let more = blocks.iter().fold(0_u64, |sum, block| sum.saturating_add(count(block.len())));
        if head.byte_length().saturating_add(more) > MAX_BYTES {
            return Err(self.error(format!("a log of {} bytes gets no {more} more", head.byte_length())));
        }
        Ok(())
    }

    /// Cuts the log to a length, on a fork.
    pub(super) fn truncate(&self, length: u64, fork: u64, signing: &Signing) -> Result<Planned> {
        let head = self.state.head();
        if length < self.state.prologue_length() {
            return Err(self.error("the truncation breaks the log's prologue"));
        }
        if length > head.length() {
            let reason = format!("{length} is no truncation: the log has {} blocks", head.length());
            return Err(self.error(reason));
        }
        let change = truncate(&NodesOf(self.disk), head, length, fork)
            .map_err(|error| self.state.explained(error, self.key, Some(length)))?;
        self.plan(change, &[], signing)
    }

    /// Makes the log what a named session is up to a length. `blocks` and the nodes of the change were read from there.
    pub(super) fn adopt(
        &self,
        change: TreeChange,
        beyond: &[Node],
        blocks: &[(u64, Bytes)],
        signing: &Signing,
    ) -> Result<Planned> {
        let (start, end) = (change.ancestors(), change.head().length());
        let (vouched, fresh) = self.vouch(change, signing)?;
        let Vouched::Signed(signed) = vouched else {
            return Err(Error::SessionNotWritable { discovery_key: self.key.discovery_key() });
        };
        let timestamp = crate::now_millis();
        let mut write = self.disk.write();
        write.commit(&signed, beyond, blocks, timestamp);
        let committed =
            Committed { head: Some(signed.into_head()), timestamp, verifier: fresh, ..Committed::default() };
        let bits = vec![BitChange { start, end, set: true }];
        Ok(self.finish(write, committed, bits))
    }

    /// Makes the log that of another fork, as a peer proved it. `fresh` is who may sign it, if that was not known before.
    pub(super) fn reorg(&self, reorged: Reorged, fresh: Option<Verifier>) -> Planned {
        let (ancestors, before) = (reorged.change().ancestors(), reorged.change().before());
        let timestamp = crate::now_millis();
        let mut write = self.disk.write();
        write.reorg(&reorged, timestamp);
        let committed = Committed {
            head: Some(reorged.into_head()),
            timestamp,
            cut: Some(ancestors),
            verifier: fresh,
            ..Committed::default()
        };
        let bits = vec![BitChange { start: ancestors, end: before, set: false }];
        self.finish(write, committed, bits)
    }

    /// Takes blocks away; and how many there were.
    pub(super) fn clear(&self, start: u64, end: u64) -> Result<(Planned, u64)> {
        let end = end.min(self.state.head().length());
        let mut write = self.disk.write();
        if !self.public {
            let start = start.max(self.disk.shared_length().unwrap_or(0));
            let mut cleared = 0;
            for index in start..end {
                cleared += u64::from(self.disk.has_block(index)?);
            }
            if start < end {
                write.delete_blocks(start, end);
            }
            return Ok((Planned { write, committed: Committed::default() }, cleared));
        }
        if start >= end {
            return Ok((Planned { write, committed: Committed::default() }, 0));
        }
        let stored = self.state.bitfield();
        let cleared = stored.count_range(start, end);
        write.delete_nodes(&cleared_nodes(self.state.head(), stored, start));
        write.delete_blocks(start, end);
        let bits = vec![BitChange { start, end, set: false }];
        Ok((self.finish(write, Committed::default(), bits), cleared))
    }

    fn plan(&self, change: TreeChange, blocks: &[Bytes], signing: &Signing) -> Result<Planned> {
        let (ancestors, before, length) = (change.ancestors(), change.before(), change.head().length());
        let (vouched, fresh) = self.vouch(change, signing)?;
        let timestamp = crate::now_millis();
        let mut write = self.disk.write();
        let head = match vouched {
            Vouched::Signed(signed) => {
                write.change(&signed, blocks, timestamp);
                signed.into_head()
            }
            Vouched::Draft(draft) => {
                write.draft(&draft, blocks, timestamp);
                draft.into_head()
            }
        };
        let mut committed =
            Committed { head: Some(head), timestamp, verifier: fresh, ..Committed::default() };
        let mut bits = Vec::new();
        if ancestors < before {
            bits.push(BitChange { start: ancestors, end: before, set: false });
            if let Some((disk, dependency)) = self.disk.truncated(ancestors) {
                write.dependency(dependency);
                committed.disk = Some(disk);
            }
        }
        if blocks.is_empty() {
            committed.cut = Some(length);
        }
        if ancestors < length {
            bits.push(BitChange { start: ancestors, end: length, set: true });
        }
        Ok(self.finish(write, committed, bits))
    }

    /// Adds what only the public log has.
    fn finish(&self, mut write: CoreWrite, mut committed: Committed, bits: Vec<BitChange>) -> Planned {
        if let Some(verifier) = &committed.verifier {
            write.auth(&Auth { manifest: Some(verifier.manifest().clone()), ..self.state.auth().clone() });
        }
        if self.public {
            for (page, bytes) in self.state.bitfield().pages_with(&bits) {
                write.bitfield_page(page, &bytes);
            }
            let mut hints = self.state.hints_with(&bits);
            if let Some(length) = committed.cut {
                hints.remote_contiguous_length = hints.remote_contiguous_length.min(length);
            }
            if hints != *self.state.hints() {
                write.hints(&hints);
                committed.hints = Some(hints);
            }
            if let (Some(group), Some(_)) = (self.state.group(), &committed.head) {
                write.group_update(group.pointer, self.state.timestamp(), committed.timestamp, self.key);
            }
            committed.bits = bits;
        }
        Planned { write, committed }
    }

    /// Fails if the change begins inside the prologue and does not go on as it.
    fn check_prologue(&self, change: &TreeChange) -> Result<()> {
        let prologue = self.state.verifier().and_then(Verifier::prologue);
        let Some(prologue) = prologue.filter(|prologue| change.ancestors() < prologue.length) else {
            return Ok(());
        };
        let (made, stored) = (change.nodes(), NodesOf(self.disk));
        let mut roots = Vec::new();
        for index in flat::full_roots(prologue.length) {
            match made.iter().chain(change.head().roots()).find(|node| node.index == index) {
                Some(node) => roots.push(*node),
                None => roots.extend(stored.node(index)?),
            }
        }
        let fits = TreeHead::from_roots(0, roots)
            .is_ok_and(|head| head.length() == prologue.length && head.hash() == prologue.hash);
        if fits { Ok(()) } else { Err(self.invalid_signature(&"these blocks are not the log's prologue")) }
    }

    fn vouch(&self, change: TreeChange, signing: &Signing) -> Result<(Vouched, Option<Verifier>)> {
        if matches!(signing, Signing::Nobody) {
            return Ok((Vouched::Draft(change.draft(self.state.signature().to_vec())), None));
        }
        self.check_prologue(&change)?;
        let fresh = match (self.state.verifier(), signing) {
            (None, Signing::Pair(pair)) => self.own_verifier(pair),
            _ => None,
        };
        let Some(verifier) = self.state.verifier().or(fresh.as_ref()) else {
            return Err(Error::SessionNotWritable { discovery_key: self.key.discovery_key() });
        };
        let signed = match signing {
            Signing::Pair(pair) => change
                .sign(verifier, pair)
                .map_err(|error: SignError| Error::BadArgument(error.to_string()))?,
            Signing::Given(signature) => change
                .signed_with(verifier, signature.clone())
                .map_err(|error: VerifyError| self.invalid_signature(&error))?,
            Signing::Nobody => return Err(Error::Internal("an unsigned change was to be signed")),
        };
        Ok((Vouched::Signed(signed), fresh))
    }

    /// A core that was opened by a key that is the signer's own becomes one of version 10 with its first append.
    fn own_verifier(&self, signer: &KeyPair) -> Option<Verifier> {
        Verifier::new(*self.key, Manifest::single(signer.public())).ok()
    }
}

/// The head record of the first blocks of a log, as a named session starts with it.
pub(super) fn session_head(state: &State, head: &TreeHead) -> Option<HeadRecord> {
    let whole = head.length() == state.head().length();
    (head.length() > 0).then(|| HeadRecord {
        fork: head.fork(),
        length: head.length(),
        root_hash: head.hash(),
        signature: whole.then(|| state.signature().to_vec()),
        timestamp: 0,
    })
}

/// The stored nodes of a log.
pub(crate) struct NodesOf<'a>(pub(crate) &'a CoreStorage);

impl hc_tree::NodeReader for NodesOf<'_> {
    type Error = Error;

    fn node(&self, index: u64) -> Result<Option<hc_tree::Node>> {
        Ok(self.0.tree_node(index)?)
    }
}
