//! What a camera contributes: its rings, and what is drawn and written about it.

use std::collections::BTreeMap;
use std::sync::Arc;

use kerbside_domain::time::Mono;
use kerbside_media::ring::{PacketRing, RingSpan};
use kerbside_media::signed_video::SignedEnd;
use kerbside_site::config::{Camera, Site};
use parking_lot::Mutex;

use super::tuning::{AROUND_S, MAIN_LACKS_S, MOST_ASPECT, SIGNED_TAIL_S, STALE_S};

type Ring = Arc<Mutex<PacketRing>>;

/// One camera as the evidence stage sees it.
#[derive(Clone, Debug)]
pub struct EvidenceCamera {
    pub id: String,
    /// Of the stream that is analysed.
    pub ring: Ring,
    /// Of its stream of full resolution, if it has one besides. Both are dated by arrival, so one moment is the same in both.
    pub main: Option<Ring>,
    /// Outlines of its zones by id, in shares of the picture.
    pub zones: BTreeMap<String, Vec<(f32, f32)>>,
    /// lon_deg, lat_deg, WGS-84: its own place, else that of the box.
    pub point: Option<(f64, f64)>,
}

/// Packets, and of which stream.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) span: RingSpan,
    pub(super) is_main: bool,
}

impl EvidenceCamera {
    /// A camera of the configuration.
    pub fn of(site: &Site, camera: &Camera, ring: Ring) -> Self {
        let point = camera.point.or(site.device.point);
        let (id, zones) = (camera.id.clone(), EvidenceCamera::outlines(camera));
        EvidenceCamera { id, ring, main: None, zones, point }
    }

    /// The same with a stream of full resolution.
    pub fn with_main(self, main: Option<Ring>) -> Self {
        EvidenceCamera { main, ..self }
    }

    /// Outlines of a camera's zones by id.
    pub fn outlines(camera: &Camera) -> BTreeMap<String, Vec<(f32, f32)>> {
        camera.zones.iter().map(|z| (z.id.clone(), z.polygon_norm.clone())).collect()
    }

    /// Where a span that shall end at `to` ends, with the rings as they are now; `None`: it has not all come yet. If the camera signs
    /// its video, the span goes on to the signature over its last pictures, by [`SIGNED_TAIL_S`] at most.
    pub(super) fn end_of_span(&self, from: Mono, to: Mono) -> Option<Mono> {
        let ring = self.running().lock();
        let latest = ring.latest().filter(|latest| latest.mono >= to)?;
        let most = to.plus_s(SIGNED_TAIL_S);
        match ring.signed_end(from, to) {
            SignedEnd::At(end) if end <= most => Some(end),
            SignedEnd::NotYet if latest.mono < most => None,
            SignedEnd::Unsigned | SignedEnd::At(_) | SignedEnd::NotYet => Some(to),
        }
    }

    /// The stream of full resolution while it keeps up with the other one; else the other.
    fn running(&self) -> &Ring {
        let latest = |ring: &Ring| ring.lock().latest().map(|latest| latest.mono);
        let keeps_up = |main: &&Ring| match (latest(main), latest(&self.ring)) {
            (Some(main), Some(other)) => main.plus_s(STALE_S) >= other,
            (main, _) => main.is_some(),
        };
        self.main.as_ref().filter(keeps_up).unwrap_or(&self.ring)
    }

    /// The packets of a span: of full resolution if those show as much of it, but for [`MAIN_LACKS_S`].
    pub(super) fn span(&self, from: Mono, to: Mono) -> Option<Held> {
        let held = |ring: &Ring, is_main| ring.lock().span(from, to).map(|span| Held { span, is_main });
        let main = self.main.as_ref().and_then(|ring| held(ring, true));
        let sub = held(&self.ring, false);
        let shown_s = |held: &Option<Held>| held.as_ref().map_or(0.0, |h| h.span.shown_s(from, to));
        if main.is_some() && shown_s(&main) + MAIN_LACKS_S >= shown_s(&sub) { main } else { sub }
    }

    /// Sizes of the two streams (the large one first, px) if they cannot show the same picture.
    pub(super) fn other_aspect(&self, at: Mono) -> Option<((u32, u32), (u32, u32))> {
        let size = |ring: &Ring| {
            let ring = ring.lock();
            let stream = ring.stream(at.minus_s(AROUND_S), at)?;
            Some((stream.width, stream.height)).filter(|(w, h)| *w > 0 && *h > 0)
        };
        let (main, sub) = (size(self.main.as_ref()?)?, size(&self.ring)?);
        let aspect = |(w, h): (u32, u32)| f64::from(w) / f64::from(h);
        ((aspect(main) / aspect(sub) - 1.0).abs() > MOST_ASPECT).then_some((main, sub))
    }

    /// Packets around a moment, so that the frame at `at` can be decoded: its group of pictures from the key frame on; the groups
    /// around it serve if it is damaged. Of full resolution if they show it.
    pub(super) fn around(&self, at: Mono) -> Option<Held> {
        // A ring that lost its group of pictures ends long before, one that was lost and came back begins after.
        let shows = |span: &RingSpan| {
            let begins = span.begin().is_some_and(|begin| begin.mono <= at);
            begins && span.end().is_some_and(|end| end.mono.plus_s(STALE_S) >= at)
        };
        let of = |ring: &Ring| ring.lock().span(at.minus_s(AROUND_S), at.plus_s(AROUND_S));
        let main = self.main.as_ref().and_then(of).filter(shows);
        let main = main.map(|span| Held { span, is_main: true });
        let sub = || {
            let ends_late = |span: &RingSpan| span.end().is_some_and(|end| end.mono.plus_s(STALE_S) >= at);
            let span = of(&self.ring).filter(ends_late).or_else(|| self.ring.lock().spare_span(at, at));
            span.map(|span| Held { span, is_main: false })
        };
        main.or_else(sub)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::tests::{feed, ring};

    fn camera(main: Option<Ring>) -> EvidenceCamera {
        let zones = BTreeMap::new();
        EvidenceCamera { id: "cam1".into(), ring: ring(30.0, 20), main, zones, point: None }
    }

    fn at(s: f64) -> Mono {
        Mono::from_s(s)
    }

    #[test]
    fn evidence_is_of_the_main_stream_while_that_shows_the_moment() {
        let camera = camera(Some(ring(30.0, 20)));
        assert!(camera.around(at(19.5)).unwrap().is_main);
        assert!(camera.span(at(12.0), at(18.0)).unwrap().is_main);
        assert_eq!(camera.end_of_span(at(12.0), at(19.0)), Some(at(19.0)));
    }

    #[test]
    fn where_the_main_stream_is_off_the_other_one_shows_it() {
        let never_came = Arc::new(Mutex::new(PacketRing::new(30.0, 1 << 20)));
        let broke_off = ring(30.0, 10);
        for main in [never_came, broke_off] {
            let camera = camera(Some(main));
            assert!(!camera.around(at(19.5)).unwrap().is_main);
            assert!(!camera.span(at(12.0), at(18.0)).unwrap().is_main);
            assert_eq!(camera.end_of_span(at(12.0), at(19.0)), Some(at(19.0)), "it waits for no dead stream");
        }
        let came_late = Arc::new(Mutex::new(PacketRing::new(30.0, 1 << 20)));
        came_late.lock().set_stream(ring(1.0, 1).lock().span(at(0.0), at(0.5)).unwrap().stream);
        feed(&came_late, 16, 20);
        let camera = camera(Some(came_late));
        assert!(camera.around(at(19.5)).unwrap().is_main && !camera.around(at(11.0)).unwrap().is_main);
        assert!(!camera.span(at(11.0), at(19.0)).unwrap().is_main, "it would show less than half of it");
    }
}
