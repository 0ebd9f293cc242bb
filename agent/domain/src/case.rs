//! What the centre answers: receipts of our messages and the states of its own cases.

use serde::{Deserialize, Serialize};

/// The centre's answer to one of our messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Event id: `incident_id.revision`, or another message's id.
    pub id: String,
    pub result: ReceiptResult,
    pub case_no: Option<String>,
    pub due_at: Option<String>,
    pub reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptResult {
    Accepted,
    Duplicate,
    Rejected,
}

/// A step in the life of the centre's own case. Unknown states are kept as text, never an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseState {
    pub incident_id: String,
    pub case_no: Option<String>,
    pub state: String,
    pub reason: Option<String>,
}

/// Whether the centre is done with a case in this state; states we do not know are not the end.
pub fn ends_case(state: &str) -> bool {
    matches!(state, "closed" | "voided" | "not_filed" | "followed_up")
}
