//! Lines of JSON over a serial port, one reading a line:
//! `{"sensor": "bin-7", "value": 83.5, "unit": "%"}`. One task a port; several sensors may share it.
//!
//! A press that carries an `id` is answered with `{"ack":"ID"}` once it is durable: a device that repeats it until then loses none.

use std::time::Duration;

use serde::Deserialize;

use super::intake::Intake;
use super::lines::LineBuffer;
use super::log_limit::LogLimit;
use super::pace::{self, Backoff};
use super::readings::{self, Checker};
use super::seen_ids::SeenIds;
use super::serial;
use kerbside_site::config::{Sensor, SensorKind, SensorSource, SerialPort};

/// Longest time that an answer may take to be written: a port whose other side reads nothing is no reason to stand still.
const WRITE: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
struct Head {
    sensor: Option<String>,
}

/// One sensor of the port.
#[derive(Debug)]
struct OnPort {
    name: Option<String>,
    is_call: bool,
    checker: Checker,
    seen: SeenIds,
}

/// One port with its sensors.
#[derive(Debug)]
pub(super) struct SerialLines {
    port: SerialPort,
    sensors: Vec<OnPort>,
    intake: Intake,
    backoff: Backoff,
    faults: LogLimit,
}

impl SerialLines {
    /// One a port, each with its sensors.
    pub(super) fn of(sensors: &[Sensor], intake: &Intake) -> Vec<SerialLines> {
        let mut ports: Vec<SerialLines> = Vec::new();
        for sensor in sensors {
            let SensorSource::Lines { port, name } = &sensor.source else { continue };
            let on_port = OnPort {
                name: name.clone(),
                is_call: sensor.kind == SensorKind::CallButton,
                checker: Checker::new(sensor),
                seen: SeenIds::default(),
            };
            match ports.iter_mut().find(|p| p.port == *port) {
                Some(lines) => lines.sensors.push(on_port),
                None => ports.push(SerialLines {
                    port: port.clone(),
                    sensors: vec![on_port],
                    intake: intake.clone(),
                    backoff: Backoff::default(),
                    faults: LogLimit::default(),
                }),
            }
        }
        ports
    }

    /// Runs until nobody receives readings.
    pub(super) async fn run(mut self) {
        while !self.intake.is_closed() {
            let Err(error) = self.run_once().await else { return };
            let wait_s = self.backoff.next_s();
            tracing::warn!(port = %self.port.path.display(), %error, wait_s, "serial port lost");
            self.intake.metrics.line_lost.inc();
            pace::scattered(&self.intake, wait_s).await;
        }
    }

    async fn run_once(&mut self) -> std::io::Result<()> {
        let port = serial::open(&self.port)?;
        let mut lines = LineBuffer::new(readings::MAX_PAYLOAD);
        let mut buffer = [0u8; 512];
        loop {
            // Short waits, so that the pulse beats and the end is noticed while nothing comes.
            let n = match tokio::time::timeout(Duration::from_secs(1), port.read(&mut buffer)).await {
                Ok(Ok(0)) => return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "closed")),
                Ok(Ok(n)) => n,
                Ok(Err(error)) => return Err(error),
                Err(_) => 0,
            };
            self.intake.beat();
            if self.intake.is_closed() {
                return Ok(());
            }
            let mut whole = Vec::new();
            lines.push(buffer.get(..n).unwrap_or_default(), |line| whole.push(line.to_vec()));
            for line in whole {
                if let Some(id) = self.line(&line).await {
                    let answer = format!("{}\n", serde_json::json!({ "ack": id }));
                    match tokio::time::timeout(WRITE, port.write_all(answer.as_bytes())).await {
                        Ok(written) => written?,
                        Err(_) => {
                            tracing::warn!(port = %self.port.path.display(), "nobody reads the acknowledgement")
                        }
                    }
                }
            }
        }
    }

    /// Takes one line. Returns the id of a press that is durable now, to be acknowledged.
    async fn line(&mut self, line: &[u8]) -> Option<String> {
        let name = serde_json::from_slice::<Head>(line).ok().and_then(|head| head.sensor);
        let of_line = |s: &&mut OnPort| s.name.is_none() || s.name == name;
        let Some(sensor) = self.sensors.iter_mut().find(of_line) else {
            self.intake.metrics.unknown_topic.inc();
            return None;
        };
        let now = self.intake.now();
        let from = self.port.path.display().to_string();
        let (reading, id) = match sensor.checker.check(line, now) {
            Ok(taken) => taken,
            Err(error) => {
                self.intake.malformed(&from, &error, &mut self.faults);
                return None;
            }
        };
        self.backoff.reset();
        if !sensor.is_call || reading.value < 0.5 {
            self.intake.reading(reading);
            return None;
        }
        let is_new = id.as_ref().is_none_or(|id| !sensor.seen.contains(id));
        if is_new {
            if !self.intake.press(reading).await {
                return None;
            }
            if let Some(id) = &id {
                sensor.seen.insert(id.clone());
            }
        }
        id
    }
}

#[cfg(test)]
mod tests;
