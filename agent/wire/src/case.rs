//! `case.state`: a step in the life of the centre's own case.

use kerbside_domain::case::{CaseState, CaseUpdate};
use serde::Deserialize;

use crate::refusal::{Refusal, limited};
use crate::{event, limits};

#[derive(Deserialize)]
struct CaseData {
    incident_id: String,
    case_no: Option<String>,
    state: String,
    reason: Option<String>,
}

pub(crate) fn read(payload: &[u8]) -> Result<CaseUpdate, Refusal> {
    let data: CaseData = event::data(payload, "kerbside.case.state.v1")?;
    limited("incident_id", &data.incident_id, limits::ID)?;
    limited("state", &data.state, limits::ID)?;
    for text in [&data.case_no, &data.reason].into_iter().flatten() {
        limited("text", text, limits::TEXT)?;
    }
    let CaseData { incident_id, case_no, state, reason } = data;
    Ok(CaseUpdate { incident_id, case_no, state: CaseState::from(state), reason })
}
