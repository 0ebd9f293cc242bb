//! An intruder in the child: a real child, started as every other, tries what none must be able to do. The last row is the
//! negative control: the same probe without confinement succeeds with every act.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use anyhow::Result;
use kerbside_media::parent::{ProbeOutcome, confinement, probe};
use kerbside_media::proto::{Act, Stage};
use kerbside_media::{CaptureProgram, Walls};
use kerbside_testkit::program::built;
use tempfile::TempDir;

use super::row::{Row, Scale};

/// Of kernel 6.1, which Debian 12 has: files, but no TCP and no signals.
const ABI_OF_6_1: u8 = 2;

pub fn run(_: Scale) -> Result<Vec<Row>> {
    let program = CaptureProgram::of(built("kerbside")?);
    let stands = confinement(&program)?;
    if !stands.files.is_whole() || !stands.system_calls.is_whole() {
        let why = format!("this kernel confines in part: {stands}");
        return Ok(vec![Row::skipped("intruder in the child", "a probe in a real child", why)]);
    }
    let newest = program.walls.newest_abi;
    let cases = [
        ("that watches", newest, Stage::Watching),
        ("that makes a clip", newest, Stage::Clip),
        ("that opens its camera", newest, Stage::Opening),
        ("of kerbside-devices", newest, Stage::Devices),
        ("that watches, kernel 6.1", ABI_OF_6_1, Stage::Watching),
        ("that opens its camera, kernel 6.1", ABI_OF_6_1, Stage::Opening),
        ("that watches, no Landlock", 0, Stage::Watching),
    ];
    let mut rows = Vec::new();
    for (what, abi, stage) in cases {
        rows.push(confined(&program, what, abi, stage)?);
    }
    rows.push(free(&program)?);
    Ok(rows)
}

/// Nothing but what that stage of a child's life needs succeeds. What must not and does counts as lost.
fn confined(program: &CaptureProgram, what: &str, newest_abi: u8, stage: Stage) -> Result<Row> {
    let street = Street::new(program, newest_abi)?;
    let mut row = Row::new(&format!("intruder in a child {what}"), "a real child tries to get out");
    let harmless = [Act::Nothing, Act::StartThread];
    let needed = street.done(stage, &harmless)?;
    row.must(needed == harmless, || format!("a decoder needs {harmless:?}, and got {needed:?}"));
    let acts = [street.files(), street.network(), processes(), code(), kernel()].concat();
    let done = street.done(stage, &acts)?;
    let allowed = street.allowed(stage);
    let beyond: Vec<&Act> = done.iter().filter(|act| !allowed.contains(act)).collect();
    let missing: Vec<&Act> = allowed.iter().filter(|act| !done.contains(act)).collect();
    row.trials = acts.len() as u64;
    row.lost = beyond.len() as u64;
    row.must(beyond.is_empty(), || format!("it could {beyond:?}"));
    row.must(missing.is_empty(), || format!("it needs {missing:?}"));
    row.must(street.is_untouched(), || "files were changed".to_owned());
    row.figures = match done.len() {
        0 => "every act refused".to_owned(),
        n => format!("{} acts refused; {n} left: {}", acts.len() - n, street.names(&done)),
    };
    row.judge(None);
    Ok(row)
}

fn free(program: &CaptureProgram) -> Result<Row> {
    let street = Street::new(program, program.walls.newest_abi)?;
    let mut row = Row::new("intruder, unconfined", "negative control: the same probe with nothing around it");
    // What the machine may forbid to everybody (debuggers, counters, ...) says nothing of us.
    let ordinary =
        |act: &Act| matches!(act, Act::Signal(_) | Act::ReadEnvironment(_) | Act::Execute(_) | Act::Fork);
    let processes: Vec<Act> = processes().into_iter().filter(ordinary).collect();
    let acts = [street.files(), street.network(), processes, code()].concat();
    let done = street.done(Stage::Free, &acts)?;
    row.trials = acts.len() as u64;
    row.must(done == acts, || format!("only {done:?} succeeded: the probe proves nothing"));
    row.must(!street.is_untouched(), || "no file was changed".to_owned());
    row.figures = format!("{} of {} acts succeed", done.len(), acts.len());
    Ok(row)
}

/// What an intruder would want, on this machine.
struct Street {
    program: CaptureProgram,
    dir: TempDir,
    broker: SocketAddr,
    camera: SocketAddr,
    sensors: SocketAddr,
    /// They listen as long as this lives.
    _listening: (TcpListener, TcpListener, UdpSocket, UnixListener),
}

impl Street {
    fn new(program: &CaptureProgram, newest_abi: u8) -> Result<Street> {
        let dir = tempfile::tempdir()?;
        for file in ["box.key", "centre.password", "site.toml", "journal.log", "clip.mp4"] {
            std::fs::write(dir.path().join(file), "secret\n")?;
        }
        let (broker, camera) = (TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?);
        let (sensors, local) =
            (UdpSocket::bind("127.0.0.1:0")?, UnixListener::bind(dir.path().join("local"))?);
        Ok(Street {
            program: program.clone().with_walls(Walls { newest_abi, ..Walls::default() }),
            dir,
            broker: broker.local_addr()?,
            camera: camera.local_addr()?,
            sensors: sensors.local_addr()?,
            _listening: (broker, camera, sensors, local),
        })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn files(&self) -> Vec<Act> {
        vec![
            Act::Read(self.file("box.key")),
            Act::Read(self.file("centre.password")),
            Act::Read(self.file("site.toml")),
            Act::Append(self.file("journal.log")),
            Act::Create(self.file("planted")),
            Act::Truncate(self.file("journal.log")),
            Act::ChangeMode(self.file("box.key")),
            Act::List(self.dir.path().to_owned()),
            Act::Delete(self.file("clip.mp4")),
        ]
    }

    fn network(&self) -> Vec<Act> {
        vec![
            Act::Connect(self.broker),
            Act::Connect(self.camera),
            Act::Listen,
            Act::Netlink,
            Act::ConnectLocal(self.file("local")),
            Act::SendUdp(self.sensors),
        ]
    }

    /// What a child needs at this stage, and what its kernel cannot take from it.
    fn allowed(&self, stage: Stage) -> Vec<Act> {
        let (camera, udp) = (Act::Connect(self.camera), Act::SendUdp(self.sensors));
        match stage {
            Stage::Opening if self.program.walls.newest_abi == ABI_OF_6_1 => {
                vec![Act::Connect(self.broker), camera, udp]
            }
            Stage::Opening => vec![camera, udp],
            // Plug-ins make code as they go.
            Stage::Devices => code(),
            Stage::Watching | Stage::Clip | Stage::Free => Vec::new(),
        }
    }

    /// The acts that succeed.
    fn done(&self, stage: Stage, acts: &[Act]) -> Result<Vec<Act>> {
        let mut done = Vec::new();
        for act in acts {
            if probe(&self.program, stage, self.camera.port(), act)? == ProbeOutcome::Done {
                done.push(act.clone());
            }
        }
        Ok(done)
    }

    fn names(&self, acts: &[Act]) -> String {
        let name = |act: &Act| match act {
            Act::Connect(to) if *to == self.camera => "TCP to the camera".to_owned(),
            Act::Connect(_) => "TCP to others".to_owned(),
            Act::SendUdp(_) => "UDP".to_owned(),
            Act::MapWritableCode | Act::MakeExecutable => "code of its own".to_owned(),
            other => format!("{other:?}"),
        };
        acts.iter().map(name).collect::<Vec<_>>().join(", ")
    }

    /// Nothing was changed.
    fn is_untouched(&self) -> bool {
        let journal = std::fs::read(self.file("journal.log")).unwrap_or_default();
        journal == b"secret\n" && self.file("clip.mp4").exists() && !self.file("planted").exists()
    }
}

/// What is done to other processes; the agent is this one.
fn processes() -> Vec<Act> {
    let agent = i32::try_from(std::process::id()).unwrap_or(1);
    vec![
        Act::Signal(agent),
        Act::ReadEnvironment(agent),
        Act::WriteMemory(agent),
        Act::ReadMemory(agent),
        Act::Trace(agent),
        Act::TakeDescriptor(agent),
        Act::Execute("/bin/sh".into()),
        Act::Fork,
    ]
}

fn code() -> Vec<Act> {
    vec![Act::MapWritableCode, Act::MakeExecutable]
}

fn kernel() -> Vec<Act> {
    vec![
        Act::IoUring,
        Act::NewNamespace,
        Act::Mount,
        Act::Keys,
        Act::KernelProgram,
        Act::PageFaults,
        Act::Counters,
    ]
}
