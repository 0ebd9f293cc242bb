//! `receipt`: the centre has one of our messages.

use kerbside_domain::case::{Receipt, ReceiptResult};
use serde::Deserialize;

use crate::limits;
use crate::refusal::{Refusal, limited};
use crate::statement::Statement;

/// CloudEvents type of a receipt.
pub const RECEIPT: &str = "kerbside.receipt.v1";

#[derive(Deserialize)]
struct ReceiptData {
    id: String,
    result: ReceiptResult,
    case_no: Option<String>,
    due_at: Option<String>,
    reason: Option<String>,
}

pub(crate) fn read(payload: &[u8]) -> Result<Statement<Receipt>, Refusal> {
    Statement::read(payload, RECEIPT, |data: ReceiptData| {
        limited("id", &data.id, limits::ID)?;
        for text in [&data.case_no, &data.due_at, &data.reason].into_iter().flatten() {
            limited("text", text, limits::TEXT)?;
        }
        let ReceiptData { id, result, case_no, due_at, reason } = data;
        Ok(Receipt { id, result, case_no, due_at, reason, signed_by: None })
    })
}
