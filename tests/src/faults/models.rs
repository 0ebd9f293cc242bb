//! Networks that cannot be used, under the whole program: what worked last goes on, and nothing else notices.
//!
//! A mutant takes the place of the box's network between two starts, as a bad delivery would. Most come with a manifest that
//! gives the mutant's own hash: the hash alone would refuse them all.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use kerbside_testkit::clips::sha256;
use kerbside_testkit::rtsp::{Camera, Film};
use kerbside_testkit::sensors::publish;
use kerbside_testkit::wait::now;
use kerbside_testkit::{Agent, Broker, Centre, Site, clip, messages, repo};
use serde_json::Value;

use super::row::{Row, Scale};
use super::sensors::SENSORS;

/// What is put in the network's place.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mutant {
    Truncated,
    Flipped,
    /// And the manifest gives the hash of the good one.
    FlippedSilently,
    Endless,
    Huge,
}

pub fn run(scale: Scale) -> Result<Vec<Row>> {
    let kinds = [
        (Mutant::Truncated, "truncated", scale.pick(1, 12)),
        (Mutant::Flipped, "flipped bytes", scale.pick(1, 16)),
        (Mutant::FlippedSilently, "flipped bytes, hash of the good one", scale.pick(0, 4)),
        (Mutant::Endless, "endless loop", 1),
        (Mutant::Huge, "huge shape", 1),
    ];
    let dir = tempfile::tempdir()?;
    let box_ = Box_::new(dir.path())?;
    let mut rows = Vec::new();
    for (kind, what, trials) in kinds.into_iter().filter(|(_, _, trials)| *trials > 0) {
        let mut row =
            Row::new(&format!("model: {what}"), "put in the place of the network, the program started again");
        let mut usable = 0;
        for seed in 0..trials {
            row.trials += 1;
            let put = box_.put(kind, seed)?;
            usable +=
                u64::from(box_.start(&mut row, &put).with_context(|| format!("{kind:?}, seed {seed}"))?);
        }
        let refused = trials - usable;
        row.figures = format!("{refused} refused by name, the old network went on; {usable} still a network");
        row.must(matches!(kind, Mutant::Flipped) || usable == 0, || "a mutant was taken".to_owned());
        row.judge(Some(30.0));
        rows.push(row);
    }
    Ok(rows)
}

/// A box with a camera, a sensor, a broker and a network of its own.
struct Box_ {
    network: PathBuf,
    site: Site,
    centre: Centre,
    sensors: Broker,
    _broker: Broker,
    _local: tempfile::TempDir,
    _receiver: TcpListener,
    _camera: Camera,
}

impl Box_ {
    /// It has run once with the network that is shipped.
    fn new(dir: &Path) -> Result<Box_> {
        let film = clip("quiet-day.mp4").to_string_lossy().into_owned();
        let camera = Camera::start(Film::encode(dir, "street", &["-t", "20", "-i", &film], 20)?)?;
        let broker = Broker::start(dir)?;
        let local = tempfile::tempdir()?;
        let sensors = Broker::start(local.path())?;
        let receiver = TcpListener::bind("127.0.0.1:0")?;
        let site = Site::of_scene(dir, "kerb-day.site.toml", &broker, &[&camera.url()])?;
        site.add_sensors(&sensors, receiver.local_addr()?, SENSORS)?;
        let network = dir.join("network");
        std::fs::create_dir_all(&network)?;
        site.set("models", "street", &network.join("street.toml").to_string_lossy())?;
        for file in ["street.toml", "street.onnx"] {
            std::fs::copy(repo().join("models").join(file), network.join(file))?;
        }
        let centre = Centre::start(&broker)?;
        let agent = Agent::start(&site)?;
        agent.watching("cam1")?;
        agent.stop()?;
        let (_broker, _local, _receiver, _camera) = (broker, local, receiver, camera);
        Ok(Box_ { network, site, centre, sensors, _broker, _local, _receiver, _camera })
    }

    /// Puts a mutant in the place of the network; the file's name, as the error must say it.
    fn put(&self, mutant: Mutant, seed: u64) -> Result<String> {
        let models = repo().join("models");
        let source = match mutant {
            Mutant::Endless => models.join("test/loop.toml"),
            Mutant::Huge => models.join("test/huge.toml"),
            _ => models.join("street.toml"),
        };
        let mut rng = fastrand::Rng::with_seed(seed);
        let model = source.with_extension("onnx");
        let name = model.file_name().context("a file")?.to_string_lossy().into_owned();
        let mut bytes = std::fs::read(&model)?;
        match mutant {
            Mutant::Truncated => bytes.truncate(rng.usize(..bytes.len())),
            // Most of a network is weights: half of the mutants are hit where its structure is written.
            Mutant::Flipped | Mutant::FlippedSilently => {
                let reach = if seed.is_multiple_of(2) { bytes.len() } else { bytes.len().min(4096) };
                for _ in 0..rng.u32(1..16) {
                    bytes[rng.usize(..reach)] ^= 1 << rng.u8(..8);
                }
            }
            Mutant::Endless | Mutant::Huge => {}
        }
        let to = self.network.join(&name);
        std::fs::write(&to, bytes)?;
        let mut manifest = std::fs::read_to_string(&source)?;
        if mutant != Mutant::FlippedSilently {
            let is_hash = |line: &str| line.starts_with("sha256");
            let hash = format!("sha256 = \"{}\"", sha256(&to)?);
            let lines = manifest.lines().map(|line| if is_hash(line) { hash.as_str() } else { line });
            manifest = lines.collect::<Vec<_>>().join("\n");
        }
        std::fs::write(self.network.join("street.toml"), manifest)?;
        Ok(name)
    }

    /// Starts with what was put there: cameras, sensors and outbox must go on. Whether the mutant was used.
    fn start(&self, row: &mut Row, put: &str) -> Result<bool> {
        let births = self.centre.messages("device.state").len();
        let readings = self.centre.messages("sensor.observation").len();
        let begun = now();
        let agent = Agent::start(&self.site)?;
        agent.watching("cam1")?;
        row.took(begun.elapsed().as_secs_f64());
        let log = agent.log();
        let refusal = log.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find(|event| {
            event["last_good"].is_string() && event["error"].as_str().is_some_and(|error| error.contains(put))
        });
        publish(&self.sensors, ["-m", "{\"value\": 42.0}"])?;
        self.centre.until_lines("birth and reading", |lines| {
            let both = messages(lines, "device.state").len() > births
                && messages(lines, "sensor.observation").len() > readings;
            both.then_some(())
        })?;
        row.must(agent.get("/healthz")?.0.contains("200"), || "its health page says no".to_owned());
        let panics = agent.log().iter().filter(|line| line.contains("panicked at")).count();
        row.must(panics == 0, || "it panicked".to_owned());
        agent.stop()?;
        Ok(refusal.is_none())
    }
}
