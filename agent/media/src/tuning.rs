//! Every constant of this crate that could be another number, with its unit and its reason.
//!
//! Three kinds of reasons: *measured* names what it was measured on, *bound* keeps memory or time finite whatever a stream
//! sends, *chosen* is a judgement that no measurement contradicted. Constants that a standard or a file format fixes stand
//! where they are used.

use std::time::Duration;

// The parent.

/// How often a quiet session looks at its clocks. Chosen: half of the shortest interval that anything waits for (1 s).
pub(crate) const SESSION_TICK: Duration = Duration::from_millis(500);
/// A child that says nothing at all for so many of these ticks hangs, also in a replay or a review. Chosen: two minutes, longer
/// than a live child may be silent and than any picture takes to decode.
pub(crate) const HUNG_AFTER_TICKS: u32 = 240;
/// What a stopped child gets before it is killed. Chosen: it only has to notice that its pipe ended.
pub(crate) const STOP_LIMIT: Duration = Duration::from_secs(2);
/// A child that lived this long resets the backoff, s. Chosen: a child that fails at once, again and again,
/// never gets there.
pub(crate) const STABLE_AFTER_S: f64 = 30.0;
/// First wait before a child is replaced, s. Chosen: a camera that only dropped its connection is back at once.
pub(crate) const BACKOFF_FIRST_S: f64 = 1.0;
/// Longest wait, s. However long a camera was away, it is watched again within half a minute: the wait, the opening and the
/// learning of its scene. An attempt costs a process start and a connection.
pub(crate) const BACKOFF_LONGEST_S: f64 = 12.0;
/// What a connection and a TLS handshake may take before the camera counts as unreachable, s. Chosen: cameras are in the same
/// street or behind 4G; a try that takes longer is no better the next time.
pub(crate) const REACH_LIMIT_S: f64 = 5.0;
/// What `doctor` gives a camera for its first picture, s. Chosen: key frames are seldom further apart, and a person waits.
pub(crate) const TRIAL_LIMIT_S: f64 = 8.0;
/// So long `doctor` goes on listening after the first picture, s. Chosen: a clock that is wrong by a third is found out after three
/// steps of 2 s, and a person waits.
pub(crate) const TRIAL_LISTENS_S: f64 = 7.0;
/// Redirects in a row that are followed on a camera's own host. Bound: a camera that sends us in circles.
pub(crate) const MAX_REDIRECTS: u32 = 3;
/// Longest address that is followed, bytes. Bound: those with a signed token have some hundreds.
pub(crate) const MAX_REDIRECT_BYTES: usize = 4096;
/// Live time further than this from the packet's own time starts a new anchor, s. Chosen: larger than the jitter of a
/// network and than what a clock that lies can lose until it is found out, so that only a jump counts.
pub(crate) const MAX_DRIFT_S: f64 = 5.0;
/// Messages between the thread that reads the pipe and the session. Bound: when it is full the pipe fills, and the child waits.
pub(crate) const MESSAGE_QUEUE: usize = 4;
/// The child gives up at this share of the time after which it would be killed, so that it can say why.
pub(crate) const CHILD_TIMEOUT_SHARE: f64 = 0.9;

/// Memory a child may take beyond its libraries, bytes. Bound: a 4K decoder with a full set of references, and a queue.
pub(crate) const CHILD_MEMORY_BYTES: u64 = 768 << 20;
/// Longest file that a clip child may write, bytes. Bound: the packets of a job and their index, twice.
pub(crate) const CLIP_FILE_BYTES: u64 = 256 << 20;
/// Longest file of a child that reads devices, bytes. Bound: GStreamer's list of plug-ins has some megabytes.
pub(crate) const DEVICES_FILE_BYTES: u64 = 64 << 20;
/// Descriptors of a child. Bound: pipes, a stream's sockets, an event queue; libraries open some for themselves.
pub(crate) const CHILD_DESCRIPTORS: u64 = 64;
/// Descriptors of a child that reads devices. Bound: a pipeline of GStreamer takes some for each element.
pub(crate) const DEVICES_DESCRIPTORS: u64 = 1024;
/// How much sooner than the agent a child is ended when memory runs out (-1000 to 1000). Chosen: sooner than anything that
/// has not asked for it.
pub(crate) const CHILD_OOM_SCORE: &str = "500";

/// What a child says of itself between packets (streams, events, counters): this many at once, and this many a second. Bound:
/// each may become a line of log. A camera that changes its parameters at each key frame stays far below.
pub(crate) const TALK_BURST: f64 = 200.0;
/// The same a second.
pub(crate) const TALK_PER_S: f64 = 4.0;
/// Lines of a child's standard error that are logged. Bound: a child in trouble says three.
pub(crate) const SAID_LINES: u64 = 20;
/// Of each line so much, bytes.
pub(crate) const SAID_LINE_BYTES: usize = 300;
/// What is read of a child's standard error at all, bytes.
pub(crate) const SAID_BYTES: u64 = 64 << 10;
/// A frame is at most this many times as high as it was asked to be wide. Bound: four pictures of 16:9, one above the other.
pub(crate) const TALLEST_FRAME: u32 = 4;

// Messages.

/// Longest header, bytes. Bound: a clip job with its drawings is the longest.
pub(crate) const MAX_HEADER_BYTES: usize = 256 * 1024;
/// Longest blob, bytes. Bound: a 4K key frame, or a frame of 1920 px.
pub(crate) const MAX_BLOB_BYTES: usize = 16 * 1024 * 1024;
/// Longest name of a codec, characters. Bound: FFmpeg's longest has 20.
pub(crate) const MAX_CODEC_NAME: usize = 64;
/// Longest description of a codec (parameter sets), bytes. Bound: real ones are below a kilobyte; the ring keeps one an epoch.
pub(crate) const MAX_EXTRADATA: usize = 64 * 1024;
/// Longest side of a picture, px. Bound: no camera has more, and no codec of ours.
pub(crate) const MAX_PICTURE_SIDE: u32 = 32_768;

// Clips and stills.

/// Longest a clip job may take; a child that takes longer is killed. Bound: the evidence
/// stage makes nothing else meanwhile.
pub(crate) const CLIP_LIMIT: Duration = Duration::from_secs(30);

// What follows is for the child alone.

#[cfg(any(feature = "camera", test))]
pub(crate) use child::*;

// Without cameras only the pure modules of the child are built, and only for their tests.
#[cfg(any(feature = "camera", test))]
#[cfg_attr(not(feature = "camera"), allow(dead_code))]
mod child {
    /// Frames that the parent may have unacknowledged. Two: it judges one while the next is decoded.
    pub(crate) const FRAME_WINDOW: usize = 2;
    /// What saying goodbye to a camera may take. Bound: the parent waits 2 s for the end of a child.
    pub(crate) const TEARDOWN_LIMIT: std::time::Duration = std::time::Duration::from_millis(800);
    /// Pictures without parameter sets after which a stream is read without them. Bound: nothing reaches the ring before.
    pub(crate) const UNITS_BEFORE_SETS: u32 = 50;
    /// Counters are sent this often, s.
    pub(crate) const STATS_EVERY_S: f64 = 1.0;
    /// Packets in a row that the demuxer calls invalid before the source is called garbled. Chosen: 8 s at 25 packets a second.
    pub(crate) const MAX_GARBLED_PACKETS: u32 = 200;
    /// A jump of decoding time beyond this starts a new epoch, s. Chosen: a shorter gap is taken for lost packets.
    pub(crate) const MAX_JUMP_S: f64 = 10.0;
    /// A jump back beyond this starts a new epoch, s. Chosen: reordered packets stay below it.
    pub(crate) const MAX_JUMP_BACK_S: f64 = 1.0;
    /// How a stream's own clock is held against arrival: over steps of this many seconds it must go wrong by this share.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct ClockRule {
        pub(crate) step_s: f64,
        pub(crate) slope: f64,
    }
    /// The first finds what is wrong by a third at once, the second what would make a clip of 20 s half a second too long.
    pub(crate) const CLOCK_RULES: [ClockRule; 2] =
        [ClockRule { step_s: 2.0, slope: 0.3 }, ClockRule { step_s: 15.0, slope: 0.025 }];
    /// Steps in a row that must go wrong in one direction. Chosen: a network that stops, catches up or grows slower for good
    /// moves one or two steps (`stream_clock/tests.rs` has the kinds).
    pub(crate) const CLOCK_STEPS: u32 = 3;
    /// Timestamps closer together than those of so many pictures a second stand still. Chosen: no camera of a street takes as many.
    pub(crate) const MAX_PICTURES_PER_S: f64 = 250.0;
    /// They are looked at over this time, s, and so many packets: less could be one picture in parts.
    pub(crate) const STILL_S: f64 = 2.0;
    /// See [`STILL_S`].
    pub(crate) const STILL_PACKETS: u32 = 4;
    /// Jumps of a stream's own clock within [`JUMPS_S`] that are followed; one more, and arrival dates the packets.
    pub(crate) const MAX_JUMPS: usize = 3;
    /// See [`MAX_JUMPS`], s.
    pub(crate) const JUMPS_S: f64 = 60.0;
    /// Packets in a row without any timestamp until arrival dates them. Chosen: some sources leave out single ones.
    pub(crate) const NO_TIMES_IN_A_ROW: u32 = 3;
    /// A picture is shown at most this much later than it is decoded, s. Bound: half a second of pictures out of order.
    pub(crate) const LONGEST_REORDER_S: f64 = 0.5;
    /// Ticks a second of a stream that is dated by arrival and has a coarser clock itself.
    pub(crate) const FINE_TICKS: i32 = 90_000;
    /// A clock with fewer ticks a second is too coarse for arrival.
    pub(crate) const COARSEST_TICKS: f64 = 1000.0;

    /// If this share of the time limit is gone when opening fails, it failed for silence, whatever FFmpeg calls it (for RTSP it
    /// says "invalid data").
    pub(crate) const SILENCE_SHARE: f64 = 0.8;
    /// Pictures from whose times FFmpeg derives a live stream's rate. By itself it waits for twenty, most of a second in which
    /// nothing is seen.
    pub(crate) const FPS_PROBE_PICTURES: &str = "5";
    /// RTP packets that FFmpeg waits for one that is missing. Inside a connection none comes later than another.
    pub(crate) const REORDER_PACKETS: &str = "2";
    /// How long FFmpeg may analyse a live stream before it opens it, microseconds.
    pub(crate) const ANALYSE_US: &str = "1000000";
    /// Key frames in a row at short distance before a source counts as dense again.
    pub(crate) const DENSE_AGAIN: u32 = 3;
    /// Longest pause between two packets of a file that is played in real time, s. Bound: the parent must stay able to stop us.
    pub(crate) const LONGEST_PACE_S: f64 = 5.0;

    /// The group of pictures kept for a switch to L2, bytes. Bound: beyond, the switch waits for the next key frame.
    pub(crate) const MAX_GOP_BYTES: usize = 8 << 20;
    /// The same in packets. Bound: 16 s at 25 packets a second.
    pub(crate) const MAX_GOP_PACKETS: usize = 400;
    /// Without a picture for this long although packets were fed, the stream is undecodable, s of stream time.
    pub(crate) const UNDECODABLE_S: f64 = 3.0;
    /// A stream that is damaged and sends nothing to begin with again for so long is opened again, s. Chosen: usual groups of
    /// pictures are shorter.
    pub(crate) const REOPEN_AFTER_S: f64 = 10.0;
    /// A camera whose first key frame comes within this begins with one when it is opened, s. Chosen: one that waits for its own
    /// beat is seldom as quick.
    pub(crate) const KEY_AT_START_S: f64 = 1.0;
    /// With fewer packets than this nothing is called undecodable: a single broken key frame is no verdict.
    pub(crate) const UNDECODABLE_PACKETS: u32 = 3;
    /// Pictures that a decoder holds at most. Bound: H.264 and H.265 allow 16 references and as many that wait to be shown.
    pub(crate) const MAX_PICTURES_IN_DECODER: usize = 64;
    /// How early a picture counts as the one due, s: half a frame of 25 Hz early is as near as half a frame late.
    pub(crate) const EARLY_S: f64 = 0.02;
    /// OpenCV at L1: it has no key frames to wait for, so this many frames a second stand in for them.
    pub(crate) const OPENCV_L1_FPS: f64 = 0.5;

    /// Between two spare pictures, s. Chosen: what is put down is in the next one, at a twentieth of a core for 1080p.
    pub(crate) const SPARE_EVERY_S: f64 = 1.0;

    /// Codecs whose packets a browser plays out of an MP4. Others are encoded again.
    pub(crate) const PLAYABLE: [&str; 4] = ["h264", "hevc", "av1", "vp9"];
    /// Pictures a second of a clip that is encoded again. Bound: with its width, the time that a clip may take on a small box.
    pub(crate) const CLIP_MOST_PER_S: f64 = 10.0;
    /// Width of such a clip, px. See [`CLIP_MOST_PER_S`].
    pub(crate) const CLIP_WIDTH: u32 = 1280;
    /// Pictures from key frame to key frame of such a clip.
    pub(crate) const CLIP_KEY_PICTURES: u32 = 50;
    /// Constant quality of such a clip (0 best, 63 worst). Chosen: a number plate in the middle distance stays readable.
    pub(crate) const CLIP_QUALITY: &str = "30";

    /// Packets of one clip job. Bound: a ring of a minute and a half at 60 pictures a second.
    pub(crate) const MAX_JOB_PACKETS: usize = 5400;
    /// Stills of one clip job. Bound: there are five roles of pictures.
    pub(crate) const MAX_JOB_STILLS: usize = 64;
    /// Payload of one clip job, bytes. Bound: memory of the child.
    pub(crate) const MAX_JOB_BYTES: usize = 128 << 20;
    /// JPEG qualities tried, best first, until the still fits.
    pub(crate) const JPEG_QUALITIES: [u8; 6] = [90, 82, 74, 66, 56, 46];
    /// After the last quality the picture is made smaller by this factor, again and again.
    pub(crate) const STILL_SHRINK: f64 = 0.75;
    /// A still that would become narrower than this stays larger than its limit, px: a smaller one is no evidence.
    pub(crate) const STILL_MIN_WIDTH: i32 = 160;
}
