//! libav in the capture child: demux once, send every packet, decode as little as the level asks.
//!
//! RTSP over TCP, HTTP and files; devices come opened. No FFmpeg type leaves this folder (invariant 3).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use ffmpeg_next as ffmpeg;
use ffmpeg_next::format::context::Input;
use ffmpeg_next::{Dictionary, Error, Packet, Rational};

use super::capture::{CaptureError, Parent};
use super::decode::Eye;
use super::proto::{Event, Fault, Open, Pace};
use super::{libav_sys, nal};
use kerbside_domain::frame::StreamInfo;
use kerbside_domain::time::{Clock, Mono, SystemClock};

/// Packets in a row that the demuxer calls invalid before the source is called garbled.
const MAX_GARBLED: u32 = 200;
/// A jump of decoding time beyond this starts a new epoch, s.
const MAX_JUMP_S: f64 = 10.0;

pub fn run(open: &Open, parent: &mut Parent) -> Result<(), CaptureError> {
    let patience = Patience::new(open.timeout_s);
    let input = open_input(open, &patience)?;
    read(input, open, &patience, parent)
}

/// The same for an input that is open already.
pub fn run_input(input: Input, open: &Open, parent: &mut Parent) -> Result<(), CaptureError> {
    read(input, open, &Patience::new(open.timeout_s), parent)
}

fn read(mut input: Input, open: &Open, patience: &Patience, parent: &mut Parent) -> Result<(), CaptureError> {
    let mut session = Session::new(open, &mut input, parent)?;
    loop {
        let mut packet = Packet::empty();
        patience.renew();
        match packet.read(&mut input) {
            // An interrupted demuxer first hands out what its parser held: that is no sign of life.
            Ok(()) if patience.is_over() => return Err(read_failed(Error::Exit, open)),
            Ok(()) => session.garbled = 0,
            Err(Error::Eof) if is_live(open) => return Err(lost("the server closed the stream")),
            Err(Error::Eof) => return session.finish(parent),
            Err(Error::Other { errno }) if errno == ffmpeg::error::EAGAIN => {
                std::thread::sleep(std::time::Duration::from_millis(2));
                continue;
            }
            Err(Error::InvalidData) if session.garbled < MAX_GARBLED => {
                session.garbled += 1;
                continue;
            }
            Err(error) => return Err(read_failed(error, open)),
        }
        if packet.stream() == session.index && packet.size() > 0 {
            session.packet(packet, parent)?;
        }
    }
}

/// A deadline that FFmpeg's blocking calls ask about.
#[derive(Clone)]
struct Patience {
    clock: Arc<SystemClock>,
    deadline_us: Arc<AtomicU64>,
    limit_s: f64,
}

impl Patience {
    fn new(limit_s: f64) -> Self {
        let patience = Patience {
            clock: Arc::new(SystemClock::new()),
            deadline_us: Arc::new(AtomicU64::new(0)),
            limit_s,
        };
        patience.renew();
        patience
    }

    fn renew(&self) {
        let deadline = self.clock.now().mono.plus_s(self.limit_s);
        self.deadline_us.store(deadline.0, Ordering::Relaxed);
    }

    /// Share of it that is gone, 0..1.
    fn spent(&self) -> f64 {
        let deadline = Mono(self.deadline_us.load(Ordering::Relaxed));
        1.0 - deadline.since_s(self.clock.now().mono) / self.limit_s
    }

    fn is_over(&self) -> bool {
        self.clock.now().mono.0 > self.deadline_us.load(Ordering::Relaxed)
    }
}

/// So much of the patience gone when opening fails: it failed for silence, whatever FFmpeg calls it (RTSP says "invalid data").
const SILENCE: f64 = 0.8;

fn is_live(open: &Open) -> bool {
    open.pace == Pace::Live && super::is_network(&open.url)
}

fn lost(text: &str) -> CaptureError {
    CaptureError::source(Fault::Lost, text)
}

fn read_failed(error: Error, open: &Open) -> CaptureError {
    match error {
        Error::Exit => {
            CaptureError::source(Fault::TimedOut, format!("nothing came for {} s", open.timeout_s))
        }
        Error::InvalidData => CaptureError::source(Fault::Garbled, "the stream is not readable as video"),
        other if is_live(open) => lost(&format!("reading: {other}")),
        other => CaptureError::source(Fault::Garbled, format!("reading: {other}")),
    }
}

fn open_input(open: &Open, patience: &Patience) -> Result<Input, CaptureError> {
    // `ffmpeg::init` would link libavdevice. The texts of errors are all that is needed of it.
    ffmpeg::util::error::register_all();
    // Broken streams would fill the log; what matters is reported as events.
    ffmpeg::log::set_level(ffmpeg::log::Level::Quiet);
    let watch = patience.clone();
    let options = options(open);
    let url = open.url.strip_prefix("file://").unwrap_or(&open.url);
    ffmpeg::format::input_with_interrupt_and_dictionary(url, move || watch.is_over(), options)
        .map_err(|e| open_failed(if patience.spent() >= SILENCE { Error::Exit } else { e }, open))
}

/// Pictures from whose times a live stream's rate is told. FFmpeg would wait for twenty: most of a second in which nothing is seen.
const FPS_PROBE: &str = "5";

/// Timeouts are in microseconds. The whitelists keep a playlist or a hostile file from opening anything else.
fn options(open: &Open) -> Dictionary<'static> {
    let mut options = Dictionary::new();
    let timeout_us = ((open.timeout_s * 1e6) as u64).to_string();
    if open.url.starts_with("rtsp") {
        options.set("rtsp_transport", "tcp");
        options.set("timeout", &timeout_us);
        options.set("allowed_media_types", "video");
        options.set("protocol_whitelist", "rtsp,rtsps,rtp,srtp,tcp,tls");
        options.set("analyzeduration", "1000000");
        options.set("fpsprobesize", FPS_PROBE);
    } else if open.url.starts_with("http") {
        options.set("rw_timeout", &timeout_us);
        options.set("protocol_whitelist", "http,https,httpproxy,tcp,tls,crypto,hls");
        options.set("analyzeduration", "1000000");
        options.set("fpsprobesize", FPS_PROBE);
    } else {
        options.set("protocol_whitelist", "file");
    }
    options
}

fn open_failed(error: Error, open: &Open) -> CaptureError {
    use ffmpeg::error as errno;
    let fault = match error {
        Error::HttpUnauthorized | Error::HttpForbidden => Fault::Unauthorised,
        Error::HttpNotFound => Fault::NotFound,
        Error::Exit => Fault::TimedOut,
        Error::Other { errno: errno::ETIMEDOUT } => Fault::TimedOut,
        Error::Other { errno: errno::ENOENT } => Fault::NotFound,
        Error::InvalidData => Fault::Garbled,
        Error::HttpBadRequest | Error::HttpOther4xx | Error::HttpServerError => Fault::Refused,
        Error::Other { .. } => Fault::Refused,
        _ => Fault::Other,
    };
    let why = if fault == Fault::TimedOut {
        format!("no answer for {} s", open.timeout_s)
    } else {
        error.to_string()
    };
    CaptureError::source(fault, format!("{}: {why}", open.url))
}

/// One opened stream.
struct Session {
    index: usize,
    info: StreamInfo,
    family: Option<nal::Family>,
    /// Parameter sets inside the stream that its packets are told apart by.
    known: Vec<u8>,
    tick_s: f64,
    eye: Eye,
    keys: KeyDistance,
    last_dts: Option<i64>,
    last_pts: i64,
    garbled: u32,
    pacer: Option<Pacer>,
}

impl Session {
    fn new(open: &Open, input: &mut Input, parent: &mut Parent) -> Result<Self, CaptureError> {
        let stream = input
            .streams()
            .best(ffmpeg::media::Type::Video)
            .ok_or_else(|| CaptureError::source(Fault::NoVideo, "the source has no video stream"))?;
        let parameters = stream.parameters();
        let codec = parameters.id().name().to_string();
        let time_base = stream.time_base();
        let (width, height) = libav_sys::dimensions(&parameters);
        let info = StreamInfo {
            epoch: 1,
            width,
            height,
            time_base: (time_base.numerator(), time_base.denominator()),
            fps: rate(stream.avg_frame_rate()),
            extradata: Bytes::from(libav_sys::extradata(&parameters)),
            codec,
        };
        let index = stream.index();
        let eye = Eye::new(open, parameters, time_base, &info.codec)?;
        parent.stream(&info)?;
        let pacer = (open.pace == Pace::Realtime).then(Pacer::default);
        Ok(Session {
            index,
            family: nal::Family::of(&info.codec),
            known: Vec::new(),
            tick_s: f64::from(time_base.numerator()) / f64::from(time_base.denominator().max(1)),
            info,
            eye,
            keys: KeyDistance::default(),
            last_dts: None,
            last_pts: 0,
            garbled: 0,
            pacer,
        })
    }

    fn packet(&mut self, mut packet: Packet, parent: &mut Parent) -> Result<(), CaptureError> {
        let key = packet.is_key();
        self.date(&mut packet);
        let (pts, dts) = (self.last_pts, packet.dts().unwrap_or(self.last_pts));
        self.jumped(dts, parent)?;
        if key {
            self.parameters_changed(&packet, parent)?;
        }
        if let Some(pacer) = &mut self.pacer {
            pacer.wait(dts as f64 * self.tick_s, parent);
        }
        let times = (pts, dts, packet.duration());
        if let Some(data) = packet.data() {
            parent.packet(self.info.epoch, times, key, data)?;
        }
        if let Some(gap_s) = self.keys.seen(dts as f64 * self.tick_s, key) {
            parent.event(Event::SparseKeys { gap_s })?;
        }
        let size = self.eye.packet(packet, key, self.info.epoch, parent)?;
        self.resized(size, parent)
    }

    /// Some sources leave timestamps out: every packet gets a pts, and decoding and cutting see the same.
    fn date(&mut self, packet: &mut Packet) {
        let step = if packet.duration() > 0 {
            packet.duration()
        } else {
            (1.0 / (f64::from(self.info.fps).clamp(1.0, 240.0) * self.tick_s)).round().max(1.0) as i64
        };
        let pts = packet.pts().or(packet.dts()).unwrap_or(self.last_pts + step);
        packet.set_pts(Some(pts));
        self.last_pts = pts;
    }

    fn jumped(&mut self, dts: i64, parent: &mut Parent) -> Result<(), CaptureError> {
        let jump_s = self.last_dts.map_or(0.0, |last| dts.saturating_sub(last) as f64 * self.tick_s);
        self.last_dts = Some(dts);
        if !(-1.0..=MAX_JUMP_S).contains(&jump_s) {
            self.info.epoch += 1;
            self.eye.restart();
            parent.stream(&self.info)?;
        }
        Ok(())
    }

    /// New parameter sets inside the stream are a new stream: its packets need other extradata.
    fn parameters_changed(&mut self, packet: &Packet, parent: &mut Parent) -> Result<(), CaptureError> {
        let Some(family) = self.family else { return Ok(()) };
        let Some(sets) = packet.data().and_then(|data| nal::parameter_sets(family, data)) else {
            return Ok(());
        };
        if self.known.is_empty() {
            self.known.clone_from(&sets);
            if !self.info.extradata.is_empty() {
                return Ok(());
            }
            self.info.extradata = Bytes::from(sets);
            return parent.stream(&self.info);
        }
        if !nal::is_new_sequence(family, &self.known, &sets) {
            return Ok(());
        }
        self.known.clone_from(&sets);
        self.info.extradata = Bytes::from(sets);
        self.info.epoch += 1;
        self.eye.restart();
        if let Some(size) = self.eye.measure(packet) {
            let from = (self.info.width, self.info.height);
            (self.info.width, self.info.height) = size;
            if from != size {
                parent.event(Event::ResolutionChanged { from, to: size })?;
            }
        }
        parent.stream(&self.info)
    }

    /// The decoder saw another size than was announced (MJPEG, or a header without size).
    fn resized(&mut self, size: Option<(u32, u32)>, parent: &mut Parent) -> Result<(), CaptureError> {
        let from = (self.info.width, self.info.height);
        let Some(to) = size.filter(|&to| to != from) else { return Ok(()) };
        (self.info.width, self.info.height) = to;
        if from != (0, 0) {
            self.info.epoch += 1;
            parent.event(Event::ResolutionChanged { from, to })?;
        }
        parent.stream(&self.info)
    }

    /// End of a file: the decoder still holds the last pictures.
    fn finish(&mut self, parent: &mut Parent) -> Result<(), CaptureError> {
        self.eye.drain(self.info.epoch, parent)
    }
}

fn rate(rate: Rational) -> f32 {
    if rate.denominator() > 0 && rate.numerator() > 0 { f64::from(rate) as f32 } else { 0.0 }
}

/// How far key frames are apart.
#[derive(Default)]
struct KeyDistance {
    last_key_s: Option<f64>,
    sparse: bool,
    dense: u32,
}

impl KeyDistance {
    /// Something to report: they became too sparse for L1, or are dense again (three in a row).
    fn seen(&mut self, at_s: f64, key: bool) -> Option<f64> {
        let gap_s = self.last_key_s.map_or(0.0, |last| (at_s - last).abs());
        if self.last_key_s.is_none() || key {
            self.last_key_s = Some(at_s);
        }
        if gap_s > kerbside_domain::frame::SPARSE_KEY_S {
            self.dense = 0;
            return (!std::mem::replace(&mut self.sparse, true)).then_some(gap_s);
        }
        if key && self.sparse {
            self.dense += 1;
            if self.dense >= 3 {
                self.sparse = false;
                return Some(gap_s);
            }
        }
        None
    }
}

/// Lets a file's time pass as it did.
#[derive(Default)]
struct Pacer {
    start: Option<(f64, Mono)>,
}

impl Pacer {
    fn wait(&mut self, at_s: f64, parent: &Parent) {
        let now = parent.now();
        let (first_s, begun) = *self.start.get_or_insert((at_s, now));
        let ahead_s = begun.plus_s(at_s - first_s).since_s(now);
        if ahead_s > 0.0 {
            std::thread::sleep(std::time::Duration::from_secs_f64(ahead_s.min(5.0)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparse_key_frames_are_reported_once_and_taken_back() {
        let mut keys = KeyDistance::default();
        let mut said = Vec::new();
        for i in 0..400 {
            let at_s = f64::from(i) * 0.1;
            // A key every 10 s, from 20 s on every second.
            let key = if i < 200 { i % 100 == 0 } else { i % 10 == 0 };
            said.extend(keys.seen(at_s, key).map(|gap| (i, gap > kerbside_domain::frame::SPARSE_KEY_S)));
        }
        assert_eq!(said, [(41, true), (230, false)]);
    }
}
