//! Sensors that lie, babble or go away: the whole program reads a receiver and a sensor broker that do.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};

use anyhow::Result;
use kerbside_testkit::sensors::{gga, publish};
use kerbside_testkit::wait::now;
use kerbside_testkit::{Agent, Broker, Centre, Site, free_port};

use super::row::{Row, Scale};

pub(super) const SENSORS: &str = "\n[[sensor]]\nid = \"bin-1\"\nkind = \"bin_level\"\ntopic = \"sensors/bin-1\"\nunit = \"%\"\nmax_age_s = 600\n";

/// Sentences by what became of them.
const GNSS_LINES: &str = "kerbside_gnss_lines_total";

pub fn run(scale: Scale) -> Result<Vec<Row>> {
    let mut row =
        Row::new("sensors lie, babble, go away", "TCP receiver and sensor broker of the whole program");
    let dir = tempfile::tempdir()?;
    let broker = Broker::start(dir.path())?;
    let local = tempfile::tempdir()?;
    let sensors = Broker::start(local.path())?;
    let receiver = TcpListener::bind("127.0.0.1:0")?;
    let camera = format!("rtsp://127.0.0.1:{}/cam1", free_port()?);
    let site = Site::of_scene(dir.path(), "kerb-day.site.toml", &broker, &[&camera])?;
    site.add_sensors(&sensors, receiver.local_addr()?, SENSORS)?;
    let centre = Centre::start(&broker)?;
    let agent = Agent::start(&site)?;
    let memory = agent.memory()?;

    let (mut stream, _) = receiver.accept()?;
    let mut rng = fastrand::Rng::with_seed(3);
    for _ in 0..scale.pick(3, 20) {
        babble(&mut stream, &mut rng)?;
        row.trials += 5;
    }
    // Unplugged, and back. Where many sums were wrong, fixes are doubted until 64 lines are good: a minute of a receiver.
    drop(stream);
    let (mut stream, _) = receiver.accept()?;
    let begun = now();
    (0..80).try_for_each(|second| stream.write_all(gga(second, 31.1124, 0).as_bytes()))?;
    centre.message("device.position")?;
    row.took(begun.elapsed().as_secs_f64());
    // Five kilometres within a second, and a clock that runs backwards.
    let before = agent.metric_sum(GNSS_LINES, &["bad"])?;
    stream.write_all(gga(86, 31.1574, 0).as_bytes())?;
    stream.write_all(gga(2, 31.1124, 0).as_bytes())?;
    stream.write_all(gga(87, 31.1124, 0x5A).as_bytes())?;
    stream.write_all(gga(88, 31.1124, 0).as_bytes())?;
    row.trials += 3;
    agent.until_metric(GNSS_LINES, &["bad"], "another bad or doubted line", |sum| sum > before)?;

    readings(&mut row, &sensors, &centre)?;
    let grown_mb = agent.memory()?.saturating_sub(memory) as f64 / 1e6;
    row.must(grown_mb < 30.0, || format!("memory grew by {grown_mb:.0} MB"));
    let panics = agent.log().iter().filter(|l| l.contains("panicked at")).count();
    row.must(panics == 0, || "it panicked".to_owned());
    row.must(agent.get("/healthz")?.0.contains("200"), || "its health page says no".to_owned());
    // A jump is no position.
    let far = centre
        .messages("device.position")
        .iter()
        .filter(|e| e["data"]["lat_deg"].as_f64().is_some_and(|lat| (lat - 31.1124).abs() > 0.01))
        .count();
    row.must(far == 0, || "a position five kilometres off was reported".to_owned());
    agent.stop()?;
    row.figures = format!("memory +{grown_mb:.1} MB");
    row.judge(Some(30.0));
    Ok(vec![row])
}

/// Garbage, a line of a megabyte, broken sums, half sentences, zeros.
fn babble(stream: &mut TcpStream, rng: &mut fastrand::Rng) -> Result<()> {
    let garbage: Vec<u8> = (0..4000).map(|_| rng.u8(..)).collect();
    stream.write_all(&garbage)?;
    stream.write_all(&vec![b'$'; 1 << 20])?;
    stream.write_all(b"\r\n$GNGGA,080000.00,3106.7440,N,12122.5648,E,1,12,0.8,9.4,M,8.0,M,,*00\r\n")?;
    stream.write_all(b"$GPGSV,9,1,99,03,03,111,00,04,15\r\n$GNRMC,,V,,,,,,,,,,N*4D\r\n")?;
    Ok(stream.write_all(&[0; 5000])?)
}

/// Readings that are none, a payload of a megabyte that is retained, and after it a good one.
fn readings(row: &mut Row, sensors: &Broker, centre: &Centre) -> Result<()> {
    let long = format!("{{\"value\": 1, \"unit\": \"%\", \"x\": \"{}\"}}", "y".repeat(1 << 20));
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), long)?;
    let path = file.path().to_string_lossy().into_owned();
    for more in [
        ["-m", "{not json"],
        ["-m", "{\"value\": 1e999}"],
        ["-m", "{\"value\": 5, \"unit\": \"m\"}"],
        ["-f", &path],
    ] {
        publish(sensors, more)?;
        row.trials += 1;
    }
    publish(sensors, ["-m", "{\"value\": 42.0}"])?;
    let begun = now();
    centre.message_where("sensor.observation", "the good reading", |e| e["data"]["result"] == 42.0)?;
    row.took(begun.elapsed().as_secs_f64());
    Ok(())
}
