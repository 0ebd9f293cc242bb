//! `case.state`: a step in the life of the centre's own case.

use kerbside_domain::case::{CaseState, CaseUpdate};
use serde::Deserialize;

use crate::limits;
use crate::refusal::{Refusal, limited};
use crate::statement::Statement;

/// CloudEvents type of a case state.
pub const CASE_STATE: &str = "kerbside.case.state.v1";

#[derive(Deserialize)]
struct CaseData {
    incident_id: String,
    case_no: Option<String>,
    state: String,
    reason: Option<String>,
}

pub(crate) fn read(payload: &[u8]) -> Result<Statement<CaseUpdate>, Refusal> {
    Statement::read(payload, CASE_STATE, |data: CaseData| {
        limited("incident_id", &data.incident_id, limits::ID)?;
        limited("state", &data.state, limits::ID)?;
        for text in [&data.case_no, &data.reason].into_iter().flatten() {
            limited("text", text, limits::TEXT)?;
        }
        let CaseData { incident_id, case_no, state, reason } = data;
        Ok(CaseUpdate { incident_id, case_no, state: CaseState::from(state), reason, signed_by: None })
    })
}
