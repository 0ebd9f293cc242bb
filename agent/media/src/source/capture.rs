//! The capture child: `kerbside capture`, or `kerbside-devices`. One camera's demuxing and decoding in a process of its own.
//!
//! It has a memory limit, a clean environment, the pipe to its parent and the camera's socket, nothing else. It ends when the
//! parent says so or is gone. Whatever goes wrong in here costs one camera a few seconds.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;

use crossbeam_channel::{Receiver, Sender};

use crate::source::confine;
use crate::source::proto::{self, Event, Fault, FromChild, Open, Pace, ProtoError, RawFrame, Stats, ToChild};
use kerbside_domain::frame::{Level, StreamInfo};
use kerbside_domain::time::{Clock, Mono, SystemClock};

/// Frames the parent may have unacknowledged. Two: it judges one while the next is decoded.
const WINDOW: usize = 2;
/// Counters are sent this often, s.
const STATS_EVERY_S: f64 = 1.0;

/// Why a source ended.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    #[error("{text}")]
    Source { fault: Fault, text: String },
    #[error(transparent)]
    Parent(#[from] ProtoError),
    #[error("parent is gone")]
    Gone,
}

impl CaptureError {
    pub fn source(fault: Fault, text: impl Into<String>) -> Self {
        CaptureError::Source { fault, text: text.into() }
    }
}

/// What reads a source until it ends.
pub type Reader = fn(&Open, &mut Parent) -> Result<(), CaptureError>;

/// Runs the child until its source or its parent ends. The exit code matters to nobody: the parent goes by the messages.
/// `devices`: reads devices and pipelines; handed in, so that a program which has none is not linked with what they need.
pub fn main(devices: Option<Reader>) -> ExitCode {
    confine::begin();
    match serve(devices) {
        Ok(()) | Err(CaptureError::Gone) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kerbside capture: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(devices: Option<Reader>) -> Result<(), CaptureError> {
    let mut parent = Parent::connect()?;
    parent.send(&FromChild::Hello { version: proto::VERSION })?;
    let open = match parent.commands.recv() {
        Ok(ToChild::Open(open)) => open,
        Ok(_) | Err(_) => return Err(CaptureError::Gone),
    };
    confine::limit_memory(open.memory_bytes);
    parent.level = open.level;
    parent.pace = open.pace;
    let ended = match devices {
        _ if !super::is_device(&open.url, open.opencv) => super::libav::run(&open, &mut parent),
        Some(read) => read(&open, &mut parent),
        None => {
            Err(CaptureError::source(Fault::Other, "this program reads no devices: kerbside-devices does"))
        }
    };
    parent.send_stats()?;
    match ended {
        Ok(()) => parent.send(&FromChild::Event(Event::Ended)),
        Err(CaptureError::Source { fault, text }) => {
            parent.send(&FromChild::Event(Event::Failed { fault, text: redact(&text, &open) }))
        }
        Err(other) => Err(other),
    }
}

/// The parent as the child sees it: a pipe out, a channel of commands in, and the credit for frames.
#[derive(Debug)]
pub struct Parent {
    out: BufWriter<File>,
    commands: Receiver<ToChild>,
    clock: SystemClock,
    pace: Pace,
    level: Level,
    unacknowledged: usize,
    pub stats: Stats,
    stats_sent: Mono,
}

impl Parent {
    fn connect() -> Result<Self, CaptureError> {
        // Not `Stdout` itself: it looks for line ends in everything.
        let out = std::io::stdout().as_fd().try_clone_to_owned().map_err(ProtoError::Io)?;
        let _ = rustix::pipe::fcntl_setpipe_size(&out, 1 << 20);
        let (sender, commands) = crossbeam_channel::bounded(64);
        std::thread::Builder::new()
            .name("commands".into())
            .spawn(move || listen(&sender))
            .map_err(ProtoError::Io)?;
        Ok(Parent {
            out: BufWriter::with_capacity(64 * 1024, File::from(out)),
            commands,
            clock: SystemClock::new(),
            pace: Pace::Live,
            level: Level::L1,
            unacknowledged: 0,
            stats: Stats::default(),
            stats_sent: Mono::ZERO,
        })
    }

    /// The level asked for now.
    pub fn level(&self) -> Level {
        self.level
    }

    pub fn now(&self) -> Mono {
        self.clock.now().mono
    }

    pub fn send(&mut self, message: &FromChild) -> Result<(), CaptureError> {
        Ok(proto::write_from_child(&mut self.out, message)?)
    }

    pub fn event(&mut self, event: Event) -> Result<(), CaptureError> {
        self.send(&FromChild::Event(event))
    }

    pub fn stream(&mut self, info: &StreamInfo) -> Result<(), CaptureError> {
        self.send(&FromChild::Stream(info.clone()))
    }

    /// One packet, out of the demuxer's own buffer. `times`: pts, dts, duration in ticks.
    pub fn packet(
        &mut self,
        epoch: u32,
        times: (i64, i64, i64),
        key: bool,
        data: &[u8],
    ) -> Result<(), CaptureError> {
        self.stats.packets += 1;
        self.stats.packet_bytes += data.len() as u64;
        proto::write_packet(&mut self.out, epoch, times, key, data)?;
        self.out.flush().map_err(ProtoError::Io)?;
        self.idle()
    }

    /// Between packets: commands are taken, counters go out.
    pub fn idle(&mut self) -> Result<(), CaptureError> {
        self.listen_now()?;
        if self.now().since_s(self.stats_sent) >= STATS_EVERY_S {
            self.send_stats()?;
        }
        Ok(())
    }

    /// Whether a frame may be sent. Live: not while the parent still has two (it will want a newer one).
    /// In lockstep: waits for the oldest to be acknowledged, so nothing is ever dropped.
    pub fn wants_frame(&mut self) -> Result<bool, CaptureError> {
        if self.pace == Pace::Lockstep {
            while self.unacknowledged >= WINDOW {
                let command = self.commands.recv().map_err(|_| CaptureError::Gone)?;
                self.obey(command);
            }
            return Ok(true);
        }
        self.listen_now()?;
        Ok(self.unacknowledged < WINDOW)
    }

    pub fn frame(&mut self, frame: RawFrame) -> Result<(), CaptureError> {
        self.unacknowledged += 1;
        self.stats.frames += 1;
        self.send(&FromChild::Frame(frame))
    }

    /// Takes what the parent has said. In lockstep commands are taken only at frames: the same clip, the same levels.
    fn listen_now(&mut self) -> Result<(), CaptureError> {
        if self.pace == Pace::Lockstep {
            return Ok(());
        }
        while let Ok(command) = self.commands.try_recv() {
            self.obey(command);
        }
        Ok(())
    }

    fn obey(&mut self, command: ToChild) {
        match command {
            ToChild::SetLevel(level) => self.level = level,
            ToChild::Ack { level } => {
                self.unacknowledged = self.unacknowledged.saturating_sub(1);
                self.level = level;
            }
            // `Stop` ends the process where it is heard; a second `Open` means nothing.
            ToChild::Open(_) | ToChild::Stop => {}
        }
    }

    fn send_stats(&mut self) -> Result<(), CaptureError> {
        self.stats_sent = self.now();
        self.stats.cpu_ms = cpu_ms().unwrap_or(0);
        self.stats.rss_bytes = confine::status_bytes("VmRSS:").unwrap_or(0);
        let stats = self.stats;
        self.send(&FromChild::Stats(stats))
    }
}

/// Reads commands. Nothing in here needs to be flushed or finished: at `Stop`, and when the parent is gone, the process ends
/// at once, even if a library blocks in the other thread.
fn listen(commands: &Sender<ToChild>) {
    let mut stdin = std::io::stdin().lock();
    loop {
        match proto::read_to_child(&mut stdin) {
            Ok(Some(ToChild::Stop)) | Ok(None) | Err(_) => std::process::exit(0),
            Ok(Some(command)) => {
                if commands.send(command).is_err() {
                    return;
                }
            }
        }
    }
}

/// CPU of this process; the kernel counts in ticks of 10 ms (proc(5), fields 14 and 15).
fn cpu_ms() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) * 10)
}

/// Error texts go into logs: without the url's user and password.
fn redact(text: &str, open: &Open) -> String {
    text.replace(&open.url, &super::redacted(&open.url))
}
