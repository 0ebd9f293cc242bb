//! A fix: where a GNSS receiver says that it is, and how far it can be believed.

use kerbside_domain::time::Moment;

/// Largest difference between the wall clock and the receiver's time that counts as agreement, ms. Sentences arrive up to a
/// second late.
const AGREEMENT_MS: i64 = 2000;
/// Dilution of precision where a receiver does not give it: an ordinary street between houses.
const USUAL_HDOP: f32 = 2.0;

/// How a receiver came to its fix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FixQuality {
    /// By satellites alone.
    Autonomous,
    /// With the corrections of a reference station.
    Differential,
    /// With the carrier phase of a reference station.
    Rtk,
    /// Dead reckoning, or entered by hand.
    Estimated,
    /// Made up by the receiver, for tests.
    Simulated,
}

/// One epoch of a receiver: WGS-84.
#[derive(Clone, Debug, PartialEq)]
pub struct Fix {
    pub lon_deg: f64,
    pub lat_deg: f64,
    /// Above mean sea level, m.
    pub alt_m: Option<f64>,
    pub hdop: Option<f32>,
    pub sats: Option<u32>,
    pub quality: FixQuality,
    /// The receiver's own time, ms since the Unix epoch; it gives a date only now and then.
    pub utc_ms: Option<i64>,
    /// When the first sentence of the epoch arrived.
    pub at: Moment,
    /// Empty: the fix can be used.
    pub doubts: Vec<FixDoubt>,
}

impl Fix {
    /// Radius that holds the place about 19 times of 20, m: the range error of the quality times the geometry.
    pub fn accuracy_m(&self) -> f64 {
        let hdop = f64::from(self.hdop.unwrap_or(USUAL_HDOP)).clamp(0.5, 50.0);
        let range_error_m = match self.quality {
            FixQuality::Rtk => 0.5,
            FixQuality::Differential => 2.5,
            FixQuality::Autonomous => 5.0,
            FixQuality::Estimated | FixQuality::Simulated => 50.0,
        };
        (2.0 * range_error_m * hdop).max(1.0)
    }

    /// The wall clock agrees with the receiver.
    pub fn agrees_with_wall(&self) -> bool {
        self.doubts.is_empty() && self.utc_ms.is_some_and(|utc| (self.at.wall_ms - utc).abs() <= AGREEMENT_MS)
    }
}

/// Why a fix is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FixDoubt {
    /// It lies far from all fixes before.
    Jump,
    /// The receiver's clock jumped.
    TimeJump,
    /// Many lines of the receiver had wrong checksums.
    Checksums,
    /// The receiver says that it simulates.
    Simulated,
}
