//! Whether pictures come out of what the decoder is fed. Pure.

use crate::tuning::{UNDECODABLE_PACKETS, UNDECODABLE_S};

/// Whether pictures come out of what is fed.
#[derive(Default)]
pub(super) struct DecodeHealth {
    fed_since_s: Option<f64>,
    fed: u32,
    undecodable: bool,
}

impl DecodeHealth {
    /// True once, when the stream must be reported as undecodable.
    pub(super) fn fed(&mut self, at_s: f64) -> bool {
        let since = *self.fed_since_s.get_or_insert(at_s);
        self.fed += 1;
        let undecodable = self.fed >= UNDECODABLE_PACKETS && at_s - since >= UNDECODABLE_S;
        undecodable && !std::mem::replace(&mut self.undecodable, true)
    }

    /// True once, when it can be taken back.
    pub(super) fn decoded(&mut self) -> bool {
        self.pause();
        std::mem::replace(&mut self.undecodable, false)
    }

    pub(super) fn pause(&mut self) {
        self.fed_since_s = None;
        self.fed = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_undecodable_stream_is_reported_once_and_taken_back_once() {
        let mut health = DecodeHealth::default();
        let reported: Vec<bool> = (0..6).map(|i| health.fed(f64::from(i))).collect();
        assert_eq!(reported, [false, false, false, true, false, false]);
        assert!(health.decoded());
        assert!(!health.decoded());
        assert!(!health.fed(7.0));
    }
}
