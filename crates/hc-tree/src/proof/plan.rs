//! Which nodes a proof consists of: arithmetic on indices.
//!
//! The choice and the order of nodes are those of npm hypercore 11.37.1, `lib/merkle-tree.js` (`generateProof`), so that
//! its readers accept what is built from them.

use crate::error::{MissingNode, RequestError};
use crate::flat::{self, Cursor};
use crate::head::TreeHead;
use crate::limits::MAX_LENGTH;
use crate::reader::{NodeReader, byte_offset};
use crate::seek::content;

use super::types::{ProofRequest, SeekRequest};

/// The nodes that lead from the roots of one length to those of a longer one, in the order of an upgrade's proof. Both in
/// blocks.
pub(crate) fn upgrade_nodes(from: u64, to: u64) -> Vec<u64> {
    ProofPlan::default().trees_between(from * 2, to * 2, None)
}

/// The nodes of a proof, by part, in the order in which they are sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProofPlan {
    pub(super) request: ProofRequest,
    pub(super) node: Option<Vec<u64>>,
    pub(super) seek: Option<Vec<u64>>,
    pub(super) upgrade: Option<Vec<u64>>,
    pub(super) additional: Option<Vec<u64>>,
}

/// A block or an inner node that is asked for.
#[derive(Clone, Copy)]
struct Target {
    index: u64,
    nodes: u64,
    is_block: bool,
}

impl Target {
    fn of(request: &ProofRequest) -> Option<Self> {
        match (&request.block, &request.hash) {
            (Some(block), _) => {
                Some(Self { index: block.index.checked_mul(2)?, nodes: block.nodes, is_block: true })
            }
            (None, Some(hash)) => Some(Self { index: hash.index, nodes: hash.nodes, is_block: false }),
            (None, None) => None,
        }
    }

    const fn last_block(self) -> u64 {
        flat::right_span(self.index) / 2
    }
}

/// Works out which nodes answer a request. The reader is only asked where there is a seek.
///
/// # Errors
/// [`RequestError`], if no proof can answer it, and what the reader returns.
pub fn plan<R: NodeReader>(head: &TreeHead, request: &ProofRequest, reader: &R) -> Result<ProofPlan, R::Error>
where
    R::Error: From<RequestError> + From<MissingNode>,
{
    let asked = Asked::check(head, request)?;
    let mut plan = ProofPlan { request: *request, ..ProofPlan::default() };
    let mut sub_tree = asked.end;
    match asked.target {
        Some(target) if asked.below_upgrade(target) => {
            sub_tree = above(target, asked.to)?;
            let seek_root = match &request.seek {
                Some(seek) => seek_below(reader, head, sub_tree, seek)?,
                None => asked.end,
            };
            plan.climb(Some(target), request.seek.is_some(), seek_root, sub_tree);
        }
        Some(target) if request.upgrade.is_some() && request.seek.is_none() => sub_tree = target.index,
        _ => {
            if let (Some(seek), true) = (&request.seek, request.upgrade.is_some()) {
                sub_tree = seek_from_roots(reader, asked.to, seek)?;
            }
        }
    }
    if request.upgrade.is_some() {
        plan.upgrade = Some(plan.trees_between(asked.from, asked.to, Some((&asked, sub_tree))));
        if asked.end > asked.to {
            plan.additional = Some(plan.trees_between(asked.to, asked.end, None));
        }
    }
    plan.complete(request)?;
    Ok(plan)
}

/// A request whose numbers are within the log. Bounds are in nodes: twice the blocks.
struct Asked {
    target: Option<Target>,
    has_seek: bool,
    has_upgrade: bool,
    from: u64,
    to: u64,
    end: u64,
}

impl Asked {
    fn check(head: &TreeHead, request: &ProofRequest) -> Result<Self, RequestError> {
        let length = head.length();
        let end = length * 2;
        let (from, to) = match &request.upgrade {
            None => (0, end),
            Some(upgrade) => {
                let to = upgrade
                    .start
                    .checked_add(upgrade.length)
                    .filter(|to| *to <= length && upgrade.length > 0);
                let refused =
                    RequestError::Upgrade { start: upgrade.start, length: upgrade.length, available: length };
                (upgrade.start.min(MAX_LENGTH) * 2, to.ok_or(refused)? * 2)
            }
        };
        if *request == ProofRequest::default() {
            return Err(RequestError::Empty);
        }
        let target = Target::of(request);
        if let Some(target) = target {
            let beyond = target.index >= MAX_LENGTH * 2 || flat::right_span(target.index) >= to;
            if beyond {
                return Err(RequestError::OutOfBounds { index: target.index, length: to / 2 });
            }
        }
        let (has_seek, has_upgrade) = (request.seek.is_some(), request.upgrade.is_some());
        let asked = Self { target, has_seek, has_upgrade, from, to, end };
        // also where an inner node lies on both sides of the upgrade's start: nothing could be the top of both ways
        if has_seek && has_upgrade && target.is_some_and(|target| !asked.below_upgrade(target)) {
            return Err(RequestError::SeekAndUpgrade);
        }
        Ok(asked)
    }

    /// Whether the target lies in the part of the log that the asking peer knows of.
    const fn below_upgrade(&self, target: Target) -> bool {
        !self.has_upgrade || target.last_block() * 2 < self.from
    }
}

/// The node that is so many levels above the target.
fn above(target: Target, end: u64) -> Result<u64, RequestError> {
    let refused = RequestError::Nodes { index: target.index, nodes: target.nodes };
    let mut cursor = Cursor::new(target.index);
    for _ in 0..target.nodes {
        cursor.parent().ok_or(refused)?;
        if cursor.contains(end) {
            return Err(refused);
        }
    }
    Ok(cursor.index())
}

impl ProofPlan {
    /// All nodes to fetch, in the order in which [`build`](Self::build) takes them.
    pub fn indices(&self) -> impl Iterator<Item = u64> + '_ {
        let parts = [&self.node, &self.seek, &self.upgrade, &self.additional];
        parts.into_iter().flatten().flatten().copied()
    }

    /// The siblings from a target up to `root`; below one of them, the way down to `seek_root`.
    fn climb(&mut self, target: Option<Target>, has_seek: bool, seek_root: u64, root: u64) {
        let Some(target) = target else { return self.seek_up(seek_root, root) };
        let mut cursor = Cursor::new(target.index);
        let mut nodes = if target.is_block { Vec::new() } else { vec![target.index] };
        while cursor.index() != root {
            cursor.sibling();
            if has_seek && cursor.contains(seek_root) && cursor.index() != seek_root {
                self.seek_up(seek_root, cursor.index());
            } else {
                nodes.push(cursor.index());
            }
            if cursor.parent().is_none() {
                break;
            }
        }
        self.node = Some(nodes);
    }

    fn seek_up(&mut self, seek_root: u64, root: u64) {
        let mut cursor = Cursor::new(seek_root);
        let mut nodes = vec![seek_root];
        while cursor.index() != root {
            nodes.push(cursor.sibling());
            if cursor.parent().is_none() {
                break;
            }
        }
        self.seek = Some(nodes);
    }

    /// The nodes that lead from the roots of one length to those of another. Where `below` has a node that is proven
    /// anyway, the way up from it takes the place of the tree that it is in.
    fn trees_between(&mut self, from: u64, to: u64, below: Option<(&Asked, u64)>) -> Vec<u64> {
        let mut nodes = Vec::new();
        // the tree in which the known part ends is opened up; after it, whole trees follow
        let mut connect = from.checked_sub(2);
        for tree in flat::full_trees(to / 2) {
            if flat::right_span(tree.index()) < from {
                continue;
            }
            match connect.take().filter(|last| tree.contains(*last)) {
                Some(last) => {
                    let mut cursor = Cursor::new(last);
                    while cursor.index() != tree.index() {
                        if cursor.sibling() > last {
                            self.take(cursor, below, &mut nodes);
                        }
                        if cursor.parent().is_none() {
                            break;
                        }
                    }
                }
                None => self.take(tree, below, &mut nodes),
            }
        }
        nodes
    }

    fn take(&mut self, tree: Cursor, below: Option<(&Asked, u64)>, nodes: &mut Vec<u64>) {
        match below {
            Some((asked, sub_tree))
                if self.node.is_none() && self.seek.is_none() && tree.contains(sub_tree) =>
            {
                self.climb(asked.target, asked.has_seek, sub_tree, tree.index());
            }
            _ => nodes.push(tree.index()),
        }
    }

    fn complete(&self, request: &ProofRequest) -> Result<(), RequestError> {
        let asked_node = request.block.is_some() || request.hash.is_some();
        if asked_node && self.node.is_none() { Err(RequestError::Empty) } else { Ok(()) }
    }
}

/// The node below `root` that holds a byte, or as far down as nodes are stored. The byte may lie elsewhere.
fn seek_below<R: NodeReader>(
    reader: &R,
    head: &TreeHead,
    root: u64,
    seek: &SeekRequest,
) -> Result<u64, R::Error>
where
    R::Error: From<RequestError> + From<MissingNode>,
{
    let elsewhere = RequestError::Seek { bytes: seek.bytes };
    let padding_before = seek.padding.saturating_mul(flat::left_span(root) / 2);
    let offset = byte_offset(reader, head, root)?.saturating_sub(padding_before);
    let Some(bytes) = seek.bytes.checked_sub(offset) else { return Err(elsewhere.into()) };
    if bytes == 0 {
        return Ok(root);
    }
    let node = reader.node(root)?.ok_or(MissingNode { index: root })?;
    if content(node.size, root, seek.padding) <= bytes {
        return Err(elsewhere.into());
    }
    descend(reader, root, bytes, seek.padding)
}

/// The node that holds a byte of a log with `end` nodes; `end` if no node does.
fn seek_from_roots<R: NodeReader>(reader: &R, end: u64, seek: &SeekRequest) -> Result<u64, R::Error>
where
    R::Error: From<RequestError> + From<MissingNode>,
{
    let mut bytes = seek.bytes;
    for root in flat::full_roots(end / 2) {
        let node = reader.node(root)?.ok_or(MissingNode { index: root })?;
        let size = content(node.size, root, seek.padding);
        if bytes == size {
            return Ok(root);
        }
        if bytes < size {
            return descend(reader, root, bytes, seek.padding);
        }
        bytes -= size;
    }
    Ok(end)
}

/// The node that holds a byte that is known to be below `root`, or as far down as nodes are stored.
fn descend<R: NodeReader>(reader: &R, root: u64, mut bytes: u64, padding: u64) -> Result<u64, R::Error> {
    if bytes == 0 {
        return Ok(root);
    }
    let mut cursor = Cursor::new(root);
    loop {
        let above = cursor.index();
        let Some(left) = cursor.left_child() else { return Ok(above) };
        let Some(node) = reader.node(left)? else { return Ok(above) };
        let size = content(node.size, left, padding);
        if size == bytes {
            return Ok(left);
        }
        if size < bytes {
            bytes -= size;
            cursor.sibling();
        }
    }
}
