//! What the centre answered about one incident.

use serde::{Deserialize, Serialize};

use kerbside_domain::case::CaseState;

/// The centre's case number and the latest state of its case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseFile {
    /// The number of the centre's case.
    pub case_no: Option<String>,
    /// Until when it is to be handled, as the centre wrote it.
    pub due_at: Option<String>,
    /// The latest state of the case.
    pub state: Option<CaseState>,
    /// Why the case is in this state, or why the report was rejected.
    pub reason: Option<String>,
    /// Highest revision with a receipt.
    pub receipted_revision: u32,
    /// Whether the centre rejected it, for the reason above.
    pub rejected: bool,
    /// The centre says it was handled, and the place was not looked at yet.
    #[serde(default)]
    pub recheck_due: bool,
}
