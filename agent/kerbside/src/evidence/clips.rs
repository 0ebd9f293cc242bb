//! The clip of a request: the packets of its span, remuxed.

use kerbside_domain::evidence::{EvidenceItem, EvidenceOutcome, EvidenceRequest, EvidenceRole};
use kerbside_domain::time::Mono;
use kerbside_media::clip::{ClipForm, ClipJob};
use kerbside_media::ring::RingSpan;

use super::camera::Held;
use super::files::Place;
use super::manifest::ClipSpan;
use super::room::Room;
use super::shortfall::{Missing, Shortfall};
use super::stage::Evidence;
use super::tuning::LEAST_TOLD_S;

/// A clip that lies in its place.
struct MadeClip {
    item: EvidenceItem,
    span: ClipSpan,
    /// What it lacks.
    shortfalls: Vec<Shortfall>,
}

impl Evidence {
    /// Makes the clip of a request and ends its pin. `shortfall`: what is missing of it already.
    pub(super) fn clip(
        &mut self,
        request: &EvidenceRequest,
        shortfall: Option<Shortfall>,
    ) -> EvidenceOutcome {
        let mut shortfalls: Vec<Shortfall> = shortfall.into_iter().collect();
        let (items, span) = match self.make_clip_file(request) {
            Ok(made) => {
                shortfalls.extend(made.shortfalls);
                (vec![made.item], Some(made.span))
            }
            Err(why) => {
                shortfalls.push(Shortfall::Clip(why));
                (Vec::new(), None)
            }
        };
        if let Some(incident_id) = request.subject.incident_id() {
            self.pins.unpin(incident_id);
        }
        self.outcome(request, vec![EvidenceRole::Clip], items, shortfalls, span)
    }

    fn make_clip_file(&mut self, request: &EvidenceRequest) -> Result<MadeClip, Missing> {
        let (from, to) = request.clip.ok_or(Missing::NoClipRequested)?;
        if self.room() != Room::All {
            return Err(Missing::DiskNearlyFull);
        }
        let end = self.camera(request.camera).and_then(|c| c.end_of_span(from.mono, to.mono));
        let end = end.unwrap_or(to.mono);
        let held = self.clip_packets(request, from.mono, end).ok_or(Missing::SpanNotInRing)?;
        let from_sub_stream = self.is_second_best(request, &held);
        let (span, lost_s) = held.span.without_damage();
        let (begin, end) = span.begin().zip(span.end()).ok_or(Missing::NoPackets)?;
        let mut clip_span = ClipSpan::of(&span, begin, end, self.utc_offset_s);
        let place = Place::new(&self.dir, request, EvidenceRole::Clip, self.utc_offset_s);
        place.prepare()?;
        let RingSpan { stream, packets } = span.in_real_time();
        let job = ClipJob { stream, packets, clip: Some(place.temporary()), stills: Vec::new() };
        let output = (self.make_clip)(&job).map_err(Missing::Child)?;
        let mut shortfalls = Vec::new();
        if lost_s >= LEAST_TOLD_S {
            shortfalls.push(Shortfall::ClipWithoutDamage(lost_s));
        }
        match output.clip.ok_or(Missing::NoClipMade)? {
            ClipForm::AsSent => {}
            ClipForm::Encoded(codec) => clip_span.encoded_as = Some(codec),
            ClipForm::Unplayable(why) => {
                clip_span.playable = Some(false);
                shortfalls.push(Shortfall::ClipUnplayable { codec: clip_span.codec.clone(), why });
            }
        }
        self.counters.clips += 1;
        self.sign_clip(request, &place, begin, clip_span.encoded_as.is_some());
        let item = EvidenceItem { from_sub_stream, ..place.adopt(begin)? };
        Ok(MadeClip { item, span: clip_span, shortfalls })
    }

    /// The packets that show more of the span, of the rings, the spare pictures or the pin: what was pinned may be about an earlier
    /// change at this place. If all show the same, the pinned ones; spare pictures come last.
    fn clip_packets(&self, request: &EvidenceRequest, from: Mono, to: Mono) -> Option<Held> {
        let camera = self.camera(request.camera);
        let in_ring = camera.and_then(|c| c.span(from, to));
        let spare = camera.and_then(|c| c.ring.lock().spare_span(from, to));
        let spare = spare.map(|span| Held { span, is_main: false });
        let spans = spare.into_iter().chain(in_ring).chain(self.pinned(request));
        spans.max_by(|a, b| a.span.shown_s(from, to).total_cmp(&b.span.shown_s(from, to)))
    }
}
