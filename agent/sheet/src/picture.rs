//! Pixels: read from JPEG, cut, scaled, written as JPEG of a bounded size.
//!
//! The JPEGs come from a child that decodes what a camera sends: they count as hostile. The decoder is safe Rust, and a picture
//! larger than [`MAX_SIDE`] is refused before it is decoded.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use kerbside_domain::frame::BBox;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Longest side of a picture that is read, px. Bound: 8K video is 7,680 px wide.
pub const MAX_SIDE: usize = 8192;
/// Qualities between which a JPEG of a bounded size is sought.
const QUALITIES: (u8, u8) = (30, 90);
/// Each time that not even the lowest quality fits, the picture shrinks by this.
const SHRINK: f64 = 0.85;
/// A picture is never made narrower than this to fit, px.
const MIN_WIDTH: u32 = 240;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The bytes are no JPEG that can be read.
    #[error("no readable JPEG: {0}")]
    Unreadable(String),
    /// It would take too much memory.
    #[error("a picture of {width} x {height} px; at most {MAX_SIDE} px a side are read")]
    TooLarge {
        /// Its width, px.
        width: usize,
        /// Its height, px.
        height: usize,
    },
    /// Nothing was left after cutting.
    #[error("a picture without pixels")]
    Empty,
    /// It does not fit into its bytes.
    #[error("the picture does not fit into {limit} bytes")]
    DoesNotFit {
        /// How many it may take.
        limit: usize,
    },
    /// The encoder or the scaler refused.
    #[error("{doing}: {why}")]
    Failed {
        /// What was tried.
        doing: &'static str,
        /// What was said.
        why: String,
    },
}

/// Red, green, blue, 0 to 255 each.
pub type Colour = [u8; 3];

/// A picture, row by row, three bytes a pixel.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({}x{})", self.width, self.height)
    }
}

impl Picture {
    /// One colour, px.
    pub fn filled(width: u32, height: u32, colour: Colour) -> Picture {
        let rgb = colour.repeat(width as usize * height as usize);
        Picture { width, height, rgb }
    }

    /// `rgb`: `width * height * 3` bytes.
    pub fn of_rgb(width: u32, height: u32, rgb: Vec<u8>) -> Result<Picture, PictureError> {
        match rgb.len() == width as usize * height as usize * 3 && !rgb.is_empty() {
            true => Ok(Picture { width, height, rgb }),
            false => Err(PictureError::Empty),
        }
    }

    /// Reads a JPEG.
    pub fn of_jpeg(bytes: &[u8]) -> Result<Picture, PictureError> {
        let unreadable = |e: zune_jpeg::errors::DecodeErrors| PictureError::Unreadable(e.to_string());
        let options = DecoderOptions::default()
            .jpeg_set_out_colorspace(ColorSpace::RGB)
            .set_max_width(MAX_SIDE)
            .set_max_height(MAX_SIDE);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
        decoder.decode_headers().map_err(unreadable)?;
        let info = decoder.info().ok_or_else(|| PictureError::Unreadable("it has no head".to_owned()))?;
        let (width, height) = (usize::from(info.width), usize::from(info.height));
        if width > MAX_SIDE || height > MAX_SIDE {
            return Err(PictureError::TooLarge { width, height });
        }
        let rgb = decoder.decode().map_err(unreadable)?;
        Picture::of_rgb(width as u32, height as u32, rgb)
    }

    /// Its width, px.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Its height, px.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Red, green, blue of each pixel, row by row.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// The same bytes, for whoever takes them.
    pub fn into_rgb(self) -> Vec<u8> {
        self.rgb
    }

    /// The part under `window` (shares of this picture), cut at whole pixels.
    pub fn cut(&self, window: &BBox) -> Result<Picture, PictureError> {
        let PixelRect { x, y, width, height } = PixelRect::of(window, self.width, self.height);
        if width == 0 || height == 0 {
            return Err(PictureError::Empty);
        }
        let row = |y: u32| {
            let from = (y as usize * self.width as usize + x as usize) * 3;
            self.rgb.get(from..from + width as usize * 3).unwrap_or_default()
        };
        let rgb = (y..y + height).flat_map(row).copied().collect();
        Picture::of_rgb(width, height, rgb)
    }

    /// Scaled to a size, px: averaged where it becomes smaller, smooth where it becomes larger.
    pub fn scaled(&self, width: u32, height: u32) -> Result<Picture, PictureError> {
        if (width, height) == (self.width, self.height) {
            return Ok(self.clone());
        }
        let failed = |why: String| PictureError::Failed { doing: "scaling", why };
        // Typed: one kind of pixel is compiled instead of thirteen.
        let from = TypedImageRef::<U8x3>::from_buffer(self.width, self.height, &self.rgb)
            .map_err(|e| failed(e.to_string()))?;
        let mut to = TypedImage::<U8x3>::new(width.max(1), height.max(1));
        let filter = if width < self.width { FilterType::CatmullRom } else { FilterType::Lanczos3 };
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
        Resizer::new().resize_typed(&from, &mut to, &options).map_err(|e| failed(e.to_string()))?;
        let rgb = to.pixels().iter().flat_map(|pixel| pixel.0).collect();
        Picture::of_rgb(width.max(1), height.max(1), rgb)
    }

    /// Puts another picture on this one, its upper left corner at `x`, `y`, px. What does not fit is left out.
    pub fn put(&mut self, x: u32, y: u32, other: &Picture) {
        let width = other.width.min(self.width.saturating_sub(x)) as usize;
        for row in 0..other.height.min(self.height.saturating_sub(y)) {
            let from = row as usize * other.width as usize * 3;
            let to = ((y + row) as usize * self.width as usize + x as usize) * 3;
            let pixels = other.rgb.get(from..from + width * 3);
            if let (Some(pixels), Some(place)) = (pixels, self.rgb.get_mut(to..to + width * 3)) {
                place.copy_from_slice(pixels);
            }
        }
    }

    /// Fills a rectangle, px. What lies outside is left out.
    pub fn fill(&mut self, rect: PixelRect, colour: Colour) {
        let right = rect.x.saturating_add(rect.width).min(self.width);
        let bottom = rect.y.saturating_add(rect.height).min(self.height);
        for y in rect.y..bottom {
            for x in rect.x..right {
                self.set(x, y, colour);
            }
        }
    }

    /// Draws the outline of a box given in shares of the picture, `line` px wide.
    pub fn outline(&mut self, bbox: &BBox, line: u32, colour: Colour) {
        let PixelRect { x, y, width, height } = PixelRect::of(bbox, self.width, self.height);
        let inner = (x + width.saturating_sub(line), y + height.saturating_sub(line));
        for rect in [
            PixelRect { x, y, width, height: line },
            PixelRect { x, y: inner.1, width, height: line },
            PixelRect { x, y, width: line, height },
            PixelRect { x: inner.0, y, width: line, height },
        ] {
            self.fill(rect, colour);
        }
    }

    /// Mixes a colour into one pixel: `share` 0 leaves it, 1 replaces it.
    pub fn mix(&mut self, x: u32, y: u32, colour: Colour, share: f32) {
        if x >= self.width || y >= self.height {
            return;
        }
        let at = (y as usize * self.width as usize + x as usize) * 3;
        let Some(pixel) = self.rgb.get_mut(at..at + 3) else { return };
        for (sample, wanted) in pixel.iter_mut().zip(colour) {
            let mixed = f32::from(*sample) * (1.0 - share) + f32::from(wanted) * share;
            *sample = mixed.round().clamp(0.0, 255.0) as u8;
        }
    }

    fn set(&mut self, x: u32, y: u32, colour: Colour) {
        let at = (y as usize * self.width as usize + x as usize) * 3;
        if let Some(pixel) = self.rgb.get_mut(at..at + 3) {
            pixel.copy_from_slice(&colour);
        }
    }

    /// Replaces a rectangle by blocks of their mean colours, `side` px wide and high, so that it cannot be read.
    pub fn pixelate(&mut self, rect: PixelRect, side: u32) {
        let side = side.max(1);
        let right = rect.x.saturating_add(rect.width).min(self.width);
        let bottom = rect.y.saturating_add(rect.height).min(self.height);
        let mut y = rect.y;
        while y < bottom {
            let height = side.min(bottom - y);
            let mut x = rect.x;
            while x < right {
                let width = side.min(right - x);
                let block = PixelRect { x, y, width, height };
                let mean = self.mean(block);
                self.fill(block, mean);
                x += width;
            }
            y += height;
        }
    }

    fn mean(&self, rect: PixelRect) -> Colour {
        let mut sums = [0u64; 3];
        for y in rect.y..rect.y + rect.height {
            let from = (y as usize * self.width as usize + rect.x as usize) * 3;
            let row = self.rgb.get(from..from + rect.width as usize * 3).unwrap_or_default();
            for pixel in row.chunks_exact(3) {
                sums.iter_mut().zip(pixel).for_each(|(sum, sample)| *sum += u64::from(*sample));
            }
        }
        let count = (u64::from(rect.width) * u64::from(rect.height)).max(1);
        sums.map(|sum| ((sum + count / 2) / count).min(255) as u8)
    }

    /// As JPEG of the best quality that fits into `limit` bytes. Where none does, the picture shrinks, down to a least width.
    pub fn jpeg_within(&self, limit: usize) -> Result<Vec<u8>, PictureError> {
        let mut smaller;
        let mut picture = self;
        loop {
            if let Some(jpeg) = picture.best_jpeg(limit)? {
                return Ok(jpeg);
            }
            let width = (f64::from(picture.width) * SHRINK) as u32;
            if width < MIN_WIDTH {
                return Err(PictureError::DoesNotFit { limit });
            }
            smaller = self
                .scaled(width, (u64::from(self.height) * u64::from(width) / u64::from(self.width)) as u32)?;
            picture = &smaller;
        }
    }

    /// The JPEG of the best quality that fits, by bisection; `None`: none does.
    fn best_jpeg(&self, limit: usize) -> Result<Option<Vec<u8>>, PictureError> {
        let (mut low, mut high) = QUALITIES;
        let mut best = None;
        while low <= high {
            let quality = low.midpoint(high);
            let jpeg = self.jpeg(quality)?;
            if jpeg.len() <= limit {
                best = Some(jpeg);
                low = quality + 1;
            } else {
                high = quality - 1;
            }
        }
        Ok(best)
    }

    /// As JPEG of one quality, 1 to 100.
    pub fn jpeg(&self, quality: u8) -> Result<Vec<u8>, PictureError> {
        let failed = |why: String| PictureError::Failed { doing: "writing a JPEG", why };
        let side = |px: u32| u16::try_from(px).map_err(|_| failed(format!("{px} px")));
        let mut jpeg = Vec::new();
        let mut encoder = Encoder::new(&mut jpeg, quality);
        // Not with Huffman tables of its own: those come in a scan a colour, which not every reader shows.
        encoder.set_sampling_factor(SamplingFactor::F_2_2);
        let (width, height) = (side(self.width)?, side(self.height)?);
        encoder.encode(&self.rgb, width, height, ColorType::Rgb).map_err(|e| failed(e.to_string()))?;
        Ok(jpeg)
    }
}

/// A rectangle of whole pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PixelRect {
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

impl PixelRect {
    /// A box in shares of a picture of that size, outwards to whole pixels, clamped to the picture.
    pub fn of(bbox: &BBox, width: u32, height: u32) -> PixelRect {
        let bbox = bbox.clamped();
        let edge = |share: f32, px: u32| f64::from(share) * f64::from(px);
        // A millionth of the picture is an error of the shares, not a pixel more.
        let (low, high) = (|v: f64| (v + 1e-3).floor() as u32, |v: f64| (v - 1e-3).ceil().max(0.0) as u32);
        let (x, y) = (low(edge(bbox.x, width)).min(width), low(edge(bbox.y, height)).min(height));
        let right = high(edge(bbox.x + bbox.w, width)).clamp(x, width);
        let bottom = high(edge(bbox.y + bbox.h, height)).clamp(y, height);
        PixelRect { x, y, width: right - x, height: bottom - y }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise, which no JPEG makes small.
    pub(crate) fn noise(width: u32, height: u32) -> Picture {
        let mut state = 7u32;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        Picture::of_rgb(width, height, (0..width * height * 3).map(next).collect()).unwrap()
    }

    #[test]
    fn a_jpeg_comes_back_as_the_picture_that_it_was() {
        let mut picture = Picture::filled(64, 48, [200, 40, 40]);
        picture.fill(PixelRect { x: 32, y: 0, width: 32, height: 48 }, [20, 20, 220]);
        let back = Picture::of_jpeg(&picture.jpeg(90).unwrap()).unwrap();
        assert_eq!((back.width(), back.height()), (64, 48));
        for (x, wanted) in [(4usize, [200, 40, 40]), (60, [20, 20, 220])] {
            let pixel = &back.rgb()[(24 * 64 + x) * 3..][..3];
            assert!(pixel.iter().zip(wanted).all(|(a, b)| a.abs_diff(b) < 12), "{pixel:?} {wanted:?}");
        }
    }

    #[test]
    fn what_is_no_jpeg_is_an_error_and_never_a_panic() {
        let jpeg = noise(40, 30).jpeg(60).unwrap();
        for cut in 0..jpeg.len().min(700) {
            let _ = Picture::of_jpeg(&jpeg[..cut]);
        }
        for at in (2..jpeg.len()).step_by(7) {
            let mut hostile = jpeg.clone();
            hostile[at] ^= 0xff;
            let _ = Picture::of_jpeg(&hostile);
        }
        assert!(matches!(Picture::of_jpeg(b"picture"), Err(PictureError::Unreadable(_))));
        assert!(matches!(Picture::of_jpeg(b""), Err(PictureError::Unreadable(_))));
    }

    #[test]
    fn a_jpeg_never_exceeds_its_bytes_and_is_as_good_as_they_allow() {
        let noisy = noise(480, 360);
        for limit in [20_000, 60_000, 150_000] {
            let jpeg = noisy.jpeg_within(limit).unwrap();
            assert!(jpeg.len() <= limit && jpeg.len() > limit / 2, "{} of {limit}", jpeg.len());
        }
        let plain = Picture::filled(480, 360, [90, 90, 90]).jpeg_within(60_000).unwrap();
        assert_eq!(Picture::of_jpeg(&plain).unwrap().width(), 480, "nothing was shrunk");
        assert!(matches!(noisy.jpeg_within(300), Err(PictureError::DoesNotFit { limit: 300 })));
    }

    #[test]
    fn a_part_is_cut_at_whole_pixels_and_stays_inside() {
        let picture = noise(100, 50);
        let part = picture.cut(&BBox { x: 0.25, y: 0.5, w: 0.5, h: 0.9 }).unwrap();
        assert_eq!((part.width(), part.height()), (50, 25));
        assert_eq!(part.rgb()[..3], picture.rgb()[(25 * 100 + 25) * 3..][..3]);
        let outside = picture.cut(&BBox { x: 1.5, y: 0.0, w: 0.2, h: 1.0 });
        assert!(matches!(outside, Err(PictureError::Empty)));
    }

    #[test]
    fn pixels_of_a_block_are_one_colour() {
        let mut picture = noise(60, 60);
        let rect = PixelRect { x: 10, y: 10, width: 40, height: 20 };
        picture.pixelate(rect, 10);
        let mut colours = std::collections::BTreeSet::new();
        for y in 10..30usize {
            for x in 10..50usize {
                colours.insert(picture.rgb()[(y * 60 + x) * 3..][..3].to_vec());
            }
        }
        assert_eq!(colours.len(), 8, "4 by 2 blocks of 10 px");
        let outside = &picture.rgb()[(9 * 60 + 10) * 3..][..3];
        assert_eq!(outside, &noise(60, 60).rgb()[(9 * 60 + 10) * 3..][..3]);
        picture.pixelate(PixelRect { x: 55, y: 55, width: 40, height: 40 }, 6);
    }
}
