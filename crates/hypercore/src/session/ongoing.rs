//! What goes on for a session in the background, and ends with it: downloads, and the search for peers.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// What goes on for a session.
#[derive(Clone, Default)]
pub(crate) struct Ongoing(Arc<Mutex<Tasks>>);

#[derive(Default)]
struct Tasks {
    ended: bool,
    next: u64,
    ends: BTreeMap<u64, End>,
}

/// Ends something.
type End = Box<dyn FnOnce() + Send>;

/// Something that goes on. Dropping it ends it, if the session did not.
pub(crate) struct Lease {
    of: Ongoing,
    id: u64,
}

impl Ongoing {
    /// Something has begun that is ended by this: at once if the session has ended.
    pub(crate) fn begun(&self, end: impl FnOnce() + Send + 'static) -> Lease {
        let mut tasks = self.0.lock();
        let id = tasks.next;
        tasks.next = tasks.next.wrapping_add(1);
        if tasks.ended {
            drop(tasks);
            end();
        } else {
            tasks.ends.insert(id, Box::new(end));
        }
        Lease { of: self.clone(), id }
    }

    /// Ends everything, and what begins later too.
    pub(crate) fn end(&self) {
        let ends = {
            let mut tasks = self.0.lock();
            tasks.ended = true;
            std::mem::take(&mut tasks.ends)
        };
        for end in ends.into_values() {
            end();
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let end = self.of.0.lock().ends.remove(&self.id);
        if let Some(end) = end {
            end();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn each_thing_ends_once_with_its_lease_or_with_the_session() {
        let (ongoing, ended) = (Ongoing::default(), Arc::new(AtomicUsize::new(0)));
        let begin = || {
            let ended = Arc::clone(&ended);
            ongoing.begun(move || {
                ended.fetch_add(1, Ordering::Relaxed);
            })
        };
        let (first, second) = (begin(), begin());
        drop(first);
        assert_eq!(ended.load(Ordering::Relaxed), 1);
        ongoing.end();
        assert_eq!(ended.load(Ordering::Relaxed), 2);
        drop(second);
        assert_eq!(ended.load(Ordering::Relaxed), 2);
        let late = begin();
        assert_eq!(ended.load(Ordering::Relaxed), 3, "at once");
        drop(late);
        assert_eq!(ended.load(Ordering::Relaxed), 3);
    }
}
