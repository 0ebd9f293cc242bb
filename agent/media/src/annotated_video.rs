//! Annotated video for replay: frames with drawings, as H.264 in MP4. Runs in the parent: the pictures are our own.

use std::path::Path;

use ffmpeg_next as ffmpeg;
use ffmpeg_next::codec::{Context, Flags};
use ffmpeg_next::format::Pixel;
use ffmpeg_next::format::context::Output;
use ffmpeg_next::frame::Video;
use ffmpeg_next::software::scaling;
use ffmpeg_next::{Dictionary, Rational, encoder};
use opencv::core::{Mat, MatTraitConst, MatTraitConstManual, Vec3b};

use crate::picture::pen::{ChannelOrder, Pen};
use crate::picture::{Drawing, scale};
use crate::url;

/// The video could not be written.
#[derive(Debug, thiserror::Error)]
pub enum VideoError {
    #[error("{path}: {doing}: {why}")]
    Video { path: String, doing: &'static str, why: String },
    #[error("picture of {bytes} bytes, {expected} expected")]
    Picture { bytes: usize, expected: usize },
}

/// Writes one video, picture by picture.
pub struct VideoWriter {
    path: String,
    output: Output,
    encoder: encoder::Video,
    scaler: scaling::Context,
    width: u32,
    height: u32,
    fps: Rational,
    next: i64,
}

impl std::fmt::Debug for VideoWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VideoWriter({} {}x{} #{})", self.path, self.width, self.height, self.next)
    }
}

impl VideoWriter {
    /// `width` and `height` in px, even; `fps` pictures a second.
    pub fn open(path: &Path, width: u32, height: u32, fps: f64) -> Result<Self, VideoError> {
        Self::begin(path, (width, height), fps).map_err(|(doing, why)| VideoError::Video {
            path: path.display().to_string(),
            doing,
            why: why.to_string(),
        })
    }

    fn begin(
        path: &Path,
        (width, height): (u32, u32),
        fps: f64,
    ) -> Result<Self, (&'static str, ffmpeg::Error)> {
        ffmpeg::util::error::register_all();
        ffmpeg::log::set_level(ffmpeg::log::Level::Fatal);
        let mut output =
            ffmpeg::format::output_as(&url::for_ffmpeg(path), "mp4").map_err(|e| ("opening", e))?;
        let x264 = encoder::find_by_name("libx264");
        let (codec, options) = match x264 {
            Some(codec) => (codec, [("preset", "veryfast"), ("crf", "26")].as_slice()),
            None => {
                let codec = encoder::find(ffmpeg::codec::Id::MPEG4);
                (
                    codec.ok_or(("finding an encoder", ffmpeg::Error::EncoderNotFound))?,
                    [("q", "5")].as_slice(),
                )
            }
        };
        let fps = Rational((fps.clamp(0.5, 120.0) * 1000.0).round() as i32, 1000);
        let context = Context::new_with_codec(codec);
        let mut video = context.encoder().video().map_err(|e| ("preparing the encoder", e))?;
        video.set_width(width);
        video.set_height(height);
        video.set_format(Pixel::YUV420P);
        video.set_time_base(fps.invert());
        video.set_frame_rate(Some(fps));
        video.set_gop((f64::from(fps) * 2.0).ceil() as u32);
        video.set_flags(Flags::GLOBAL_HEADER);
        let options = options.iter().fold(Dictionary::new(), |mut all, (k, v)| {
            all.set(k, v);
            all
        });
        let encoder = video.open_as_with(codec, options).map_err(|e| ("opening the encoder", e))?;
        let mut stream = output.add_stream(codec).map_err(|e| ("adding the stream", e))?;
        stream.set_parameters(&encoder);
        stream.set_time_base(fps.invert());
        let mut options = Dictionary::new();
        options.set("movflags", "+faststart");
        options.set("fflags", "+bitexact");
        output.write_header_with(options).map_err(|e| ("writing the header", e))?;
        let exact = scale::exact();
        let scaler = scaling::Context::get(Pixel::RGB24, width, height, Pixel::YUV420P, width, height, exact)
            .map_err(|e| ("preparing colours", e))?;
        Ok(VideoWriter {
            path: path.display().to_string(),
            output,
            encoder,
            scaler,
            width,
            height,
            fps,
            next: 0,
        })
    }

    /// One picture: RGB24 without padding, `width * height * 3` bytes, and what is drawn on it.
    pub fn write(&mut self, rgb: &[u8], drawings: &[Drawing]) -> Result<(), VideoError> {
        let row = self.width as usize * 3;
        let expected = row * self.height as usize;
        if rgb.len() != expected {
            return Err(VideoError::Picture { bytes: rgb.len(), expected });
        }
        let drawn = self.drawn(rgb, drawings).map_err(|e| self.failed("drawing", &e.message))?;
        let mut frame = Video::new(Pixel::RGB24, self.width, self.height);
        let stride = frame.stride(0);
        for (to, from) in frame.data_mut(0).chunks_mut(stride).zip(drawn.chunks(row)) {
            to[..row].copy_from_slice(from);
        }
        let mut yuv = Video::empty();
        self.scaler.run(&frame, &mut yuv).map_err(|e| self.failed("colours", &e))?;
        yuv.set_pts(Some(self.next));
        self.next += 1;
        self.encoder.send_frame(&yuv).map_err(|e| self.failed("encoding", &e))?;
        self.receive()
    }

    /// Writes what is still in the encoder and the file's index.
    pub fn finish(mut self) -> Result<(), VideoError> {
        self.encoder.send_eof().map_err(|e| self.failed("encoding", &e))?;
        self.receive()?;
        self.output.write_trailer().map_err(|e| self.failed("writing the end", &e))
    }

    fn drawn(&self, rgb: &[u8], drawings: &[Drawing]) -> opencv::Result<Vec<u8>> {
        let borrowed = Mat::new_rows_cols_with_bytes::<Vec3b>(self.height as i32, self.width as i32, rgb)?;
        let mut picture = borrowed.try_clone()?;
        Pen::new(&mut picture, ChannelOrder::Rgb).draw(drawings)?;
        Ok(picture.data_bytes()?.to_vec())
    }

    fn receive(&mut self) -> Result<(), VideoError> {
        let to = self.output.stream(0).map_or(self.fps.invert(), |s| s.time_base());
        let mut packet = ffmpeg::Packet::empty();
        while self.encoder.receive_packet(&mut packet).is_ok() {
            packet.set_stream(0);
            // Without a duration the last picture would lie beyond the end of the file.
            packet.set_duration(packet.duration().max(1));
            packet.rescale_ts(self.fps.invert(), to);
            packet.write_interleaved(&mut self.output).map_err(|e| self.failed("writing", &e))?;
        }
        Ok(())
    }

    fn failed(&self, doing: &'static str, why: &dyn std::fmt::Display) -> VideoError {
        VideoError::Video { path: self.path.clone(), doing, why: why.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kerbside_domain::frame::BBox;

    /// Reads the video back with OpenCV: as many pictures as were written, and the box where it was drawn.
    #[test]
    fn what_was_written_can_be_watched() {
        use opencv::videoio::{CAP_FFMPEG, VideoCapture, VideoCaptureTrait};
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("seen.mp4");
        let mut writer = VideoWriter::open(&path, 320, 180, 5.0).unwrap();
        let bbox = BBox { x: 0.25, y: 0.25, w: 0.5, h: 0.5 };
        let drawings = [Drawing::Box { bbox, label: "person".into(), emphasis: true }];
        for _ in 0..12 {
            writer.write(&[90; 320 * 180 * 3], &drawings).unwrap();
        }
        assert!(matches!(writer.write(&[0; 10], &[]), Err(VideoError::Picture { bytes: 10, .. })));
        writer.finish().unwrap();

        let mut capture = VideoCapture::from_file(path.to_str().unwrap(), CAP_FFMPEG).unwrap();
        let (mut picture, mut pictures) = (Mat::default(), 0);
        while capture.read(&mut picture).unwrap() {
            pictures += 1;
            let [b, g, r] = picture.at_2d::<Vec3b>(90, 80).unwrap().0;
            assert!(r > g.max(b) + 60, "edge: {b} {g} {r}");
            let [b, _, r] = picture.at_2d::<Vec3b>(90, 160).unwrap().0;
            assert!(b.abs_diff(r) < 20, "inside");
        }
        assert_eq!(pictures, 12);
    }
}
