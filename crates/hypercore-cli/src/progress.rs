//! How far a copy is: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::show;

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(2);

pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    started: Instant,
    last_line: Instant,
    blocks: u64,
    bytes: u64,
    total: u64,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        let bar = (!quiet && std::io::stderr().is_terminal()).then(bar);
        let now = Instant::now();
        Self { bar, quiet, started: now, last_line: now, blocks: 0, bytes: 0, total: 0 }
    }

    /// The log has this many blocks, and so many of them are here.
    pub(crate) fn length(&mut self, total: u64, here: u64) {
        self.total = total;
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_position(here);
        }
    }

    /// A block arrived; so many of the log are here now.
    pub(crate) fn block(&mut self, bytes: u64, here: u64) {
        self.blocks += 1;
        self.bytes += bytes;
        if let Some(bar) = &self.bar {
            bar.set_position(here);
            bar.set_message(format!("{} at {}/s", HumanBytes(self.bytes), HumanBytes(self.rate())));
        } else if !self.quiet && self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            show::note(self.line(here));
        }
    }

    pub(crate) fn finish(self) -> (u64, u64, Duration) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        (self.blocks, self.bytes, self.started.elapsed())
    }

    fn rate(&self) -> u64 {
        per_second(self.bytes, self.started.elapsed())
    }

    fn line(&self, here: u64) -> String {
        let speed = per_second(self.blocks, self.started.elapsed());
        let left = self.total.saturating_sub(here).checked_div(speed).unwrap_or(0);
        format!(
            "{here} of {} blocks, {}, {}/s, {} left",
            self.total,
            HumanBytes(self.bytes),
            HumanBytes(self.rate()),
            HumanDuration(Duration::from_secs(left)),
        )
    }
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} blocks  {msg}  {eta} left");
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// A rate, rounded down.
pub(crate) fn per_second(amount: u64, elapsed: Duration) -> u64 {
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    amount.saturating_mul(1000) / millis
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_per_second_and_never_divide_by_zero() {
        assert_eq!(per_second(500, Duration::from_millis(250)), 2000);
        assert_eq!(per_second(5, Duration::ZERO), 5000);
    }
}
