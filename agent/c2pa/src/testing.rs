//! A signer and a statement for the tests of this crate.

use std::sync::Arc;

use crate::signer::Signer;
use crate::statement::Statement;

pub(crate) fn signer() -> Signer {
    Signer::unvouched(Arc::new(kerbside_crypto::testing::key()), "box-1").unwrap()
}

pub(crate) fn statement() -> Statement {
    Statement {
        id: "box-1/I1/r1-trigger".into(),
        title: "r1-trigger.jpg".into(),
        captured_at: Some("2026-11-21T08:31:05.120+08:00".into()),
        edit: None,
        facts: serde_json::json!({"incident_id": "I1"}),
    }
}
