//! Timestamps of a clip. Pure.

use std::ops::Range;

/// A gap that is further than this share from a whole number of usual gaps is irregular.
const IRREGULAR_SHARE: f64 = 0.2;
/// With more irregular gaps than this share the pictures are spaced evenly.
const TOLERATED: f64 = 0.1;
/// If no picture moves by more usual gaps than this, all are spaced evenly: the pauses were those of the network.
const MOST_SHIFTED: f64 = 8.0;
/// Else a gap of more than so many usual ones is a pause, which stays.
const PAUSE: f64 = 3.0;
/// Pictures behind a pause that come in less than this share of the usual time were held back by it.
const HELD_BACK: f64 = 0.75;

/// (pts, dts) of a clip's packets in decoding order, moved to begin at zero: dts strictly rising, pts never before dts.
/// Where a camera's dts do not rise (some send none), they are made from the sorted pts. Pictures whose times come from their
/// arrival are spaced evenly between two pauses, for players and decoders count on a rate.
pub(super) fn of_clip(times: impl Iterator<Item = (i64, i64)>) -> Vec<(i64, i64)> {
    let mut times: Vec<(i64, i64)> = times.collect();
    let mut ranks: Vec<usize> = (0..times.len()).collect();
    ranks.sort_by_key(|ix| (times[*ix].0, *ix));
    let mut order: Vec<i64> = ranks.iter().map(|ix| times[*ix].0).collect();
    let even = space_evenly(&mut order);
    let sound = times.windows(2).all(|w| w[0].1 < w[1].1) && times.iter().all(|t| t.1 <= t.0);
    if even || !sound {
        for i in 1..order.len() {
            order[i] = order[i].max(order[i - 1].saturating_add(1));
        }
        if even {
            ranks.iter().zip(&order).for_each(|(ix, pts)| times[*ix].0 = *pts);
        }
        let late = times.iter().zip(&order).map(|(t, dts)| dts.saturating_sub(t.0)).max().unwrap_or(0).max(0);
        for (time, dts) in times.iter_mut().zip(&order) {
            time.1 = dts.saturating_sub(late);
        }
    }
    let zero = times.first().map_or(0, |t| t.1);
    times.iter().map(|t| (t.0.saturating_sub(zero), t.1.saturating_sub(zero))).collect()
}

/// Spaces sorted times evenly between two pauses if they are irregular. True if it did.
fn space_evenly(order: &mut [i64]) -> bool {
    let gaps: Vec<f64> = order.windows(2).map(|w| w[1].saturating_sub(w[0]) as f64).collect();
    let Some(usual) = usual_gap(&gaps) else { return false };
    let is_irregular = |gap: &&f64| {
        let whole = (**gap / usual).round().max(1.0);
        (**gap / usual - whole).abs() > IRREGULAR_SHARE
    };
    if gaps.iter().filter(is_irregular).count() as f64 <= gaps.len() as f64 * TOLERATED {
        return false;
    }
    if shift_of(order) <= usual * MOST_SHIFTED {
        spread(order);
        return true;
    }
    let mut begin = 0;
    for end in 1..=order.len() {
        if end < order.len() && gaps[end - 1] <= usual * PAUSE {
            continue;
        }
        catch_up(order, begin..end, usual);
        spread(&mut order[begin..end]);
        begin = end;
    }
    true
}

/// What comes faster than usual after a pause was taken during it: its first picture moves back into the pause.
fn catch_up(order: &mut [i64], stretch: Range<usize>, usual: f64) {
    let before = stretch.start.checked_sub(1).and_then(|ix| order.get(ix)).copied();
    let (Some(before), Some(&last)) = (before, order.get(stretch.end - 1)) else { return };
    let took = (stretch.len().saturating_sub(1) as f64 * usual).round() as i64;
    let earliest = before.saturating_add(usual.round() as i64);
    if let Some(first) = order.get_mut(stretch.start)
        && (last.saturating_sub(*first) as f64) < took as f64 * HELD_BACK
    {
        *first = (*first).min(last.saturating_sub(took).max(earliest));
    }
}

/// Where each time would lie if all were spaced evenly between the first and the last.
fn evenly(order: &[i64]) -> impl Iterator<Item = i64> + use<> {
    let (first, last) = (order.first().copied().unwrap_or(0), order.last().copied().unwrap_or(0));
    let step = last.saturating_sub(first) as f64 / order.len().saturating_sub(1).max(1) as f64;
    (0..order.len()).map(move |n| first.saturating_add((n as f64 * step).round() as i64))
}

/// How far a time would be moved at most, ticks.
fn shift_of(order: &[i64]) -> f64 {
    order.iter().zip(evenly(order)).map(|(is, would)| is.abs_diff(would) as f64).fold(0.0, f64::max)
}

fn spread(order: &mut [i64]) {
    let even = evenly(order);
    order.iter_mut().zip(even).for_each(|(time, even)| *time = even);
}

/// The middle one, or the mean where most are next to nothing.
fn usual_gap(gaps: &[f64]) -> Option<f64> {
    let mut sorted = gaps.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.get(sorted.len() / 2).copied()?;
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let usual = if middle < mean / 20.0 { mean } else { middle };
    (usual >= 1.0).then_some(usual)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sound_timestamps_only_move_to_zero() {
        let times = of_clip([(9000, 9000), (12600, 12600), (16200, 16200)].into_iter());
        assert_eq!(times, [(0, 0), (3600, 3600), (7200, 7200)]);
        // With B frames the first picture is shown two steps after it is decoded.
        let times = of_clip([(102, 100), (106, 101), (104, 102)].into_iter());
        assert_eq!(times, [(2, 0), (6, 1), (4, 2)]);
    }

    #[test]
    fn missing_dts_are_made_from_pts() {
        // dts was set to pts for want of better: it falls.
        let times = of_clip([(0, 0), (160, 160), (80, 80), (40, 40), (120, 120)].into_iter());
        assert_eq!(times, [(80, 0), (240, 40), (160, 80), (120, 120), (200, 160)]);
    }

    #[test]
    fn times_of_arrival_are_spaced_evenly_and_pauses_stay() {
        let pts = |times: &[i64]| {
            of_clip(times.iter().map(|t| (*t, *t))).into_iter().map(|t| t.0).collect::<Vec<_>>()
        };
        assert_eq!(pts(&[0, 130, 180, 310, 400]), [0, 100, 200, 300, 400]);
        assert_eq!(pts(&[0, 0, 200, 200, 400, 400, 600]), [0, 100, 200, 300, 400, 500, 600], "in pairs");
        assert_eq!(pts(&[0, 130, 200, 5900, 6030, 6100]), [0, 100, 200, 5900, 6000, 6100], "a pause");
        // What was taken during a pause comes in a burst behind it.
        let burst =
            [0, 130, 200, 330, 400, 530, 600, 730, 800, 930, 1000, 3000, 3010, 3020, 3030, 3040, 3050];
        assert_eq!(pts(&burst)[10..], [1000, 2700, 2770, 2840, 2910, 2980, 3050], "caught up");
        let regular = [0, 100, 200, 305, 400, 700, 800, 900, 1000, 1100, 1200, 1300];
        assert_eq!(pts(&regular), regular, "a camera's own times stay");
    }

    proptest! {
        #[test]
        fn any_timestamps_make_a_clip(raw in proptest::collection::vec((-1000i64..1000, -1000i64..1000), 1..40)) {
            let times = of_clip(raw.into_iter());
            prop_assert_eq!(times[0].1, 0);
            prop_assert!(times.windows(2).all(|w| w[0].1 < w[1].1));
            prop_assert!(times.iter().all(|t| t.1 <= t.0));
        }
    }
}
