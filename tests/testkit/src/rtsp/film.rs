//! What a camera shows, in memory.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};

/// Pictures a second of every film.
pub const FPS: u64 = 10;

/// How a film is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    H264,
    H265,
}

impl Codec {
    /// Its name in a session description (RFC 6184, RFC 7798).
    pub(super) fn rtp_name(self) -> &'static str {
        match self {
            Codec::H264 => "H264",
            Codec::H265 => "H265",
        }
    }

    fn kind(self, nal: &[u8]) -> Option<u8> {
        nal.first().map(|head| match self {
            Codec::H264 => head & 31,
            Codec::H265 => head >> 1 & 63,
        })
    }

    pub(super) fn is_parameter_set(self, nal: &[u8]) -> bool {
        match self {
            Codec::H264 => matches!(self.kind(nal), Some(7 | 8)),
            Codec::H265 => matches!(self.kind(nal), Some(32..=34)),
        }
    }

    fn is_delimiter(self, nal: &[u8]) -> bool {
        self.kind(nal)
            == Some(match self {
                Codec::H264 => 9,
                Codec::H265 => 35,
            })
    }

    fn is_key(self, nal: &[u8]) -> bool {
        match self {
            Codec::H264 => self.kind(nal) == Some(5),
            Codec::H265 => matches!(self.kind(nal), Some(16..=21)),
        }
    }

    /// FFmpeg's encoder, its option for what follows, and what every film needs: delimiters, parameter sets before each key
    /// frame, no picture out of order.
    fn encoder(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Codec::H264 => ("libx264", "-x264-params", "repeat-headers=1:aud=1:scenecut=0:bframes=0"),
            Codec::H265 => {
                ("libx265", "-x265-params", "repeat-headers=1:aud=1:scenecut=0:bframes=0:log-level=none")
            }
        }
    }
}

/// One access unit: its NAL units without start codes.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) nals: Vec<Vec<u8>>,
    pub(super) is_key: bool,
}

/// What a camera shows, again and again.
#[derive(Debug)]
pub struct Film {
    pub(super) codec: Codec,
    pub(super) units: Vec<Unit>,
}

impl Film {
    /// Encodes what `input` (FFmpeg's options and a file) gives as H.264, a key frame every `keys` pictures.
    pub fn encode(dir: &Path, name: &str, input: &[&str], keys: u32) -> Result<Arc<Film>> {
        Film::encode_as(Codec::H264, dir, name, input, &format!("keyint={keys}:min-keyint={keys}"))
    }

    /// The same with any codec; `parameters`: of the encoder, as `keyint=20:intra-refresh=1`.
    pub fn encode_as(
        codec: Codec,
        dir: &Path,
        name: &str,
        input: &[&str],
        parameters: &str,
    ) -> Result<Arc<Film>> {
        let (encoder, option, always) = codec.encoder();
        let format = codec.rtp_name().to_lowercase().replace("h265", "hevc");
        let out = dir.join(name).with_extension(&format);
        let fps = FPS.to_string();
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-y", "-nostdin"]).args(input);
        command.args(["-an", "-r", &fps, "-pix_fmt", "yuv420p", "-c:v", encoder, "-preset", "veryfast"]);
        command.args([option, &format!("{always}:{parameters}"), "-f", &format]).arg(&out);
        let done = command.output().context("ffmpeg is missing: run `make setup`")?;
        ensure!(done.status.success(), "ffmpeg: {}", String::from_utf8_lossy(&done.stderr));
        let film = Film { codec, units: units(codec, &std::fs::read(&out)?) };
        ensure!(film.units.first().is_some_and(|u| u.is_key), "{}: no key frame first", out.display());
        Ok(Arc::new(film))
    }

    /// The parameter sets before the first picture.
    pub(super) fn parameter_sets(&self) -> Vec<&[u8]> {
        let first = self.units.first().map_or(&[][..], |unit| &unit.nals);
        first.iter().map(Vec::as_slice).filter(|nal| self.codec.is_parameter_set(nal)).collect()
    }
}

/// Splits a byte stream at its access unit delimiters.
fn units(codec: Codec, stream: &[u8]) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for nal in crate::clips::split(stream) {
        if codec.is_delimiter(nal) {
            units.push(Unit { nals: Vec::new(), is_key: false });
        } else if let Some(unit) = units.last_mut().filter(|_| !nal.is_empty()) {
            unit.is_key |= codec.is_key(nal);
            unit.nals.push(nal.to_vec());
        }
    }
    units.retain(|u| !u.nals.is_empty());
    units
}
