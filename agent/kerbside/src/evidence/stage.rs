//! The stage: what the core asks of it, and when each thing is done.

use std::collections::BTreeMap;
use std::path::PathBuf;

use kerbside_domain::evidence::{EvidenceItem, EvidenceOutcome, EvidenceRequest, EvidenceRole};
use kerbside_domain::frame::CameraIx;
use kerbside_domain::time::Mono;
use kerbside_media::clip::ClipMaker;

use super::box_signer::Signing;
use super::camera::{EvidenceCamera, Held};
use super::manifest::{self, ClipSpan};
use super::officer::Officer;
use super::pins::Pins;
use super::room::{Room, Watermark};
use super::seal::Sealer;
use super::shortfall::{self, Shortfall};
use super::tuning::{MAX_WAITING_CLIPS, POST_ROLL_GRACE_S};
use crate::why::{Shelf, ShelfCounters};

/// Counters for the metrics page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EvidenceCounters {
    pub pictures: u64,
    pub clips: u64,
    /// Things that were requested and could not be made.
    pub failures: u64,
    /// Clips made shorter because too many waited.
    pub degraded: u64,
    /// Pictures and clips that were signed.
    pub signed: u64,
    /// Those that could not be.
    pub unsigned: u64,
    /// Pins dropped to stay within their bounds.
    pub pins_dropped: u64,
    /// Files that were read again, ever.
    pub scrubbed: u64,
    /// Files that are not as they were written.
    pub damaged: u64,
    /// What was no incident.
    pub shelf: ShelfCounters,
}

/// The stage's state. The thread of [`super::spawn`] drives it live, a replay calls it inline.
pub struct Evidence {
    pub(super) dir: PathBuf,
    pub(super) edge_id: String,
    pub(super) utc_offset_s: i32,
    cameras: Vec<EvidenceCamera>,
    pub(super) make_clip: ClipMaker,
    pub(super) pins: Pins,
    waiting_clips: Vec<EvidenceRequest>,
    pub(super) counters: EvidenceCounters,
    /// `None`: the disk is not shared with reports.
    watermark: Option<Watermark>,
    /// `None`: nothing is signed.
    pub(super) signing: Option<Signing>,
    /// What could not be signed since the last outcome.
    pub(super) unsigned: Vec<Shortfall>,
    /// `None`: manifests are not signed.
    sealer: Option<Sealer>,
    /// Where what was no incident is kept; `None`: nowhere.
    pub(super) shelf: Option<Shelf>,
    /// When a picture was last made for it.
    pub(super) refused_pictured: Option<Mono>,
    /// `None`: no close-ups, no sheets, nothing is masked.
    pub(super) officer: Option<Officer>,
}

impl std::fmt::Debug for Evidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (dir, pins, waiting) = (self.dir.display(), self.pins.len(), self.waiting_clips.len());
        write!(f, "Evidence({dir}, {pins} pins, {waiting} waiting)")
    }
}

impl Evidence {
    /// `dir`: the evidence folder; created with the first file. `cameras` in the order of their indices.
    pub fn new(
        dir: PathBuf,
        edge_id: String,
        utc_offset_s: i32,
        cameras: Vec<EvidenceCamera>,
        make_clip: ClipMaker,
    ) -> Self {
        Evidence {
            dir,
            edge_id,
            utc_offset_s,
            cameras,
            make_clip,
            pins: Pins::default(),
            waiting_clips: Vec::new(),
            counters: EvidenceCounters::default(),
            watermark: None,
            signing: None,
            unsigned: Vec::new(),
            sealer: None,
            shelf: None,
            refused_pictured: None,
            officer: None,
        }
    }

    /// Signs every manifest.
    pub fn with_sealer(self, sealer: Option<Sealer>) -> Self {
        Evidence { sealer, ..self }
    }

    /// Keeps what was no incident.
    pub fn with_shelf(self, shelf: Shelf) -> Self {
        Evidence { shelf: Some(shelf), ..self }
    }

    /// Makes close-ups, sheets and masked copies.
    pub fn with_officer(self, officer: Officer) -> Self {
        Evidence { officer: Some(officer), ..self }
    }

    /// Leaves room on the disk to the reports.
    pub fn with_watermark(self, watermark: Watermark) -> Self {
        Evidence { watermark: Some(watermark), ..self }
    }

    /// Signs every picture and clip.
    pub fn with_signing(self, signing: Signing) -> Self {
        Evidence { signing: Some(signing), ..self }
    }

    pub fn counters(&self) -> EvidenceCounters {
        EvidenceCounters { pins_dropped: self.pins.dropped(), shelf: self.shelf_counters(), ..self.counters }
    }

    /// Pins the packets of a span for a candidate, under the id that its incident will have.
    pub fn pin(&mut self, incident_id: String, camera: CameraIx, from: Mono, to: Mono) {
        self.pins.pin(incident_id, camera, from, to);
        self.take_pinned(false);
        self.pins.enforce_bounds();
    }

    /// The candidate came to nothing.
    pub fn unpin(&mut self, incident_id: &str) {
        self.pins.unpin(incident_id);
    }

    /// Makes the pictures of a request now, and its clip as soon as its span has passed.
    pub fn request(&mut self, request: EvidenceRequest) -> Vec<EvidenceOutcome> {
        self.take_pinned(false);
        let pictures = self.pictures(&request);
        let mut outcomes = vec![pictures];
        if request.clip.is_some() {
            self.waiting_clips.push(request);
        }
        if self.waiting_clips.len() > MAX_WAITING_CLIPS {
            self.counters.degraded += 1;
            let oldest = self.waiting_clips.remove(0);
            outcomes.push(self.clip(&oldest, Some(Shortfall::ClipCutShort)));
        }
        outcomes
    }

    /// Makes every clip whose span has passed by `now`.
    pub fn poll(&mut self, now: Mono) -> Vec<EvidenceOutcome> {
        self.take_pinned(false);
        let waiting = std::mem::take(&mut self.waiting_clips);
        let (due, waiting): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|r| self.is_clip_due(r, now));
        self.waiting_clips = waiting;
        due.iter().map(|request| self.clip(request, None)).collect()
    }

    /// No more packets come: every waiting clip is made of what there is.
    pub fn finish(&mut self) -> Vec<EvidenceOutcome> {
        self.take_pinned(true);
        let waiting = std::mem::take(&mut self.waiting_clips);
        waiting.iter().map(|request| self.clip(request, None)).collect()
    }

    /// [`Evidence::poll`] has something to wait for.
    pub fn has_work(&self) -> bool {
        !self.waiting_clips.is_empty() || self.pins.has_open_span()
    }

    fn is_clip_due(&self, request: &EvidenceRequest, now: Mono) -> bool {
        let Some((from, to)) = request.clip else { return true };
        let end = self.camera(request.camera).and_then(|c| c.end_of_span(from.mono, to.mono));
        end.is_some() || now >= to.mono.plus_s(POST_ROLL_GRACE_S)
    }

    fn take_pinned(&mut self, ended: bool) {
        self.pins.take_from(&self.cameras, ended);
    }

    pub(super) fn set_box_point(&mut self, at: Mono, point: (f64, f64), accuracy_m: f64) {
        if let Some(officer) = &mut self.officer {
            officer.set_box_point(at, point, accuracy_m);
        }
    }

    pub(super) fn set_zones(&mut self, camera: CameraIx, zones: BTreeMap<String, Vec<(f32, f32)>>) {
        if let Some(camera) = self.cameras.get_mut(usize::from(camera.0)) {
            camera.zones = zones;
        }
    }

    pub(super) fn camera(&self, camera: CameraIx) -> Option<&EvidenceCamera> {
        self.cameras.get(usize::from(camera.0))
    }

    /// The packets pinned for what the request is about.
    pub(super) fn pinned(&self, request: &EvidenceRequest) -> Option<Held> {
        self.pins.packets(request.subject.incident_id()?)
    }

    /// It is of the smaller stream of a camera that has a larger one.
    pub(super) fn is_second_best(&self, request: &EvidenceRequest, held: &Held) -> bool {
        !held.is_main && self.camera(request.camera).is_some_and(|c| c.main.is_some())
    }

    pub(super) fn room(&self) -> Room {
        self.watermark.as_ref().map_or(Room::All, Watermark::room)
    }

    /// Writes the manifest of what was made, and says what was not.
    pub(super) fn outcome(
        &mut self,
        request: &EvidenceRequest,
        answers: Vec<EvidenceRole>,
        mut items: Vec<EvidenceItem>,
        mut shortfalls: Vec<Shortfall>,
        clip: Option<ClipSpan>,
    ) -> EvidenceOutcome {
        self.counters.failures += shortfalls.len() as u64;
        shortfalls.append(&mut self.unsigned);
        if !items.is_empty() {
            let camera_id = self.camera(request.camera).map_or("?", |c| c.id.as_str());
            let (edge_id, utc_offset_s, sealer) = (&self.edge_id, self.utc_offset_s, self.sealer.as_ref());
            let head = manifest::Head { edge_id, camera_id, utc_offset_s, sealer };
            match manifest::extend(&self.dir, request, &head, &items, clip, &mut shortfalls) {
                Ok(item) => items.push(item),
                Err(error) => shortfalls.push(Shortfall::Manifest(error)),
            }
        }
        EvidenceOutcome {
            subject: request.subject.clone(),
            revision: request.revision,
            answers,
            items,
            shortfall: shortfall::text(&shortfalls),
        }
    }
}
