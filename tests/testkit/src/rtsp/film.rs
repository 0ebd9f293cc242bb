//! What a camera shows, in memory.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};

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
    pub(super) units: Vec<Unit>,
}

impl Film {
    /// Encodes what `input` (FFmpeg's options and a file) gives, a key frame every `keys` pictures, parameter sets before each.
    pub fn encode(dir: &Path, name: &str, input: &[&str], keys: u32) -> Result<Arc<Film>> {
        let out = dir.join(name).with_extension("h264");
        let x264 = "repeat-headers=1:aud=1:scenecut=0:bframes=0";
        let fps = FPS.to_string();
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-y", "-nostdin"]).args(input);
        command.args(["-an", "-r", &fps, "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "veryfast"]);
        command.args(["-g", &keys.to_string(), "-x264-params", x264, "-f", "h264"]).arg(&out);
        let done = command.output().context("ffmpeg is missing: run `make setup`")?;
        ensure!(done.status.success(), "ffmpeg: {}", String::from_utf8_lossy(&done.stderr));
        let film = Film { units: units(&std::fs::read(&out)?) };
        ensure!(film.units.first().is_some_and(|u| u.is_key), "{}: no key frame first", out.display());
        Ok(Arc::new(film))
    }
}

/// Splits a byte stream at its access unit delimiters (NAL type 9).
fn units(stream: &[u8]) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for nal in crate::clips::split(stream) {
        match nal.first().map(|head| head & 31) {
            None => {}
            Some(9) => units.push(Unit { nals: Vec::new(), is_key: false }),
            Some(kind) => {
                if let Some(unit) = units.last_mut() {
                    unit.is_key |= kind == 5;
                    unit.nals.push(nal.to_vec());
                }
            }
        }
    }
    units.retain(|u| !u.nals.is_empty());
    units
}
