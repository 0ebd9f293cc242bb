//! Against a pseudo terminal, at whose other end the test speaks.

use super::super::intake::testing::intake;
use super::*;
use kerbside_site::config::Parity;
use kerbside_testkit::Pty;

fn sensor(id: &str, kind: SensorKind, unit: &str, pty: &Pty, name: Option<&str>) -> Sensor {
    let port = SerialPort { path: pty.path(), baud: 115_200, parity: Parity::None, stop_bits: 1 };
    let source = SensorSource::Lines { port, name: name.map(str::to_owned) };
    Sensor { source, ..Sensor::on_topic(id, kind, unit, "") }
}

#[tokio::test]
async fn lines_are_readings_of_the_sensors_that_they_name() {
    let pty = Pty::open().unwrap();
    let (intake, mut readings, _presses) = intake();
    let sensors = [
        sensor("bin-1", SensorKind::BinLevel, "%", &pty, Some("a")),
        sensor("bin-2", SensorKind::BinLevel, "%", &pty, Some("b")),
    ];
    let mut lines = SerialLines::of(&sensors, &intake);
    assert_eq!(lines.len(), 1, "one task a port");
    let metrics = intake.metrics.clone();
    drop(intake);
    let running = tokio::spawn(lines.remove(0).run());
    // What was said before the port was open may be gone: it is said until it is heard.
    let first = loop {
        pty.say("{\"sensor\": \"b\", \"value\": 42.5}\n").unwrap();
        if let Ok(reading) = tokio::time::timeout(Duration::from_millis(50), readings.recv()).await {
            break reading.unwrap();
        }
    };
    assert_eq!((&*first.sensor, first.value), ("bin-2", 42.5));
    pty.say(
        "{\"sensor\": \"c\", \"value\": 1}\nrubbish\r\n{\"sensor\": \"a\", \"value\": 7, \"unit\": \"cm\"}\n",
    )
    .unwrap();
    pty.say("{\"sensor\": \"a\", \"value\": 8, \"unit\": \"%\"}\n").unwrap();
    let second = loop {
        let reading = readings.recv().await.unwrap();
        if &*reading.sensor == "bin-1" {
            break reading;
        }
    };
    assert_eq!(second.value, 8.0);
    // The unknown name, and the rubbish, which has none; the wrong unit.
    assert_eq!((metrics.unknown_topic.get(), metrics.malformed.get()), (2, 1));
    drop(readings);
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_press_is_acknowledged_once_it_is_durable() {
    let pty = Pty::open().unwrap();
    let (intake, readings, mut presses) = intake();
    let sensors = [sensor("help-1", SensorKind::CallButton, "1", &pty, None)];
    let running = tokio::spawn(SerialLines::of(&sensors, &intake).remove(0).run());
    // As such a device does: it repeats the press until it is acknowledged.
    let press = loop {
        pty.say("{\"value\": true, \"id\": \"p1\"}\n").unwrap();
        if let Ok(press) = tokio::time::timeout(Duration::from_millis(50), presses.recv()).await {
            break press.unwrap();
        }
    };
    press.durable.send(()).unwrap();
    let line = tokio::task::spawn_blocking(move || (pty.hear_line().unwrap(), pty));
    let (answer, pty) = line.await.unwrap();
    assert_eq!(answer, r#"{"ack":"p1"}"#);
    pty.say("{\"value\": true, \"id\": \"p2\"}\n").unwrap();
    let next = presses.recv().await.unwrap();
    assert_eq!(next.reading.value, 1.0, "the repetitions of the first were no presses");
    next.durable.send(()).unwrap();
    drop(readings);
    running.await.unwrap();
}
