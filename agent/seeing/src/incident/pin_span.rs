//! Which packets show how an object came: pinned for candidates, cut for incidents.

use kerbside_domain::time::Moment;

use super::settings::Settings;
use super::tuning::pin::BEFORE_S;

/// The span of the clip of something that appeared at a moment.
pub(super) fn clip_span(appeared: Moment, settings: &Settings) -> (Moment, Moment) {
    (appeared.minus_s(settings.pre_s), appeared.at(appeared.mono.plus_s(settings.post_s)))
}

/// The moment of the picture before: within the span, before the first change.
pub(super) fn before_moment(appeared: Moment, settings: &Settings) -> Moment {
    appeared.minus_s(BEFORE_S.min(settings.pre_s))
}

/// A moment of the span at which the object stands: what was there before it was settled.
pub(super) fn standing_moment(appeared: Moment, settings: &Settings) -> Moment {
    appeared.at(appeared.mono.plus_s(settings.post_s / 2.0))
}
