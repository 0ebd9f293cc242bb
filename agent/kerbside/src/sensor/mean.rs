//! The position of a box that does not move: a robust mean over hours, which then settles and is compared with new medians. Pure.
//!
//! Ten-minute medians remove the errors of single fixes; outliers among the medians are left out of the mean.
//! Memory is bounded: the fixes of one block and 36 medians.

use serde::{Deserialize, Serialize};

use super::fix::Fix;
use super::median::{median, middle};
use kerbside_domain::position::{Position, PositionSource};
use kerbside_domain::time::{Moment, Mono};
use kerbside_site::geo::LocalPlane;

/// One block gives one median, s. Errors of the receiver are correlated over minutes, hardly over ten.
const BLOCK_S: f64 = 600.0;
/// Blocks that settle the mean: six hours, half a turn of the satellites.
const BLOCKS: usize = 36;
/// Most fixes of a block: one a second.
const MAX_FIXES: usize = 600;
/// A block with fewer fixes is left out.
const MIN_FIXES: usize = 30;
/// Time between two fixes that are used, s: receivers of 10 Hz are thinned to about one a second.
const FIX_EVERY_S: f64 = 0.9;
/// A median further than this from the settled mean is a stray, m: five times the usual accuracy of a single fix.
const STRAY_M: f64 = 25.0;
/// The same in standard deviations of the medians, for places with poor reception.
const STRAY_SIGMAS: f64 = 5.0;
/// Strays in a row after which the box counts as moved: one may be a parked lorry.
const STRAYS: u32 = 2;
/// Accuracy of a mean of fewer than three blocks, which has no spread to judge by, m.
const FIRST_ACCURACY_M: f64 = 5.0;
/// No mean is called more accurate than this, m: errors that last for hours do not average out.
const MIN_ACCURACY_M: f64 = 2.0;

/// What the last fix changed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum MeanChange {
    /// The best position is a new one.
    Position(Position),
    /// Two medians in a row left the frozen mean: the box was moved, or the signal is forged.
    Moved { away_m: f64, limit_m: f64, at: Moment },
    /// A median is at the frozen mean again.
    Returned { at: Moment },
}

/// Serialisable, so that a frozen mean outlives a restart.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct FixedMean {
    /// Metres are counted from here: the first fix.
    origin: Option<(f64, f64)>,
    #[serde(skip)]
    block: Vec<(f64, f64)>,
    #[serde(skip)]
    block_began: Option<Mono>,
    #[serde(skip)]
    last_taken: Option<Mono>,
    medians: Vec<(f64, f64)>,
    frozen: Option<Frozen>,
    #[serde(skip)]
    strays: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Frozen {
    mean: (f64, f64),
    sigma_m: f64,
}

impl FixedMean {
    /// lon_deg, lat_deg of the settled mean, or of the mean so far; `None` in the first ten minutes.
    pub(super) fn best(&self) -> Option<(f64, f64)> {
        let plane = LocalPlane::new(self.origin?);
        let of_blocks = || (!self.medians.is_empty()).then(|| robust_mean(&self.medians).0);
        self.frozen.map(|f| f.mean).or_else(of_blocks).map(|mean| plane.degrees(mean))
    }

    pub(super) fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    /// Takes a fix; one with doubts is not averaged.
    pub(super) fn push(&mut self, fix: &Fix) -> Option<MeanChange> {
        if !fix.doubts.is_empty() {
            return None;
        }
        let at = (fix.lon_deg, fix.lat_deg);
        let first = self.origin.is_none();
        let plane = LocalPlane::new(*self.origin.get_or_insert(at));
        let began = *self.block_began.get_or_insert(fix.at.mono);
        let change = if fix.at.mono.since_s(began) >= BLOCK_S { self.close(&plane, fix) } else { None };
        let due = self.last_taken.is_none_or(|last| fix.at.mono.since_s(last) >= FIX_EVERY_S);
        if due && self.block.len() < MAX_FIXES {
            self.block.push(plane.metres(at));
            self.last_taken = Some(fix.at.mono);
        }
        change.or_else(|| first.then(|| MeanChange::Position(single(fix))))
    }

    fn close(&mut self, plane: &LocalPlane, fix: &Fix) -> Option<MeanChange> {
        self.block_began = Some(fix.at.mono);
        let block = std::mem::take(&mut self.block);
        if block.len() < MIN_FIXES {
            return None;
        }
        let median = middle(block.iter().copied());
        match self.frozen {
            Some(frozen) => self.compare(frozen, median, fix.at),
            None => {
                self.medians.push(median);
                let (mean, sigma_m) = robust_mean(&self.medians);
                if self.medians.len() >= BLOCKS {
                    self.frozen = Some(Frozen { mean, sigma_m });
                }
                Some(MeanChange::Position(self.position(plane, mean, sigma_m, fix.at)))
            }
        }
    }

    fn compare(&mut self, frozen: Frozen, median: (f64, f64), at: Moment) -> Option<MeanChange> {
        let away_m = (median.0 - frozen.mean.0).hypot(median.1 - frozen.mean.1);
        let limit_m = STRAY_M.max(STRAY_SIGMAS * frozen.sigma_m);
        let was_away = self.strays >= STRAYS;
        self.strays = if away_m > limit_m { self.strays.saturating_add(1) } else { 0 };
        // Once, not every ten minutes.
        match self.strays {
            STRAYS => Some(MeanChange::Moved { away_m, limit_m, at }),
            0 if was_away => Some(MeanChange::Returned { at }),
            _ => None,
        }
    }

    fn position(&self, plane: &LocalPlane, mean: (f64, f64), sigma_m: f64, at: Moment) -> Position {
        let (lon_deg, lat_deg) = plane.degrees(mean);
        let spread_m = if self.medians.len() < 3 { FIRST_ACCURACY_M } else { 2.0 * sigma_m };
        let accuracy_m = spread_m.max(MIN_ACCURACY_M);
        let source = PositionSource::GnssMean;
        Position { lon_deg, lat_deg, accuracy_m, source, frozen: self.is_frozen(), at, suspicious: None }
    }

    /// The settled position, to report it again after a restart.
    pub(super) fn settled(&self, at: Moment) -> Option<Position> {
        let (frozen, origin) = self.frozen.zip(self.origin)?;
        Some(self.position(&LocalPlane::new(origin), frozen.mean, frozen.sigma_m, at))
    }
}

/// The position that one fix gives.
pub(super) fn single(fix: &Fix) -> Position {
    Position {
        lon_deg: fix.lon_deg,
        lat_deg: fix.lat_deg,
        accuracy_m: fix.accuracy_m(),
        source: PositionSource::Gnss,
        frozen: false,
        at: fix.at,
        suspicious: None,
    }
}

/// Mean and standard deviation (in the plane) of the points within three robust deviations of their median.
fn robust_mean(points: &[(f64, f64)]) -> ((f64, f64), f64) {
    let centre = middle(points.iter().copied());
    let away = |p: &(f64, f64)| (p.0 - centre.0).hypot(p.1 - centre.1);
    // 1.4826 turns a median deviation into a standard one (normal distribution); a metre of floor for a quiet sky.
    let limit = (3.0 * 1.4826 * median(points.iter().map(away))).max(1.0);
    let inliers: Vec<&(f64, f64)> = points.iter().filter(|p| away(p) <= limit).collect();
    let n = inliers.len().max(1) as f64;
    let mean = inliers.iter().fold((0.0, 0.0), |(x, y), p| (x + p.0 / n, y + p.1 / n));
    let variance = inliers.iter().map(|p| (p.0 - mean.0).powi(2) + (p.1 - mean.1).powi(2)).sum::<f64>() / n;
    (mean, variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensor::fix::{FixDoubt, FixQuality};
    use kerbside_site::geo::distance_m;

    const HOME: (f64, f64) = (121.376, 31.112);

    /// A fix each ten seconds; `east_m` of error that wanders and a wild value now and then.
    fn fixes(from_s: u32, to_s: u32, east_m: f64) -> impl Iterator<Item = Fix> {
        let plane = LocalPlane::new(HOME);
        (from_s..to_s).step_by(10).map(move |s| {
            let wander = (f64::from(s) / 4000.0).sin() * 3.0;
            let wild = if s % 170 == 0 { 400.0 } else { 0.0 };
            let (lon_deg, lat_deg) = plane.degrees((east_m + wander + wild, wander / 2.0));
            Fix {
                lon_deg,
                lat_deg,
                alt_m: None,
                hdop: Some(1.0),
                sats: None,
                quality: FixQuality::Autonomous,
                utc_ms: None,
                at: Moment { mono: Mono::from_s(f64::from(s)), ..Moment::default() },
                doubts: Vec::new(),
            }
        })
    }

    #[test]
    fn six_hours_settle_the_mean_and_freeze_it() {
        let mut mean = FixedMean::default();
        let changes: Vec<_> = fixes(1, 7 * 3600, 0.0).filter_map(|f| mean.push(&f)).collect();
        // The first fix and 36 blocks; nothing after that.
        assert_eq!(changes.len(), 37);
        let MeanChange::Position(last) = changes.last().unwrap() else { panic!("{changes:?}") };
        assert!(last.frozen && mean.is_frozen());
        assert!(distance_m(HOME, (last.lon_deg, last.lat_deg)) < 1.5, "{last:?}");
        assert!((2.0..10.0).contains(&last.accuracy_m), "{last:?}");
    }

    #[test]
    fn a_box_that_is_moved_is_noticed_once_after_two_medians() {
        let mut mean = FixedMean::default();
        fixes(1, 7 * 3600, 0.0).for_each(|f| drop(mean.push(&f)));
        let frozen = serde_json::to_string(&mean).unwrap();
        // Outlives a restart, which begins a new monotonic clock.
        let mut mean: FixedMean = serde_json::from_str(&frozen).unwrap();
        let quiet: Vec<_> = fixes(1, 7200, 15.0).filter_map(|f| mean.push(&f)).collect();
        assert_eq!(quiet, []);
        let moved: Vec<_> = fixes(7200, 14_400, 80.0).filter_map(|f| mean.push(&f)).collect();
        assert!(
            matches!(moved[..], [MeanChange::Moved { away_m, .. }] if (70.0..90.0).contains(&away_m)),
            "{moved:?}"
        );
        let back: Vec<_> = fixes(14_400, 21_600, 5.0).filter_map(|f| mean.push(&f)).collect();
        assert!(matches!(back[..], [MeanChange::Returned { .. }]), "carried back, and told once: {back:?}");
    }

    #[test]
    fn doubted_fixes_are_not_averaged() {
        let mut mean = FixedMean::default();
        for mut fix in fixes(1, 3600, 0.0) {
            fix.doubts = vec![FixDoubt::Jump];
            assert_eq!(mean.push(&fix), None);
        }
        assert!(mean.origin.is_none());
    }
}
