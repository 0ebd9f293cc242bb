//! Whole-number shrinking and colours of 4:2:0 pictures: the usual case (1080p, 720p, 360p), several times cheaper than a
//! general scaler. Pure integer arithmetic: the same bytes on every machine.
//!
//! Each sample is the rounded mean of `K` by `K`; colours by ITU-R BT.601 in 8-bit fixed point, as FFmpeg's scaler assumes where a
//! stream says nothing.

use super::size::Plane;

/// A decoded 4:2:0 picture: luma and two planes of half its width and height.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Yuv420<'a> {
    pub(crate) y: Plane<'a>,
    pub(crate) u: Plane<'a>,
    pub(crate) v: Plane<'a>,
    /// 0..255 instead of 16..235.
    pub(crate) full_range: bool,
}

/// Luma and RGB24 of the shrunk picture, without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shrunk {
    pub(crate) luma: Vec<u8>,
    pub(crate) rgb: Vec<u8>,
}

/// The factor by which a picture is shrunk to `frame`, if it is a whole number that [`shrink`] knows.
pub(crate) fn factor(picture: (u32, u32), frame: (u32, u32)) -> Option<u32> {
    let k = picture.0.checked_div(frame.0)?;
    let exact = picture.0 == frame.0 * k && picture.1 == frame.1 * k;
    let even = frame.0.is_multiple_of(2) && frame.1.is_multiple_of(2);
    (exact && even && (1..=6).contains(&k)).then_some(k)
}

/// Shrinks by `k` (see [`factor`]). `None` if a plane is smaller than it says or `k` is unknown.
pub(crate) fn shrink(picture: Yuv420<'_>, k: u32) -> Option<Shrunk> {
    match k {
        1 => by::<1>(picture),
        2 => by::<2>(picture),
        3 => by::<3>(picture),
        4 => by::<4>(picture),
        5 => by::<5>(picture),
        6 => by::<6>(picture),
        _ => None,
    }
}

fn by<const K: usize>(picture: Yuv420<'_>) -> Option<Shrunk> {
    let luma = mean::<K>(picture.y)?;
    let (u, v) = (mean::<K>(picture.u)?, mean::<K>(picture.v)?);
    let width = picture.y.width / K;
    let half = picture.u.width / K;
    if width != 2 * half || width == 0 || u.len() != v.len() || luma.len() != 4 * u.len() {
        return None;
    }
    let mut rgb = vec![0; luma.len() * 3];
    let gains = if picture.full_range { FULL } else { LIMITED };
    for (row, (line, out)) in luma.chunks_exact(width).zip(rgb.chunks_exact_mut(width * 3)).enumerate() {
        let chroma = row / 2 * half..(row / 2 + 1) * half;
        colours(line, &u[chroma.clone()], &v[chroma], gains, out);
    }
    Some(Shrunk { luma, rgb })
}

/// Rounded means of `K` by `K` samples; what does not fill a cell at the right and lower edge is left out.
fn mean<const K: usize>(plane: Plane<'_>) -> Option<Vec<u8>> {
    let Plane { data, stride, width, height } = plane;
    let (out_w, out_h) = (width / K, height / K);
    if out_w == 0 || out_h == 0 || stride < width || data.len() < stride * (height - 1) + width {
        return None;
    }
    let mut out = Vec::with_capacity(out_w * out_h);
    let mut sums = vec![0u16; out_w * K];
    for y in 0..out_h {
        let row = |i: usize| {
            let from = (y * K + i) * stride;
            &data[from..from + out_w * K]
        };
        for (sum, &sample) in sums.iter_mut().zip(row(0)) {
            *sum = u16::from(sample);
        }
        for i in 1..K {
            for (sum, &sample) in sums.iter_mut().zip(row(i)) {
                *sum += u16::from(sample);
            }
        }
        // At most 36 samples of 255: a u16 holds their sum. The division is by a constant.
        let area = (K * K) as u16;
        out.extend(sums.chunks_exact(K).map(|cell| ((cell.iter().sum::<u16>() + area / 2) / area) as u8));
    }
    Some(out)
}

/// Fixed point, 1/256: offset of black, gain of luma, v to red, u to green, v to green, u to blue.
#[derive(Clone, Copy)]
struct Gains {
    black: i32,
    luma: i32,
    red: i32,
    green_u: i32,
    green_v: i32,
    blue: i32,
}

const LIMITED: Gains = Gains { black: 16, luma: 298, red: 409, green_u: 100, green_v: 208, blue: 516 };
const FULL: Gains = Gains { black: 0, luma: 256, red: 359, green_u: 88, green_v: 183, blue: 454 };

/// One line of pictures; each chroma sample serves two pixels.
fn colours(luma: &[u8], u: &[u8], v: &[u8], gains: Gains, out: &mut [u8]) {
    let pairs = luma.chunks_exact(2).zip(out.chunks_exact_mut(6));
    for ((pair, pixels), (&u, &v)) in pairs.zip(u.iter().zip(v)) {
        let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
        let red = gains.red * v + 128;
        let green = 128 - gains.green_u * u - gains.green_v * v;
        let blue = gains.blue * u + 128;
        for (&y, pixel) in pair.iter().zip(pixels.chunks_exact_mut(3)) {
            let y = (i32::from(y) - gains.black) * gains.luma;
            pixel[0] = clamp((y + red) >> 8);
            pixel[1] = clamp((y + green) >> 8);
            pixel[2] = clamp((y + blue) >> 8);
        }
    }
}

fn clamp(value: i32) -> u8 {
    value.clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(data: &[u8], width: usize, height: usize, stride: usize) -> Plane<'_> {
        Plane { data, stride, width, height }
    }

    #[test]
    fn whole_factors_are_known_and_others_left_to_the_scaler() {
        let cases = [
            ((1920, 1080), (640, 360)),
            ((1280, 720), (640, 360)),
            ((640, 360), (640, 360)),
            ((704, 576), (640, 524)),
        ];
        assert_eq!(cases.map(|(p, l)| factor(p, l)), [Some(3), Some(2), Some(1), None]);
    }

    #[test]
    fn colours_are_those_of_bt601() {
        // The bars of a test picture, 75 %: white, yellow, cyan, green, magenta, red, blue (Y, U, V) and black.
        let bars = [
            (180, 128, 128),
            (162, 44, 142),
            (131, 156, 44),
            (112, 72, 58),
            (84, 184, 198),
            (65, 100, 212),
            (35, 212, 114),
            (16, 128, 128),
        ];
        let rgb = bars.map(|(y, u, v)| {
            let mut out = [0; 6];
            colours(&[y, y], &[u], &[v], LIMITED, &mut out);
            assert_eq!(out[..3], out[3..]);
            [out[0], out[1], out[2]].map(|c| (f32::from(c) / 191.0).round() as u8)
        });
        let wanted = [[1, 1, 1], [1, 1, 0], [0, 1, 1], [0, 1, 0], [1, 0, 1], [1, 0, 0], [0, 0, 1], [0, 0, 0]];
        assert_eq!(rgb, wanted);
        let mut out = [0; 6];
        colours(&[0, 255], &[128], &[128], FULL, &mut out);
        assert_eq!(out, [0, 0, 0, 255, 255, 255]);
    }

    #[test]
    fn samples_are_rounded_means_and_padding_is_not_read() {
        let (w, h, stride) = (12, 6, 16);
        let y: Vec<u8> =
            (0..stride * h).map(|i| if i % stride < w { (i * 7 % 251) as u8 } else { 255 }).collect();
        let chroma: Vec<u8> = (0..8 * 3).map(|i| (100 + i) as u8).collect();
        let picture = Yuv420 {
            y: plane(&y, w, h, stride),
            u: plane(&chroma, 6, 3, 8),
            v: plane(&chroma, 6, 3, 8),
            full_range: false,
        };
        let shrunk = shrink(picture, 3).unwrap();
        assert_eq!((shrunk.luma.len(), shrunk.rgb.len()), (4 * 2, 4 * 2 * 3));
        for (i, &got) in shrunk.luma.iter().enumerate() {
            let (cx, cy) = (i % 4 * 3, i / 4 * 3);
            let sum: u32 = (0..9).map(|s| u32::from(y[(cy + s / 3) * stride + cx + s % 3])).sum();
            assert_eq!(u32::from(got), (sum + 4) / 9, "cell {i}");
        }
        assert_eq!(shrink(picture, 7), None);
        let short = Yuv420 { v: plane(&chroma[..10], 6, 3, 8), ..picture };
        assert_eq!(shrink(short, 3), None);
    }
}
