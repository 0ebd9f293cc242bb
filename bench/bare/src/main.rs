//! The bare lower bounds of the bench: the same libraries, called in the tightest loop one can write.
//!
//! Owns the loops and their CPU accounting. Must not know the agent's stages: whatever it took from them would hide their cost.
//! Each loop runs until it has used the CPU seconds asked for, whole clips at a time, and prints one line of JSON.
//! Started by `bench/run`; by hand: `cargo run --release -p kerbside-bench -- decode clip.mp4`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use ffmpeg_next as ffmpeg;
use ffmpeg_next::codec::threading;
use ffmpeg_next::{Discard, decoder, format, frame, media};
use kerbside_domain::frame::{StreamInfo, Turn};
use kerbside_domain::time::{Clock, Mono, SystemClock};
use kerbside_media::proto::{ClipMessage, StreamHeader, write_message};
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::{Tensor, ValueType};

#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    what: What,
    /// Go on until so much CPU time is used, s.
    #[arg(long, default_value_t = 5.0, global = true)]
    cpu_s: f64,
    /// One inference, or one packet's decoding, every so many ms, as a camera would ask for it; 0: as fast as it goes. Work that comes
    /// in drops finds cold caches and a slow clock, and costs more.
    #[arg(long, default_value_t = 0.0, global = true)]
    every_ms: f64,
}

/// Lets one piece of work begin at its time.
struct Pace {
    clock: SystemClock,
    every_s: f64,
    due: Mono,
}

impl Pace {
    fn new(every_ms: f64) -> Self {
        let clock = SystemClock::new();
        let due = clock.now().mono;
        Pace { clock, every_s: every_ms / 1e3, due }
    }

    fn wait(&mut self) {
        if self.every_s > 0.0 {
            self.due = self.due.plus_s(self.every_s);
            let wait_s = self.due.since_s(self.clock.now().mono);
            std::thread::sleep(std::time::Duration::from_secs_f64(wait_s));
        }
    }
}

#[derive(Subcommand)]
enum What {
    /// Read every packet, decode none.
    Demux { clip: PathBuf },
    /// Decode every frame with one thread.
    Decode { clip: PathBuf },
    /// Decode key frames only.
    Keyframes { clip: PathBuf },
    /// Remux the clip's first 20 s into an mp4 (a clip of evidence, without anything around it).
    Remux { clip: PathBuf, out: PathBuf },
    /// Write the order for such a clip to standard output, as the agent gives it to its evidence child (`capture --clip`).
    /// Wants the clip as MPEG-TS: packets as a camera sends them.
    Order { clip: PathBuf, out: PathBuf },
    /// Run the model on a filled tensor: one thread, no spinning, all optimisations. The library is the one in KERBSIDE_ORT.
    Infer { model: PathBuf },
}

/// What a loop did.
#[derive(Default)]
struct Done {
    /// Packets, frames, clips or inferences.
    count: u64,
    /// Stream time that passed, s.
    stream_s: f64,
    /// Wall time of each inference, s.
    walls_s: Vec<f64>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    ffmpeg::init()?;
    ffmpeg::log::set_level(ffmpeg::log::Level::Error);
    let (mut done, mut cpu_s, mut pace) = (Done::default(), 0.0, Pace::new(args.every_ms));
    match &args.what {
        What::Infer { model } => {
            let mut session = session(model)?;
            let input = filled(&session)?;
            infer(&mut session, &input, &mut Done::default())?;
            while cpu_s < args.cpu_s {
                pace.wait();
                let before = process_cpu_s()?;
                infer(&mut session, &input, &mut done)?;
                cpu_s += process_cpu_s()? - before;
            }
        }
        What::Order { clip, out } => return order(clip, out),
        clip => {
            while cpu_s < args.cpu_s {
                let before = process_cpu_s()?;
                pass(clip, &mut done, &mut pace)?;
                cpu_s += process_cpu_s()? - before;
            }
        }
    }
    done.walls_s.sort_by(f64::total_cmp);
    let wall_p50_s = done.walls_s.get(done.walls_s.len() / 2).copied();
    let said = serde_json::json!({
        "cpu_s": cpu_s, "count": done.count, "stream_s": done.stream_s, "wall_p50_s": wall_p50_s,
    });
    println!("{said}");
    Ok(())
}

/// CPU time of all threads of this process, s, to the nanosecond (`/proc/self/stat` counts in 10 ms).
fn process_cpu_s() -> Result<f64> {
    let mut ns = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        let running = text.split(' ').next().context("/proc/self/task/*/schedstat is empty")?;
        ns += running.parse::<u64>()?;
    }
    Ok(ns as f64 / 1e9)
}

/// One pass over a clip.
fn pass(what: &What, done: &mut Done, pace: &mut Pace) -> Result<()> {
    let (clip, mut decoder) = match what {
        What::Demux { clip } => (clip, None),
        What::Decode { clip } => (clip, Some(open_decoder(clip, Discard::Default)?)),
        What::Keyframes { clip } => (clip, Some(open_decoder(clip, Discard::NonKey)?)),
        What::Remux { clip, out } => return remux(clip, out, done),
        What::Order { .. } | What::Infer { .. } => bail!("no loop over a clip"),
    };
    let mut input = format::input(clip).with_context(|| clip.display().to_string())?;
    let index = input.streams().best(media::Type::Video).context("no video stream")?.index();
    let key_only = matches!(what, What::Keyframes { .. });
    let mut picture = frame::Video::empty();
    done.stream_s += input.duration() as f64 / f64::from(ffmpeg::ffi::AV_TIME_BASE);
    for (stream, packet) in input.packets() {
        if stream.index() != index || (key_only && !packet.is_key()) {
            continue;
        }
        let Some(decoder) = &mut decoder else {
            done.count += 1;
            continue;
        };
        pace.wait();
        decoder.send_packet(&packet)?;
        while decoder.receive_frame(&mut picture).is_ok() {
            done.count += 1;
        }
    }
    if let Some(decoder) = &mut decoder {
        decoder.send_eof()?;
        while decoder.receive_frame(&mut picture).is_ok() {
            done.count += 1;
        }
    }
    Ok(())
}

fn open_decoder(clip: &Path, skip: Discard) -> Result<decoder::Video> {
    let input = format::input(clip).with_context(|| clip.display().to_string())?;
    let stream = input.streams().best(media::Type::Video).context("no video stream")?;
    let mut context = ffmpeg::codec::Context::from_parameters(stream.parameters())?;
    context.set_threading(threading::Config { count: 1, ..Default::default() });
    let mut decoder = context.decoder().video()?;
    decoder.skip_frame(skip);
    Ok(decoder)
}

/// The first 20 s of the clip's video into an mp4 with its index in front, as evidence has it.
fn remux(clip: &Path, out: &Path, done: &mut Done) -> Result<()> {
    const LENGTH_S: f64 = 20.0;
    let mut input = format::input(clip).with_context(|| clip.display().to_string())?;
    let mut output = format::output(out).with_context(|| out.display().to_string())?;
    let (index, from) = {
        let stream = input.streams().best(media::Type::Video).context("no video stream")?;
        let mut target = output.add_stream(ffmpeg::codec::Id::None)?;
        target.set_parameters(stream.parameters());
        (stream.index(), stream.time_base())
    };
    let mut options = ffmpeg::Dictionary::new();
    options.set("movflags", "+faststart");
    output.write_header_with(options)?;
    let to = output.stream(0).context("no stream in the output")?.time_base();
    for (stream, mut packet) in input.packets() {
        let at_s = packet.dts().unwrap_or(0) as f64 * f64::from(from);
        if stream.index() != index || at_s >= LENGTH_S {
            continue;
        }
        packet.set_stream(0);
        packet.rescale_ts(from, to);
        packet.write_interleaved(&mut output)?;
    }
    output.write_trailer()?;
    done.count += 1;
    done.stream_s += LENGTH_S;
    Ok(())
}

fn order(clip: &Path, out: &Path) -> Result<()> {
    let mut input = format::input(clip).with_context(|| clip.display().to_string())?;
    let (index, time_base, parameters) = {
        let stream = input.streams().best(media::Type::Video).context("no video stream")?;
        (stream.index(), stream.time_base(), stream.parameters())
    };
    let video = ffmpeg::codec::Context::from_parameters(parameters)?.decoder().video()?;
    let stream = StreamInfo {
        epoch: 0,
        codec: video.id().name().to_string(),
        width: video.width(),
        height: video.height(),
        turn: Turn::NONE,
        time_base: (time_base.numerator(), time_base.denominator()),
        fps: 25.0,
        extradata: Vec::new().into(),
    };
    let mut pipe = std::io::BufWriter::new(std::io::stdout().lock());
    let job = ClipMessage::Job {
        stream: StreamHeader::of(&stream),
        clip: Some(out.to_path_buf()),
        stills: Vec::new(),
    };
    write_message(&mut pipe, &job, &[])?;
    for (stream, packet) in input.packets() {
        let (Some(pts), Some(dts), Some(data)) = (packet.pts(), packet.dts(), packet.data()) else {
            continue;
        };
        if stream.index() == index {
            let (duration, key, refresh, damaged) = (packet.duration(), packet.is_key(), 0, false);
            let head = ClipMessage::Packet { pts, dts, duration, key, refresh, damaged };
            write_message(&mut pipe, &head, &[data])?;
        }
    }
    Ok(std::io::Write::flush(&mut pipe)?)
}

fn session(model: &Path) -> Result<Session> {
    let library = std::env::var_os("KERBSIDE_ORT").context("KERBSIDE_ORT does not name libonnxruntime.so")?;
    let environment = ort::init_from(Path::new(&library))?.build()?;
    let builder = Session::builder(&environment)?;
    let builder = builder.with_optimization_level(GraphOptimizationLevel::All).map_err(said)?;
    let builder = builder.with_intra_threads(1).map_err(said)?;
    let mut builder = builder.with_intra_op_spinning(false).map_err(said)?;
    builder.commit_from_file(model).with_context(|| model.display().to_string())
}

/// The builder's errors carry the builder, which no thread may share.
fn said<T>(error: ort::Error<T>) -> anyhow::Error {
    anyhow::anyhow!("ONNX Runtime: {error}")
}

/// The model's input, filled with bytes that look like a noisy picture; the seed is fixed.
fn filled(session: &Session) -> Result<Tensor<u8>> {
    let input = session.inputs().first().context("the model has no input")?;
    let ValueType::Tensor { ty: ort::value::TensorElementType::Uint8, shape, .. } = input.dtype() else {
        bail!("input {} is not uint8, as shipped models have it", input.name());
    };
    let shape: Vec<usize> = shape.iter().map(|&n| usize::try_from(n)).collect::<Result<_, _>>()?;
    let mut random = fastrand::Rng::with_seed(7);
    let bytes =
        std::iter::repeat_with(|| random.u8(96..160)).take(shape.iter().product()).collect::<Vec<u8>>();
    Ok(Tensor::from_array((shape, bytes))?)
}

/// A block of inferences, so that asking for the CPU time costs nothing.
fn infer(session: &mut Session, input: &Tensor<u8>, done: &mut Done) -> Result<()> {
    const BLOCK: u64 = 10;
    let clock = SystemClock::new();
    for _ in 0..BLOCK {
        let start = clock.now().mono;
        session.run(ort::inputs![input])?;
        done.walls_s.push(clock.now().mono.since_s(start));
    }
    done.count += BLOCK;
    Ok(())
}
