//! What belongs to a candidate besides what the gate found: the parasol above a stall, the goods before it. A parasol moves in the
//! wind and hangs over ground that did not change, so it is no static region; the network names it all the same.

use kerbside_domain::detection::{Detection, Group};
use kerbside_domain::frame::BBox;

use super::tuning::belongings::{BELONGS_AFTER_S, LARGEST, MAX_BELONGINGS, SAME_IOU, TOUCHES};

/// One thing that was named beside or over a candidate.
#[derive(Clone, Copy, Debug)]
struct Belonging {
    /// Mean of where it was named.
    bbox: BBox,
    /// For how long it was named there, less how long it was not, s.
    seen_s: f64,
}

/// All of one candidate; the longest seen are kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Belongings {
    list: Vec<Belonging>,
}

impl Belongings {
    /// The detections of one frame, which stands for `dt_s`.
    pub(super) fn sample(&mut self, dt_s: f64, candidate: &BBox, detections: &[Detection]) {
        for known in &mut self.list {
            known.seen_s -= dt_s / 2.0;
        }
        for detection in detections.iter().filter(|d| is_of_a_stall(d.group)) {
            let bbox = &detection.bbox;
            if !belongs(bbox, candidate) {
                continue;
            }
            match self.list.iter_mut().find(|known| known.bbox.iou(bbox) >= SAME_IOU) {
                Some(known) => {
                    known.seen_s = (known.seen_s + dt_s * 1.5).min(4.0 * BELONGS_AFTER_S);
                    known.bbox = mean(&known.bbox, bbox);
                }
                None => self.list.push(Belonging { bbox: *bbox, seen_s: dt_s }),
            }
        }
        self.list.retain(|known| known.seen_s > 0.0);
        self.list.sort_by(|a, b| b.seen_s.total_cmp(&a.seen_s));
        self.list.truncate(MAX_BELONGINGS);
    }

    /// The candidate with all that was seen with it for long enough.
    pub(super) fn with(&self, candidate: BBox) -> BBox {
        let sure = self.list.iter().filter(|known| known.seen_s >= BELONGS_AFTER_S);
        sure.fold(candidate, |all, known| all.union(&known.bbox.clamped()))
    }
}

fn is_of_a_stall(group: Group) -> bool {
    matches!(group, Group::Furniture | Group::Goods | Group::Stall)
}

/// It overlaps the candidate or stands right over it, and is no house front.
fn belongs(bbox: &BBox, candidate: &BBox) -> bool {
    let is_touching = candidate.buffered(TOUCHES).intersection(bbox) > 0.0;
    let is_in_line = bbox.x < candidate.x + candidate.w && candidate.x < bbox.x + bbox.w;
    is_touching && is_in_line && bbox.area() <= LARGEST * candidate.area().max(f32::EPSILON)
}

/// Each new look counts for a quarter: a box that trembles stands still.
fn mean(old: &BBox, new: &BBox) -> BBox {
    let mixed = |old: f32, new: f32| old + (new - old) / 4.0;
    BBox { x: mixed(old.x, new.x), y: mixed(old.y, new.y), w: mixed(old.w, new.w), h: mixed(old.h, new.h) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: BBox = BBox { x: 0.4, y: 0.6, w: 0.1, h: 0.08 };
    const PARASOL: BBox = BBox { x: 0.37, y: 0.45, w: 0.16, h: 0.14 };

    fn seen(group: Group, bbox: BBox) -> Detection {
        Detection { label: "thing".into(), group, confidence: 0.5, bbox }
    }

    fn after(frames: usize, detections: &[Detection]) -> BBox {
        let mut belongings = Belongings::default();
        (0..frames).for_each(|_| belongings.sample(0.2, &TABLE, detections));
        belongings.with(TABLE)
    }

    #[test]
    fn a_parasol_over_the_table_belongs_to_it_once_it_has_been_seen_for_a_while() {
        let parasol = [seen(Group::Furniture, PARASOL)];
        assert_eq!(after(3, &parasol), TABLE, "half a second proves nothing");
        let both = after(40, &parasol);
        assert!((both.y - PARASOL.y).abs() < 1e-3 && (both.y + both.h - (TABLE.y + TABLE.h)).abs() < 1e-3);
        assert!((both.x - PARASOL.x).abs() < 1e-3 && (both.w - PARASOL.w).abs() < 1e-3);
    }

    #[test]
    fn people_vehicles_the_neighbour_and_the_house_do_not_belong_to_it() {
        let beside = BBox { x: 0.7, y: 0.6, w: 0.1, h: 0.1 };
        let house = BBox { x: 0.0, y: 0.0, w: 1.0, h: 0.9 };
        for strange in [
            seen(Group::Person, PARASOL),
            seen(Group::Vehicle, PARASOL),
            seen(Group::Waste, PARASOL),
            seen(Group::Goods, beside),
            seen(Group::Stall, house),
        ] {
            assert_eq!(after(100, std::slice::from_ref(&strange)), TABLE, "{strange:?}");
        }
    }

    #[test]
    fn what_is_carried_away_stops_to_belong_and_the_list_is_bounded() {
        let mut belongings = Belongings::default();
        (0..50).for_each(|_| belongings.sample(0.2, &TABLE, &[seen(Group::Goods, PARASOL)]));
        assert_ne!(belongings.with(TABLE), TABLE);
        (0..150).for_each(|_| belongings.sample(0.2, &TABLE, &[]));
        assert_eq!(belongings.with(TABLE), TABLE);
        let many: Vec<Detection> = (0..100)
            .map(|i| seen(Group::Goods, BBox { x: 0.38 + 0.001 * i as f32, y: 0.6, w: 0.004, h: 0.01 }))
            .collect();
        (0..50).for_each(|_| belongings.sample(0.2, &TABLE, &many));
        assert!(belongings.list.len() <= MAX_BELONGINGS);
    }
}
