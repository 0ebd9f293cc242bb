//! The clip of a request: the packets of its span, remuxed.

use kerbside_domain::evidence::{EvidenceItem, EvidenceOutcome, EvidenceRequest, EvidenceRole};
use kerbside_domain::time::Mono;
use kerbside_media::clip::ClipJob;
use kerbside_media::ring::RingSpan;

use super::files::Place;
use super::manifest::ClipSpan;
use super::room::Room;
use super::shortfall::{Missing, Shortfall};
use super::stage::Evidence;

impl Evidence {
    /// Makes the clip of a request and ends its pin. `shortfall`: what is missing of it already.
    pub(super) fn clip(
        &mut self,
        request: &EvidenceRequest,
        shortfall: Option<Shortfall>,
    ) -> EvidenceOutcome {
        let mut shortfalls: Vec<Shortfall> = shortfall.into_iter().collect();
        let (items, span) = match self.make_clip_file(request) {
            Ok((item, span)) => (vec![item], Some(span)),
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

    fn make_clip_file(&mut self, request: &EvidenceRequest) -> Result<(EvidenceItem, ClipSpan), Missing> {
        let (from, to) = request.clip.ok_or(Missing::NoClipRequested)?;
        if self.room() != Room::All {
            return Err(Missing::DiskNearlyFull);
        }
        let end = self.camera(request.camera).and_then(|c| c.end_of_span(from.mono, to.mono));
        let end = end.unwrap_or(to.mono);
        let span = self.clip_packets(request, from.mono, end).ok_or(Missing::SpanNotInRing)?;
        let (begin, end) = span.begin().zip(span.end()).ok_or(Missing::NoPackets)?;
        let clip_span = ClipSpan::of(&span, begin, end, self.utc_offset_s);
        let place = Place::new(&self.dir, request, EvidenceRole::Clip, self.utc_offset_s);
        place.prepare()?;
        let RingSpan { stream, packets } = span;
        let job = ClipJob { stream, packets, clip: Some(place.temporary()), stills: Vec::new() };
        let output = (self.make_clip)(&job).map_err(Missing::Child)?;
        if !output.clip_written {
            return Err(Missing::NoClipMade);
        }
        self.counters.clips += 1;
        self.sign(request, &place, EvidenceRole::Clip, begin);
        Ok((place.adopt(begin)?, clip_span))
    }

    /// The packets that show more of the span, of the ring or of the pin: what was pinned may be about an earlier change at this
    /// place. If both show the same, the pinned ones.
    fn clip_packets(&self, request: &EvidenceRequest, from: Mono, to: Mono) -> Option<RingSpan> {
        let in_ring = self.camera(request.camera).and_then(|c| c.ring.lock().span(from, to));
        let spans = in_ring.into_iter().chain(self.pinned(request));
        spans.max_by(|a, b| a.shown_s(from, to).total_cmp(&b.shown_s(from, to)))
    }
}
