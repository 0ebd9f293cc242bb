//! Sensitivity 1..10 as ONE operating point: every threshold moves together, on straight lines.
//!
//! | sensitivity | 1 | 5 | 10 |
//! |---|---|---|---|
//! | `min_similarity`: the region still looks like itself (NCC) | 0.90 | 0.70 | 0.45 |
//! | `min_attendant_share`: of the time somebody is with a stall | 0.70 | 0.50 | 0.25 |
//! | `min_score`: mean confidence of a label that names the kind | 0.70 | 0.50 | 0.25 |
//! | `max_covered`: share of the time a person or vehicle may hide it | 0.30 | 0.50 | 0.75 |
//!
//! 5 is where rules are tuned. Dwell, size and schedule never depend on sensitivity: they are the rule's own words.

/// Thresholds at one sensitivity. All are shares, 0..1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OperatingPoint {
    pub min_similarity: f32,
    pub min_attendant_share: f32,
    pub min_score: f32,
    pub max_covered: f32,
}

impl OperatingPoint {
    /// Values outside 1..10 are taken as the nearest end.
    pub fn of(sensitivity: u8) -> Self {
        let s = f32::from(sensitivity.clamp(1, 10));
        OperatingPoint {
            min_similarity: 0.95 - 0.05 * s,
            min_attendant_share: 0.75 - 0.05 * s,
            min_score: 0.75 - 0.05 * s,
            max_covered: 0.25 + 0.05 * s,
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
