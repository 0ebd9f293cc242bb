//! Every constant of the link, with its unit and its reason.

use std::time::Duration;

// ---- the connection

/// Most messages handed over and not acknowledged where the broker names no limit; the store thread goes so far only while
/// PUBACKs stand behind a flood of the centre.
pub(crate) const WINDOW_MAX: usize = 256;
/// Messages of QoS 0 that are remembered until something comes.
pub(crate) const UNANSWERED_MAX: usize = 8;
/// Connections that may break with a message on the way before it goes alone, and before it is given up.
pub(crate) const ISOLATE_AFTER: u32 = 2;
pub(crate) const DEAD_LETTER_AFTER: u32 = 5;
/// A connection on which nothing came for that many keep-alives is dead. A ping goes out after one; with the wait that
/// follows, the next connection is there within two.
pub(crate) const SILENT_KEEP_ALIVES: f64 = 1.5;
/// After a connection that lasted that long the next wait is short again, s.
pub(crate) const LONG_ENOUGH_S: f64 = 10.0;
/// Connecting, TLS included, s; 4G is slow.
pub(crate) const CONNECT_TIMEOUT_S: u64 = 30;
/// Shortest wait before another attempt, s. The longest follows from the keep-alive.
pub(crate) const BACKOFF_MIN_S: f64 = 1.0;
/// Shortest keep-alive, s: below, a slow network looks like a dead one.
pub(crate) const KEEP_ALIVE_MIN_S: u16 = 5;
/// A message without PUBACK costs the connection after twice the keep-alive, and not before that, s.
pub(crate) const ACK_TIMEOUT_MIN_S: f64 = 20.0;
/// Longest packet where the broker names no limit, bytes. 3.1.1 brokers never do; this is the limit that mosquitto and EMQX
/// ship with, or below it.
pub(crate) const MAX_PACKET_V5: usize = 16 << 20;
pub(crate) const MAX_PACKET_V311: usize = 1 << 20;
/// The broker keeps subscriptions and what comes down while the box is away, s.
pub(crate) const SESSION_EXPIRY_S: u32 = 7 * 24 * 3600;
/// Longest message of the centre that is let in, bytes; more than the wire will look at, so that it is refused with a word.
pub(crate) const INBOUND_LIMIT: u32 = 64 * 1024;
/// Longest packet that is read whole, bytes; the longest topic fits. A longer message is cut short, and refused by the store.
pub(crate) const PACKET_LIMIT: usize = 2 * INBOUND_LIMIT as usize;
/// Messages of the centre that a broker of MQTT 5 is asked not to exceed without acknowledgement: what shares one sync.
pub(crate) const RECEIVE_MAX: u16 = kerbside_trace::LINK_ROOM as u16;
/// Messages of the centre that are read and not acknowledged, whatever the broker thinks of Receive Maximum; beyond, nothing is
/// read. As many as share one sync, twice: while one sync runs, the next fill up.
pub(crate) const HELD_MAX: usize = 2 * kerbside_trace::LINK_ROOM;
/// Read at once, bytes.
pub(crate) const READ_BYTES: usize = 16 * 1024;
/// Longest WebSocket message that is taken, bytes; a broker puts as many packets into one as it likes.
pub(crate) const WEBSOCKET_MESSAGE: usize = 4 << 20;
/// Longest answer of a proxy to CONNECT, bytes.
pub(crate) const PROXY_ANSWER: usize = 16 * 1024;
/// How long a DISCONNECT may take to be written.
pub(crate) const GOODBYE: Duration = Duration::from_secs(2);

// ---- a broker that is not as it should be

/// Connections closed without a word before something is guessed about the next.
pub(crate) const CLOSED_BEFORE_A_GUESS: u32 = 2;
/// A topic that the broker refuses is tried again after that long, then after twice as long, up to the maximum, s; and on each
/// new connection.
pub(crate) const TOPIC_RETRY_S: f64 = 60.0;
pub(crate) const TOPIC_RETRY_MAX_S: f64 = 3600.0;
/// Topics, or messages, of which something bad is remembered; more than a box has.
pub(crate) const REFUSED_TOPICS: usize = 64;
/// A message of QoS 0 was put up with if something comes that long after it, s.
pub(crate) const STOOD_S: f64 = 1.0;
/// Refused subscriptions are tried again after that long, s: somebody may have mended the access list.
pub(crate) const RESUBSCRIBE_S: f64 = 600.0;
/// So many connections in a row, each closed by the peer within that many seconds with nothing on the way: another client has
/// our name. One that lasts much longer ends the suspicion.
pub(crate) const RIVAL_CLOSES: u32 = 3;
pub(crate) const RIVAL_S: f64 = 90.0;
pub(crate) const RIVAL_LASTED_S: f64 = 600.0;
/// So many connections in a row that settled nothing, though something waited, are no progress.
pub(crate) const STUCK_CONNECTIONS: u32 = 3;
/// The disk takes nothing that came down for so long: no progress, s.
pub(crate) const HELD_UP_S: f64 = 60.0;

/// `doctor` tries a broker for at most that long, and waits that long between two connections, s.
pub(crate) const PROBE_LIMIT: Duration = Duration::from_secs(15);
pub(crate) const PROBE_BACKOFF_S: f64 = 0.3;

// ---- certificates

/// Between two looks whether certificates, keys or the password were replaced, s.
pub(crate) const RENEWAL_PERIOD_S: f64 = 10.0;
/// A certificate is warned of from that long before its end, s.
pub const EXPIRY_WARNING_S: i64 = 30 * 86_400;
/// Between two warnings of certificates that end, s.
pub(crate) const WARNING_PERIOD_S: f64 = 86_400.0;

// ---- uploads

/// Between two attempts, s: at first, and at most.
pub(crate) const UPLOAD_RETRY_S: f64 = 2.0;
pub(crate) const UPLOAD_RETRY_MAX_S: f64 = 300.0;
/// Files on their way by HTTP at the same time, to different servers: one that hangs leaves room for another.
pub(crate) const UPLOADS_AT_ONCE: usize = 2;
/// How often grants that wait are looked at.
pub(crate) const UPLOAD_TICK: Duration = Duration::from_millis(500);
/// A server that takes nothing for that long, and asks for nothing, is left alone: longer than a block waits for reports.
pub(crate) const UPLOAD_STALL: Duration = Duration::from_secs(60);
/// Questions and parts in one attempt: a server that always wants another part gets no more.
pub(crate) const UPLOAD_ROUNDS: u32 = 8;
/// A block waits that long for reports and then goes all the same, s: the broker may be away, the server not.
pub(crate) const YIELD_S: f64 = 30.0;
/// Between two looks whether reports still wait.
pub(crate) const YIELD_PERIOD: Duration = Duration::from_millis(50);
/// Read and sent at once, bytes; between two the reports have their turn.
pub(crate) const BLOCK_BYTES: usize = 64 * 1024;
/// Time to reach an upload server.
pub(crate) const UPLOAD_CONNECT_LIMIT: Duration = Duration::from_secs(30);
/// An upload that is slower on the whole is given up and tried again, bytes/s.
pub(crate) const SLOWEST_UPLOAD: u64 = 4096;
/// Pieces handed over and not acknowledged.
pub(crate) const CHUNK_WINDOW: usize = 2;
/// Connections that may break with a piece on the way before the next is half as long, and before the upload is given up:
/// a broker that closes on a long packet does not say so.
pub(crate) const CHUNK_HALVED_AFTER: u32 = 2;
pub(crate) const CHUNK_GIVEN_UP_AFTER: u32 = 14;
/// How far an upload got is journalled that often, bytes.
pub(crate) const PROGRESS_EVERY: u64 = 1 << 20;
