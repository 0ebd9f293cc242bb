//! The pictures of a request: one clip job for each moment that they show.

use kerbside_domain::evidence::{EvidenceItem, EvidenceOutcome, EvidenceRequest, EvidenceRole};
use kerbside_domain::frame::Packet;
use kerbside_domain::time::{Moment, Mono};
use kerbside_media::clip::{ClipJob, StillJob};
use kerbside_media::picture::Drawing;
use kerbside_media::ring::RingSpan;

use super::drawings;
use super::files::Place;
use super::room::Room;
use super::shortfall::{Missing, Shortfall};
use super::stage::Evidence;
use super::tuning::{AROUND_S, MAX_PICTURE_BYTES, STALE_S};

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
                Ok(Pictures { results, shifted_s }) => {
                    if let Some(s) = shifted_s {
                        shortfalls.push(Shortfall::Shifted(roles.clone(), s));
                    }
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
    ) -> Result<Pictures, Missing> {
        let span = self.packets_at(request, at.mono).ok_or(Missing::MomentNotInRing)?;
        let packets = &span.packets;
        let shown = packets.iter().filter(|p| p.at.mono <= at.mono).max_by_key(|p| p.pts);
        let shown = shown.or(packets.first()).ok_or(Missing::NoPackets)?;
        let places = self.places(request, roles);
        places.iter().try_for_each(Place::prepare)?;
        let mut results = self.stills(request, roles, &places, &span, shown)?;
        let instead = results.iter().flatten().find(|pts| **pts != shown.pts).copied();
        let instead = instead.and_then(|pts| packets.iter().find(|p| p.pts == pts));
        let mut captured = shown.at;
        if let Some(instead) = instead {
            // The caption must tell the time of the picture that is really shown.
            results = self.stills(request, roles, &places, &span, instead)?;
            captured = instead.at;
        }
        let mut results = results.into_iter();
        let items = places.iter().zip(roles).map(|(place, role)| {
            results.next().ok_or(Missing::NoPictureMade)?.map_err(Missing::Child)?;
            self.counters.pictures += 1;
            self.sign(request, place, *role, captured, false);
            Ok(place.adopt(captured)?)
        });
        let shifted_s = instead.map(|instead| signed_s(shown.at.mono, instead.at.mono));
        Ok(Pictures { results: items.collect(), shifted_s })
    }

    /// Has a child write the picture of one packet in each role; the pts of what each really shows.
    fn stills(
        &mut self,
        request: &EvidenceRequest,
        roles: &[EvidenceRole],
        places: &[Place],
        span: &RingSpan,
        shown: &Packet,
    ) -> Result<Vec<Result<i64, String>>, Missing> {
        let still = |(place, role): (&Place, &EvidenceRole)| StillJob {
            pts: shown.pts,
            path: place.temporary(),
            max_bytes: MAX_PICTURE_BYTES,
            drawings: match role {
                EvidenceRole::Annotated => self.drawings(request, shown.at),
                _ => Vec::new(),
            },
        };
        let stills = places.iter().zip(roles).map(still).collect();
        let RingSpan { stream, packets } = span.clone();
        let job = ClipJob { stream, packets, clip: None, stills };
        Ok((self.make_clip)(&job).map_err(Missing::Child)?.stills)
    }

    fn places(&self, request: &EvidenceRequest, roles: &[EvidenceRole]) -> Vec<Place> {
        let place = |role: &EvidenceRole| Place::new(&self.dir, request, *role, self.utc_offset_s);
        roles.iter().map(place).collect()
    }

    fn drawings(&self, request: &EvidenceRequest, captured: Moment) -> Vec<Drawing> {
        let camera = self.camera(request.camera);
        drawings::of_annotated(request, camera, &self.edge_id, captured, self.utc_offset_s)
    }

    /// Packets around `at`: the pinned ones if they cover the moment, else those of the ring, else its spare pictures.
    fn packets_at(&self, request: &EvidenceRequest, at: Mono) -> Option<RingSpan> {
        if let Some(pinned) = self.pinned(request).filter(|span| span.covers(at)) {
            return Some(pinned);
        }
        let ring = self.camera(request.camera)?.ring.lock();
        // The frame at `at` needs its group of pictures from the key frame on; the groups around it serve if it is damaged.
        let span = ring.span(at.minus_s(AROUND_S), at.plus_s(AROUND_S));
        // A ring that lost its group of pictures ends long before.
        let shows = |span: &RingSpan| span.end().is_some_and(|end| end.mono.plus_s(STALE_S) >= at);
        span.filter(shows).or_else(|| ring.spare_span(at, at))
    }
}

/// The pictures of one moment.
struct Pictures {
    results: Vec<Result<EvidenceItem, Missing>>,
    /// They show another moment, so many seconds later (negative: earlier).
    shifted_s: Option<f64>,
}

fn signed_s(from: Mono, to: Mono) -> f64 {
    if to >= from { to.since_s(from) } else { -from.since_s(to) }
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
