//! Whether a camera must be asked anew: damage, and nothing to begin with again (intra refresh that marks no recovery point, groups
//! of pictures of minutes). Pure.

use crate::tuning::{KEY_AT_START_S, REOPEN_AFTER_S};

/// Follows the packets of one stream.
#[derive(Debug, Default)]
pub(super) struct Reopening {
    first_s: Option<f64>,
    /// Opened, it begins with a key frame: to open it again helps.
    begins_with_key: bool,
    broken_since_s: Option<f64>,
}

impl Reopening {
    /// A packet at `at_s`. `entry`: decoding can begin with it. `broken`: what is decoded is damaged, and nothing mends it yet.
    /// True if only opening the source again helps.
    pub(super) fn packet(&mut self, at_s: f64, entry: bool, broken: bool) -> bool {
        let first_s = *self.first_s.get_or_insert(at_s);
        self.begins_with_key |= entry && (at_s - first_s).abs() <= KEY_AT_START_S;
        if entry || !broken {
            self.broken_since_s = None;
            return false;
        }
        let since_s = *self.broken_since_s.get_or_insert(at_s);
        self.begins_with_key && at_s - since_s >= REOPEN_AFTER_S
    }

    /// Timestamps jumped.
    pub(super) fn restart(&mut self) {
        self.broken_since_s = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When it is opened again, s: a packet a second, entries at these, broken from `broken_s` to the next entry.
    fn reopened(entries: &[u32], broken_s: u32) -> Option<u32> {
        let mut reopening = Reopening::default();
        (0..100).find(|s| {
            let mended = entries.iter().any(|entry| (broken_s + 1..=*s).contains(entry));
            reopening.packet(f64::from(*s), entries.contains(s), *s >= broken_s && !mended)
        })
    }

    #[test]
    fn a_stream_is_opened_again_where_that_helps_and_nothing_else_does() {
        assert_eq!(reopened(&[0], 5), Some(15), "its one key frame is gone");
        assert_eq!(reopened(&[0, 12, 40], 5), None, "a key frame comes in time");
        assert_eq!(reopened(&[0], 1000), None, "nothing is damaged");
        assert_eq!(reopened(&[30], 0), None, "it does not begin with a key frame");
    }

    #[test]
    fn a_jump_of_timestamps_is_no_time_that_passed() {
        let mut reopening = Reopening::default();
        reopening.packet(0.0, true, false);
        reopening.packet(1.0, false, true);
        reopening.restart();
        assert!(!reopening.packet(5000.0, false, true));
        assert!(!reopening.packet(5009.0, false, true));
        assert!(reopening.packet(5010.0, false, true));
    }
}
