//! A core whose owner signed two different logs.

use super::Core;
use crate::Result;

impl Core {
    /// Fails if somebody signed two different logs with this core's key.
    pub(crate) fn check_conflict(&self) -> Result<()> {
        Ok(())
    }
}
