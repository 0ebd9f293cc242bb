//! What clips and pictures hold, read by ffmpeg and by nothing of ours.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// The coded slices (H.264 NAL units of type 1 and 5) of a file in order: what the encoder made of the pictures. Parameter sets
/// and delimiters are left out, for a camera repeats them as it likes.
pub fn nal_units(path: &Path) -> Result<Vec<Vec<u8>>> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(path)
        .args(["-map", "0:v:0", "-c", "copy", "-bsf:v", "h264_mp4toannexb", "-f", "h264", "-"])
        .output()
        .context("ffmpeg")?;
    ensure!(output.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&output.stderr));
    let slices = split(&output.stdout)
        .into_iter()
        .filter(|unit| unit.first().is_some_and(|b| matches!(b & 31, 1 | 5)));
    Ok(slices.map(<[u8]>::to_vec).collect())
}

/// Every NAL unit of an MP4 file with one track, in order, as its bytes lie there: no demuxer comes between.
pub fn units_of_mp4(path: &Path) -> Result<Vec<Vec<u8>>> {
    let bytes = std::fs::read(path)?;
    let mut rest = &bytes[..];
    while let Some((size, after)) = rest.split_first_chunk::<4>() {
        let size = u32::from_be_bytes(*size) as usize;
        let content = after.get(..size.saturating_sub(4)).context("a box goes beyond the end")?;
        if let Some(samples) = content.strip_prefix(b"mdat") {
            return lengths_before(samples);
        }
        rest = rest.get(size.max(8)..).context("a box goes beyond the end")?;
    }
    anyhow::bail!("{}: no media data", path.display())
}

fn lengths_before(mut samples: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut units = Vec::new();
    while let Some((length, after)) = samples.split_first_chunk::<4>() {
        let (unit, rest) = after
            .split_at_checked(u32::from_be_bytes(*length) as usize)
            .context("a unit goes beyond the end")?;
        units.push(unit.to_vec());
        samples = rest;
    }
    Ok(units)
}

/// Units between the start codes of an Annex B stream, without the zeros that may follow one.
pub(crate) fn split(stream: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<usize> =
        stream.windows(3).enumerate().filter(|(_, w)| w == &[0, 0, 1]).map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([stream.len()]);
    let units = starts.iter().zip(ends).filter_map(|(start, end)| stream.get(start + 3..end));
    units.map(|unit| &unit[..unit.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1)]).collect()
}

/// By the system's own program, in hex.
pub fn sha256(path: &Path) -> Result<String> {
    let output = Command::new("sha256sum").arg(path).output().context("sha256sum")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{}: no hash", path.display());
    Ok(text.split_whitespace().next().unwrap_or_default().to_owned())
}

/// A picture, three bytes (RGB) a pixel.
#[derive(Debug)]
pub struct Picture {
    pub width: usize,
    pub height: usize,
    pub rgb: Vec<u8>,
}

impl Picture {
    /// Red, green and blue at this column and row.
    pub fn pixel(&self, x: usize, y: usize) -> Option<[u8; 3]> {
        let at = (y * self.width + x) * 3;
        self.rgb.get(at..at + 3).and_then(|rgb| rgb.try_into().ok())
    }
}

/// The first picture of a file, in `size` (width, height; averaged over areas) or as it is.
pub fn picture(path: &Path, size: Option<(usize, usize)>) -> Result<Picture> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-i"]).arg(path).args(["-frames:v", "1"]);
    if let Some((width, height)) = size {
        command.args(["-vf", &format!("scale={width}:{height}:flags=area")]);
    }
    let output = command.args(["-f", "image2pipe", "-c:v", "ppm", "-"]).output().context("ffmpeg")?;
    ensure!(output.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&output.stderr));
    // "P6\nWIDTH HEIGHT\n255\n", then the bytes.
    let mut head = output.stdout.splitn(4, |b| *b == b'\n');
    let (_, size, _, rgb) = (head.next(), head.next(), head.next(), head.next().context("no picture")?);
    let size = String::from_utf8_lossy(size.unwrap_or_default()).into_owned();
    let (width, height) = size.split_once(' ').context("no size")?;
    Ok(Picture { width: width.parse()?, height: height.parse()?, rgb: rgb.to_vec() })
}
