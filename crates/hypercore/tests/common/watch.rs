//! A thread that sees runs which hang: also where all threads of their runtime do, so that no timer comes any more.

use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::runtime;

/// How long a run may take. Each of its steps has a limit of its own, far below.
const LONGEST: Duration = Duration::from_secs(90);
/// How often it is looked at.
const STEP: Duration = Duration::from_millis(200);

/// The runs that are under way.
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<Mutex<Runs>>);

#[derive(Default)]
struct Runs {
    begun: u64,
    running: BTreeMap<u64, (String, Instant)>,
}

/// A run that is under way until this is dropped.
pub(crate) struct Watched {
    watch: Watch,
    id: u64,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.watch.0.lock().unwrap().running.remove(&self.id);
    }
}

impl Watch {
    /// Does something on a runtime of its own, and panics if a run takes too long.
    pub(crate) fn over<T: Send + 'static, F: Future<Output = T>>(
        threads: usize,
        does: impl FnOnce(Self) -> F + Send + 'static,
    ) -> T {
        let watch = Self::default();
        let (done, end) = channel();
        let inside = watch.clone();
        let runs = std::thread::spawn(move || {
            let runtime = runtime(threads);
            let all = runtime.block_on(does(inside));
            runtime.shutdown_timeout(Duration::from_secs(1));
            let _ = done.send(());
            all
        });
        while end.recv_timeout(STEP) == Err(RecvTimeoutError::Timeout) {
            let hanging = watch.hanging();
            assert!(hanging.is_empty(), "these runs hang:\n{}", hanging.join("\n"));
        }
        runs.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    pub(crate) fn begin(&self, what: String) -> Watched {
        let mut runs = self.0.lock().unwrap();
        runs.begun += 1;
        let id = runs.begun;
        runs.running.insert(id, (what, Instant::now()));
        Watched { watch: self.clone(), id }
    }

    fn hanging(&self) -> Vec<String> {
        let runs = self.0.lock().unwrap();
        runs.running
            .values()
            .filter(|(_, begun)| begun.elapsed() > LONGEST)
            .map(|(what, _)| what.clone())
            .collect()
    }
}
