//! Whether a box that does not move is suddenly elsewhere, or its signal is forged: told within seconds, also before the mean is
//! settled. Pure.

use std::collections::VecDeque;

use kerbside_site::geo::distance_m;

use super::fix::Fix;
use super::median::middle;

/// Fixes in a row that must agree that the box is elsewhere, or home again: multipath throws single ones.
const AGREEING: u32 = 5;
/// So far from home is elsewhere, m. Errors between high houses reach some tens of metres.
const AWAY_M: f64 = 100.0;
/// The same in accuracies of the fix.
const AWAY_ACCURACIES: f64 = 5.0;
/// Fixes whose middle is home until the mean is.
const FIRST: usize = 30;

/// What a fix shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Jump {
    /// The box is this far from home.
    Away {
        /// Metres; of a box that moves nobody knows.
        away_m: Option<f64>,
    },
    /// It is home again.
    Back,
}

/// Follows the fixes of a box that does not move.
#[derive(Debug, Default)]
pub(super) struct JumpWatch {
    first: VecDeque<(f64, f64)>,
    elsewhere: u32,
    home: u32,
    is_away: bool,
}

impl JumpWatch {
    /// Of a box that moves: a fix that cannot be reached from the one before, or none. How far is not known.
    pub(super) fn of_doubt(&mut self, jumps: bool) -> Option<Jump> {
        let turned = jumps != self.is_away;
        self.is_away = jumps;
        turned.then_some(if jumps { Jump::Away { away_m: None } } else { Jump::Back })
    }

    /// Takes a fix. `mean`: the best position so far, if a block has given one.
    pub(super) fn push(&mut self, fix: &Fix, mean: Option<(f64, f64)>) -> Option<Jump> {
        let at = (fix.lon_deg, fix.lat_deg);
        let Some(home) = mean.or_else(|| self.middle()) else {
            self.first.push_back(at);
            return None;
        };
        let away_m = distance_m(home, at);
        let is_elsewhere = away_m > AWAY_M.max(AWAY_ACCURACIES * fix.accuracy_m());
        (self.elsewhere, self.home) = if is_elsewhere { (self.elsewhere + 1, 0) } else { (0, self.home + 1) };
        if !is_elsewhere && self.first.len() < FIRST {
            self.first.push_back(at);
        }
        let turned = (!self.is_away && self.elsewhere == AGREEING) || (self.is_away && self.home == AGREEING);
        if !turned {
            return None;
        }
        self.is_away = !self.is_away;
        Some(if self.is_away { Jump::Away { away_m: Some(away_m) } } else { Jump::Back })
    }

    /// Of the first fixes, once there are a few.
    fn middle(&self) -> Option<(f64, f64)> {
        if self.first.len() < AGREEING as usize {
            return None;
        }
        Some(middle(self.first.iter().copied()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensor::fix::FixQuality;
    use kerbside_domain::time::Moment;
    use kerbside_site::geo::LocalPlane;

    fn fix(north_m: f64) -> Fix {
        let (lon_deg, lat_deg) = LocalPlane::new((121.376, 31.112)).degrees((0.0, north_m));
        Fix {
            lon_deg,
            lat_deg,
            alt_m: None,
            hdop: Some(1.0),
            sats: None,
            quality: FixQuality::Autonomous,
            utc_ms: None,
            at: Moment::default(),
            doubts: Vec::new(),
        }
    }

    fn told(watch: &mut JumpWatch, north_m: impl IntoIterator<Item = f64>) -> Vec<(usize, Jump)> {
        let jumps = north_m.into_iter().map(|m| watch.push(&fix(m), None)).enumerate();
        jumps.filter_map(|(n, jump)| Some((n, jump?))).collect()
    }

    #[test]
    fn a_jump_is_told_after_five_fixes_though_no_mean_is_settled_and_once() {
        let mut watch = JumpWatch::default();
        assert_eq!(told(&mut watch, (0..60).map(|n| f64::from(n % 7))), []);
        let jumps = told(&mut watch, [300.0; 40]);
        assert!(
            matches!(jumps[..], [(4, Jump::Away { away_m: Some(away_m) })] if (290.0..305.0).contains(&away_m)),
            "{jumps:?}"
        );
        assert_eq!(told(&mut watch, [3.0; 9]), [(4, Jump::Back)]);
    }

    #[test]
    fn single_wild_fixes_and_ordinary_errors_are_no_jump() {
        let mut watch = JumpWatch::default();
        assert_eq!(told(&mut watch, (0..400).map(|n| if n % 4 == 3 { 900.0 } else { 40.0 })), []);
    }

    #[test]
    fn home_is_the_mean_once_there_is_one() {
        let mut watch = JumpWatch::default();
        let plane = LocalPlane::new((121.376, 31.112));
        let mean = Some(plane.degrees((0.0, 500.0)));
        let jumps: Vec<_> = (0..8).filter_map(|_| watch.push(&fix(0.0), mean)).collect();
        assert!(matches!(jumps[..], [Jump::Away { .. }]), "{jumps:?}");
    }
}
