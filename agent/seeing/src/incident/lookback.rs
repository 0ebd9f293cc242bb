//! Asking the past: something stands there that nobody was seen to bring. Whoever decodes the ring may tell who did.

use kerbside_domain::time::Moment;

use super::camera::CameraCore;
use super::life::StepContext;
use super::spot::{EXPLAINED_SHARE, MIN_ASKED, Spot};
use super::{Act, Effect, Phase, ReviewAnswer, ReviewRequest, arrival};

/// How far back before the first change one looks: a walker needs some seconds from the picture's edge.
const BEFORE_S: f64 = 6.0;
/// And this long after it, for the leaving.
const AFTER_S: f64 = 3.0;
/// Track numbers of answers lie beyond those of the living: the same number must not mean two.
const OF_THE_PAST: u32 = 1 << 31;

/// What the past says of a spot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Past {
    #[default]
    NotAsked,
    Asked,
    /// For the officer who reads.
    Told(String),
}

impl Past {
    pub(super) fn told(&self) -> Option<&str> {
        match self {
            Past::Told(told) => Some(told),
            _ => None,
        }
    }
}

impl CameraCore {
    /// One question a look, about things that may become incidents.
    pub(super) fn ask_the_past(&mut self, at: Moment, voice: &mut StepContext<'_>) {
        let Some(index) = self.spots.iter().position(|s| self.is_a_question(s, at)) else { return };
        let spot = &mut self.spots[index];
        spot.past = Past::Asked;
        let appeared = spot.appeared();
        let to = appeared.at(appeared.mono.plus_s(AFTER_S));
        voice.counters.looked_back += 1;
        voice.effects.push(Effect::Review(ReviewRequest {
            camera: self.config.ix,
            spot: spot.id,
            bbox: spot.bbox(),
            appeared,
            from: appeared.minus_s(BEFORE_S),
            to,
        }));
    }

    fn is_a_question(&self, spot: &Spot, at: Moment) -> bool {
        let appeared = spot.appeared().mono;
        // What appeared while the background was learnt was brought by nobody.
        let watched = self.seeing_since.is_some_and(|since| since < arrival(appeared).0);
        spot.past == Past::NotAsked
            && spot.witness().is_none()
            && watched
            && at.mono >= appeared.plus_s(AFTER_S)
            && spot.asked() >= MIN_ASKED
            && spot.explained(EXPLAINED_SHARE).is_none()
            && self.is_large_enough(spot)
    }

    /// The answer: what was found may turn out to have been seen being left.
    pub(super) fn looked_back(&mut self, answer: ReviewAnswer, at: Moment, voice: &mut StepContext<'_>) {
        let Some(spot) = self.spots.iter_mut().find(|s| s.id == answer.spot) else { return };
        let told = match (&answer.witness, answer.why) {
            (Some(witness), _) => witness.label.to_string(),
            (None, None) => "nobody".to_owned(),
            (None, Some(why)) => format!("not possible: {why}"),
        };
        spot.past = Past::Told(told);
        let Some(mut witness) = answer.witness else { return };
        witness.track |= OF_THE_PAST;
        for part in spot.parts.iter_mut().filter(|p| p.witness.is_none()) {
            part.witness = Some(witness.clone());
        }
        let spot = spot.clone();
        let company = self.company_of(&spot);
        let Some(incident) = self.open.iter_mut().find(|i| i.spot == Some(spot.id)) else { return };
        if incident.report.act == Some(Act::FoundAfter) {
            incident.report.act = Some(Act::InProgress);
            incident.refresh(at, &spot, &company, voice.settings);
            incident.say(at, Phase::Updated, "looked_back", voice);
        }
    }
}
