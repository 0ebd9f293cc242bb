//! Every constant of the stage that could be another number, with its unit and its reason.
//!
//! *Bound* keeps memory or time finite, *chosen* is a judgement that no measurement contradicted.

use std::time::Duration;

/// Spans of packets that are pinned at once; the oldest is dropped first. Bound.
pub(super) const MAX_PINS: usize = 32;
/// Packet bytes of all pins together. Bound: memory.
pub(super) const MAX_PINNED_BYTES: usize = 64 << 20;
/// Requests whose clip waits for its post-roll. Bound: beyond it the oldest clip is made at once, shorter, and says so.
pub(super) const MAX_WAITING_CLIPS: usize = 16;
/// A clip waits at most this long beyond its end for packets that do not come, s. Chosen.
pub(super) const POST_ROLL_GRACE_S: f64 = 5.0;
/// Largest picture, bytes (contract: still first, at most 200 KB, of which 8 KB are left to the signature and its certificates,
/// and 1 KB to EXIF).
pub(super) const MAX_PICTURE_BYTES: u64 = 191_000;
/// Tasks that wait for the thread. Bound: beyond it a request is answered with its shortfall at once.
pub(super) const MAX_TASKS: usize = 64;
/// Positions of the box that wait for the thread; the oldest goes. Bound: an hour of a box that moves.
pub(super) const MAX_BOX_POINTS: usize = 720;
/// Largest picture of what was no incident, bytes. Bound: 500 of them are 8 MB.
pub(super) const MAX_REFUSAL_PICTURE_BYTES: u64 = 16_000;
/// Between two such pictures, s. Chosen: a child takes 0.1 s of a core.
pub(super) const REFUSAL_PICTURE_EVERY_S: f64 = 2.0;
/// With this many tasks waiting nothing is kept of what was no incident. Bound: reports come first.
pub(super) const MAX_TASKS_BEFORE_REFUSALS: usize = 16;
/// How often the ring is asked whether a post-roll has passed. Chosen: a clip is late by a quarter second at most.
pub(super) const POLL: Duration = Duration::from_millis(250);
/// Left free on the disk where the site does not say otherwise, bytes. Bound: journal and reports
/// go on when evidence has stopped.
pub(super) const MIN_FREE_BYTES: u64 = 256 << 20;
/// Of a small disk this share is left free instead: one part in twenty.
pub(super) const MIN_FREE_SHARE: u64 = 20;
/// Clips stop when less than this many times the reserve is free; pictures stop at the reserve itself. Chosen: clips are by far the
/// larger part, so they stop first.
pub(super) const CLIP_RESERVES: u64 = 2;

/// A picture beyond this is not signed, bytes: ours are at most 200 KB, and what a child wrote is read as a whole.
pub(super) const MAX_SIGNED_PICTURE_BYTES: u64 = 16 << 20;
/// A clip of signed video goes on by this at most, s, until the signature over its last pictures comes: with the next key frame,
/// which cameras send every one to four seconds.
pub(super) const SIGNED_TAIL_S: f64 = 5.0;
/// How far around its moment a picture may be looked for, s. Chosen: two groups of pictures of a usual camera.
pub(super) const AROUND_S: f64 = 4.0;
/// Packets that end longer than this before a moment do not show it, s. Chosen: spare pictures come once a second.
pub(super) const STALE_S: f64 = 1.5;
/// Evidence is made of the stream of full resolution although that shows less of the span, by this at most, s. Chosen: its group of
/// pictures may begin later than that of the analysed stream.
pub(super) const MAIN_LACKS_S: f64 = 2.0;
/// Aspects of a camera's two streams that differ by more than this share are two pictures: 16:9 and 4:3 differ by a third, padding to
/// whole blocks by a hundredth.
pub(super) const MOST_ASPECT: f64 = 0.03;
/// Largest sheet, bytes (contract: at most 60 KB), of which 8 KB are left to the signature and its certificates, and 1 KB to EXIF.
pub(super) const MAX_SHEET_BYTES: usize = 51_000;
/// Largest close-up, bytes.
pub(super) const MAX_CLOSE_UP_BYTES: u64 = 120_000;
/// A picture beyond this is not read for a sheet, bytes.
pub(super) const MAX_READ_BYTES: u64 = 4 << 20;
/// Damage shorter than this is left out of a clip without a word, s: nobody misses two pictures.
pub(super) const LEAST_TOLD_S: f64 = 0.25;
/// Between two files that are read again, s. Chosen: 12 an hour are 288 a day; a box with 20 incidents a day has looked at all of a
/// month in ten days. The largest clips (10 MB) cost 33 KB/s on the average.
pub(super) const SCRUB_PERIOD_S: f64 = 300.0;
/// Of such a file so much is read in one turn, bytes: 4 turns a second are 1 MB/s at most, and none of them is felt.
pub(super) const SCRUB_PIECE_BYTES: usize = 256 * 1024;
