//! Attendance: who is with a candidate. Attendants who stay, visitors who pause, and how long it has been alone.

use kerbside_domain::frame::BBox;
use kerbside_domain::time::Mono;

use super::tuning::attendance::{
    LEFT_AFTER_S, OWNER_SHARE, PAUSES_S, SHADE_FILLS, SHADE_GRID, SHADE_H, SHADE_W, STAYS_S,
};
use super::tuning::bounds::MAX_NEARBY;

/// A person who has been near.
#[derive(Clone, Debug)]
struct NearbyPerson {
    track: u32,
    near_s: f64,
    last_near: Mono,
}

/// Who was near one candidate. Times are of frames with detections; time unseen belongs to nobody.
#[derive(Clone, Debug, Default)]
pub(super) struct Attendance {
    nearby: Vec<NearbyPerson>,
    visits_ended: u32,
    sampled_s: f64,
    attended_s: f64,
    /// Nothing was to be seen but people and the shade they cast.
    shaded_s: f64,
    alone_s: f64,
    is_attended: bool,
    is_paused_at: bool,
}

impl Attendance {
    /// `alone_s`: how long it is known to have been alone before it was first sampled.
    pub(super) fn new(alone_s: f64) -> Self {
        Attendance { alone_s, ..Attendance::default() }
    }

    /// One frame: the tracks of the people near it, and who brought it, if that was seen.
    pub(super) fn sample(&mut self, at: Mono, dt_s: f64, near: &[u32], brought_by: Option<u32>) {
        self.sampled_s += dt_s;
        for &track in near {
            self.meet(track, at, dt_s);
        }
        let here =
            |min_s: f64| self.nearby.iter().filter(move |p| near.contains(&p.track) && p.near_s >= min_s);
        let is_attended = here(STAYS_S).next().is_some();
        let is_paused_at = here(PAUSES_S).next().is_some();
        let is_owner =
            |p: &NearbyPerson| brought_by == Some(p.track) || p.near_s >= OWNER_SHARE * self.sampled_s;
        let owner_is_here = here(STAYS_S).any(is_owner);
        (self.is_attended, self.is_paused_at) = (is_attended, is_paused_at);
        if self.is_attended {
            self.attended_s = (self.attended_s + dt_s).min(self.sampled_s);
        }
        // Its owner makes it start anew; a stranger who pauses beside it only stops the count.
        if owner_is_here {
            self.alone_s = 0.0;
        } else if !self.is_paused_at {
            self.alone_s += dt_s;
        }
        self.end_visits(at);
    }

    /// One frame in which people, with the shade at their feet, are all that is there.
    pub(super) fn sample_shade(&mut self, dt_s: f64) {
        self.shaded_s += dt_s;
    }

    /// Share of such frames, 0..1.
    pub(super) fn shaded_share(&self) -> f32 {
        self.share(self.shaded_s)
    }

    /// How long it has been alone, s.
    pub(super) fn alone_s(&self) -> f64 {
        self.alone_s
    }

    /// Somebody stays with it right now.
    pub(super) fn is_attended(&self) -> bool {
        self.is_attended
    }

    /// Somebody is there who did not merely pass.
    pub(super) fn is_paused_at(&self) -> bool {
        self.is_paused_at
    }

    /// Share of the time that somebody stayed with it, 0..1.
    pub(super) fn attendant_share(&self) -> f32 {
        self.share(self.attended_s)
    }

    pub(super) fn attended_s(&self) -> f64 {
        self.attended_s
    }

    /// Share of the time of the one who stayed longest; a queue of strangers has a small one.
    pub(super) fn steadiest_share(&self) -> f32 {
        self.share(self.nearby.iter().map(|p| p.near_s).fold(0.0, f64::max))
    }

    /// Others who paused near it.
    pub(super) fn visits(&self) -> u32 {
        let ongoing = self.nearby.iter().filter(|p| self.is_visit(p)).count();
        self.visits_ended + ongoing as u32
    }

    /// Tracks of those who stay with it.
    pub(super) fn attendants(&self) -> impl Iterator<Item = u32> {
        self.nearby.iter().filter(|p| p.near_s >= STAYS_S).map(|p| p.track)
    }

    fn share(&self, of_s: f64) -> f32 {
        if self.sampled_s > 0.0 { (of_s / self.sampled_s) as f32 } else { 0.0 }
    }

    fn is_visit(&self, person: &NearbyPerson) -> bool {
        person.near_s >= PAUSES_S && person.near_s < OWNER_SHARE * self.sampled_s
    }

    fn meet(&mut self, track: u32, at: Mono, dt_s: f64) {
        if let Some(person) = self.nearby.iter_mut().find(|p| p.track == track) {
            let before_s = person.near_s;
            person.near_s += dt_s;
            person.last_near = at;
            if before_s < STAYS_S && person.near_s >= STAYS_S {
                // It turned out to be staying: the time until now counts too.
                self.attended_s = (self.attended_s + before_s).min(self.sampled_s);
            }
            return;
        }
        if self.nearby.len() == MAX_NEARBY {
            let shortest = self.nearby.iter().enumerate().min_by(|a, b| a.1.near_s.total_cmp(&b.1.near_s));
            if let Some(index) = shortest.map(|s| s.0) {
                self.nearby.remove(index);
            }
        }
        self.nearby.push(NearbyPerson { track, near_s: 0.0, last_near: at });
    }

    /// Ends the visits of those who left. Owners are remembered: they come back.
    fn end_visits(&mut self, at: Mono) {
        let owner_s = OWNER_SHARE * self.sampled_s;
        let mut ended = 0;
        self.nearby.retain(|p| {
            let stays = at.since_s(p.last_near) < LEFT_AFTER_S || p.near_s >= owner_s;
            if !stays && p.near_s >= PAUSES_S {
                ended += 1;
            }
            stays
        });
        self.visits_ended += ended;
    }
}

/// Whether a place is filled by these people and their shade: legs and a shadow are no goods. Sampled at points, because
/// the boxes of people who stand together overlap.
pub(super) fn is_shade_of(people: &[BBox], place: &BBox) -> bool {
    let with_shade = |p: &BBox| BBox {
        x: p.x - SHADE_W * p.w,
        w: p.w * (1.0 + 2.0 * SHADE_W),
        h: p.h * (1.0 + SHADE_H),
        ..*p
    };
    let shades: Vec<BBox> = people.iter().map(with_shade).collect();
    let points = (0..SHADE_GRID * SHADE_GRID).map(|i| {
        let at = |k: u32| (k as f32 + 0.5) / SHADE_GRID as f32;
        (place.x + at(i % SHADE_GRID) * place.w, place.y + at(i / SHADE_GRID) * place.h)
    });
    let inside = |b: &BBox, x: f32, y: f32| (b.x..b.x + b.w).contains(&x) && (b.y..b.y + b.h).contains(&y);
    let filled = points.filter(|(x, y)| shades.iter().any(|b| inside(b, *x, *y))).count();
    filled as f32 >= SHADE_FILLS * (SHADE_GRID * SHADE_GRID) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One frame a second; `near(i)` says who is there.
    fn spend(attendance: &mut Attendance, from: u64, to: u64, near: impl Fn(u64) -> Vec<u32>) {
        for i in from..to {
            attendance.sample(Mono(i * 1_000_000), 1.0, &near(i), None);
        }
    }

    #[test]
    fn a_vendor_and_three_customers() {
        let mut attendance = Attendance::default();
        spend(&mut attendance, 0, 120, |i| if i % 40 < 6 { vec![1, 10 + (i / 40) as u32] } else { vec![1] });
        assert_eq!(attendance.visits(), 3);
        assert!(attendance.attendant_share() > 0.95);
        assert_eq!(attendance.alone_s(), 0.0);
    }

    #[test]
    fn legs_and_their_shadow_are_no_goods_and_a_table_is() {
        let pair = [0.640, 0.668].map(|x| BBox { x, y: 0.28, w: 0.024, h: 0.19 });
        let legs = BBox { x: 0.662, y: 0.40, w: 0.056, h: 0.078 };
        assert!(is_shade_of(&pair, &legs));
        let table = BBox { x: 0.62, y: 0.38, w: 0.14, h: 0.10 };
        assert!(!is_shade_of(&pair, &table));
        assert!(!is_shade_of(&[], &legs));
    }

    #[test]
    fn passers_by_do_not_attend_and_leave_it_alone() {
        let mut attendance = Attendance::default();
        spend(&mut attendance, 0, 60, |i| vec![(i / 2) as u32]);
        let (visits, share) = (attendance.visits(), attendance.attendant_share());
        assert_eq!((visits, share, attendance.alone_s()), (0, 0.0, 60.0));
    }

    #[test]
    fn alone_begins_when_its_owner_has_left() {
        let mut attendance = Attendance::default();
        spend(&mut attendance, 0, 30, |_| vec![1]);
        spend(&mut attendance, 30, 50, |_| vec![]);
        assert_eq!(attendance.alone_s(), 20.0);
        // A stranger waits beside it: the count stops for the time he stays, and goes on.
        spend(&mut attendance, 50, 70, |_| vec![2]);
        spend(&mut attendance, 70, 80, |_| vec![]);
        assert!((30.0..=40.0).contains(&attendance.alone_s()), "{}", attendance.alone_s());
    }
}
