//! gpsd's JSON lines (TPV and SKY): from lines to fixes. Pure.

use serde::Deserialize;

use super::doubt::DoubtJudge;
use super::fix::{Fix, FixQuality};
use kerbside_domain::time::Moment;

/// Sent to gpsd after connecting: it then reports without being polled.
pub(super) const WATCH: &[u8] = b"?WATCH={\"enable\":true,\"json\":true};\n";
/// SKY with all satellites is the longest line.
pub(super) const MAX_LINE: usize = 16 * 1024;

/// The fields of use here; gpsd sends many more and newer versions add to them.
#[derive(Debug, Deserialize)]
struct Report {
    class: String,
    mode: Option<u8>,
    status: Option<u8>,
    time: Option<String>,
    lat: Option<f64>,
    lon: Option<f64>,
    #[serde(rename = "altMSL")]
    alt_msl: Option<f64>,
    alt: Option<f64>,
    hdop: Option<f32>,
    #[serde(rename = "uSat")]
    used_satellites: Option<u32>,
}

/// Keeps geometry from SKY until the next TPV.
#[derive(Debug, Default)]
pub struct GpsdParser {
    hdop: Option<f32>,
    sats: Option<u32>,
    doubt: DoubtJudge,
    malformed: u64,
}

impl GpsdParser {
    /// The box moves: a place that it reaches step by step is no jump.
    pub(super) fn follow(&mut self) {
        self.doubt.follows = true;
    }

    /// Takes one line; a TPV with a fix gives one.
    pub fn push(&mut self, line: &[u8], at: Moment) -> Option<Fix> {
        let Ok(report) = serde_json::from_slice::<Report>(line) else {
            self.malformed += 1;
            return None;
        };
        match report.class.as_str() {
            "SKY" => {
                self.hdop = report.hdop.filter(|h| h.is_finite());
                self.sats = report.used_satellites;
                None
            }
            "TPV" => self.fix(&report, at),
            _ => None,
        }
    }

    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    fn fix(&mut self, report: &Report, at: Moment) -> Option<Fix> {
        let (lon_deg, lat_deg) = report.lon.zip(report.lat).filter(|_| report.mode >= Some(2))?;
        if lon_deg.abs() > 180.0 || lat_deg.abs() > 90.0 || (lon_deg, lat_deg) == (0.0, 0.0) {
            self.malformed += 1;
            return None;
        }
        let utc = report.time.as_deref().and_then(|t| chrono::DateTime::parse_from_rfc3339(t).ok());
        let mut fix = Fix {
            lon_deg,
            lat_deg,
            alt_m: report.alt_msl.or(report.alt),
            hdop: self.hdop,
            sats: self.sats,
            quality: quality(report.status),
            utc_ms: utc.map(|t| t.timestamp_millis()),
            at,
            doubts: Vec::new(),
        };
        fix.doubts = self.doubt.of(&fix);
        Some(fix)
    }
}

/// gpsd's `status`: 2 differential, 3 and 4 RTK, 5 and 6 dead reckoning, 8 simulated.
fn quality(status: Option<u8>) -> FixQuality {
    match status {
        Some(2) => FixQuality::Differential,
        Some(3 | 4) => FixQuality::Rtk,
        Some(5 | 6) => FixQuality::Estimated,
        Some(8) => FixQuality::Simulated,
        _ => FixQuality::Autonomous,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_of_gpsd() {
        let lines = [
            r#"{"class":"VERSION","release":"3.22","rev":"3.22","proto_major":3,"proto_minor":14}"#,
            r#"{"class":"TPV","device":"/dev/ttyS1","mode":1}"#,
            r#"{"class":"SKY","device":"/dev/ttyS1","hdop":0.71,"uSat":14,"satellites":[{"PRN":5,"used":true}]}"#,
            r#"{"class":"TPV","device":"/dev/ttyS1","status":2,"mode":3,"time":"2026-11-21T08:00:05.000Z","lat":31.1124,"lon":121.37608,"altMSL":9.4}"#,
            r#"{"class":"TPV","mode":3,"lat":131.0,"lon":121.3}"#,
            "{",
        ];
        let mut parser = GpsdParser::default();
        let fixes: Vec<Fix> =
            lines.iter().filter_map(|l| parser.push(l.as_bytes(), Moment::default())).collect();
        assert_eq!(fixes.len(), 1);
        assert_eq!((fixes[0].sats, fixes[0].quality), (Some(14), FixQuality::Differential));
        assert_eq!(fixes[0].utc_ms, Some(1_795_248_005_000));
        assert_eq!(parser.malformed(), 2);
    }
}
