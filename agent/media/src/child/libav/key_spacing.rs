//! How far key frames are apart. Pure.

use kerbside_domain::frame::SPARSE_KEY_S;

use crate::tuning::DENSE_AGAIN;

/// Watches the distance of key frames in one stream.
#[derive(Default)]
pub(super) struct KeyFrameSpacing {
    last_key_s: Option<f64>,
    sparse: bool,
    dense_in_a_row: u32,
}

impl KeyFrameSpacing {
    /// The distance to report, s: key frames became too sparse for L1, or are dense again (three in a row).
    pub(super) fn packet(&mut self, at_s: f64, key: bool) -> Option<f64> {
        let gap_s = self.last_key_s.map_or(0.0, |last| (at_s - last).abs());
        if self.last_key_s.is_none() || key {
            self.last_key_s = Some(at_s);
        }
        if gap_s > SPARSE_KEY_S {
            self.dense_in_a_row = 0;
            return (!std::mem::replace(&mut self.sparse, true)).then_some(gap_s);
        }
        if key && self.sparse {
            self.dense_in_a_row += 1;
            if self.dense_in_a_row >= DENSE_AGAIN {
                self.sparse = false;
                return Some(gap_s);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparse_key_frames_are_reported_once_and_taken_back() {
        let mut keys = KeyFrameSpacing::default();
        let mut reports = Vec::new();
        for i in 0..400 {
            let at_s = f64::from(i) * 0.1;
            // A key every 10 s, from 20 s on every second.
            let key = if i < 200 { i % 100 == 0 } else { i % 10 == 0 };
            reports.extend(keys.packet(at_s, key).map(|gap| (i, gap > SPARSE_KEY_S)));
        }
        assert_eq!(reports, [(41, true), (230, false)]);
    }
}
