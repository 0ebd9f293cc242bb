//! What must not leave the box: heads of people and number plates, by the boxes that the networks give in that very picture.
//!
//! A network gives boxes of whole people and vehicles. The head is the upper part of a person, the plate is somewhere in the lower
//! part of a vehicle; both are taken larger than they are, because a box that is a little off must still cover them.

use kerbside_domain::detection::{Detection, Group};
use kerbside_domain::frame::BBox;

use crate::picture::{MAX_SIDE, Picture, PixelRect};

/// Share of the height of a standing person that counts as head: a head is a seventh, and boxes begin too high or too low.
const HEAD_OF_STANDING: f32 = 0.3;
/// The same of who sits, stoops or is seen in part: the head is more of it, and may be anywhere in the upper half.
const HEAD_OF_STOOPING: f32 = 0.55;
/// Height over width (px) of who stands, and of who does not.
const STANDING: f32 = 2.2;
const STOOPING: f32 = 1.3;
/// Enlarged by this share of the box: upwards, and on both sides.
const HEAD_UP: f32 = 0.1;
const HEAD_ASIDE: f32 = 0.12;
/// Share of a vehicle's height, from below, that may hold the plate; on lorries it hangs higher than on cars.
const PLATE_BELOW: f32 = 0.6;
/// Enlarged by this share of the box on three sides.
const PLATE_ASIDE: f32 = 0.06;
/// Labels of vehicles that carry no plate.
const NO_PLATE: [&str; 4] = ["bicycle", "cart", "handcart", "train"];
/// So few blocks across a head or a plate that neither can be read.
const BLOCKS: u32 = 4;
/// No block is smaller than this, px.
const LEAST_BLOCK_PX: u32 = 6;
/// A plate on a vehicle that fills the picture: more blocks would show the characters, fewer hide no more.
const PLATE_BLOCKS: u32 = 6;

/// The regions of one picture, in shares of it. They may reach beyond it: a head of which the picture shows a part is hidden by
/// blocks as large as of the whole head.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Masks {
    /// Over heads.
    pub heads: Vec<BBox>,
    /// Over plates.
    pub plates: Vec<BBox>,
}

impl Masks {
    /// Nothing has to be hidden.
    pub fn is_empty(&self) -> bool {
        self.heads.is_empty() && self.plates.is_empty()
    }

    /// Those of a further look at the same picture.
    pub fn extend(&mut self, more: Masks) {
        self.heads.extend(more.heads);
        self.plates.extend(more.plates);
    }

    /// Hides the regions. It cannot be undone: what was there is replaced by a few means.
    pub fn apply(&self, picture: &mut Picture) {
        for (regions, blocks) in [(&self.plates, PLATE_BLOCKS), (&self.heads, BLOCKS)] {
            for region in regions {
                let rect = PixelRect::of(region, picture.width(), picture.height());
                let (w, h) = (picture.width() as f32, picture.height() as f32);
                let longer_px = (region.w * w).max(region.h * h);
                let side_px = (longer_px / blocks as f32).ceil().clamp(0.0, MAX_SIDE as f32) as u32;
                picture.pixelate(rect, side_px.max(LEAST_BLOCK_PX));
            }
        }
    }

    /// The same regions in shares of a window of the picture.
    pub fn in_window(&self, window: &BBox) -> Masks {
        let moved = |regions: &[BBox]| {
            let moved = regions.iter().map(|region| crate::window::in_window(region, window));
            moved.filter(|region| region.clamped().area() > 0.0).collect()
        };
        Masks { heads: moved(&self.heads), plates: moved(&self.plates) }
    }
}

/// What to hide of the things that were seen. `aspect`: width over height of the picture, px.
pub fn masks_of<'a>(seen: impl IntoIterator<Item = &'a Detection>, aspect: f32) -> Masks {
    let mut masks = Masks::default();
    for detection in seen {
        match detection.group {
            Group::Person => masks.heads.push(head(&detection.bbox, aspect)),
            Group::Vehicle if !NO_PLATE.contains(&&*detection.label) => {
                masks.plates.push(plate(&detection.bbox))
            }
            _ => {}
        }
    }
    masks
}

/// The upper part of a person, enlarged; may reach beyond the picture.
pub fn head(person: &BBox, aspect: f32) -> BBox {
    let tall = person.h / (person.w * aspect).max(f32::EPSILON);
    let upright = ((tall - STOOPING) / (STANDING - STOOPING)).clamp(0.0, 1.0);
    let share = HEAD_OF_STOOPING + (HEAD_OF_STANDING - HEAD_OF_STOOPING) * upright;
    BBox::from_corners(
        person.x - person.w * HEAD_ASIDE,
        person.y - person.h * HEAD_UP,
        person.x + person.w * (1.0 + HEAD_ASIDE),
        person.y + person.h * share,
    )
}

/// The lower part of a vehicle, enlarged; may reach beyond the picture.
pub fn plate(vehicle: &BBox) -> BBox {
    BBox::from_corners(
        vehicle.x - vehicle.w * PLATE_ASIDE,
        vehicle.y + vehicle.h * (1.0 - PLATE_BELOW),
        vehicle.x + vehicle.w * (1.0 + PLATE_ASIDE),
        vehicle.y + vehicle.h * (1.0 + PLATE_ASIDE),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: f32 = 16.0 / 9.0;

    fn seen(label: &str, group: Group, bbox: BBox) -> Detection {
        Detection { label: label.into(), group, confidence: 0.6, bbox }
    }

    #[test]
    fn people_lose_their_heads_and_vehicles_their_plates() {
        let person = BBox { x: 0.5, y: 0.4, w: 0.05, h: 0.3 };
        let car = BBox { x: 0.1, y: 0.5, w: 0.3, h: 0.2 };
        let all = [
            seen("person", Group::Person, person),
            seen("car", Group::Vehicle, car),
            seen("bicycle", Group::Vehicle, car),
            seen("bag", Group::Waste, car),
        ];
        let masks = masks_of(&all, WIDE);
        assert_eq!((masks.heads.len(), masks.plates.len()), (1, 1));
        let head = masks.heads[0];
        assert!(head.y < person.y && head.x < person.x && head.x + head.w > person.x + person.w);
        // A head is a seventh of a standing person: twice that is covered, the goods in the hands are not.
        assert!((head.y + head.h - person.y) / person.h > 2.0 / 7.0 && head.y + head.h < 0.51);
        let plate = masks.plates[0];
        assert!(plate.y + plate.h > car.y + car.h && plate.y > car.y && plate.w > car.w);
    }

    #[test]
    fn of_who_stoops_or_is_seen_in_part_more_is_covered() {
        let covered = |person: BBox| (head(&person, WIDE).y + head(&person, WIDE).h - person.y) / person.h;
        let standing = BBox { x: 0.5, y: 0.4, w: 0.05, h: 0.3 };
        let stooping = BBox { x: 0.5, y: 0.4, w: 0.1, h: 0.18 };
        assert!((covered(standing) - HEAD_OF_STANDING).abs() < 1e-5);
        assert!((covered(stooping) - HEAD_OF_STOOPING).abs() < 1e-5);
    }

    /// Blocks of a face of which the window shows a quarter, and of the same face in the whole picture.
    #[test]
    fn at_the_edge_of_a_window_the_blocks_stay_as_large() {
        let rgb = (0..320u32 * 180).flat_map(|i| [((i % 320) % 256) as u8; 3]).collect();
        let picture = Picture::of_rgb(320, 180, rgb).unwrap();
        let head = BBox { x: 0.4, y: 0.4, w: 0.2, h: 0.3 };
        let masks = Masks { heads: vec![head], plates: Vec::new() };
        let levels = |picture: &Picture, region: &BBox| {
            let rect = PixelRect::of(region, picture.width(), picture.height());
            let row = (rect.y + 1) as usize * picture.width() as usize;
            let row = (rect.x..rect.x + rect.width).map(|x| picture.rgb()[(row + x as usize) * 3]);
            row.collect::<std::collections::BTreeSet<u8>>().len()
        };
        let mut whole = picture.clone();
        masks.apply(&mut whole);
        assert_eq!(levels(&whole, &head), 4);
        // Its left edge lies in the middle of the head.
        let window = BBox { x: 0.5, y: 0.5, w: 0.4, h: 0.4 };
        let mut part = picture.cut(&window).unwrap();
        let in_part = masks.in_window(&window);
        in_part.apply(&mut part);
        assert!(levels(&part, &in_part.heads[0]) <= 2, "{}", levels(&part, &in_part.heads[0]));
        // A person who is cut by the edge of the picture itself.
        let edge = super::head(&BBox { x: 0.97, y: 0.0, w: 0.03, h: 0.2 }, WIDE);
        assert!(edge.y < 0.0 && edge.x + edge.w > 1.0);
    }

    #[test]
    fn nothing_of_a_masked_region_can_be_read() {
        // Letters of one pixel: the highest contrast there is.
        let rgb =
            (0..320u32 * 180).flat_map(|i| [if (i ^ (i / 320)) % 2 == 0 { 255 } else { 0 }; 3]).collect();
        let mut picture = Picture::of_rgb(320, 180, rgb).unwrap();
        let energy = |picture: &Picture, rect: PixelRect| -> u64 {
            let at = |x: u32, y: u32| i64::from(picture.rgb()[(y as usize * 320 + x as usize) * 3]);
            let columns = |y| (rect.x..rect.x + rect.width - 1).map(move |x| (x, y));
            let all = (rect.y..rect.y + rect.height).flat_map(columns);
            all.map(|(x, y)| (at(x + 1, y) - at(x, y)).unsigned_abs()).sum()
        };
        let masks = Masks { heads: vec![BBox { x: 0.2, y: 0.2, w: 0.1, h: 0.2 }], plates: Vec::new() };
        let rect = PixelRect::of(&masks.heads[0], 320, 180);
        let before = energy(&picture, rect);
        masks.apply(&mut picture);
        let after = energy(&picture, rect);
        assert!(after * 50 < before, "{after} of {before}");
        let beside = PixelRect { x: 200, ..rect };
        assert!(energy(&picture, beside) == before, "the rest is as it was");
    }

    #[test]
    fn masks_go_with_the_window() {
        let masks = Masks { heads: vec![BBox { x: 0.5, y: 0.5, w: 0.1, h: 0.1 }], plates: Vec::new() };
        let inside = masks.in_window(&BBox { x: 0.5, y: 0.5, w: 0.2, h: 0.2 });
        assert!((inside.heads[0].w - 0.5).abs() < 1e-5 && inside.heads[0].x.abs() < 1e-5);
        assert!(masks.in_window(&BBox { x: 0.0, y: 0.0, w: 0.2, h: 0.2 }).is_empty());
    }
}
