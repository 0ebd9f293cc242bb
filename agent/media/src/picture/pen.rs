//! Drawings into pictures: boxes with labels, zones, a caption. OpenCV, on pictures of our own making only.

use opencv::core::{Mat, Point, Rect, Scalar, Size, Vector};
use opencv::imgproc::{self, FONT_HERSHEY_SIMPLEX, LINE_8};
use opencv::prelude::*;

use super::drawing::Drawing;
use kerbside_domain::frame::BBox;

/// Order of the picture's channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChannelOrder {
    Bgr,
    Rgb,
}

/// Red, green, blue.
type Colour = (u8, u8, u8);

const EMPHASIS: Colour = (230, 40, 40);
const PLAIN: Colour = (250, 200, 40);
const ZONE: Colour = (60, 200, 120);
const INK: Colour = (255, 255, 255);
const BAND: Colour = (20, 20, 20);

/// A pen for one picture: sizes follow its width.
pub(crate) struct Pen<'a> {
    picture: &'a mut Mat,
    order: ChannelOrder,
    line: i32,
    font: f64,
    captions: i32,
}

impl<'a> Pen<'a> {
    pub(crate) fn new(picture: &'a mut Mat, order: ChannelOrder) -> Self {
        let width = picture.cols().max(1);
        let line = (width / 480).max(1);
        Pen { picture, order, line, font: (f64::from(width) / 1600.0).max(0.4), captions: 0 }
    }

    /// Draws all drawings; zones first, so that boxes lie on top.
    pub(crate) fn draw(&mut self, drawings: &[Drawing]) -> opencv::Result<()> {
        for drawing in drawings {
            if let Drawing::Zone { polygon_norm } = drawing {
                self.zone(polygon_norm)?;
            }
        }
        for drawing in drawings {
            match drawing {
                Drawing::Zone { .. } => {}
                Drawing::Box { bbox, label, emphasis } => {
                    self.bbox(bbox, label, if *emphasis { EMPHASIS } else { PLAIN })?;
                }
                Drawing::Caption(text) => self.caption(text)?,
            }
        }
        Ok(())
    }

    fn zone(&mut self, polygon_norm: &[(f32, f32)]) -> opencv::Result<()> {
        let points: Vector<Point> = polygon_norm.iter().map(|&(x, y)| self.point(x, y)).collect();
        let lines: Vector<Vector<Point>> = Vector::from_iter([points]);
        let colour = self.colour(ZONE);
        imgproc::polylines(self.picture, &lines, true, colour, self.line, LINE_8, 0)
    }

    fn bbox(&mut self, bbox: &BBox, label: &str, colour: Colour) -> opencv::Result<()> {
        let bbox = bbox.clamped();
        let (a, b) = (self.point(bbox.x, bbox.y), self.point(bbox.x + bbox.w, bbox.y + bbox.h));
        let rect = Rect::new(a.x, a.y, (b.x - a.x).max(1), (b.y - a.y).max(1));
        let line = self.line * 2;
        let ink = self.colour(colour);
        imgproc::rectangle(self.picture, rect, ink, line, LINE_8, 0)?;
        if label.is_empty() {
            return Ok(());
        }
        let height = self.text_size(label)?.height + 4 * self.line;
        // Above the box, or inside it at the upper edge of the picture.
        let top = if a.y >= height { a.y - height } else { a.y };
        self.text(label, Point::new(a.x, top), colour)
    }

    fn caption(&mut self, text: &str) -> opencv::Result<()> {
        let height = self.text_size(text)?.height + 4 * self.line;
        self.captions += 1;
        let top = self.picture.rows() - height * self.captions;
        self.text(text, Point::new(0, top.max(0)), BAND)
    }

    /// White text on a band of colour whose upper left corner is `at`.
    fn text(&mut self, text: &str, at: Point, band: Colour) -> opencv::Result<()> {
        let text = ascii(text);
        let size = self.text_size(&text)?;
        let pad = 2 * self.line;
        let rect = Rect::new(at.x, at.y, size.width + 2 * pad, size.height + 2 * pad);
        let (band, ink) = (self.colour(band), self.colour(INK));
        imgproc::rectangle(self.picture, rect, band, imgproc::FILLED, LINE_8, 0)?;
        let base = Point::new(at.x + pad, at.y + pad + size.height - self.line);
        let (font, line) = (self.font, self.line);
        imgproc::put_text(self.picture, &text, base, FONT_HERSHEY_SIMPLEX, font, ink, line, LINE_8, false)
    }

    fn text_size(&self, text: &str) -> opencv::Result<Size> {
        let mut below = 0;
        let size =
            imgproc::get_text_size(&ascii(text), FONT_HERSHEY_SIMPLEX, self.font, self.line, &mut below)?;
        Ok(Size::new(size.width, size.height + below / 2))
    }

    fn point(&self, x: f32, y: f32) -> Point {
        let (w, h) = (self.picture.cols() as f32, self.picture.rows() as f32);
        Point::new((x.clamp(0.0, 1.0) * (w - 1.0)) as i32, (y.clamp(0.0, 1.0) * (h - 1.0)) as i32)
    }

    fn colour(&self, (r, g, b): Colour) -> Scalar {
        let (r, g, b) = (f64::from(r), f64::from(g), f64::from(b));
        match self.order {
            ChannelOrder::Bgr => Scalar::new(b, g, r, 0.0),
            ChannelOrder::Rgb => Scalar::new(r, g, b, 0.0),
        }
    }
}

/// The built-in font has no other characters.
fn ascii(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}
