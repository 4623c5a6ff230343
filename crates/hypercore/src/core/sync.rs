//! The locks and counters of the [writer](super::writer), under names of their own: tests that shuffle threads put others in
//! their place (`tests/shuffled_writer.rs`).

pub(super) use std::sync::atomic::{AtomicBool, Ordering};

pub(super) use parking_lot::{Mutex, MutexGuard};

/// Tries to take a lock.
pub(super) fn try_lock<T>(lock: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    lock.try_lock()
}

/// Takes a lock.
pub(super) fn lock<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock()
}

#[cfg(debug_assertions)]
pub(super) mod held {
    //! How many writers the present thread holds: only debug builds count.

    use std::cell::Cell;

    thread_local! {
        static HELD: Cell<usize> = const { Cell::new(0) };
    }

    pub(in super::super) fn get() -> usize {
        HELD.get()
    }

    pub(in super::super) fn set(count: usize) {
        HELD.set(count);
    }
}
