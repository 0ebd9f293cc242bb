//! An intruder in the child: a real child, started as every other, tries what none must be able to do. The same probe without
//! confinement is the negative control: there the acts succeed.

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use kerbside_media::parent::{ProbeOutcome, probe};
use kerbside_media::proto::{Act, Stage};
use kerbside_media::{CaptureProgram, Walls};
use tempfile::TempDir;

use super::support::kerbside;

/// What an intruder would want, on this machine.
struct Street {
    dir: TempDir,
    broker: TcpListener,
    camera: TcpListener,
    sensors: UdpSocket,
    _local: UnixListener,
}

impl Street {
    fn new() -> Street {
        let dir = tempfile::tempdir().unwrap();
        let street = Street {
            broker: TcpListener::bind("127.0.0.1:0").unwrap(),
            camera: TcpListener::bind("127.0.0.1:0").unwrap(),
            sensors: UdpSocket::bind("127.0.0.1:0").unwrap(),
            _local: UnixListener::bind(dir.path().join("local")).unwrap(),
            dir,
        };
        for file in ["box.key", "centre.password", "site.toml", "journal.log", "clip.mp4"] {
            std::fs::write(street.file(file), "secret\n").unwrap();
        }
        street
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn broker(&self) -> SocketAddr {
        self.broker.local_addr().unwrap()
    }

    fn camera(&self) -> SocketAddr {
        self.camera.local_addr().unwrap()
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
            Act::Connect(self.broker()),
            Act::Listen,
            Act::Netlink,
            Act::ConnectLocal(self.file("local")),
            Act::SendUdp(self.sensors.local_addr().unwrap()),
        ]
    }

    fn try_out(&self, walls: Walls, stage: Stage, act: &Act) -> ProbeOutcome {
        let program = kerbside().with_walls(walls);
        probe(&program, stage, self.camera().port(), act).unwrap()
    }

    /// The acts that succeed.
    fn done(&self, newest_abi: u8, stage: Stage, acts: &[Act]) -> Vec<Act> {
        let walls = Walls { newest_abi, ..Walls::default() };
        let done = |act: &&Act| self.try_out(walls.clone(), stage, act) == ProbeOutcome::Done;
        acts.iter().filter(done).cloned().collect()
    }

    /// Nothing was changed.
    fn is_untouched(&self) -> bool {
        let journal = std::fs::read(self.file("journal.log")).unwrap();
        journal == b"secret\n" && self.file("clip.mp4").exists() && !self.file("planted").exists()
    }
}

/// What is done to other processes; the agent is this one.
fn processes() -> Vec<Act> {
    let agent = std::process::id() as i32;
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

/// What not every machine allows even to a process that is free.
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

/// As new as this program knows Landlock.
fn newest() -> u8 {
    Walls::default().newest_abi
}

/// Landlock of this machine, as a child finds it.
fn landlock() -> bool {
    kerbside_media::parent::confinement(&kerbside()).unwrap().files.is_whole()
}

#[test]
fn a_child_that_watches_can_do_nothing_but_watch() {
    let street = Street::new();
    let harmless = [Act::Nothing, Act::StartThread];
    assert_eq!(street.done(newest(), Stage::Watching, &harmless), harmless, "what a decoder needs");
    let all = [
        street.files(),
        street.network(),
        vec![Act::Connect(street.camera())],
        processes(),
        code(),
        kernel(),
    ];
    assert_eq!(street.done(newest(), Stage::Watching, &all.concat()), []);
    assert!(street.is_untouched());
}

#[test]
fn a_child_that_opens_its_camera_reaches_the_camera_and_nothing_else() {
    let street = Street::new();
    let all = [
        street.files(),
        street.network(),
        vec![Act::Connect(street.camera())],
        processes(),
        code(),
        kernel(),
    ];
    let done = street.done(newest(), Stage::Opening, &all.concat());
    let udp = street.network().pop().unwrap();
    if landlock() {
        // Names of hosts are asked for, and pictures may come, over UDP.
        assert_eq!(done, [udp, Act::Connect(street.camera())]);
        assert!(street.is_untouched());
    }
}

#[test]
fn a_child_that_makes_a_clip_has_no_network_at_all() {
    let street = Street::new();
    let all = [street.files(), street.network(), processes(), code(), kernel()];
    let done = street.done(newest(), Stage::Clip, &all.concat());
    assert!(done.is_empty() || !landlock(), "{done:?}");
}

#[test]
fn kernel_6_1_lacks_tcp_until_the_first_picture_and_nothing_else() {
    // Landlock ABI 2: files, but no TCP and no signals.
    let street = Street::new();
    let acts = [street.files(), street.network(), processes(), code()].concat();
    let done = street.done(2, Stage::Opening, &acts);
    if landlock() {
        assert_eq!(
            done,
            [street.network()[0].clone(), street.network()[4].clone()],
            "exactly this is missing"
        );
    }
    assert_eq!(street.done(2, Stage::Watching, &acts), [], "from the first picture on nothing is");
    let walls = Walls { newest_abi: 2, ..Walls::default() };
    let stands = kerbside_media::parent::confinement(&kerbside().with_walls(walls)).unwrap().to_string();
    assert!(stands.contains("network in part: Landlock ABI 2"), "{stands}");
}

#[test]
fn a_kernel_without_landlock_has_the_filter_of_system_calls() {
    let street = Street::new();
    let acts = [street.files(), street.network(), processes(), code(), kernel()].concat();
    assert_eq!(street.done(0, Stage::Watching, &acts), [], "from the first picture on");
    let walls = Walls { newest_abi: 0, demand: kerbside_site::config::Confine::Required, ..Walls::default() };
    let mut setup =
        super::support::setup(super::support::bag_left().to_str().unwrap(), kerbside_media::Pace::Lockstep);
    setup.program = kerbside().with_walls(walls);
    let (_, seen, _) = super::support::run(setup);
    assert!(seen.frames.is_empty(), "a site that demands confinement decodes nothing without it");
    assert!(seen.why.last().unwrap().contains("the child is not confined"), "{:?}", seen.why);
}

#[test]
fn the_same_probe_unconfined_does_it_all() {
    let street = Street::new();
    // Tracing and memory of others may be forbidden to everybody (Yama).
    let process =
        |act: &Act| matches!(act, Act::Signal(_) | Act::ReadEnvironment(_) | Act::Execute(_) | Act::Fork);
    let processes: Vec<Act> = processes().into_iter().filter(process).collect();
    let all =
        [street.files(), street.network(), vec![Act::Connect(street.camera())], processes, code()].concat();
    assert_eq!(street.done(newest(), Stage::Free, &all), all);
    assert!(!street.is_untouched());
}

#[test]
fn a_child_that_makes_a_clip_writes_its_own_files_and_no_other() {
    let street = Street::new();
    let (stream, packets) = super::support::packets_of(&super::support::bag_left());
    let clip = street.file("clip.mp4.part");
    let job = kerbside_media::clip::ClipJob { stream, packets, clip: Some(clip.clone()), stills: Vec::new() };
    let limit = std::time::Duration::from_secs(60);
    let walls = Walls { demand: kerbside_site::config::Confine::Required, ..Walls::default() };
    let program: CaptureProgram = kerbside().with_walls(walls);
    if landlock() {
        assert!(kerbside_media::clip::make(&program, limit, &job).unwrap().clip_written);
        assert!(std::fs::metadata(&clip).unwrap().len() > 100_000);
        assert!(street.is_untouched());
    }
    // A child that can write no file leaves none behind.
    let garbled = kerbside_media::clip::ClipJob { packets: Vec::new(), ..job };
    std::fs::remove_file(&clip).unwrap_or_default();
    assert!(!kerbside_media::clip::make(&kerbside(), limit, &garbled).unwrap().clip_written);
    assert!(!clip.exists());
}
