//! Boxes in shares of a picture.

use serde::{Deserialize, Serialize};

/// A box in shares of the picture: left, top, width, height, each 0..1. On the wire `bbox_norm`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BBox {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width.
    pub w: f32,
    /// Height.
    pub h: f32,
}

impl BBox {
    /// From the upper left and the lower right corner.
    pub fn from_corners(x0: f32, y0: f32, x1: f32, y1: f32) -> Self {
        BBox { x: x0, y: y0, w: (x1 - x0).max(0.0), h: (y1 - y0).max(0.0) }
    }

    /// Share of the picture.
    pub fn area(&self) -> f32 {
        self.w * self.h
    }

    /// Its middle.
    pub fn centre(&self) -> (f32, f32) {
        (self.x + self.w / 2.0, self.y + self.h / 2.0)
    }

    /// Where the object touches the ground: middle of the lower edge.
    pub fn foot(&self) -> (f32, f32) {
        (self.x + self.w / 2.0, self.y + self.h)
    }

    /// Area that both share.
    pub fn intersection(&self, other: &BBox) -> f32 {
        let w = (self.x + self.w).min(other.x + other.w) - self.x.max(other.x);
        let h = (self.y + self.h).min(other.y + other.h) - self.y.max(other.y);
        w.max(0.0) * h.max(0.0)
    }

    /// Intersection over union, 0..1.
    pub fn iou(&self, other: &BBox) -> f32 {
        let inter = self.intersection(other);
        let union = self.area() + other.area() - inter;
        if union > 0.0 { inter / union } else { 0.0 }
    }

    /// The box grown on each side by `share` of its own size (buffered IoU), not clamped.
    pub fn buffered(&self, share: f32) -> Self {
        BBox {
            x: self.x - self.w * share,
            y: self.y - self.h * share,
            w: self.w * (1.0 + 2.0 * share),
            h: self.h * (1.0 + 2.0 * share),
        }
    }

    /// The smallest box around both.
    pub fn union(&self, other: &BBox) -> Self {
        BBox::from_corners(
            self.x.min(other.x),
            self.y.min(other.y),
            (self.x + self.w).max(other.x + other.w),
            (self.y + self.h).max(other.y + other.h),
        )
    }

    /// A box in shares of `part` as shares of the picture that the part is of.
    pub fn within(&self, part: &BBox) -> Self {
        BBox {
            x: part.x + self.x * part.w,
            y: part.y + self.y * part.h,
            w: self.w * part.w,
            h: self.h * part.h,
        }
    }

    /// Clamped to the picture.
    pub fn clamped(&self) -> Self {
        BBox::from_corners(
            self.x.clamp(0.0, 1.0),
            self.y.clamp(0.0, 1.0),
            (self.x + self.w).clamp(0.0, 1.0),
            (self.y + self.h).clamp(0.0, 1.0),
        )
    }
}
