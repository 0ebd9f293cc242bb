//! The pictures of a request: one clip job for each moment that they show.

use kerbside_domain::evidence::{EvidenceItem, EvidenceOutcome, EvidenceRequest, EvidenceRole};
use kerbside_domain::frame::Packet;
use kerbside_domain::time::{Moment, Mono};
use kerbside_media::clip::{ClipJob, Crop, StillJob};
use kerbside_media::picture::Drawing;
use kerbside_media::ring::RingSpan;
use kerbside_sheet::window;

use super::camera::Held;
use super::drawings;
use super::files::Place;
use super::room::Room;
use super::shortfall::{Missing, Shortfall};
use super::stage::Evidence;
use super::tuning::{MAX_CLOSE_UP_BYTES, MAX_PICTURE_BYTES};

impl Evidence {
    pub(super) fn pictures(&mut self, request: &EvidenceRequest) -> EvidenceOutcome {
        let (mut items, mut shortfalls) = (Vec::new(), Vec::new());
        let moments = match self.room() {
            Room::NoPictures => {
                shortfalls.push(Shortfall::Pictures(Missing::DiskNearlyFull));
                Vec::new()
            }
            Room::All | Room::NoClips => moments(request, self.officer.is_some()),
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
        let other = self.camera(request.camera).and_then(|c| c.other_aspect(request.trigger_at.mono));
        shortfalls.extend(other.map(|(main, sub)| Shortfall::OtherAspect(main, sub)));
        let more = self.for_the_officer(request, &items, &mut shortfalls);
        items.extend(more);
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
        let held = self.packets_at(request, at.mono).ok_or(Missing::MomentNotInRing)?;
        let from_sub_stream = self.is_second_best(request, &held);
        let span = held.span;
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
            self.date(request, place, *role, captured)?;
            let enlarged = enlarged(request, *role, &span);
            Ok(EvidenceItem { enlarged, from_sub_stream, ..place.adopt(captured)? })
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
            max_bytes: if *role == EvidenceRole::CloseUp { MAX_CLOSE_UP_BYTES } else { MAX_PICTURE_BYTES },
            drawings: match role {
                EvidenceRole::Annotated => self.drawings(request, shown.at),
                _ => Vec::new(),
            },
            crop: (*role == EvidenceRole::CloseUp).then(|| close_up(request, span)),
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

    /// Packets around `at`: the pinned ones if they cover the moment, else those of the rings, else the spare pictures; of full
    /// resolution before all others.
    fn packets_at(&self, request: &EvidenceRequest, at: Mono) -> Option<Held> {
        let camera = self.camera(request.camera)?;
        let pinned = self.pinned(request).filter(|held| held.span.covers(at));
        if pinned.as_ref().is_some_and(|held| held.is_main || camera.main.is_none()) {
            return pinned;
        }
        let around = camera.around(at);
        if around.as_ref().is_some_and(|held| held.is_main) { around } else { pinned.or(around) }
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

/// The part of the picture that the close-up shows.
fn close_up(request: &EvidenceRequest, span: &RingSpan) -> Crop {
    let size = upright(span);
    let window = window::close_up(&request.bbox, size);
    let factor = window::enlargement(&request.bbox, size);
    Crop { window, min_width: (f64::from(window.w) * f64::from(size.0) * factor).ceil() as u32 }
}

/// By how much a picture was enlarged, if it was.
fn enlarged(request: &EvidenceRequest, role: EvidenceRole, span: &RingSpan) -> Option<f32> {
    let factor = window::enlargement(&request.bbox, upright(span));
    (role == EvidenceRole::CloseUp && factor > 1.05).then_some(factor as f32)
}

/// Size of the upright picture, px; that of a usual camera where the stream does not say.
pub(super) fn upright(span: &RingSpan) -> (u32, u32) {
    let (width, height, turn) = (span.stream.width, span.stream.height, span.stream.turn);
    match (width, height) {
        (0, _) | (_, 0) => (1280, 720),
        _ if turn.quarters % 2 == 1 => (height, width),
        _ => (width, height),
    }
}

/// Which pictures show which moment: what was there before, and what is there now.
fn moments(request: &EvidenceRequest, with_close_up: bool) -> Vec<(Moment, Vec<EvidenceRole>)> {
    let pictures = request.roles.iter().copied().filter(|role| is_picture(*role));
    let (before, mut now): (Vec<_>, Vec<_>) = pictures.partition(|role| *role == EvidenceRole::Before);
    if with_close_up && request.kind.is_some() && now.contains(&EvidenceRole::Trigger) {
        now.push(EvidenceRole::CloseUp);
    }
    let before = request.before_at.map(|at| (at, before));
    before.into_iter().chain([(request.trigger_at, now)]).filter(|(_, roles)| !roles.is_empty()).collect()
}

fn is_picture(role: EvidenceRole) -> bool {
    !matches!(role, EvidenceRole::Clip | EvidenceRole::Manifest)
}
