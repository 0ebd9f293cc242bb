//! Pictures turned upright: phones and cameras that hang on their side write how their pictures must be turned beside the stream.

use std::ops::Deref;

use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame::Video;
use ffmpeg_next::software::scaling;
use kerbside_domain::frame::Turn;

use super::scale;

/// A picture that stands upright: as it was decoded, or a turned copy.
pub(crate) enum Turned<'a> {
    AsDecoded(&'a Video),
    Copy(Video),
}

impl<'a> Turned<'a> {
    /// `None` if the picture has a form that cannot be turned.
    pub(crate) fn of(picture: &'a Video, turn: Turn) -> Option<Self> {
        if turn == Turn::NONE {
            return Some(Turned::AsDecoded(picture));
        }
        if matches!(picture.format(), Pixel::YUV420P | Pixel::YUVJ420P) {
            return turned(picture, turn).map(Turned::Copy);
        }
        let (format, w, h) = (picture.format(), picture.width(), picture.height());
        let mut plain = Video::empty();
        let mut scaler = scaling::Context::get(format, w, h, Pixel::YUV420P, w, h, scale::exact()).ok()?;
        scaler.run(picture, &mut plain).ok()?;
        turned(&plain, turn).map(Turned::Copy)
    }
}

impl Deref for Turned<'_> {
    type Target = Video;

    fn deref(&self) -> &Video {
        match self {
            Turned::AsDecoded(picture) => picture,
            Turned::Copy(picture) => picture,
        }
    }
}

/// The turn that a display matrix asks for (ISO/IEC 14496-12, 6.2.2: nine numbers, the first two rows of its left part count).
/// `None` if it is no multiple of 90 degrees.
pub(crate) fn of_matrix(matrix: &[u8]) -> Option<Turn> {
    let number = |ix: usize| {
        let bytes: [u8; 4] = matrix.get(ix * 4..ix * 4 + 4)?.try_into().ok()?;
        Some(i64::from(i32::from_ne_bytes(bytes)))
    };
    let (mut a, mut b, c, d) = (number(0)?, number(1)?, number(3)?, number(4)?);
    let mirrored = a * d - b * c < 0;
    if mirrored {
        (a, b) = (-a, -b);
    }
    // Rounding may leave a little where 0 is meant.
    let quarters = match (a, b) {
        _ if a.abs() >= b.abs() * 16 && a > 0 => 0,
        _ if b.abs() >= a.abs() * 16 && b > 0 => 1,
        _ if a.abs() >= b.abs() * 16 && a < 0 => 2,
        _ if b.abs() >= a.abs() * 16 && b < 0 => 3,
        _ => return None,
    };
    Some(Turn { mirrored, quarters })
}

/// The display matrix of a turn, for a clip whose player turns it: nine numbers in the machine's order of bytes.
pub(crate) fn matrix_of(turn: Turn) -> [i32; 9] {
    const ONE: i32 = 1 << 16;
    let (mut a, mut b, c, d) = match turn.quarters % 4 {
        0 => (ONE, 0, 0, ONE),
        1 => (0, ONE, -ONE, 0),
        2 => (-ONE, 0, 0, -ONE),
        _ => (0, -ONE, ONE, 0),
    };
    if turn.mirrored {
        (a, b) = (-a, -b);
    }
    [a, b, 0, c, d, 0, 0, 0, 1 << 30]
}

fn turned(picture: &Video, turn: Turn) -> Option<Video> {
    let (w, h) = (picture.width(), picture.height());
    let (to_w, to_h) = if turn.quarters % 2 == 1 { (h, w) } else { (w, h) };
    let mut out = Video::new(picture.format(), to_w, to_h);
    for plane in 0..picture.planes() {
        let from = View {
            data: picture.data(plane),
            stride: picture.stride(plane),
            width: picture.plane_width(plane) as usize,
            height: picture.plane_height(plane) as usize,
        };
        let (stride, width, height) =
            (out.stride(plane), out.plane_width(plane) as usize, out.plane_height(plane) as usize);
        let rows = out.data_mut(plane).chunks_mut(stride.max(1)).take(height);
        for (y, row) in rows.enumerate() {
            for (x, value) in row.get_mut(..width)?.iter_mut().enumerate() {
                *value = from.at(turn, x, y)?;
            }
        }
    }
    Some(out)
}

/// One plane of a decoded picture.
struct View<'a> {
    data: &'a [u8],
    stride: usize,
    width: usize,
    height: usize,
}

impl View<'_> {
    /// The sample that stands at this place of the turned picture.
    fn at(&self, turn: Turn, x: usize, y: usize) -> Option<u8> {
        let (right, bottom) = (self.width.checked_sub(1)?, self.height.checked_sub(1)?);
        let (sx, sy) = match turn.quarters % 4 {
            0 => (x, y),
            1 => (y, bottom.checked_sub(x)?),
            2 => (right.checked_sub(x)?, bottom.checked_sub(y)?),
            _ => (right.checked_sub(y)?, x),
        };
        let sx = if turn.mirrored { right.checked_sub(sx)? } else { sx };
        self.data.get(sy * self.stride + sx).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> impl Iterator<Item = Turn> {
        (0..4).flat_map(|quarters| [false, true].map(|mirrored| Turn { mirrored, quarters }))
    }

    #[test]
    fn a_turn_and_its_matrix_say_the_same() {
        for turn in all() {
            let bytes: Vec<u8> = matrix_of(turn).iter().flat_map(|n| n.to_ne_bytes()).collect();
            assert_eq!(of_matrix(&bytes), Some(turn));
        }
        // 45 degrees.
        let bytes: Vec<u8> = [1i32, 1, 0, -1, 1, 0, 0, 0, 1].iter().flat_map(|n| n.to_ne_bytes()).collect();
        assert_eq!((of_matrix(&bytes), of_matrix(&[0; 36]), of_matrix(&[])), (None, None, None));
    }

    /// 1 2 3
    /// 4 5 6
    fn view() -> View<'static> {
        View { data: &[1, 2, 3, 0, 4, 5, 6, 0], stride: 4, width: 3, height: 2 }
    }

    #[test]
    fn samples_go_where_the_turn_puts_them() {
        let rows = |turn: Turn| {
            let (w, h) = if turn.quarters % 2 == 1 { (2, 3) } else { (3, 2) };
            (0..h)
                .map(|y| (0..w).map(|x| view().at(turn, x, y).unwrap()).collect::<Vec<_>>())
                .collect::<Vec<_>>()
        };
        let turned = |quarters, mirrored| rows(Turn { mirrored, quarters });
        assert_eq!(turned(0, false), [[1, 2, 3], [4, 5, 6]]);
        assert_eq!(turned(1, false), [[4, 1], [5, 2], [6, 3]]);
        assert_eq!(turned(2, false), [[6, 5, 4], [3, 2, 1]]);
        assert_eq!(turned(3, false), [[3, 6], [2, 5], [1, 4]]);
        assert_eq!(turned(0, true), [[3, 2, 1], [6, 5, 4]]);
        assert_eq!(turned(1, true), [[6, 3], [5, 2], [4, 1]]);
    }
}
