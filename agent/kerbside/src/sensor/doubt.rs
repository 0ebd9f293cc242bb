//! Which fixes are not believed. Pure.

use kerbside_domain::time::Mono;
use kerbside_site::geo::distance_m;

use super::fix::{Fix, FixDoubt, FixQuality};

/// A fix that lies further from those before than this is a jump, m. A box on a street does not move; multipath errors
/// between houses stay below a kilometre.
const JUMP_M: f64 = 5_000.0;
/// How much the receiver's clock may differ from ours between two fixes, ms.
const TIME_SLACK_MS: i64 = 5_000;
/// A new place is believed after this many fixes in a row that agree with each other: a minute at one fix a second.
const AGREEING_FIXES: u32 = 60;
/// More wrong checksums among the last 64 lines than this cast doubt on the line to the receiver.
const MAX_WRONG_CHECKSUMS: u32 = 6;

/// Decides which fixes are not believed: spoofed, corrupted or simulated ones.
#[derive(Debug, Default)]
pub(super) struct DoubtJudge {
    trusted: Option<(f64, f64)>,
    /// The box moves: what is trusted moves with it.
    pub(super) follows: bool,
    rival: Option<((f64, f64), u32)>,
    last_time: Option<(i64, Mono)>,
    /// Of the last 64 lines, one bit each: the checksum was wrong.
    wrong: u64,
}

impl DoubtJudge {
    pub(super) fn line(&mut self, good: bool) {
        self.wrong = self.wrong << 1 | u64::from(!good);
    }

    pub(super) fn of(&mut self, fix: &Fix) -> Vec<FixDoubt> {
        let mut doubts = Vec::new();
        if self.jumps((fix.lon_deg, fix.lat_deg)) {
            doubts.push(FixDoubt::Jump);
        }
        if fix.utc_ms.is_some_and(|utc| self.time_jumps(utc, fix.at.mono)) {
            doubts.push(FixDoubt::TimeJump);
        }
        if self.wrong.count_ones() > MAX_WRONG_CHECKSUMS {
            doubts.push(FixDoubt::Checksums);
        }
        if fix.quality == FixQuality::Simulated {
            doubts.push(FixDoubt::Simulated);
        }
        doubts
    }

    fn jumps(&mut self, at: (f64, f64)) -> bool {
        let Some(trusted) = self.trusted else {
            self.trusted = Some(at);
            return false;
        };
        if distance_m(trusted, at) <= JUMP_M {
            self.rival = None;
            if self.follows {
                self.trusted = Some(at);
            }
            return false;
        }
        let agreeing = match self.rival {
            Some((place, n)) if distance_m(place, at) <= JUMP_M => n + 1,
            _ => 1,
        };
        self.rival = Some((at, agreeing));
        if agreeing >= AGREEING_FIXES {
            (self.trusted, self.rival) = (Some(at), None);
        }
        true
    }

    fn time_jumps(&mut self, utc_ms: i64, mono: Mono) -> bool {
        let Some((before_ms, before)) = self.last_time.replace((utc_ms, mono)) else { return false };
        let elapsed_ms = (mono.since_s(before) * 1000.0) as i64;
        (utc_ms - before_ms - elapsed_ms).abs() > TIME_SLACK_MS
    }
}
