//! Rechecks that are not answered yet: the places of one camera that are looked at again.

use kerbside_domain::time::{Moment, Mono};

use super::tuning::bounds::MAX_RECHECKS;
use super::tuning::recheck::{FREE_S, LIMIT_S, MIN_FRAMES, PERSISTS_S};

/// What one frame shows of an incident's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlaceState {
    /// Something stands there.
    Occupied,
    /// Nothing does.
    Free,
    /// It cannot be judged.
    Unknown(Hindrance),
}

/// Why a place cannot be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hindrance {
    /// The incident is too old to be known.
    IncidentRetired,
    /// Something stands in front of it.
    Hidden,
    /// The background was learnt anew, perhaps with the object in it.
    NotSeenSinceLearning,
}

impl Hindrance {
    /// As the answer says it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Hindrance::IncidentRetired => "incident_retired",
            Hindrance::Hidden => "hidden",
            Hindrance::NotSeenSinceLearning => "place_not_seen_since_learning",
        }
    }
}

/// Frames in a row that say the same.
#[derive(Clone, Copy, Debug, Default)]
struct Agreement {
    since: Option<Mono>,
    frames: u32,
}

impl Agreement {
    fn add(&mut self, at: Mono) {
        self.since.get_or_insert(at);
        self.frames += 1;
    }

    fn is_enough(&self, at: Mono, seconds: f64) -> bool {
        self.frames >= MIN_FRAMES && self.since.is_some_and(|since| at.since_s(since) >= seconds)
    }
}

/// One question that is not answered yet.
#[derive(Debug)]
pub(super) struct PendingRecheck {
    pub(super) incident_id: String,
    /// Ids of the commands that wait for it.
    pub(super) commands: Vec<String>,
    since: Mono,
    occupied: Agreement,
    free: Agreement,
    /// Why the last frame said nothing.
    pub(super) hindrance: Option<Hindrance>,
}

impl PendingRecheck {
    pub(super) fn new(incident_id: String, command: Option<String>, since: Mono) -> Self {
        let (occupied, free) = (Agreement::default(), Agreement::default());
        let commands = command.into_iter().collect();
        PendingRecheck { incident_id, commands, since, occupied, free, hindrance: None }
    }

    /// One frame of a camera that sees.
    pub(super) fn sample(&mut self, at: Mono, state: PlaceState) {
        self.hindrance = None;
        match state {
            PlaceState::Occupied => {
                self.free = Agreement::default();
                self.occupied.add(at);
            }
            PlaceState::Free => {
                self.occupied = Agreement::default();
                self.free.add(at);
            }
            PlaceState::Unknown(hindrance) => {
                self.forget_frames();
                self.hindrance = Some(hindrance);
            }
        }
    }

    /// What was seen before a gap proves nothing after it.
    fn forget_frames(&mut self) {
        (self.occupied, self.free, self.hindrance) = (Agreement::default(), Agreement::default(), None);
    }

    /// Seen there for long enough.
    pub(super) fn persists(&self, at: Mono) -> bool {
        self.occupied.is_enough(at, PERSISTS_S)
    }

    /// Seen free for long enough.
    pub(super) fn is_free(&self, at: Mono) -> bool {
        self.free.is_enough(at, FREE_S)
    }

    /// Frames in a row that agree.
    pub(super) fn frames(&self) -> u32 {
        self.occupied.frames.max(self.free.frames)
    }
}

/// All of one camera: each incident once, at most [`MAX_RECHECKS`].
#[derive(Debug, Default)]
pub(super) struct Rechecks {
    pending: Vec<PendingRecheck>,
}

impl Rechecks {
    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Whether one more can begin without another giving way.
    pub(super) fn has_room(&self) -> bool {
        self.pending.len() < MAX_RECHECKS
    }

    /// Begins one, or joins one that is under way. Returns the oldest if there are too many now.
    pub(super) fn add(&mut self, id: &str, command: Option<String>, at: Moment) -> Option<PendingRecheck> {
        match self.pending.iter_mut().find(|p| p.incident_id == id) {
            Some(pending) => pending.commands.extend(command),
            None => self.pending.push(PendingRecheck::new(id.to_owned(), command, at.mono)),
        }
        (self.pending.len() > MAX_RECHECKS).then(|| self.pending.remove(0))
    }

    /// Those that an earlier run left.
    pub(super) fn resume(&mut self, incident_ids: impl Iterator<Item = String>, now: Mono) {
        self.pending = incident_ids.map(|id| PendingRecheck::new(id, None, now)).take(MAX_RECHECKS).collect();
    }

    /// The incidents that are looked at, the one that waits longest first.
    pub(super) fn incident_ids(&self) -> impl Iterator<Item = &str> {
        self.pending.iter().map(|p| p.incident_id.as_str())
    }

    /// Takes all, to sample and answer them; those that go on come back by [`Rechecks::put_back`].
    pub(super) fn take_all(&mut self) -> Vec<PendingRecheck> {
        std::mem::take(&mut self.pending)
    }

    pub(super) fn put_back(&mut self, pending: Vec<PendingRecheck>) {
        self.pending = pending;
    }

    /// Takes those that have waited too long.
    pub(super) fn take_overdue(&mut self, at: Mono) -> Vec<PendingRecheck> {
        self.pending.extract_if(.., |p| at.since_s(p.since) >= LIMIT_S).collect()
    }

    /// The camera does not see: what was seen before the gap proves nothing after it.
    pub(super) fn forget_frames(&mut self) {
        self.pending.iter_mut().for_each(PendingRecheck::forget_frames);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: f64) -> Moment {
        Moment { mono: Mono::from_s(s), ..Moment::default() }
    }

    #[test]
    fn each_incident_stands_once_and_the_oldest_gives_way() {
        let mut rechecks = Rechecks::default();
        for n in 0..MAX_RECHECKS {
            assert!(rechecks.add(&format!("i{n}"), Some(format!("c{n}")), at(0.0)).is_none());
        }
        assert!(rechecks.add("i0", Some("again".into()), at(1.0)).is_none(), "joins the one under way");
        let oldest = rechecks.add("one too many", None, at(2.0)).expect("the oldest");
        assert_eq!((oldest.incident_id.as_str(), oldest.commands), ("i0", vec!["c0".into(), "again".into()]));
    }

    #[test]
    fn a_place_is_free_only_when_it_stays_so_and_a_gap_begins_anew() {
        let mut pending = PendingRecheck::new("i".into(), None, Mono::ZERO);
        let mut sample = |s: f64, state: PlaceState| {
            pending.sample(Mono::from_s(s), state);
            (pending.persists(Mono::from_s(s)), pending.is_free(Mono::from_s(s)))
        };
        assert_eq!([1.0, 5.0, 9.0].map(|s| sample(s, PlaceState::Free).1), [false; 3]);
        assert_eq!(sample(10.0, PlaceState::Unknown(Hindrance::Hidden)), (false, false));
        assert_eq!([11.0, 16.0, 21.0].map(|s| sample(s, PlaceState::Free).1), [false, false, true]);
        assert_eq!([22.0, 23.0, 24.0].map(|s| sample(s, PlaceState::Occupied).0), [false, false, true]);
    }

    #[test]
    fn what_waits_too_long_is_taken_out() {
        let mut rechecks = Rechecks::default();
        rechecks.add("old", None, at(0.0));
        rechecks.add("new", None, at(30.0));
        let overdue = rechecks.take_overdue(Mono::from_s(LIMIT_S));
        assert_eq!(overdue.iter().map(|p| p.incident_id.as_str()).collect::<Vec<_>>(), ["old"]);
        assert!(!rechecks.is_empty());
    }
}
