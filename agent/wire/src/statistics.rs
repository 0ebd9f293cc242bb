//! `device.statistics`: by rule or sensor and hour what was reported and what the centre made of it, and how long the cameras
//! watched.
//! Precision by the officers' own verdicts, and false reports per camera-day, can be read off.

use std::collections::BTreeMap;

use kerbside_domain::case::{CaseState, CaseUpdate, Receipt, ReceiptResult, is_false_detection};
use kerbside_domain::time::{Moment, instant_ms};
use serde::{Deserialize, Serialize};

use crate::clock::ClockTrust;
use crate::identity::Identity;
use crate::limits;
use crate::message::Message;
use crate::priority::Priority;
use crate::text::{rounded, to_json};

/// CloudEvents type without the leading `kerbside.`.
pub const STATISTICS: &str = "device.statistics.v1";
const OPENED: &str = "kerbside.matter.opened.v1";
/// What went away after a warning has this one message instead of that it was opened.
const SETTLED: &str = "kerbside.matter.settled.v1";
const PATROL: &str = "kerbside.patrol.report.v1";
const HOUR_MS: i64 = 3_600_000;
/// Incidents that are followed at once; those beyond are only said to be missing.
const MAX_INCIDENTS: usize = 20_000;
/// What the numbers of a row of a rule are.
const COLUMNS: [&str; 7] = ["hour", "reported", "accepted", "filed", "closed", "rejected_false", "settled"];

/// Counts by hour, in the order of [`COLUMNS`] without the first.
type Hours = BTreeMap<usize, [u64; 6]>;

/// On whose word an incident was reported.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Rule {
        camera: String,
        zone: String,
        rule: String,
    },
    /// A sensor alone: no zone and no rule, and often no camera.
    Sensor {
        sensor: String,
        kind: String,
    },
}

/// One incident, by what is known of it to date.
#[derive(Clone, Debug)]
struct Life {
    source: Source,
    /// The hour in which it was opened, counted from the span's begin.
    hour: usize,
    accepted: bool,
    filed: bool,
    closed: bool,
    rejected_false: bool,
    settled: bool,
}

/// Folds what the box said and heard into the account of a span. Each thing counts in the hour in which its incident was opened.
#[derive(Clone, Debug)]
pub struct Statistics {
    from_ms: i64,
    to_ms: i64,
    incidents: BTreeMap<String, Life>,
    /// Seconds by camera and hour.
    watched: BTreeMap<String, Vec<f64>>,
    omitted: u64,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    time: &'a str,
    #[serde(borrow)]
    data: &'a serde_json::value::RawValue,
}

#[derive(Deserialize)]
struct Opened {
    incident_id: String,
    kind: String,
    #[serde(default)]
    zone: Option<ZoneData>,
    #[serde(default)]
    sensor: Option<SensorData>,
    device: DeviceData,
}

impl Opened {
    /// Its id, and on whose word; `None`: it does not say.
    fn source(self) -> Option<(String, Source)> {
        let source = match (self.zone, self.sensor, self.device.camera_id) {
            (Some(zone), _, Some(camera)) => Source::Rule { camera, zone: zone.id, rule: zone.rule },
            (_, Some(sensor), _) => Source::Sensor { sensor: sensor.id, kind: self.kind },
            _ => return None,
        };
        Some((self.incident_id, source))
    }
}

#[derive(Deserialize)]
struct SensorData {
    id: String,
}

#[derive(Deserialize)]
struct ZoneData {
    id: String,
    rule: String,
}

#[derive(Deserialize)]
struct DeviceData {
    #[serde(default)]
    camera_id: Option<String>,
}

#[derive(Deserialize)]
struct Patrol {
    /// Commands that ordered it: its period is part of a regular one.
    #[serde(default)]
    commands: Vec<String>,
    from: String,
    to: String,
    cameras: Vec<CameraData>,
}

#[derive(Deserialize)]
struct CameraData {
    camera_id: String,
    watched_s: f64,
}

impl Statistics {
    /// Of a span of wall-clock time, ms; at most [`limits::STATISTICS_MS`] long.
    pub fn new(from_ms: i64, to_ms: i64) -> Self {
        let to_ms = to_ms.clamp(from_ms, from_ms.saturating_add(limits::STATISTICS_MS));
        Statistics { from_ms, to_ms, incidents: BTreeMap::new(), watched: BTreeMap::new(), omitted: 0 }
    }

    fn hours(&self) -> usize {
        usize::try_from((self.to_ms - self.from_ms + HOUR_MS - 1) / HOUR_MS).unwrap_or(0)
    }

    fn hour_of(&self, ms: i64) -> Option<usize> {
        (self.from_ms..self.to_ms).contains(&ms).then(|| ((ms - self.from_ms) / HOUR_MS) as usize)
    }

    /// A message of the box, as it went out. Only reports and patrols matter.
    pub fn message(&mut self, envelope: &str) {
        // Most messages are readings and health: they are not parsed.
        if ![OPENED, SETTLED, PATROL].iter().any(|kind| envelope.contains(kind)) {
            return;
        }
        let Ok(event) = serde_json::from_str::<Envelope<'_>>(envelope) else { return };
        match event.kind {
            OPENED | SETTLED => {
                if let Some(hour) = instant_ms(event.time).and_then(|ms| self.hour_of(ms)) {
                    let opened = serde_json::from_str::<Opened>(event.data.get()).ok();
                    self.opened(hour, opened.and_then(Opened::source), event.kind == SETTLED);
                }
            }
            PATROL => {
                if let Ok(patrol) = serde_json::from_str(event.data.get()) {
                    self.patrol(&patrol);
                }
            }
            _ => {}
        }
    }

    /// `None`: what opened does not say on whose word.
    fn opened(&mut self, hour: usize, opened: Option<(String, Source)>, settled: bool) {
        let Some((id, source)) = opened.filter(|_| self.incidents.len() < MAX_INCIDENTS) else {
            self.omitted += 1;
            return;
        };
        let (accepted, filed, closed, rejected_false) = (false, false, false, false);
        let life = Life { source, hour, accepted, filed, closed, rejected_false, settled };
        self.incidents.entry(id).or_insert(life);
    }

    /// The seconds of a patrol belong to the hours that it spans, in proportion.
    fn patrol(&mut self, patrol: &Patrol) {
        let (Some(from_ms), Some(to_ms)) = (instant_ms(&patrol.from), instant_ms(&patrol.to)) else { return };
        let (hours, begin_ms, end_ms) = (self.hours(), self.from_ms, self.to_ms);
        if !patrol.commands.is_empty() || to_ms <= from_ms || to_ms <= begin_ms || from_ms >= end_ms {
            return;
        }
        for camera in &patrol.cameras {
            let by_hour = self.watched.entry(camera.camera_id.clone()).or_insert_with(|| vec![0.0; hours]);
            for (hour, watched_s) in by_hour.iter_mut().enumerate() {
                let hour_ms = begin_ms + hour as i64 * HOUR_MS;
                let shared_ms = to_ms.min(hour_ms + HOUR_MS).min(end_ms) - from_ms.max(hour_ms);
                *watched_s += camera.watched_s * shared_ms.max(0) as f64 / (to_ms - from_ms) as f64;
            }
        }
    }

    /// A receipt that counts.
    pub fn receipt(&mut self, receipt: &Receipt) {
        let incident_id = receipt.id.rsplit_once('.').map_or(receipt.id.as_str(), |(id, _)| id);
        let Some(life) = self.incidents.get_mut(incident_id) else { return };
        match receipt.result {
            ReceiptResult::Accepted | ReceiptResult::Duplicate => life.accepted = true,
            ReceiptResult::Rejected => {
                life.rejected_false |= receipt.reason.as_deref().is_some_and(is_false_detection);
            }
        }
    }

    /// A state of a case that counts.
    pub fn case(&mut self, update: &CaseUpdate) {
        let Some(life) = self.incidents.get_mut(&update.incident_id) else { return };
        match update.state {
            CaseState::Accepted => life.accepted = true,
            CaseState::Filed => life.filed = true,
            CaseState::Closed | CaseState::FollowedUp => life.closed = true,
            CaseState::Reopened => life.closed = false,
            CaseState::NotAccepted | CaseState::NotFiled | CaseState::Voided => {
                life.rejected_false |= update.reason.as_deref().is_some_and(is_false_detection);
            }
            _ => {}
        }
    }

    /// Counts of each rule and each sensor.
    fn counts(&self) -> BTreeMap<&Source, Hours> {
        let mut sources: BTreeMap<&Source, Hours> = BTreeMap::new();
        for life in self.incidents.values() {
            let row = sources.entry(&life.source).or_default().entry(life.hour).or_default();
            let counts = [true, life.accepted, life.filed, life.closed, life.rejected_false, life.settled];
            for (sum, counts) in row.iter_mut().zip(counts) {
                *sum += u64::from(counts);
            }
        }
        sources
    }
}

#[derive(Serialize)]
struct StatisticsData<'a> {
    from: String,
    to: String,
    complete: bool,
    columns: [&'static str; 7],
    rules: Vec<RuleData<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sensors: Vec<SensorCounts<'a>>,
    watched: Vec<WatchedData<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    omitted: u64,
    clock: ClockTrust,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[derive(Serialize)]
struct RuleData<'a> {
    camera_id: &'a str,
    zone: &'a str,
    rule: &'a str,
    #[serde(flatten)]
    counts: CountsData,
}

/// What was reported on a sensor's word alone.
#[derive(Serialize)]
struct SensorCounts<'a> {
    sensor: &'a str,
    kind: &'a str,
    #[serde(flatten)]
    counts: CountsData,
}

#[derive(Serialize)]
struct CountsData {
    total: [u64; 6],
    rows: Vec<[u64; 7]>,
}

impl CountsData {
    fn of(hours: &Hours) -> Self {
        let mut total = [0; 6];
        let rows = hours.iter().map(|(hour, counts)| {
            total.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            let [reported, accepted, filed, closed, rejected, settled] = *counts;
            [*hour as u64, reported, accepted, filed, closed, rejected, settled]
        });
        let rows = rows.collect();
        CountsData { total, rows }
    }
}

#[derive(Serialize)]
struct WatchedData<'a> {
    camera_id: &'a str,
    total_s: f64,
    by_hour_s: Vec<f64>,
}

/// `device.statistics`. `complete`: the journal still holds all of the span. Rules beyond [`limits::STATISTICS_RULES`], and as many
/// sensors, are counted as omitted.
pub fn statistics(who: &Identity, statistics: &Statistics, complete: bool, at: Moment) -> Message {
    let counts = statistics.counts();
    let mut omitted = statistics.omitted;
    let (mut rules, mut sensors) = (Vec::new(), Vec::new());
    for (source, hours) in &counts {
        let counts = CountsData::of(hours);
        match source {
            Source::Rule { camera, zone, rule } if rules.len() < limits::STATISTICS_RULES => {
                rules.push(RuleData { camera_id: camera, zone, rule, counts });
            }
            Source::Sensor { sensor, kind } if sensors.len() < limits::STATISTICS_RULES => {
                sensors.push(SensorCounts { sensor, kind, counts });
            }
            Source::Rule { .. } | Source::Sensor { .. } => omitted += counts.total[0],
        }
    }
    let watched = statistics.watched.iter().map(|(camera_id, by_hour)| WatchedData {
        camera_id,
        total_s: rounded(by_hour.iter().sum(), 1),
        by_hour_s: by_hour.iter().map(|s| rounded(*s, 1)).collect(),
    });
    let time = |wall_ms| kerbside_domain::time::rfc3339(wall_ms, who.utc_offset_s);
    let data = StatisticsData {
        from: time(statistics.from_ms),
        to: time(statistics.to_ms),
        complete,
        columns: COLUMNS,
        rules,
        sensors,
        watched: watched.collect(),
        omitted,
        clock: at.quality.into(),
    };
    let mut message = Message::new(STATISTICS, "statistics", Priority::Reply, at, to_json(&data));
    message.retain = true;
    message
}
