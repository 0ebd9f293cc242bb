//! Time: the only module that reads clocks (invariant 1).
//!
//! Packets are ordered by their own timestamps, events by the monotonic clock ([`Mono`]). Wall-clock time is for people and
//! carries its quality.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// Monotonic time in microseconds since the clock's origin (process start, or the start of a replay).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Mono(pub u64);

impl Mono {
    /// The clock's origin.
    pub const ZERO: Mono = Mono(0);

    /// `s` seconds after the origin.
    pub fn from_s(s: f64) -> Self {
        Mono((s.max(0.0) * 1e6).round() as u64)
    }

    /// Seconds since `earlier`; zero if `earlier` is later.
    pub fn since_s(self, earlier: Mono) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 / 1e6
    }

    /// `s` seconds later.
    pub fn plus_s(self, s: f64) -> Self {
        Mono(self.0.saturating_add((s.max(0.0) * 1e6).round() as u64))
    }

    /// `s` seconds earlier; not before the origin.
    pub fn minus_s(self, s: f64) -> Self {
        Mono(self.0.saturating_sub((s.max(0.0) * 1e6).round() as u64))
    }
}

/// How far the wall clock can be trusted; on the wire `gnss`, `ntp`, `none`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockQuality {
    /// Disciplined by a satellite receiver.
    Gnss,
    /// Disciplined by NTP.
    Ntp,
    /// Not known to be disciplined.
    #[default]
    None,
}

/// One moment on both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// On the monotonic clock.
    pub mono: Mono,
    /// Milliseconds since the Unix epoch, UTC.
    pub wall_ms: i64,
    /// How far `wall_ms` can be trusted.
    pub quality: ClockQuality,
}

impl Moment {
    /// The moment `s` seconds earlier on both clocks.
    pub fn minus_s(self, s: f64) -> Self {
        self.at(self.mono.minus_s(s))
    }

    /// The moment at which the monotonic clock showed `mono`, by this moment's relation of the clocks.
    pub fn at(self, mono: Mono) -> Self {
        let delta_us = mono.0 as i64 - self.mono.0 as i64;
        Moment { mono, wall_ms: self.wall_ms + delta_us.div_euclid(1000), quality: self.quality }
    }
}

/// The seam between the pipeline and real time.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The moment on both clocks.
    fn now(&self) -> Moment;
}

/// The machine's clocks. Monotonic time counts from the clock's creation.
#[derive(Debug)]
pub struct SystemClock {
    origin: std::time::Instant,
    quality: AtomicU8,
}

impl SystemClock {
    /// Monotonic time counts from now.
    #[allow(clippy::disallowed_methods)] // The one place.
    pub fn new() -> Self {
        SystemClock { origin: std::time::Instant::now(), quality: AtomicU8::new(2) }
    }

    /// Whoever learns that the clock is disciplined (GNSS, NTP) says so here.
    pub fn set_quality(&self, quality: ClockQuality) {
        let code = match quality {
            ClockQuality::Gnss => 0,
            ClockQuality::Ntp => 1,
            ClockQuality::None => 2,
        };
        self.quality.store(code, Ordering::Relaxed);
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // The one place.
    fn now(&self) -> Moment {
        let wall = std::time::SystemTime::now();
        let wall_ms = match wall.duration_since(std::time::UNIX_EPOCH) {
            Ok(d) => d.as_millis() as i64,
            Err(e) => -(e.duration().as_millis() as i64),
        };
        let quality = match self.quality.load(Ordering::Relaxed) {
            0 => ClockQuality::Gnss,
            1 => ClockQuality::Ntp,
            _ => ClockQuality::None,
        };
        Moment { mono: Mono(self.origin.elapsed().as_micros() as u64), wall_ms, quality }
    }
}

/// A clock that moves only by [`VirtualClock::advance_to`]: replay and tests.
#[derive(Debug, Default)]
pub struct VirtualClock {
    mono_us: AtomicU64,
    wall_at_zero_ms: AtomicI64,
}

impl VirtualClock {
    /// `wall_at_zero_ms`: what the wall clock shows at monotonic zero.
    pub fn new(wall_at_zero_ms: i64) -> Arc<Self> {
        Arc::new(VirtualClock {
            mono_us: AtomicU64::new(0),
            wall_at_zero_ms: AtomicI64::new(wall_at_zero_ms),
        })
    }

    /// Moves forward to `mono`; never back.
    pub fn advance_to(&self, mono: Mono) {
        self.mono_us.fetch_max(mono.0, Ordering::Relaxed);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Moment {
        let us = self.mono_us.load(Ordering::Relaxed);
        let wall_ms = self.wall_at_zero_ms.load(Ordering::Relaxed) + (us / 1000) as i64;
        Moment { mono: Mono(us), wall_ms, quality: ClockQuality::Ntp }
    }
}

/// RFC 3339 with milliseconds and the site's offset, as the contract asks.
pub fn rfc3339(wall_ms: i64, utc_offset_s: i32) -> String {
    use chrono::{DateTime, FixedOffset, SecondsFormat, Utc};
    let utc = DateTime::<Utc>::from_timestamp_millis(wall_ms).unwrap_or_default();
    match FixedOffset::east_opt(utc_offset_s) {
        Some(offset) => utc.with_timezone(&offset).to_rfc3339_opts(SecondsFormat::Millis, false),
        None => utc.to_rfc3339_opts(SecondsFormat::Millis, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_with_offset_and_milliseconds() {
        assert_eq!(rfc3339(1_795_221_065_120, 8 * 3600), "2026-11-21T08:31:05.120+08:00");
        assert_eq!(rfc3339(0, 0), "1970-01-01T00:00:00.000+00:00");
    }

    #[test]
    fn the_virtual_clock_never_goes_back() {
        let clock = VirtualClock::new(1000);
        clock.advance_to(Mono::from_s(2.0));
        clock.advance_to(Mono::from_s(1.0));
        assert_eq!(clock.now().mono, Mono(2_000_000));
        assert_eq!(clock.now().wall_ms, 3000);
    }
}
