//! Against a real server of the crate `tokio-modbus`: over TCP, and over a pseudo terminal in RTU frames.

use std::collections::HashMap;
use std::future::{Ready, ready};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio_modbus::server::{Service, rtu_over_tcp, tcp};
use tokio_modbus::{Request, Response, SlaveRequest};

use super::super::intake::Press;
use super::super::intake::testing::intake;
use super::*;
use kerbside_domain::reading::Reading;
use kerbside_site::config::{NumberForm, Parity, RegisterData, SerialPort};
use kerbside_testkit::Pty;
use tokio::sync::mpsc;

#[derive(Debug, Default)]
struct Registers {
    input: HashMap<u16, u16>,
    coils: HashMap<u16, bool>,
    /// Devices that are asked and do not answer.
    dead: Vec<u8>,
    questions: u32,
}

/// The devices behind a line.
#[derive(Clone, Debug, Default)]
struct Devices(Arc<Mutex<Registers>>);

impl Service for Devices {
    type Request = SlaveRequest<'static>;
    type Response = Option<Response>;
    type Exception = ExceptionCode;
    type Future = Ready<Result<Option<Response>, ExceptionCode>>;

    fn call(&self, asked: Self::Request) -> Self::Future {
        let mut registers = self.0.lock();
        registers.questions += 1;
        if registers.dead.contains(&asked.slave) {
            return ready(Ok(None));
        }
        ready(match asked.request {
            Request::ReadInputRegisters(from, count) => {
                let words = (from..from + count).map(|a| registers.input.get(&a).copied()).collect();
                let words: Option<Vec<u16>> = words;
                words.map(|w| Some(Response::ReadInputRegisters(w))).ok_or(ExceptionCode::IllegalDataAddress)
            }
            Request::ReadCoils(at, _) => {
                Ok(Some(Response::ReadCoils(vec![registers.coils.get(&at).copied().unwrap_or(false)])))
            }
            Request::WriteSingleCoil(at, on) => {
                registers.coils.insert(at, on);
                Ok(Some(Response::WriteSingleCoil(at, on)))
            }
            _ => Err(ExceptionCode::IllegalFunction),
        })
    }
}

impl Devices {
    /// As a TCP server.
    async fn serve(&self) -> ModbusLine {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let devices = self.clone();
        tokio::spawn(async move {
            let connected = |stream, from| {
                let devices = devices.clone();
                async move { tcp::accept_tcp_connection(stream, from, move |_| Ok(Some(devices.clone()))) }
            };
            tcp::Server::new(listener).serve(&connected, |_| {}).await.unwrap();
        });
        ModbusLine::Tcp { host: "127.0.0.1".into(), port }
    }

    /// As a bus: RTU frames over a pseudo terminal.
    async fn serve_bus(&self, pty: &Pty) -> ModbusLine {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let devices = self.clone();
        tokio::spawn(async move {
            let connected = |stream, from| {
                let devices = devices.clone();
                async move {
                    rtu_over_tcp::accept_tcp_connection(stream, from, move |_| Ok(Some(devices.clone())))
                }
            };
            rtu_over_tcp::Server::new(listener).serve(&connected, |_| {}).await.unwrap();
        });
        pty.connect_to(address).unwrap();
        let (path, baud, parity, stop_bits) = (pty.path(), 19_200, Parity::None, 1);
        ModbusLine::Rtu(SerialPort { path, baud, parity, stop_bits })
    }
}

fn point(line: &ModbusLine, unit_id: u8, register: Register, address: u16) -> ModbusPoint {
    ModbusPoint {
        line: line.clone(),
        unit_id,
        register,
        address,
        data: RegisterData { form: NumberForm::U16, low_word_first: false, low_byte_first: false },
        scale: 1.0,
        offset: 0.0,
        poll_s: 0.05,
        timeout_s: 0.2,
        reset: false,
    }
}

fn sensor(id: &str, kind: SensorKind, unit: &str, point: ModbusPoint) -> Sensor {
    Sensor { source: SensorSource::Modbus(point), ..Sensor::on_topic(id, kind, unit, "") }
}

/// Runs the bus of these sensors. What comes out: readings and presses.
fn run(sensors: &[Sensor]) -> (Intake, mpsc::Receiver<Reading>, mpsc::Receiver<Press>) {
    let (intake, readings, presses) = intake();
    let clock = kerbside_domain::time::SystemClock::new();
    let intake = Intake { clock: Arc::new(clock), ..intake };
    let buses = ModbusBus::of(sensors, &intake);
    assert_eq!(buses.len(), 1, "one task a line");
    buses.into_iter().for_each(|bus| drop(tokio::spawn(bus.run())));
    (intake, readings, presses)
}

async fn next_of(id: &str, readings: &mut mpsc::Receiver<Reading>) -> Reading {
    loop {
        let reading = readings.recv().await.unwrap();
        if &*reading.sensor == id {
            return reading;
        }
    }
}

#[tokio::test]
async fn values_come_over_tcp_scaled_and_in_every_order() {
    let devices = Devices::default();
    devices.0.lock().input.extend([(30, 835), (31, 0xFFF6), (40, 0), (41, 0x42A7)]);
    let line = devices.serve().await;
    let bin = ModbusPoint { scale: 0.1, ..point(&line, 1, Register::Input, 30) };
    let signed = RegisterData { form: NumberForm::I16, low_word_first: false, low_byte_first: false };
    let tilt = ModbusPoint { data: signed, offset: 5.0, ..point(&line, 2, Register::Input, 31) };
    let float = RegisterData { form: NumberForm::F32, low_word_first: true, low_byte_first: false };
    let noise = ModbusPoint { data: float, ..point(&line, 3, Register::Input, 40) };
    let (intake, mut readings, _presses) = run(&[
        sensor("bin-1", SensorKind::BinLevel, "%", bin),
        sensor("tilt-1", SensorKind::Tilt, "°", tilt),
        sensor("noise-1", SensorKind::Noise, "dB", noise),
    ]);
    for (id, value) in [("bin-1", 83.5), ("tilt-1", -5.0), ("noise-1", 83.5)] {
        let reading = next_of(id, &mut readings).await;
        assert!((reading.value - value).abs() < 1e-9 && reading.suspicious.is_none(), "{reading:?}");
    }
    devices.0.lock().input.insert(30, 1200);
    let doubted = loop {
        let reading = next_of("bin-1", &mut readings).await;
        if reading.suspicious.is_some() {
            break reading;
        }
    };
    assert_eq!(doubted.suspicious.as_deref(), Some("out_of_range"));
    assert!(intake.metrics.accepted.get() >= 3);
}

#[tokio::test]
async fn a_refusal_and_a_dead_device_are_counted_and_slow_nobody_down() {
    let devices = Devices::default();
    {
        let mut registers = devices.0.lock();
        registers.input.insert(30, 50);
        registers.dead.push(9);
    }
    let line = devices.serve().await;
    let (intake, mut readings, _presses) = run(&[
        sensor("well", SensorKind::BinLevel, "%", point(&line, 1, Register::Input, 30)),
        sensor("refused", SensorKind::BinLevel, "%", point(&line, 1, Register::Input, 77)),
        sensor("dead", SensorKind::BinLevel, "%", point(&line, 9, Register::Input, 30)),
    ]);
    // Until both have failed, and ten more readings of the one that is well.
    while intake.metrics.refused.get() == 0 || intake.metrics.no_answer.get() == 0 {
        next_of("well", &mut readings).await;
    }
    for _ in 0..10 {
        assert_eq!(&*readings.recv().await.unwrap().sensor, "well");
    }
    assert!(intake.metrics.no_answer.get() < 8, "asked less and less often");
    // The dead one comes back.
    devices.0.lock().dead.clear();
    next_of("dead", &mut readings).await;
}

#[tokio::test]
async fn a_bus_is_read_over_a_serial_port() {
    let devices = Devices::default();
    {
        let mut registers = devices.0.lock();
        registers.input.insert(30, 420);
        registers.dead.push(9);
    }
    let pty = Pty::open().unwrap();
    let line = devices.serve_bus(&pty).await;
    let bin = ModbusPoint { scale: 0.1, ..point(&line, 17, Register::Input, 30) };
    let (intake, mut readings, _presses) = run(&[
        sensor("bin-1", SensorKind::BinLevel, "%", bin),
        sensor("dead", SensorKind::BinLevel, "%", point(&line, 9, Register::Input, 30)),
    ]);
    while intake.metrics.no_answer.get() == 0 {
        assert!((next_of("bin-1", &mut readings).await.value - 42.0).abs() < 1e-9);
    }
    // The port was opened anew after the question without an answer.
    next_of("bin-1", &mut readings).await;
}

#[tokio::test]
async fn a_latched_call_button_is_reset_once_its_press_is_durable() {
    let devices = Devices::default();
    let line = devices.serve().await;
    let button = ModbusPoint { reset: true, ..point(&line, 1, Register::Coil, 5) };
    let (_intake, mut readings, mut presses) = run(&[sensor("help-1", SensorKind::CallButton, "1", button)]);
    assert_eq!(readings.recv().await.unwrap().value, 0.0, "it is heard from without a press");
    devices.0.lock().coils.insert(5, true);
    let press = presses.recv().await.unwrap();
    assert!(devices.0.lock().coils[&5], "latched until it is durable");
    press.durable.send(()).unwrap();
    let is_reset = || !devices.0.lock().coils[&5];
    while !is_reset() {
        tokio::task::yield_now().await;
    }
    devices.0.lock().coils.insert(5, true);
    let again = presses.recv().await.unwrap();
    // This one does not become durable: it is brought again.
    drop(again);
    assert_eq!(presses.recv().await.unwrap().reading.value, 1.0);
}

#[tokio::test]
async fn a_server_that_is_not_there_costs_waits_that_grow() {
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = unused.local_addr().unwrap().port();
    drop(unused);
    let line = ModbusLine::Tcp { host: "127.0.0.1".into(), port };
    let opened = open(&line).await;
    assert!(opened.is_err());
    let mut at = Point::new(
        &sensor("s", SensorKind::BinLevel, "%", point(&line, 1, Register::Input, 1)),
        &ModbusPoint { poll_s: 10.0, ..point(&line, 1, Register::Input, 1) },
        Mono::ZERO,
    );
    let mut waits = Vec::new();
    for _ in 0..5 {
        at.failed(Mono::ZERO);
        waits.push(at.due.since_s(Mono::ZERO));
    }
    assert_eq!(waits, [10.0, 20.0, 40.0, 60.0, 60.0]);
    at.answered(Mono::ZERO);
    assert_eq!(at.due.since_s(Mono::ZERO), 10.0);
}
