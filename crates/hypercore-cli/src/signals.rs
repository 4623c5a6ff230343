//! Signals that ask a command to end.
//!
//! They are waited for on a thread of its own, so that nothing that a command does (a read from a terminal, a write to a pipe
//! that is full) stands between the user and Ctrl-C.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// A signal that asks to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// What `kill`, and whoever supervises processes, sends.
    Terminate,
}

impl Signal {
    /// The exit code of a command that ended because of it: 128 and the signal's number, as shells count.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

/// Tells a command that it is asked to end.
#[derive(Debug, Clone)]
pub(crate) struct Stop(watch::Receiver<Option<Signal>>);

impl Stop {
    /// Waits for the first signal, and returns it; at once if it has come.
    pub(crate) async fn asked(&mut self) -> Signal {
        match self.0.wait_for(Option::is_some).await.map(|signal| *signal) {
            Ok(Some(signal)) => signal,
            // the thread that waits for signals is gone: none will come
            _ => std::future::pending().await,
        }
    }
}

/// Waits for signals from now on: `seen` is called with each, and what is returned tells of the first.
///
/// # Errors
/// If the system refuses to tell of signals.
pub(crate) fn watch(seen: impl Fn(Signal) + Send + 'static) -> std::io::Result<Stop> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let entered = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    drop(entered);
    let (first, stop) = watch::channel(None);
    let wait = async move {
        loop {
            let signal = tokio::select! {
                Some(()) = interrupt.recv() => Signal::Interrupt,
                Some(()) = terminate.recv() => Signal::Terminate,
                else => return,
            };
            first.send_modify(|first| {
                first.get_or_insert(signal);
            });
            seen(signal);
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(move || runtime.block_on(wait))?;
    Ok(Stop(stop))
}
