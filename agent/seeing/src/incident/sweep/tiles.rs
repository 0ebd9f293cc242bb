//! The parts of the picture that a sweep goes over, round by round.

use kerbside_domain::frame::BBox;

use crate::incident::tuning::sweep::{MAX_TILE_SHARE, PROPORTION, RIM, ROUNDS, STEP};
use crate::rules::share_inside;

/// Corners of a zone in shares of the picture.
pub(super) type Outline = Vec<(f32, f32)>;

/// A part of the picture that is shown to the network once.
#[derive(Debug)]
pub(super) struct Tile {
    pub(super) part: BBox,
    pub(super) round: u32,
    pub(super) is_seen: bool,
}

impl Tile {
    pub(super) fn forget(&mut self) {
        self.is_seen = false;
    }
}

/// The tiles that show something of a zone, in rounds: each round has tiles of its own width, and they begin elsewhere.
pub(super) fn tiles<'a>(zones: impl Iterator<Item = &'a Outline>) -> Vec<Tile> {
    let zones: Vec<&Outline> = zones.collect();
    let shows_a_zone = |part: &BBox| zones.iter().any(|zone| share_inside(zone, part) > 0.0);
    let rounds = ROUNDS.into_iter().zip(0u32..);
    let all = rounds.flat_map(|(w, round)| {
        let (h, shift) = (w * PROPORTION, round as f32 / ROUNDS.len() as f32);
        let rows = starts(h, shift);
        let parts = rows
            .into_iter()
            .flat_map(move |y| starts(w, shift).into_iter().map(move |x| BBox { x, y, w, h }));
        parts.map(move |part| Tile { part, round, is_seen: false })
    });
    all.filter(|tile| shows_a_zone(&tile.part)).collect()
}

/// Where tiles of one size begin along one side of the picture, moved by a share of a step; the ends are always covered.
fn starts(size: f32, shift: f32) -> Vec<f32> {
    let steps = ((1.0 - size) / (STEP * size)).ceil().max(1.0);
    let step = (1.0 - size) / steps;
    let mut all: Vec<f32> =
        (-1..=steps as i32).map(|n| ((n as f32 + shift) * step).clamp(0.0, 1.0 - size)).collect();
    all.push(1.0 - size);
    all.dedup();
    all
}

/// Not cut off by the rim of its part, unless that is the rim of the picture, and clearly smaller than it: a box around all
/// that is shown says nothing.
pub(super) fn is_whole(bbox: &BBox, part: &BBox) -> bool {
    let is_cut = |near: f32, size: f32, is_picture: bool| !is_picture && near < RIM * size;
    let (right, bottom) = (part.x + part.w, part.y + part.h);
    let cut = is_cut(bbox.x - part.x, part.w, part.x <= 0.0)
        || is_cut(bbox.y - part.y, part.h, part.y <= 0.0)
        || is_cut(right - bbox.x - bbox.w, part.w, right >= 0.999)
        || is_cut(bottom - bbox.y - bbox.h, part.h, bottom >= 0.999);
    !cut && bbox.w <= MAX_TILE_SHARE * part.w && bbox.h <= MAX_TILE_SHARE * part.h
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_covers_every_zone_and_nothing_else_is_shown() {
        let zone: Outline = vec![(0.0, 0.45), (0.96, 0.4), (0.96, 0.6), (0.02, 0.7)];
        let all = tiles([&zone].into_iter());
        for round in 0..ROUNDS.len() as u32 {
            let of_round: Vec<&Tile> = all.iter().filter(|t| t.round == round).collect();
            let covers = |x: f32, y: f32| {
                of_round.iter().any(|t| {
                    (t.part.x..=t.part.x + t.part.w).contains(&x)
                        && (t.part.y..=t.part.y + t.part.h).contains(&y)
                })
            };
            let grid = (0..50).flat_map(|i| (0..50).map(move |j| (i as f32 / 50.0, j as f32 / 50.0)));
            let inside =
                grid.filter(|(x, y)| share_inside(&zone, &BBox { x: *x, y: *y, w: 0.0, h: 0.0 }) > 0.5);
            assert!(inside.into_iter().all(|(x, y)| covers(x, y)), "round {round}");
        }
        assert!(all.iter().all(|t| t.part.x >= 0.0 && t.part.x + t.part.w <= 1.0001), "{all:?}");
        assert!(all.len() < 200, "{} tiles", all.len());
        assert!(tiles([].into_iter()).is_empty());
    }

    #[test]
    fn a_box_that_a_tile_cuts_or_that_is_the_tile_is_no_thing() {
        let part = BBox { x: 0.2, y: 0.2, w: 0.4, h: 0.4 };
        let at = |x: f32, w: f32| is_whole(&BBox { x, y: 0.3, w, h: 0.1 }, &part);
        assert_eq!([at(0.3, 0.1), at(0.2, 0.1), at(0.5, 0.1), at(0.22, 0.36)], [true, false, false, false]);
        let at_the_rim_of_the_picture = BBox { x: 0.0, y: 0.3, w: 0.1, h: 0.1 };
        assert!(is_whole(&at_the_rim_of_the_picture, &BBox { x: 0.0, ..part }));
    }
}
