//! The parent as a capture child sees it: a pipe out, a channel of commands in, and the credit for frames.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, Sender};
use kerbside_domain::frame::{Level, StreamInfo};
use kerbside_domain::time::{Clock, Mono, SystemClock};

use super::confine::{self, Kind};
use super::error::CaptureError;
use crate::proto::{
    self, CaptureEvent, CaptureStats, FromChild, OpenSource, Pace, PacketKind, ProtoError, RawFrame, ToChild,
};
use crate::tuning::{FRAME_WINDOW, STATS_EVERY_S, TEARDOWN_LIMIT};

/// The pipe to the parent, and what the parent wants.
#[derive(Debug)]
pub struct ParentLink {
    out: BufWriter<File>,
    commands: Receiver<ToChild>,
    clock: SystemClock,
    pace: Pace,
    level: Level,
    unacknowledged: usize,
    pub(super) stats: CaptureStats,
    stats_sent: Mono,
    seal: Seal,
    farewell: Arc<Farewell>,
}

/// The parent wants the end, and the camera is to hear of it first.
#[derive(Debug, Default)]
pub(super) struct Farewell {
    /// A session holds a camera; without one the process just ends.
    is_due: AtomicBool,
    stopped: tokio::sync::Notify,
}

impl Farewell {
    /// Returns when the parent said stop.
    pub(super) async fn wanted(&self) {
        self.stopped.notified().await;
    }

    /// Lets the session say goodbye, for as long as that may take.
    fn say(&self) {
        if self.is_due.load(Ordering::Acquire) {
            self.stopped.notify_one();
            std::thread::sleep(TEARDOWN_LIMIT);
        }
    }
}

/// Whether this process can still open sockets and files.
#[derive(Debug)]
enum Seal {
    /// At the first packet or frame.
    Due(Kind),
    /// Never, and why.
    StaysOpen(String),
    Done,
}

impl ParentLink {
    pub(super) fn connect(kind: Kind) -> Result<Self, CaptureError> {
        // Not `Stdout` itself: it searches everything for line ends.
        let out = std::io::stdout().as_fd().try_clone_to_owned().map_err(ProtoError::from)?;
        let _ = rustix::pipe::fcntl_setpipe_size(&out, 1 << 20);
        let (sender, commands) = crossbeam_channel::bounded(64);
        let farewell: Arc<Farewell> = Arc::default();
        let said = farewell.clone();
        std::thread::Builder::new()
            .name("commands".into())
            .spawn(move || read_commands(&sender, &said))
            .map_err(ProtoError::from)?;
        Ok(ParentLink {
            out: BufWriter::with_capacity(64 * 1024, File::from(out)),
            commands,
            clock: SystemClock::new(),
            pace: Pace::Live,
            level: Level::L1,
            unacknowledged: 0,
            stats: CaptureStats::default(),
            stats_sent: Mono::ZERO,
            seal: Seal::Due(kind),
            farewell,
        })
    }

    /// Waits for what shall be opened; anything else is no parent of ours.
    pub(super) fn first_command(&mut self) -> Result<OpenSource, CaptureError> {
        match self.commands.recv() {
            Ok(ToChild::Open(open)) => {
                self.level = open.level;
                self.pace = open.pace;
                Ok(open)
            }
            Ok(_) | Err(_) => Err(CaptureError::ParentGone),
        }
    }

    /// The source opens connections as long as it lasts, so this process is never sealed.
    pub(super) fn stays_open(&mut self, why: impl Into<String>) {
        self.seal = Seal::StaysOpen(why.into());
    }

    /// The source is open when its first packet or frame is there: whatever comes from it is decoded without a way to open
    /// anything more.
    fn seal(&mut self) -> Result<(), CaptureError> {
        let open = match std::mem::replace(&mut self.seal, Seal::Done) {
            Seal::Done => return Ok(()),
            Seal::Due(kind) => confine::seal(kind).err(),
            Seal::StaysOpen(why) => Some(why),
        };
        self.event(CaptureEvent::Sealed { open })
    }

    /// From here on a camera is told before this process ends.
    pub(super) fn farewell(&self) -> Arc<Farewell> {
        self.farewell.is_due.store(true, Ordering::Release);
        self.farewell.clone()
    }

    /// The level wanted now.
    pub(super) fn level(&self) -> Level {
        self.level
    }

    pub(super) fn now(&self) -> Mono {
        self.clock.now().mono
    }

    pub(super) fn send(&mut self, message: &FromChild) -> Result<(), CaptureError> {
        Ok(proto::write_from_child(&mut self.out, message)?)
    }

    pub(super) fn event(&mut self, event: CaptureEvent) -> Result<(), CaptureError> {
        self.send(&FromChild::Event(event))
    }

    pub(super) fn stream(&mut self, info: &StreamInfo) -> Result<(), CaptureError> {
        self.send(&FromChild::Stream(info.clone()))
    }

    /// One packet, out of the demuxer's own buffer. `times`: pts, dts, duration in ticks.
    pub(super) fn packet(
        &mut self,
        epoch: u32,
        times: (i64, i64, i64),
        kind: PacketKind,
        data: &[u8],
    ) -> Result<(), CaptureError> {
        self.seal()?;
        self.stats.packets += 1;
        self.stats.packet_bytes += data.len() as u64;
        proto::write_packet(&mut self.out, epoch, times, kind, data)?;
        self.out.flush().map_err(ProtoError::from)?;
        self.between_packets()
    }

    /// Takes commands and sends counters that are due.
    pub(super) fn between_packets(&mut self) -> Result<(), CaptureError> {
        self.take_commands();
        if self.now().since_s(self.stats_sent) >= STATS_EVERY_S {
            self.send_stats()?;
        }
        Ok(())
    }

    /// Whether a frame may be sent. Live: not while the parent still has two (it will want a newer one).
    /// In lockstep: waits until the oldest is acknowledged, so that nothing is ever dropped.
    pub(super) fn wants_frame(&mut self) -> Result<bool, CaptureError> {
        if self.pace == Pace::Lockstep {
            while self.unacknowledged >= FRAME_WINDOW {
                let command = self.commands.recv().map_err(|_| CaptureError::ParentGone)?;
                self.apply(command);
            }
            return Ok(true);
        }
        self.take_commands();
        Ok(self.unacknowledged < FRAME_WINDOW)
    }

    pub(super) fn frame(&mut self, frame: RawFrame) -> Result<(), CaptureError> {
        self.seal()?;
        self.unacknowledged += 1;
        self.stats.frames += 1;
        self.send(&FromChild::Frame(frame))
    }

    /// In lockstep commands are taken only at frames: the same clip gives the same levels.
    fn take_commands(&mut self) {
        if self.pace == Pace::Lockstep {
            return;
        }
        while let Ok(command) = self.commands.try_recv() {
            self.apply(command);
        }
    }

    fn apply(&mut self, command: ToChild) {
        match command {
            ToChild::SetLevel(level) => self.level = level,
            ToChild::Ack { level } => {
                self.unacknowledged = self.unacknowledged.saturating_sub(1);
                self.level = level;
            }
            // `Stop` ends the process in the thread that reads it; a second `Open` means nothing.
            ToChild::Open(_) | ToChild::Stop => {}
        }
    }

    pub(super) fn send_stats(&mut self) -> Result<(), CaptureError> {
        self.stats_sent = self.now();
        self.stats.cpu_ms = cpu_ms();
        let stats = self.stats;
        self.send(&FromChild::Stats(stats))
    }
}

/// Reads commands. The process ends at `Stop` and when the parent is gone, even if a library blocks in the other thread; it has
/// nothing to finish but a session with a camera.
fn read_commands(commands: &Sender<ToChild>, farewell: &Farewell) {
    let mut stdin = std::io::stdin().lock();
    loop {
        match proto::read_to_child(&mut stdin) {
            Ok(Some(ToChild::Stop)) | Ok(None) | Err(_) => {
                farewell.say();
                std::process::exit(0);
            }
            Ok(Some(command)) => {
                if commands.send(command).is_err() {
                    return;
                }
            }
        }
    }
}

/// CPU time of this process, ms.
fn cpu_ms() -> u64 {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    (used.tv_sec.max(0) as u64).saturating_mul(1000).saturating_add(used.tv_nsec.max(0) as u64 / 1_000_000)
}
