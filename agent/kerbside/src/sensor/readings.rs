//! Readings: what sensors publish, checked. The check is pure; `Broker` is the thin MQTT shell around it.
//!
//! A payload is JSON: `{"value": 83.5, "unit": "%", "time": "2026-11-21T08:30:00+08:00"}`; unit and time may be absent,
//! other fields are ignored.

use std::sync::Arc;
use std::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, QoS};
use serde::Deserialize;
use tokio::sync::mpsc;

use super::LogLimit;
use crate::health::{Pulse, SensorMetrics};
use kerbside_domain::reading::Reading;
use kerbside_domain::time::{Clock, Moment};
use kerbside_site::config::{Sensor, SensorKind, Sensors};

/// A reading is a number and a few words; anything larger is no reading.
pub const MAX_PAYLOAD: usize = 1024;
/// A longer packet costs the connection, and if it is retained each one after it: far above what is read of a reading, bytes.
const INCOMING_LIMIT: usize = 4 << 20;
/// A sensor's clock may be ahead of ours by this much.
const AHEAD_MS: i64 = 60_000;

/// Why a payload is no reading.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum BadReading {
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

#[derive(Deserialize)]
struct Payload {
    value: f64,
    unit: Option<String>,
    time: Option<String>,
}

/// Checks the readings of one sensor.
#[derive(Debug)]
pub struct Checker {
    id: Arc<str>,
    unit: Arc<str>,
    kind: SensorKind,
    max_age_s: f64,
    last: Option<(Moment, f64)>,
}

impl Checker {
    pub fn new(sensor: &Sensor) -> Self {
        let (id, unit) = (sensor.id.as_str().into(), sensor.unit.as_str().into());
        Checker { id, unit, kind: sensor.kind, max_age_s: sensor.max_age_s, last: None }
    }

    /// Makes a reading of a payload that arrived `now`. What can be a reading but is odd, is one that says so.
    pub fn check(&mut self, payload: &[u8], now: Moment) -> Result<Reading, BadReading> {
        if payload.len() > MAX_PAYLOAD {
            return Err(BadReading::TooLarge { bytes: payload.len() });
        }
        let read: Payload =
            serde_json::from_slice(payload).map_err(|e| BadReading::NotJson(e.to_string()))?;
        if !read.value.is_finite() {
            return Err(BadReading::NotFinite);
        }
        if let Some(found) = read.unit.filter(|u| u.as_str() != &*self.unit) {
            let found = found.chars().take(32).collect();
            return Err(BadReading::Unit { found, wanted: self.unit.to_string() });
        }
        let said = read.time.map(|text| parse_time(&text)).transpose()?;
        let phenomenon = said.map_or(now, |wall_ms| measured(wall_ms, now));
        let suspicious = self.doubt(read.value, said, phenomenon, now);
        self.last = Some((phenomenon, read.value));
        let (sensor, unit) = (self.id.clone(), self.unit.clone());
        Ok(Reading { sensor, phenomenon, arrived: now, value: read.value, unit, suspicious })
    }

    fn doubt(&self, value: f64, said_ms: Option<i64>, phenomenon: Moment, now: Moment) -> Option<String> {
        let mut reasons = Vec::new();
        if !range(self.kind, &self.unit).contains(&value) {
            reasons.push("out_of_range");
        }
        if let Some(said_ms) = said_ms {
            if said_ms - now.wall_ms > AHEAD_MS {
                reasons.push("from_the_future");
            } else if (now.wall_ms - said_ms) as f64 / 1000.0 > self.max_age_s {
                reasons.push("stale");
            }
        }
        if let Some((before, last)) = self.last {
            if phenomenon.mono < before.mono {
                reasons.push("out_of_order");
            } else if self.kind == SensorKind::BinLevel && phenomenon.mono.since_s(before.mono) < 10.0 {
                // Nothing fills half a bin within ten seconds.
                if value - last > 50.0 {
                    reasons.push("jump");
                }
            }
        }
        (!reasons.is_empty()).then(|| reasons.join(","))
    }
}

/// What a sensor of this kind can measure, in its unit.
fn range(kind: SensorKind, unit: &str) -> std::ops::RangeInclusive<f64> {
    match (kind, unit) {
        (SensorKind::BinLevel, "%") => 0.0..=100.0,
        (SensorKind::BinLevel, _) => 0.0..=10_000.0,
        (SensorKind::Smoke, _) => 0.0..=1_000_000.0,
        (SensorKind::Noise, _) => 0.0..=194.0,
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

/// The shell: subscribes to every sensor's topic at the box's own broker and sends readings on.
#[derive(Debug)]
pub struct Broker {
    pub sensors: Sensors,
    pub edge_id: String,
    pub clock: Arc<dyn Clock>,
    /// Full: the newest reading is dropped and counted.
    pub readings: mpsc::Sender<Reading>,
    pub metrics: SensorMetrics,
    pub pulse: Option<Pulse>,
}

impl Broker {
    /// Runs until nobody listens. Without a broker or sensors it returns at once.
    pub async fn run(self) {
        let Some((host, port)) = self.sensors.broker.clone().filter(|_| !self.sensors.sensors.is_empty())
        else {
            return;
        };
        let mut options = MqttOptions::new(format!("{}-sensors", self.edge_id), host, port);
        options
            .set_keep_alive(Duration::from_secs(30))
            .set_max_packet_size(INCOMING_LIMIT, 4096)
            .set_inflight(8);
        let (client, events) = AsyncClient::new(options, 2 * self.sensors.sensors.len() + 8);
        let checkers = self.sensors.sensors.iter().map(|s| (s.topic.clone(), Checker::new(s))).collect();
        let mut session =
            Session { broker: &self, client, checkers, faults: LogLimit::default(), connected: false };
        session.poll(events).await;
        if let Some(pulse) = &self.pulse {
            pulse.end();
        }
    }
}

struct Session<'a> {
    broker: &'a Broker,
    client: AsyncClient,
    checkers: Vec<(String, Checker)>,
    faults: LogLimit,
    connected: bool,
}

impl Session<'_> {
    async fn poll(&mut self, mut events: EventLoop) {
        let mut wait_s = 1.0;
        let mut beats = tokio::time::interval(Duration::from_secs(1));
        while !self.broker.readings.is_closed() {
            // One poll is finished before the next begins: it is not safe to cancel.
            let polled = {
                let poll = events.poll();
                tokio::pin!(poll);
                loop {
                    tokio::select! {
                        polled = &mut poll => break Some(polled),
                        _ = beats.tick() => self.beat(),
                        () = self.broker.readings.closed() => break None,
                    }
                }
            };
            match polled {
                None => return,
                Some(Ok(Event::Incoming(Packet::ConnAck(_)))) => {
                    (self.connected, wait_s) = (true, 1.0);
                    tracing::info!("sensor broker connected");
                    self.subscribe();
                }
                Some(Ok(Event::Incoming(Packet::Publish(publish)))) => {
                    self.take(&publish.topic, &publish.payload)
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    tracing::warn!(%error, wait_s, "sensor broker lost");
                    self.connected = false;
                    events.clean();
                    events.pending.clear();
                    self.idle(wait_s * (0.75 + 0.5 * fastrand::f64())).await;
                    wait_s = (wait_s * 2.0).min(60.0);
                }
            }
        }
    }

    /// Without waiting: the queue of requests has room for every topic.
    fn subscribe(&self) {
        for (topic, _) in &self.checkers {
            if let Err(error) = self.client.try_subscribe(topic, QoS::AtLeastOnce) {
                tracing::error!(%topic, %error, "a sensor's topic could not be subscribed");
            }
        }
    }

    fn take(&mut self, topic: &str, payload: &[u8]) {
        let now = self.broker.clock.now();
        let metrics = &self.broker.metrics;
        let Some((_, checker)) = self.checkers.iter_mut().find(|(t, _)| t == topic) else {
            metrics.unknown_topic.inc();
            return;
        };
        match checker.check(payload, now) {
            Ok(reading) => {
                let counter =
                    if reading.suspicious.is_some() { &metrics.suspicious } else { &metrics.accepted };
                counter.inc();
                if let Err(mpsc::error::TrySendError::Full(_)) = self.broker.readings.try_send(reading) {
                    metrics.readings_dropped.inc();
                }
            }
            Err(error) => {
                metrics.malformed.inc();
                if let Some(swallowed) = self.faults.admit(now.mono) {
                    tracing::warn!(%topic, %error, swallowed, "not a reading");
                }
            }
        }
    }

    async fn idle(&self, s: f64) {
        let mut left = Duration::from_secs_f64(s);
        while !left.is_zero() && !self.broker.readings.is_closed() {
            self.beat();
            let step = left.min(Duration::from_secs(1));
            tokio::time::sleep(step).await;
            left -= step;
        }
    }

    fn beat(&self) {
        if let Some(pulse) = &self.broker.pulse {
            pulse.beat();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use kerbside_domain::time::{ClockQuality, Mono};

    fn sensor(kind: SensorKind, unit: &str) -> Sensor {
        Sensor {
            id: "bin-1".into(),
            kind,
            topic: "sensors/bin-1".into(),
            unit: unit.into(),
            max_age_s: 600.0,
            alarm_above: None,
            alarm_for_s: 60.0,
            point: None,
        }
    }

    /// 2026-11-21T08:30:00+08:00, the monotonic clock at `s`.
    fn now(s: f64) -> Moment {
        Moment { mono: Mono::from_s(s), wall_ms: 1_795_221_000_000, quality: ClockQuality::Ntp }
    }

    #[test]
    fn a_reading_with_its_time_is_placed_on_both_clocks() {
        let mut checker = Checker::new(&sensor(SensorKind::BinLevel, "%"));
        let payload = br#"{"value": 83.5, "unit": "%", "time": "2026-11-21T08:29:30+08:00", "battery": 3.6}"#;
        let reading = checker.check(payload, now(100.0)).unwrap();
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
            let reading = Checker::new(&sensor(kind, unit)).check(payload.as_bytes(), now(9000.0)).unwrap();
            assert_eq!(reading.suspicious.as_deref(), Some(why), "{payload}");
        }
        let mut bin = Checker::new(&sensor(SensorKind::BinLevel, "%"));
        bin.check(br#"{"value": 10}"#, now(1.0)).unwrap();
        assert_eq!(bin.check(br#"{"value": 90}"#, now(3.0)).unwrap().suspicious.as_deref(), Some("jump"));
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

    /// Speaks just enough MQTT 3.1.1: accepts, grants the subscription, publishes.
    async fn scripted_broker(listener: tokio::net::TcpListener, payloads: &[&str]) {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut packet = [0u8; 256];
        assert!(stream.read(&mut packet).await.unwrap() > 0 && packet[0] == 0x10, "CONNECT");
        stream.write_all(&[0x20, 2, 0, 0]).await.unwrap();
        assert!(stream.read(&mut packet).await.unwrap() > 0 && packet[0] == 0x82, "SUBSCRIBE");
        stream.write_all(&[0x90, 3, packet[2], packet[3], 1]).await.unwrap();
        for payload in payloads {
            let topic = "sensors/bin-1";
            let mut publish = vec![0x30, (2 + topic.len() + payload.len()) as u8, 0, topic.len() as u8];
            publish.extend_from_slice(topic.as_bytes());
            publish.extend_from_slice(payload.as_bytes());
            stream.write_all(&publish).await.unwrap();
        }
        // Until the other side hangs up.
        while stream.read(&mut packet).await.is_ok_and(|n| n > 0) {}
    }

    #[tokio::test]
    async fn readings_come_over_mqtt_and_what_is_none_is_counted() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let payloads = [r#"{"value": 83.5}"#, "rubbish", r#"{"value": 150, "unit": "%"}"#];
        let server = tokio::spawn(async move { scripted_broker(listener, &payloads).await });
        let sensors = Sensors {
            broker: Some(("127.0.0.1".into(), port)),
            sensors: vec![sensor(SensorKind::BinLevel, "%")],
        };
        let (readings, mut received) = mpsc::channel(8);
        let metrics = crate::health::Metrics::new().sensors();
        let clock = kerbside_domain::time::VirtualClock::new(0);
        let broker =
            Broker { sensors, edge_id: "a".into(), clock, readings, metrics: metrics.clone(), pulse: None };
        let running = tokio::spawn(broker.run());
        let first = received.recv().await.unwrap();
        let second = received.recv().await.unwrap();
        assert_eq!((first.value, first.suspicious.as_deref()), (83.5, None));
        assert_eq!(second.suspicious.as_deref(), Some("out_of_range,jump"));
        assert_eq!((metrics.accepted.get(), metrics.suspicious.get(), metrics.malformed.get()), (1, 1, 1));
        drop(received);
        running.await.unwrap();
        server.await.unwrap();
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
            if let Ok(reading) = checker.check(payload.as_bytes(), now(50.0)) {
                prop_assert!(reading.value.is_finite());
                prop_assert!(reading.phenomenon.mono <= Mono::from_s(50.0));
            }
        }
    }
}
