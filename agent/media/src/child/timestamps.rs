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
/// Two pictures closer than this share of the usual gap: a reader that counts frames gives both the same number.
const TOO_CLOSE: f64 = 0.8;
/// A measured rate that is no further than this share from whole pictures a second is that rate, delayed by a network.
const RATE_ERROR: f64 = 0.03;

/// (pts, dts) of a clip's packets in decoding order, moved to begin at zero: dts strictly rising, pts never before dts.
/// Where a camera's dts do not rise (some send none), they are made from the sorted pts. Pictures whose times come from their
/// arrival are spaced evenly between two pauses and put on the grid of their rate, for players and decoders count on one.
/// `tick_s`: length of a tick.
pub(super) fn of_clip(times: impl Iterator<Item = (i64, i64)>, tick_s: f64) -> Vec<(i64, i64)> {
    let mut times: Vec<(i64, i64)> = times.collect();
    let mut ranks: Vec<usize> = (0..times.len()).collect();
    ranks.sort_by_key(|ix| (times[*ix].0, *ix));
    let mut order: Vec<i64> = ranks.iter().map(|ix| times[*ix].0).collect();
    let even = space_evenly(&mut order, tick_s);
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
fn space_evenly(order: &mut [i64], tick_s: f64) -> bool {
    let gaps: Vec<f64> = order.windows(2).map(|w| w[1].saturating_sub(w[0]) as f64).collect();
    let Some(usual) = usual_gap(&gaps) else { return false };
    let is_irregular = |gap: &&f64| {
        let whole = (**gap / usual).round().max(1.0);
        (**gap / usual - whole).abs() > IRREGULAR_SHARE
    };
    let irregular = gaps.iter().filter(is_irregular).count() as f64;
    let too_close = gaps.iter().any(|gap| *gap < usual * TOO_CLOSE);
    if irregular <= gaps.len() as f64 * TOLERATED && !too_close {
        return false;
    }
    let gap = gap_of_longest(order, usual);
    if shift_of(order) <= usual * MOST_SHIFTED {
        spread(order);
    } else {
        spread_between_pauses(order, &gaps, usual);
    }
    on_grid(order, whole_rate(gap, tick_s));
    true
}

fn spread_between_pauses(order: &mut [i64], gaps: &[f64], usual: f64) {
    let mut begin = 0;
    for end in 1..=order.len() {
        if end < order.len() && gaps[end - 1] <= usual * PAUSE {
            continue;
        }
        catch_up(order, begin..end, usual);
        spread(&mut order[begin..end]);
        begin = end;
    }
}

/// Puts evenly spaced times on the grid of their rate, pauses too: whoever counts frames gives each its own number. Left as
/// they are if that moves one by more than a pause.
fn on_grid(order: &mut [i64], unit: f64) {
    let first = order.first().copied().unwrap_or(0);
    let mut next = 0.0_f64;
    let on_grid: Vec<i64> = order
        .iter()
        .map(|time| {
            let at = (time.saturating_sub(first) as f64 / unit).round().max(next);
            next = at + 1.0;
            first.saturating_add((at * unit).round() as i64)
        })
        .collect();
    let moved = order.iter().zip(&on_grid).map(|(is, would)| is.abs_diff(*would) as f64).fold(0.0, f64::max);
    if moved <= unit * PAUSE {
        order.copy_from_slice(&on_grid);
    }
}

/// The gap of the longest stretch without a pause: the slope of the straight line through its times (least squares), which
/// hardly depends on how late a single one came.
fn gap_of_longest(order: &[i64], usual: f64) -> f64 {
    let longest = order
        .chunk_by(|a, b| b.saturating_sub(*a) as f64 <= usual * PAUSE)
        .max_by_key(|stretch| stretch.len())
        .unwrap_or_default();
    let first = longest.first().copied().unwrap_or(0);
    let middle = longest.len().saturating_sub(1) as f64 / 2.0;
    let (mut above, mut below) = (0.0, 0.0);
    for (n, time) in longest.iter().enumerate() {
        let away = n as f64 - middle;
        above += away * time.saturating_sub(first) as f64;
        below += away * away;
    }
    let slope = above / below;
    if slope.is_finite() && slope >= 1.0 { slope } else { usual }
}

/// The gap of whole pictures a second where the rate is next to one, ticks.
fn whole_rate(gap: f64, tick_s: f64) -> f64 {
    let rate = 1.0 / (gap * tick_s);
    let whole = rate.round();
    if whole >= 1.0 && (rate / whole - 1.0).abs() <= RATE_ERROR { 1.0 / (whole * tick_s) } else { gap }
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

    /// Milliseconds.
    const TICK_S: f64 = 0.001;

    #[test]
    fn sound_timestamps_only_move_to_zero() {
        let times = of_clip([(9000, 9000), (12600, 12600), (16200, 16200)].into_iter(), TICK_S);
        assert_eq!(times, [(0, 0), (3600, 3600), (7200, 7200)]);
        // With B frames the first picture is shown two steps after it is decoded.
        let times = of_clip([(102, 100), (106, 101), (104, 102)].into_iter(), TICK_S);
        assert_eq!(times, [(2, 0), (6, 1), (4, 2)]);
    }

    #[test]
    fn missing_dts_are_made_from_pts() {
        // dts was set to pts for want of better: it falls.
        let times = of_clip([(0, 0), (160, 160), (80, 80), (40, 40), (120, 120)].into_iter(), TICK_S);
        assert_eq!(times, [(80, 0), (240, 40), (160, 80), (120, 120), (200, 160)]);
    }

    #[test]
    fn times_of_arrival_are_spaced_evenly_and_pauses_stay() {
        let pts = |times: &[i64]| {
            of_clip(times.iter().map(|t| (*t, *t)), TICK_S).into_iter().map(|t| t.0).collect::<Vec<_>>()
        };
        assert_eq!(pts(&[0, 130, 180, 310, 400]), [0, 100, 200, 300, 400]);
        assert_eq!(pts(&[0, 0, 200, 200, 400, 400, 600]), [0, 100, 200, 300, 400, 500, 600], "in pairs");
        assert_eq!(pts(&[0, 130, 200, 5900, 6030, 6100]), [0, 100, 200, 5900, 6000, 6100], "a pause");
        // What was taken during a pause comes in a burst behind it.
        let burst =
            [0, 130, 200, 330, 400, 530, 600, 730, 800, 930, 1000, 3000, 3010, 3020, 3030, 3040, 3050];
        assert_eq!(pts(&burst)[10..], [1000, 2700, 2800, 2900, 3000, 3100, 3200], "caught up");
        let regular = [0, 100, 200, 305, 400, 700, 800, 900, 1000, 1100, 1200, 1300];
        assert_eq!(pts(&regular), regular, "a camera's own times stay");
    }

    #[test]
    fn whoever_counts_frames_gives_each_its_own_number() {
        let numbers = |times: &[i64]| {
            let clip = of_clip(times.iter().map(|t| (*t, *t)), TICK_S);
            clip.into_iter().map(|t| (t.0 as f64 / 100.0).round() as i64).collect::<Vec<_>>()
        };
        let one_late = [0, 101, 206, 302, 403, 500, 600, 700, 801, 907, 1000, 1103, 1255, 1300, 1400, 1500];
        assert_eq!(numbers(&one_late), (0..16).collect::<Vec<_>>(), "one late picture of many");
        // A clock at half speed was found out, and its stream jumped to where it should be.
        let fast = [0, 50, 100, 4287, 4379, 4490, 4579, 4683, 4779, 4879, 4978, 5086, 5178];
        assert_eq!(numbers(&fast), [0, 1, 2, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52]);
        let first_late = [80, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000, 1100, 1200];
        assert_eq!(numbers(&first_late), (0..13).collect::<Vec<_>>());
    }

    proptest! {
        #[test]
        fn jittered_arrival_at_ten_a_second_counts_on(late in proptest::collection::vec(0i64..60, 40..200)) {
            let clip = of_clip(late.iter().enumerate().map(|(n, late)| { let t = n as i64 * 100 + late; (t, t) }), TICK_S);
            let numbers: Vec<i64> = clip.iter().map(|t| (t.0 as f64 / 100.0).round() as i64).collect();
            prop_assert!(numbers.windows(2).all(|w| w[0] < w[1]), "{numbers:?}");
        }

        #[test]
        fn any_timestamps_make_a_clip(raw in proptest::collection::vec((-1000i64..1000, -1000i64..1000), 1..40)) {
            let times = of_clip(raw.into_iter(), TICK_S);
            prop_assert_eq!(times[0].1, 0);
            prop_assert!(times.windows(2).all(|w| w[0].1 < w[1].1));
            prop_assert!(times.iter().all(|t| t.1 <= t.0));
        }
    }
}
