//! What a camera shows, in memory.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};

use super::codec::Codec;
use super::signatures::Signatures;

/// Pictures a second of every film.
pub const FPS: u64 = 10;

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

    /// The same film as a camera sends it that signs its video: before the picture of each key frame an SEI unit with a signature
    /// over everything since the last (ONVIF Media Signing has it so). The signature is one of our own making.
    pub fn signed(&self) -> Arc<Film> {
        let mut signer = Signatures::new(self.codec);
        let sign = |unit: &Unit| {
            let mut nals: Vec<Vec<u8>> = Vec::new();
            for nal in &unit.nals {
                // Behind the parameter sets, before the picture.
                if unit.is_key && self.codec.is_key(nal) && nals.iter().all(|n| !signer.is_signature(n)) {
                    nals.push(signer.sign());
                }
                signer.take(nal);
                nals.push(nal.clone());
            }
            Unit { nals, is_key: unit.is_key }
        };
        let units = self.units.iter().map(sign).collect();
        Arc::new(Film { codec: self.codec, units })
    }

    /// The same film as a camera sends it that hangs on its side: before each key frame a message says that pictures must be turned
    /// by so many quarters anticlockwise (display orientation: H.264 D.1.27, H.265 D.2.17).
    pub fn lying(&self, quarters_anticlockwise: u8) -> Arc<Film> {
        let angle = u32::from(quarters_anticlockwise) << 14;
        // Not taken back, no flip, the angle; H.264: for as long as nothing else is said (010), H.265: the same (1).
        let (head, rest) = match self.codec {
            Codec::H264 => (&[6][..], 0b010 << 10),
            Codec::H265 => (&[39 << 1, 1][..], 1 << 12),
        };
        let payload = (angle << 13 | rest).to_be_bytes();
        let message = [head, &[47, 3], &payload[..3], &[0x80]].concat();
        let say = |unit: &Unit| {
            let mut nals = unit.nals.clone();
            if let Some(at) = nals.iter().position(|nal| self.codec.is_key(nal)) {
                nals.insert(at, message.clone());
            }
            Unit { nals, is_key: unit.is_key }
        };
        Arc::new(Film { codec: self.codec, units: self.units.iter().map(say).collect() })
    }

    /// Everything that the camera sends, in order, unit by unit.
    pub fn nal_units(&self) -> Vec<Vec<u8>> {
        self.units.iter().flat_map(|unit| unit.nals.clone()).collect()
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
