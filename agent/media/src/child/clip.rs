//! The clip child: `kerbside capture --clip`. It takes packets of the ring and writes, under the names it is given, a clip
//! (remuxed, bit-exact, where a browser plays the codec; else encoded again) and stills at full resolution.
//!
//! The same packets give the same bytes: no dates and no encoder versions stand in the files.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{Dictionary, Rational};
use kerbside_domain::frame::{Packet, StreamInfo, Turn};
use kerbside_domain::time::Moment;

use super::stills::Stills;
use super::{confine, libav_log, libav_sys, parameters, timestamps, transcode};
use crate::clip::{ClipForm, StillJob};
use crate::picture::turned;
use crate::proto::{self, ClipAnswer, ClipMessage, Greeting, ProtoError};
use crate::tuning::{MAX_JOB_BYTES, MAX_JOB_PACKETS, MAX_JOB_STILLS, PLAYABLE};

/// Does one job from stdin and answers on stdout.
pub fn main() -> ExitCode {
    let unfiltered = confine::begin(confine::Kind::Clip).err();
    match serve(unfiltered) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kerbside capture --clip: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(unfiltered: Option<String>) -> Result<(), ProtoError> {
    let mut out = std::io::stdout().lock();
    proto::write_message(&mut out, &Greeting { version: proto::VERSION, unfiltered }, &[])?;
    out.flush()?;
    let (job, packets) = read_job()?;
    libav_log::install();
    let stream = job.stream;
    let clip = job.clip.map(|path| write_clip(&stream, &packets, &path));
    let stills = match Stills::new(&stream, &packets) {
        Ok(mut stills) => job.stills.iter().map(|still| stills.write(still)).collect(),
        Err(why) => vec![Err(why); job.stills.len()],
    };
    proto::write_message(&mut out, &ClipAnswer { clip, stills }, &[])?;
    Ok(out.flush()?)
}

/// A job without its packets.
struct JobHeader {
    stream: StreamInfo,
    clip: Option<PathBuf>,
    stills: Vec<StillJob>,
}

fn read_job() -> Result<(JobHeader, Vec<Packet>), ProtoError> {
    let mut stdin = std::io::stdin().lock();
    let mut job = None;
    let (mut packets, mut bytes) = (Vec::new(), 0);
    while let Some((message, blob)) = proto::read_message::<ClipMessage>(&mut stdin)? {
        match message {
            ClipMessage::Job { stream, clip, stills } => {
                proto::check_length("stills", stills.len(), MAX_JOB_STILLS)?;
                job = Some(JobHeader { stream: stream.with_extradata(blob), clip, stills });
            }
            ClipMessage::Packet { pts, dts, duration, key, refresh, damaged } => {
                bytes += blob.len();
                proto::check_length("packets", packets.len(), MAX_JOB_PACKETS)?;
                proto::check_length("packet bytes", bytes, MAX_JOB_BYTES)?;
                let at = Moment::default();
                let (epoch, data) = (0, blob);
                packets.push(Packet { epoch, pts, dts, duration, key, refresh, damaged, at, data });
            }
        }
    }
    let missing = || ProtoError::from(std::io::Error::from(std::io::ErrorKind::UnexpectedEof));
    Ok((job.ok_or_else(missing)?, packets))
}

fn write_clip(stream: &StreamInfo, packets: &[Packet], path: &Path) -> Result<ClipForm, String> {
    let first = packets.iter().position(|p| p.key).ok_or("no key frame among the packets")?;
    let packets = &packets[first..];
    let failed = |e: String| format!("{}: {e}", path.display());
    if PLAYABLE.contains(&stream.codec.as_str()) {
        return remux(stream, packets, path).map(|()| ClipForm::AsSent).map_err(failed);
    }
    match transcode::write(stream, packets, path) {
        Ok(()) => Ok(ClipForm::Encoded("vp9".to_owned())),
        // The original plays on a desk computer, and that is better than nothing.
        Err(why) => remux(stream, packets, path).map(|()| ClipForm::Unplayable(why)).map_err(failed),
    }
}

fn remux(stream: &StreamInfo, packets: &[Packet], path: &Path) -> Result<(), String> {
    let text = |e: ffmpeg::Error| e.to_string();
    let mut output = ffmpeg::format::output_as(&crate::url::for_ffmpeg(path), "mp4").map_err(text)?;
    let from = Rational(stream.time_base.0, stream.time_base.1.max(1));
    let parameters = parameters::of_stream(stream, packets)?;
    {
        let mut track = output.add_stream(ffmpeg::codec::Id::None).map_err(text)?;
        track.set_parameters(parameters);
        track.set_time_base(from);
        if stream.turn != Turn::NONE {
            libav_sys::set_turn(&mut track, turned::matrix_of(stream.turn)).ok_or("no memory")?;
        }
    }
    let mut options = Dictionary::new();
    options.set("movflags", "+faststart");
    options.set("fflags", "+bitexact");
    output.write_header_with(options).map_err(text)?;
    let to = output.stream(0).map_or(from, |s| s.time_base());
    let times = timestamps::of_clip(packets.iter().map(|p| (p.pts, p.dts)), f64::from(from));
    for (packet, (pts, dts)) in packets.iter().zip(times) {
        if packet.data.is_empty() {
            continue;
        }
        let mut out = ffmpeg::Packet::copy(&packet.data);
        out.set_pts(Some(pts));
        out.set_dts(Some(dts));
        out.set_duration(packet.duration.max(0));
        if packet.key {
            out.set_flags(ffmpeg::packet::Flags::KEY);
        }
        out.set_stream(0);
        out.rescale_ts(from, to);
        out.write_interleaved(&mut output).map_err(text)?;
    }
    output.write_trailer().map_err(text)
}
