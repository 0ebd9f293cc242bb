//! Why something that stayed long enough is still no incident.

/// The reasons, in the order of their labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// A bin in order.
    Bin,
    /// Too long and thin for an object on the ground.
    ImplausibleShape,
    /// It does not look like itself for long.
    KeepsChanging,
    /// The rule names no kind that fits.
    NoKindFits,
    /// The rule's hours are over.
    OutsideSchedule,
    /// Somebody may be there now.
    Permitted,
    /// It is a person, or people and their shade.
    Person,
    /// Too large for an object on the ground.
    TooLarge,
    /// The camera has too many open incidents already.
    TooManyOpen,
    /// Smaller than the rule asks.
    TooSmall,
    /// Bare ground that something left.
    Vacated,
    /// It is a vehicle that nobody sells from.
    Vehicle,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Refusal; 12] = [
        Refusal::Bin,
        Refusal::ImplausibleShape,
        Refusal::KeepsChanging,
        Refusal::NoKindFits,
        Refusal::OutsideSchedule,
        Refusal::Permitted,
        Refusal::Person,
        Refusal::TooLarge,
        Refusal::TooManyOpen,
        Refusal::TooSmall,
        Refusal::Vacated,
        Refusal::Vehicle,
    ];

    /// The label in metrics and in what `replay` prints.
    pub fn as_str(self) -> &'static str {
        match self {
            Refusal::Bin => "bin",
            Refusal::ImplausibleShape => "implausible_shape",
            Refusal::KeepsChanging => "keeps_changing",
            Refusal::NoKindFits => "no_kind_fits",
            Refusal::OutsideSchedule => "outside_schedule",
            Refusal::Permitted => "permitted",
            Refusal::Person => "person",
            Refusal::TooLarge => "too_large",
            Refusal::TooManyOpen => "too_many_open",
            Refusal::TooSmall => "too_small",
            Refusal::Vacated => "vacated",
            Refusal::Vehicle => "vehicle",
        }
    }
}

/// What has been counted of one candidate: each rule and reason once.
#[derive(Clone, Debug, Default)]
pub(super) struct RefusalLog {
    entries: Vec<(String, Refusal)>,
}

impl RefusalLog {
    /// True the first time.
    pub(super) fn insert(&mut self, rule: &str, refusal: Refusal) -> bool {
        let is_new = !self.entries.iter().any(|(r, reason)| r == rule && *reason == refusal);
        if is_new {
            self.entries.push((rule.to_owned(), refusal));
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_in_order_and_differ() {
        let labels: Vec<&str> = Refusal::ALL.into_iter().map(Refusal::as_str).collect();
        assert!(labels.is_sorted() && Refusal::ALL.is_sorted(), "{labels:?}");
    }

    #[test]
    fn a_refusal_is_new_once() {
        let mut log = RefusalLog::default();
        assert!(log.insert("r", Refusal::Bin));
        assert!(!log.insert("r", Refusal::Bin));
        assert!(log.insert("s", Refusal::Bin) && log.insert("r", Refusal::Person));
    }
}
