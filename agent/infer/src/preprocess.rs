//! Preprocess: a frame's RGB picture becomes the bytes a model wants, and the model's boxes find back into the picture.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use kerbside_domain::frame::{BBox, Frame};

use crate::error::DetectorError;
use crate::manifest::{Colour, Family, Fit, Input, Layout};

/// Where the picture lies within the model's input, model px.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Placement {
    x: f32,
    y: f32,
    w: f32,
    h: f32,
}

impl Placement {
    /// A box in model px as shares of the picture, clamped to it.
    pub(crate) fn norm_from_model(&self, x0: f32, y0: f32, x1: f32, y1: f32) -> BBox {
        BBox::from_corners(
            (x0 - self.x) / self.w,
            (y0 - self.y) / self.h,
            (x1 - self.x) / self.w,
            (y1 - self.y) / self.h,
        )
        .clamped()
    }
}

/// Work space of one model; the same bytes come out on every machine (integer arithmetic).
pub(crate) struct Preprocessor {
    input: Input,
    /// Letterbox in the middle, or in the upper left corner.
    centred: bool,
    resizer: Resizer,
    scaled: TypedImage<'static, U8x3>,
    scaled_size: (u32, u32),
    /// The model's whole input, RGB24.
    canvas: Vec<u8>,
}

impl Preprocessor {
    pub(crate) fn new(input: &Input, family: Family) -> Self {
        Preprocessor {
            input: input.clone(),
            centred: family != Family::Yolox,
            resizer: Resizer::new(),
            scaled: TypedImage::new(input.width, input.height),
            scaled_size: (input.width, input.height),
            canvas: Vec::new(),
        }
    }

    /// Scales the frame into the canvas.
    pub(crate) fn take(&mut self, frame: &Frame) -> Result<Placement, DetectorError> {
        let (width, height) = (frame.width, frame.height);
        let want = width as usize * height as usize * 3;
        if width == 0 || height == 0 || frame.rgb.len() != want {
            let (camera, seq, got) = (frame.camera.0, frame.seq, frame.rgb.len());
            return Err(DetectorError::Frame { camera, seq, width, height, want, got });
        }
        let failed = |why: String| DetectorError::Resize { width, height, why };
        let placement = self.placement(width, height);
        let (w, h) = (placement.w as u32, placement.h as u32);
        let source = TypedImageRef::<U8x3>::from_buffer(width, height, &frame.rgb)
            .map_err(|e| failed(e.to_string()))?;
        if self.scaled_size != (w, h) {
            self.scaled = TypedImage::new(w, h);
            self.scaled_size = (w, h);
        }
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        // Typed: the untyped call would bring every pixel format of the crate into the program.
        self.resizer.resize_typed(&source, &mut self.scaled, &options).map_err(|e| failed(e.to_string()))?;
        self.place(placement);
        Ok(placement)
    }

    fn placement(&self, width: u32, height: u32) -> Placement {
        let (mw, mh) = (self.input.width as f32, self.input.height as f32);
        match self.input.fit {
            Fit::Stretch => Placement { x: 0.0, y: 0.0, w: mw, h: mh },
            Fit::Letterbox => {
                let scale = (mw / width as f32).min(mh / height as f32);
                let w = (width as f32 * scale).round().clamp(1.0, mw);
                let h = (height as f32 * scale).round().clamp(1.0, mh);
                let (x, y) = if self.centred { ((mw - w) / 2.0, (mh - h) / 2.0) } else { (0.0, 0.0) };
                Placement { x: x.floor(), y: y.floor(), w, h }
            }
        }
    }

    fn place(&mut self, at: Placement) {
        let row = self.input.width as usize * 3;
        let width = at.w as usize;
        self.canvas.clear();
        self.canvas.resize(row * self.input.height as usize, self.input.pad);
        let rows = self.canvas.chunks_exact_mut(row).skip(at.y as usize);
        for (to, from) in rows.zip(self.scaled.pixels().chunks_exact(width)) {
            let to = to.chunks_exact_mut(3).skip(at.x as usize);
            for (to, from) in to.zip(from) {
                to.copy_from_slice(&from.0);
            }
        }
    }

    /// The canvas in the model's layout, each value through `value(byte, channel)`.
    fn arranged<T>(&self, value: impl Fn(u8, usize) -> T) -> Vec<T> {
        let source = |channel: usize| if self.input.colour == Colour::Bgr { 2 - channel } else { channel };
        match self.input.layout {
            Layout::Nhwc => self
                .canvas
                .chunks_exact(3)
                .flat_map(|px| [0, 1, 2].map(|c| value(px[source(c)], c)))
                .collect(),
            Layout::Nchw => [0, 1, 2]
                .into_iter()
                .flat_map(|c| self.canvas.chunks_exact(3).map(move |px| (px[source(c)], c)))
                .map(|(byte, c)| value(byte, c))
                .collect(),
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        if self.input.layout == Layout::Nhwc && self.input.colour == Colour::Rgb {
            return self.canvas.clone();
        }
        self.arranged(|byte, _| byte)
    }

    pub(crate) fn floats(&self) -> Vec<f32> {
        let (mean, scale) = (self.input.mean, self.input.scale);
        self.arranged(|byte, c| (f32::from(byte) - mean[c]) * scale[c])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::frame_of;
    use crate::manifest::DType;

    fn input(layout: Layout, colour: Colour, fit: Fit) -> Input {
        let (mean, scale) = ([1.0, 2.0, 3.0], [2.0; 3]);
        Input { width: 32, height: 32, layout, dtype: DType::Float32, colour, fit, mean, scale, pad: 9 }
    }

    #[test]
    fn layout_and_colour_order() {
        let frame = frame_of(32, 32, |_, _| [10, 20, 30]);
        let cases = [
            (Layout::Nhwc, Colour::Rgb, [10, 20, 30]),
            (Layout::Nhwc, Colour::Bgr, [30, 20, 10]),
            (Layout::Nchw, Colour::Rgb, [10, 10, 10]),
            (Layout::Nchw, Colour::Bgr, [30, 30, 30]),
        ];
        for (layout, colour, first) in cases {
            let mut p = Preprocessor::new(&input(layout, colour, Fit::Stretch), Family::Yolov8);
            p.take(&frame).unwrap();
            assert_eq!(p.bytes()[..3], first, "{layout:?} {colour:?}");
            assert_eq!(p.floats()[0], (f32::from(first[0]) - 1.0) * 2.0);
        }
    }

    #[test]
    fn letterbox_keeps_the_aspect_and_boxes_find_back() {
        let frame = frame_of(64, 32, |_, _| [200; 3]);
        let mut p = Preprocessor::new(&input(Layout::Nhwc, Colour::Rgb, Fit::Letterbox), Family::Yolov8);
        let placed = p.take(&frame).unwrap();
        assert_eq!(placed, Placement { x: 0.0, y: 8.0, w: 32.0, h: 16.0 });
        assert_eq!((p.bytes()[0], p.bytes()[8 * 32 * 3]), (9, 200));
        assert_eq!(
            placed.norm_from_model(8.0, 12.0, 16.0, 40.0),
            BBox { x: 0.25, y: 0.25, w: 0.25, h: 0.75 }
        );

        let mut p = Preprocessor::new(&input(Layout::Nhwc, Colour::Rgb, Fit::Letterbox), Family::Yolox);
        assert_eq!(p.take(&frame).unwrap(), Placement { x: 0.0, y: 0.0, w: 32.0, h: 16.0 });
        assert_eq!((p.bytes()[0], p.bytes()[16 * 32 * 3]), (200, 9));
    }

    #[test]
    fn a_frame_of_the_wrong_size_is_an_error() {
        let mut frame = frame_of(32, 32, |_, _| [0; 3]);
        frame.height = 33;
        let mut p = Preprocessor::new(&input(Layout::Nhwc, Colour::Rgb, Fit::Stretch), Family::Yolov8);
        assert!(matches!(p.take(&frame), Err(DetectorError::Frame { want: 3168, got: 3072, .. })));
    }
}
