//! Review: the question who brought what stands there, to whoever decodes the packet ring, and the answer.

use kerbside_domain::frame::{BBox, CameraIx};
use kerbside_domain::time::{Moment, Mono};

use super::tuning::arrival;
use crate::tracker::Witness;

/// When somebody must have touched the place of an object to have brought it: from, to.
pub(super) fn arrival_span(appeared: Mono) -> (Mono, Mono) {
    (appeared.minus_s(arrival::BEFORE_S), appeared.plus_s(arrival::AFTER_S))
}

/// A span of the ring to decode, for who brought one candidate.
#[derive(Clone, Debug, PartialEq)]
pub struct ReviewRequest {
    /// The camera that saw it.
    pub camera: CameraIx,
    /// Names the candidate within its camera.
    pub candidate: u32,
    /// Where it stands.
    pub bbox: BBox,
    /// When it appeared.
    pub appeared: Moment,
    /// The span to decode begins here ...
    pub from: Moment,
    /// ... and ends here.
    pub to: Moment,
}

impl ReviewRequest {
    /// For a candidate that appeared at a moment: long enough for the coming and the leaving.
    pub(super) fn new(camera: CameraIx, candidate: u32, bbox: BBox, appeared: Moment) -> Self {
        let to = appeared.at(appeared.mono.plus_s(arrival::REVIEW_AFTER_S));
        let from = appeared.minus_s(arrival::REVIEW_BEFORE_S);
        ReviewRequest { camera, candidate, bbox, appeared, from, to }
    }

    /// When somebody must have touched the place to have brought the object: from, to.
    pub fn arrival_span(&self) -> (Mono, Mono) {
        arrival_span(self.appeared.mono)
    }

    /// The answer when the span could not be decoded.
    pub fn failed(&self, why: String) -> ReviewAnswer {
        let ReviewRequest { camera, candidate, .. } = *self;
        ReviewAnswer { camera, candidate, witness: None, frames: 0, failure: Some(why) }
    }
}

/// The answer to a [`ReviewRequest`].
#[derive(Clone, Debug, PartialEq)]
pub struct ReviewAnswer {
    /// As in the request.
    pub camera: CameraIx,
    /// As in the request.
    pub candidate: u32,
    /// Who brought it, if anybody was seen. The track number counts within this answer only.
    pub witness: Option<Witness>,
    /// Frames that were looked at.
    pub frames: u32,
    /// Why the span could not be decoded.
    pub failure: Option<String>,
}

/// What a review says of a candidate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum ReviewState {
    /// None was requested.
    #[default]
    NotRequested,
    /// The answer is to come.
    Requested,
    /// What was found, for the officer who reads.
    Answered(String),
}

impl ReviewState {
    pub(super) fn of(answer: &ReviewAnswer) -> Self {
        ReviewState::Answered(match (&answer.witness, &answer.failure) {
            (Some(witness), _) => witness.label.to_string(),
            (None, None) => "nobody".to_owned(),
            (None, Some(why)) => format!("not possible: {why}"),
        })
    }

    pub(super) fn answer(&self) -> Option<&str> {
        match self {
            ReviewState::Answered(text) => Some(text),
            _ => None,
        }
    }
}
