//! What a decoder costs: time, and memory at its peak.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

/// Bytes that any input may cost.
pub const FREE: u64 = 64 * 1024;
/// Bytes that each byte of the input may cost on top.
pub const PER_BYTE: u64 = 4;
/// Time that each 64 KiB of input, begun or whole, may cost.
pub const SLOW: Duration = Duration::from_millis(50);
const SLOW_UNIT: usize = 64 * 1024;

/// Measures what is run in it.
#[derive(Debug, Default)]
pub struct Probe {
    /// The most bytes that one run held at the same time.
    pub peak: u64,
    /// The time of all runs together.
    pub elapsed: Duration,
}

impl Probe {
    /// Runs something and measures it.
    pub fn watch<T>(&mut self, run: impl FnOnce() -> T) -> T {
        let (mut outcome, started) = (None, Instant::now());
        // caught inside, because the counter would not find its way back through a panic
        let info = allocation_counter::measure(|| outcome = Some(catch_unwind(AssertUnwindSafe(run))));
        self.elapsed += started.elapsed();
        self.peak = self.peak.max(info.bytes_max);
        match outcome {
            Some(Ok(value)) => value,
            Some(Err(panic)) => resume_unwind(panic),
            None => unreachable!("measuring runs what it measures"),
        }
    }
}

/// The time that an input may take.
#[must_use]
pub fn time_limit(len: usize) -> Duration {
    SLOW * u32::try_from(len.div_ceil(SLOW_UNIT)).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_counted_and_a_panic_goes_on() {
        let mut probe = Probe::default();
        let kept = probe.watch(|| (vec![0_u8; 10_000], drop(vec![0_u8; 50_000])).0);
        assert_eq!(kept.len(), 10_000);
        assert_eq!(probe.peak, 60_000);
        assert!(catch_unwind(AssertUnwindSafe(|| probe.watch(|| assert!(kept.is_empty())))).is_err());
        let mut after = Probe::default();
        after.watch(|| drop(vec![0_u8; 100]));
        assert_eq!(after.peak, 100, "a panic does not unsettle the counter");
    }

    #[test]
    fn time_grows_with_each_64_kib() {
        assert_eq!(time_limit(0), SLOW);
        assert_eq!(time_limit(65_536), SLOW);
        assert_eq!(time_limit(65_537), SLOW * 2);
    }
}
