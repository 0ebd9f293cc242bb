//! Who is with a thing: attendants who stay, visitors who pause, and how long it has been alone.

use kerbside_domain::frame::BBox;
use kerbside_domain::time::Mono;

/// Near for this long is staying with it; shorter is walking past.
const STAYS_S: f64 = 8.0;
/// Near for this long, and not an attendant, is a visit.
const PAUSES_S: f64 = 3.0;
/// Who is with it for this share of the time belongs to it.
const OWNER_SHARE: f64 = 0.5;
/// Not near for this long has left.
const LEFT_AFTER_S: f64 = 10.0;
const MEMBERS: usize = 32;
/// The shade at a person's feet reaches so far to each side and below, in shares of the person's box.
const SHADE_W: f32 = 0.6;
const SHADE_H: f32 = 0.1;
/// A place that they fill so far holds nothing else.
const SHADE_SHARE: f32 = 0.7;
/// Points a side at which a place is sampled.
const GRID: u32 = 8;

#[derive(Clone, Debug)]
struct Member {
    track: u32,
    near_s: f64,
    last_near: Mono,
}

/// Times are of looks that the detector saw.
#[derive(Clone, Debug, Default)]
pub(super) struct Company {
    members: Vec<Member>,
    visits_ended: u32,
    asked_s: f64,
    attended_s: f64,
    /// Nothing was to be seen but people and the shade they cast.
    shaded_s: f64,
    alone_s: f64,
    attended_now: bool,
    paused_now: bool,
}

impl Company {
    /// `alone_s`: how long it is known to have been alone before it was first sampled.
    pub(super) fn new(alone_s: f64) -> Self {
        Company { alone_s, ..Company::default() }
    }

    /// One look: the tracks of the people near it, and who brought it, if that was seen.
    pub(super) fn sample(&mut self, at: Mono, dt_s: f64, near: &[u32], brought_by: Option<u32>) {
        self.asked_s += dt_s;
        for &track in near {
            self.meet(track, at, dt_s);
        }
        let asked_s = self.asked_s;
        let staying = |m: &&Member| near.contains(&m.track) && m.near_s >= STAYS_S;
        self.attended_now = self.members.iter().any(|m| staying(&m));
        let owned_now = self
            .members
            .iter()
            .filter(staying)
            .any(|m| brought_by == Some(m.track) || m.near_s >= OWNER_SHARE * asked_s);
        if self.attended_now {
            self.attended_s = (self.attended_s + dt_s).min(asked_s);
        }
        // Its owner makes it start anew; a stranger who pauses beside it only stops the count.
        let paused = |m: &Member| near.contains(&m.track) && m.near_s >= PAUSES_S;
        self.paused_now = self.members.iter().any(paused);
        if owned_now {
            self.alone_s = 0.0;
        } else if !self.paused_now {
            self.alone_s += dt_s;
        }
        self.part(at);
    }

    /// One look in which people, with the shade at their feet, are all that is there.
    pub(super) fn shade(&mut self, dt_s: f64) {
        self.shaded_s += dt_s;
    }

    /// Share of such looks, 0..1.
    pub(super) fn shaded_share(&self) -> f32 {
        if self.asked_s > 0.0 { (self.shaded_s / self.asked_s) as f32 } else { 0.0 }
    }

    /// Time unseen (blind, nobody asked) belongs to nobody.
    pub(super) fn alone_s(&self) -> f64 {
        self.alone_s
    }

    pub(super) fn attended_now(&self) -> bool {
        self.attended_now
    }

    /// Somebody is there who did not merely pass.
    pub(super) fn paused_now(&self) -> bool {
        self.paused_now
    }

    /// Share of the time somebody stayed with it, 0..1.
    pub(super) fn attendant_share(&self) -> f32 {
        if self.asked_s > 0.0 { (self.attended_s / self.asked_s) as f32 } else { 0.0 }
    }

    pub(super) fn attended_s(&self) -> f64 {
        self.attended_s
    }

    /// Share of the time of the one who stayed longest; a queue of strangers has a small one.
    pub(super) fn steadiest_share(&self) -> f32 {
        let longest_s = self.members.iter().map(|m| m.near_s).fold(0.0, f64::max);
        if self.asked_s > 0.0 { (longest_s / self.asked_s) as f32 } else { 0.0 }
    }

    /// Others who paused near it.
    pub(super) fn visits(&self) -> u32 {
        let here = self.members.iter().filter(|m| self.is_visit(m)).count();
        self.visits_ended + here as u32
    }

    /// Tracks of those who stay with it.
    pub(super) fn attendants(&self) -> impl Iterator<Item = u32> {
        self.members.iter().filter(|m| m.near_s >= STAYS_S).map(|m| m.track)
    }

    fn is_visit(&self, member: &Member) -> bool {
        member.near_s >= PAUSES_S && member.near_s < OWNER_SHARE * self.asked_s
    }

    fn meet(&mut self, track: u32, at: Mono, dt_s: f64) {
        if let Some(member) = self.members.iter_mut().find(|m| m.track == track) {
            let before_s = member.near_s;
            member.near_s += dt_s;
            member.last_near = at;
            if before_s < STAYS_S && member.near_s >= STAYS_S {
                // It turned out to be staying: the time until now counts too.
                self.attended_s = (self.attended_s + before_s).min(self.asked_s);
            }
            return;
        }
        if self.members.len() == MEMBERS {
            let shortest = self.members.iter().enumerate().min_by(|a, b| a.1.near_s.total_cmp(&b.1.near_s));
            if let Some(index) = shortest.map(|s| s.0) {
                self.members.remove(index);
            }
        }
        self.members.push(Member { track, near_s: 0.0, last_near: at });
    }

    /// Ends the visits of those who left; owners are remembered, they come back.
    fn part(&mut self, at: Mono) {
        let asked_s = self.asked_s;
        let mut ended = 0;
        self.members.retain(|m| {
            let stays = at.since_s(m.last_near) < LEFT_AFTER_S || m.near_s >= OWNER_SHARE * asked_s;
            if !stays && m.near_s >= PAUSES_S {
                ended += 1;
            }
            stays
        });
        self.visits_ended += ended;
    }
}

/// Whether a place is filled by these people and their shade: legs and a shadow are no goods.
pub(super) fn is_shade_of(people: &[BBox], place: &BBox) -> bool {
    let with_shade = |p: &BBox| BBox {
        x: p.x - SHADE_W * p.w,
        w: p.w * (1.0 + 2.0 * SHADE_W),
        h: p.h * (1.0 + SHADE_H),
        ..*p
    };
    let shades: Vec<BBox> = people.iter().map(with_shade).collect();
    // Sampled: boxes of people who stand together overlap.
    let points = (0..GRID * GRID).map(|i| {
        let at = |k: u32| (k as f32 + 0.5) / GRID as f32;
        (place.x + at(i % GRID) * place.w, place.y + at(i / GRID) * place.h)
    });
    let inside = |b: &BBox, x: f32, y: f32| (b.x..b.x + b.w).contains(&x) && (b.y..b.y + b.h).contains(&y);
    let filled = points.filter(|(x, y)| shades.iter().any(|b| inside(b, *x, *y))).count();
    filled as f32 >= SHADE_SHARE * (GRID * GRID) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One look a second; `near(i)` says who is there.
    fn spend(company: &mut Company, from: u64, to: u64, near: impl Fn(u64) -> Vec<u32>) {
        for i in from..to {
            company.sample(Mono(i * 1_000_000), 1.0, &near(i), None);
        }
    }

    #[test]
    fn a_vendor_and_three_customers() {
        let mut company = Company::default();
        spend(&mut company, 0, 120, |i| if i % 40 < 6 { vec![1, 10 + (i / 40) as u32] } else { vec![1] });
        assert_eq!(company.visits(), 3);
        assert!(company.attendant_share() > 0.95);
        assert_eq!(company.alone_s(), 0.0);
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
        let mut company = Company::default();
        spend(&mut company, 0, 60, |i| vec![(i / 2) as u32]);
        assert_eq!((company.visits(), company.attendant_share(), company.alone_s()), (0, 0.0, 60.0));
    }

    #[test]
    fn alone_begins_when_its_owner_has_left() {
        let mut company = Company::default();
        spend(&mut company, 0, 30, |_| vec![1]);
        spend(&mut company, 30, 50, |_| vec![]);
        assert_eq!(company.alone_s(), 20.0);
        // A stranger waits beside it: the count stops for the time he stays, and goes on.
        spend(&mut company, 50, 70, |_| vec![2]);
        spend(&mut company, 70, 80, |_| vec![]);
        assert!((30.0..=40.0).contains(&company.alone_s()), "{}", company.alone_s());
    }
}
