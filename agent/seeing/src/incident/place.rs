//! Places: when two boxes are about the same place, and who covers one.

use kerbside_domain::detection::Group;
use kerbside_domain::frame::BBox;

use super::tuning::place::{COVERED, INSIDE, MAX_SIZE_RATIO, NEIGHBOUR_BUFFER, SAME_PLACE_IOU};

/// A person or vehicle that may stand in front of something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mover {
    pub(super) group: Group,
    pub(super) bbox: BBox,
}

impl Mover {
    pub(super) fn new(group: Group, bbox: BBox) -> Option<Self> {
        matches!(group, Group::Person | Group::Vehicle).then_some(Mover { group, bbox })
    }
}

/// Which people or vehicles hide a box, if they cover most of it.
pub(super) fn covered_by(bbox: &BBox, movers: &[Mover]) -> Option<Group> {
    let share = |group: Group| -> f32 {
        let covered: f32 =
            movers.iter().filter(|m| m.group == group).map(|m| m.bbox.intersection(bbox)).sum();
        if bbox.area() > 0.0 { covered / bbox.area() } else { 0.0 }
    };
    let (people, vehicles) = (share(Group::Person), share(Group::Vehicle));
    if people + vehicles < COVERED {
        return None;
    }
    Some(if vehicles >= people { Group::Vehicle } else { Group::Person })
}

/// Boxes of one place: they overlap well, or one of similar size lies in the other.
pub(super) fn is_same_place(a: &BBox, b: &BBox) -> bool {
    let (smaller, larger) = (a.area().min(b.area()), a.area().max(b.area()));
    a.iou(b) >= SAME_PLACE_IOU || (larger <= MAX_SIZE_RATIO * smaller && is_nested(a, b))
}

/// The smaller box lies in the larger one.
pub(super) fn is_nested(a: &BBox, b: &BBox) -> bool {
    let smaller = a.area().min(b.area());
    smaller > 0.0 && a.intersection(b) >= INSIDE * smaller
}

/// `inner` lies in `outer`.
pub(super) fn lies_in(inner: &BBox, outer: &BBox) -> bool {
    outer.intersection(inner) >= INSIDE * inner.area()
}

/// Boxes so close to each other that they may be parts of one object.
pub(super) fn are_neighbours(a: &BBox, b: &BBox) -> bool {
    a.buffered(NEIGHBOUR_BUFFER).intersection(&b.buffered(NEIGHBOUR_BUFFER)) > 0.0
}
