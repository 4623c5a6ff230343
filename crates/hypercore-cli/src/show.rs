//! Output for people, for other programs, and as JSON.

use std::fmt::Display;
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
