//! Keeping packets for candidates: a dwell of minutes outlives the ring, and the leaving is what an officer wants to see.

use kerbside_domain::frame::BBox;
use kerbside_domain::time::Moment;

use super::Effect;
use super::camera::{CameraCore, is_about};
use super::id::Birth;
use super::life::{Standing, StepContext};
use super::spot::{EXPLAINED_SHARE, Part, Spot};

/// A thing that is explained (a parked car) for so long will hardly become an incident: its packets may go.
const KEEP_EXPLAINED_S: f64 = 120.0;
/// The picture before is taken this long before the first change was seen.
const BEFORE_S: f64 = 2.0;

/// The span that shows how a thing appeared: kept for candidates, cut for incidents.
pub(super) fn span(appeared: Moment, voice: &StepContext<'_>) -> (Moment, Moment) {
    (appeared.minus_s(voice.settings.pre_s), appeared.at(appeared.mono.plus_s(voice.settings.post_s)))
}

/// The moment of the picture before: within the span, before the first change.
pub(super) fn before(appeared: Moment, voice: &StepContext<'_>) -> Moment {
    appeared.minus_s(BEFORE_S.min(voice.settings.pre_s))
}

impl CameraCore {
    /// A new spot, with an id and its packets kept, unless it stands where an incident is open already.
    pub(super) fn begin(&mut self, part: Part, alone_s: f64, at: Moment, voice: &mut StepContext<'_>) {
        let (bbox, appeared) = (part.seen.bbox, part.seen.appeared);
        let past = self.id_of_past(&bbox);
        let borrowed = past.is_some();
        self.next_spot = self.next_spot.wrapping_add(1);
        let nth = self.next_spot;
        let incident_id = past.unwrap_or_else(|| self.new_id(nth, &bbox, appeared, at, voice));
        let mut spot = Spot::new(self.next_spot, incident_id, part, alone_s);
        spot.borrowed = borrowed;
        let again = self.open.iter().any(|i| is_about(i, &bbox));
        if !again {
            self.keep(&mut spot, appeared, voice);
        }
        self.spots.push(spot);
    }

    /// The incident that was cleared here and may reappear.
    fn id_of_past(&self, bbox: &BBox) -> Option<String> {
        let past = self.past.iter().rev().find(|i| i.standing == Standing::Cleared && is_about(i, bbox))?;
        let id = &past.report.incident_id;
        let taken = self.spots.iter().any(|s| &s.incident_id == id);
        (!taken).then(|| id.clone())
    }

    pub(super) fn new_id(
        &self,
        nth: u32,
        bbox: &BBox,
        appeared: Moment,
        at: Moment,
        voice: &StepContext<'_>,
    ) -> String {
        let birth = Birth {
            edge_id: &voice.settings.edge_id,
            camera_id: &self.config.id,
            first_seen_ms: appeared.wall_ms,
            noticed_ms: at.wall_ms,
            nth,
            bbox: *bbox,
        };
        birth.ulid()
    }

    fn keep(&self, spot: &mut Spot, appeared: Moment, voice: &mut StepContext<'_>) {
        let (from, to) = span(appeared, voice);
        spot.kept = true;
        let (incident_id, camera) = (spot.incident_id.clone(), self.config.ix);
        voice.effects.push(Effect::Pin { incident_id, camera, from, to });
    }

    /// Gives the spot the id under which it will be reported, and its packets with it. Another spot that has borrowed that id gets
    /// one of its own.
    pub(super) fn rename(
        &mut self,
        index: usize,
        incident_id: String,
        at: Moment,
        voice: &mut StepContext<'_>,
    ) {
        let mut spot = self.spots[index].clone();
        if spot.incident_id == incident_id {
            return;
        }
        if let Some(other) = self.spots.iter().position(|s| s.incident_id == incident_id) {
            let borrower = &self.spots[other];
            let fresh = self.new_id(borrower.id, &borrower.bbox(), borrower.appeared(), at, voice);
            self.rename(other, fresh, at, voice);
        }
        let mut old = std::mem::replace(&mut spot.incident_id, incident_id);
        spot.borrowed = false;
        if spot.kept {
            let appeared = spot.appeared();
            self.keep(&mut spot, appeared, voice);
            std::mem::swap(&mut spot.incident_id, &mut old);
            release(&mut spot, voice);
            std::mem::swap(&mut spot.incident_id, &mut old);
            spot.kept = true;
        }
        self.spots[index] = spot;
    }

    /// Gives back what was kept for things that are explained and stay so.
    pub(super) fn release_explained(&mut self, voice: &mut StepContext<'_>) {
        for spot in &mut self.spots {
            if spot.dwell_s() >= KEEP_EXPLAINED_S && spot.explained(EXPLAINED_SHARE).is_some() {
                release(spot, voice);
            }
        }
    }
}

pub(super) fn release(spot: &mut Spot, voice: &mut StepContext<'_>) {
    if std::mem::take(&mut spot.kept) {
        voice.effects.push(Effect::Unpin { incident_id: spot.incident_id.clone() });
    }
}
