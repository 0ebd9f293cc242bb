//! The accounts that are being made, and how one is counted. It knows the journal as it stood, and no ledger.

use std::collections::VecDeque;
use std::thread::JoinHandle;

use kerbside_domain::time::Mono;
use kerbside_wire::Message;
use kerbside_wire::statistics::Statistics;

use crate::delivery::records::{StageInput, parse};
use crate::journal::{JournalView, RecordKind};

/// An account that is to be made.
#[derive(Debug)]
pub(in crate::delivery) struct Order {
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
    /// Id of the command that wants it; `None`: the daily one.
    pub(super) command: Option<String>,
}

/// What was counted, and whether the journal still has all of it.
pub(super) type Counted = Result<(Statistics, bool), String>;
/// What an order came to: the account, or why there is none.
pub(super) type Made = Result<Message, String>;
/// A panic ends its own account and nothing else.
pub(super) type Counting = JoinHandle<std::thread::Result<Counted>>;

/// The accounts that are being made.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    pub(super) waiting: VecDeque<Order>,
    pub(super) running: Option<(Order, Counting)>,
    /// Nobody waits for what is being counted.
    pub(super) is_beside: bool,
    /// What the disk refused, and when it is tried again.
    pub(super) unwritten: Option<(Order, Made, Mono)>,
    /// The day whose begin has been told, in days since 1970 of the site's own time.
    pub(super) told_day: Option<i64>,
}

/// The account of a span, by what the journal has since then.
pub(super) fn counted(view: &JournalView, since: Mono, from_ms: i64, to_ms: i64) -> Counted {
    let mut account = Statistics::new(from_ms, to_ms);
    let begin = view.begin(since);
    let damage = view.replay(begin.n, &mut |record, _| match record.kind {
        RecordKind::Message => {
            if let Some((_, envelope)) = record.message() {
                account.message(envelope);
            }
        }
        RecordKind::Receipt | RecordKind::Case => match parse(&record.body) {
            Some(StageInput::Receipt(receipt)) => account.receipt(&receipt),
            Some(StageInput::Case(update)) => account.case(&update),
            _ => {}
        },
        _ => {}
    });
    let damage = damage.map_err(|error| error.to_string())?;
    let is_whole = damage.bad == 0 && damage.missing.is_empty();
    Ok((account, begin.reaches_back && is_whole))
}
