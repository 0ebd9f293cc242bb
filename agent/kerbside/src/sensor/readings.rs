//! Readings: the payload of a sensor, checked. Pure.
//!
//! A payload is JSON: `{"value": 83.5, "unit": "%", "time": "2026-11-21T08:30:00+08:00"}`. Unit and time may be absent; a state
//! may be `true` or `false`; a press may carry an `id`, by which it is known when it is brought again. Other fields are ignored.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use kerbside_domain::reading::Reading;
use kerbside_domain::time::Moment;
use kerbside_site::config::{Sensor, SensorKind};

/// Largest payload, bytes. A reading is a number and a few words.
pub(super) const MAX_PAYLOAD: usize = 1024;
/// How far a sensor's clock may be ahead of ours, ms.
const AHEAD_MS: i64 = 60_000;
/// Longest id of a press; a longer one is cut.
const MAX_ID: usize = 64;

/// Why a payload is no reading.
#[derive(Debug, thiserror::Error, PartialEq)]
pub(super) enum BadReading {
    #[error("{bytes} bytes, at most {MAX_PAYLOAD} are allowed")]
    TooLarge { bytes: usize },
    #[error("not a JSON reading: {0}")]
    NotJson(String),
    #[error("the value is not finite")]
    NotFinite,
    #[error("the unit is \"{found}\", not \"{wanted}\"")]
    Unit { found: String, wanted: String },
    #[error("the time \"{0}\" is not RFC 3339")]
    Time(String),
}

/// Why a reading is doubted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReadingDoubt {
    /// No sensor of this kind can measure the value.
    OutOfRange,
    FromTheFuture,
    /// Older than the site allows.
    Stale,
    /// Measured before the reading that came last.
    OutOfOrder,
    Jump,
}

impl ReadingDoubt {
    /// The word of the contract.
    fn as_str(self) -> &'static str {
        match self {
            ReadingDoubt::OutOfRange => "out_of_range",
            ReadingDoubt::FromTheFuture => "from_the_future",
            ReadingDoubt::Stale => "stale",
            ReadingDoubt::OutOfOrder => "out_of_order",
            ReadingDoubt::Jump => "jump",
        }
    }
}

#[derive(Deserialize)]
struct Payload {
    #[serde(deserialize_with = "number_or_state")]
    value: f64,
    unit: Option<String>,
    time: Option<String>,
    id: Option<String>,
}

/// A number, or true for 1 and false for 0.
fn number_or_state<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    struct NumberOrState;
    impl Visitor<'_> for NumberOrState {
        type Value = f64;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("f64")
        }

        fn visit_f64<E: de::Error>(self, v: f64) -> Result<f64, E> {
            Ok(v)
        }

        fn visit_i64<E: de::Error>(self, v: i64) -> Result<f64, E> {
            Ok(v as f64)
        }

        fn visit_u64<E: de::Error>(self, v: u64) -> Result<f64, E> {
            Ok(v as f64)
        }

        fn visit_bool<E: de::Error>(self, v: bool) -> Result<f64, E> {
            Ok(f64::from(u8::from(v)))
        }
    }
    deserializer.deserialize_any(NumberOrState)
}

/// Checks the readings of one sensor.
#[derive(Debug)]
pub(super) struct Checker {
    id: Arc<str>,
    unit: Arc<str>,
    kind: SensorKind,
    max_age_s: f64,
    last: Option<(Moment, f64)>,
}

impl Checker {
    pub(super) fn new(sensor: &Sensor) -> Self {
        let (id, unit) = (sensor.id.as_str().into(), sensor.unit.as_str().into());
        Checker { id, unit, kind: sensor.kind, max_age_s: sensor.max_age_s, last: None }
    }

    /// Makes a reading of a payload that arrived `now`; with it the payload's own id, if it has one. A doubtful reading is
    /// accepted and carries its doubts.
    pub(super) fn check(
        &mut self,
        bytes: &[u8],
        now: Moment,
    ) -> Result<(Reading, Option<String>), BadReading> {
        if bytes.len() > MAX_PAYLOAD {
            return Err(BadReading::TooLarge { bytes: bytes.len() });
        }
        let payload: Payload =
            serde_json::from_slice(bytes).map_err(|e| BadReading::NotJson(e.to_string()))?;
        if let Some(found) = payload.unit.filter(|u| u.as_str() != &*self.unit) {
            let found = found.chars().take(32).collect();
            return Err(BadReading::Unit { found, wanted: self.unit.to_string() });
        }
        let stated_ms = payload.time.map(|text| parse_time(&text)).transpose()?;
        let id = payload.id.map(|id| id.chars().take(MAX_ID).collect());
        Ok((self.reading(payload.value, stated_ms, now)?, id))
    }

    /// Makes a reading of a value that was measured `now`.
    pub(super) fn value(&mut self, value: f64, now: Moment) -> Result<Reading, BadReading> {
        self.reading(value, None, now)
    }

    fn reading(&mut self, value: f64, stated_ms: Option<i64>, now: Moment) -> Result<Reading, BadReading> {
        if !value.is_finite() {
            return Err(BadReading::NotFinite);
        }
        let phenomenon = stated_ms.map_or(now, |wall_ms| measured(wall_ms, now));
        let suspicious = self.doubts(value, stated_ms, phenomenon, now);
        self.last = Some((phenomenon, value));
        let (sensor, unit) = (self.id.clone(), self.unit.clone());
        Ok(Reading { sensor, phenomenon, arrived: now, value, unit, suspicious })
    }

    /// The doubts about a reading, as words joined by commas; `None`: there are none.
    fn doubts(&self, value: f64, stated_ms: Option<i64>, phenomenon: Moment, now: Moment) -> Option<String> {
        let mut doubts = Vec::new();
        if !self.kind.range(&self.unit).contains(&value) {
            doubts.push(ReadingDoubt::OutOfRange);
        }
        if let Some(stated_ms) = stated_ms {
            if stated_ms - now.wall_ms > AHEAD_MS {
                doubts.push(ReadingDoubt::FromTheFuture);
            } else if (now.wall_ms - stated_ms) as f64 / 1000.0 > self.max_age_s {
                doubts.push(ReadingDoubt::Stale);
            }
        }
        if let Some((before, last)) = self.last {
            let took_s = phenomenon.mono.since_s(before.mono);
            if phenomenon.mono < before.mono {
                doubts.push(ReadingDoubt::OutOfOrder);
            } else if self.kind.fastest_rise().is_some_and(|(rise, s)| took_s < s && value - last > rise) {
                doubts.push(ReadingDoubt::Jump);
            }
        }
        let words: Vec<&str> = doubts.into_iter().map(ReadingDoubt::as_str).collect();
        (!words.is_empty()).then(|| words.join(","))
    }
}

fn parse_time(text: &str) -> Result<i64, BadReading> {
    chrono::DateTime::parse_from_rfc3339(text)
        .map(|t| t.timestamp_millis())
        .map_err(|_| BadReading::Time(text.chars().take(40).collect()))
}

/// The moment at which the wall clock showed `wall_ms`, by the present relation of the clocks; never later than now on
/// the monotonic clock.
fn measured(wall_ms: i64, now: Moment) -> Moment {
    let age_s = now.wall_ms.saturating_sub(wall_ms) as f64 / 1000.0;
    Moment { mono: now.mono.minus_s(age_s), wall_ms, quality: now.quality }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use kerbside_domain::time::{ClockQuality, Mono};

    fn sensor(kind: SensorKind, unit: &str) -> Sensor {
        Sensor::on_topic("bin-1", kind, unit, "sensors/bin-1")
    }

    /// 2026-11-21T08:30:00+08:00, the monotonic clock at `s`.
    fn now(s: f64) -> Moment {
        Moment { mono: Mono::from_s(s), wall_ms: 1_795_221_000_000, quality: ClockQuality::Ntp }
    }

    #[test]
    fn a_reading_with_its_time_is_placed_on_both_clocks() {
        let mut checker = Checker::new(&sensor(SensorKind::BinLevel, "%"));
        let payload = br#"{"value": 83.5, "unit": "%", "time": "2026-11-21T08:29:30+08:00", "battery": 3.6}"#;
        let (reading, id) = checker.check(payload, now(100.0)).unwrap();
        assert_eq!(id, None);
        assert_eq!((reading.value, reading.suspicious.as_deref()), (83.5, None));
        assert_eq!((reading.phenomenon.mono, reading.arrived), (Mono::from_s(70.0), now(100.0)));
        assert_eq!(reading.phenomenon.wall_ms, 1_795_220_970_000);
    }

    #[test]
    fn odd_readings_say_why() {
        let cases = [
            (SensorKind::BinLevel, "%", r#"{"value": 120}"#, "out_of_range"),
            (SensorKind::Noise, "dB", r#"{"value": -3}"#, "out_of_range"),
            (SensorKind::Smoke, "ppm", r#"{"value": 3, "time": "2026-11-21T00:00:00Z"}"#, "stale"),
            (
                SensorKind::Smoke,
                "ppm",
                r#"{"value": 3, "time": "2026-11-21T08:32:00+08:00"}"#,
                "from_the_future",
            ),
        ];
        for (kind, unit, payload, why) in cases {
            let (reading, _) =
                Checker::new(&sensor(kind, unit)).check(payload.as_bytes(), now(9000.0)).unwrap();
            assert_eq!(reading.suspicious.as_deref(), Some(why), "{payload}");
        }
        let mut bin = Checker::new(&sensor(SensorKind::BinLevel, "%"));
        bin.check(br#"{"value": 10}"#, now(1.0)).unwrap();
        assert_eq!(bin.check(br#"{"value": 90}"#, now(3.0)).unwrap().0.suspicious.as_deref(), Some("jump"));
        assert_eq!(bin.value(10.0, now(4.0)).unwrap().suspicious, None, "it was emptied");
        assert_eq!(bin.value(f64::NAN, now(5.0)), Err(BadReading::NotFinite));
    }

    #[test]
    fn a_state_may_be_true_and_a_press_has_an_id() {
        let mut button = Checker::new(&sensor(SensorKind::CallButton, "1"));
        let (reading, id) = button.check(br#"{"value": true, "id": "p-17"}"#, now(1.0)).unwrap();
        assert_eq!((reading.value, id.as_deref(), reading.suspicious), (1.0, Some("p-17"), None));
        let (reading, _) = button.check(br#"{"value": 2}"#, now(2.0)).unwrap();
        assert_eq!(reading.suspicious.as_deref(), Some("out_of_range"));
    }

    #[test]
    fn what_is_no_reading_is_refused_with_the_reason() {
        let large = format!("{{\"value\": 1, \"note\": \"{}\"}}", "x".repeat(2000));
        let cases = [
            (large.as_str(), "2024 bytes, at most 1024 are allowed"),
            ("", "not a JSON reading: EOF while parsing a value at line 1 column 0"),
            (r#"{"unit": "%"}"#, "not a JSON reading: missing field `value` at line 1 column 13"),
            (
                r#"{"value": "83"}"#,
                "not a JSON reading: invalid type: string \"83\", expected f64 at line 1 column 14",
            ),
            (r#"{"value": 1e999}"#, "not a JSON reading: number out of range at line 1 column 15"),
            (r#"{"value": 83, "unit": "cm"}"#, "the unit is \"cm\", not \"%\""),
            (r#"{"value": 83, "time": "yesterday"}"#, "the time \"yesterday\" is not RFC 3339"),
        ];
        for (payload, why) in cases {
            let mut checker = Checker::new(&sensor(SensorKind::BinLevel, "%"));
            assert_eq!(checker.check(payload.as_bytes(), now(0.0)).unwrap_err().to_string(), why);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_payload_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..1100)) {
            let _ = Checker::new(&sensor(SensorKind::BinLevel, "%")).check(&bytes, now(1.0));
        }

        #[test]
        fn what_passes_is_finite_and_never_later_than_now(
            value in "-?[0-9]{1,12}(\\.[0-9]{1,4})?(e-?[0-9]{1,4})?",
            time in "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](Z|\\+08:00|\\+99:00)",
        ) {
            let payload = format!("{{\"value\": {value}, \"time\": \"{time}\"}}");
            let mut checker = Checker::new(&sensor(SensorKind::Smoke, "ppm"));
            if let Ok((reading, _)) = checker.check(payload.as_bytes(), now(50.0)) {
                prop_assert!(reading.value.is_finite());
                prop_assert!(reading.phenomenon.mono <= Mono::from_s(50.0));
            }
        }
    }
}
