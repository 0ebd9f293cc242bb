//! Modbus: one task a line (a TCP server, or an RTU bus). It reads each point in its own period, one question at a time.
//!
//! A point that does not answer is asked less and less often, so that one dead device does not slow its neighbours; a line that
//! cannot be opened is tried again with growing waits. After a question without an answer the line is opened anew: a late answer
//! must not be taken for that of the next question.

mod value;

use std::time::Duration;

use tokio_modbus::client::{Context, Reader as _, Writer as _, rtu, tcp};
use tokio_modbus::slave::{Slave, SlaveContext as _};
use tokio_modbus::{Error as ModbusError, ExceptionCode};

use super::intake::Intake;
use super::log_limit::LogLimit;
use super::pace::{self, Backoff};
use super::readings::Checker;
use super::serial;
use kerbside_domain::time::Mono;
use kerbside_site::config::{ModbusLine, ModbusPoint, Register, Sensor, SensorKind, SensorSource};
use kerbside_site::host::authority;

/// Longest time to connect to a server.
const CONNECT: Duration = Duration::from_secs(5);
/// A point that fails is asked at the latest again after this long, s, or after its own period if that is longer.
const LONGEST_RETRY_S: f64 = 60.0;

/// Why a line is opened anew.
#[derive(Debug, thiserror::Error)]
enum LineFault {
    #[error("{line}: cannot be opened: {cause}")]
    Open { line: String, cause: std::io::Error },
    #[error("{line}, device {unit_id}: no answer within {timeout_s} s")]
    NoAnswer { line: String, unit_id: u8, timeout_s: f64 },
    #[error("{line}, device {unit_id}: {cause}")]
    Broken { line: String, unit_id: u8, cause: ModbusError },
}

/// One value that is read, and when next.
#[derive(Debug)]
struct Point {
    sensor: String,
    is_call: bool,
    at: ModbusPoint,
    checker: Checker,
    due: Mono,
    failures: u32,
    /// A call button's last state: only the change to pressed is a press.
    pressed: bool,
    faults: LogLimit,
}

impl Point {
    fn new(sensor: &Sensor, at: &ModbusPoint, due: Mono) -> Self {
        Point {
            sensor: sensor.id.clone(),
            is_call: sensor.kind == SensorKind::CallButton,
            at: at.clone(),
            checker: Checker::new(sensor),
            due,
            failures: 0,
            pressed: false,
            faults: LogLimit::default(),
        }
    }

    fn answered(&mut self, now: Mono) {
        self.failures = 0;
        self.due = now.plus_s(self.at.poll_s);
    }

    /// Asked again after twice as long each time.
    fn failed(&mut self, now: Mono) {
        let longest_s = LONGEST_RETRY_S.max(self.at.poll_s);
        let wait_s = self.at.poll_s * f64::from(1u32 << self.failures.min(16));
        self.failures += 1;
        self.due = now.plus_s(wait_s.min(longest_s));
    }
}

/// One line with the points on it.
#[derive(Debug)]
pub(super) struct ModbusBus {
    line: ModbusLine,
    name: String,
    points: Vec<Point>,
    intake: Intake,
    backoff: Backoff,
}

impl ModbusBus {
    /// One bus a line, each with its sensors.
    pub(super) fn of(sensors: &[Sensor], intake: &Intake) -> Vec<ModbusBus> {
        let now = intake.now().mono;
        let mut buses: Vec<ModbusBus> = Vec::new();
        for sensor in sensors {
            let SensorSource::Modbus(at) = &sensor.source else { continue };
            let point = Point::new(sensor, at, now);
            match buses.iter_mut().find(|bus| bus.line == at.line) {
                Some(bus) => bus.points.push(point),
                None => buses.push(ModbusBus {
                    line: at.line.clone(),
                    name: name(&at.line),
                    points: vec![point],
                    intake: intake.clone(),
                    backoff: Backoff::default(),
                }),
            }
        }
        buses
    }

    /// Runs until nobody receives readings.
    pub(super) async fn run(mut self) {
        let mut faults = LogLimit::default();
        while !self.intake.is_closed() {
            let Err(fault) = self.run_once().await else { return };
            let now = self.intake.now().mono;
            if let Some(left_out) = faults.admit(now) {
                tracing::warn!(%fault, left_out, "Modbus");
            }
            match fault {
                LineFault::NoAnswer { .. } => drop(self.intake.metrics.no_answer.inc()),
                LineFault::Open { .. } | LineFault::Broken { .. } => {
                    self.intake.metrics.line_lost.inc();
                    let wait_s = self.backoff.next_s();
                    pace::scattered(&self.intake, wait_s).await;
                }
            }
        }
    }

    /// One opening of the line. `Ok`: nobody receives readings any more.
    async fn run_once(&mut self) -> Result<(), LineFault> {
        let (mut context, input) =
            open(&self.line).await.map_err(|cause| LineFault::Open { line: self.name.clone(), cause })?;
        loop {
            let Some(index) = (0..self.points.len()).min_by_key(|i| self.points.get(*i).map(|p| p.due))
            else {
                return Ok(());
            };
            let Some(point) = self.points.get_mut(index) else { return Ok(()) };
            pace::wait(&self.intake, point.due.since_s(self.intake.now().mono).max(0.0)).await;
            if self.intake.is_closed() {
                return Ok(());
            }
            self.intake.beat();
            if let Some(input) = &input {
                input.discard_input_buffer().ok();
            }
            ask(&mut context, point, &self.intake, &self.name).await?;
            self.backoff.reset();
        }
    }
}

/// Reads one point and sends on what it says. An error costs the line.
async fn ask(context: &mut Context, point: &mut Point, intake: &Intake, line: &str) -> Result<(), LineFault> {
    let (line, unit_id, timeout_s) = (line.to_owned(), point.at.unit_id, point.at.timeout_s);
    context.set_slave(Slave(unit_id));
    let limit = Duration::try_from_secs_f64(timeout_s).unwrap_or(CONNECT);
    let answer = tokio::time::timeout(limit, read(context, &point.at)).await;
    let now = intake.now();
    match answer {
        Err(_) => {
            point.failed(now.mono);
            Err(LineFault::NoAnswer { line, unit_id, timeout_s })
        }
        Ok(Err(cause)) => {
            point.failed(now.mono);
            Err(LineFault::Broken { line, unit_id, cause })
        }
        Ok(Ok(Err(refusal))) => {
            point.failed(now.mono);
            intake.metrics.refused.inc();
            if let Some(left_out) = point.faults.admit(now.mono) {
                let sensor = &point.sensor;
                tracing::warn!(%line, unit_id, %sensor, %refusal, left_out, "the device refuses: check register and address");
            }
            Ok(())
        }
        Ok(Ok(Ok(value))) => {
            point.answered(now.mono);
            match value {
                Some(value) => take(context, point, intake, value).await,
                None => drop(intake.metrics.malformed.inc()),
            }
            Ok(())
        }
    }
}

type Answer = Result<Result<Option<f64>, ExceptionCode>, ModbusError>;

async fn read(context: &mut Context, at: &ModbusPoint) -> Answer {
    let count = at.data.form.registers();
    let words = |answer: Result<Result<Vec<u16>, _>, _>| answer.map(|a| a.map(|w| value::of_words(at, &w)));
    let bits = |answer: Result<Result<Vec<bool>, _>, _>| answer.map(|a| a.map(|b| value::of_bits(at, &b)));
    match at.register {
        Register::Holding => words(context.read_holding_registers(at.address, count).await),
        Register::Input => words(context.read_input_registers(at.address, count).await),
        Register::Coil => bits(context.read_coils(at.address, 1).await),
        Register::Discrete => bits(context.read_discrete_inputs(at.address, 1).await),
    }
}

/// A reading; of a call button, the change to pressed is a press.
async fn take(context: &mut Context, point: &mut Point, intake: &Intake, value: f64) {
    let now = intake.now();
    let reading = match point.checker.value(value, now) {
        Ok(reading) => reading,
        Err(error) => return intake.malformed(&point.sensor, &error, &mut point.faults),
    };
    let is_down = point.is_call && value >= 0.5;
    let is_press = is_down && !point.pressed;
    if is_press {
        // Not durable: the next question finds it pressed still, and tries again.
        point.pressed = intake.press(reading).await;
        if point.pressed && point.at.reset {
            reset(context, point).await;
        }
    } else {
        point.pressed = is_down;
        intake.reading(reading);
    }
}

/// The press is durable: the device may forget it. One that does not keeps it pressed, which is no further press.
async fn reset(context: &mut Context, point: &mut Point) {
    let address = point.at.address;
    let limit = Duration::try_from_secs_f64(point.at.timeout_s).unwrap_or(CONNECT);
    let written = match point.at.register {
        Register::Coil => tokio::time::timeout(limit, context.write_single_coil(address, false)).await,
        _ => tokio::time::timeout(limit, context.write_single_register(address, 0)).await,
    };
    match written {
        Ok(Ok(Ok(()))) => point.pressed = false,
        other => tracing::warn!(sensor = point.sensor, ?other, "the call button could not be reset"),
    }
}

/// The line, and of a serial one its input, to be emptied before each question.
async fn open(line: &ModbusLine) -> std::io::Result<(Context, Option<serial2_tokio::SerialPort>)> {
    match line {
        ModbusLine::Tcp { host, port } => {
            let connecting = tokio::net::TcpStream::connect((host.as_str(), *port));
            let stream = tokio::time::timeout(CONNECT, connecting)
                .await
                .map_err(|_| std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer within 5 s"))??;
            stream.set_nodelay(true)?;
            Ok((tcp::attach(stream), None))
        }
        ModbusLine::Rtu(port) => {
            let port = serial::open(port)?;
            let input = port.try_clone()?;
            Ok((rtu::attach(port), Some(input)))
        }
    }
}

fn name(line: &ModbusLine) -> String {
    match line {
        ModbusLine::Tcp { host, port } => authority(host, *port),
        ModbusLine::Rtu(port) => format!("{} at {} baud", port.path.display(), port.baud),
    }
}

#[cfg(test)]
mod tests;
