//! Output for people, and as JSON.

use std::io::Write;

use serde_json::Value;

use crate::failure::Result;

/// Writes a line to standard output.
pub(crate) fn line(text: impl std::fmt::Display) -> Result {
    writeln!(std::io::stdout().lock(), "{text}")?;
    Ok(())
}

/// Writes a value as JSON to standard output.
pub(crate) fn json(value: &Value) -> Result {
    line(format_args!("{value:#}"))
}

/// Says something to the person, not to the next program.
pub(crate) fn note(text: impl std::fmt::Display) {
    // standard error may be closed; the work goes on
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
