//! Where a box that moves was: its latest fixes, and its place at the time of a frame. Pure.

use std::collections::VecDeque;

use kerbside_domain::time::Mono;

use crate::geo::distance_m;

/// Fixes that are remembered: an hour at one a second.
const MOST: usize = 3600;
/// Fixes further apart than this say nothing of the way between them, s.
const GAP_S: f64 = 10.0;
/// A fix further than this from the frame's time says nothing, s.
const FURTHEST_S: f64 = 120.0;
/// How fast a vehicle in a street may be, m/s: 54 km/h. Without a fix the place becomes as much less accurate.
const SPEED_M_S: f64 = 15.0;

#[derive(Clone, Copy, Debug)]
struct TrackFix {
    at: Mono,
    point: (f64, f64),
    accuracy_m: f64,
}

/// The way of a box that moves.
#[derive(Clone, Debug, Default)]
pub struct Track {
    fixes: VecDeque<TrackFix>,
}

impl Track {
    /// Takes a fix: lon_deg, lat_deg, and its accuracy in metres. One that is older than the last is left out.
    pub fn push(&mut self, at: Mono, point: (f64, f64), accuracy_m: f64) {
        if self.fixes.back().is_some_and(|last| at <= last.at) {
            return;
        }
        if self.fixes.len() == MOST {
            self.fixes.pop_front();
        }
        self.fixes.push_back(TrackFix { at, point, accuracy_m });
    }

    /// lon_deg, lat_deg and accuracy in metres at a time: on the way between the fixes around it, or at the nearest with an accuracy
    /// that grows with its distance in time. `None`: no fix is near enough.
    pub fn at(&self, when: Mono) -> Option<((f64, f64), f64)> {
        let next = self.fixes.partition_point(|fix| fix.at < when);
        let (before, after) = (next.checked_sub(1).and_then(|i| self.fixes.get(i)), self.fixes.get(next));
        if let (Some(a), Some(b)) = (before, after)
            && b.at.since_s(a.at) <= GAP_S
        {
            let share = when.since_s(a.at) / b.at.since_s(a.at).max(1e-6);
            let between = |a: f64, b: f64| a + (b - a) * share;
            let point = (between(a.point.0, b.point.0), between(a.point.1, b.point.1));
            // A vehicle does not go straight: a tenth of the way is the most that a bend of a street takes it aside.
            let bend_m = distance_m(a.point, b.point) / 10.0;
            return Some((point, a.accuracy_m.max(b.accuracy_m) + bend_m));
        }
        let away_s = |fix: &TrackFix| when.since_s(fix.at).max(fix.at.since_s(when));
        let nearest = before.into_iter().chain(after).min_by(|a, b| away_s(a).total_cmp(&away_s(b)))?;
        let away_s = away_s(nearest);
        (away_s <= FURTHEST_S).then_some((nearest.point, nearest.accuracy_m + SPEED_M_S * away_s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(s: f64) -> Mono {
        Mono::from_s(s)
    }

    #[test]
    fn between_two_fixes_it_is_on_the_way_and_beyond_them_less_and_less_sure() {
        let mut track = Track::default();
        assert_eq!(track.at(s(1.0)), None);
        track.push(s(100.0), (121.0, 31.0), 5.0);
        track.push(s(102.0), (121.0, 31.0002), 8.0);
        let ((lon, lat), accuracy_m) = track.at(s(101.0)).unwrap();
        assert!((lon - 121.0).abs() < 1e-9 && (lat - 31.0001).abs() < 1e-9);
        assert!((10.0..10.5).contains(&accuracy_m), "8 m, and a tenth of 22 m: {accuracy_m}");
        let after = track.at(s(112.0)).unwrap();
        assert_eq!(after, ((121.0, 31.0002), 8.0 + 150.0));
        let before = track.at(s(98.0)).unwrap();
        assert_eq!(before, ((121.0, 31.0), 5.0 + 30.0));
        assert_eq!(track.at(s(223.0)), None, "two minutes after the last fix");
        assert_eq!(track.at(s(102.0)).unwrap().0, (121.0, 31.0002));
    }

    #[test]
    fn a_gap_is_not_bridged_and_what_is_old_is_forgotten() {
        let mut track = Track::default();
        track.push(s(1.0), (121.0, 31.0), 5.0);
        track.push(s(61.0), (121.0, 31.01), 5.0);
        assert_eq!(track.at(s(11.0)).unwrap(), ((121.0, 31.0), 155.0));
        assert_eq!(track.at(s(51.0)).unwrap(), ((121.0, 31.01), 155.0));
        track.push(s(60.0), (0.0, 0.0), 5.0);
        assert_eq!(track.at(s(61.0)).unwrap().0, (121.0, 31.01), "an older fix is left out");
        (0..=MOST).for_each(|n| track.push(s(100.0 + n as f64), (121.0, 31.0), 5.0));
        assert_eq!(track.fixes.len(), MOST);
    }
}
