//! Decoded pictures as JPEG.

use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame::Video;
use ffmpeg_next::software::scaling;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use kerbside_domain::frame::Turn;
use opencv::core::{Mat, MatTraitConst, MatTraitConstManual, Size, Vec3b};
use opencv::imgproc;

use crate::picture::scale;
use crate::picture::turned::Turned;
use crate::tuning::{JPEG_QUALITIES, STILL_MIN_WIDTH, STILL_SHRINK};

/// The best of the qualities that are tried.
pub(super) const BEST_QUALITY: u8 = JPEG_QUALITIES[0];

/// The picture as it stands upright, blue first.
pub(super) fn to_mat(picture: &Video, turn: Turn) -> Result<Mat, String> {
    let frame = Turned::of(picture, turn).ok_or("the picture cannot be turned upright")?;
    let (w, h) = (frame.width(), frame.height());
    let flags = scale::exact() | scaling::Flags::FULL_CHR_H_INT;
    let mut scaler = scaling::Context::get(frame.format(), w, h, Pixel::BGR24, w, h, flags)
        .map_err(|e| format!("picture format: {e}"))?;
    let mut bgr = Video::empty();
    scaler.run(&frame, &mut bgr).map_err(|e| format!("picture format: {e}"))?;
    let bytes = scale::rows(&bgr, w as usize * 3).ok_or("picture smaller than it says")?;
    Mat::new_rows_cols_with_bytes::<Vec3b>(h as i32, w as i32, &bytes)
        .and_then(|mat| mat.try_clone())
        .map_err(|e| format!("OpenCV: {}", e.message))
}

/// JPEG of at most `limit` bytes, with its size; the smallest that is still evidence if nothing fits.
pub(super) fn within(mut picture: Mat, limit: usize) -> Result<(Vec<u8>, u32, u32), String> {
    loop {
        let mut jpeg = Vec::new();
        for quality in JPEG_QUALITIES {
            jpeg = of_mat(&picture, quality)?;
            if jpeg.len() <= limit {
                break;
            }
        }
        let (width, height) = (picture.cols(), picture.rows());
        if jpeg.len() <= limit || f64::from(width) * STILL_SHRINK < f64::from(STILL_MIN_WIDTH) {
            return Ok((jpeg, width.max(0) as u32, height.max(0) as u32));
        }
        let mut smaller = Mat::default();
        let size =
            Size::new((f64::from(width) * STILL_SHRINK) as i32, (f64::from(height) * STILL_SHRINK) as i32);
        imgproc::resize(&picture, &mut smaller, size, 0.0, 0.0, imgproc::INTER_AREA)
            .map_err(|e| format!("OpenCV: {}", e.message))?;
        picture = smaller;
    }
}

/// Not OpenCV's `imgcodecs`: that brings GDAL, and with it a hundred libraries into every child.
pub(super) fn of_mat(picture: &Mat, quality: u8) -> Result<Vec<u8>, String> {
    let side =
        |length: i32| u16::try_from(length).map_err(|_| format!("{length} px are too many for a JPEG"));
    let (width, height) = (side(picture.cols())?, side(picture.rows())?);
    let bgr = picture.data_bytes().map_err(|e| format!("OpenCV: {}", e.message))?;
    let mut jpeg = Vec::new();
    let mut encoder = Encoder::new(&mut jpeg, quality);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.encode(bgr, width, height, ColorType::Bgr).map_err(|e| format!("JPEG: {e}"))?;
    Ok(jpeg)
}
