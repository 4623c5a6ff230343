//! Output for people, for other programs, and as JSON.

use std::fmt::{self, Display, Write as _};
use std::io::Write;

use serde_json::Value;
use tokio::io::{AsyncWriteExt, BufWriter, Stdout};

use crate::failure::{Failure, Result};

/// Blocks that are gathered before they are written.
const BUFFER_BYTES: usize = 64 << 10;

/// Writes a line to standard output.
///
/// # Errors
/// [`Failure::Output`].
pub(crate) fn line(text: impl Display) -> Result {
    writeln!(std::io::stdout().lock(), "{text}").map_err(Failure::Output)
}

/// Writes a value as JSON to standard output.
///
/// # Errors
/// As [`line`].
pub(crate) fn json(value: &Value) -> Result {
    line(format_args!("{value:#}"))
}

/// Says something to the person, not to the next program.
pub(crate) fn note(text: impl Display) {
    // standard error may be closed; the work goes on
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Shows a name from a store: what could move the cursor, ring or reverse the text of a terminal is escaped. A name without
/// characters is shown as `""`.
pub(crate) fn name(name: &str) -> impl Display {
    Escaped(name)
}

struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("\"\"");
        }
        self.0.chars().try_for_each(|character| match character {
            // nothing is in quotes here
            '\'' | '"' => f.write_char(character),
            _ => write!(f, "{}", character.escape_debug()),
        })
    }
}

/// Blocks on standard output.
pub(crate) struct Blocks(BufWriter<Stdout>);

impl Blocks {
    pub(crate) fn new() -> Self {
        Self(BufWriter::with_capacity(BUFFER_BYTES, tokio::io::stdout()))
    }

    /// Writes a block and what stands behind it.
    ///
    /// # Errors
    /// [`Failure::Output`].
    pub(crate) async fn write(&mut self, block: &[u8], end: &[u8]) -> Result {
        self.0.write_all(block).await.map_err(Failure::Output)?;
        self.0.write_all(end).await.map_err(Failure::Output)
    }

    /// Brings what was written to whoever reads it: to be called before there is to wait for more.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub(crate) async fn flush(&mut self) -> Result {
        self.0.flush().await.map_err(Failure::Output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_as_they_are_but_for_what_a_terminal_would_obey() {
        assert_eq!(name("log 1 – für \"alle\"").to_string(), "log 1 – für \"alle\"");
        assert_eq!(name("").to_string(), "\"\"");
        assert_eq!(name("a\u{1b}[2Jb\n\u{9b}\u{202e}\\").to_string(), r"a\u{1b}[2Jb\n\u{9b}\u{202e}\\");
    }
}
