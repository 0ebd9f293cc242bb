//! The pictures of a request: one clip job for each moment that they show.

use kerbside_domain::evidence::{EvidenceItem, EvidenceOutcome, EvidenceRequest, EvidenceRole};
use kerbside_domain::time::{Moment, Mono};
use kerbside_media::clip::{ClipJob, StillJob};
use kerbside_media::picture::Drawing;
use kerbside_media::ring::RingSpan;

use super::drawings;
use super::files::Place;
use super::room::Room;
use super::shortfall::{Missing, Shortfall};
use super::stage::Evidence;
use super::tuning::MAX_PICTURE_BYTES;

impl Evidence {
    pub(super) fn pictures(&mut self, request: &EvidenceRequest) -> EvidenceOutcome {
        let (mut items, mut shortfalls) = (Vec::new(), Vec::new());
        let moments = match self.room() {
            Room::NoPictures => {
                shortfalls.push(Shortfall::Pictures(Missing::DiskNearlyFull));
                Vec::new()
            }
            Room::All | Room::NoClips => moments(request),
        };
        for (at, roles) in moments {
            match self.pictures_at(request, at, &roles) {
                Ok(results) => {
                    for (role, result) in roles.iter().zip(results) {
                        match result {
                            Ok(item) => items.push(item),
                            Err(why) => shortfalls.push(Shortfall::Roles(vec![*role], why)),
                        }
                    }
                }
                Err(why) => shortfalls.push(Shortfall::Roles(roles, why)),
            }
        }
        let answers = request.roles.iter().copied().filter(|role| is_picture(*role)).collect();
        self.outcome(request, answers, items, shortfalls, None)
    }

    /// The pictures of one moment, made by one job.
    fn pictures_at(
        &mut self,
        request: &EvidenceRequest,
        at: Moment,
        roles: &[EvidenceRole],
    ) -> Result<Vec<Result<EvidenceItem, Missing>>, Missing> {
        let RingSpan { stream, packets } =
            self.packets_at(request, at.mono).ok_or(Missing::MomentNotInRing)?;
        let shown = packets.iter().filter(|p| p.at.mono <= at.mono).max_by_key(|p| p.pts);
        let shown = shown.or(packets.first()).ok_or(Missing::NoPackets)?;
        let (pts, captured) = (shown.pts, shown.at);
        let places = self.places(request, roles);
        places.iter().try_for_each(Place::prepare)?;
        let still = |(place, role): (&Place, &EvidenceRole)| StillJob {
            pts,
            path: place.temporary(),
            max_bytes: MAX_PICTURE_BYTES,
            drawings: match role {
                EvidenceRole::Annotated => self.drawings(request, captured),
                _ => Vec::new(),
            },
        };
        let stills = places.iter().zip(roles).map(still).collect();
        let job = ClipJob { stream, packets, clip: None, stills };
        let mut results = (self.make_clip)(&job).map_err(Missing::Child)?.stills.into_iter();
        let items = places.iter().zip(roles).map(|(place, role)| {
            results.next().ok_or(Missing::NoPictureMade)?.map_err(Missing::Child)?;
            self.counters.pictures += 1;
            self.sign(request, place, *role, captured);
            Ok(place.adopt(captured)?)
        });
        Ok(items.collect())
    }

    fn places(&self, request: &EvidenceRequest, roles: &[EvidenceRole]) -> Vec<Place> {
        let place = |role: &EvidenceRole| Place::new(&self.dir, request, *role, self.utc_offset_s);
        roles.iter().map(place).collect()
    }

    fn drawings(&self, request: &EvidenceRequest, captured: Moment) -> Vec<Drawing> {
        let camera = self.camera(request.camera);
        drawings::of_annotated(request, camera, &self.edge_id, captured, self.utc_offset_s)
    }

    /// Packets around `at`: the pinned ones if they cover the moment, else those of the ring.
    fn packets_at(&self, request: &EvidenceRequest, at: Mono) -> Option<RingSpan> {
        let pinned = self.pinned(request).filter(|span| span.covers(at));
        // The frame at `at` needs its group of pictures from the key frame on, and nothing after it.
        pinned.or_else(|| self.camera(request.camera)?.ring.lock().span(at, at))
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
