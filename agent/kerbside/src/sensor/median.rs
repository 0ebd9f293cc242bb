//! The middle of fixes: a few wild ones do not move it. Pure.

/// Median of each coordinate; the origin where there is none.
pub(super) fn middle(points: impl Iterator<Item = (f64, f64)> + Clone) -> (f64, f64) {
    (median(points.clone().map(|p| p.0)), median(points.map(|p| p.1)))
}

/// Of an even number the middle of the two in the middle; 0 where there is none.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    match n {
        0 => 0.0,
        _ if n % 2 == 1 => sorted[n / 2],
        _ => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wild_fix_does_not_move_the_middle() {
        assert_eq!(median([3.0, 1.0, 900.0].into_iter()), 3.0);
        assert_eq!(median([4.0, 1.0, 2.0, 900.0].into_iter()), 3.0);
        assert_eq!(median(std::iter::empty()), 0.0);
        assert_eq!(middle([(1.0, 9.0), (2.0, 8.0), (99.0, -7.0)].into_iter()), (2.0, 8.0));
    }
}
