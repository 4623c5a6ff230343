//! What a change of a core means for others: [`Effect`]s, collected while the writer is held and delivered after it is
//! released (see `core/writer`).
//!
//! What takes a change over into memory (`commit_planned`, `take_over`, `become_state`) is a method of the held writer, and
//! so is everything that notes an effect. The replicator hears of a change of the log in no other way.

use std::collections::VecDeque;
use std::sync::Arc;

use hc_replicator::{ApplyFailure, Input, Local, Ticket};

use super::append::Append;
use super::line::Planned;
use super::state::{Committed, SignedHead, State};
use super::writer::{Host, Writer, Writing as Held, WritingAll as AllHeld};
use super::{Core, writer};
use crate::Result;
use crate::events::Event;
use crate::storage::{GroupUpdate, Told};

/// The writer of a core, held.
pub(super) type Writing<'a> = Held<'a, Core>;
/// The writers of several cores, held.
pub(super) type WritingAll<'a> = AllHeld<'a, Core>;

/// What a change means for others.
#[derive(Debug)]
pub(super) enum Effect {
    /// Whoever subscribed is told.
    Event(Event),
    /// Whoever watches the core's group is told.
    Group(GroupUpdate),
    /// The replicator is told, and through it the peers: when it is on the device, where that matters.
    Replicate(Update),
}

/// What the replicator is told of the log, and the head that the log then has: from there on peers are served up to that one.
#[derive(Debug)]
pub(super) struct Update {
    pub(super) news: News,
    pub(super) head: Arc<SignedHead>,
}

/// What the replicator is told of the log.
#[derive(Debug, Clone, Copy)]
pub(super) enum News {
    /// The log changed.
    Local(Local),
    /// A proof that it asked for is stored; the length of the log then.
    Applied(Ticket, u64),
    /// A proof that it asked for is not stored.
    ApplyFailed(Ticket, ApplyFailure),
}

impl From<News> for Input {
    fn from(news: News) -> Self {
        match news {
            News::Local(local) => Self::Local(local),
            News::Applied(ticket, length) => Self::Applied { ticket, length },
            News::ApplyFailed(ticket, failure) => Self::ApplyFailed { ticket, failure },
        }
    }
}

impl Host for Core {
    type Append = Append;
    type Effect = Effect;

    fn writer(&self) -> &Writer<Append, Effect> {
        &self.0.writer
    }

    fn commit(writing: &mut Writing<'_>, appends: Vec<Append>) {
        writing.commit_appends(appends);
    }

    fn deliver(&self, effects: VecDeque<Effect>) {
        let mut updates = Vec::new();
        for effect in effects {
            match effect {
                Effect::Event(event) => self.emit(|| event),
                Effect::Group(update) => self.0.storage.tell_group(update),
                Effect::Replicate(update) => updates.push(update),
            }
        }
        if !updates.is_empty() {
            self.announce(updates);
        }
    }
}

impl Core {
    /// Waits for the writer.
    pub(super) fn writing(&self) -> Writing<'_> {
        Writing::new(self)
    }

    /// Commits the appends that wait, unless somebody else is at it.
    pub(super) fn commit_waiting(&self) {
        writer::commit_waiting(self);
    }
}

impl Writing<'_> {
    /// Has subscribers told, if there are any.
    pub(super) fn emit(&mut self, event: impl FnOnce() -> Event) {
        if !self.host().0.listeners.is_empty() {
            self.effect(Effect::Event(event()));
        }
    }

    /// Has the replicator told of a change of the log.
    pub(super) fn replicate(&mut self, change: Local) {
        self.tell(News::Local(change));
    }

    /// Has the replicator told what came of a proof that it asked for: the length of the log, if it is stored.
    pub(super) fn answer(&mut self, ticket: Ticket, stored: std::result::Result<u64, ApplyFailure>) {
        self.tell(match stored {
            Ok(length) => News::Applied(ticket, length),
            Err(failure) => News::ApplyFailed(ticket, failure),
        });
    }

    fn tell(&mut self, news: News) {
        let head = Arc::clone(self.host().0.state.read().signed());
        self.effect(Effect::Replicate(Update { news, head }));
    }

    /// Fails if the core was closed: it may be open again by now, and what is known here outdated.
    pub(super) fn check_open(&self) -> Result<()> {
        if self.host().is_closed() { Err(self.host().reason_of_closing()) } else { Ok(()) }
    }

    /// Writes a change and takes it over.
    ///
    /// # Errors
    /// If it could not be written: then nothing has changed.
    pub(super) fn commit_planned(&mut self, planned: Planned) -> Result<()> {
        self.check_open()?;
        self.host().0.disk.commit(planned.write)?;
        self.take_over(planned.committed);
        Ok(())
    }

    /// Makes what is written known.
    pub(super) fn take_over(&mut self, committed: Committed) {
        let core = self.host();
        let has_new_head = committed.head.is_some();
        if let Some((head, _)) = &committed.head {
            core.note_head(head);
        }
        let state = core.change_state(|state| state.take_over(committed));
        if has_new_head {
            self.update_group(&state);
        }
    }

    /// Makes the log what it is in another state.
    pub(super) fn become_state(&mut self, next: State) {
        let core = self.host();
        core.note_head(next.head());
        let state = core.change_state(|state| *state = next);
        self.update_group(&state);
    }

    /// Has those told who watch the core's group.
    fn update_group(&mut self, state: &Changed) {
        if let Some(topic) = state.group {
            let (key, status) = (*self.host().key(), state.status);
            let (length, fork) = (status.length, status.fork);
            self.effect(Effect::Group(GroupUpdate { topic, key, length, fork }));
        }
    }
}

/// What a changed state says.
struct Changed {
    status: super::Status,
    /// The topic of the core's group.
    group: Option<[u8; 32]>,
}

impl Core {
    /// Changes the state in memory.
    fn change_state(&self, change: impl FnOnce(&mut State)) -> Changed {
        self.0.changes.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
        let mut state = self.0.state.write();
        change(&mut state);
        let changed = Changed { status: state.status(), group: state.group().and_then(|group| group.topic) };
        drop(state);
        self.0.status.send_replace(changed.status);
        changed
    }

    /// Has it written beside the store, with the next sync, that peers will have been told of a head: before anybody can see
    /// that head, so that a store that is set back is noticed. Only a writer needs it, once peers may have seen the log.
    fn note_head(&self, head: &hc_tree::TreeHead) {
        // of a store that was set back what was told before has to be remembered
        if self.may_be_watched() && self.recovering() == 0 {
            let is_writer = {
                let state = self.0.state.read();
                // what was lost is compared first
                state.key_pair().is_some() && state.lost().is_none()
            };
            if is_writer {
                self.note(head);
            }
        }
    }

    /// Notes that peers will have been told of a head.
    fn note(&self, head: &hc_tree::TreeHead) {
        if head.length() == 0 && head.fork() == 0 {
            return;
        }
        let told = Told { fork: head.fork(), length: head.length(), tree_hash: head.hash() };
        self.0.storage.note(*self.discovery_key(), told);
    }

    /// Notes that peers will have been told of the log as it is.
    pub(super) fn note_present_head(&self) {
        let state = self.0.state.read();
        if state.key_pair().is_none() || state.lost().is_some() {
            return;
        }
        let head = state.head().clone();
        drop(state);
        self.note(&head);
    }
}
