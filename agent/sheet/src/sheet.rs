//! One picture an officer can use: place, close-up, before and now, with the facts beside them.

use kerbside_domain::frame::BBox;

use crate::caption::Caption;
use crate::font::Font;
use crate::layout::{self, FOOT_EM, GAP, LABEL_EM, LINE_EM, Layout, MOST_LINES, TEXT_LEFT, TITLE_EM, WIDTH};
use crate::picture::{Colour, Picture, PictureError, PixelRect};

const PAPER: Colour = [255, 255, 255];
const INK: Colour = [16, 16, 16];
const PALE: Colour = [96, 96, 96];
const BAND: Colour = [24, 24, 24];
const EMPTY: Colour = [222, 222, 222];
/// Around the thing: red where it stands, yellow where before and now are compared.
const STANDS: Colour = [230, 30, 30];
const COMPARED: Colour = [250, 210, 20];
/// A line over a picture, px.
const OUTLINE: u32 = 2;

/// One panel.
#[derive(Clone, Debug)]
pub struct Panel {
    /// What it shows, masked already where it shall be.
    pub picture: Picture,
    /// Where the thing is in it, in shares of this picture.
    pub thing: BBox,
    /// Which it is and when, e.g. `之前 08:27:59`.
    pub label: String,
}

/// The panels of a sheet.
#[derive(Clone, Debug)]
pub struct SheetPanels {
    /// The whole picture.
    pub place: Panel,
    /// The thing.
    pub close_up: Panel,
    /// The place without it; `None`: there is no such picture.
    pub before: Option<Panel>,
    /// The place with it, or after it, under the same window.
    pub now: Panel,
}

/// A sheet.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// The finished picture.
    pub picture: Picture,
    /// How high the thing is on it, at its largest, px.
    pub thing_height_px: f64,
}

impl Sheet {
    /// Puts it together.
    pub fn compose(caption: &Caption, panels: &SheetPanels) -> Result<Sheet, PictureError> {
        let font = Font::new();
        let lines = wrapped(&font, caption);
        let layout = layout::of(lines.len());
        let mut sheet = Picture::filled(WIDTH, layout.height, PAPER);
        texts(&mut sheet, &font, caption, &lines, &layout);
        let [place, close_up, before, now] = layout.panels;
        let mut largest: f64 = 0.0;
        let mut put = |panel: &Panel, rect: PixelRect, line: Option<Colour>| {
            let put = show(&mut sheet, &font, panel, rect, line)?;
            largest = largest.max(put);
            Ok::<(), PictureError>(())
        };
        put(&panels.place, place, Some(STANDS))?;
        put(&panels.close_up, close_up, None)?;
        if let Some(panel) = &panels.before {
            put(panel, before, Some(COMPARED))?;
        }
        put(&panels.now, now, Some(COMPARED))?;
        if panels.before.is_none() {
            nothing(&mut sheet, &font, before, "此前画面未保留");
        }
        Ok(Sheet { picture: sheet, thing_height_px: largest })
    }
}

/// The lines of text, wrapped; what a line is about stands before its first part only.
fn wrapped(font: &Font, caption: &Caption) -> Vec<(&'static str, String)> {
    let room = (WIDTH - TEXT_LEFT - GAP) as f32;
    let mut lines = Vec::new();
    for (about, text) in caption.lines() {
        let (mut about, mut rest) = (about, text.as_str());
        while !rest.is_empty() && lines.len() < MOST_LINES {
            let (line, more) = font.split(rest, LINE_EM, room);
            lines.push((about, line.to_owned()));
            (about, rest) = ("", more.trim_start());
        }
    }
    lines
}

fn texts(sheet: &mut Picture, font: &Font, caption: &Caption, lines: &[(&str, String)], layout: &Layout) {
    let left = GAP as f32;
    let code = caption.code.as_deref().unwrap_or_default();
    let code_left = (WIDTH - GAP) as f32 - font.width(code, LINE_EM);
    let title = caption.title();
    let room = (code_left - left - LINE_EM).max(TITLE_EM);
    let (title, _) = font.split(&title, TITLE_EM, room);
    font.draw(sheet, title, (left, layout.title_y as f32), TITLE_EM, INK);
    font.draw(sheet, code, (code_left, layout.title_y as f32), LINE_EM, PALE);
    for ((about, text), y) in lines.iter().zip(&layout.lines_y) {
        font.draw(sheet, about, (left, *y as f32), LINE_EM, PALE);
        font.draw(sheet, text, (TEXT_LEFT as f32, *y as f32), LINE_EM, INK);
    }
    font.draw(sheet, &caption.footnote(), (left, layout.foot_y as f32), FOOT_EM, PALE);
}

/// Puts a panel on the sheet; how high the thing is on it, px.
fn show(
    sheet: &mut Picture,
    font: &Font,
    panel: &Panel,
    rect: PixelRect,
    line: Option<Colour>,
) -> Result<f64, PictureError> {
    sheet.fill(rect, BAND);
    let place = layout::fitted(rect, (panel.picture.width(), panel.picture.height()));
    let mut scaled = panel.picture.scaled(place.width, place.height)?;
    let thing = panel.thing.clamped();
    if let Some(colour) = line.filter(|_| thing.area() > 0.0) {
        // Beside the thing, not over it.
        let (dx, dy) = (3.0 / place.width as f32, 3.0 / place.height as f32);
        let beside = BBox { x: thing.x - dx, y: thing.y - dy, w: thing.w + 2.0 * dx, h: thing.h + 2.0 * dy };
        scaled.outline(&beside, OUTLINE, colour);
    }
    sheet.put(place.x, place.y, &scaled);
    label(sheet, font, &panel.label, rect);
    Ok(f64::from(thing.h) * f64::from(place.height))
}

fn label(sheet: &mut Picture, font: &Font, text: &str, rect: PixelRect) {
    let room = rect.width as f32 - LABEL_EM;
    let (text, _) = font.split(text, LABEL_EM, room);
    let width = (font.width(text, LABEL_EM) + LABEL_EM) as u32;
    let height = (LABEL_EM * 1.5) as u32;
    sheet.fill(PixelRect { x: rect.x, y: rect.y, width: width.min(rect.width), height }, BAND);
    let at = (rect.x as f32 + LABEL_EM / 2.0, rect.y as f32 + LABEL_EM * 1.1);
    font.draw(sheet, text, at, LABEL_EM, PAPER);
}

fn nothing(sheet: &mut Picture, font: &Font, rect: PixelRect, text: &str) {
    sheet.fill(rect, EMPTY);
    let x = rect.x as f32 + (rect.width as f32 - font.width(text, LINE_EM)) / 2.0;
    font.draw(sheet, text, (x, (rect.y + rect.height / 2) as f32), LINE_EM, PALE);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caption::tests::caption;

    fn panel(colour: Colour, label: &str) -> Panel {
        let picture = Picture::filled(640, 360, colour);
        Panel { picture, thing: BBox { x: 0.4, y: 0.3, w: 0.2, h: 0.5 }, label: label.to_owned() }
    }

    fn panels() -> SheetPanels {
        SheetPanels {
            place: panel([180, 180, 180], "现场 08:31:05"),
            close_up: panel([160, 120, 80], "特写"),
            before: Some(panel([170, 180, 170], "之前 08:27:59")),
            now: panel([180, 170, 170], "现在 08:31:05"),
        }
    }

    /// Whether the pixel is about this colour.
    fn is(picture: &Picture, x: u32, y: u32, colour: Colour) -> bool {
        let at = (y as usize * picture.width() as usize + x as usize) * 3;
        picture.rgb()[at..at + 3].iter().zip(colour).all(|(a, b)| a.abs_diff(b) < 8)
    }

    #[test]
    fn the_four_panels_are_where_the_layout_says_and_the_thing_is_measured() {
        let sheet = Sheet::compose(&caption(), &panels()).unwrap();
        let layout = layout::of(wrapped(&Font::new(), &caption()).len());
        for (rect, colour) in
            layout.panels.iter().zip([[180, 180, 180], [160, 120, 80], [170, 180, 170], [180, 170, 170]])
        {
            assert!(is(&sheet.picture, rect.x + rect.width - 5, rect.y + rect.height - 5, colour));
        }
        assert!((sheet.thing_height_px - 0.5 * f64::from(layout.panels[0].height)).abs() < 1.0);
        let text = |y: u32| (GAP..WIDTH).filter(|x| is(&sheet.picture, *x, y - 6, INK)).count();
        assert!(text(layout.title_y) > 10 && text(layout.lines_y[0]) > 10);
    }

    #[test]
    fn a_sheet_without_a_picture_of_before_says_so_and_hostile_texts_do_no_harm() {
        let sheet = Sheet::compose(&caption(), &SheetPanels { before: None, ..panels() }).unwrap();
        let before = layout::of(wrapped(&Font::new(), &caption()).len()).panels[2];
        assert!(is(&sheet.picture, before.x + 3, before.y + 3, EMPTY));
        let hostile = Caption {
            matter: "占".repeat(300),
            address: Some("\u{202e}\u{0}é𠮷".repeat(400)),
            case_no: Some("9".repeat(4000)),
            edge_id: "x".repeat(500),
            ..caption()
        };
        let long = Panel { label: "之".repeat(500), ..panel([9, 9, 9], "") };
        let picture = Sheet::compose(&hostile, &SheetPanels { now: long, ..panels() }).unwrap().picture;
        assert!(picture.height() <= layout::of(MOST_LINES).height);
    }

    #[test]
    fn a_sheet_is_small_enough_to_be_sent_at_once() {
        let sheet = Sheet::compose(&caption(), &panels()).unwrap();
        let jpeg = sheet.picture.jpeg_within(55_000).unwrap();
        assert!(jpeg.len() <= 55_000);
        assert_eq!(Picture::of_jpeg(&jpeg).unwrap().width(), WIDTH);
    }
}
