//! What was no incident: the entry with a picture of the thing, where there is time for one. Reports come first: it waits for
//! nothing, and nothing waits for it.

use kerbside_domain::time::Mono;
use kerbside_media::clip::{ClipJob, Crop, StillJob};
use kerbside_media::picture::Drawing;
use kerbside_media::ring::RingSpan;
use kerbside_seeing::incident::Refusal;
use kerbside_seeing::incident::refusal::text;
use kerbside_sheet::window;

use super::pictures::upright;
use super::room::Room;
use super::stage::Evidence;
use super::tuning::{AROUND_S, MAX_REFUSAL_PICTURE_BYTES, REFUSAL_PICTURE_EVERY_S, STALE_S};
use crate::why::{Entry, NoPicture, Picture, ShelfCounters};

impl Evidence {
    pub(super) fn shelf_counters(&self) -> ShelfCounters {
        self.shelf.as_ref().map(|shelf| shelf.counters()).unwrap_or_default()
    }

    /// Keeps one entry, or the end of one. `is_busy`: something else waits for the stage.
    pub(super) fn refused(&mut self, refusal: &Refusal, now: Mono, is_busy: bool) {
        let camera_id = self.camera(refusal.camera).map_or("?", |c| c.id.as_str()).to_owned();
        let Some(mut shelf) = self.shelf.take() else { return };
        if shelf.admits(now) {
            let earlier = shelf.picture_of(&refusal.id).cloned();
            let temporary = shelf.temporary();
            let made = match &earlier {
                Some(Picture::File(_)) => Err(NoPicture::Busy),
                _ => shelf
                    .prepare()
                    .map_err(|_| NoPicture::Failed)
                    .and_then(|()| self.picture_of_refused(refusal, &temporary, now, is_busy)),
            };
            let picture = match (earlier, &made) {
                (Some(earlier @ Picture::File(_)), _) => earlier,
                (_, Err(why)) => Picture::None(*why),
                (_, Ok(())) => Picture::None(NoPicture::Failed), // Its file gives it a name.
            };
            let entry = Entry::of(refusal, &camera_id, self.utc_offset_s, picture);
            shelf.put(entry, made.is_ok().then_some(temporary.as_path()));
        }
        self.shelf = Some(shelf);
    }

    /// Has a child write the picture, if there is time.
    fn picture_of_refused(
        &mut self,
        refusal: &Refusal,
        temporary: &std::path::Path,
        now: Mono,
        is_busy: bool,
    ) -> Result<(), NoPicture> {
        let is_too_soon =
            self.refused_pictured.is_some_and(|last| now.since_s(last) < REFUSAL_PICTURE_EVERY_S);
        if is_busy || is_too_soon {
            return Err(NoPicture::Busy);
        }
        if self.room() != Room::All {
            return Err(NoPicture::DiskNearlyFull);
        }
        let span = self.packets_of_refused(refusal).ok_or(NoPicture::NotInRing)?;
        // The thing and the place around it: of a whole frame a few bytes would show neither.
        let window = window::compared(&refusal.thing.bbox, upright(&span));
        let crop = Some(Crop { window, min_width: 0 });
        let RingSpan { stream, packets } = span;
        let at = refusal.seen_at.mono;
        let shown = packets.iter().filter(|p| p.at.mono <= at).max_by_key(|p| p.pts);
        let pts = shown.or(packets.first()).map(|p| p.pts).ok_or(NoPicture::NotInRing)?;
        self.refused_pictured = Some(now);
        let label = text::short(&refusal.why);
        let drawings = vec![Drawing::Box { bbox: refusal.thing.bbox, label, emphasis: false }];
        let path = temporary.to_owned();
        let still = StillJob { pts, path, max_bytes: MAX_REFUSAL_PICTURE_BYTES, drawings, crop };
        let job = ClipJob { stream, packets, clip: None, stills: vec![still] };
        match (self.make_clip)(&job) {
            Ok(made) if made.stills.iter().all(Result::is_ok) && !made.stills.is_empty() => Ok(()),
            _ => Err(NoPicture::Failed),
        }
    }

    fn packets_of_refused(&self, refusal: &Refusal) -> Option<RingSpan> {
        let at = refusal.seen_at.mono;
        let ring = self.camera(refusal.camera)?.ring.lock();
        let span = ring.span(at.minus_s(AROUND_S), at.plus_s(AROUND_S));
        let shows = |span: &RingSpan| span.end().is_some_and(|end| end.mono.plus_s(STALE_S) >= at);
        span.filter(shows).or_else(|| ring.spare_span(at, at))
    }
}
