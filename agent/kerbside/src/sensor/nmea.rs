//! NMEA 0183: from bytes to fixes. Pure.
//!
//! Only the stateless `nmea::parse_bytes`: the crate's own assembler panics on legal input (0.8.0: long GSV groups,
//! many satellites). Sentences of one epoch carry the same time of day; they are put together here.

use chrono::{NaiveDate, NaiveTime};
use nmea::ParseResult;
use nmea::sentences::rmc::RmcStatusOfFix;
use nmea::sentences::{FaaMode, FixType};

use super::{Fix, FixQuality};
use kerbside_domain::time::{Moment, Mono};
use kerbside_site::geo::distance_m;

/// Cuts a stream of bytes into lines of bounded length; what is longer is dropped whole and counted.
#[derive(Debug)]
pub struct LineBuffer {
    line: Vec<u8>,
    limit: usize,
    skipping: bool,
    overlong: u64,
}

impl LineBuffer {
    pub fn new(limit: usize) -> Self {
        LineBuffer { line: Vec::new(), limit, skipping: false, overlong: 0 }
    }

    /// Feeds bytes; `each` gets every whole line without its end.
    pub fn push(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) {
        for &byte in bytes {
            if byte == b'\n' || byte == b'\r' {
                if !self.line.is_empty() && !self.skipping {
                    each(&self.line);
                }
                self.line.clear();
                self.skipping = false;
            } else if self.line.len() >= self.limit {
                self.overlong += u64::from(!self.skipping);
                self.skipping = true;
            } else {
                self.line.push(byte);
            }
        }
    }

    /// Lines dropped for their length.
    pub fn overlong(&self) -> u64 {
        self.overlong
    }
}

/// What became of the lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCounts {
    pub good: u64,
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

/// Puts sentences together into fixes and says which of them are to be doubted.
#[derive(Debug, Default)]
pub struct Assembler {
    epoch: Epoch,
    counts: LineCounts,
    doubt: Doubt,
    last_date: Option<NaiveDate>,
}

impl Assembler {
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

    /// The epoch under way, when the stream ends.
    pub fn finish(&mut self) -> Option<Fix> {
        let done = std::mem::take(&mut self.epoch);
        self.fix(done)
    }

    fn take(&mut self, sentence: &ParseResult, at: Moment) -> Option<Fix> {
        match sentence {
            ParseResult::RMC(rmc) => {
                let done = self.begin(rmc.fix_time, at);
                self.epoch.date = rmc.fix_date.or(self.epoch.date);
                self.epoch.refused |= rmc.status_of_fix == RmcStatusOfFix::Invalid;
                let quality = match rmc.status_of_fix {
                    RmcStatusOfFix::Differential => FixQuality::Differential,
                    _ => rmc.faa_mode.map_or(FixQuality::Autonomous, |mode| of_mode(&mode)),
                };
                self.epoch.quality.get_or_insert(quality);
                self.place(rmc.lon, rmc.lat);
                done
            }
            ParseResult::GGA(gga) => {
                let done = self.begin(gga.fix_time, at);
                match gga.fix_type.and_then(of_type) {
                    Some(quality) => self.epoch.quality = Some(quality),
                    None => self.epoch.refused = true,
                }
                self.epoch.sats = gga.fix_satellites.or(self.epoch.sats);
                self.epoch.hdop = gga.hdop.filter(|h| h.is_finite()).or(self.epoch.hdop);
                self.epoch.alt_m = gga.altitude.map(f64::from).filter(|a| a.is_finite()).or(self.epoch.alt_m);
                self.place(gga.longitude, gga.latitude);
                done
            }
            ParseResult::GNS(gns) => {
                let done = self.begin(gns.fix_time, at);
                self.epoch.sats = Some(u32::from(gns.nsattelites)).or(self.epoch.sats);
                self.epoch.hdop = gns.hdop.filter(|h| h.is_finite()).or(self.epoch.hdop);
                self.place(gns.lon, gns.lat);
                done
            }
            ParseResult::ZDA(zda) => {
                let done = self.begin(zda.utc_time, at);
                self.epoch.date = zda.utc_date().or(self.epoch.date);
                done
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
        let done = std::mem::replace(&mut self.epoch, next);
        self.fix(done)
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
            suspicious: None,
        };
        fix.suspicious = self.doubt.of(&fix);
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

/// A jump of this size is no street-side box.
const JUMP_M: f64 = 5_000.0;
/// The receiver's clock may differ from ours by this much between two fixes.
const TIME_SLACK_MS: i64 = 5_000;
/// A new place is believed after so many fixes that agree with each other.
const AGREEING_FIXES: u32 = 60;

/// Which fixes are to be doubted: spoofed, corrupted or simulated.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    trusted: Option<(f64, f64)>,
    rival: Option<((f64, f64), u32)>,
    last_time: Option<(i64, Mono)>,
    /// Of the last 64 lines, one bit each: the checksum was wrong.
    wrong: u64,
}

impl Doubt {
    fn line(&mut self, good: bool) {
        self.wrong = self.wrong << 1 | u64::from(!good);
    }

    pub(super) fn of(&mut self, fix: &Fix) -> Option<String> {
        let mut reasons = Vec::new();
        if self.jumps((fix.lon_deg, fix.lat_deg)) {
            reasons.push("jump");
        }
        if fix.utc_ms.is_some_and(|utc| self.time_jumps(utc, fix.at.mono)) {
            reasons.push("time_jump");
        }
        if self.wrong.count_ones() > 6 {
            reasons.push("checksums");
        }
        if fix.quality == FixQuality::Simulated {
            reasons.push("simulated");
        }
        (!reasons.is_empty()).then(|| reasons.join(","))
    }

    fn jumps(&mut self, at: (f64, f64)) -> bool {
        let Some(trusted) = self.trusted else {
            self.trusted = Some(at);
            return false;
        };
        if distance_m(trusted, at) <= JUMP_M {
            self.rival = None;
            return false;
        }
        let agreeing = match self.rival {
            Some((place, n)) if distance_m(place, at) <= JUMP_M => n + 1,
            _ => 1,
        };
        self.rival = Some((at, agreeing));
        if agreeing >= AGREEING_FIXES {
            (self.trusted, self.rival) = (Some(at), None);
        }
        true
    }

    fn time_jumps(&mut self, utc_ms: i64, mono: Mono) -> bool {
        let Some((before_ms, before)) = self.last_time.replace((utc_ms, mono)) else { return false };
        let elapsed_ms = (mono.since_s(before) * 1000.0) as i64;
        (utc_ms - before_ms - elapsed_ms).abs() > TIME_SLACK_MS
    }
}

#[cfg(test)]
#[path = "nmea_tests.rs"]
mod tests;
