//! Looking again: after the centre says `disposed`, or by its order, the place of an incident is looked at anew.
//!
//! The answer is `persisting` or `cleared` only after several fresh looks of a camera that sees the place free and open;
//! everything else is `unobservable`, with its reason (invariant 13). It closes no case: that is the centre's.

use kerbside_domain::detection::Group;
use kerbside_domain::frame::BBox;
use kerbside_domain::time::{Moment, Mono};

use super::camera::{CameraCore, is_about};
use super::life::{Incident, StepContext};
use super::spot::{Spot, cover};
use super::{CameraState, Core, Effect, EvidenceRole, Phase, Recheck, RecheckResult};

/// An answer rests on so many looks that agree ...
const LOOKS: u32 = 3;
/// ... over so long: a thing is there at once, but a place is free only when it stays so.
const PERSISTS_S: f64 = 2.0;
const GONE_S: f64 = 10.0;
/// No answer after so long is an answer too.
const LIMIT_S: f64 = 45.0;
/// Places of one camera that are looked at again at once; beyond, `unobservable`.
const MAX_ASKED: usize = 16;

/// One question that is not answered yet.
#[derive(Debug)]
pub(super) struct Asked {
    incident_id: String,
    /// Ids of the commands that wait for it.
    commands: Vec<String>,
    since: Mono,
    stands: Run,
    gone: Run,
    /// Why the last look gave nothing.
    hindrance: Option<&'static str>,
}

/// Looks in a row that say the same.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    from: Option<Mono>,
    looks: u32,
}

impl Run {
    fn add(&mut self, at: Mono) {
        self.from.get_or_insert(at);
        self.looks += 1;
    }

    fn is_enough(&self, at: Mono, seconds: f64) -> bool {
        self.looks >= LOOKS && self.from.is_some_and(|from| at.since_s(from) >= seconds)
    }
}

impl Asked {
    fn new(incident_id: String, since: Mono) -> Self {
        let (stands, gone) = (Run::default(), Run::default());
        Asked { incident_id, commands: Vec::new(), since, stands, gone, hindrance: None }
    }
}

enum Place {
    Stands,
    Free,
    /// Cannot be judged, and why.
    Unknown(&'static str),
}

impl Core {
    /// The centre asks by command; an incident that is not known any more is answered at once.
    pub(super) fn recheck(&mut self, incident_id: &str, command_id: String, effects: &mut Vec<Effect>) {
        let now = self.now;
        let known = |c: &&mut CameraCore| c.knows(incident_id);
        match self.cameras.iter_mut().find(known) {
            Some(camera) => {
                let mut voice =
                    StepContext { settings: &self.settings, counters: &mut self.counters, effects };
                camera.ask_again(incident_id, Some(command_id), now, &mut voice);
            }
            None => {
                let incident_id = incident_id.to_owned();
                effects.push(Effect::NotKnown { command_id, incident_id });
            }
        }
    }
}

impl CameraCore {
    fn knows(&self, incident_id: &str) -> bool {
        self.open.iter().chain(&self.past).any(|i| i.report.incident_id == incident_id)
    }

    /// Begins to look again, or joins a question that is under way.
    pub(super) fn ask_again(
        &mut self,
        id: &str,
        command: Option<String>,
        at: Moment,
        voice: &mut StepContext<'_>,
    ) {
        match self.asked_again.iter_mut().find(|a| a.incident_id == id) {
            Some(asked) => asked.commands.extend(command),
            None => {
                let commands = command.into_iter().collect();
                self.asked_again.push(Asked { commands, ..Asked::new(id.to_owned(), at.mono) });
            }
        }
        if self.asked_again.len() > MAX_ASKED {
            let oldest = self.asked_again.remove(0);
            self.answer(oldest, RecheckResult::Unobservable, "too_many_asked".to_owned(), at, voice);
        }
    }

    /// What the last run was to look at and did not.
    pub(super) fn resume_rechecks(&mut self, now: Mono) {
        let due = self.open.iter().chain(&self.past).filter(|i| i.case.recheck_due);
        let due = due.map(|i| Asked::new(i.report.incident_id.clone(), now));
        self.asked_again = due.take(MAX_ASKED).collect();
    }

    /// One look of a camera that sees.
    pub(super) fn look_again(&mut self, at: Moment, movers: &[(Group, BBox)], voice: &mut StepContext<'_>) {
        let mut waiting = Vec::new();
        for mut asked in std::mem::take(&mut self.asked_again) {
            let place = match self.incident(&asked.incident_id) {
                Some(incident) => self.place_of(incident, movers),
                None => Place::Unknown("incident_retired"),
            };
            match place {
                Place::Stands => (asked.gone, asked.hindrance) = (Run::default(), None),
                Place::Free => (asked.stands, asked.hindrance) = (Run::default(), None),
                Place::Unknown(why) => {
                    (asked.stands, asked.gone, asked.hindrance) = (Run::default(), Run::default(), Some(why));
                }
            }
            match place {
                Place::Stands => asked.stands.add(at.mono),
                Place::Free => asked.gone.add(at.mono),
                Place::Unknown(_) => {}
            }
            if asked.stands.is_enough(at.mono, PERSISTS_S) {
                self.answer(asked, RecheckResult::Persisting, "seen_there".to_owned(), at, voice);
            } else if asked.gone.is_enough(at.mono, GONE_S) {
                self.answer(asked, RecheckResult::Cleared, "place_seen_free".to_owned(), at, voice);
            } else {
                waiting.push(asked);
            }
        }
        self.asked_again = waiting;
    }

    /// What was seen before a gap proves nothing after it.
    pub(super) fn forget_looks(&mut self) {
        for asked in &mut self.asked_again {
            (asked.stands, asked.gone, asked.hindrance) = (Run::default(), Run::default(), None);
        }
    }

    /// Whoever waited too long hears that the place could not be seen, and why.
    pub(super) fn end_rechecks(&mut self, at: Moment, voice: &mut StepContext<'_>) {
        let over = |a: &Asked| at.mono.since_s(a.since) >= LIMIT_S;
        let (over, waiting) = std::mem::take(&mut self.asked_again).into_iter().partition(over);
        self.asked_again = waiting;
        let over: Vec<Asked> = over;
        for asked in over {
            let why = match self.sight.state() {
                CameraState::Watching => asked.hindrance.unwrap_or("too_few_looks").to_owned(),
                CameraState::Blind(reason) => format!("camera_blind:{}", word(&reason)),
                CameraState::Off(reason) => format!("camera_off:{}", word(&reason)),
            };
            self.answer(asked, RecheckResult::Unobservable, why, at, voice);
        }
    }

    fn incident(&self, id: &str) -> Option<&Incident> {
        self.open.iter().chain(&self.past).find(|i| i.report.incident_id == id)
    }

    fn place_of(&self, incident: &Incident, movers: &[(Group, BBox)]) -> Place {
        let is_there = |s: &&Spot| {
            // Ground that something left is no thing.
            let is_thing = s.parts.iter().any(|p| !p.vacated && !p.seen.removed);
            let same = Some(s.id) == incident.spot || is_about(incident, &s.bbox());
            is_thing && same && s.present()
        };
        let there: Vec<_> = self.spots.iter().filter(is_there).collect();
        if there.iter().any(|s| s.in_the_open()) {
            Place::Stands
        } else if !there.is_empty() || cover(&incident.bbox(), movers).is_some() {
            Place::Unknown("hidden")
        } else if incident.observable {
            Place::Free
        } else {
            // The background was learnt anew, perhaps with the thing in it.
            Place::Unknown("place_not_seen_since_learning")
        }
    }

    fn answer(
        &mut self,
        asked: Asked,
        result: RecheckResult,
        why: String,
        at: Moment,
        voice: &mut StepContext<'_>,
    ) {
        let looks = asked.stands.looks.max(asked.gone.looks);
        let seeing = self.sight.seeing();
        let Some(incident) = self.incident_mut(&asked.incident_id) else {
            let incident_id = asked.incident_id;
            let commands = asked.commands.into_iter();
            voice.effects.extend(
                commands.map(|command_id| Effect::NotKnown { command_id, incident_id: incident_id.clone() }),
            );
            return;
        };
        voice.counters.rechecks += 1;
        incident.case.recheck_due = false;
        incident.report.recheck = Some(Recheck { result, why, looks, commands: asked.commands });
        // A picture of a camera that does not see would prove nothing.
        if seeing {
            incident.say_with_evidence(at, Phase::Recheck, "recheck", &[EvidenceRole::After], voice);
        } else {
            incident.say(at, Phase::Recheck, "recheck", voice);
        }
        incident.report.recheck = None;
    }
}

/// The wire's word for a reason.
fn word<T: serde::Serialize>(reason: &T) -> String {
    let value = serde_json::to_value(reason).unwrap_or_default();
    value.as_str().unwrap_or("unknown").to_owned()
}
