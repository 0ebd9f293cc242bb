//! Which part of a picture shows a thing. Pure geometry, in shares of the picture.

use kerbside_domain::frame::BBox;

/// Aspect (width over height, px) of every panel and close-up.
pub const ASPECT: f64 = 16.0 / 9.0;
/// A close-up shows the thing's longer side on at least so many pixels.
pub const LEAST_ACROSS_PX: f64 = 320.0;
/// Share of the thing's size that is shown around it on each side in a close-up.
const CLOSE_MARGIN: f64 = 0.18;
/// The same of the pictures that are compared: enough of the place to recognise it.
const WIDE_MARGIN: f64 = 0.6;
/// And this much more, as a share of the picture's height: boxes of small things are a cell or two of the gate's grid too small, and a
/// bag that shines on top is found by its dark half.
const GRAIN: f64 = 0.015;
/// A window is at least this share of the picture's height: below, nobody could say where it is.
const LEAST_CLOSE: f64 = 0.05;
const LEAST_WIDE: f64 = 0.2;
/// Nothing is enlarged more than this: it would only be larger, not clearer.
pub const MOST_ENLARGED: f64 = 8.0;

/// The window of a close-up: the thing with a little around it.
pub fn close_up(thing: &BBox, size: (u32, u32)) -> BBox {
    around(thing, size, CLOSE_MARGIN, LEAST_CLOSE)
}

/// The window in which before and now are compared: the thing with the place around it.
pub fn compared(thing: &BBox, size: (u32, u32)) -> BBox {
    around(thing, size, WIDE_MARGIN, LEAST_WIDE)
}

/// By how much a picture of the window must be enlarged (1: not) so that the thing's longer side has [`LEAST_ACROSS_PX`].
/// `size`: of the whole picture, px.
pub fn enlargement(thing: &BBox, size: (u32, u32)) -> f64 {
    let (w, h) = (f64::from(size.0), f64::from(size.1));
    let across = (f64::from(thing.w) * w).max(f64::from(thing.h) * h).max(1.0);
    (LEAST_ACROSS_PX / across).clamp(1.0, MOST_ENLARGED)
}

/// A window of [`ASPECT`] around a thing; inside the picture, and the whole picture if the thing needs that.
fn around(thing: &BBox, (width, height): (u32, u32), margin: f64, least: f64) -> BBox {
    let (w, h) = (f64::from(width.max(1)), f64::from(height.max(1)));
    let thing = thing.clamped();
    let (thing_w, thing_h) = (f64::from(thing.w) * w, f64::from(thing.h) * h);
    let grown = |px: f64| px * (1.0 + 2.0 * margin) + 2.0 * GRAIN * h;
    let mut high = grown(thing_h).max(grown(thing_w) / ASPECT).max(least * h);
    // Inside the picture as far as it has room; else the whole of that side.
    high = high.min((w / ASPECT).max(h));
    let (wide, high) = ((high * ASPECT).min(w), high.min(h));
    let (cx, cy) = thing.centre();
    let left = (f64::from(cx) * w - wide / 2.0).clamp(0.0, w - wide);
    // Rather more above it than below: what the gate misses of a thing is its bright top, not its dark foot.
    let top = (f64::from(cy) * h - high / 2.0 - GRAIN * h / 2.0).clamp(0.0, h - high);
    BBox { x: (left / w) as f32, y: (top / h) as f32, w: (wide / w) as f32, h: (high / h) as f32 }
}

/// A box in shares of the picture as shares of a window of it; may lie partly outside.
pub fn in_window(bbox: &BBox, window: &BBox) -> BBox {
    let (w, h) = (window.w.max(f32::EPSILON), window.h.max(f32::EPSILON));
    BBox { x: (bbox.x - window.x) / w, y: (bbox.y - window.y) / h, w: bbox.w / w, h: bbox.h / h }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HD: (u32, u32) = (1920, 1080);

    #[test]
    fn a_close_up_holds_the_thing_and_little_else() {
        let bag = BBox { x: 0.5, y: 0.6, w: 0.0375, h: 0.055 };
        let window = close_up(&bag, HD);
        let inside = in_window(&bag, &window);
        assert!(inside.x > 0.0 && inside.y > 0.0 && inside.x + inside.w < 1.0 && inside.y + inside.h < 1.0);
        assert!(inside.h > 0.48, "{inside:?}");
        let aspect = f64::from(window.w) * 1920.0 / (f64::from(window.h) * 1080.0);
        assert!((aspect - ASPECT).abs() < 0.01, "{aspect}");
        // 72 px of 1080p, 24 px of a sub-stream of 360 lines.
        assert!((enlargement(&bag, HD) - 320.0 / 72.0).abs() < 0.01);
        assert!((enlargement(&bag, (640, 360)) - MOST_ENLARGED).abs() < 0.01);
        let stall = BBox { x: 0.2, y: 0.3, w: 0.3, h: 0.3 };
        assert!((enlargement(&stall, HD) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn before_and_now_show_more_of_the_place_than_the_close_up() {
        let bag = BBox { x: 0.9, y: 0.9, w: 0.04, h: 0.06 };
        let (close, wide) = (close_up(&bag, HD), compared(&bag, HD));
        assert!(wide.w > 1.4 * close.w && wide.x + wide.w <= 1.0 + 1e-6);
        assert!(wide.intersection(&bag) > 0.99 * bag.area());
    }

    proptest! {
        #[test]
        fn a_window_lies_in_the_picture_and_holds_the_middle_of_the_thing(
            x in -0.2f32..1.2, y in -0.2f32..1.2, w in 0.0f32..1.2, h in 0.0f32..1.2,
            width in 1u32..5000, height in 1u32..5000,
        ) {
            let thing = BBox { x, y, w, h };
            for window in [close_up(&thing, (width, height)), compared(&thing, (width, height))] {
                prop_assert!(window.x >= -1e-5 && window.y >= -1e-5);
                prop_assert!(window.x + window.w <= 1.0 + 1e-5 && window.y + window.h <= 1.0 + 1e-5);
                prop_assert!(window.w > 0.0 && window.h > 0.0);
                let (cx, cy) = thing.clamped().centre();
                prop_assert!(cx >= window.x - 1e-4 && cx <= window.x + window.w + 1e-4);
                prop_assert!(cy >= window.y - 1e-4 && cy <= window.y + window.h + 1e-4);
            }
        }
    }
}
