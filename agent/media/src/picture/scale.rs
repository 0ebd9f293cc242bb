//! From decoded pictures to frames: RGB24 at the frame's size, and the gate's luma. The same bytes on every machine.

use bytes::Bytes;
use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame::Video;
use ffmpeg_next::software::scaling;

use super::shrink::{self, Yuv420};
use super::size::{self, Plane};
use kerbside_domain::frame::{LUMA_HEIGHT, LUMA_WIDTH};

/// What is left of a picture.
pub(crate) struct ScaledPicture {
    /// RGB24, `width * height * 3` bytes.
    pub(crate) rgb: Bytes,
    /// `LUMA_WIDTH * LUMA_HEIGHT` bytes.
    pub(crate) luma: Bytes,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// Bicubic, for the same bytes on every machine: the two-tap filters of FFmpeg 5.1 (bilinear and area at or near full size)
/// differ in the last bit between x86-64 and NEON in spite of the exact flags; bicubic, gauss and point agree at every size tried.
pub(crate) fn exact() -> scaling::Flags {
    scaling::Flags::BICUBIC | scaling::Flags::ACCURATE_RND | scaling::Flags::BITEXACT
}

/// From one form of decoded picture to frames.
pub(crate) struct Scaler {
    form: (Pixel, u32, u32),
    size: (u32, u32),
    /// The cheap way, if the sizes allow it.
    factor: Option<u32>,
    to_rgb: scaling::Context,
    rgb: Video,
    /// Only for forms without an 8-bit luma plane in front.
    to_luma: Option<(scaling::Context, Video)>,
}

impl Scaler {
    pub(crate) fn new(frame: &Video, analysis_width: u32) -> Option<Self> {
        let form @ (format, w, h) = form(frame);
        let size = size::analysis_size(w, h, analysis_width);
        let to_rgb = scaling::Context::get(format, w, h, Pixel::RGB24, size.0, size.1, exact()).ok()?;
        let to_luma = if has_luma_plane(format) {
            None
        } else {
            let (lw, lh) = (LUMA_WIDTH as u32, LUMA_HEIGHT as u32);
            Some((scaling::Context::get(format, w, h, Pixel::GRAY8, lw, lh, exact()).ok()?, Video::empty()))
        };
        let planar = matches!(format, Pixel::YUV420P | Pixel::YUVJ420P);
        let factor = shrink::factor((w, h), size).filter(|_| planar);
        Some(Scaler { form, size, factor, to_rgb, rgb: Video::empty(), to_luma })
    }

    /// The scaler was made for pictures like this one.
    pub(crate) fn fits(&self, frame: &Video) -> bool {
        self.form == form(frame)
    }

    pub(crate) fn run(&mut self, frame: &Video) -> Option<ScaledPicture> {
        let (width, height) = self.size;
        if let Some(factor) = self.factor {
            let shrunk = shrink::shrink(planes(frame)?, factor)?;
            let (w, h) = (width as usize, height as usize);
            let luma = size::gate_luma(Plane { data: &shrunk.luma, stride: w, width: w, height: h })?;
            return Some(ScaledPicture { rgb: shrunk.rgb.into(), luma: luma.into(), width, height });
        }
        self.to_rgb.run(frame, &mut self.rgb).ok()?;
        let rgb = rows(&self.rgb, self.size.0 as usize * 3)?;
        let luma = match &mut self.to_luma {
            Some((context, gray)) => {
                context.run(frame, gray).ok()?;
                rows(gray, LUMA_WIDTH)?
            }
            None => size::gate_luma(Plane {
                data: frame.data(0),
                stride: sane_stride(frame)?,
                width: frame.width() as usize,
                height: frame.height() as usize,
            })?,
        };
        Some(ScaledPicture { rgb: rgb.into(), luma: luma.into(), width, height })
    }
}

fn form(frame: &Video) -> (Pixel, u32, u32) {
    (frame.format(), frame.width(), frame.height())
}

fn planes(frame: &Video) -> Option<Yuv420<'_>> {
    let plane = |index: usize| {
        let stride = (frame.planes() > index).then(|| frame.stride(index)).filter(|&s| s < 1 << 20)?;
        let (width, height) = (frame.plane_width(index) as usize, frame.plane_height(index) as usize);
        Some(Plane { data: frame.data(index), stride, width, height })
    };
    let full_range = frame.format() == Pixel::YUVJ420P;
    Some(Yuv420 { y: plane(0)?, u: plane(1)?, v: plane(2)?, full_range })
}

fn has_luma_plane(format: Pixel) -> bool {
    matches!(
        format,
        Pixel::YUV420P
            | Pixel::YUVJ420P
            | Pixel::YUV422P
            | Pixel::YUVJ422P
            | Pixel::YUV444P
            | Pixel::YUVJ444P
            | Pixel::NV12
            | Pixel::NV21
            | Pixel::GRAY8
    )
}

/// Some decoders hand out pictures upside down, with a negative stride; those are not read directly.
fn sane_stride(frame: &Video) -> Option<usize> {
    (frame.planes() > 0).then(|| frame.stride(0)).filter(|&s| s < 1 << 20)
}

/// The first plane without padding.
pub(crate) fn rows(frame: &Video, row_bytes: usize) -> Option<Vec<u8>> {
    let stride = sane_stride(frame)?;
    let height = frame.height() as usize;
    let mut out = Vec::with_capacity(row_bytes * height);
    for row in frame.data(0).chunks(stride).take(height) {
        out.extend_from_slice(row.get(..row_bytes)?);
    }
    (out.len() == row_bytes * height).then_some(out)
}
