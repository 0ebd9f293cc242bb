//! What the journal says, folded into what must be looked up: outbox, incidents, what came down, commands remembered.
//!
//! Live and after a restart the same [`LedgerState::apply`] is used, so the index is a function of the journal.
//!
//! | file | owns |
//! |---|---|
//! | `ledger_state` | the state, and one record applied to it |
//! | `commands` | which commands and grants were obeyed, and the answer each got |
//! | `known` | messages of the centre that are known again |
//! | `indexed` | the state as the index holds it |

mod commands;
mod indexed;
mod known;
mod ledger_state;

pub(super) use commands::GRANT_VERB;
pub(super) use ledger_state::{LedgerState, row_of};
