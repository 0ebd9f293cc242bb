//! GPIO: one task a line of a chip. Every change of the level is a reading, and so is the level itself now and then, so that a
//! line that stays as it is does not count as silent.

use std::time::Duration;

use gpiocdev::Request;
use gpiocdev::line::{self, EdgeDetection, EdgeKind, Value};
use gpiocdev::tokio::AsyncRequest;

use super::intake::Intake;
use super::log_limit::LogLimit;
use super::pace::{self, Backoff};
use super::readings::Checker;
use kerbside_site::config::{Bias, GpioLine, Sensor, SensorKind, SensorSource};

/// The level is read at least this often, s; three times in `max_age_s` where that is shorter.
const HEARTBEAT_S: f64 = 60.0;

/// One line.
#[derive(Debug)]
pub(super) struct GpioInput {
    line: GpioLine,
    sensor: String,
    is_call: bool,
    heartbeat_s: f64,
    checker: Checker,
    intake: Intake,
    /// A call button's last level: only the change to pressed is a press.
    pressed: bool,
    faults: LogLimit,
}

impl GpioInput {
    /// One a sensor on a line.
    pub(super) fn of(sensors: &[Sensor], intake: &Intake) -> Vec<GpioInput> {
        let on_line = |sensor: &Sensor| match &sensor.source {
            SensorSource::Gpio(line) => Some(GpioInput {
                line: line.clone(),
                sensor: sensor.id.clone(),
                is_call: sensor.kind == SensorKind::CallButton,
                heartbeat_s: HEARTBEAT_S.min(sensor.max_age_s / 3.0),
                checker: Checker::new(sensor),
                intake: intake.clone(),
                pressed: false,
                faults: LogLimit::default(),
            }),
            _ => None,
        };
        sensors.iter().filter_map(on_line).collect()
    }

    /// Runs until nobody receives readings.
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::default();
        while !self.intake.is_closed() {
            let Err(error) = self.run_once(&mut backoff).await else { return };
            let wait_s = backoff.next_s();
            let (chip, line) = (self.line.chip.display(), self.line.line);
            tracing::warn!(%chip, line, %error, wait_s, "GPIO line lost");
            self.intake.metrics.line_lost.inc();
            pace::scattered(&self.intake, wait_s).await;
        }
    }

    async fn run_once(&mut self, backoff: &mut Backoff) -> gpiocdev::Result<()> {
        let request = AsyncRequest::new(request(&self.line)?);
        let value = |request: &AsyncRequest| request.as_ref().value(self.line.line);
        let first = value(&request)?;
        self.level(first == Value::Active).await;
        backoff.reset();
        let mut next = self.intake.now().mono.plus_s(self.heartbeat_s);
        while !self.intake.is_closed() {
            self.intake.beat();
            // An event is taken whole or not at all: giving up the wait loses none.
            match tokio::time::timeout(Duration::from_secs(1), request.read_edge_event()).await {
                Ok(event) => self.level(event?.kind == EdgeKind::Rising).await,
                Err(_) if self.intake.now().mono >= next => {
                    let level = request.as_ref().value(self.line.line)?;
                    self.level(level == Value::Active).await;
                }
                Err(_) => continue,
            }
            next = self.intake.now().mono.plus_s(self.heartbeat_s);
        }
        Ok(())
    }

    async fn level(&mut self, active: bool) {
        let now = self.intake.now();
        let reading = match self.checker.value(f64::from(u8::from(active)), now) {
            Ok(reading) => reading,
            Err(error) => return self.intake.malformed(&self.sensor, &error, &mut self.faults),
        };
        if self.is_call && active && !self.pressed {
            // The kernel keeps further changes until this one is durable.
            self.pressed = self.intake.press(reading).await;
        } else {
            self.pressed = active;
            self.intake.reading(reading);
        }
    }
}

fn request(line: &GpioLine) -> gpiocdev::Result<Request> {
    let bias = match line.bias {
        Bias::AsIs => None,
        Bias::PullUp => Some(line::Bias::PullUp),
        Bias::PullDown => Some(line::Bias::PullDown),
        Bias::Off => Some(line::Bias::Disabled),
    };
    let mut builder = Request::builder();
    builder.on_chip(&line.chip).with_consumer("kerbside").with_line(line.line);
    builder.with_edge_detection(EdgeDetection::BothEdges);
    if line.active_low {
        builder.as_active_low();
    }
    if let Some(bias) = bias {
        builder.with_bias(bias);
    }
    if line.debounce_ms > 0 {
        builder.with_debounce_period(Duration::from_millis(u64::from(line.debounce_ms)));
    }
    builder.request()
}

#[cfg(test)]
mod tests;
