//! Letters: Chinese and Latin text, drawn from a font that the program carries.
//!
//! `font/` says where it comes from and under which licence. It holds GB 2312 and ASCII; what it lacks is drawn as an empty box, so
//! that an officer sees that something stands there.

use ab_glyph::{Font as _, FontRef, Glyph, PxScale, ScaleFont as _, point};

use crate::picture::{Colour, Picture, PixelRect};

static SANS: &[u8] = include_bytes!("../font/kerbside-sans-sc.otf");

/// What is drawn where the font cannot be read at all: it never happens with the font of this program.
const WIDTH_WITHOUT_FONT: f32 = 0.6;

/// The program's font.
#[derive(Debug)]
pub struct Font {
    font: Option<FontRef<'static>>,
}

impl Default for Font {
    fn default() -> Self {
        Font::new()
    }
}

impl Font {
    /// The font that the program carries.
    pub fn new() -> Font {
        Font { font: FontRef::try_from_slice(SANS).ok() }
    }

    /// Whether it has a picture of this character.
    pub fn has(&self, c: char) -> bool {
        self.font.as_ref().is_some_and(|font| font.glyph_id(c).0 != 0)
    }

    /// Width of a line of text at `em` px a character square, px.
    pub fn width(&self, text: &str, em: f32) -> f32 {
        text.chars().map(|c| self.advance(c, em)).sum()
    }

    /// The longest beginning of a text that fits into `width` px, and the rest. At least one character.
    pub fn split<'t>(&self, text: &'t str, em: f32, width: f32) -> (&'t str, &'t str) {
        let mut used = 0.0;
        for (at, c) in text.char_indices() {
            used += self.advance(c, em);
            if used > width && at > 0 {
                return text.split_at(at);
            }
        }
        (text, "")
    }

    /// Draws one line; `x` is its left edge, `y` the line on which letters stand, px. Returns its right edge, px.
    pub fn draw(&self, picture: &mut Picture, text: &str, (x, y): (f32, f32), em: f32, ink: Colour) -> f32 {
        let mut x = x;
        for c in text.chars() {
            match &self.font {
                Some(font) if self.has(c) => glyph(font, picture, c, (x, y), em, ink),
                _ if c.is_whitespace() || c.is_control() => {}
                _ => missing(picture, (x, y), self.advance(c, em), em, ink),
            }
            x += self.advance(c, em);
        }
        x
    }

    fn advance(&self, c: char, em: f32) -> f32 {
        match &self.font {
            Some(font) if self.has(c) => font.as_scaled(scale(font, em)).h_advance(font.glyph_id(c)),
            _ if c.is_ascii() || c.is_control() => em * WIDTH_WITHOUT_FONT,
            _ => em,
        }
    }
}

/// The library measures fonts by ascent and descent together; people by the square of a character.
fn scale(font: &FontRef<'_>, em: f32) -> PxScale {
    let units = font.units_per_em().unwrap_or(1000.0);
    PxScale::from(em * font.height_unscaled() / units)
}

fn glyph(font: &FontRef<'_>, picture: &mut Picture, c: char, (x, y): (f32, f32), em: f32, ink: Colour) {
    let glyph = Glyph { id: font.glyph_id(c), scale: scale(font, em), position: point(x, y) };
    let Some(outline) = font.outline_glyph(glyph) else { return };
    let bounds = outline.px_bounds();
    outline.draw(|dx, dy, share| {
        let (px, py) = (bounds.min.x + dx as f32, bounds.min.y + dy as f32);
        if px >= 0.0 && py >= 0.0 {
            picture.mix(px as u32, py as u32, ink, share.clamp(0.0, 1.0));
        }
    });
}

/// An empty box.
fn missing(picture: &mut Picture, (x, y): (f32, f32), advance: f32, em: f32, ink: Colour) {
    let (left, top) = ((x + 0.1 * em).max(0.0) as u32, (y - 0.8 * em).max(0.0) as u32);
    let (width, height) = ((advance - 0.2 * em).max(3.0) as u32, (0.85 * em) as u32);
    let line = ((em / 16.0).round() as u32).max(1);
    for rect in [
        PixelRect { x: left, y: top, width, height: line },
        PixelRect { x: left, y: top + height - line, width, height: line },
        PixelRect { x: left, y: top, width: line, height },
        PixelRect { x: left + width - line, y: top, width: line, height },
    ] {
        picture.fill(rect, ink);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLACK: Colour = [0, 0, 0];

    fn inked(text: &str) -> usize {
        let mut picture = Picture::filled(400, 60, [255; 3]);
        Font::new().draw(&mut picture, text, (10.0, 40.0), 24.0, BLACK);
        picture.rgb().chunks_exact(3).filter(|p| p[0] < 128).count()
    }

    #[test]
    fn names_of_matters_and_places_have_their_characters() {
        let font = Font::new();
        let texts = "占道经营 无照经营游商 店外经营 暴露垃圾 积存垃圾渣土 垃圾站（箱）满溢 乱堆杂物 焚烧垃圾、树叶 \
                     莘庄镇七莘路２０１弄±≈≤°：，。《》“”—… ABCxyz 0123456789 +08:00";
        let lacking: String = texts.chars().filter(|c| !font.has(*c)).collect();
        assert_eq!(lacking, "");
    }

    #[test]
    fn letters_leave_ink_where_they_stand() {
        assert!(inked("占道经营") > 300);
        assert_eq!(inked("   "), 0);
        let font = Font::new();
        assert!((font.width("占道", 24.0) - 48.0).abs() < 0.5, "Chinese characters are square");
        assert!(font.width("ii", 24.0) < font.width("WW", 24.0));
    }

    #[test]
    fn what_the_font_lacks_is_an_empty_box_and_never_a_panic() {
        for text in ["𠮷", "\u{1f600}", "ก", "\u{0}\u{7}", "\u{10ffff}", "é\u{301}"] {
            inked(text);
        }
        assert!(inked("𠮷") > 30);
        assert!(!Font::new().has('𠮷'));
        // Outside the picture, and larger than it.
        let mut small = Picture::filled(4, 4, [255; 3]);
        Font::new().draw(&mut small, "占𠮷", (-50.0, -50.0), 300.0, BLACK);
        Font::new().draw(&mut small, "占𠮷", (3.0, 3.0), 30.0, BLACK);
    }

    #[test]
    fn a_long_text_is_split_where_it_no_longer_fits() {
        let font = Font::new();
        let (first, rest) = font.split("上海市闵行区莘庄镇", 20.0, 101.0);
        assert_eq!((first, rest), ("上海市闵行", "区莘庄镇"));
        assert_eq!(font.split("占", 20.0, 1.0), ("占", ""), "one character at least");
    }
}
