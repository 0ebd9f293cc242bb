//! A candidate: something that stands where nothing stood, made of one or more neighbouring static regions, and all that is
//! known of it. It becomes an incident or goes away. It must not know rules; `judge` asks it.

use kerbside_domain::detection::{CloseUp, Detection};
use kerbside_domain::frame::BBox;
use kerbside_domain::kind::Kind;
use kerbside_domain::time::Moment;

use super::attendance::Attendance;
use super::belongings::Belongings;
use super::labels::Labels;
use super::part::{Explained, Explanation, Part};
use super::refusal::RefusalLog;
use super::review::ReviewState;
use super::sight::{MOST_OF_IT, Sight};
use super::tuning::candidate::{EXPLAINED_SHARE, PRINCIPAL_SHARE};
use super::tuning::frames::MIN_DETECTIONS;
use super::warned::Warned;
use crate::tracker::Witness;

/// Something static that is no incident yet, or that an open incident stands on.
#[derive(Debug)]
pub(super) struct Candidate {
    /// Unique within its camera.
    pub(super) id: u32,
    /// Names it for good. The incident that it may become has another id where it goes on with one of before.
    pub(super) thing_id: String,
    /// Id of the incident that it may become.
    pub(super) incident_id: String,
    /// The id is that of an incident that was cleared here.
    pub(super) id_is_borrowed: bool,
    /// Packets are pinned for it.
    pub(super) is_pinned: bool,
    /// Whether the ring was reviewed for who brought it, and what it showed.
    pub(super) review: ReviewState,
    /// Never empty between two frames.
    pub(super) parts: Vec<Part>,
    pub(super) attendance: Attendance,
    pub(super) labels: Labels,
    /// The box has warned at the place.
    pub(super) warned: Option<Warned>,
    belongings: Belongings,
    /// What rules have said of it.
    pub(super) refusals: RefusalLog,
    /// How it looked when most of it was seen.
    pub(super) sight: Sight,
}

impl Candidate {
    /// `alone_s`: how long it is known to have been alone.
    pub(super) fn new(id: u32, incident_id: String, part: Part, alone_s: f64) -> Self {
        Candidate {
            id,
            sight: Sight::of(&part),
            thing_id: incident_id.clone(),
            incident_id,
            id_is_borrowed: false,
            is_pinned: false,
            review: ReviewState::default(),
            parts: vec![part],
            attendance: Attendance::new(alone_s),
            labels: Labels::default(),
            warned: None,
            belongings: Belongings::default(),
            refusals: RefusalLog::default(),
        }
    }

    pub(super) fn bbox(&self) -> BBox {
        let boxes = self.parts.iter().map(|p| p.seen.bbox);
        boxes.reduce(|a, b| a.union(&b)).unwrap_or_default()
    }

    /// What an officer calls the thing: of a stall also what belongs to it and is no static region of its own. Places are compared by
    /// [`Candidate::bbox`].
    pub(super) fn thing_box(&self, kind: Kind) -> BBox {
        match kind {
            Kind::StallOccupying | Kind::StallMobileVendor | Kind::ShopfrontOverflow => {
                self.belongings.with(self.bbox())
            }
            _ => self.bbox(),
        }
    }

    /// Share of the picture that really changed.
    pub(super) fn area_norm(&self) -> f32 {
        self.parts.iter().map(|p| p.seen.area_norm).sum()
    }

    /// Share of its box that really changed.
    pub(super) fn filled(&self) -> f32 {
        let area = self.bbox().area();
        if area > 0.0 { self.area_norm() / area } else { 0.0 }
    }

    /// Of the parts by age, the one with which the principal share of it stands.
    pub(super) fn principal(&self) -> Option<&Part> {
        let mut by_age: Vec<&Part> = self.parts.iter().collect();
        by_age.sort_by(|a, b| b.dwell_s.total_cmp(&a.dwell_s));
        let principal_area = PRINCIPAL_SHARE * self.area_norm();
        let mut area = 0.0;
        by_age.into_iter().find(|part| {
            area += part.seen.area_norm;
            area >= principal_area
        })
    }

    pub(super) fn appeared(&self) -> Moment {
        self.principal().map(|p| p.seen.appeared).unwrap_or_default()
    }

    pub(super) fn dwell_s(&self) -> f64 {
        self.principal().map_or(0.0, |p| p.dwell_s)
    }

    /// Mean over the parts, by their areas.
    pub(super) fn similarity(&self) -> f32 {
        let area = self.area_norm();
        let sum: f32 = self.parts.iter().map(|p| p.seen.similarity * p.seen.area_norm).sum();
        if area > 0.0 { sum / area } else { 0.0 }
    }

    /// Enough frames with detections to say what it is not.
    pub(super) fn is_sampled(&self) -> bool {
        self.parts.iter().any(|p| p.detections >= MIN_DETECTIONS)
    }

    pub(super) fn is_present(&self) -> bool {
        self.parts.iter().any(|p| p.present)
    }

    pub(super) fn is_in_the_open(&self) -> bool {
        self.parts.iter().any(Part::is_in_the_open)
    }

    /// The explanation that holds for every part; `None` as soon as one part has none.
    pub(super) fn explanation(&self, max_covered: f32) -> Option<Explanation> {
        let mut explanations = self.parts.iter().map(|p| p.explanation(max_covered));
        let first = explanations.next().flatten()?;
        explanations.all(|e| e.is_some()).then_some(first)
    }

    /// The same with what it rests on: that of the first part.
    pub(super) fn explained(&self, max_covered: f32) -> Option<Explained> {
        self.explanation(max_covered)?;
        self.parts.first().and_then(|part| part.explained(max_covered))
    }

    /// Whether people, vehicles or bare ground explain all of it, where no rule says otherwise.
    pub(super) fn is_explained(&self) -> bool {
        self.explanation(EXPLAINED_SHARE).is_some()
    }

    /// It was sampled, and nothing explains it.
    pub(super) fn is_unexplained(&self) -> bool {
        self.is_sampled() && !self.is_explained()
    }

    pub(super) fn witness(&self) -> Option<&Witness> {
        let of_any = self.parts.iter().find_map(|p| p.witness.as_ref());
        self.principal().and_then(|p| p.witness.as_ref()).or(of_any)
    }

    /// For this long in a row all of it has agreed with a person or vehicle, s.
    pub(super) fn same_as_mover_s(&self) -> f64 {
        self.parts.iter().map(|p| p.same_as_mover_s).fold(f64::INFINITY, f64::min)
    }

    /// What a frame called it, and what its close-up did if this candidate was in it.
    pub(super) fn sample_labels(&mut self, dt_s: f64, detections: &[Detection], close_up: Option<&CloseUp>) {
        let bbox = self.bbox();
        self.belongings.sample(dt_s, &bbox, detections);
        self.labels.sample_frame(dt_s, &bbox, detections);
        if let Some(close_up) = close_up {
            self.labels.sample_close_up(&bbox, close_up);
        }
    }
}

impl Candidate {
    /// A frame has been taken: what is to be remembered of how it looks?
    pub(super) fn update_sight(&mut self, at: Moment) {
        if !self.is_present() {
            return;
        }
        let (bbox, area_norm, dwell_s) = (self.bbox(), self.area_norm(), self.dwell_s());
        let is_explained = self.is_explained();
        let detections = self.parts.iter().map(|p| p.detections).max().unwrap_or_default();
        let is_bare_ground = self.parts.iter().all(Part::is_bare_ground);
        let (source, from) = match self.principal() {
            Some(part) => (part.seen.source, part.seen.appeared),
            None => (self.sight.source, self.sight.from),
        };
        let sight = &mut self.sight;
        if area_norm >= MOST_OF_IT * sight.area_norm {
            (sight.bbox, sight.source, sight.at, sight.from) = (bbox, source, at, from);
            sight.area_norm = sight.area_norm.max(area_norm);
        }
        sight.dwell_s = sight.dwell_s.max(dwell_s);
        sight.detections = sight.detections.max(detections);
        (sight.last, sight.is_explained, sight.is_bare_ground) = (at, is_explained, is_bare_ground);
    }
}

/// The candidates of one camera. At most [`MAX_CANDIDATES`](super::tuning::bounds::MAX_CANDIDATES) begin on their own; ids are never used
/// twice.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    list: Vec<Candidate>,
    last_id: u32,
}

impl Candidates {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Candidate> {
        self.list.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Candidate> {
        self.list.iter_mut()
    }

    /// In the order of their beginning, older first.
    pub(super) fn as_slice(&self) -> &[Candidate] {
        &self.list
    }

    pub(super) fn ids(&self) -> Vec<u32> {
        self.list.iter().map(|c| c.id).collect()
    }

    pub(super) fn get(&self, id: u32) -> Option<&Candidate> {
        self.list.iter().find(|c| c.id == id)
    }

    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut Candidate> {
        self.list.iter_mut().find(|c| c.id == id)
    }

    pub(super) fn parts_mut(&mut self) -> impl Iterator<Item = &mut Part> {
        self.list.iter_mut().flat_map(|c| &mut c.parts)
    }

    /// An id for a candidate that begins.
    pub(super) fn next_id(&mut self) -> u32 {
        self.last_id = self.last_id.wrapping_add(1);
        self.last_id
    }

    pub(super) fn push(&mut self, candidate: Candidate) {
        self.list.push(candidate);
    }

    pub(super) fn remove(&mut self, id: u32) -> Option<Candidate> {
        let index = self.list.iter().position(|c| c.id == id)?;
        Some(self.list.remove(index))
    }

    pub(super) fn take_all(&mut self) -> Vec<Candidate> {
        std::mem::take(&mut self.list)
    }

    /// Removes those whose parts have all gone.
    pub(super) fn take_empty(&mut self) -> Vec<Candidate> {
        self.list.extract_if(.., |c| c.parts.is_empty()).collect()
    }
}
