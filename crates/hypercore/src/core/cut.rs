//! Making the log shorter, and taking single blocks away.
//!
//! Follows npm hypercore 11.37.1, `lib/session-state.js` (`truncate`, `clear`).

use hc_replicator::{Input, Local};

use super::{Core, Signer};
use crate::Result;
use crate::events::Event;

impl Core {
    /// Cuts the log to a length, on a fork.
    pub(crate) async fn truncate(&self, length: u64, fork: u64, signer: Signer) -> Result<()> {
        let core = self.clone();
        crate::storage::blocking(move || core.truncate_blocking(length, fork, signer)).await?;
        self.acknowledged().await
    }

    fn truncate_blocking(&self, length: u64, fork: u64, signer: Signer) -> Result<()> {
        let writing = self.0.writer.lock();
        let state = self.0.state.read();
        let planned = self.line(&state).truncate(length, fork, &signer.into())?;
        drop(state);
        self.commit_planned(planned)?;
        self.after_cut(length, fork);
        drop(writing);
        // appends that came meanwhile found the writer taken
        self.drive_writer();
        Ok(())
    }

    /// The log was cut: snapshots, peers and subscribers are told.
    pub(super) fn after_cut(&self, length: u64, fork: u64) {
        self.0.branches.cut(length, None);
        self.announce_cut(length, fork);
        self.emit(|| Event::Truncate { length, fork });
    }

    /// Takes blocks away; and how many there were.
    pub(crate) async fn clear(&self, start: u64, end: u64) -> Result<u64> {
        let core = self.clone();
        let cleared = crate::storage::blocking(move || core.clear_blocking(start, end)).await?;
        self.acknowledged().await?;
        Ok(cleared)
    }

    fn clear_blocking(&self, start: u64, end: u64) -> Result<u64> {
        let writing = self.0.writer.lock();
        let state = self.0.state.read();
        let (planned, cleared) = self.line(&state).clear(start, end)?;
        drop(state);
        self.commit_planned(planned)?;
        self.input(Input::Local(Local::Cleared { start, end }));
        drop(writing);
        self.drive_writer();
        Ok(cleared)
    }
}
