//! Sensitivity 1..10 as ONE operating point: every threshold moves together, on straight lines.
//!
//! | sensitivity | 1 | 5 | 10 |
//! |---|---|---|---|
//! | `min_similarity`: the region still looks like itself (NCC) | 0.90 | 0.70 | 0.45 |
//! | `min_attendant_share`: of the time somebody is with a stall | 0.70 | 0.50 | 0.25 |
//! | `min_score`: mean confidence of a label that names the kind | 0.70 | 0.50 | 0.25 |
//! | `max_covered`: share of the time a person or vehicle may hide it | 0.30 | 0.50 | 0.75 |
//!
//! 5 is where rules are tuned; `kerbside score` prints what 1, 3, 5, 7 and 10 give on its clips. Dwell, size and schedule never
//! depend on sensitivity: they stand in the rule.

/// Thresholds at one sensitivity. All are shares, 0..1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct OperatingPoint {
    /// How much a region must still look like itself.
    pub(crate) min_similarity: f32,
    /// How much of the time somebody must be with a stall.
    pub(crate) min_attendant_share: f32,
    /// How sure a detector must be that it is of the kind.
    pub(crate) min_score: f32,
    /// How much of the time people or vehicles may hide it.
    pub(crate) max_covered: f32,
}

/// All thresholds change by this a step of sensitivity.
const STEP: f32 = 0.05;
/// Where each line would begin, at sensitivity 0.
const SIMILARITY_AT_0: f32 = 0.95;
const ATTENDANT_SHARE_AT_0: f32 = 0.75;
const SCORE_AT_0: f32 = 0.75;
const COVERED_AT_0: f32 = 0.25;

impl OperatingPoint {
    /// Values outside 1..10 are taken as the nearest end.
    pub(crate) fn of(sensitivity: u8) -> Self {
        let s = f32::from(sensitivity.clamp(1, 10));
        OperatingPoint {
            min_similarity: SIMILARITY_AT_0 - STEP * s,
            min_attendant_share: ATTENDANT_SHARE_AT_0 - STEP * s,
            min_score: SCORE_AT_0 - STEP * s,
            max_covered: COVERED_AT_0 + STEP * s,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_above_is_what_the_code_does() {
        let row = |s| {
            let p = OperatingPoint::of(s);
            [p.min_similarity, p.min_attendant_share, p.min_score, p.max_covered]
                .map(|v| (v * 100.0).round() as u32)
        };
        assert_eq!(row(1), [90, 70, 70, 30]);
        assert_eq!(row(5), [70, 50, 50, 50]);
        assert_eq!(row(10), [45, 25, 25, 75]);
        assert_eq!(row(0), row(1));
    }
}
