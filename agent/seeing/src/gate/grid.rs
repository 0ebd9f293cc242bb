//! The grid of luma pixels: boxes, neighbours, sets of pixels.

use kerbside_domain::frame::{BBox, LUMA_HEIGHT as H, LUMA_WIDTH as W};

use super::alignment::Shift;

/// A box in luma pixels, upper ends exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PxBox {
    x0: usize,
    y0: usize,
    x1: usize,
    y1: usize,
}

impl PxBox {
    pub(super) fn around(pixels: &[u32]) -> Self {
        let mut b = PxBox { x0: W, y0: H, x1: 0, y1: 0 };
        for &ix in pixels {
            let (x, y) = (ix as usize % W, ix as usize / W);
            b = PxBox { x0: b.x0.min(x), y0: b.y0.min(y), x1: b.x1.max(x + 1), y1: b.y1.max(y + 1) };
        }
        b
    }

    pub(super) fn grown(self, by: usize) -> Self {
        PxBox {
            x0: self.x0.saturating_sub(by),
            y0: self.y0.saturating_sub(by),
            x1: (self.x1 + by).min(W),
            y1: (self.y1 + by).min(H),
        }
    }

    pub(super) fn meets(self, other: PxBox) -> bool {
        self.x0 < other.x1 && other.x0 < self.x1 && self.y0 < other.y1 && other.y0 < self.y1
    }

    /// In shares of the picture as it came, `shift` off the background.
    pub(super) fn norm(self, shift: Shift) -> BBox {
        let (w, h) = (W as f32, H as f32);
        let (dx, dy) = (shift.dx as f32, shift.dy as f32);
        BBox::from_corners(
            (self.x0 as f32 + dx) / w,
            (self.y0 as f32 + dy) / h,
            (self.x1 as f32 + dx) / w,
            (self.y1 as f32 + dy) / h,
        )
        .clamped()
    }

    /// Its pixels, row by row.
    pub(super) fn pixels(self) -> impl Iterator<Item = usize> {
        (self.y0..self.y1).flat_map(move |y| (self.x0..self.x1).map(move |x| y * W + x))
    }
}

/// The eight neighbours of a pixel that is not on the rim.
pub(super) fn neighbours(ix: usize) -> [usize; 8] {
    [ix - W - 1, ix - W, ix - W + 1, ix - 1, ix + 1, ix + W - 1, ix + W, ix + W + 1]
}

/// The pixels up to `distance` away in both directions, itself included.
pub(super) fn around(ix: usize, distance: usize) -> impl Iterator<Item = usize> {
    let (x, y) = (ix % W, ix / W);
    let columns = x.saturating_sub(distance)..=(x + distance).min(W - 1);
    let rows = y.saturating_sub(distance)..=(y + distance).min(H - 1);
    rows.flat_map(move |row| columns.clone().map(move |column| row * W + column))
}

/// Whether a pixel is on the picture's outermost rows and columns.
pub(super) fn on_rim(ix: usize) -> bool {
    is_within_rim(ix, 1)
}

fn is_within_rim(ix: usize, width: usize) -> bool {
    let (x, y) = (ix % W, ix / W);
    x < width || y < width || x >= W - width || y >= H - width
}

/// Where a set of pixels ends: each pixel inside with the second pixel outside, in the four directions.
/// `pixels` is ascending. Pairs that reach over the picture's rim are left out.
pub(super) fn outline(pixels: &[u32]) -> impl Iterator<Item = (usize, usize)> {
    let is_inside = |ix: usize| pixels.binary_search(&(ix as u32)).is_ok();
    let inner = pixels.iter().map(|&ix| ix as usize).filter(|&ix| !is_within_rim(ix, 2));
    inner.flat_map(move |ix| {
        let directions = [(ix - W, ix - 2 * W), (ix - 1, ix - 2), (ix + 1, ix + 2), (ix + W, ix + 2 * W)];
        directions
            .into_iter()
            .filter(move |&(near, far)| !is_inside(near) && !is_inside(far))
            .map(move |(_, far)| (ix, far))
    })
}

/// Marks the pixels that lie between given ones both in their row and in their column, those included.
pub(super) fn enclose(pixels: impl Iterator<Item = u32>, marks: &mut [bool]) {
    let (mut rows, mut columns) = ([(usize::MAX, 0); H], [(usize::MAX, 0); W]);
    for ix in pixels {
        let (x, y) = (ix as usize % W, ix as usize / W);
        rows[y] = (rows[y].0.min(x), rows[y].1.max(x));
        columns[x] = (columns[x].0.min(y), columns[x].1.max(y));
    }
    for (y, &(from, to)) in rows.iter().enumerate() {
        for x in from..=to {
            marks[y * W + x] |= (columns[x].0..=columns[x].1).contains(&y);
        }
    }
}

const _: () = assert!(W * H < u32::MAX as usize);
