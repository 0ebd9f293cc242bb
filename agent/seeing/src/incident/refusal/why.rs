//! Why something that stayed is still no incident by a rule: the closed set of reasons.

use kerbside_domain::kind::Kind;
use serde::{Deserialize, Serialize};

use super::check::Check;

/// The reasons, with what they rest on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum WhyNot {
    /// A sensor has reported the same already.
    AlreadyReported {
        /// The rule's condition on it.
        with: String,
    },
    /// A bin in order.
    Bin {
        /// How sure that is.
        check: Check,
    },
    /// It went away, or changed so that it is not the same thing any more, before the rule's dwell.
    Gone {
        /// How long it stood.
        check: Check,
    },
    /// It stood for the rule's dwell and was never in sight to be judged.
    Hidden {
        /// How long it stood.
        check: Check,
    },
    /// Too long and thin for an object on the ground.
    ImplausibleShape {
        /// By how much.
        check: Check,
    },
    /// The camera lost sight of the street before the rule's dwell: blind, off, moved, a new light.
    Interrupted {
        /// How long it stood until then.
        check: Check,
    },
    /// It does not look like itself for long.
    KeepsChanging {
        /// How much it does.
        check: Check,
        /// Why it is no stall, which may change more.
        misses: Vec<Miss>,
    },
    /// The rule names no kind that fits.
    NoKindFits {
        /// What each kind of the rule lacks; empty: none of them is for such a thing.
        misses: Vec<Miss>,
    },
    /// It stood for the rule's dwell and the detector was hardly shown it.
    NotAnalysed {
        /// In how many frames it was.
        check: Check,
    },
    /// The witness sees people or vehicles there and no goods.
    OnlyPeople {
        /// How much of it is goods.
        check: Check,
    },
    /// The rule's hours are over.
    OutsideSchedule {
        /// The rule's hours, as OpenStreetMap writes opening hours.
        hours: String,
    },
    /// Somebody may be there now.
    Permitted {
        /// Who.
        holder: String,
        /// When, as OpenStreetMap writes opening hours.
        hours: String,
    },
    /// It is a person, or people and their shade, or people hide it most of the time.
    Person {
        /// Which of it.
        check: Check,
    },
    /// The sensor of the rule says otherwise.
    SensorDisagrees {
        /// The rule's condition on it.
        with: String,
    },
    /// The sensor of the rule is silent, implausible or stuck.
    SensorUnknown {
        /// The rule's condition on it.
        with: String,
    },
    /// Too large for an object on the ground.
    TooLarge {
        /// By how much.
        check: Check,
    },
    /// The camera has too many open incidents already.
    TooManyOpen {
        /// How many.
        check: Check,
    },
    /// Smaller than the rule asks.
    TooSmall {
        /// By how much.
        check: Check,
    },
    /// Bare ground that something left.
    Vacated,
    /// It is a vehicle that nobody sells from.
    Vehicle {
        /// Why it is one.
        check: Check,
        /// What a vendor's vehicle would need, if the rule asks for those.
        misses: Vec<Miss>,
    },
}

/// What a thing lacks to be an incident of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Miss {
    /// The kind that it nearly is.
    pub kind: Kind,
    /// What is missing.
    pub check: Check,
}

impl WhyNot {
    /// The reason alone.
    pub fn kind(&self) -> RefusalKind {
        match self {
            WhyNot::AlreadyReported { .. } => RefusalKind::AlreadyReported,
            WhyNot::Bin { .. } => RefusalKind::Bin,
            WhyNot::Gone { .. } => RefusalKind::Gone,
            WhyNot::Hidden { .. } => RefusalKind::Hidden,
            WhyNot::ImplausibleShape { .. } => RefusalKind::ImplausibleShape,
            WhyNot::Interrupted { .. } => RefusalKind::Interrupted,
            WhyNot::KeepsChanging { .. } => RefusalKind::KeepsChanging,
            WhyNot::NoKindFits { .. } => RefusalKind::NoKindFits,
            WhyNot::NotAnalysed { .. } => RefusalKind::NotAnalysed,
            WhyNot::OnlyPeople { .. } => RefusalKind::OnlyPeople,
            WhyNot::OutsideSchedule { .. } => RefusalKind::OutsideSchedule,
            WhyNot::Permitted { .. } => RefusalKind::Permitted,
            WhyNot::Person { .. } => RefusalKind::Person,
            WhyNot::SensorDisagrees { .. } => RefusalKind::SensorDisagrees,
            WhyNot::SensorUnknown { .. } => RefusalKind::SensorUnknown,
            WhyNot::TooLarge { .. } => RefusalKind::TooLarge,
            WhyNot::TooManyOpen { .. } => RefusalKind::TooManyOpen,
            WhyNot::TooSmall { .. } => RefusalKind::TooSmall,
            WhyNot::Vacated => RefusalKind::Vacated,
            WhyNot::Vehicle { .. } => RefusalKind::Vehicle,
        }
    }

    /// Every value against its threshold, with the kind that it would have made where one kind alone asks for it.
    pub fn checks(&self) -> Vec<(Option<Kind>, Check)> {
        let of_misses = |misses: &[Miss]| misses.iter().map(|m| (Some(m.kind), m.check)).collect::<Vec<_>>();
        match self {
            WhyNot::Bin { check }
            | WhyNot::Gone { check }
            | WhyNot::Hidden { check }
            | WhyNot::ImplausibleShape { check }
            | WhyNot::Interrupted { check }
            | WhyNot::NotAnalysed { check }
            | WhyNot::OnlyPeople { check }
            | WhyNot::Person { check }
            | WhyNot::TooLarge { check }
            | WhyNot::TooManyOpen { check }
            | WhyNot::TooSmall { check } => vec![(None, *check)],
            WhyNot::KeepsChanging { check, misses } | WhyNot::Vehicle { check, misses } => {
                let mut checks = vec![(None, *check)];
                checks.extend(of_misses(misses));
                checks
            }
            WhyNot::NoKindFits { misses } => of_misses(misses),
            WhyNot::OutsideSchedule { .. }
            | WhyNot::Permitted { .. }
            | WhyNot::AlreadyReported { .. }
            | WhyNot::SensorDisagrees { .. }
            | WhyNot::SensorUnknown { .. }
            | WhyNot::Vacated => Vec::new(),
        }
    }
}

/// The reasons without their values, in the order of their labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefusalKind {
    /// See [`WhyNot::AlreadyReported`].
    AlreadyReported,
    /// See [`WhyNot::Bin`].
    Bin,
    /// See [`WhyNot::Gone`].
    Gone,
    /// See [`WhyNot::Hidden`].
    Hidden,
    /// See [`WhyNot::ImplausibleShape`].
    ImplausibleShape,
    /// See [`WhyNot::Interrupted`].
    Interrupted,
    /// See [`WhyNot::KeepsChanging`].
    KeepsChanging,
    /// See [`WhyNot::NoKindFits`].
    NoKindFits,
    /// See [`WhyNot::NotAnalysed`].
    NotAnalysed,
    /// See [`WhyNot::OnlyPeople`].
    OnlyPeople,
    /// See [`WhyNot::OutsideSchedule`].
    OutsideSchedule,
    /// See [`WhyNot::Permitted`].
    Permitted,
    /// See [`WhyNot::Person`].
    Person,
    /// See [`WhyNot::SensorDisagrees`].
    SensorDisagrees,
    /// See [`WhyNot::SensorUnknown`].
    SensorUnknown,
    /// See [`WhyNot::TooLarge`].
    TooLarge,
    /// See [`WhyNot::TooManyOpen`].
    TooManyOpen,
    /// See [`WhyNot::TooSmall`].
    TooSmall,
    /// See [`WhyNot::Vacated`].
    Vacated,
    /// See [`WhyNot::Vehicle`].
    Vehicle,
}

impl RefusalKind {
    /// All of them.
    pub const ALL: [RefusalKind; 20] = [
        RefusalKind::AlreadyReported,
        RefusalKind::Bin,
        RefusalKind::Gone,
        RefusalKind::Hidden,
        RefusalKind::ImplausibleShape,
        RefusalKind::Interrupted,
        RefusalKind::KeepsChanging,
        RefusalKind::NoKindFits,
        RefusalKind::NotAnalysed,
        RefusalKind::OnlyPeople,
        RefusalKind::OutsideSchedule,
        RefusalKind::Permitted,
        RefusalKind::Person,
        RefusalKind::SensorDisagrees,
        RefusalKind::SensorUnknown,
        RefusalKind::TooLarge,
        RefusalKind::TooManyOpen,
        RefusalKind::TooSmall,
        RefusalKind::Vacated,
        RefusalKind::Vehicle,
    ];

    /// The label in metrics and files.
    pub fn as_str(self) -> &'static str {
        match self {
            RefusalKind::AlreadyReported => "already_reported",
            RefusalKind::Bin => "bin",
            RefusalKind::Gone => "gone",
            RefusalKind::Hidden => "hidden",
            RefusalKind::ImplausibleShape => "implausible_shape",
            RefusalKind::Interrupted => "interrupted",
            RefusalKind::KeepsChanging => "keeps_changing",
            RefusalKind::NoKindFits => "no_kind_fits",
            RefusalKind::NotAnalysed => "not_analysed",
            RefusalKind::OnlyPeople => "only_people",
            RefusalKind::OutsideSchedule => "outside_schedule",
            RefusalKind::Permitted => "permitted",
            RefusalKind::Person => "person",
            RefusalKind::SensorDisagrees => "sensor_disagrees",
            RefusalKind::SensorUnknown => "sensor_unknown",
            RefusalKind::TooLarge => "too_large",
            RefusalKind::TooManyOpen => "too_many_open",
            RefusalKind::TooSmall => "too_small",
            RefusalKind::Vacated => "vacated",
            RefusalKind::Vehicle => "vehicle",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Measure;
    use super::*;

    #[test]
    fn labels_are_in_order_and_differ() {
        let labels: Vec<&str> = RefusalKind::ALL.into_iter().map(RefusalKind::as_str).collect();
        assert!(labels.is_sorted() && RefusalKind::ALL.is_sorted(), "{labels:?}");
    }

    #[test]
    fn a_reason_is_written_with_its_label_and_values_and_read_again() {
        let miss = Miss {
            kind: Kind::StallOccupying,
            check: Check::new(Measure::AttendedShare, 0.312_345_6, 0.5_f32),
        };
        let why = WhyNot::NoKindFits { misses: vec![miss] };
        let text = serde_json::to_string(&why).unwrap();
        let written = concat!(
            r#"{"reason":"no_kind_fits","misses":[{"kind":"stall.occupying","#,
            r#""check":{"measure":"attended_share","value":0.3123,"threshold":0.5}}]}"#
        );
        assert_eq!(text, written);
        assert_eq!(serde_json::from_str::<WhyNot>(&text).unwrap(), why);
        assert_eq!(why.checks(), [(Some(Kind::StallOccupying), miss.check)]);
        for kind in [WhyNot::Vacated.kind(), why.kind()] {
            assert!(text.contains(kind.as_str()) || kind == RefusalKind::Vacated);
        }
    }
}
