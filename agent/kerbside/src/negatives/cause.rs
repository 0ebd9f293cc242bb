//! Why something was reported where there is nothing to report. Pure.

use kerbside_domain::report::Report;
use serde::Serialize;

/// A score or a share from here on speaks: that of sensitivity 5.
const NAMED: f64 = 0.5;

/// Why something was reported, by what its report says for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Cause {
    /// Nobody was seen to bring it and no network names it: light, ground, the camera.
    Nobody,
    /// A vehicle is said to have brought it: ground that it uncovered.
    Vehicle,
    /// A person is said to have brought it.
    Person,
    /// People stayed with it.
    Attended,
    /// A network named it.
    Named,
}

impl Cause {
    pub(super) const ALL: [Cause; 5] =
        [Cause::Nobody, Cause::Vehicle, Cause::Person, Cause::Attended, Cause::Named];

    pub(super) fn of(report: &Report) -> Cause {
        let reason = |name: &str| report.reasons.iter().find(|r| r.0 == name).map(|r| &r.1);
        let share = |name: &str| reason(name).and_then(serde_json::Value::as_f64).unwrap_or_default();
        let named = ["waste_score", "overflow_score", "stall_score", "goods_score"];
        let with = reason("appeared_with").and_then(|v| v.as_str());
        if named.iter().any(|name| share(name) >= NAMED) {
            Cause::Named
        } else if share("attendant_share") >= NAMED {
            Cause::Attended
        } else {
            match with {
                Some("vehicle") => Cause::Vehicle,
                Some("person") => Cause::Person,
                _ => Cause::Nobody,
            }
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Cause::Nobody => "nobody brought it, nothing names it",
            Cause::Vehicle => "a vehicle left it",
            Cause::Person => "a person left it",
            Cause::Attended => "people stayed with it",
            Cause::Named => "a network named it",
        }
    }
}
