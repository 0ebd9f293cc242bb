//! Watches one source through a capture child and says what comes; a workbench for the source stage.
//!
//! ```text
//! source_probe EXE URL [--lockstep | --realtime] [--libav | --opencv] [--cost] [--level 0|1|2] [--seconds N] [--frames PER_S] [--clip DIR]
//! ```
//! `EXE` is the kerbside program. `--cost` says what the source costs; with and without `--libav` it compares FFmpeg's RTSP client
//! with ours (decision 0039).

use std::sync::Arc;
use std::time::Duration;

use kerbside_domain::camera_state::CameraState;
use kerbside_domain::frame::{BBox, CameraIx, Frame, Level, StreamInfo};
use kerbside_domain::time::{Clock, Moment, Mono, SystemClock, VirtualClock};
use kerbside_media::clip::{ClipJob, StillJob};
use kerbside_media::picture::Drawing;
use kerbside_media::ring::{PacketRing, RingSpan};
use kerbside_media::{
    CaptureProgram, CaptureSession, CaptureSettings, CaptureStats, FrameSink, FrameSource, Notice, Pace,
    SourceEnd, url,
};
use parking_lot::Mutex;

struct Probe {
    clock: Arc<SystemClock>,
    level: Level,
    frames: u64,
    rgb_sum: u64,
    oldest_s: f64,
    cost: Option<Cost>,
}

/// What a source costs: the time until it is seen, and how often its child is woken.
struct Cost {
    begun: Mono,
    stream_s: f64,
    first_frame_s: f64,
    watched: Mono,
    wakes_before: u64,
    wakes: u64,
    last: CaptureStats,
}

/// Times that this process's children were woken.
fn wakes() -> u64 {
    let tasks = |of: &str| std::fs::read_dir(format!("/proc/{of}/task")).into_iter().flatten().flatten();
    let lists = tasks("self").filter_map(|t| std::fs::read_to_string(t.path().join("children")).ok());
    let children: Vec<String> =
        lists.flat_map(|l| l.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
    let of_task = |path: std::path::PathBuf| -> Option<u64> {
        let status = std::fs::read_to_string(path.join("status")).ok()?;
        let line = status.lines().find_map(|l| l.strip_prefix("voluntary_ctxt_switches:"))?;
        line.trim().parse().ok()
    };
    children.iter().flat_map(|pid| tasks(pid).collect::<Vec<_>>()).filter_map(|t| of_task(t.path())).sum()
}

impl FrameSink for Probe {
    fn stream(&mut self, info: &StreamInfo) {
        let now = self.clock.now().mono;
        if let Some(cost) = self.cost.as_mut().filter(|c| c.stream_s == 0.0) {
            cost.stream_s = now.since_s(cost.begun);
        }
        let (epoch, codec, fps) = (info.epoch, &info.codec, info.fps);
        println!(
            "stream {epoch}: {codec} {}x{} {fps:.2}/s, extradata {}",
            info.width,
            info.height,
            info.extradata.len()
        );
    }

    fn frame(&mut self, frame: Frame) -> Level {
        self.frames += 1;
        let now = self.clock.now().mono;
        if let Some(cost) = self.cost.as_mut().filter(|c| c.first_frame_s == 0.0) {
            cost.first_frame_s = now.since_s(cost.begun);
            (cost.watched, cost.wakes_before) = (now, wakes());
        }
        let sum = frame.rgb.iter().chain(frame.luma.iter());
        self.rgb_sum = sum.fold(self.rgb_sum, |h, &b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3));
        let age_s = self.clock.now().mono.since_s(frame.at.mono);
        self.oldest_s = self.oldest_s.max(age_s);
        if self.frames <= 3 || self.frames.is_multiple_of(50) {
            println!("{frame:?} pts {} age {age_s:.3} s", frame.pts);
        }
        self.level
    }

    fn state(&mut self, at: Moment, state: CameraState, why: &str) {
        println!("{:7.2} s state {state:?}: {why}", at.mono.0 as f64 / 1e6);
    }

    fn notice(&mut self, at: Moment, notice: &Notice) {
        if let (Notice::Stats(stats), Some(cost)) = (notice, &mut self.cost) {
            (cost.last, cost.wakes) = (*stats, wakes());
        }
        println!("{:7.2} s {notice:?}", at.mono.0 as f64 / 1e6);
    }

    fn tick(&mut self, _at: Moment) -> Level {
        self.level
    }
}

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| args.iter().position(|a| a == name).and_then(|i| args.get(i + 1));
    let [exe, address, ..] = args.as_slice() else { anyhow::bail!("usage: source_probe EXE URL ...") };
    let lockstep = args.iter().any(|a| a == "--lockstep");
    let level =
        [Level::L0, Level::L1, Level::L2][value("--level").map_or(Ok(2), |l| l.parse::<usize>())?.min(2)];
    let pace = match lockstep {
        true => Pace::Lockstep,
        false if url::is_file(address) => Pace::Realtime,
        false => Pace::Live,
    };
    let setup = CaptureSettings {
        camera: CameraIx(0),
        url: address.clone(),
        transport: Default::default(),
        tls: Default::default(),
        opencv: args.iter().any(|a| a == "--opencv"),
        libav: args.iter().any(|a| a == "--libav"),
        pace,
        analysis_fps: value("--frames").map_or(Ok(5.0), |l| l.parse())?,
        analysis_width: 640,
        stall_after_s: 5.0,
        restart_after_s: 10.0,
        level,
        program: CaptureProgram::of(exe),
        ring_bytes: 24 << 20,
        seed: 1,
    };
    let real = Arc::new(SystemClock::new());
    let clock: Arc<dyn Clock> = if lockstep { VirtualClock::new(0) } else { Arc::clone(&real) as _ };
    let ring = Arc::new(Mutex::new(PacketRing::new(20.0, 24 << 20)));
    let begun = real.now().mono;
    let cost = args.iter().any(|a| a == "--cost").then(|| Cost {
        begun,
        stream_s: 0.0,
        first_frame_s: 0.0,
        watched: begun,
        wakes_before: 0,
        wakes: 0,
        last: CaptureStats::default(),
    });
    let mut probe = Probe { clock: Arc::clone(&real), level, frames: 0, rgb_sum: 0, oldest_s: 0.0, cost };
    let (stopper, stop) = crossbeam_channel::bounded(0);
    if let Some(seconds) = value("--seconds") {
        let limit = Duration::from_secs_f64(seconds.parse()?);
        std::thread::spawn(move || {
            std::thread::sleep(limit);
            drop(stopper);
        });
    } else {
        std::mem::forget(stopper);
    }
    let done: SourceEnd = CaptureSession::new(setup, clock, Arc::clone(&ring)).run(&mut probe, &stop);
    println!(
        "{done:?}: {} frames, hash {:016x}, oldest {:.3} s",
        probe.frames, probe.rgb_sum, probe.oldest_s
    );
    if let Some(cost) = &probe.cost {
        let s = real.now().mono.since_s(cost.watched).max(0.1);
        println!(
            "cost: stream after {:.2} s, frame after {:.2} s, CPU {} ms, {:.0} wakes/s, {} packets, {} lost",
            cost.stream_s,
            cost.first_frame_s,
            cost.last.cpu_ms,
            cost.wakes.saturating_sub(cost.wakes_before) as f64 / s,
            cost.last.packets,
            cost.last.lost
        );
    }
    let held = ring.lock();
    println!("ring: {} packets, {} bytes, {} evicted", held.len(), held.bytes(), held.evicted());
    if let Some(dir) = value("--clip") {
        clip(&held, dir, &CaptureProgram::of(exe))?;
    }
    Ok(())
}

fn clip(ring: &PacketRing, dir: &str, exe: &CaptureProgram) -> anyhow::Result<()> {
    let latest = ring.latest().ok_or_else(|| anyhow::anyhow!("the ring is empty"))?;
    let from = latest.mono.minus_s(8.0);
    let RingSpan { stream, packets } =
        ring.span(from, latest.mono).ok_or_else(|| anyhow::anyhow!("nothing to make a clip of"))?;
    std::fs::create_dir_all(dir)?;
    let pts = packets[packets.len() / 2].pts;
    let picture = |name: &str, drawings| StillJob {
        pts,
        path: std::path::Path::new(dir).join(name),
        max_bytes: 200_000,
        drawings,
        crop: None,
    };
    let bbox = BBox { x: 0.4, y: 0.5, w: 0.1, h: 0.2 };
    let drawings = vec![
        Drawing::Zone { polygon_norm: vec![(0.1, 0.5), (0.9, 0.5), (0.95, 0.95), (0.05, 0.95)] },
        Drawing::Box { bbox, label: "waste 0.81".into(), emphasis: true },
        Drawing::Caption("cam1 2026-11-21T10:00:00+08:00".into()),
    ];
    let clip = Some(std::path::Path::new(dir).join("clip.mp4.part"));
    let stills = vec![picture("trigger.jpg", Vec::new()), picture("annotated.jpg", drawings)];
    let job = ClipJob { stream, packets, clip, stills };
    println!("{:?}", kerbside_media::clip::make(exe, Duration::from_secs(30), &job)?);
    Ok(())
}
