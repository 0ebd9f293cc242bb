//! Cameras that fail in front of the whole program: one goes through the faults, another must not feel them.
//!
//! Seen: the core's own state, as the log and `device.health` have it, or a counter of `/metrics`. Back: watched again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use kerbside_testkit::rtsp::{Camera, CameraFault, Film};
use kerbside_testkit::wait::{now, sleep_until};
use kerbside_testkit::{Agent, Broker, Centre, Site, clip};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::row::{Row, Scale};

/// What must hold, s, s, share: the targets; and in a run of all tests, which share the machine, that it holds at all.
struct Bounds {
    seen_s: f64,
    back_s: f64,
    rate: f64,
}

const TARGETS: Bounds = Bounds { seen_s: 10.0, back_s: 30.0, rate: 0.95 };
const BESIDE_OTHERS: Bounds = Bounds { seen_s: 30.0, back_s: 90.0, rate: 0.5 };

/// So long the other camera's frames are counted, without the fault and with it; a fault lasts as long.
const WINDOW: Duration = Duration::from_secs(16);
/// Messages about one trial: the fault, the return, and health in between. More is a burst.
const MESSAGES: usize = 12;

/// How a fault shows.
enum Sign {
    /// The core's state of the camera is one of these.
    State(&'static [&'static str]),
    /// A notice in the log.
    Notice(&'static str),
    /// `camera_decode_errors` grows.
    Errors,
}

struct Fault {
    name: &'static str,
    how: &'static str,
    make: Make,
    sign: Sign,
}

enum Make {
    Camera(CameraFault),
    /// To the camera's capture process.
    Signal(Signal),
}

/// What the camera is made to show.
struct Films {
    street: Arc<Film>,
    steady: Arc<Film>,
    frozen: Arc<Film>,
    black: Arc<Film>,
    small: Arc<Film>,
}

impl Films {
    fn make(dir: &Path) -> Result<Films> {
        let street = clip("quiet-day.mp4").to_string_lossy().into_owned();
        let film = |name, filter: &str, keys| {
            Film::encode(dir, name, &["-t", "20", "-i", &street, "-vf", filter], keys)
        };
        Ok(Films {
            street: film("street", "null", 20)?,
            // Key frames this far apart keep it at the full rate, whatever moves.
            steady: film("steady", "null", 60)?,
            frozen: film("frozen", "loop=-1:1:0,trim=end=2", 20)?,
            black: film("black", "drawbox=c=black:t=fill,trim=end=2", 20)?,
            small: film("small", "scale=480:270", 20)?,
        })
    }
}

fn faults(films: &Films) -> Vec<Fault> {
    let fault = |name, how, make, sign| Fault { name, how, make, sign };
    let camera = Make::Camera;
    let shows = |film: &Arc<Film>| camera(CameraFault::Shows(film.clone()));
    vec![
        fault(
            "decoder killed",
            "kill -9 of the capture process",
            Make::Signal(Signal::KILL),
            Sign::State(&["Off(Crashed)"]),
        ),
        fault(
            "garbled",
            "every RTP payload is noise",
            camera(CameraFault::Garbled),
            Sign::State(&["Blind(Undecodable)", "Off(Silent)"]),
        ),
        fault(
            "silent",
            "the connection stays, nothing comes",
            camera(CameraFault::Silent),
            Sign::State(&["Off(Silent)"]),
        ),
        fault(
            "decoder hangs",
            "SIGSTOP to the capture process",
            Make::Signal(Signal::STOP),
            Sign::State(&["Off(Silent)"]),
        ),
        fault(
            "refused",
            "cut off, then the port is closed",
            camera(CameraFault::Refused),
            Sign::State(&["Off(Unreachable)", "Off(Silent)"]),
        ),
        fault(
            "frozen",
            "the same picture, encoded anew",
            shows(&films.frozen),
            Sign::State(&["Blind(Frozen)"]),
        ),
        fault("black", "black pictures", shows(&films.black), Sign::State(&["Blind(Black)"])),
        fault(
            "wrong codec",
            "it starts anew and announces a codec that nobody knows",
            camera(CameraFault::Announces("X-SECRET")),
            Sign::State(&["Off(WrongCodec)"]),
        ),
        fault(
            "resolution change",
            "640x360 becomes 480x270 and back, in the stream",
            shows(&films.small),
            Sign::Notice("the resolution changed"),
        ),
        fault(
            "5 % packet loss",
            "RTP packets left out at random",
            camera(CameraFault::Loses(0.05)),
            Sign::Errors,
        ),
        fault(
            "30 % packet loss",
            "RTP packets left out at random",
            camera(CameraFault::Loses(0.3)),
            Sign::Errors,
        ),
    ]
}

/// The first ones only where it is short.
pub fn run(scale: Scale) -> Result<Vec<Row>> {
    let dir = tempfile::tempdir()?;
    let films = Films::make(dir.path())?;
    let bounds = if scale == Scale::Full { TARGETS } else { BESIDE_OTHERS };
    let street = Street::start(dir.path(), &films, bounds)?;
    let all = faults(&films);
    let shown = scale.pick(2, all.len() as u64) as usize;
    let mut rows = Vec::new();
    for fault in all.iter().take(shown) {
        let name = format!("camera: {}", fault.name);
        let mut row = Row::new(&name, &format!("RTSP server: {}", fault.how));
        let mut worst = Worst { ratio: f64::INFINITY, ..Worst::default() };
        for _ in 0..scale.pick(1, 2) {
            row.trials += 1;
            if let Err(error) = street.trial(fault, &mut row, &mut worst) {
                let error = error.to_string();
                row.must(false, || error.lines().next().unwrap_or_default().to_owned());
                street.failing.set(CameraFault::None);
                street.agent.until_metric(STATE, WATCHED, "cam1 watched again", |is| is == 1.0)?;
            }
        }
        row.figures = format!(
            "seen after {:.1} s at most, named after {:.1} s, the other camera at {:.2} of its rate or more, {} reports, {} messages",
            worst.seen_s, worst.named_s, worst.ratio, worst.reports, worst.messages
        );
        row.judge(Some(street.bounds.back_s));
        rows.push(row);
    }
    street.agent.stop()?;
    Ok(rows)
}

#[derive(Default)]
struct Worst {
    seen_s: f64,
    named_s: f64,
    ratio: f64,
    reports: usize,
    messages: usize,
}

/// Two cameras on one box, and whoever listens to it.
struct Street {
    bounds: Bounds,
    failing: Camera,
    _steady: Camera,
    _broker: Broker,
    centre: Centre,
    agent: Agent,
}

impl Street {
    fn start(dir: &Path, films: &Films, bounds: Bounds) -> Result<Street> {
        let (failing, steady) = (Camera::start(films.street.clone())?, Camera::start(films.steady.clone())?);
        let broker = Broker::start(dir)?;
        let site = Site::of_scene(dir, "kerb-day.site.toml", &broker, &[&failing.url(), &steady.url()])?;
        let centre = Centre::start(&broker)?;
        let agent = Agent::start(&site)?;
        agent.watching("cam1")?;
        agent.watching("cam2")?;
        Ok(Street { bounds, failing, _steady: steady, _broker: broker, centre, agent })
    }

    /// Two windows of the other camera's frames, the second under the fault; then back.
    fn trial(&self, fault: &Fault, row: &mut Row, worst: &mut Worst) -> Result<()> {
        let before = self.rate_from(now(), self.frames("cam2")?)?;
        let (reports, messages, log) = (self.reports(), self.messages(), self.agent.log().len());
        let errors = self.errors()?;
        let (begun, counted) = (now(), self.frames("cam2")?);
        match &fault.make {
            Make::Camera(fault) => self.failing.set(fault.clone()),
            Make::Signal(signal) => kill_process(self.capture()?, *signal)?,
        }
        let ended = now();
        match fault.sign {
            Sign::State(_) => self.logged(fault.name, log, |e| is_state(e, |state| state != "Watching"))?,
            Sign::Notice(text) => self.logged(fault.name, log, |e| e["message"] == text)?,
            Sign::Errors => {
                self.agent.until_metric(ERRORS, CAM1, "more decode errors of cam1", |now| now > errors)?;
            }
        }
        let seen_s = begun.elapsed().as_secs_f64();
        // That it is gone shows at once; what is wrong with it may need another attempt to open it.
        if let Sign::State(names) = fault.sign {
            self.logged(fault.name, log, |e| is_state(e, |state| names.contains(&state)))?;
        }
        worst.named_s = worst.named_s.max(begun.elapsed().as_secs_f64());
        row.must(seen_s <= self.bounds.seen_s, || format!("seen after {seen_s:.1} s"));
        // What is done to a process is over when it is done.
        let lasts = matches!(fault.make, Make::Camera(_));
        if !lasts {
            self.watched_since(ended, row)?;
        }
        let ratio = (self.rate_from(begun, counted)? / before).min(1.0);
        row.must(ratio >= self.bounds.rate, || format!("the other camera went at {ratio:.2} of its rate"));
        if lasts {
            self.failing.set(CameraFault::None);
            self.watched_since(now(), row)?;
        }
        let (reports, messages) = (self.reports() - reports, self.messages() - messages);
        row.must(reports == 0, || format!("{reports} reports of nothing"));
        row.must(messages <= MESSAGES, || format!("a burst of {messages} messages"));
        worst.seen_s = worst.seen_s.max(seen_s);
        worst.ratio = worst.ratio.min(ratio);
        worst.reports += reports;
        worst.messages = worst.messages.max(messages);
        Ok(())
    }

    /// Waits for a frame of the failing camera while it counts as watching.
    fn watched_since(&self, ended: Instant, row: &mut Row) -> Result<()> {
        let frames = self.frames("cam1")?;
        self.agent.until_metric(STATE, WATCHED, "cam1 watched again", |is| is == 1.0)?;
        self.agent.until_metric(FRAMES, CAM1, "another frame of cam1", |now| now > frames)?;
        row.took(ended.elapsed().as_secs_f64());
        Ok(())
    }

    /// Waits for a line of the log that came after `log` others.
    fn logged(&self, what: &str, log: usize, wanted: impl Fn(&Value) -> bool) -> Result<()> {
        self.agent.logged_after(log, what, wanted).map(drop)
    }

    /// Frames a second since `begun`, when there had been `counted`; waits for the window to be over.
    fn rate_from(&self, begun: Instant, counted: f64) -> Result<f64> {
        sleep_until(begun + WINDOW);
        Ok((self.frames("cam2")? - counted) / begun.elapsed().as_secs_f64())
    }

    fn frames(&self, camera: &str) -> Result<f64> {
        self.agent.metric_sum(FRAMES, &[&format!("camera=\"{camera}\"")])
    }

    fn errors(&self) -> Result<f64> {
        self.agent.metric_sum(ERRORS, CAM1)
    }

    fn messages(&self) -> usize {
        self.centre.lines().len()
    }

    fn reports(&self) -> usize {
        ["opened", "updated", "cleared", "withdrawn"]
            .iter()
            .map(|phase| self.centre.messages(&format!("matter.{phase}")).len())
            .sum()
    }

    /// The process that holds the connection to the failing camera.
    fn capture(&self) -> Result<Pid> {
        let sockets = sockets_to(self.failing.port())?;
        let held = |pid: &i32| {
            let files = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            files.flat_map(|file| std::fs::read_link(file.path())).any(|to| sockets.contains(&to))
        };
        let parent = self.agent.pid().context("no agent")?.as_raw_nonzero().get();
        let child = children(parent)?.into_iter().find(held);
        child.and_then(Pid::from_raw).context("no process is connected to the camera")
    }
}

const FRAMES: &str = "kerbside_camera_frames_total";
const ERRORS: &str = "kerbside_camera_decode_errors_total";
const STATE: &str = "kerbside_camera_state";
/// Labels of the failing camera.
const CAM1: &[&str] = &["camera=\"cam1\""];
const WATCHED: &[&str] = &["camera=\"cam1\"", "state=\"watching\""];

fn is_state(event: &Value, wanted: impl Fn(&str) -> bool) -> bool {
    let state = event["state"].as_str().unwrap_or_default();
    event["message"] == "camera state" && event["camera"] == "cam1" && wanted(state)
}

/// Their parent is the fourth field of proc(5)'s `stat`; the second may hold anything.
fn children(parent: i32) -> Result<Vec<i32>> {
    let numbers = std::fs::read_dir("/proc")?.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok());
    let is_child = |pid: &i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let of = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        of == Some(parent)
    };
    Ok(numbers.filter(is_child).collect())
}

/// Connected sockets whose other end is this port of loopback, as /proc/PID/fd names them.
fn sockets_to(port: u16) -> Result<Vec<PathBuf>> {
    let table = std::fs::read_to_string("/proc/net/tcp")?;
    let there = format!(":{port:04X}");
    let rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let ours = rows.filter(|row| row.len() > 9 && row[2].ends_with(&there) && row[3] == "01");
    Ok(ours.map(|row| PathBuf::from(format!("socket:[{}]", row[9]))).collect())
}
