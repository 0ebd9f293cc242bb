//! What the centre answers: receipts of our messages and the states of its own cases.

use serde::{Deserialize, Serialize};

/// The centre's answer to one of our messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Event id: `incident_id.revision`, or another message's id.
    pub id: String,
    /// Whether the centre took it.
    pub result: ReceiptResult,
    /// The number of the case that the centre made of it.
    pub case_no: Option<String>,
    /// Until when the case is to be handled, as the centre wrote it.
    pub due_at: Option<String>,
    /// Why it was rejected.
    pub reason: Option<String>,
    /// Id of the centre's key that signed it; `None`: whoever could write at the broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
}

/// Whether the centre took a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptResult {
    /// It did.
    Accepted,
    /// It has it already.
    Duplicate,
    /// It did not, for a reason.
    Rejected,
}

/// A step in the life of the centre's own case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseUpdate {
    /// Our incident that the case is about.
    pub incident_id: String,
    /// The number of the case.
    pub case_no: Option<String>,
    /// The state that the case is in now.
    pub state: CaseState,
    /// Why, if the centre says so.
    pub reason: Option<String>,
    /// Id of the centre's key that signed it; `None`: whoever could write at the broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
}

/// The state of a case. Written as the centre writes it; a state that we do not know is kept as its text, never an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum CaseState {
    /// It has a number.
    Registered,
    /// The centre takes it.
    Accepted,
    /// The centre does not take it.
    NotAccepted,
    /// It became a case.
    Filed,
    /// It did not become a case.
    NotFiled,
    /// It was sent to a department.
    Dispatched,
    /// The department sent it back.
    Returned,
    /// It is being handled.
    InProgress,
    /// It is handled later.
    Deferred,
    /// The department says that it was handled.
    Disposed,
    /// Somebody checks whether it was handled.
    Verifying,
    /// It was not.
    VerifyFailed,
    /// The centre is done with it.
    Closed,
    /// It should not have been a case.
    Voided,
    /// The centre took it up again.
    Reopened,
    /// Somebody asked afterwards; it is done with.
    FollowedUp,
    /// A state that this version does not know.
    Other(String),
}

impl CaseState {
    /// Every state that this version knows.
    pub const KNOWN: [CaseState; 16] = [
        CaseState::Registered,
        CaseState::Accepted,
        CaseState::NotAccepted,
        CaseState::Filed,
        CaseState::NotFiled,
        CaseState::Dispatched,
        CaseState::Returned,
        CaseState::InProgress,
        CaseState::Deferred,
        CaseState::Disposed,
        CaseState::Verifying,
        CaseState::VerifyFailed,
        CaseState::Closed,
        CaseState::Voided,
        CaseState::Reopened,
        CaseState::FollowedUp,
    ];

    /// As the centre writes it.
    pub fn as_str(&self) -> &str {
        match self {
            CaseState::Registered => "registered",
            CaseState::Accepted => "accepted",
            CaseState::NotAccepted => "not_accepted",
            CaseState::Filed => "filed",
            CaseState::NotFiled => "not_filed",
            CaseState::Dispatched => "dispatched",
            CaseState::Returned => "returned",
            CaseState::InProgress => "in_progress",
            CaseState::Deferred => "deferred",
            CaseState::Disposed => "disposed",
            CaseState::Verifying => "verifying",
            CaseState::VerifyFailed => "verify_failed",
            CaseState::Closed => "closed",
            CaseState::Voided => "voided",
            CaseState::Reopened => "reopened",
            CaseState::FollowedUp => "followed_up",
            CaseState::Other(text) => text,
        }
    }

    /// Whether the centre is done with a case in this state. A state that we do not know is not the end.
    pub fn is_end(&self) -> bool {
        matches!(self, CaseState::Closed | CaseState::Voided | CaseState::NotFiled | CaseState::FollowedUp)
    }

    /// Whether somebody was sent, as far as a case in this state tells: what goes away then did not go by itself. A state
    /// that we do not know may be one of these.
    pub fn sends_somebody(&self) -> bool {
        match self {
            CaseState::Registered
            | CaseState::Accepted
            | CaseState::NotAccepted
            | CaseState::Filed
            | CaseState::NotFiled
            | CaseState::Deferred
            | CaseState::Voided => false,
            CaseState::Dispatched
            | CaseState::Returned
            | CaseState::InProgress
            | CaseState::Disposed
            | CaseState::Verifying
            | CaseState::VerifyFailed
            | CaseState::Closed
            | CaseState::Reopened
            | CaseState::FollowedUp
            | CaseState::Other(_) => true,
        }
    }

    /// Whether the place shall be looked at again: the centre says that it was handled.
    pub fn requires_recheck(&self) -> bool {
        matches!(self, CaseState::Disposed | CaseState::Verifying)
    }
}

/// Whether a reason of the centre says that what was reported is not there: in English, or in Chinese as the centres write it.
pub fn is_false_detection(reason: &str) -> bool {
    let reason = reason.to_lowercase();
    ["false", "误报", "误检", "误识别", "虚警", "不实"].iter().any(|word| reason.contains(word))
}

impl From<String> for CaseState {
    fn from(text: String) -> Self {
        CaseState::KNOWN.into_iter().find(|s| s.as_str() == text).unwrap_or(CaseState::Other(text))
    }
}

impl From<CaseState> for String {
    fn from(state: CaseState) -> Self {
        match state {
            CaseState::Other(text) => text,
            known => known.as_str().to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_and_written_as_the_centre_writes_them() {
        for state in CaseState::KNOWN {
            let text = serde_json::to_string(&state).expect("plain text");
            assert_eq!(text, format!("{:?}", state.as_str()));
            assert_eq!(serde_json::from_str::<CaseState>(&text).expect("and back"), state);
        }
        let unknown = CaseState::from("shelved_by_moonlight".to_owned());
        assert_eq!(unknown, CaseState::Other("shelved_by_moonlight".to_owned()));
        assert_eq!(serde_json::to_string(&unknown).expect("plain text"), "\"shelved_by_moonlight\"");
    }

    #[test]
    fn a_false_detection_is_known_by_its_reason() {
        for reason in ["false detection", "False_Detection", "误报", "系统误检"] {
            assert!(is_false_detection(reason), "{reason}");
        }
        for reason in ["duplicate", "permitted vendor", "重复上报", "已许可", ""] {
            assert!(!is_false_detection(reason), "{reason}");
        }
    }

    #[test]
    fn four_states_end_a_case_two_require_a_recheck_and_nine_say_that_somebody_was_sent() {
        let texts = |holds: fn(&CaseState) -> bool| -> Vec<String> {
            CaseState::KNOWN.into_iter().filter(holds).map(String::from).collect()
        };
        assert_eq!(texts(CaseState::is_end), ["not_filed", "closed", "voided", "followed_up"]);
        assert_eq!(texts(CaseState::requires_recheck), ["disposed", "verifying"]);
        assert!(!CaseState::from("Closed ".to_owned()).is_end(), "what is not known is not the end");
        let sent = texts(CaseState::sends_somebody);
        let nobody = ["registered", "accepted", "not_accepted", "filed", "not_filed", "deferred", "voided"];
        assert!(
            sent.len() == 9 && nobody.iter().all(|state| !sent.contains(&(*state).to_owned())),
            "{sent:?}"
        );
        assert!(CaseState::from("squad_on_its_way".to_owned()).sends_somebody(), "it may be one of these");
    }
}
