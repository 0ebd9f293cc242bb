//! Evidence: pictures, clip and manifest of an incident, durable before anything names them (invariant 8).
//!
//! Nothing is decoded here: a [`ClipJob`] goes to a child process (`kerbside_media::clip`) that writes files under temporary names;
//! this stage makes them durable, hashes them and writes the manifest. Early beats rich: pictures are handed on as soon as
//! they are durable, the clip when its post-roll has passed.
//!
//! What lies in the packet ring when a candidate appears is gone when its dwell ends, so the core asks to [`Evidence::keep`]
//! those packets; they are shared with the ring (no copy) and bounded in number and bytes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use kerbside_domain::evidence::{EvidenceItem, EvidenceOutcome, EvidenceRequest, EvidenceRole};
use kerbside_domain::frame::{CameraIx, Packet, StreamInfo};
use kerbside_domain::time::{Moment, Mono};
use kerbside_media::ring::PacketRing;

use kerbside_media::clip::{ClipJob, ClipMaker, StillJob};
use kerbside_media::picture::Drawing;

mod files;
mod hold;
mod manifest;
mod retention;
mod room;
mod worker;

pub use files::FileError;
pub use hold::hold;
pub use manifest::{Manifest, ManifestItem};
pub use retention::{Pruned, Retention, Spared};
pub use room::{Room, Watermark};
pub use worker::{Order, Worker, spawn};

/// Keeps held at once; the oldest goes first.
const MAX_KEEPS: usize = 32;
/// Packet bytes held by all keeps together.
const MAX_KEEP_BYTES: usize = 64 << 20;
/// Requests whose clip waits for its post-roll; beyond it the oldest is cut at once, shorter, and says so.
const MAX_WAITING: usize = 16;
/// A clip waits at most this long beyond its end for packets that do not come.
const POST_ROLL_GRACE_S: f64 = 5.0;
const NEARLY_FULL: &str = "the disk is nearly full";
/// Largest picture (contract: still first, at most 200 KB).
const MAX_PICTURE_BYTES: u64 = 200_000;

/// What a camera contributes: its ring, and what is drawn and written about it.
#[derive(Clone, Debug)]
pub struct CameraSource {
    pub id: String,
    pub ring: Arc<Mutex<PacketRing>>,
    pub zones: BTreeMap<String, Vec<(f32, f32)>>,
}

impl CameraSource {
    pub fn of(camera: &kerbside_site::config::Camera, ring: Arc<Mutex<PacketRing>>) -> Self {
        let zones = camera.zones.iter().map(|z| (z.id.clone(), z.polygon_norm.clone())).collect();
        CameraSource { id: camera.id.clone(), ring, zones }
    }
}

#[derive(Debug)]
struct Keep {
    camera: CameraIx,
    from: Mono,
    to: Mono,
    held: Option<(StreamInfo, Vec<Packet>)>,
}

impl Keep {
    fn bytes(&self) -> usize {
        self.held.as_ref().map_or(0, |(_, packets)| packets.iter().map(|p| p.data.len()).sum())
    }
}

/// How much of a span these packets show, s.
fn shown_s(packets: &[Packet], from: Mono, to: Mono) -> f64 {
    let ends = packets.first().zip(packets.last());
    ends.map_or(0.0, |(first, last)| last.at.mono.min(to).since_s(first.at.mono.max(from)).max(0.0))
}

/// Counters for the metrics page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub pictures: u64,
    pub clips: u64,
    pub failures: u64,
    /// Clips cut short because too many waited.
    pub degraded: u64,
    pub keeps_dropped: u64,
}

/// The stage's state; [`worker`] gives it a thread, replay calls it inline.
pub struct Evidence {
    dir: PathBuf,
    edge_id: String,
    utc_offset_s: i32,
    cameras: Vec<CameraSource>,
    make_clip: ClipMaker,
    keeps: BTreeMap<String, Keep>,
    waiting: Vec<EvidenceRequest>,
    counters: Counters,
    /// Where the disk is shared with reports.
    watermark: Option<Watermark>,
}

impl std::fmt::Debug for Evidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Evidence({}, {} keeps, {} waiting)",
            self.dir.display(),
            self.keeps.len(),
            self.waiting.len()
        )
    }
}

impl Evidence {
    /// `dir`: the evidence folder; created with the first file.
    pub fn new(
        dir: PathBuf,
        edge_id: String,
        utc_offset_s: i32,
        cameras: Vec<CameraSource>,
        make_clip: ClipMaker,
    ) -> Self {
        Evidence {
            dir,
            edge_id,
            utc_offset_s,
            cameras,
            make_clip,
            keeps: BTreeMap::new(),
            waiting: Vec::new(),
            counters: Counters::default(),
            watermark: None,
        }
    }

    /// Leaves room on the disk to the reports.
    pub fn with_watermark(self, watermark: Watermark) -> Self {
        Evidence { watermark: Some(watermark), ..self }
    }

    fn room(&self) -> Room {
        self.watermark.as_ref().map_or(Room::All, Watermark::room)
    }

    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Holds the packets of a span for a candidate, under the id its incident will have.
    pub fn keep(&mut self, incident_id: String, camera: CameraIx, from: Mono, to: Mono) {
        // A candidate that got another name: the ring may have lost by now what was kept under the old one.
        let same = |k: &&Keep| k.camera == camera && k.from == from && k.to == to;
        let held = self.keeps.values().find(same).and_then(|k| k.held.clone());
        self.keeps.insert(incident_id, Keep { camera, from, to, held });
        self.hold_ripe(false);
        self.bound_keeps();
    }

    /// The candidate came to nothing.
    pub fn release(&mut self, incident_id: &str) {
        self.keeps.remove(incident_id);
    }

    /// Makes the pictures of a request now, and its clip as soon as its span has passed.
    pub fn request(&mut self, request: EvidenceRequest) -> Vec<EvidenceOutcome> {
        self.hold_ripe(false);
        let pictures = self.pictures(&request);
        let mut outcomes = vec![pictures];
        if request.clip.is_some() {
            self.waiting.push(request);
        }
        if self.waiting.len() > MAX_WAITING {
            self.counters.degraded += 1;
            let oldest = self.waiting.remove(0);
            outcomes.push(self.clip(oldest, Some("clip cut short: too many waited")));
        }
        outcomes
    }

    /// Cuts every clip whose span has passed by `now`.
    pub fn poll(&mut self, now: Mono) -> Vec<EvidenceOutcome> {
        self.hold_ripe(false);
        let (ripe, waiting) =
            std::mem::take(&mut self.waiting).into_iter().partition(|r| self.is_ripe(r, now));
        self.waiting = waiting;
        let ripe: Vec<EvidenceRequest> = ripe;
        ripe.into_iter().map(|request| self.clip(request, None)).collect()
    }

    /// The line has ended: every waiting clip is cut from what there is.
    pub fn finish(&mut self) -> Vec<EvidenceOutcome> {
        self.hold_ripe(true);
        let waiting = std::mem::take(&mut self.waiting);
        waiting.into_iter().map(|request| self.clip(request, None)).collect()
    }

    /// When [`Evidence::poll`] has something to do next.
    pub fn has_work(&self) -> bool {
        !self.waiting.is_empty() || self.keeps.values().any(|k| k.held.is_none())
    }

    fn is_ripe(&self, request: &EvidenceRequest, now: Mono) -> bool {
        let Some((_, to)) = request.clip else { return true };
        let latest = self.source(request.camera).and_then(|c| c.ring.lock().latest());
        latest.is_some_and(|latest| latest.mono >= to.mono) || now >= to.mono.plus_s(POST_ROLL_GRACE_S)
    }

    fn source(&self, camera: CameraIx) -> Option<&CameraSource> {
        self.cameras.get(usize::from(camera.0))
    }

    /// Takes the packets of keeps whose span the ring has reached; all of them when the line has ended.
    fn hold_ripe(&mut self, ended: bool) {
        for keep in self.keeps.values_mut().filter(|k| k.held.is_none()) {
            let Some(source) = self.cameras.get(usize::from(keep.camera.0)) else { continue };
            let ring = source.ring.lock();
            if ended || ring.latest().is_some_and(|latest| latest.mono >= keep.to) {
                keep.held = ring.span(keep.from, keep.to).map(|s| (s.stream, s.packets));
            }
        }
    }

    fn bound_keeps(&mut self) {
        let bytes = |keeps: &BTreeMap<String, Keep>| keeps.values().map(Keep::bytes).sum::<usize>();
        while self.keeps.len() > MAX_KEEPS || bytes(&self.keeps) > MAX_KEEP_BYTES {
            // Incident ids begin with their time, so the first is the oldest.
            if self.keeps.pop_first().is_none() {
                break;
            }
            self.counters.keeps_dropped += 1;
        }
    }

    /// Packets around `at`: the keep if it covers the moment, else the ring.
    fn packets_at(&self, request: &EvidenceRequest, at: Mono) -> Option<(StreamInfo, Vec<Packet>)> {
        let covers = |packets: &[Packet]| {
            packets.first().is_some_and(|p| p.at.mono <= at)
                && packets.last().is_some_and(|p| p.at.mono >= at)
        };
        if let Some((info, packets)) = self.keeps.get(&request.subject.set_id()).and_then(|k| k.held.clone())
            && covers(&packets)
        {
            return Some((info, packets));
        }
        // The frame at `at` needs its group of pictures from the key frame on, and nothing after.
        self.source(request.camera)?.ring.lock().span(at, at).map(|s| (s.stream, s.packets))
    }

    fn pictures(&mut self, request: &EvidenceRequest) -> EvidenceOutcome {
        let mut items = Vec::new();
        let mut missing = Vec::new();
        let full = self.room() == Room::NoPictures;
        if full {
            missing.push(format!("pictures: {NEARLY_FULL}"));
        }
        for (at, roles) in moments(request).into_iter().filter(|_| !full) {
            let names = || roles.iter().map(|role| files::role_name(*role)).collect::<Vec<_>>().join(", ");
            match self.pictures_at(request, at, &roles) {
                Ok(made) => {
                    for (role, made) in roles.iter().zip(made) {
                        match made {
                            Ok(item) => items.push(item),
                            Err(why) => missing.push(format!("{}: {why}", files::role_name(*role))),
                        }
                    }
                }
                Err(why) => missing.push(format!("{}: {why}", names())),
            }
        }
        let answers = request.roles.iter().copied().filter(|role| is_picture(*role)).collect();
        self.outcome(request, answers, items, missing, None)
    }

    /// The pictures of one moment, cut together.
    fn pictures_at(
        &mut self,
        request: &EvidenceRequest,
        at: Moment,
        roles: &[EvidenceRole],
    ) -> Result<Vec<Result<EvidenceItem, String>>, String> {
        let (stream, packets) =
            self.packets_at(request, at.mono).ok_or("the ring no longer holds that moment")?;
        let shown = packets.iter().filter(|p| p.at.mono <= at.mono).max_by_key(|p| p.pts);
        let shown = shown.or(packets.first()).ok_or("no packets")?;
        let (pts, captured) = (shown.pts, shown.at);
        let places: Vec<files::Place> = roles
            .iter()
            .map(|role| files::Place::new(&self.dir, request, *role, self.utc_offset_s))
            .collect();
        places.iter().try_for_each(files::Place::prepare).map_err(|e| e.to_string())?;
        let picture = |(place, role): (&files::Place, &EvidenceRole)| StillJob {
            pts,
            path: place.temporary(),
            max_bytes: MAX_PICTURE_BYTES,
            drawings: self.marks(request, *role, captured),
        };
        let pictures = places.iter().zip(roles).map(picture).collect();
        let done = (self.make_clip)(&ClipJob { stream, packets, clip: None, stills: pictures })?;
        let mut results = done.stills.into_iter();
        let made = places.iter().map(|place| {
            results.next().unwrap_or_else(|| Err("the cutter gave no picture".into()))?;
            self.counters.pictures += 1;
            place.adopt(captured).map_err(|e| e.to_string())
        });
        Ok(made.collect())
    }

    fn clip(&mut self, request: EvidenceRequest, shortfall: Option<&str>) -> EvidenceOutcome {
        let mut items = Vec::new();
        let mut missing: Vec<String> = shortfall.map(str::to_owned).into_iter().collect();
        let mut span = None;
        match self.cut_clip(&request) {
            Ok((item, clip_span)) => {
                items.push(item);
                span = Some(clip_span);
            }
            Err(why) => missing.push(format!("clip: {why}")),
        }
        self.keeps.remove(&request.subject.set_id());
        self.outcome(&request, vec![EvidenceRole::Clip], items, missing, span)
    }

    fn cut_clip(&mut self, request: &EvidenceRequest) -> Result<(EvidenceItem, manifest::Span), String> {
        let (from, to) = request.clip.ok_or("no clip was asked for")?;
        if self.room() != Room::All {
            return Err(NEARLY_FULL.to_owned());
        }
        let kept = self.keeps.get(&request.subject.set_id()).and_then(|k| k.held.clone());
        let in_ring = self
            .source(request.camera)
            .and_then(|c| c.ring.lock().span(from.mono, to.mono))
            .map(|s| (s.stream, s.packets));
        // What was kept may be about an earlier change at this place: the one that shows more of the span, else the kept.
        let shown_s = |found: &(StreamInfo, Vec<Packet>)| shown_s(&found.1, from.mono, to.mono);
        let better = in_ring.into_iter().chain(kept).max_by(|a, b| shown_s(a).total_cmp(&shown_s(b)));
        let (stream, packets) = better.ok_or("the ring no longer holds that span")?;
        let (first, last) = match (packets.first(), packets.last()) {
            (Some(first), Some(last)) => (first.at, last.at),
            _ => return Err("no packets".into()),
        };
        let span = manifest::Span::of(&stream, &packets, first, last, self.utc_offset_s);
        let place = files::Place::new(&self.dir, request, EvidenceRole::Clip, self.utc_offset_s);
        place.prepare().map_err(|e| e.to_string())?;
        let job = ClipJob { stream, packets, clip: Some(place.temporary()), stills: Vec::new() };
        let done = (self.make_clip)(&job)?;
        if !done.clip_written {
            return Err("the cutter wrote no clip".into());
        }
        self.counters.clips += 1;
        let item = place.adopt(first).map_err(|e| e.to_string())?;
        Ok((item, span))
    }

    fn marks(&self, request: &EvidenceRequest, role: EvidenceRole, captured: Moment) -> Vec<Drawing> {
        if role != EvidenceRole::Annotated {
            return Vec::new();
        }
        let mut marks = Vec::new();
        if let Some(polygon) = self.source(request.camera).and_then(|c| c.zones.get(&request.zone)) {
            marks.push(Drawing::Zone { polygon_norm: polygon.clone() });
        }
        // The thing itself is the incident's own box.
        let (itself, others): (Vec<_>, Vec<_>) = request.objects.iter().partition(|o| o.bbox == request.bbox);
        for object in others {
            let label = format!("{} {:.2}", object.label, object.confidence);
            marks.push(Drawing::Box { bbox: object.bbox, label, emphasis: false });
        }
        if let Some(kind) = request.kind {
            let sure = itself.first().map(|o| format!(" {:.2}", o.confidence)).unwrap_or_default();
            let label = format!("{}{sure}", kind.as_str());
            marks.push(Drawing::Box { bbox: request.bbox, label, emphasis: true });
        }
        let camera = self.source(request.camera).map_or("?", |c| c.id.as_str());
        let when = kerbside_domain::time::rfc3339(captured.wall_ms, self.utc_offset_s);
        marks.push(Drawing::Caption(format!("{} {camera} {when}", self.edge_id)));
        marks
    }

    fn outcome(
        &mut self,
        request: &EvidenceRequest,
        answers: Vec<EvidenceRole>,
        mut items: Vec<EvidenceItem>,
        missing: Vec<String>,
        span: Option<manifest::Span>,
    ) -> EvidenceOutcome {
        let mut shortfall = (!missing.is_empty()).then(|| missing.join("; "));
        if !missing.is_empty() {
            self.counters.failures += missing.len() as u64;
        }
        if !items.is_empty() {
            let camera = self.source(request.camera).map_or("?", |c| c.id.as_str());
            let head =
                manifest::Head { edge_id: &self.edge_id, camera_id: camera, utc_offset_s: self.utc_offset_s };
            match manifest::extend(&self.dir, request, &head, &items, span, shortfall.as_deref()) {
                Ok(item) => items.push(item),
                Err(error) => {
                    let why = format!("manifest: {error}");
                    shortfall = Some(shortfall.map_or_else(|| why.clone(), |s| format!("{s}; {why}")));
                }
            }
        }
        EvidenceOutcome {
            subject: request.subject.clone(),
            revision: request.revision,
            answers,
            items,
            shortfall,
        }
    }
}

/// Which pictures show which moment: what was there before, and what is there now.
fn moments(request: &EvidenceRequest) -> Vec<(Moment, Vec<EvidenceRole>)> {
    let pictures = request.roles.iter().copied().filter(|role| is_picture(*role));
    let (before, now): (Vec<_>, Vec<_>) = pictures.partition(|role| *role == EvidenceRole::Before);
    let before = request.before_at.map(|at| (at, before));
    before.into_iter().chain([(request.trigger_at, now)]).filter(|(_, roles)| !roles.is_empty()).collect()
}

fn is_picture(role: EvidenceRole) -> bool {
    !matches!(role, EvidenceRole::Clip | EvidenceRole::Manifest)
}

#[cfg(test)]
mod tests;
