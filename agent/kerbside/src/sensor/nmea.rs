//! NMEA 0183: from bytes to fixes. Pure.
//!
//! It uses only the stateless `nmea::parse_bytes`, because the crate's own assembler panics on legal input (0.8.0: long GSV
//! groups, many satellites). Sentences of one epoch carry the same time of day; this assembler joins them.

use chrono::{NaiveDate, NaiveTime};
use nmea::ParseResult;
use nmea::sentences::rmc::RmcStatusOfFix;
use nmea::sentences::{FaaMode, FixType};

use super::doubt::DoubtJudge;
use super::fix::{Fix, FixQuality};
use kerbside_domain::time::Moment;

/// What the lines were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCounts {
    /// Sentences that could be used.
    pub good: u64,
    /// Sentences whose checksum is wrong.
    pub wrong_checksum: u64,
    /// Not a sentence, or one that cannot be parsed.
    pub malformed: u64,
    /// Sentences of no use here.
    pub other: u64,
}

#[derive(Debug, Default)]
struct Epoch {
    time: Option<NaiveTime>,
    at: Moment,
    lon_lat: Option<(f64, f64)>,
    alt_m: Option<f64>,
    hdop: Option<f32>,
    sats: Option<u32>,
    quality: Option<FixQuality>,
    date: Option<NaiveDate>,
    /// A sentence said that there is no fix.
    refused: bool,
}

/// Joins sentences into fixes, and adds the doubts about each.
#[derive(Debug, Default)]
pub struct Assembler {
    epoch: Epoch,
    counts: LineCounts,
    doubt: DoubtJudge,
    last_date: Option<NaiveDate>,
}

impl Assembler {
    /// The box moves: a place that it reaches step by step is no jump.
    pub(super) fn follow(&mut self) {
        self.doubt.follows = true;
    }

    /// Takes one line. A fix comes out when the next epoch begins.
    pub fn push(&mut self, line: &[u8], at: Moment) -> Option<Fix> {
        let sentence = match nmea::parse_bytes(line) {
            Ok(sentence) => sentence,
            Err(nmea::Error::ChecksumMismatch { .. }) => {
                self.counts.wrong_checksum += 1;
                self.doubt.line(false);
                return None;
            }
            Err(nmea::Error::Unsupported(_) | nmea::Error::Unknown(_) | nmea::Error::DisabledSentence) => {
                self.counts.other += 1;
                return None;
            }
            Err(_) => {
                self.counts.malformed += 1;
                return None;
            }
        };
        self.doubt.line(true);
        self.counts.good += 1;
        self.take(&sentence, at)
    }

    pub fn counts(&self) -> LineCounts {
        self.counts
    }

    /// The current epoch, when the stream ends.
    pub fn finish(&mut self) -> Option<Fix> {
        let complete = std::mem::take(&mut self.epoch);
        self.fix(complete)
    }

    fn take(&mut self, sentence: &ParseResult, at: Moment) -> Option<Fix> {
        match sentence {
            ParseResult::RMC(rmc) => {
                let complete = self.begin(rmc.fix_time, at);
                self.epoch.date = rmc.fix_date.or(self.epoch.date);
                self.epoch.refused |= rmc.status_of_fix == RmcStatusOfFix::Invalid;
                let quality = match rmc.status_of_fix {
                    RmcStatusOfFix::Differential => FixQuality::Differential,
                    _ => rmc.faa_mode.map_or(FixQuality::Autonomous, |mode| of_mode(&mode)),
                };
                self.epoch.quality.get_or_insert(quality);
                self.place(rmc.lon, rmc.lat);
                complete
            }
            ParseResult::GGA(gga) => {
                let complete = self.begin(gga.fix_time, at);
                match gga.fix_type.and_then(of_type) {
                    Some(quality) => self.epoch.quality = Some(quality),
                    None => self.epoch.refused = true,
                }
                self.epoch.sats = gga.fix_satellites.or(self.epoch.sats);
                self.epoch.hdop = gga.hdop.filter(|h| h.is_finite()).or(self.epoch.hdop);
                self.epoch.alt_m = gga.altitude.map(f64::from).filter(|a| a.is_finite()).or(self.epoch.alt_m);
                self.place(gga.longitude, gga.latitude);
                complete
            }
            ParseResult::GNS(gns) => {
                let complete = self.begin(gns.fix_time, at);
                self.epoch.sats = Some(u32::from(gns.nsattelites)).or(self.epoch.sats);
                self.epoch.hdop = gns.hdop.filter(|h| h.is_finite()).or(self.epoch.hdop);
                self.place(gns.lon, gns.lat);
                complete
            }
            ParseResult::ZDA(zda) => {
                let complete = self.begin(zda.utc_time, at);
                self.epoch.date = zda.utc_date().or(self.epoch.date);
                complete
            }
            _ => None,
        }
    }

    /// A sentence of another time of day closes the epoch.
    fn begin(&mut self, time: Option<NaiveTime>, at: Moment) -> Option<Fix> {
        if time.is_none() || time == self.epoch.time {
            return None;
        }
        let next = Epoch { time, at, ..Epoch::default() };
        let complete = std::mem::replace(&mut self.epoch, next);
        self.fix(complete)
    }

    fn place(&mut self, lon: Option<f64>, lat: Option<f64>) {
        let (Some(lon), Some(lat)) = (lon, lat) else { return };
        let possible = lon.abs() <= 180.0 && lat.abs() <= 90.0 && (lon, lat) != (0.0, 0.0);
        if possible {
            self.epoch.lon_lat = Some((lon, lat));
        }
    }

    fn fix(&mut self, epoch: Epoch) -> Option<Fix> {
        self.last_date = epoch.date.or(self.last_date);
        let (lon_deg, lat_deg) = epoch.lon_lat.filter(|_| !epoch.refused)?;
        let utc_ms = epoch.date.zip(epoch.time).map(|(d, t)| d.and_time(t).and_utc().timestamp_millis());
        let mut fix = Fix {
            lon_deg,
            lat_deg,
            alt_m: epoch.alt_m,
            hdop: epoch.hdop,
            sats: epoch.sats,
            quality: epoch.quality.unwrap_or(FixQuality::Autonomous),
            utc_ms,
            at: epoch.at,
            doubts: Vec::new(),
        };
        fix.doubts = self.doubt.of(&fix);
        Some(fix)
    }
}

fn of_type(fix: FixType) -> Option<FixQuality> {
    match fix {
        FixType::Invalid => None,
        FixType::Gps | FixType::Pps => Some(FixQuality::Autonomous),
        FixType::DGps => Some(FixQuality::Differential),
        FixType::Rtk | FixType::FloatRtk => Some(FixQuality::Rtk),
        FixType::Estimated | FixType::Manual => Some(FixQuality::Estimated),
        FixType::Simulation => Some(FixQuality::Simulated),
    }
}

fn of_mode(mode: &FaaMode) -> FixQuality {
    match mode {
        FaaMode::Differential => FixQuality::Differential,
        FaaMode::FloatRtk | FaaMode::FixedRtk => FixQuality::Rtk,
        FaaMode::Estimated | FaaMode::Manual => FixQuality::Estimated,
        FaaMode::Simulator => FixQuality::Simulated,
        _ => FixQuality::Autonomous,
    }
}

#[cfg(test)]
#[path = "nmea_tests.rs"]
mod tests;
