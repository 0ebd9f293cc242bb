//! `kerbside capture --cut`: the evidence child. Packets of the ring in; a clip (remuxed, bit-exact) and pictures at full
//! resolution out, as files under the names it is given.
//!
//! The same packets give the same bytes: no dates, no encoder versions in the files.

use std::path::Path;
use std::process::ExitCode;

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{Dictionary, Rational};

use super::confine;
use super::nal;
use super::proto::{self, CutAnswer, CutHead, ProtoError};
use super::session::CHILD_MEMORY;
use super::stills::Stills;
use super::{libav_sys, timing};
use kerbside_domain::frame::{Packet, StreamInfo};
use kerbside_domain::time::Moment;

/// Packets of one job: a ring of a minute and a half at 60 pictures a second.
const MAX_PACKETS: usize = 5400;
/// Pictures of one job.
const MAX_PICTURES: usize = 64;
/// Payload of one job, bytes.
const MAX_BYTES: usize = 128 << 20;

pub fn main() -> ExitCode {
    confine::begin();
    confine::limit_memory(CHILD_MEMORY);
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kerbside capture --cut: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), ProtoError> {
    let (job, packets) = read_job()?;
    ffmpeg::log::set_level(ffmpeg::log::Level::Quiet);
    let stream = job.stream;
    let clip = job.clip.map(|path| write_clip(&stream, &packets, &path));
    let pictures = match Stills::new(&stream, &packets) {
        Ok(mut stills) => job.pictures.iter().map(|p| stills.write(p)).collect(),
        Err(why) => vec![Err(why); job.pictures.len()],
    };
    let mut out = std::io::stdout().lock();
    proto::write_frame(&mut out, &CutAnswer { clip, pictures }, &[])?;
    Ok(std::io::Write::flush(&mut out)?)
}

/// What a job asks, its packets aside.
struct Asked {
    stream: StreamInfo,
    clip: Option<std::path::PathBuf>,
    pictures: Vec<crate::source::cut_job::PictureJob>,
}

fn read_job() -> Result<(Asked, Vec<Packet>), ProtoError> {
    let mut stdin = std::io::stdin().lock();
    let mut asked = None;
    let (mut packets, mut bytes) = (Vec::new(), 0);
    while let Some((head, blob)) = proto::read_frame::<CutHead>(&mut stdin)? {
        match head {
            CutHead::Job { stream, clip, pictures } => {
                proto::check("pictures", pictures.len(), MAX_PICTURES)?;
                let stream = stream.with_extradata(blob);
                asked = Some(Asked { stream, clip, pictures });
            }
            CutHead::Packet { pts, dts, duration, key } => {
                bytes += blob.len();
                proto::check("packets", packets.len(), MAX_PACKETS)?;
                proto::check("packet bytes", bytes, MAX_BYTES)?;
                let at = Moment::default();
                packets.push(Packet { epoch: 0, pts, dts, duration, key, at, data: blob });
            }
        }
    }
    let missing = || ProtoError::Io(std::io::Error::from(std::io::ErrorKind::UnexpectedEof));
    Ok((asked.ok_or_else(missing)?, packets))
}

/// Extradata for a decoder or muxer: the stream's own, or the parameter sets inside the first key packet.
pub(super) fn extradata(stream: &StreamInfo, packets: &[Packet]) -> Vec<u8> {
    if !stream.extradata.is_empty() {
        return stream.extradata.to_vec();
    }
    let family = nal::Family::of(&stream.codec);
    let first = packets.iter().find(|p| p.key);
    family.zip(first).and_then(|(family, key)| nal::parameter_sets(family, &key.data)).unwrap_or_default()
}

pub(super) fn parameters(
    stream: &StreamInfo,
    packets: &[Packet],
) -> Result<ffmpeg::codec::Parameters, String> {
    let id = libav_sys::codec_id(&stream.codec).ok_or_else(|| format!("unknown codec {}", stream.codec))?;
    // Safari plays H.265 only under this name; the others have one name each.
    let tag = if stream.codec == "hevc" { u32::from_le_bytes(*b"hvc1") } else { 0 };
    let size = (stream.width, stream.height);
    libav_sys::video_parameters(id, size, &extradata(stream, packets), tag)
        .ok_or_else(|| "no memory".to_string())
}

fn write_clip(stream: &StreamInfo, packets: &[Packet], path: &Path) -> Result<(), String> {
    let first = packets.iter().position(|p| p.key).ok_or("no key frame among the packets")?;
    remux(stream, &packets[first..], path).map_err(|e| format!("{}: {e}", path.display()))
}

fn remux(stream: &StreamInfo, packets: &[Packet], path: &Path) -> Result<(), String> {
    let text = |e: ffmpeg::Error| e.to_string();
    let name = path.to_str().ok_or("path is not UTF-8")?;
    let mut output = ffmpeg::format::output_as(name, "mp4").map_err(text)?;
    let from = Rational(stream.time_base.0, stream.time_base.1.max(1));
    let parameters = parameters(stream, packets)?;
    {
        let mut track = output.add_stream(ffmpeg::codec::Id::None).map_err(text)?;
        track.set_parameters(parameters);
        track.set_time_base(from);
    }
    let mut options = Dictionary::new();
    options.set("movflags", "+faststart");
    options.set("fflags", "+bitexact");
    output.write_header_with(options).map_err(text)?;
    let to = output.stream(0).map_or(from, |s| s.time_base());
    let times = timing::clip_times(packets.iter().map(|p| (p.pts, p.dts)));
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
