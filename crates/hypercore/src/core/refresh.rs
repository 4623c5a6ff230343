//! Taking over what another process wrote, in a store that follows it.

use hc_replicator::Local;

use super::Core;
use super::state::{State, verifier_of};
use crate::Result;
use crate::events::Event;

impl Core {
    /// Reads the core's state again, and tells what changed. Only in a store that is read-only.
    pub(crate) fn refresh(&self) -> Result<bool> {
        let mut writing = self.writing();
        let before = self.status();
        let auth = self.0.disk.auth()?;
        let verifier = verifier_of(auth.key, auth.manifest.as_ref());
        let fresh = State::load(&self.0.disk, auth, verifier)?;
        writing.become_state(fresh);
        let after = self.status();
        if after.fork != before.fork || after.length < before.length {
            let (length, fork) = (after.length.min(before.length), after.fork);
            writing.truncated(length, fork);
        }
        if after.length > before.length || after.fork != before.fork {
            writing.emit(|| Event::Append { length: after.length, byte_length: after.byte_length });
            writing.replicate(Local::Upgraded { length: after.length });
        }
        if after.contiguous_length > before.contiguous_length {
            let (start, end) = (before.contiguous_length, after.contiguous_length);
            writing.replicate(Local::Stored { start, end });
        }
        Ok(before != after)
    }
}
