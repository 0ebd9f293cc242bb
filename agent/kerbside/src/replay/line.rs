//! The line of a replay: all stages on one thread, in the order of the agent's.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use super::hold::Hold;
use super::options::{Options, Outcome};
use super::output::Output;
use super::scoring::score;
use super::truth::Truth;
use crate::evidence::{Evidence, EvidenceCamera, Officer, finder_of};
use crate::review::{ReviewCamera, review};
use kerbside_domain::camera_state::{CameraState, Off};
use kerbside_domain::evidence::EvidenceOutcome;
use kerbside_domain::frame::{CameraIx, Frame, Level, StreamInfo};
#[cfg(feature = "camera")]
use kerbside_domain::report::Report;
use kerbside_domain::time::{Clock as _, Moment, Mono, VirtualClock};
use kerbside_infer::{Cascade, REPLAY_RUN_LIMIT};
use kerbside_media::clip::ClipMaker;
use kerbside_media::ring::PacketRing;
use kerbside_media::{FrameSink, Notice};
use kerbside_seeing::incident::{Core, Effect, Input, Observation, Warning};
use kerbside_seeing::pipeline::{CameraControl, CameraLine, DetectionJob, Route, Ticks, Unloaded};
use kerbside_site::config::{Camera, Site};

pub(crate) struct Line<'a> {
    clock: Arc<VirtualClock>,
    camera_line: CameraLine,
    control: Arc<CameraControl>,
    ticks: Ticks,
    cascade: Cascade,
    core: Core,
    review_camera: ReviewCamera,
    make_clip: ClipMaker,
    evidence: Evidence,
    output: Output<'a>,
    #[cfg(feature = "camera")]
    video: Option<super::video::AnnotatedReplay>,
    /// The first failure; the replay then fails as a whole.
    failure: Option<String>,
    frames: u64,
    inferred: u64,
    span: Option<(Moment, Moment)>,
    shortfalls: Vec<String>,
    /// All inputs of the core, if they are to be recorded.
    recorded: Option<Vec<Input>>,
    /// The last picture, if it is held at the end.
    hold: Option<Hold>,
}

impl<'a> Line<'a> {
    pub(crate) fn new(
        site: &Site,
        camera: &Camera,
        options: &Options,
        cascade: Cascade,
        clock: Arc<VirtualClock>,
        ring: Arc<Mutex<PacketRing>>,
        print: &'a mut dyn FnMut(&str),
    ) -> anyhow::Result<Self> {
        let clip_maker = || kerbside_media::clip::in_child(options.exe.clone());
        let review_camera = ReviewCamera::of(camera, options.exe.clone(), ring.clone());
        let source = EvidenceCamera::of(site, camera, ring);
        let officer = Officer::new(site, finder_of(site, REPLAY_RUN_LIMIT));
        let evidence = Evidence::new(
            options.out.join("evidence"),
            site.device.edge_id.clone(),
            site.device.utc_offset_s,
            vec![source],
            clip_maker(),
        )
        .with_officer(officer);
        let control = Arc::<CameraControl>::default();
        Ok(Line {
            clock,
            camera_line: CameraLine::new(camera, control.clone(), true, Mono::ZERO),
            control,
            ticks: Ticks::new(Mono::ZERO),
            cascade,
            core: Core::new(site),
            review_camera,
            make_clip: clip_maker(),
            evidence,
            output: Output::create(site, options, print)?,
            #[cfg(feature = "camera")]
            video: options.annotated.as_ref().map(|path| super::video::AnnotatedReplay::new(path, camera)),
            failure: None,
            frames: 0,
            inferred: 0,
            span: None,
            shortfalls: Vec::new(),
            recorded: options.record_inputs.then(Vec::new),
            hold: Hold::of(options.hold_s),
        })
    }

    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// The clip is over: pending evidence is made, the last reports follow, and the truth is compared.
    pub(crate) fn finish(mut self, end: Moment, truth: Option<&Truth>) -> anyhow::Result<Outcome> {
        self.pass_time(end);
        self.step([Input::Tick(end)]);
        let made = self.evidence.finish();
        self.outcomes(made);
        #[cfg(feature = "camera")]
        if let Some(video) = self.video.take() {
            video.finish()?;
        }
        if let Some(failure) = self.failure {
            anyhow::bail!(failure);
        }
        Ok(Outcome {
            frames: self.frames,
            inferred: self.inferred,
            clip_s: self.span.map_or(0.0, |(first, last)| last.mono.since_s(first.mono)),
            score: truth.map(|truth| score(truth, &self.output.reports, &self.output.states)),
            inputs: self.recorded.unwrap_or_default(),
            refusals: self.output.refusals(&self.core.standing(CameraIx(0))),
            shortfalls: self.shortfalls,
            reports: self.output.reports,
            states: self.output.states,
        })
    }

    /// Feeds inputs into the core and applies everything that follows from them, in order.
    fn step(&mut self, inputs: impl IntoIterator<Item = Input>) {
        let mut pending: VecDeque<Input> = inputs.into_iter().collect();
        let mut effects = Vec::new();
        while let Some(input) = pending.pop_front() {
            if let Some(recorded) = &mut self.recorded {
                recorded.push(input.clone());
            }
            self.core.step(input, &mut effects);
            for effect in effects.drain(..) {
                match self.apply(effect) {
                    Ok(answers) => pending.extend(answers),
                    Err(error) => self.fail(format!("{error:#}")),
                }
            }
        }
    }

    /// Returns the inputs that follow at once.
    fn apply(&mut self, effect: Effect) -> anyhow::Result<Vec<Input>> {
        match effect {
            Effect::Report(report) => self.output.report(&report)?,
            Effect::Save(request) => {
                let made = self.evidence.request(request);
                self.note_shortfalls(&made);
                return Ok(made.into_iter().map(Input::Evidence).collect());
            }
            Effect::Pin { incident_id, camera, from, to } => {
                self.evidence.pin(incident_id, camera, from.mono, to.mono);
            }
            Effect::Unpin { incident_id } => self.evidence.unpin(&incident_id),
            Effect::WatchRequired { required, .. } => self.control.watch_closely(required),
            Effect::Sweep { parts, .. } => self.control.sweep(parts),
            Effect::CameraChanged { at, state, .. } => {
                self.output.camera(at.mono.since_s(Mono::ZERO), state)?;
            }
            Effect::Refused(refusal) => self.output.refused(&refusal)?,
            Effect::Review(request) => {
                let answer =
                    review(&self.review_camera, self.cascade.street(), &mut self.make_clip, &request);
                return Ok(vec![Input::Reviewed(answer)]);
            }
            Effect::Warn(Warning { at, by, .. }) => {
                self.output.warning(at.mono.since_s(Mono::ZERO), &by)?;
            }
            Effect::WarningAnswered { .. }
            | Effect::Patrol(_)
            | Effect::SensorAlarm { .. }
            | Effect::SensorCondition { .. }
            | Effect::WatchFaster { .. }
            | Effect::UnknownIncident { .. } => {}
        }
        Ok(Vec::new())
    }

    /// Feeds the ticks that are due before the events at `now`.
    fn pass_time(&mut self, now: Moment) {
        let due: Vec<Input> = self.ticks.due(now).map(Input::Tick).collect();
        self.step(due);
    }

    /// Notes the first failure.
    fn fail(&mut self, why: String) {
        self.failure.get_or_insert(why);
    }

    fn outcomes(&mut self, made: Vec<EvidenceOutcome>) {
        self.note_shortfalls(&made);
        self.step(made.into_iter().map(Input::Evidence));
    }

    fn note_shortfalls(&mut self, made: &[EvidenceOutcome]) {
        let texts =
            made.iter().filter_map(|o| o.shortfall.as_ref().map(|s| format!("{}: {s}", o.subject.set_id())));
        self.shortfalls.extend(texts);
    }

    /// The detector always has time.
    fn detect(&mut self, job: DetectionJob) -> Observation {
        self.inferred += u64::from(job.is_due());
        let output = self.cascade.observe(job);
        if let Some(error) = output.failed {
            self.fail(error.to_string());
        }
        output.observation
    }

    /// The annotated video's next picture.
    #[cfg(feature = "camera")]
    fn draw(&mut self, picture: Option<Frame>, observation: &Observation) {
        if let (Some(video), Some(picture)) = (&mut self.video, picture) {
            let open: Vec<&Report> = self.core.open_incidents().collect();
            let standing = self.core.standing(observation.camera);
            if let Err(error) = video.picture(&picture, observation, &open, &standing) {
                self.fail(error.to_string());
            }
        }
    }
}

impl FrameSink for Line<'_> {
    fn stream(&mut self, info: &StreamInfo) {
        self.camera_line.stream(f64::from(info.fps));
    }

    fn frame(&mut self, frame: Frame) -> Level {
        if let Some(hold) = &mut self.hold {
            hold.keep(&frame);
        }
        let at = frame.at;
        self.clock.advance_to(at.mono);
        self.pass_time(at);
        self.frames += 1;
        let first = self.span.map_or(at, |(first, _)| first);
        self.span = Some((first, at));
        #[cfg(feature = "camera")]
        let picture = self.video.is_some().then(|| frame.clone());
        let (route, level) = self.camera_line.frame(frame, &mut Unloaded);
        let observation = match route {
            Route::Detect(job) => self.detect(job),
            Route::Observe(observation) => observation,
            Route::Overtaking | Route::Paused => return level,
        };
        #[cfg(feature = "camera")]
        self.draw(picture, &observation);
        self.step([Input::Observation(observation)]);
        let made = self.evidence.poll(at.mono);
        self.outcomes(made);
        level
    }

    fn state(&mut self, at: Moment, state: CameraState, why: &str) {
        if let Some(hold) = self.hold.take_if(|_| state == CameraState::Off(Off::Ended)) {
            hold.pictures().for_each(|picture| _ = FrameSink::frame(self, picture));
            let at = Moment { mono: self.clock.now().mono, ..at };
            return self.step([Input::Camera { camera: CameraIx(0), at, state }]);
        }
        if !matches!(state, CameraState::Watching | CameraState::Off(Off::Ended)) {
            tracing::debug!(?state, why, "source");
        }
        if let CameraState::Off(Off::WrongCodec | Off::Refused | Off::NotFound | Off::Protocol) = state {
            self.fail(why.to_owned());
        }
        self.step([Input::Camera { camera: CameraIx(0), at, state }]);
    }

    fn notice(&mut self, at: Moment, notice: &Notice) {
        if let Notice::SparseKeys { .. } = notice {
            self.camera_line.sparse_keys(at.mono);
        }
    }

    fn tick(&mut self, at: Moment) -> Level {
        self.camera_line.tick(at.mono)
    }
}
