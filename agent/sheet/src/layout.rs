//! What goes where on a sheet, px. Pure.
//!
//! ```text
//! +--------------------------------------+
//! | name of the matter         its code  |
//! | when, where, grid, case, ids         |
//! +------------------+-------------------+
//! | place            | close-up          |
//! +------------------+-------------------+
//! | before           | now               |
//! +------------------+-------------------+
//! | what a sheet is                      |
//! +--------------------------------------+
//! ```

use crate::picture::PixelRect;

/// Width of a sheet: two panels side by side, readable on a telephone.
pub const WIDTH: u32 = 888;
/// Around everything, and between panels.
pub const GAP: u32 = 8;
/// Size of a panel, 16:9.
pub const PANEL: (u32, u32) = ((WIDTH - 3 * GAP) / 2, (WIDTH - 3 * GAP) / 2 * 9 / 16);
/// Character square of the title, of the lines, of panel labels, of the footnote.
pub const TITLE_EM: f32 = 32.0;
/// The same of the lines.
pub const LINE_EM: f32 = 19.0;
/// The same of the panels' labels.
pub const LABEL_EM: f32 = 17.0;
/// The same of the footnote.
pub const FOOT_EM: f32 = 14.0;
/// From one line to the next.
pub const LINE_STEP: u32 = 26;
/// Left edge of what a line says, behind what it is about.
pub const TEXT_LEFT: u32 = GAP + 52;
/// Most lines of text; a wrapped one counts twice.
pub const MOST_LINES: usize = 9;

/// Where the parts of a sheet with so many lines of text are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Of the whole sheet.
    pub height: u32,
    /// The line on which the title stands.
    pub title_y: u32,
    /// The same of each line of text.
    pub lines_y: Vec<u32>,
    /// Place, close-up, before, now.
    pub panels: [PixelRect; 4],
    /// The line on which the footnote stands.
    pub foot_y: u32,
}

/// The layout for `lines` lines of text below the title.
pub fn of(lines: usize) -> Layout {
    let title_y = GAP + 32;
    let lines_y: Vec<u32> = (1..=lines.min(MOST_LINES) as u32).map(|n| title_y + 8 + n * LINE_STEP).collect();
    let top = lines_y.last().copied().unwrap_or(title_y) + 12;
    let (width, height) = PANEL;
    let panel = |column: u32, row: u32| PixelRect {
        x: GAP + column * (width + GAP),
        y: top + row * (height + GAP),
        width,
        height,
    };
    let foot_y = top + 2 * (height + GAP) + 14;
    Layout {
        height: foot_y + GAP,
        title_y,
        lines_y,
        panels: [panel(0, 0), panel(1, 0), panel(0, 1), panel(1, 1)],
        foot_y,
    }
}

/// The largest rectangle of the aspect of `size` in the middle of a panel.
pub fn fitted(panel: PixelRect, size: (u32, u32)) -> PixelRect {
    let (w, h) = (u64::from(size.0.max(1)), u64::from(size.1.max(1)));
    let wide = u64::from(panel.width) * h <= u64::from(panel.height) * w;
    let (width, height) = match wide {
        true => (panel.width, (u64::from(panel.width) * h / w) as u32),
        false => ((u64::from(panel.height) * w / h) as u32, panel.height),
    };
    let (width, height) = (width.max(1), height.max(1));
    PixelRect {
        x: panel.x + (panel.width - width) / 2,
        y: panel.y + (panel.height - height) / 2,
        width,
        height,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_lie_beside_each_other_and_nothing_overlaps() {
        for lines in [0, 1, 5, MOST_LINES, 40] {
            let layout = of(lines);
            let [place, close_up, before, now] = layout.panels;
            assert_eq!((place.y, before.x), (close_up.y, place.x));
            assert!(close_up.x == place.x + place.width + GAP && now.y == place.y + place.height + GAP);
            assert_eq!(now.x + now.width + GAP, WIDTH);
            assert!(layout.lines_y.iter().all(|y| *y < place.y) && layout.title_y < place.y);
            assert!(layout.foot_y > now.y + now.height && layout.foot_y < layout.height);
            assert_eq!(layout.lines_y.len(), lines.min(MOST_LINES));
        }
    }

    #[test]
    fn a_picture_of_any_aspect_fits_into_its_panel() {
        let panel = of(5).panels[3];
        for (size, wanted) in
            [((1920, 1080), (432, 243)), ((1080, 1920), (136, 243)), ((704, 576), (297, 243))]
        {
            let fitted = fitted(panel, size);
            assert_eq!((fitted.width, fitted.height), wanted);
            assert!(fitted.x >= panel.x && fitted.x + fitted.width <= panel.x + panel.width);
        }
        for size in [(1, 8000), (8000, 1), (0, 0)] {
            let fitted = fitted(panel, size);
            assert!(fitted.width >= 1 && fitted.height >= 1);
        }
    }
}
