//! Every constant of the trace, with its unit and its reason. Measured figures: docs, section on the trace.

use std::time::Duration;

// ---- the store thread

/// Messages of the centre that are not journalled yet; beyond, the link waits and TCP stops the broker. As many as a turn
/// takes: a broker that sends faster than the disk syncs costs one sync for all of them.
pub const LINK_ROOM: usize = TURN;
/// Other reports of the link that wait for the store thread: more than the window can have on its way.
pub(crate) const CONTROL_ROOM: usize = 256;
/// Requests of others that wait for the store thread; senders beyond wait with them. Each waits for its answer.
pub(crate) const REQUESTS: usize = 256;
/// Messages and acknowledgements on their way to the link: the window, and an acknowledgement of each report that waited and of
/// each that a turn served meanwhile, twice over. The link takes all of them whenever it serves anything.
pub(crate) const TO_LINK: usize = 4 * LINK_ROOM;
/// A long message takes the room of several: one for each that many bytes, so that 4 MB wait at most.
pub(crate) const ROOM_BYTES: usize = 4096;
/// A message of the centre that the disk refused is tried again after that long; it stays unacknowledged meanwhile, s.
pub(crate) const UNWRITTEN_RETRY_S: f64 = 1.0;
/// Receipts, case states and commands on their way to the core; the rest waits in the ledger. The core saves what came of each
/// batch with one sync.
pub(crate) const TO_STAGES: usize = 256;
/// At least that often the store thread looks for what is due: expiry, retries, the index.
pub(crate) const IDLE_PERIOD: Duration = Duration::from_millis(250);
/// Most requests served before the link and the upkeep get their turn; one sync makes them durable. With syncs of 50 ms 10,000
/// messages of the centre take half a second.
pub(crate) const TURN: usize = 1024;
/// A caller that waits for an answer looks that often whether the store thread still lives.
pub(crate) const ALIVE_PERIOD: Duration = Duration::from_secs(1);

// ---- the link's window

/// Most messages handed over and not acknowledged: what a lost connection sends twice.
pub(crate) const WINDOW: usize = 8;
/// Pieces of files handed over and not acknowledged: evidence yields to reports.
pub(crate) const CHUNK_WINDOW: usize = 2;
/// Sequence numbers of pieces begin here; those of messages never come so far.
pub(crate) const FIRST_CHUNK_SEQ: u64 = 1 << 62;

// ---- the outbox

/// Bytes of journal that each priority may hold in the outbox, by [`kerbside_wire::Priority::index`]. Days of a broken link
/// on a box that reports every minute; together less than the smallest disk has left.
pub(crate) const BUDGETS: [u64; 4] = [256 << 20, 32 << 20, 64 << 20, 16 << 20];
/// A message without receipt is sent again after that long, then after twice as long, up to the maximum, s.
pub(crate) const RETRY_S: f64 = 30.0;
pub(crate) const RETRY_MAX_S: f64 = 3600.0;
/// A message that the broker refused is offered again after that long, then after twice as long, up to the maximum, s; and
/// on each new connection.
pub(crate) const REFUSED_RETRY_S: f64 = 60.0;
pub(crate) const REFUSED_RETRY_MAX_S: f64 = 3600.0;
/// A message whose record cannot be read is tried again that often, after 2 s, 4 s, 8 s and so on: two minutes in all.
pub(crate) const READ_RETRIES: u32 = 6;
/// While the whole journal cannot be read its messages wait that long between two tries, s; it never counts against them.
pub(crate) const UNREADABLE_FOLDER_WAIT_S: f64 = 2.0;

// ---- what comes down

/// Newest receipts and case states that are known again by topic and payload: eight times what mosquitto and EMQX keep for a box
/// that is away unless told otherwise (1,000). In memory, less than 1 MB; read from the journal's newest records at start.
pub(crate) const KNOWN_MESSAGES: usize = 8192;
pub(crate) const KNOWN_SEARCH: u64 = 2 * KNOWN_MESSAGES as u64;
/// Command ids that are remembered with their reply. The contract names the number.
pub(crate) const COMMANDS_REMEMBERED: usize = 1000;
/// Spans of time in which forgotten commands were issued, at most. One is enough where no clock was ever wrong.
pub(crate) const FORGOTTEN_SPANS: usize = 8;
/// Commands that were issued within that much of each other share a span, ms.
pub(crate) const FORGOTTEN_REACH_MS: i64 = 10 * 60_000;
/// Uploads that wait; a grant beyond is answered at once with `evidence.failed`.
pub const MAX_GRANTS: usize = 256;
/// A refused message is journalled in full, and answered, that often a minute; beyond, it is only counted.
pub(crate) const REFUSALS_A_MINUTE: u64 = 30;
/// A genuine command or grant that is not followed is answered that often a minute; a recording that is played again and again
/// must not fill the outbox. Beyond, it is only counted.
pub(crate) const ANSWERS_A_MINUTE: u64 = 240;
/// Newest records that `log.pull` looks through.
pub(crate) const LOG_SEARCH: u64 = 20_000;
/// Accounts (`device.statistics`) that wait to be made, one after the other; a command beyond is answered at once.
pub(crate) const ACCOUNTS_WAITING: usize = 8;
/// Longest body of a record in the answer to `log.pull`, and longest answer, bytes: one MQTT message.
pub(crate) const LOG_RECORD_BYTES: usize = 1000;
pub(crate) const LOG_BYTES: usize = 32 * 1024;

// ---- the wall clock

/// A wall clock that moves further beyond the monotonic clock than that, either way, jumped, ms: a day. Less is drift, a leap
/// second, or a box that was off for a night.
pub(crate) const JUMP_MS: i64 = 86_400_000;
/// A clock that nobody vouched for and that is put right by less is not worth a record, ms.
pub(crate) const CORRECTED_MS: i64 = 60_000;
/// After a jump nothing is deleted for its age for that long, s: time for a person to look. Space goes on being made.
pub(crate) const PAUSED_S: f64 = 86_400.0;
/// Jumps within that time of a pause begin no other, s.
pub(crate) const PAUSED_AGAIN_AFTER_S: f64 = 7.0 * 86_400.0;
/// That long after a jump commands count by the time before it too, s. A clock that is wrong for longer is another matter.
pub(crate) const OTHER_RECKONING_S: f64 = 30.0 * 86_400.0;
/// By the time before a jump it may be that much later, because the box was off since, ms.
pub(crate) const OFF_UNKNOWN_MS: i64 = 86_400_000;
/// A command counts by the time before a jump only if it was issued after the jump, or so little before, ms.
pub(crate) const ISSUED_EARLY_MS: i64 = 5 * 60_000;

// ---- journal and index

/// A segment that is longer is closed, bytes: about 2,000 reports.
pub(crate) const SEGMENT_BYTES: u64 = 4 << 20;
/// Segments younger than that stay though everything in them is done with, days.
pub(crate) const KEEP_DAYS: u32 = 30;
/// Room in a record's line for everything but its body, bytes.
pub(crate) const RECORD_HEAD_BYTES: usize = 1024;
/// Segments whose end a failed sync left in doubt, before appending stops until one is written again.
pub(crate) const DOUBTFUL_MAX: usize = 4;
/// Read by itself where a segment cannot be read whole, bytes: a block of the disk.
pub(crate) const BLOCK_BYTES: usize = 4096;
/// The index is written after that many records, or that long, whichever comes first.
pub(crate) const INDEX_EVERY_RECORDS: u64 = 500;
pub(crate) const INDEX_EVERY_S: f64 = 5.0;
/// An index that is not open by then is moved aside: sled can hang on a damaged file.
pub(crate) const INDEX_OPEN_LIMIT: Duration = Duration::from_secs(30);
/// sled's page cache, bytes; the index is small.
pub(crate) const INDEX_CACHE_BYTES: u64 = 4 << 20;
/// The journal is signed after that many records, or that long if there is anything new: what lies behind the newest checkpoint
/// can be cut off without a trace, so little shall. An hour costs 24 messages of 1.2 KB a day.
pub const CHECKPOINT_EVERY_RECORDS: u64 = 1000;
pub const CHECKPOINT_EVERY_S: f64 = 3600.0;
/// After evidence was named the journal is signed that soon: who takes evidence along wants the checkpoint that covers it, and
/// the records between the two are handed out with it.
pub(crate) const CHECKPOINT_AFTER_EVIDENCE_S: f64 = 60.0;
/// Length of the reserve file, bytes: room for about 30,000 reports. On a small disk a tenth of it.
pub(crate) const RESERVE_BYTES: u64 = 64 << 20;
