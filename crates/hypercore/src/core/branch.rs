//! Logs beside the public one: named sessions, snapshots, and what an atom makes of either.
//!
//! A [`Branch`] has a head of its own and reads from a place of its own: data that continues the core's (a named session), a
//! moment of the store (a snapshot), or the changes of an atom over the store. The core's own log is not a branch.
//!
//! Follows npm hypercore 11.37.1, `lib/session-state.js`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use hc_storage::{CoreStorage, Hints};
use hc_tree::bitfield::BitChange;
use hc_tree::{LocalBitfield, TreeHead, head_at};
use parking_lot::{Mutex, RwLock};
use tokio_util::sync::CancellationToken;

use super::Core;
use super::append::{Blocks, Signer};
use super::home::{Home, OpenSessions};
use super::line::{Line, NodesOf, Planned, session_head};
use super::pending::Pending;
use super::state::{State, Status};
use crate::events::{Event, Listeners};
use crate::session::Appended;
use crate::{Error, Result};

/// A log beside the public one.
pub(crate) struct Branch {
    home: Arc<Home>,
    sessions: OpenSessions,
    kind: Kind,
    now: RwLock<Now>,
    /// Held while a change is planned, written and taken over.
    writer: Mutex<()>,
    /// For snapshots: blocks that are still the log's. For what an atom makes of it: those that it began with, and that are.
    still: AtomicU64,
    /// For atoms: what happened since the last flush.
    pub(super) pending: Mutex<Pending>,
    listeners: Listeners,
}

/// A branch as it is now.
pub(super) struct Now {
    pub(super) state: State,
    pub(super) disk: CoreStorage,
}

/// What kind of log it is.
#[derive(Clone)]
pub(crate) enum Kind {
    /// Changes that are kept under a name, until they are committed.
    Named(String),
    /// A moment of the public log, or of the named session.
    Snapshot(Option<String>),
    /// The public log as an atom makes it.
    Atomic,
    /// A named session as an atom makes it.
    AtomicNamed(Arc<Branch>),
}

impl Branch {
    /// The public log, or a named session, was cut: what a snapshot of it has behind that is no longer the log's.
    pub(super) fn was_cut(&self, length: u64, name: Option<&str>) {
        let concerns = match &self.kind {
            Kind::Snapshot(of) => name.is_none() || of.as_deref() == name,
            Kind::Atomic => name.is_none(),
            Kind::Named(_) | Kind::AtomicNamed(_) => false,
        };
        if concerns {
            self.still.fetch_min(length, Ordering::AcqRel);
        }
    }

    fn new(core: &Core, kind: Kind, state: State, disk: CoreStorage) -> Arc<Self> {
        let began_with = Some(state.head().clone());
        let still = state.head().length().min(core.status().length);
        let branch = Arc::new(Self {
            home: Arc::new(Home::new(core)),
            sessions: OpenSessions::new(core),
            kind,
            now: RwLock::new(Now { state, disk }),
            writer: Mutex::new(()),
            still: AtomicU64::new(still),
            pending: Mutex::new(Pending {
                seen: core.0.changes.load(Ordering::Acquire),
                began_with,
                ..Pending::default()
            }),
            listeners: Listeners::default(),
        });
        core.0.branches.add(&branch);
        branch
    }

    /// The core that this is a log of: for a named session, until it is moved to another one.
    pub(crate) fn core(&self) -> &Core {
        self.home.core()
    }

    /// Where it is: for as long as a named session's handles live, also once they are closed.
    pub(crate) const fn home(&self) -> &Arc<Home> {
        &self.home
    }

    /// Cancelled when the session is moved to another core than the one it is of now.
    pub(crate) fn left(&self) -> &CancellationToken {
        self.home.left()
    }

    pub(crate) fn session_opened(&self, weak: bool) {
        self.sessions.opened(weak);
    }

    pub(crate) fn session_closed(&self, weak: bool) {
        self.sessions.closed(weak);
    }

    /// Whether a session is open. A handle that was closed keeps the branch, but nobody may meet it there any more.
    pub(super) fn has_sessions(&self) -> bool {
        self.sessions.are_there()
    }

    /// Becomes a log of another core. Whoever calls holds the writers of both cores and of the branch.
    pub(super) fn go_to(self: &Arc<Self>, core: &Core, there: Now) {
        self.core().0.branches.remove(self);
        core.0.branches.add(self);
        let mut now = self.now.write();
        *now = there;
        // who reads from the new place finds the new core too
        let left = self.home.go_to(core);
        drop(now);
        left.cancel();
    }

    pub(super) fn take_sessions_along(&self) {
        self.sessions.go_along(self.core());
    }

    pub(crate) const fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Which sessions listen to what happens to it.
    pub(crate) const fn listeners(&self) -> &Listeners {
        &self.listeners
    }

    pub(crate) const fn is_snapshot(&self) -> bool {
        matches!(self.kind, Kind::Snapshot(_))
    }

    pub(crate) const fn is_named(&self) -> bool {
        matches!(self.kind, Kind::Named(_) | Kind::AtomicNamed(_))
    }

    /// Whether it may be moved to another core.
    pub(crate) const fn may_move(&self) -> bool {
        matches!(self.kind, Kind::Named(_))
    }

    pub(crate) const fn is_atomic(&self) -> bool {
        matches!(self.kind, Kind::Atomic | Kind::AtomicNamed(_))
    }

    /// Whether its heads are signed: it stands for the public log.
    pub(crate) const fn is_public(&self) -> bool {
        matches!(self.kind, Kind::Atomic)
    }

    pub(crate) fn status(&self) -> Status {
        let of_core = self.core().status();
        Status {
            contiguous_length: of_core.contiguous_length,
            remote_contiguous_length: of_core.remote_contiguous_length,
            ..self.now.read().state.status()
        }
    }

    /// Blocks that are signed, and still the public log's.
    pub(crate) fn signed_length(&self) -> u64 {
        let own = match self.kind {
            Kind::Snapshot(_) | Kind::Atomic => self.now.read().state.head().length(),
            Kind::Named(_) | Kind::AtomicNamed(_) => self.shared_length(),
        };
        let signed = own.min(self.core().status().length);
        if self.is_snapshot() { signed.min(self.still()) } else { signed }
    }

    /// For snapshots: blocks that are still the log's. For what an atom makes of it: those that it began with, and that are.
    pub(crate) fn still(&self) -> u64 {
        self.still.load(Ordering::Acquire)
    }

    /// Blocks that a named session shares with the log that it was made from.
    pub(crate) fn shared_length(&self) -> u64 {
        self.now.read().disk.shared_length().unwrap_or(0)
    }

    pub(crate) fn disk(&self) -> CoreStorage {
        self.now.read().disk.clone()
    }

    pub(crate) fn head(&self) -> TreeHead {
        self.now.read().state.head().clone()
    }

    pub(super) fn state(&self) -> State {
        self.now.read().state.clone()
    }

    pub(crate) fn read_block(&self, index: u64) -> Result<Option<Bytes>> {
        Ok(self.disk().block(index)?)
    }

    pub(crate) fn has_range(&self, start: u64, end: u64) -> Result<bool> {
        let disk = self.disk();
        for index in start..end {
            if !disk.has_block(index)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(crate) fn append(&self, mut asked: Blocks) -> Result<Appended> {
        let writing = self.writer.lock();
        let status = self.status();
        let present = Appended { length: status.length, byte_length: status.byte_length };
        if !asked.fits(status.length, status.fork, self.core())? || asked.blocks.is_empty() {
            return Ok(present);
        }
        let fork = self.encryption_fork();
        let sealed = asked.sealed(status.length, fork);
        let planned = self.plan(|line| line.append(&sealed, &asked.signer.clone().into()))?;
        self.commit(planned)?;
        self.written_by(&asked.signer, asked.encrypted.then_some((status.length, fork)));
        drop(writing);
        let Status { length, byte_length, .. } = self.status();
        self.tell(Event::Append { length, byte_length });
        Ok(Appended { length, byte_length })
    }

    /// The fork that blocks are encrypted for. As Node, a named session's are those of the core, so that a commit needs no
    /// other cipher text. An atom's are those of the log that it makes: Node takes the core's here too, and so encrypts what
    /// follows a cut with the nonces of what was cut away.
    pub(crate) fn encryption_fork(&self) -> u64 {
        if self.is_public() { self.status().fork } else { self.core().status().fork }
    }

    pub(super) fn plan<T>(&self, plan: impl FnOnce(Line<'_>) -> Result<T>) -> Result<T> {
        let now = self.now.read();
        plan(Line { key: self.core().key(), state: &now.state, disk: &now.disk, public: self.is_public() })
    }

    /// Writes a change and takes it over. Whoever calls holds the writer.
    pub(super) fn commit(&self, planned: Planned) -> Result<()> {
        let disk = self.disk();
        disk.commit(planned.write)?;
        if self.is_atomic() {
            let mut pending = self.pending.lock();
            pending.changed = true;
            pending.bits.extend_from_slice(&planned.committed.bits);
        }
        self.take_over(planned.committed);
        Ok(())
    }

    /// Whether the atom changes this log.
    pub(super) fn was_changed(&self) -> bool {
        self.pending.lock().changed
    }

    /// Whether the core was changed beside the atom.
    pub(super) fn was_overtaken(&self) -> bool {
        self.pending.lock().seen != self.core().0.changes.load(Ordering::Acquire)
    }

    /// Which blocks the atom stored and took away.
    pub(super) fn done(&self) -> Vec<BitChange> {
        self.pending.lock().bits.clone()
    }

    /// Makes what the atom did on top of another bitfield; the hints that follow.
    pub(super) fn rebase(&self, bitfield: LocalBitfield, changes: Vec<BitChange>) -> Hints {
        self.now.write().state.rebase(bitfield, changes)
    }

    /// The atom was flushed: from here on it changes what is there now.
    pub(super) fn settle(&self) {
        let seen = self.core().0.changes.load(Ordering::Acquire);
        if self.is_public() {
            let state = self.core().0.state.read().clone();
            self.still.store(state.head().length(), Ordering::Release);
            self.now.write().state = state;
        }
        let began_with = Some(self.head());
        *self.pending.lock() = Pending { seen, began_with, ..Pending::default() };
    }

    pub(super) fn become_now(&self, now: Now) {
        *self.now.write() = now;
    }

    pub(super) fn take_over(&self, mut committed: super::state::Committed) {
        let mut now = self.now.write();
        if let Some(disk) = committed.disk.take() {
            now.disk = disk;
        }
        now.state.take_over(committed);
    }

    pub(super) const fn writer(&self) -> &Mutex<()> {
        &self.writer
    }

    /// Tells subscribers; for an atom, once it is flushed.
    pub(super) fn tell(&self, event: Event) {
        if self.is_atomic() {
            self.pending.lock().untold.push(event.clone());
        }
        self.listeners.tell(|| event);
    }

    /// What was not told outside of the atom yet: at most one truncation and one append, as they are in sum.
    pub(super) fn untold(&self) -> Vec<Event> {
        let (events, began_with) = {
            let mut pending = self.pending.lock();
            let began_with = pending.began_with.as_ref().map_or(0, TreeHead::length);
            (std::mem::take(&mut pending.untold), began_with)
        };
        let cuts = events.iter().filter_map(|event| match event {
            Event::Truncate { length, fork } => Some((*length, *fork)),
            _ => None,
        });
        let cut = cuts.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)));
        // what the atom appended itself and cut away again was never there
        let cut = cut.map(|(length, fork)| (length.min(began_with), fork));
        let Status { length, byte_length, .. } = self.status();
        let appended = length > cut.map_or(began_with, |(length, _)| length);
        let cut = cut.map(|(length, fork)| Event::Truncate { length, fork });
        cut.into_iter().chain(appended.then_some(Event::Append { length, byte_length })).collect()
    }

    /// Cuts the log; see [`Core::truncate`].
    pub(crate) fn truncate(&self, length: u64, fork: Option<u64>, signer: &Signer) -> Result<()> {
        let writing = self.writer.lock();
        let present = self.status().fork;
        let fork = match fork {
            // nobody follows the forks of a named session
            Some(fork) if self.is_named() => fork,
            fork => self.core().next_fork(present, fork)?,
        };
        let planned = self.plan(|line| line.truncate(length, fork, &signer.clone().into()))?;
        self.commit(planned)?;
        self.pending.lock().sealed.retain(|(start, _)| *start < length);
        self.written_by(signer, None);
        drop(writing);
        self.cut_snapshots(length);
        self.tell(Event::Truncate { length, fork });
        Ok(())
    }

    /// Tells snapshots of a named session that it was cut.
    pub(super) fn cut_snapshots(&self, length: u64) {
        if let Kind::Named(name) = &self.kind {
            self.core().0.branches.cut(length, Some(name));
        }
    }

    /// Takes blocks away; and how many there were.
    pub(crate) fn clear(&self, start: u64, end: u64) -> Result<u64> {
        let _writing = self.writer.lock();
        let (planned, cleared) = self.plan(|line| line.clear(start, end))?;
        self.commit(planned)?;
        Ok(cleared)
    }

    /// Drops what is the session's own: it then is the first blocks of the log.
    pub(crate) fn catch_up(&self, length: u64) -> Result<()> {
        let writing = self.writer.lock();
        let (before, shared) = (self.status(), self.shared_length());
        let fork = match shared < before.length {
            true => self.core().next_fork(before.fork, None)?,
            false => before.fork,
        };
        let of_core = self.core().head_at(None, length.min(self.core().status().length))?;
        if of_core.length() != length {
            let reason = format!("the log has {} blocks, not {length}", of_core.length());
            return Err(Error::InvalidOperation { reason, discovery_key: *self.core().discovery_key() });
        }
        let head = TreeHead::from_roots(fork, of_core.roots().to_vec())
            .map_err(|_| Error::Internal("the roots of a log are no roots"))?;
        let disk = self.disk();
        let (after, dependency) = disk.caught_up(self.core().disk().pointers().data, length);
        let timestamp = crate::now_millis();
        let mut write = disk.write();
        write.catch_up(&head, dependency, timestamp);
        disk.commit(write)?;
        let byte_length = head.byte_length();
        let committed = super::state::Committed {
            head: Some((head, Vec::new())),
            timestamp,
            cut: Some(length),
            disk: Some(after),
            ..Default::default()
        };
        self.take_over(committed);
        drop(writing);
        if shared < before.length {
            self.cut_snapshots(shared);
            self.tell(Event::Truncate { length: shared, fork });
        }
        if shared < length {
            self.tell(Event::Append { length, byte_length });
        }
        Ok(())
    }
}

/// How a named session is opened.
#[derive(Debug, Clone, Default)]
pub(crate) struct NamedOptions {
    pub(crate) name: String,
    /// Begins anew, with the core as it is now.
    pub(crate) overwrite: bool,
}

impl Core {
    /// The named session, which begins with the log (or the branch) as it is now if there is none yet.
    pub(crate) fn named(&self, from: Option<&Branch>, options: &NamedOptions) -> Result<Arc<Branch>> {
        let name = &options.name;
        let _writing = self.writing();
        let open = self.0.branches.named(name);
        if let Some(open) = open.as_ref().filter(|open| open.has_sessions() && !options.overwrite) {
            return Ok(Arc::clone(open));
        }
        // what is under way in it is done first: its place on the disk is the same one
        let held = open.clone();
        let _held = held.as_ref().map(|open| open.writer.lock());
        let store = self.0.storage.store();
        let of_core = self.0.state.read().clone();
        let (state, disk) = match from {
            Some(branch) => (branch.state(), branch.disk()),
            None => (of_core.clone(), self.0.disk.clone()),
        };
        let resumed = if options.overwrite { None } else { store.resume_session(&self.0.disk, name)? };
        let disk = match resumed {
            Some(resumed) => resumed,
            None => store.create_session(&disk, name, session_head(&state, state.head()).as_ref())?,
        };
        let verifier = of_core.verifier().cloned();
        let state = State::load_session(&disk, of_core.auth().clone(), verifier)?.beside(&state)?;
        if let Some(open) = open {
            // the name begins anew for everybody who has it open
            *open.now.write() = Now { state, disk };
            return Ok(open);
        }
        Ok(Branch::new(self, Kind::Named(name.clone()), state, disk))
    }

    /// The log, or a branch, as it is at this moment.
    pub(crate) fn snapshot_of(&self, from: Option<&Arc<Branch>>) -> Result<Arc<Branch>> {
        let Some(from) = from else {
            let _writing = self.writing();
            let state = self.0.state.read().clone();
            return Ok(Branch::new(self, Kind::Snapshot(None), state, self.0.disk.snapshot()?));
        };
        if from.is_snapshot() {
            return Ok(Arc::clone(from));
        }
        let _writing = from.writer.lock();
        let kind = match &from.kind {
            Kind::Named(name) => Kind::Snapshot(Some(name.clone())),
            _ => Kind::Snapshot(None),
        };
        Ok(Branch::new(self, kind, from.state(), from.disk().snapshot()?))
    }

    /// The log, or a named session, as an atom makes it.
    pub(crate) fn atomic(&self, from: Option<&Arc<Branch>>, atom: &crate::Atom) -> Result<Arc<Branch>> {
        let kv = atom.engine();
        let (kind, state, disk) = match from {
            None => (Kind::Atomic, self.0.state.read().clone(), self.0.disk.clone()),
            Some(named) if matches!(named.kind, Kind::Named(_)) => {
                (Kind::AtomicNamed(Arc::clone(named)), named.state(), named.disk())
            }
            Some(_) => {
                return Err(Error::Assertion("an atom works on a log or on a named session".into()));
            }
        };
        let branch = Branch::new(self, kind, state, disk.over(kv));
        atom.add(self, &branch)?;
        Ok(branch)
    }

    /// The head of the log, or of a branch, when it was shorter.
    pub(crate) fn head_at(&self, branch: Option<&Branch>, length: u64) -> Result<TreeHead> {
        self.check_roots()?;
        let (head, disk) = self.head_and_disk(branch);
        head_at(&NodesOf(&disk), &head, length, head.fork())
            .map_err(|error| self.explained(error, Some(length)))
    }
}
