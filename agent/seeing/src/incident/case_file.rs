//! What the centre answered about one incident.

use serde::{Deserialize, Serialize};

use kerbside_domain::case::CaseState;
use kerbside_domain::time::instant_ms;

/// The centre's case number and the latest state of its case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseFile {
    /// The number of the centre's case.
    pub case_no: Option<String>,
    /// Until when it is to be handled, as the centre wrote it.
    pub due_at: Option<String>,
    /// The latest of these at which the place was looked at again because it was due.
    #[serde(default)]
    pub due_looked: Option<String>,
    /// The latest state of the case.
    pub state: Option<CaseState>,
    /// Why the case is in this state, or why the report was rejected.
    pub reason: Option<String>,
    /// Highest revision with a receipt.
    pub receipted_revision: u32,
    /// Whether the centre rejected it, for the reason above.
    pub rejected: bool,
    /// The centre has sent somebody, as far as its case states tell: what goes away did not go by itself.
    #[serde(default)]
    pub officer_sent: bool,
    /// The centre says it was handled, and the place was not looked at yet.
    #[serde(default)]
    pub recheck_due: bool,
}

impl CaseFile {
    /// It is looked at because it is due: once for each time that the centre names.
    pub(super) fn look_begins(&mut self) {
        self.due_looked.clone_from(&self.due_at);
        self.recheck_due = true;
    }

    /// When the place is to be looked at because the case is due then, wall clock, ms. `None`: never, or it was already, or the
    /// centre is done with the case.
    pub(super) fn look_due_ms(&self) -> Option<i64> {
        let is_ended = self.state.as_ref().is_some_and(CaseState::is_end);
        let due_at = self.due_at.as_ref().filter(|due| !is_ended && self.due_looked.as_ref() != Some(due))?;
        instant_ms(due_at)
    }
}
