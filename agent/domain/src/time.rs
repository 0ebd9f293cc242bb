//! Time: the only module that reads clocks (invariant 1).
//!
//! Packets are ordered by their own timestamps, events by the monotonic clock ([`Mono`]). Wall-clock time is for people and
//! carries its quality. How old something is follows from what the box lived through ([`Moment::age_s`]): a wall clock may stand
//! anywhere, also while somebody vouches for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// How much of the time for which the box was off counts towards an age, as a share of the time for which it ran. Only the wall
/// clock knows that time, so whoever sets the wall clock can make nothing older than that.
const OFF_SHARE: f64 = 0.5;

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

/// How far the wall clock can be trusted; on the wire `gnss`, `ntp`, `replay`, `none`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockQuality {
    /// Disciplined by a satellite receiver.
    Gnss,
    /// Disciplined by NTP.
    Ntp,
    /// Made up: a clip is played, and nobody knows when it was taken. Its dates agree with each other.
    Replay,
    /// Not known to be disciplined.
    #[default]
    None,
}

impl ClockQuality {
    /// It shows the world's time.
    pub fn is_disciplined(self) -> bool {
        matches!(self, ClockQuality::Gnss | ClockQuality::Ntp)
    }

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            ClockQuality::Gnss => "gnss",
            ClockQuality::Ntp => "ntp",
            ClockQuality::Replay => "replay",
            ClockQuality::None => "none",
        }
    }
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
        let wall_ms = self.wall_ms.saturating_add(delta_us.div_euclid(1000));
        Moment { mono, wall_ms, quality: self.quality }
    }

    /// Somebody vouches for the wall clock.
    pub fn is_vouched(self) -> bool {
        self.quality != ClockQuality::None
    }

    /// How far the wall clock moved since `then` beyond the monotonic clock, ms: the box was off or asleep, or the clock was set.
    pub fn wall_gained_ms(self, then: Moment) -> i64 {
        let lived_ms = (self.mono.0 as i64).saturating_sub(then.mono.0 as i64) / 1000;
        self.wall_ms.saturating_sub(then.wall_ms).saturating_sub(lived_ms)
    }

    /// `then` with the date that follows from this moment, if nobody vouched for its own and somebody does for this.
    pub fn dating(self, then: Moment) -> Moment {
        if self.is_vouched() && !then.is_vouched() { self.at(then.mono) } else { then }
    }

    /// How old what was made at `then` is, s, by what the box lived through. Both on a monotonic clock that counts on over
    /// restarts. Time for which the box was off counts only as far as two vouched wall clocks tell it, and at most half as much
    /// as the time for which it ran.
    pub fn age_s(self, then: Moment) -> f64 {
        let lived_s = self.mono.since_s(then.mono);
        if !self.is_vouched() || !then.is_vouched() {
            return lived_s;
        }
        let off_s = self.wall_gained_ms(then) as f64 / 1000.0;
        lived_s + off_s.clamp(0.0, lived_s * OFF_SHARE)
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
            ClockQuality::Replay | ClockQuality::None => 2,
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

/// A clock that counts on where an earlier one ended: what it shows is the time for which the box ran, over all its starts.
#[derive(Debug)]
pub struct LivedClock {
    clock: Arc<dyn Clock>,
    before_us: u64,
}

impl LivedClock {
    /// `ended`: what the earlier clock showed last. A clock that shows more already goes on as it is.
    pub fn after(ended: Mono, clock: Arc<dyn Clock>) -> Self {
        let before_us = ended.0.saturating_sub(clock.now().mono.0);
        LivedClock { clock, before_us }
    }
}

impl Clock for LivedClock {
    fn now(&self) -> Moment {
        let now = self.clock.now();
        Moment { mono: Mono(now.mono.0.saturating_add(self.before_us)), ..now }
    }
}

/// A clock that moves only by [`VirtualClock::advance_to`], and whose wall clock can be set: replay and tests.
#[derive(Debug, Default)]
pub struct VirtualClock {
    mono_us: AtomicU64,
    wall_at_zero_ms: AtomicI64,
    /// Nobody vouches for the wall clock.
    is_unvouched: AtomicBool,
    /// A clip is played.
    is_replay: bool,
}

impl VirtualClock {
    /// `wall_at_zero_ms`: what the wall clock shows at monotonic zero.
    pub fn new(wall_at_zero_ms: i64) -> Arc<Self> {
        Arc::new(VirtualClock { wall_at_zero_ms: AtomicI64::new(wall_at_zero_ms), ..VirtualClock::default() })
    }

    /// The clock of a replay: its dates agree with each other, and say so.
    pub fn of_replay(wall_at_zero_ms: i64) -> Arc<Self> {
        Arc::new(VirtualClock {
            wall_at_zero_ms: AtomicI64::new(wall_at_zero_ms),
            is_replay: true,
            ..VirtualClock::default()
        })
    }

    /// Somebody sets the wall clock.
    pub fn set_wall(&self, wall_ms: i64) {
        let us = self.mono_us.load(Ordering::Relaxed);
        self.wall_at_zero_ms.store(wall_ms.saturating_sub((us / 1000) as i64), Ordering::Relaxed);
    }

    /// Whether somebody vouches for the wall clock from now on. At first somebody does.
    pub fn set_vouched(&self, is_vouched: bool) {
        self.is_unvouched.store(!is_vouched, Ordering::Relaxed);
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
        let quality = match (self.is_replay, self.is_unvouched.load(Ordering::Relaxed)) {
            (true, _) => ClockQuality::Replay,
            (false, true) => ClockQuality::None,
            (false, false) => ClockQuality::Ntp,
        };
        Moment { mono: Mono(us), wall_ms, quality }
    }
}

/// A time of RFC 3339 as wall clock, ms; `None`: it is none.
pub fn instant_ms(text: &str) -> Option<i64> {
    chrono::DateTime::parse_from_rfc3339(text).ok().map(|at| at.timestamp_millis())
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

/// A wait that doubles with each try, s: `first_s` before the first (`tries` 0), `longest_s` at the most.
#[must_use]
pub fn doubled_s(first_s: f64, tries: u32, longest_s: f64) -> f64 {
    (first_s * 2f64.powi(tries.min(32) as i32)).min(longest_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_doubles_up_to_the_longest() {
        let waits = [0, 1, 2, 5, 6, u32::MAX].map(|tries| doubled_s(2.0, tries, 100.0));
        assert_eq!(waits, [2.0, 4.0, 8.0, 64.0, 100.0, 100.0]);
    }

    #[test]
    fn times_are_written_with_offset_and_milliseconds() {
        assert_eq!(rfc3339(1_795_221_065_120, 8 * 3600), "2026-11-21T08:31:05.120+08:00");
        assert_eq!(rfc3339(0, 0), "1970-01-01T00:00:00.000+00:00");
        assert_eq!(instant_ms("2026-11-21T08:31:05.120+08:00"), Some(1_795_221_065_120));
        assert_eq!(instant_ms("2026-11-21T00:31:05.12Z"), Some(1_795_221_065_120));
        assert_eq!(["2026-11-21", "tomorrow", ""].map(instant_ms), [None; 3]);
    }

    #[test]
    fn the_virtual_clock_never_goes_back() {
        let clock = VirtualClock::new(1000);
        clock.advance_to(Mono::from_s(2.0));
        clock.advance_to(Mono::from_s(1.0));
        assert_eq!(clock.now().mono, Mono(2_000_000));
        assert_eq!(clock.now().wall_ms, 3000);
    }

    #[test]
    fn a_replay_agrees_with_itself_and_with_no_clock_of_the_world() {
        let replay = VirtualClock::of_replay(1000).now().quality;
        assert_eq!(replay.as_str(), "replay");
        assert!(!replay.is_disciplined() && VirtualClock::new(1000).now().quality.is_disciplined());
        for quality in [ClockQuality::Gnss, ClockQuality::Ntp, ClockQuality::Replay, ClockQuality::None] {
            let written = serde_json::to_value(quality).expect("a word");
            assert_eq!(written, quality.as_str());
        }
    }

    const DAY_MS: i64 = 86_400_000;

    fn moment(lived_days: f64, wall_days: f64, quality: ClockQuality) -> Moment {
        Moment {
            mono: Mono::from_s(lived_days * 86_400.0),
            wall_ms: (wall_days * DAY_MS as f64) as i64,
            quality,
        }
    }

    #[test]
    fn an_age_is_what_the_box_lived_through_wherever_its_wall_clock_stands() {
        let (ntp, none) = (ClockQuality::Ntp, ClockQuality::None);
        let then = moment(100.0, 20_000.0, ntp);
        let table = [
            ("ten days later", moment(110.0, 20_010.0, ntp), 10.0),
            ("the clock 40 days ahead, and somebody vouches", moment(110.0, 20_050.0, ntp), 15.0),
            ("at once 40 days ahead", moment(100.0, 20_040.0, ntp), 0.0),
            ("in 2106", moment(110.0, 49_700.0, ntp), 15.0),
            ("in 1970", moment(110.0, 0.0, none), 10.0),
            ("back by a year", moment(110.0, 19_645.0, ntp), 10.0),
            ("off for a third of the time", moment(110.0, 20_015.0, ntp), 15.0),
            ("off each night", moment(110.0, 20_020.0, ntp), 15.0),
            ("dated after now: another box's", moment(90.0, 20_000.0, ntp), 0.0),
        ];
        for (name, now, days) in table {
            assert!(
                (now.age_s(then) - days * 86_400.0).abs() < 1.0,
                "{name}: {}",
                now.age_s(then) / 86_400.0
            );
        }
        let unvouched = moment(100.0, 0.0, none);
        assert_eq!(moment(110.0, 20_010.0, ntp).age_s(unvouched), 10.0 * 86_400.0);
    }

    #[test]
    fn a_lived_clock_counts_on_and_leaves_the_wall_clock_as_it_is() {
        let clock = VirtualClock::new(1000);
        let lived = LivedClock::after(Mono::from_s(500.0), clock.clone());
        clock.advance_to(Mono::from_s(2.0));
        assert_eq!((lived.now().mono, lived.now().wall_ms), (Mono::from_s(502.0), 3000));
        let same = LivedClock::after(Mono::from_s(1.0), clock.clone());
        assert_eq!(same.now(), clock.now(), "the earlier clock was this one");
        clock.set_wall(-5);
        clock.set_vouched(false);
        assert_eq!((lived.now().wall_ms, lived.now().quality), (-5, ClockQuality::None));
    }
}
