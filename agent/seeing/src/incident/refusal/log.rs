//! What has been said of one candidate. Bounded: an entry for each rule of its camera.

use super::why::{RefusalKind, WhyNot};

/// What one rule said of a candidate.
#[derive(Clone, Debug)]
pub(in crate::incident) struct RuleRefusals {
    pub(in crate::incident) zone: String,
    pub(in crate::incident) rule: String,
    /// Each reason once, in the order of their coming.
    kinds: Vec<RefusalKind>,
    /// The latest, with the values of the latest frame.
    pub(in crate::incident) why: WhyNot,
}

/// What all rules said of a candidate.
#[derive(Clone, Debug, Default)]
pub(in crate::incident) struct RefusalLog {
    rules: Vec<RuleRefusals>,
}

impl RefusalLog {
    /// Keeps the latest reason of a rule, and gives it back when the rule says it for the first time.
    pub(in crate::incident) fn insert(&mut self, zone: &str, rule: &str, why: WhyNot) -> Option<&WhyNot> {
        let kind = why.kind();
        let known = self.rules.iter().position(|r| r.zone == zone && r.rule == rule);
        let index = known.unwrap_or(self.rules.len());
        if known.is_none() {
            let (zone, rule) = (zone.to_owned(), rule.to_owned());
            self.rules.push(RuleRefusals { zone, rule, kinds: Vec::new(), why: why.clone() });
        }
        let entry = self.rules.get_mut(index)?;
        entry.why = why;
        if entry.kinds.contains(&kind) {
            return None;
        }
        entry.kinds.push(kind);
        Some(&entry.why)
    }

    /// The latest of a rule.
    pub(in crate::incident) fn of(&self, zone: &str, rule: &str) -> Option<&WhyNot> {
        self.rules.iter().find(|r| r.zone == zone && r.rule == rule).map(|r| &r.why)
    }

    /// Forgets all, and gives it.
    pub(in crate::incident) fn take(&mut self) -> Vec<RuleRefusals> {
        std::mem::take(&mut self.rules)
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::{Check, Measure};
    use super::*;

    #[test]
    fn a_refusal_is_new_once_a_rule_and_reason_and_keeps_the_latest_values() {
        let shade = |value: f64| WhyNot::Person { check: Check::new(Measure::ShadeShare, value, 0.6) };
        let mut log = RefusalLog::default();
        assert!(log.insert("z", "r", WhyNot::Vacated).is_some());
        assert!(log.insert("z", "r", WhyNot::Vacated).is_none());
        assert!(log.insert("z", "s", WhyNot::Vacated).is_some());
        assert!(log.insert("z", "r", shade(0.7)).is_some());
        assert!(log.insert("z", "r", shade(0.8)).is_none());
        assert_eq!(log.of("z", "r"), Some(&shade(0.8)));
        assert_eq!(log.take().len(), 2);
        assert!(log.of("z", "r").is_none());
    }
}
