//! The bounds of the contract, each with its unit and its reason.

/// Longest packet of a matter without its topic, bytes: the contract's own bound on the body, and less by what MQTT 5 adds to it,
/// so that a report passes the narrowest broker.
pub const MATTER: usize = 4096;
/// What the trace adds to an envelope at most, bytes: recording time (46), sequence (34), and of the journal's record number and
/// two hashes (199).
pub const RECORD_ROOM: usize = 280;
/// Files that one revision names at most without leaving their paths out.
pub const MATTER_FILES: usize = 8;
/// Longest patrol report that has lists in it, bytes: the same, as far as the number of cameras and sensors allows.
pub const PATROL: usize = 4096;
/// Longest message of the centre that is looked at, bytes. A grant with its url and headers is the longest true one.
pub const INBOUND: usize = 16 * 1024;
/// Longest id, actor, verb or target, bytes.
pub const ID: usize = 128;
/// Longest free text of a receipt or a case state, and longest path of a grant, bytes.
pub const TEXT: usize = 512;
/// Longest url of a grant, bytes: pre-signed urls of object stores have 1 to 2 KiB.
pub const URL: usize = 4096;
/// Longest validity of a command, ms: its id must be remembered until it ends.
pub const COMMAND_LIFE_MS: i64 = 7 * 86_400_000;
/// Longest validity of a grant, ms: its id must be remembered until it ends, and an upload that never works must end.
pub const GRANT_LIFE_MS: i64 = COMMAND_LIFE_MS;
/// How long a file that the box sends by itself is tried, ms: a box that was away for three days has newer things to tell.
pub const PUSH_LIFE_MS: i64 = 3 * 86_400_000;
/// Oldest signed case state that counts, ms: brokers keep messages for a box that is away as long, and it is known again until then.
pub const STATEMENT_LIFE_MS: i64 = COMMAND_LIFE_MS;
/// How far in the future a command may be issued, ms: the centre's clock is another one.
pub const CLOCK_SKEW_MS: i64 = 5 * 60_000;
/// Most messages one `resend` may ask for.
pub const RESEND: u64 = 1000;
/// Longest clip that can be ordered, s: what a ring of the usual size holds.
pub const CLIP_S: f64 = 120.0;
/// Longest span of one `device.statistics`, ms: a week.
pub const STATISTICS_MS: i64 = 7 * 86_400_000;
/// Rules in one `device.statistics`.
pub const STATISTICS_RULES: usize = 64;
/// Longest pause of a detector, s: a day.
pub const PAUSE_S: f64 = 86_400.0;
/// Most journal records in one reply to `log.pull`.
pub const LOG_RECORDS: u32 = 100;
/// Most kinds of record that one `log.pull` may name.
pub const LOG_KINDS: usize = 16;
/// Most bytes of a file in one piece over MQTT; a broker that takes less gets less.
pub const CHUNK_MAX: usize = 32 * 1024;
/// A broker that does not take pieces of that many bytes gets none.
pub const CHUNK_MIN: usize = 1024;
