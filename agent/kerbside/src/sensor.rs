//! Sensors: where the box is (GNSS) and what stands around it (bin levels, smoke, noise).
//!
//! Pure parsers and checks, each with a thin tokio shell. It knows nothing of incidents beyond [`Reading`].
//!
//! [`Reading`]: kerbside_domain::reading::Reading

pub mod gnss;
mod gpsd;
mod mean;
mod nmea;
pub mod readings;

use serde::{Deserialize, Serialize};

use kerbside_domain::time::{Moment, Mono};

pub use gpsd::GpsdParser;
pub use mean::{FixedMean, MeanChange};
pub use nmea::{Assembler, LineBuffer, LineCounts};

/// How a receiver came to its fix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FixQuality {
    Autonomous,
    Differential,
    Rtk,
    /// Dead reckoning or typed in.
    Estimated,
    Simulated,
}

/// One epoch of a receiver: WGS-84.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fix {
    pub lon_deg: f64,
    pub lat_deg: f64,
    /// Above mean sea level, m.
    pub alt_m: Option<f64>,
    pub hdop: Option<f32>,
    pub sats: Option<u32>,
    pub quality: FixQuality,
    /// The receiver's own time, ms since the Unix epoch; it says a date only now and then.
    pub utc_ms: Option<i64>,
    /// When the first sentence of the epoch arrived.
    pub at: Moment,
    /// Why it is doubted: `jump`, `time_jump`, `checksums`, `simulated`; several with commas.
    pub suspicious: Option<String>,
}

impl Fix {
    /// Radius that holds the place about 19 times of 20, m: 5 m of range error times the geometry.
    pub fn accuracy_m(&self) -> f64 {
        let hdop = f64::from(self.hdop.unwrap_or(2.0)).clamp(0.5, 50.0);
        let range_error_m = match self.quality {
            FixQuality::Rtk => 0.5,
            FixQuality::Differential => 2.5,
            FixQuality::Autonomous => 5.0,
            FixQuality::Estimated | FixQuality::Simulated => 50.0,
        };
        (2.0 * range_error_m * hdop).max(1.0)
    }

    /// The wall clock agrees with the receiver within two seconds (sentences arrive up to a second late).
    pub fn agrees_with_wall(&self) -> bool {
        self.suspicious.is_none() && self.utc_ms.is_some_and(|utc| (self.at.wall_ms - utc).abs() <= 2000)
    }
}

/// At most one log line a minute, with the number of those swallowed.
#[derive(Debug, Default)]
pub struct LogLimit {
    next: Option<Mono>,
    swallowed: u64,
}

impl LogLimit {
    const EVERY_S: f64 = 60.0;

    /// `Some(n)`: log now, `n` were swallowed since the last one.
    pub fn admit(&mut self, now: Mono) -> Option<u64> {
        if self.next.is_some_and(|next| now < next) {
            self.swallowed += 1;
            return None;
        }
        self.next = Some(now.plus_s(Self::EVERY_S));
        Some(std::mem::take(&mut self.swallowed))
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
