//! Sizes of frames and the gate's luma. Pure; integer arithmetic only, so that every machine makes the same bytes.

use kerbside_domain::frame::{LUMA_HEIGHT, LUMA_WIDTH};

/// Size of a frame: `analysis_width` or the picture's own width if that is smaller, aspect kept, both even, px.
pub(crate) fn analysis_size(width: u32, height: u32, analysis_width: u32) -> (u32, u32) {
    let w = (analysis_width.min(width) / 2 * 2).max(2);
    let tall = u64::from(w) * u64::from(height) / u64::from(width.max(1));
    let h = (tall.div_ceil(2) * 2).clamp(2, 8192) as u32;
    (w, h)
}

/// One plane of 8-bit samples.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plane<'a> {
    pub(crate) data: &'a [u8],
    /// Bytes from row to row.
    pub(crate) stride: usize,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

/// The plane averaged into `LUMA_WIDTH` by `LUMA_HEIGHT` cells. Of tall cells about six rows are read: more would
/// cost time and change nothing the gate can see. `None` if the plane is smaller than it says.
pub(crate) fn gate_luma(plane: Plane<'_>) -> Option<Vec<u8>> {
    let Plane { data, stride, width, height } = plane;
    if width == 0 || height == 0 || stride < width || data.len() < stride * (height - 1) + width {
        return None;
    }
    let mut out = Vec::with_capacity(LUMA_WIDTH * LUMA_HEIGHT);
    let columns: Vec<(usize, usize)> = (0..LUMA_WIDTH).map(|x| cell(x, LUMA_WIDTH, width)).collect();
    let mut sums = [0u32; LUMA_WIDTH];
    for y in 0..LUMA_HEIGHT {
        let (top, bottom) = cell(y, LUMA_HEIGHT, height);
        let step = ((bottom - top) / 6).max(1);
        let rows = (bottom - top).div_ceil(step) as u32;
        sums.fill(0);
        for row in (top..bottom).step_by(step) {
            let line = &data[row * stride..row * stride + width];
            for (sum, &(left, right)) in sums.iter_mut().zip(&columns) {
                *sum += line[left..right].iter().map(|&v| u32::from(v)).sum::<u32>();
            }
        }
        out.extend(sums.iter().zip(&columns).map(|(&sum, &(left, right))| {
            let count = rows * (right - left) as u32;
            ((sum + count / 2) / count) as u8
        }));
    }
    Some(out)
}

/// The samples of cell `i` of `cells` over `len` samples: at least one.
fn cell(i: usize, cells: usize, len: usize) -> (usize, usize) {
    let from = (i * len / cells).min(len - 1);
    (from, ((i + 1) * len / cells).max(from + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_keep_the_aspect_and_are_even() {
        let sizes = [(1920, 1080), (704, 576), (640, 360), (320, 240), (1080, 1920), (2592, 1944)]
            .map(|(w, h)| analysis_size(w, h, 640));
        assert_eq!(sizes, [(640, 360), (640, 524), (640, 360), (320, 240), (640, 1138), (640, 480)]);
    }

    #[test]
    fn luma_is_the_mean_of_its_cell() {
        let (width, height, stride) = (1920, 1080, 1984);
        let mut data = vec![0u8; stride * height];
        for (y, row) in data.chunks_mut(stride).enumerate() {
            for (x, v) in row.iter_mut().enumerate() {
                *v = if x < width { ((x / 12 + y / 12) % 200) as u8 } else { 255 };
            }
        }
        let luma = gate_luma(Plane { data: &data, stride, width, height }).unwrap();
        assert_eq!(luma.len(), LUMA_WIDTH * LUMA_HEIGHT);
        assert!(luma.iter().enumerate().all(|(i, &v)| usize::from(v) == (i % 160 + i / 160) % 200));
    }

    #[test]
    fn small_pictures_are_stretched_and_short_planes_refused() {
        let data = [10u8, 20, 30, 40];
        let plane = Plane { data: &data, stride: 2, width: 2, height: 2 };
        let luma = gate_luma(plane).unwrap();
        assert_eq!((luma[0], luma[159], luma[89 * 160], luma[90 * 160 - 1]), (10, 20, 30, 40));
        assert!(gate_luma(Plane { height: 3, ..plane }).is_none());
    }
}
