//! The single writer of a core: who may change it, the appends that wait for that, and what a change means for others.
//!
//! A change is made while the writer is held ([`Writing`]). What it means for others (events, what the replicator and the
//! peers are to hear) is collected in the guard, as *effects*, and delivered after the guard is released: whoever hears of a
//! change may want to make another one, and would wait for the writer for good if the thread that tells it still held it.
//!
//! What always holds:
//! - no effect is delivered by a thread that holds a writer, of whichever core; debug builds panic where it would be. (Who
//!   listens to a named session, or to what an atom makes of a log, is told in place: that calls nobody.)
//! - effects are delivered in the order of the changes, by one thread at a time
//! - an append that was queued is committed by whoever holds the writer next, without anybody waiting for the others
//! - after a failed change nothing is held, queued or half told
//!
//! Knows nothing of cores, so that tests can run it with threads shuffled: `tests/shuffled_writer.rs`.

mod turn;

use std::collections::VecDeque;

pub(super) use turn::Turn;

use super::sync::{self, Mutex, MutexGuard, lock, try_lock};

/// Who has a writer.
pub(super) trait Host: Sized {
    /// A change that may be committed together with others.
    type Append;
    /// What a change means for others.
    type Effect;

    /// Returns its writer.
    fn writer(&self) -> &Writer<Self::Append, Self::Effect>;

    /// Commits appends that wait, and answers them.
    fn commit(writing: &mut Writing<'_, Self>, appends: Vec<Self::Append>);

    /// Tells others of changes, in their order. May change the host again.
    fn deliver(&self, effects: VecDeque<Self::Effect>);
}

/// The writer of a host.
pub(super) struct Writer<A, E> {
    held: Mutex<()>,
    appends: Mutex<Vec<A>>,
    /// What the changes mean for others, in the order in which they were made.
    effects: Mutex<VecDeque<E>>,
    delivering: Turn,
}

impl<A, E> Default for Writer<A, E> {
    fn default() -> Self {
        Self {
            held: Mutex::new(()),
            appends: Mutex::new(Vec::new()),
            effects: Mutex::new(VecDeque::new()),
            delivering: Turn::default(),
        }
    }
}

/// The writer of a host, held. When it is dropped the writer is released, the effects are delivered, and the appends that
/// came meanwhile are committed.
#[must_use = "the writer is released when this is dropped"]
pub(super) struct Writing<'a, H: Host> {
    host: &'a H,
    held: Option<MutexGuard<'a, ()>>,
    effects: VecDeque<H::Effect>,
}

impl<'a, H: Host> Writing<'a, H> {
    /// Waits for the writer.
    ///
    /// # Panics
    /// In debug builds, if the thread holds a writer already.
    pub(super) fn new(host: &'a H) -> Self {
        check_none_held("the writer was to be taken");
        Self::holding(host, lock(&host.writer().held))
    }

    /// Takes the writer if it is free.
    fn try_new(host: &'a H) -> Option<Self> {
        Some(Self::holding(host, try_lock(&host.writer().held)?))
    }

    /// Takes the writer if it is free and no append waits for it.
    pub(super) fn alone(host: &'a H) -> Option<Self> {
        let writing = Self::try_new(host)?;
        let alone = lock(&host.writer().appends).is_empty();
        // dropped otherwise, which commits the ones that wait
        alone.then_some(writing)
    }

    fn holding(host: &'a H, held: MutexGuard<'a, ()>) -> Self {
        count_held(true);
        Self { host, held: Some(held), effects: VecDeque::new() }
    }

    pub(super) const fn host(&self) -> &'a H {
        self.host
    }

    /// Notes what the change means for others.
    pub(super) fn effect(&mut self, effect: H::Effect) {
        self.effects.push_back(effect);
    }

    /// Releases the writer. Whether there is anything to deliver.
    fn release(&mut self) -> bool {
        let Some(held) = self.held.take() else { return false };
        let any = !self.effects.is_empty();
        if any {
            // before the release: the next one's effects come behind these
            lock(&self.host.writer().effects).append(&mut self.effects);
        }
        drop(held);
        count_held(false);
        any
    }
}

impl<H: Host> Drop for Writing<'_, H> {
    fn drop(&mut self) {
        if self.held.is_none() {
            return;
        }
        let any = self.release();
        // a change that panicked is no place to begin others: whoever writes next does
        if std::thread::panicking() {
            return;
        }
        if any {
            deliver(self.host);
        }
        commit_waiting(self.host);
    }
}

/// The writers of several hosts, held together. When this is dropped all are released before anything is delivered.
pub(super) struct WritingAll<'a, H: Host>(Vec<Writing<'a, H>>);

impl<'a, H: Host> WritingAll<'a, H> {
    /// Waits for all writers, in the order given: that order has to be the same for everybody, and name each host once.
    ///
    /// # Panics
    /// In debug builds, if the thread holds a writer already.
    pub(super) fn new(hosts: &[&'a H]) -> Self {
        check_none_held("writers were to be taken");
        Self(hosts.iter().map(|&host| Writing::holding(host, lock(&host.writer().held))).collect())
    }

    /// Returns the guard of one of the hosts.
    pub(super) fn of(&mut self, is: impl Fn(&H) -> bool) -> Option<&mut Writing<'a, H>> {
        self.0.iter_mut().find(|writing| is(writing.host))
    }
}

impl<H: Host> Drop for WritingAll<'_, H> {
    fn drop(&mut self) {
        let released: Vec<_> = self.0.iter_mut().map(|writing| (writing.host, writing.release())).collect();
        for (host, any) in released {
            if any {
                deliver(host);
            }
            commit_waiting(host);
        }
    }
}

/// Queues an append; [`commit_waiting`] has to follow.
pub(super) fn queue<H: Host>(host: &H, append: H::Append) {
    lock(&host.writer().appends).push(append);
}

/// Commits the appends that wait, unless somebody else is at it.
pub(super) fn commit_waiting<H: Host>(host: &H) {
    while !lock(&host.writer().appends).is_empty() {
        // whoever holds the writer comes by here when it is done
        let Some(mut writing) = Writing::try_new(host) else { return };
        let waiting = std::mem::take(&mut *lock(&host.writer().appends));
        if !waiting.is_empty() {
            H::commit(&mut writing, waiting);
        }
        // released here and not by the drop, which would come back to this loop
        if writing.release() {
            deliver(host);
        }
    }
}

/// Delivers what changes mean for others, unless another thread is at it.
fn deliver<H: Host>(host: &H) {
    let writer = host.writer();
    writer.delivering.take(|| {
        let effects = std::mem::take(&mut *lock(&writer.effects));
        if !effects.is_empty() {
            host.deliver(effects);
        }
    });
}

/// Panics in debug builds if the thread holds a writer: what follows could wait for it for good.
#[inline]
pub(super) fn check_none_held(what: &str) {
    #[cfg(debug_assertions)]
    assert!(sync::held::get() == 0, "{what} by a thread that holds a writer");
    #[cfg(not(debug_assertions))]
    let _ = what;
}

#[inline]
fn count_held(one_more: bool) {
    #[cfg(debug_assertions)]
    sync::held::set(if one_more { sync::held::get() + 1 } else { sync::held::get().saturating_sub(1) });
    #[cfg(not(debug_assertions))]
    let _ = one_more;
}
