//! Groups: cores about one topic, and which of them were updated last.
//!
//! A core may belong to one group. Each new head of the core then also moves it to the newest place of the group's list of
//! updates, in the same batch, and those who watch the group are told.
//!
//! Follows npm hypercore 11.37.1, `lib/core.js` (`setGroup`) and `lib/session-state.js` (`updateGroupIndex`).

use super::Core;
use super::state::Committed;
use crate::{Error, Result};

impl Core {
    /// The topic of the core's group.
    #[must_use]
    pub fn group(&self) -> Option<[u8; 32]> {
        self.0.state.read().group().and_then(|group| group.topic)
    }

    /// Makes the core a member of the group about a topic, for good.
    pub(crate) fn set_group(&self, topic: &[u8; 32]) -> Result<()> {
        let mut writing = self.writing();
        if let Some(present) = self.group() {
            if present == *topic {
                return Ok(());
            }
            let reason = "the core is in another group already";
            return Err(Error::StorageConflict { reason, discovery_key: Some(*self.discovery_key()) });
        }
        let group = self.0.storage.store().create_group(topic)?;
        let mut write = self.0.disk.write();
        write.group(&group);
        self.0.disk.commit(write)?;
        writing.take_over(Committed { group: Some(group), ..Committed::default() });
        Ok(())
    }
}
