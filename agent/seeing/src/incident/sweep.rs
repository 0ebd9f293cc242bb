//! The sweep: what lay there before anybody watched. The gate takes it for background for good, so the zones are gone over in
//! tiles with the close-up network: after each learning, after each time in which no picture came, and every hour.
//!
//! In rounds over at least a minute, each in tiles of another size and at other places: what passes by shows in few of them,
//! and what one tile cuts is whole in another. What the network suspects is looked at in tiles of its own, round after round;
//! only what it names there most of the time, at the same place, is found. The looks that are wanted next go to the camera's
//! line ([`Effect::Sweep`](super::effect::Effect)), which shows them to the network when that has nothing else to do. A look
//! that does not come is wanted again.

mod find;
mod tiles;

use kerbside_domain::detection::Group;
use kerbside_domain::frame::BBox;
use kerbside_domain::time::Mono;

pub(super) use self::find::Find;
use self::find::FindState;
use self::tiles::{Outline, Tile, is_whole, tiles};
use super::input::SweepLook;
use super::place::is_same_place;
use super::tuning::sweep::{
    AGAIN_AFTER_S, MAX_FINDS, MAX_PARTS, PARTS_PER_S, PERIOD_S, ROUND_EVERY_S, SEEN_FOR_S,
};
use super::warned::Warned;
use crate::rules::{REGION_SHARE, share_inside};

/// What is known of a place beside what the network says.
pub(super) struct Surroundings<'a> {
    pub(super) zones: Vec<&'a Outline>,
    /// Somebody stands in front of it right now.
    pub(super) is_hidden: &'a dyn Fn(&BBox) -> bool,
    /// What stands there is known already.
    pub(super) is_known: &'a dyn Fn(&BBox) -> bool,
    /// Somebody is near it.
    pub(super) is_attended: &'a dyn Fn(&BBox) -> bool,
}

/// The sweep of one camera.
#[derive(Debug)]
pub(super) struct Sweep {
    tiles: Vec<Tile>,
    finds: Vec<Find>,
    /// Looks that are awaited.
    asked: Vec<BBox>,
    asked_at: Option<Mono>,
    /// When the sweep under way began.
    began: Option<Mono>,
    /// When the last one was over; `None`: one is under way, or is to begin.
    finished: Option<Mono>,
    /// Every zone was swept since the background was learnt.
    is_swept: bool,
}

impl Sweep {
    pub(super) fn new<'a>(zones: impl Iterator<Item = &'a Outline>) -> Self {
        Sweep {
            tiles: tiles(zones),
            finds: Vec::new(),
            asked: Vec::new(),
            asked_at: None,
            began: None,
            finished: None,
            is_swept: false,
        }
    }

    /// Every zone was swept since the background was learnt. A camera without zones has nothing to sweep.
    pub(super) fn is_swept(&self) -> bool {
        self.is_swept || self.tiles.is_empty()
    }

    #[cfg(test)]
    pub(super) fn consider_swept(&mut self, at: Mono) {
        (self.is_swept, self.finished) = (true, Some(at));
    }

    /// Other zones are watched from now on.
    pub(super) fn set_zones<'a>(&mut self, zones: impl Iterator<Item = &'a Outline>) {
        self.tiles = tiles(zones);
        self.background_lost();
    }

    /// What stands in the background that is learnt next, what was put there while nobody watched, or what lies in other zones,
    /// is to be found.
    pub(super) fn background_lost(&mut self) {
        self.is_swept = false;
        // What no rule has reported yet was not seen meanwhile: its dwell begins anew.
        self.finds.retain(|find| find.state == FindState::Known);
        self.restart();
    }

    /// Places that are known stay so; what was nothing is looked at anew.
    fn restart(&mut self) {
        self.tiles.iter_mut().for_each(Tile::forget);
        self.finds.iter_mut().for_each(Find::forget);
        self.asked.clear();
        (self.began, self.finished) = (None, None);
    }

    /// The parts that shall be shown next, each once. `wanted`: places that are asked about right now.
    pub(super) fn next(&mut self, at: Mono, wanted: &[BBox]) -> Vec<BBox> {
        if self.finished.is_some_and(|finished| at.since_s(finished) >= PERIOD_S) {
            // What was found and waits for its rule goes on waiting.
            self.finds.retain(|find| find.state != FindState::Dismissed);
            self.restart();
        }
        let began = *self.began.get_or_insert(at);
        let since_s = self.asked_at.map_or(f64::INFINITY, |asked| at.since_s(asked));
        let is_awaited = !self.asked.is_empty() && since_s < AGAIN_AFTER_S;
        let most = ((since_s * PARTS_PER_S) as usize).min(MAX_PARTS);
        if is_awaited || most == 0 {
            return Vec::new();
        }
        let mut parts: Vec<BBox> = Vec::new();
        for part in self.due_parts(at, at.since_s(began), wanted) {
            if parts.len() == most {
                break;
            }
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
        if !parts.is_empty() {
            (self.asked, self.asked_at) = (parts.clone(), Some(at));
        }
        parts
    }

    fn due_parts(&self, at: Mono, since_s: f64, wanted: &[BBox]) -> impl Iterator<Item = BBox> {
        let is_wanted = move |find: &&Find| wanted.iter().any(|place| is_same_place(&find.bbox, place));
        let asked_about = self.finds.iter().filter(is_wanted).flat_map(Find::sure_parts);
        let of_finds = self.finds.iter().flat_map(move |find| find.due_parts(at));
        let is_due = move |tile: &&Tile| !tile.is_seen && f64::from(tile.round) * ROUND_EVERY_S <= since_s;
        let of_tiles = self.tiles.iter().filter(is_due).map(|tile| tile.part);
        asked_about.chain(of_finds).chain(of_tiles)
    }

    /// What the network saw in the parts of one frame. Returns what is gone.
    pub(super) fn looked(&mut self, at: Mono, looks: &[SweepLook], around: &Surroundings<'_>) -> Vec<Find> {
        for look in looks {
            self.asked.retain(|part| *part != look.asked);
            if let Some(tile) = self.tiles.iter_mut().find(|tile| !tile.is_seen && tile.part == look.asked) {
                tile.is_seen = true;
            }
            for find in &mut self.finds {
                match (around.is_hidden)(&find.bbox) {
                    true => find.hidden(at, look),
                    false => find.looked(at, look, (around.is_attended)(&find.bbox)),
                }
            }
            self.suspect(at, look, around);
        }
        self.settle(at)
    }

    /// What the network names in a tile and nobody knows yet is looked at from now on.
    fn suspect(&mut self, at: Mono, look: &SweepLook, around: &Surroundings<'_>) {
        for object in &look.detections {
            let is_in_a_zone = || around.zones.iter().any(|z| share_inside(z, &object.bbox) >= REGION_SHARE);
            let is_suspected = matches!(object.group, Group::Waste | Group::Stall)
                && is_whole(&object.bbox, &look.part)
                && is_in_a_zone()
                && !self.finds.iter().any(|find| find.is_about(object))
                && !(around.is_hidden)(&object.bbox)
                && !(around.is_known)(&object.bbox);
            if is_suspected && self.has_room_for(object.confidence) {
                self.finds.push(Find::new(object.clone(), at));
            }
        }
    }

    /// The least of what was nothing gives way to what is suspected more: specks never drive out each other in turns.
    fn has_room_for(&mut self, score: f32) -> bool {
        if self.finds.len() >= MAX_FINDS {
            let dismissed = self.finds.iter().enumerate().filter(|(_, f)| f.state == FindState::Dismissed);
            let weaker = dismissed.filter(|(_, f)| f.object.confidence < score);
            let least = weaker.min_by(|a, b| a.1.object.confidence.total_cmp(&b.1.object.confidence));
            if let Some(least) = least.map(|(index, _)| index) {
                self.finds.remove(least);
            }
        }
        self.finds.len() < MAX_FINDS
    }

    /// What is nothing is dismissed, what is gone is forgotten, and when nothing is in question any more the sweep is over.
    fn settle(&mut self, at: Mono) -> Vec<Find> {
        self.finds.iter_mut().for_each(|find| find.settle(at));
        let gone = self.finds.extract_if(.., |find| find.is_gone()).collect();
        let are_settled = self.finds.iter().all(|find| find.is_settled(at));
        let is_over = self.tiles.iter().all(|tile| tile.is_seen) && are_settled;
        if is_over && self.finished.is_none() {
            (self.is_swept, self.finished) = (true, Some(at));
        }
        gone
    }

    /// What was found, is there still and is not known yet: its index.
    pub(super) fn found(&self, at: Mono) -> Vec<usize> {
        let is_new = |find: &Find| find.state == FindState::Open && find.is_found() && find.is_fresh(at);
        self.finds.iter().enumerate().filter(|(_, find)| is_new(find)).map(|(index, _)| index).collect()
    }

    pub(super) fn find(&self, index: usize) -> Option<&Find> {
        self.finds.get(index)
    }

    pub(super) fn find_mut(&mut self, index: usize) -> Option<&mut Find> {
        self.finds.get_mut(index)
    }

    /// The warnings of which no case was made yet.
    pub(super) fn warned_mut(&mut self) -> impl Iterator<Item = &mut Warned> {
        self.finds.iter_mut().filter_map(|find| find.warned.as_mut())
    }

    /// It is reported, or something that is reported stands there: what was warned of is the incident's from now on.
    pub(super) fn know(&mut self, index: usize) -> Option<Warned> {
        let find = self.finds.get_mut(index)?;
        find.state = FindState::Known;
        find.warned.take()
    }

    /// What was known at a place is gone: what is found there next is something else.
    pub(super) fn forget_place(&mut self, bbox: &BBox) {
        self.finds.retain(|find| find.state != FindState::Known || !is_same_place(&find.bbox, bbox));
    }

    /// Whether the network named what stands at a place just now.
    pub(super) fn sees(&self, bbox: &BBox, at: Mono) -> bool {
        let is_fresh = |hit: Mono| at.since_s(hit) <= SEEN_FOR_S;
        self.finds.iter().any(|find| is_same_place(&find.bbox, bbox) && find.last_hit.is_some_and(is_fresh))
    }
}
