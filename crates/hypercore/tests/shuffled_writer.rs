//! The writer of a core with its threads shuffled: each test runs under thousands of schedules, and fails where one of them
//! waits for good, loses a change or tells of changes in another order than that in which they were made.
//!
//! `src/core/writer` is compiled here over the locks of `shuttle`, with a host that does what a core does: what it is told makes
//! it pump a replicator, whose outputs take the writer again.

#![allow(dead_code, reason = "the writer is compiled as it is, and a test needs a part of it")]

use std::collections::VecDeque;

use shuttle::sync::Arc;
use shuttle::{check_pct, check_random, thread};

mod sync {
    pub(super) use shuttle::sync::atomic::{AtomicBool, Ordering};
    pub(super) use shuttle::sync::{Mutex, MutexGuard};

    pub(super) fn try_lock<T>(lock: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
        lock.try_lock().ok()
    }

    pub(super) fn lock<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
        lock.lock().unwrap()
    }

    pub(super) mod held {
        use std::cell::Cell;

        shuttle::thread_local! {
            static HELD: Cell<usize> = Cell::new(0);
        }

        pub(in super::super) fn get() -> usize {
            HELD.with(Cell::get)
        }

        pub(in super::super) fn set(count: usize) {
            HELD.with(|held| held.set(count));
        }
    }
}

#[path = "../src/core/writer/mod.rs"]
mod writer;

use sync::{Mutex, lock};
use writer::{Host, Turn, Writer, Writing, WritingAll, check_none_held, commit_waiting, queue};

/// How many schedules of each kind a test runs under.
const SCHEDULES: usize = 2_000;

/// A change of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Append(u32),
    Truncate,
    Clear,
    /// A block that a peer sent is stored.
    Apply(u32),
    /// A peer was heard to have everything.
    RemoteLength,
}

/// What the replicator gives a core to do.
#[derive(Debug, Clone, Copy)]
enum Output {
    Apply(u32),
    RemoteLength,
}

/// A core: its log is the list of its changes.
#[derive(Default)]
struct Model {
    writer: Writer<u32, Change>,
    log: Mutex<Vec<Change>>,
    told: Mutex<Vec<Change>>,
    outputs: Mutex<VecDeque<Output>>,
    pumping: Turn,
}

impl Host for Model {
    type Append = u32;
    type Effect = Change;

    fn writer(&self) -> &Writer<u32, Change> {
        &self.writer
    }

    fn commit(writing: &mut Writing<'_, Self>, appends: Vec<u32>) {
        for append in appends {
            writing.change(Change::Append(append));
        }
    }

    fn deliver(&self, effects: VecDeque<Change>) {
        lock(&self.told).extend(effects);
        self.pump();
    }
}

impl Writing<'_, Model> {
    fn change(&mut self, change: Change) {
        lock(&self.host().log).push(change);
        self.effect(change);
    }
}

impl Model {
    /// As `Core::append_inline`.
    fn append(&self, block: u32) {
        match Writing::alone(self) {
            Some(mut writing) => writing.change(Change::Append(block)),
            None => {
                queue(self, block);
                commit_waiting(self);
            }
        }
    }

    fn change(&self, change: Change) {
        Writing::new(self).change(change);
    }

    /// A peer sent something.
    fn hears(&self, output: Output) {
        check_none_held("the replicator was to be fed");
        lock(&self.outputs).push_back(output);
        self.pump();
    }

    /// As `Core::pump`.
    fn pump(&self) {
        check_none_held("the replicator's outputs were to be carried out");
        self.pumping.take(|| {
            loop {
                let Some(output) = lock(&self.outputs).pop_front() else { return };
                match output {
                    Output::Apply(block) => self.change(Change::Apply(block)),
                    Output::RemoteLength => self.change(Change::RemoteLength),
                }
            }
        });
    }

    /// What holds once all threads are done.
    fn check(&self, mut expected: Vec<Change>) {
        let log = lock(&self.log).clone();
        assert_eq!(log, *lock(&self.told), "told in the order of the changes, each once");
        let mut all = log;
        let order = |change: &Change| match change {
            Change::Append(n) => (0, *n),
            Change::Truncate => (1, 0),
            Change::Clear => (2, 0),
            Change::Apply(n) => (3, *n),
            Change::RemoteLength => (4, 0),
        };
        all.sort_by_key(order);
        expected.sort_by_key(order);
        assert_eq!(all, expected, "every change is made, once");
        assert!(lock(&self.outputs).is_empty(), "what a peer sent is carried out");
    }
}

type Act = Box<dyn Fn(&Model) + Send + Sync>;

/// Runs each of these on a thread of its own, under many schedules.
fn shuffled(acts: fn() -> Vec<Act>, expected: fn() -> Vec<Change>) {
    let run = move || {
        let model = Arc::new(Model::default());
        let threads: Vec<_> = acts()
            .into_iter()
            .map(|act| {
                let model = Arc::clone(&model);
                thread::spawn(move || act(&model))
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        model.check(expected());
    };
    check_random(run, SCHEDULES);
    check_pct(run, SCHEDULES, 3);
}

#[test]
fn regression_a_writer_truncates_beside_a_complete_reader() {
    shuffled(
        || {
            vec![
                Box::new(|model| model.change(Change::Truncate)),
                Box::new(|model| model.hears(Output::RemoteLength)),
                Box::new(|model| (1..3).for_each(|block| model.append(block))),
            ]
        },
        || vec![Change::Truncate, Change::RemoteLength, Change::Append(1), Change::Append(2)],
    );
}

#[test]
fn regression_a_writer_goes_on_beside_a_peer_that_claims_more_than_there_is() {
    shuffled(
        || {
            vec![
                Box::new(|model| model.append(1)),
                Box::new(|model| model.append(2)),
                Box::new(|model| (0..2).for_each(|_| model.hears(Output::RemoteLength))),
                Box::new(|model| model.append(3)),
            ]
        },
        || {
            vec![
                Change::Append(1),
                Change::Append(2),
                Change::Append(3),
                Change::RemoteLength,
                Change::RemoteLength,
            ]
        },
    );
}

#[test]
fn regression_a_reader_clears_in_the_middle_of_a_download() {
    shuffled(
        || {
            vec![
                Box::new(|model| (0..2).for_each(|block| model.hears(Output::Apply(block)))),
                Box::new(|model| model.hears(Output::Apply(2))),
                Box::new(|model| model.change(Change::Clear)),
                Box::new(|model| model.change(Change::Clear)),
            ]
        },
        || vec![Change::Apply(0), Change::Apply(1), Change::Apply(2), Change::Clear, Change::Clear],
    );
}

#[test]
fn d16_an_atom_over_two_cores_is_flushed_beside_appends_to_both() {
    let run = || {
        let cores: Vec<Arc<Model>> = (0..2).map(|_| Arc::new(Model::default())).collect();
        let both = cores.clone();
        let mut threads = vec![thread::spawn(move || {
            let hosts: Vec<&Model> = both.iter().map(|core| &**core).collect();
            let mut writing = WritingAll::new(&hosts);
            for host in &hosts {
                let held = writing.of(|core| std::ptr::eq(core, *host)).unwrap();
                held.change(Change::Truncate);
            }
        })];
        for core in &cores {
            let core = Arc::clone(core);
            threads.push(thread::spawn(move || {
                core.append(1);
                core.hears(Output::RemoteLength);
            }));
        }
        for thread in threads {
            thread.join().unwrap();
        }
        for core in &cores {
            core.check(vec![Change::Truncate, Change::Append(1), Change::RemoteLength]);
        }
    };
    check_random(run, SCHEDULES);
    check_pct(run, SCHEDULES, 3);
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "the replicator was to be fed by a thread that holds a writer")]
fn the_replicator_is_not_fed_by_a_thread_that_holds_a_writer() {
    check_random(
        || {
            let model = Model::default();
            let _writing = Writing::new(&model);
            model.hears(Output::RemoteLength);
        },
        1,
    );
}
