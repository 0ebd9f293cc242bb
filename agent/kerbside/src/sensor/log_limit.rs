//! A limit for log lines about faults that a device repeats.

use kerbside_domain::time::Mono;

/// At most one log line a minute, with the number of those left out.
#[derive(Debug, Default)]
pub(crate) struct LogLimit {
    next: Option<Mono>,
    left_out: u64,
}

impl LogLimit {
    const EVERY_S: f64 = 60.0;

    /// `Some(n)`: log now, `n` were left out since the last one.
    pub(crate) fn admit(&mut self, now: Mono) -> Option<u64> {
        if self.next.is_some_and(|next| now < next) {
            self.left_out += 1;
            return None;
        }
        self.next = Some(now.plus_s(Self::EVERY_S));
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_faults_is_one_line_a_minute() {
        let mut limit = LogLimit::default();
        let admitted: Vec<_> =
            (0..1300).filter_map(|i| limit.admit(Mono::from_s(f64::from(i) * 0.1))).collect();
        assert_eq!(admitted, [0, 599, 599]);
    }
}
