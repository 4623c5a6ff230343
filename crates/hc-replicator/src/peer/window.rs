//! How many requests a peer may have open.
//!
//! The smallest window times eight up to 50 ms of round trip, growing with the round trip above that, within the
//! configured bounds; many peers share the growth. Answers that the driver is still verifying do not count as in
//! flight, but when too many of them (or too many bytes) wait, nothing more is asked for.
//!
//! Follows npm hypercore 11.37.1, lib/replicator.js (getMaxInflight); Node multiplies by three where it has no
//! round-trip time.

use crate::limits::{MAX_APPLYING, MAX_APPLYING_BYTES, SCALE_LATENCY};

/// The smallest window is widened by this where the round trip is short.
const BASE_FACTOR: usize = 8;

#[derive(Debug, Default)]
pub(crate) struct Window {
    inflight: usize,
    applying: usize,
    applying_bytes: u64,
    /// Smoothed round trip in sixteenths of a millisecond.
    rtt: u64,
    /// The transport told the round trip, so requests are not measured.
    told: bool,
}

impl Window {
    pub(crate) fn has_room(&self, bounds: (usize, usize), peers: usize) -> bool {
        self.inflight < self.size(bounds, peers)
            && self.applying < MAX_APPLYING
            && self.applying_bytes < MAX_APPLYING_BYTES
    }

    /// Requests that may be open.
    fn size(&self, (least, most): (usize, usize), peers: usize) -> usize {
        let base = least.saturating_mul(BASE_FACTOR);
        let rtt = self.rtt / 16;
        let scaled = if rtt <= SCALE_LATENCY {
            base
        } else {
            let grown = base.saturating_mul(rtt as usize) / SCALE_LATENCY as usize;
            grown.saturating_mul(2) / peers.max(2)
        };
        scaled.clamp(least.max(1), most.max(least).max(1))
    }

    pub(crate) const fn sent(&mut self) {
        self.inflight += 1;
    }

    /// An answer (or none any more) after `millis`; `None` if it says nothing about the round trip.
    pub(crate) const fn answered(&mut self, millis: Option<u64>) {
        self.inflight = self.inflight.saturating_sub(1);
        if let (Some(millis), false) = (millis, self.told) {
            let sample = if millis > 60_000 { 60_000 } else { millis };
            self.rtt = if self.rtt == 0 { sample * 16 } else { self.rtt - self.rtt / 16 + sample };
        }
    }

    pub(crate) const fn tell_rtt(&mut self, millis: u64) {
        self.told = true;
        self.rtt = if millis > 60_000 { 60_000 * 16 } else { millis * 16 };
    }

    pub(crate) const fn applying(&mut self, bytes: u64) {
        self.applying += 1;
        self.applying_bytes += bytes;
    }

    pub(crate) const fn applied(&mut self, bytes: u64) {
        self.applying = self.applying.saturating_sub(1);
        self.applying_bytes = self.applying_bytes.saturating_sub(bytes);
    }

    pub(crate) const fn inflight(&self) -> usize {
        self.inflight
    }

    pub(crate) const fn applying_count(&self) -> usize {
        self.applying
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn j4_window_scales_with_the_round_trip_within_its_bounds() {
        let mut window = Window::default();
        assert_eq!(window.size((16, 512), 1), 128);
        window.tell_rtt(100);
        assert_eq!(window.size((16, 512), 1), 256);
        assert_eq!(window.size((16, 512), 8), 64);
        window.tell_rtt(10_000);
        assert_eq!(window.size((16, 512), 1), 512);
        assert_eq!(window.size((1, 1), 1), 1);
        assert_eq!(window.size((0, 0), 1), 1);
    }
}
