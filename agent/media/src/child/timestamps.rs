//! Timestamps of a clip. Pure.

/// (pts, dts) of a clip's packets in decoding order, moved to begin at zero: dts strictly rising, pts never before dts.
/// Where a camera's dts do not rise (some send none), they are made from the sorted pts.
pub(super) fn of_clip(times: impl Iterator<Item = (i64, i64)>) -> Vec<(i64, i64)> {
    let mut times: Vec<(i64, i64)> = times.collect();
    let sound = times.windows(2).all(|w| w[0].1 < w[1].1) && times.iter().all(|t| t.1 <= t.0);
    if !sound {
        let mut order: Vec<i64> = times.iter().map(|t| t.0).collect();
        order.sort_unstable();
        for i in 1..order.len() {
            order[i] = order[i].max(order[i - 1].saturating_add(1));
        }
        let late = times.iter().zip(&order).map(|(t, dts)| dts.saturating_sub(t.0)).max().unwrap_or(0).max(0);
        for (time, dts) in times.iter_mut().zip(&order) {
            time.1 = dts.saturating_sub(late);
        }
    }
    let zero = times.first().map_or(0, |t| t.1);
    times.iter().map(|t| (t.0.saturating_sub(zero), t.1.saturating_sub(zero))).collect()
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
