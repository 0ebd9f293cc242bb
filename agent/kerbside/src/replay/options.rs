//! How a clip is played, and the result.

use std::path::PathBuf;

use super::scoring::{FirstReport, Score, StateChange};
use super::truth::Truth;
use kerbside_domain::frame::CameraIx;
use kerbside_domain::lang::Lang;
use kerbside_domain::model::ModelNames;
use kerbside_media::CaptureProgram;
use kerbside_seeing::incident::Input;
use kerbside_site::config::Site;

/// How a clip is to be played.
#[derive(Debug)]
pub struct Options {
    /// The camera's site.
    pub site: Site,
    /// The camera whose zones and rules apply.
    pub camera: CameraIx,
    pub clip: PathBuf,
    pub out: PathBuf,
    /// Where the annotated video goes. Only a build with cameras can make one.
    #[cfg_attr(not(feature = "camera"), expect(dead_code, reason = "without FFmpeg there is no video"))]
    pub annotated: Option<PathBuf>,
    pub truth: Option<Truth>,
    /// Wall clock at the first frame.
    pub start_wall_ms: i64,
    pub realtime: bool,
    /// Of the timeline.
    pub lang: Lang,
    pub exe: CaptureProgram,
    /// The detectors, as reports name them.
    pub models: ModelNames,
    /// Return the inputs of the core: another core, with other rules, can then be fed without playing the clip again.
    pub record_inputs: bool,
    /// After the last picture it is held for this long, with a camera's noise, s.
    pub hold_s: f64,
}

/// The result of a replay.
#[derive(Debug)]
pub struct Outcome {
    /// Frames that were analysed.
    pub frames: u64,
    /// Those of them that the detector got.
    pub inferred: u64,
    /// Span of the clip that was analysed, s.
    pub clip_s: f64,
    /// The first report of each incident.
    pub reports: Vec<FirstReport>,
    pub states: Vec<StateChange>,
    /// Empty without `record_inputs`.
    pub inputs: Vec<Input>,
    pub score: Option<Score>,
    /// What was no incident, a sentence each: what was said last of each thing and rule.
    pub refusals: Vec<String>,
    /// Evidence that could not be made, a sentence each.
    pub shortfalls: Vec<String>,
}
