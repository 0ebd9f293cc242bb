//! The line of a replay, all stages inline on one thread, in the order of the agent's.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;

use anyhow::Context as _;
use parking_lot::Mutex;

use super::truth::{Said, SaidState, Truth, score};
use super::{Options, Outcome, timeline};
use crate::evidence::{Evidence, EvidenceCamera};
use crate::review::{Past, look_back};
use kerbside_domain::camera_state::CameraState;
use kerbside_domain::frame::{CameraIx, Frame, Level};
use kerbside_domain::report::Report;
use kerbside_domain::time::{Moment, Mono, VirtualClock};
use kerbside_infer::Cascade;
use kerbside_media::clip::ClipMaker;
use kerbside_media::ring::PacketRing;
use kerbside_media::{FrameSink, Notice};
use kerbside_seeing::incident::{Core, Effect, Input, Observation};
use kerbside_seeing::pipeline::{CameraControl, CameraLine, DetectionJob, Route, Ticks, Unloaded};
use kerbside_site::config::{Camera, Site};
use kerbside_site::place::Placer;
use kerbside_wire::Identity;

pub(crate) struct Line<'a> {
    clock: Arc<VirtualClock>,
    camera_line: CameraLine,
    control: Arc<CameraControl>,
    ticks: Ticks,
    cascade: Cascade,
    core: Core,
    past: Past,
    make_clip: ClipMaker,
    evidence: Evidence,
    voice: Voice<'a>,
    #[cfg(feature = "camera")]
    film: Option<super::film::Film>,
    trouble: Option<String>,
    looks: u64,
    inferred: u64,
    span: Option<(Moment, Moment)>,
    shortfalls: Vec<String>,
    /// All that the core heard, if somebody wants to ask another core.
    heard: Option<Vec<Input>>,
}

/// Where what is said goes.
struct Voice<'a> {
    site: Site,
    who: Identity,
    placer: Placer,
    envelopes: File,
    timeline: File,
    said: Vec<Said>,
    states: Vec<SaidState>,
    tell: &'a mut dyn FnMut(&str),
}

impl<'a> Line<'a> {
    pub(crate) fn new(
        site: &Site,
        camera: &Camera,
        options: &Options,
        cascade: Cascade,
        clock: Arc<VirtualClock>,
        ring: Arc<Mutex<PacketRing>>,
        tell: &'a mut dyn FnMut(&str),
    ) -> anyhow::Result<Self> {
        let create = |name: &str| {
            let path = options.out.join(name);
            File::create(&path).with_context(|| format!("creating {}", path.display()))
        };
        let clip_maker = || kerbside_media::clip::in_child(options.exe.clone());
        let past = Past::of(camera, options.exe.clone(), ring.clone());
        let source = EvidenceCamera::of(camera, ring);
        let evidence = Evidence::new(
            options.out.join("evidence"),
            site.device.edge_id.clone(),
            site.device.utc_offset_s,
            vec![source],
            clip_maker(),
        );
        let voice = Voice {
            site: site.clone(),
            who: Identity::from_site(site).with_models(options.models.clone()),
            placer: Placer::new(site),
            envelopes: create("incidents.ndjson")?,
            timeline: create("timeline.txt")?,
            said: Vec::new(),
            states: Vec::new(),
            tell,
        };
        let control = Arc::<CameraControl>::default();
        Ok(Line {
            clock,
            camera_line: CameraLine::new(camera, control.clone(), true, Mono::ZERO),
            control,
            ticks: Ticks::new(Mono::ZERO),
            cascade,
            core: Core::new(site),
            past,
            make_clip: clip_maker(),
            evidence,
            voice,
            #[cfg(feature = "camera")]
            film: options.annotated.as_ref().map(|path| super::film::Film::new(path, camera)),
            trouble: None,
            looks: 0,
            inferred: 0,
            span: None,
            shortfalls: Vec::new(),
            heard: options.keep_inputs.then(Vec::new),
        })
    }

    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// The clip is over: waiting clips are cut, the rest is said, the truth is held against it.
    pub(crate) fn finish(mut self, end: Moment, truth: Option<&Truth>) -> anyhow::Result<Outcome> {
        self.pass_time(end);
        self.hear([Input::Tick(end)]);
        let made = self.evidence.finish();
        self.outcomes(made);
        #[cfg(feature = "camera")]
        if let Some(film) = self.film.take() {
            film.finish()?;
        }
        if let Some(trouble) = self.trouble {
            anyhow::bail!(trouble);
        }
        Ok(Outcome {
            looks: self.looks,
            inferred: self.inferred,
            clip_s: self.span.map_or(0.0, |(first, last)| last.mono.since_s(first.mono)),
            score: truth.map(|truth| score(truth, &self.voice.said, &self.voice.states)),
            said: self.voice.said,
            states: self.voice.states,
            heard: self.heard.unwrap_or_default(),
            counters: self.core.counters().clone(),
            shortfalls: self.shortfalls,
        })
    }

    /// Inputs into the core, and everything that follows from them, in order.
    fn hear(&mut self, inputs: impl IntoIterator<Item = Input>) {
        let mut inbox: VecDeque<Input> = inputs.into_iter().collect();
        let mut effects = Vec::new();
        while let Some(input) = inbox.pop_front() {
            if let Some(heard) = &mut self.heard {
                heard.push(input.clone());
            }
            self.core.step(input, &mut effects);
            for effect in effects.drain(..) {
                match self.apply(effect) {
                    Ok(answers) => inbox.extend(answers),
                    Err(error) => drop(self.trouble.get_or_insert(format!("{error:#}"))),
                }
            }
        }
    }

    /// What came of it at once, for the core.
    fn apply(&mut self, effect: Effect) -> anyhow::Result<Vec<Input>> {
        match effect {
            Effect::Report(report) => self.voice.report(&report)?,
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
            Effect::CameraChanged { at, state, .. } => {
                let at_s = at.mono.since_s(Mono::ZERO);
                self.voice.states.push((at_s, state));
                self.voice.say(&timeline::camera(at_s, state))?;
            }
            Effect::Review(question) => {
                let answer = look_back(&self.past, self.cascade.street(), &mut self.make_clip, &question);
                return Ok(vec![Input::Reviewed(answer)]);
            }
            Effect::Patrol(_) | Effect::SensorAlarm { .. } | Effect::UnknownIncident { .. } => {}
        }
        Ok(Vec::new())
    }

    /// The core hears the ticks that are due before what happens at `now`.
    fn pass_time(&mut self, now: Moment) {
        let due: Vec<Input> = self.ticks.due(now).map(Input::Tick).collect();
        self.hear(due);
    }

    fn outcomes(&mut self, made: Vec<kerbside_domain::evidence::EvidenceOutcome>) {
        self.note_shortfalls(&made);
        self.hear(made.into_iter().map(Input::Evidence));
    }

    fn note_shortfalls(&mut self, made: &[kerbside_domain::evidence::EvidenceOutcome]) {
        let texts =
            made.iter().filter_map(|o| o.shortfall.as_ref().map(|s| format!("{}: {s}", o.subject.set_id())));
        self.shortfalls.extend(texts);
    }

    /// The detector sees it at once.
    fn detect(&mut self, job: DetectionJob) -> Observation {
        self.inferred += 1;
        let seen = self.cascade.observe(job);
        if let Some(error) = seen.failed {
            self.trouble.get_or_insert(error.to_string());
        }
        seen.observation
    }

    /// The annotated video's next picture.
    #[cfg(feature = "camera")]
    fn draw(&mut self, picture: Option<Frame>, observation: &Observation) {
        if let (Some(film), Some(picture)) = (&mut self.film, picture) {
            let open: Vec<&Report> = self.core.open_incidents().collect();
            if let Err(error) = film.picture(&picture, observation, &open) {
                self.trouble.get_or_insert(error.to_string());
            }
        }
    }
}

impl FrameSink for Line<'_> {
    fn frame(&mut self, frame: Frame) -> Level {
        let at = frame.at;
        self.clock.advance_to(at.mono);
        self.pass_time(at);
        self.looks += 1;
        let first = self.span.map_or(at, |(first, _)| first);
        self.span = Some((first, at));
        #[cfg(feature = "camera")]
        let picture = self.film.is_some().then(|| frame.clone());
        let (route, level) = self.camera_line.frame(frame, &mut Unloaded);
        let observation = match route {
            Route::Detect(job) => self.detect(job),
            Route::Observe(observation) => observation,
            Route::Overtaking | Route::Paused => return level,
        };
        #[cfg(feature = "camera")]
        self.draw(picture, &observation);
        self.hear([Input::Observation(observation)]);
        let made = self.evidence.poll(at.mono);
        self.outcomes(made);
        level
    }

    fn state(&mut self, at: Moment, state: CameraState, why: &str) {
        if !matches!(
            state,
            CameraState::Watching | CameraState::Off(kerbside_domain::camera_state::Off::Ended)
        ) {
            tracing::debug!(?state, why, "source");
        }
        if let CameraState::Off(
            kerbside_domain::camera_state::Off::WrongCodec | kerbside_domain::camera_state::Off::Refused,
        ) = state
        {
            self.trouble.get_or_insert(why.to_owned());
        }
        self.hear([Input::Camera { camera: CameraIx(0), at, state }]);
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

impl Voice<'_> {
    fn report(&mut self, report: &Report) -> anyhow::Result<()> {
        let place = self.placer.place(report.camera, report.bbox);
        let matter = self.site.codes.matter(report.kind, &self.site.device.division);
        let draft = kerbside_wire::matter(&self.who, report, place.as_ref(), matter.as_ref());
        writeln!(self.envelopes, "{}", draft.envelope(&self.who, None)).context("incidents.ndjson")?;
        let at_s = report.at.mono.since_s(Mono::ZERO);
        self.said.extend(Said::of(report, &self.site));
        self.say(&timeline::report(at_s, report, matter.as_ref()))
    }

    fn say(&mut self, line: &str) -> anyhow::Result<()> {
        (self.tell)(line);
        writeln!(self.timeline, "{line}").context("timeline.txt")
    }
}
