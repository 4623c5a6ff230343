//! Bounds of what an application can ask for.

use crate::{Error, Result};

/// The highest number that can be stored and sent: fork, length, index. As npm compact-encoding 3.5.2, `index.js` (`uint`).
pub(crate) const MAX_NUMBER: u64 = (1 << 53) - 1;
/// How far behind the end of the log blocks can be marked: marks are stored in pages, and each page of a range is written.
pub(crate) const MAX_MARKS_AHEAD: u64 = 1 << 21;

/// Fails if a number that an application gave is above what can be stored. `what` names the argument.
pub(crate) fn check_number(what: &str, number: u64) -> Result<()> {
    if number > MAX_NUMBER {
        return Err(Error::BadArgument(format!("{what} {number} is above {MAX_NUMBER}")));
    }
    Ok(())
}
