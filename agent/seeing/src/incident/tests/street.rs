//! A street in words. Things, people and cars are put there and taken away; `run` makes frames of what stands there, two
//! a second, as a gate and a detector would report it, and writes every effect as a line.

use crate::gate::{GateReport, RegionKind, Scene, StaticRegion};
use crate::incident::*;
use kerbside_domain::case::{CaseState, CaseUpdate};
use kerbside_domain::detection::{CloseUp, Detection, Group};
use kerbside_domain::evidence::{EvidenceItem, EvidenceOutcome, EvidenceRequest};
use kerbside_domain::frame::{BBox, CameraIx, Level};
use kerbside_domain::kind::{Act, Kind};
use kerbside_domain::lang::Lang;
use kerbside_domain::patrol::Doubt;
use kerbside_domain::report::{Phase, Report};
use kerbside_domain::time::{ClockQuality, Moment, Mono};
use kerbside_site::config::{Camera, Hours, Patrol, Permit, Rule, Zone};

/// Saturday 2026-11-21, 10:00 +08:00, at monotonic zero.
pub(super) const TEN_MS: i64 = 1_795_226_400_000;
const FRAME_S: f64 = 0.5;
/// The gate tells of a region this long after it came to rest.
const GATE_LAG_S: f64 = 2.0;

/// Something drawn into the frames.
#[derive(Clone, Debug)]
struct Actor {
    name: &'static str,
    bbox: BBox,
    /// What the detector says; `None`: nothing, as for a bag that it does not know.
    seen_as: Option<(&'static str, Group, f32)>,
    /// And what its close-ups say, while they are taken.
    close_as: Option<(&'static str, Group, f32)>,
    /// And what the sweep's looks say.
    lies_as: Option<(&'static str, Group, f32)>,
    /// The gate has it as a region: since when it is there.
    region: Option<(u32, f64)>,
    occluded: bool,
    similarity: f32,
    /// Share of its box that it fills.
    filled: f32,
    /// Its region is the ground that something left.
    removed: bool,
    velocity: f32,
}

pub(super) struct Street {
    pub(super) core: Core,
    pub(super) settings: Settings,
    pub(super) camera: CameraIx,
    pub(super) scene: Scene,
    /// The detector sees every frame.
    pub(super) detects: bool,
    /// Looks of the sweep are answered.
    pub(super) sweeps: bool,
    /// Those that are wanted.
    swept: Vec<BBox>,
    /// Frames a second that are due.
    pub(super) due_per_s: f64,
    /// Requests not answered yet.
    pub(super) requests: Vec<EvidenceRequest>,
    pub(super) effects: Vec<Effect>,
    pub(super) now_s: f64,
    wall_at_zero_ms: i64,
    /// Who vouches for the wall clock.
    quality: ClockQuality,
    actors: Vec<Actor>,
    /// What the witness says of everything.
    said: Vec<(&'static str, Group, f32)>,
    next_region: u32,
    seq: u64,
    /// When an effect came, s, and what it says: see [`describe`].
    log: Vec<(f64, String, String)>,
}

fn boxed(((label, group, confidence), bbox): ((&str, Group, f32), BBox)) -> Detection {
    Detection { label: label.into(), group, confidence, bbox }
}

pub(super) fn rule(kinds: &[Kind]) -> Rule {
    Rule {
        id: "r".into(),
        name: None,
        kinds: kinds.to_vec(),
        dwell_s: 20.0,
        min_area_norm: 0.0005,
        min_size_m2: None,
        schedule: Vec::new(),
        permits: Vec::new(),
        sensitivity: 5,
        repeat_s: 120.0,
        clear_after_s: 10.0,
        with: None,
        warn: None,
    }
}

pub(super) fn hours(from: u16, to: u16) -> Hours {
    Hours { days: [true; 7], from_min: from * 60, to_min: to * 60 }
}

pub(super) fn permit(from: u16, to: u16) -> Permit {
    Permit { holder: "market".into(), hours: hours(from, to), welcome_at: None }
}

pub(super) fn camera(ix: u16, rules: Vec<Rule>) -> Camera {
    Camera {
        ix: CameraIx(ix),
        id: format!("cam{}", ix + 1),
        name: None,
        url: String::new(),
        main: None,
        backend: kerbside_site::config::Backend::Libav,
        transport: Default::default(),
        tls: Default::default(),
        gb28181_id: None,
        point: None,
        accuracy_m: 10.0,
        analysis_fps: 2.0,
        analysis_width: 640,
        ring_s: 20.0,
        ring_bytes: 1 << 24,
        stall_after_s: 5.0,
        restart_after_s: 10.0,
        control_points: Vec::new(),
        zones: vec![Zone {
            id: "walk".into(),
            name: None,
            polygon_norm: vec![(0.0, 0.3), (1.0, 0.3), (1.0, 1.0), (0.0, 1.0)],
            frontage: false,
            rules,
        }],
    }
}

pub(super) fn settings(cameras: Vec<Camera>) -> Settings {
    Settings {
        edge_id: "box-1".into(),
        run: String::new(),
        utc_offset_s: 8 * 3600,
        patrol: Patrol { period_s: 100_000.0, min_watched_share: 0.9 },
        pre_s: 8.0,
        post_s: 6.0,
        clip: true,
        sensors: Vec::new(),
        cameras,
        ground: None,
    }
}

pub(super) fn street(rule: Rule) -> Street {
    Street::new(settings(vec![camera(0, vec![rule])]))
}

impl Street {
    /// A street whose camera has learned its background already.
    pub(super) fn new(settings: Settings) -> Street {
        let mut street = Street {
            core: Core::with_settings(settings.clone()),
            settings,
            camera: CameraIx(0),
            scene: Scene::Learning,
            detects: true,
            sweeps: false,
            swept: Vec::new(),
            due_per_s: 2.0,
            requests: Vec::new(),
            effects: Vec::new(),
            now_s: 0.0,
            wall_at_zero_ms: TEN_MS,
            quality: ClockQuality::Ntp,
            actors: Vec::new(),
            said: Vec::new(),
            next_region: 0,
            seq: 0,
            log: Vec::new(),
        };
        street.run(2.0);
        street.scene = Scene::Clear;
        street.run(8.0);
        street.core.consider_swept(Mono::from_s(street.now_s));
        street.log.clear();
        street
    }

    fn add(
        &mut self,
        name: &'static str,
        bbox: BBox,
        seen_as: Option<(&'static str, Group, f32)>,
        region: bool,
    ) {
        let region = region.then(|| {
            self.next_region += 1;
            (self.next_region, self.now_s)
        });
        self.actors.push(Actor {
            name,
            bbox,
            seen_as,
            close_as: None,
            lies_as: None,
            region,
            occluded: false,
            similarity: 0.95,
            filled: 0.8,
            removed: false,
            velocity: 0.0,
        });
    }

    /// A thing that the detector does not know.
    pub(super) fn put(&mut self, name: &'static str, x: f32, y: f32, w: f32, h: f32) {
        self.add(name, BBox { x, y, w, h }, None, true);
    }

    /// Where something stood that the background still holds.
    pub(super) fn bare_ground(&mut self, x: f32, y: f32, w: f32, h: f32) {
        self.put("ground", x, y, w, h);
        if let Some(actor) = self.actors.last_mut() {
            actor.removed = true;
        }
    }

    /// Where a lamp stands low: legs, and a long thin shade beside them.
    pub(super) fn put_long_shade(&mut self, x: f32) {
        self.put("shade", x, 0.6, 0.2, 0.12);
        if let Some(actor) = self.actors.last_mut() {
            actor.filled = 0.28;
        }
    }

    pub(super) fn put_bag(&mut self, x: f32) {
        self.put("bag", x, 0.66, 0.04, 0.04);
    }

    /// From now on the close-up network is shown it in every frame.
    pub(super) fn close_up(&mut self, name: &str, seen: (&'static str, Group, f32)) {
        for actor in self.actors.iter_mut().filter(|a| a.name == name) {
            actor.close_as = Some(seen);
        }
    }

    /// From now on the witness gives each sum of words this score, in every frame.
    pub(super) fn witness_says(&mut self, said: &[(&'static str, Group, f32)]) {
        self.said = said.to_vec();
    }

    fn witness(&self, part: BBox) -> Option<Box<CloseUp>> {
        let sums = self.said.iter().map(|&(label, group, confidence)| Detection {
            label: label.into(),
            group,
            confidence,
            bbox: part,
        });
        (!self.said.is_empty()).then(|| Box::new(CloseUp { part, detections: sums.collect() }))
    }

    /// A thing with a name; `region`: the gate sees it too.
    pub(super) fn put_known(&mut self, name: &'static str, group: Group, bbox: BBox, region: bool) {
        self.add(name, bbox, Some((name, group, 0.8)), region);
    }

    /// Feet at y 0.7, moving by `velocity` of the picture's width a second.
    pub(super) fn walker(&mut self, name: &'static str, x: f32, velocity: f32) {
        self.add(name, BBox { x, y: 0.4, w: 0.06, h: 0.3 }, Some(("person", Group::Person, 0.8)), false);
        if let Some(actor) = self.actors.last_mut() {
            actor.velocity = velocity;
        }
    }

    /// A person who stands still for this long that the gate has a region of him.
    pub(super) fn stander(&mut self, name: &'static str, x: f32) {
        self.add(name, BBox { x, y: 0.4, w: 0.06, h: 0.3 }, Some(("person", Group::Person, 0.8)), true);
    }

    pub(super) fn car(&mut self, name: &'static str, x: f32) {
        self.add(name, BBox { x, y: 0.5, w: 0.25, h: 0.2 }, Some(("car", Group::Vehicle, 0.9)), true);
    }

    /// A vehicle that the detector sees and the gate has no region of: it came before the background was learnt.
    pub(super) fn add_mover(&mut self, name: &'static str, bbox: BBox) {
        self.add(name, bbox, Some(("van", Group::Vehicle, 0.9)), false);
    }

    pub(super) fn take(&mut self, name: &str) {
        self.actors.retain(|a| a.name != name);
    }

    pub(super) fn walk(&mut self, name: &str, velocity: f32) {
        for actor in self.actors.iter_mut().filter(|a| a.name == name) {
            actor.velocity = velocity;
            actor.region = None;
        }
    }

    pub(super) fn occlude(&mut self, name: &str, occluded: bool) {
        for actor in self.actors.iter_mut().filter(|a| a.name == name) {
            actor.occluded = occluded;
        }
    }

    pub(super) fn swap_regions_anew(&mut self) {
        for actor in &mut self.actors {
            if let Some(region) = &mut actor.region {
                self.next_region += 100;
                *region = (self.next_region, self.now_s);
            }
        }
    }

    pub(super) fn moment(&self) -> Moment {
        Moment {
            mono: Mono::from_s(self.now_s),
            wall_ms: self.wall_at_zero_ms + (self.now_s * 1000.0).round() as i64,
            quality: self.quality,
        }
    }

    /// Somebody sets the wall clock, so that its time at the beginning was that.
    pub(super) fn set_clock(&mut self, wall_at_zero_ms: i64, quality: ClockQuality) {
        (self.wall_at_zero_ms, self.quality) = (wall_at_zero_ms, quality);
    }

    /// A frame was given and nobody had time for it.
    pub(super) fn lose_frame(&mut self) {
        self.seq += 1;
    }

    pub(super) fn run(&mut self, seconds: f64) {
        let end_s = self.now_s + seconds;
        while self.now_s + FRAME_S <= end_s + 1e-9 {
            self.now_s += FRAME_S;
            for actor in &mut self.actors {
                actor.bbox.x += actor.velocity * FRAME_S as f32;
            }
            let frame = self.frame();
            self.step(Input::Observation(frame));
            if self.now_s.fract() == 0.0 {
                let at = self.moment();
                self.step(Input::Tick(at));
            }
        }
    }

    /// Time passes and nothing comes from the camera.
    pub(super) fn idle(&mut self, seconds: f64) {
        for _ in 0..seconds as u32 {
            self.now_s += 1.0;
            let at = self.moment();
            self.step(Input::Tick(at));
        }
    }

    /// What the network sees in the parts that the sweep wants: what close-ups show, where it is whole.
    fn looks(&mut self) -> Vec<SweepLook> {
        let parts = std::mem::take(&mut self.swept);
        let look = |part: BBox| {
            let is_inside = |a: &&Actor| part.intersection(&a.bbox) >= 0.99 * a.bbox.area() && !a.occluded;
            let seen = self.actors.iter().filter(is_inside).filter_map(|a| Some((a.lies_as?, a.bbox)));
            SweepLook { asked: part, part, detections: seen.map(boxed).collect() }
        };
        if self.sweeps { parts.into_iter().map(look).collect() } else { Vec::new() }
    }

    /// Something that lay there before the background was learnt: only the sweep can see it.
    pub(super) fn lies_there(&mut self, name: &'static str, bbox: BBox, seen: (&'static str, Group, f32)) {
        self.add(name, bbox, None, false);
        if let Some(actor) = self.actors.last_mut() {
            actor.lies_as = Some(seen);
        }
    }

    pub(super) fn frame(&mut self) -> Observation {
        let at = self.moment();
        self.seq += 1;
        let in_sight = |a: &&Actor| a.bbox.x > -0.05 && a.bbox.x < 1.0;
        let regions = self.actors.iter().filter_map(|a| {
            let (id, since_s) = a.region?;
            (self.now_s >= since_s + GATE_LAG_S).then(|| StaticRegion {
                id,
                bbox: a.bbox,
                area_norm: a.bbox.area() * a.filled,
                appeared: Mono::from_s(since_s),
                still_since: Mono::from_s(since_s),
                occluded: a.occluded,
                similarity: a.similarity,
                kind: if a.removed { RegionKind::Removed } else { RegionKind::Appeared },
            })
        });
        let detections = self
            .actors
            .iter()
            .filter(in_sight)
            .filter(|a| !a.occluded)
            .filter_map(|a| Some(boxed((a.seen_as?, a.bbox))));
        let whole = BBox { x: 0.0, y: 0.0, w: 1.0, h: 1.0 };
        let close: Vec<Detection> =
            self.actors.iter().filter_map(|a| Some((a.close_as?, a.bbox))).map(boxed).collect();
        Observation {
            camera: self.camera,
            seq: self.seq,
            at,
            level: Level::L2,
            gate: GateReport {
                scene: self.scene,
                motion: 0.0,
                due_for_detection: true,
                active: true,
                regions: regions.collect(),
            },
            detections: self.detects.then(|| detections.collect()),
            close_up: (!close.is_empty()).then_some(CloseUp { part: whole, detections: close }),
            witness: self.witness(whole),
            sweep: self.looks(),
            due_per_s: self.due_per_s,
        }
    }

    pub(super) fn step(&mut self, input: Input) {
        let from = self.effects.len();
        self.core.step(input, &mut self.effects);
        for effect in &self.effects[from..] {
            if let Effect::Sweep { parts, .. } = effect {
                self.swept.clone_from(parts);
                continue;
            }
            if let Effect::Save(request) = effect {
                self.requests.push(request.clone());
            }
            if matches!(effect, Effect::Refused(_)) {
                continue; // Told by `refusals`.
            }
            let (story, figures) = describe(effect);
            self.log.push((self.now_s, story, figures));
        }
    }

    /// The latest review is answered: who brought it, or why the span could not be decoded.
    pub(super) fn answer_review(&mut self, witness: Option<(&str, Group)>, why: Option<&str>) {
        let request = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Review(request) => Some(request.clone()),
            _ => None,
        });
        let request = request.expect("a review");
        let witness = witness.map(|(label, group)| crate::tracker::Witness {
            track: 3,
            label: label.into(),
            group,
            first_bbox: BBox { x: 0.0, y: 0.4, w: 0.06, h: 0.3 },
            first_seen: request.from.mono,
        });
        let ReviewRequest { camera, candidate, .. } = request;
        self.step(Input::Reviewed(ReviewAnswer {
            camera,
            candidate,
            witness,
            frames: 60,
            failure: why.map(str::to_owned),
        }));
    }

    /// The evidence stage answers all requests.
    pub(super) fn answer(&mut self) {
        for request in std::mem::take(&mut self.requests) {
            let items = request.roles.iter().map(|role| EvidenceItem {
                id: format!("{}-{role:?}", request.revision),
                role: *role,
                media: "image/jpeg".into(),
                path: "x".into(),
                bytes: 1,
                sha256: "0".into(),
                captured: request.trigger_at,
                masked: false,
                enlarged: None,
                from_sub_stream: false,
                signature: None,
            });
            let outcome = EvidenceOutcome {
                subject: request.subject,
                revision: request.revision,
                items: items.collect(),
                answers: request.roles,
                shortfall: None,
            };
            self.step(Input::Evidence(outcome));
        }
    }

    /// The centre says what its case of an incident is now.
    pub(super) fn case(&mut self, incident_id: &str, state: CaseState) {
        let (incident_id, case_no, reason) = (incident_id.to_owned(), Some("W-1".to_owned()), None);
        self.step(Input::Case(CaseUpdate { incident_id, case_no, state, reason, signed_by: None }));
    }

    /// All reports so far, in order.
    pub(super) fn reports(&self) -> Vec<Report> {
        let report = |effect: &Effect| match effect {
            Effect::Report(report) => Some((**report).clone()),
            _ => None,
        };
        self.effects.iter().filter_map(report).collect()
    }

    /// The outputs say whether they spoke of the last warning.
    pub(super) fn answer_warning(&mut self, spoken: bool) {
        let warning = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Warn(warning) => Some(warning.clone()),
            _ => None,
        });
        let Warning { incident_id, camera, .. } = warning.expect("a warning");
        self.step(Input::Warned { camera, incident_id, spoken });
    }

    /// Killed and started again `gone_s` later: monotonic time begins anew, the gate too, the street goes on.
    pub(super) fn restart(&mut self, gone_s: f64) {
        let records = self.core.snapshot();
        self.core = Core::with_settings(self.settings.clone());
        self.wall_at_zero_ms += ((self.now_s + gone_s) * 1000.0) as i64;
        let shift_s = self.now_s + gone_s;
        self.now_s = 0.0;
        for actor in &mut self.actors {
            actor.region = actor.region.map(|(id, since_s)| (id + 1000, since_s - shift_s));
        }
        let now = self.moment();
        assert_eq!(self.core.restore(records, now), 0);
    }

    /// The effects since the last call in order: what each is and why, one a line.
    pub(super) fn story(&mut self) -> String {
        std::mem::take(&mut self.log).into_iter().map(|(_, story, _)| story + "\n").collect()
    }

    /// The same with the time of each and its figures: for tests whose point they are.
    pub(super) fn figures(&mut self) -> String {
        let lines = std::mem::take(&mut self.log).into_iter();
        lines.map(|(at_s, story, figures)| format!("{at_s:.1} {story}{figures}\n")).collect()
    }

    /// Each thing and rule that was refused: what was said last of it.
    pub(super) fn refusals(&self) -> Vec<&Refusal> {
        let mut latest: Vec<&Refusal> = Vec::new();
        let all = self.effects.iter().filter_map(|e| match e {
            Effect::Refused(refusal) => Some(&**refusal),
            _ => None,
        });
        for refusal in all {
            match latest.iter_mut().find(|r| r.id == refusal.id) {
                Some(earlier) => *earlier = refusal,
                None => latest.push(refusal),
            }
        }
        latest
    }

    /// The latest report.
    pub(super) fn report(&self) -> &Report {
        let mut reports = self.effects.iter().filter_map(|e| match e {
            Effect::Report(report) => Some(report),
            _ => None,
        });
        reports.next_back().expect("no report yet")
    }
}

fn doubt(doubt: &Doubt) -> String {
    let Doubt { reason, camera, sensor, detail, seconds } = doubt;
    let about = camera.map(|ix| format!(" cam{}", ix.0 + 1)).or(sensor.as_ref().map(|s| format!(" {s}")));
    let detail = detail.as_ref().map(|d| format!(" {d}")).unwrap_or_default();
    let seconds = seconds.map(|s| format!(" {s}")).unwrap_or_default();
    format!("{}{}{detail}{seconds}; ", reason.as_str(), about.unwrap_or_default())
}

/// What an effect says: kind, cause and state, and the figures that go with them.
fn describe(effect: &Effect) -> (String, String) {
    let tenths = |at: Moment| at.mono.0 / 100_000;
    match effect {
        Effect::Report(r) if r.recheck.is_some() => {
            let recheck = r.recheck.as_ref().expect("just asked");
            (
                format!(
                    "recheck r{}: {:?}, {}, {:?}",
                    r.revision, recheck.result, recheck.why, recheck.commands
                ),
                format!(", {} frames", recheck.frames),
            )
        }
        Effect::Report(r) => {
            let act = match r.act {
                Some(Act::InProgress) => " in_progress",
                Some(Act::FoundAfter) => " found_after",
                None => "",
            };
            let what = match r.phase {
                Phase::Opened => "opened",
                Phase::Cleared => "cleared",
                Phase::Settled => "settled",
                _ => r.cause.as_str(),
            };
            (
                format!("{what} r{}: {}{act}", r.revision, r.kind.as_str()),
                format!(
                    " {:.2}, dwell {}, count {}, at x {:.2}, evidence {}+{}",
                    r.confidence,
                    r.dwell_s,
                    r.count,
                    r.bbox.x,
                    r.evidence.len(),
                    r.evidence_pending.len(),
                ),
            )
        }
        Effect::Save(s) => {
            let before = s.before_at.map(|b| format!(" before@{}", tenths(b))).unwrap_or_default();
            let span = s.clip.map(|(a, b)| format!(" clip {}..{}", tenths(a), tenths(b))).unwrap_or_default();
            (format!("save r{}", s.revision), format!("{before}{span} (tenths)"))
        }
        Effect::Pin { from, to, .. } => {
            ("pin".to_owned(), format!(" {}..{} (tenths)", tenths(*from), tenths(*to)))
        }
        Effect::Review(request) => {
            ("review".to_owned(), format!(" {}..{} (tenths)", tenths(request.from), tenths(request.to)))
        }
        Effect::Warn(warning) => (format!("warn by {}", warning.by.join(", ")), String::new()),
        Effect::WarningAnswered { spoken, .. } => (format!("warning answered: {spoken}"), String::new()),
        Effect::Unpin { .. } => ("unpin".to_owned(), String::new()),
        Effect::Refused(refusal) => {
            (format!("refused {}", refusal::text::why(Lang::En, &refusal.why)), String::new())
        }
        Effect::UnknownIncident { command_id, .. } => (format!("{command_id}: not known"), String::new()),
        Effect::WatchRequired { camera, required } => {
            let state = if *required { "watch required" } else { "watch optional" };
            (format!("cam{} {state}", camera.0 + 1), String::new())
        }
        Effect::Sweep { parts, .. } => (format!("sweep {}", parts.len()), String::new()),
        Effect::CameraChanged { camera, state, .. } => {
            (format!("cam{} {state:?}", camera.0 + 1), String::new())
        }
        Effect::Patrol(p) => (
            format!("patrol {}", p.verdict.as_str()),
            format!(
                " open {} cleared {}: {}{:?}",
                p.open.len(),
                p.cleared.len(),
                p.why.iter().map(doubt).collect::<String>(),
                p.cameras
                    .iter()
                    .map(|c| [
                        c.watched_s,
                        c.blind_s,
                        c.moved_s,
                        c.off_s,
                        c.frames as f64,
                        c.frames_due as f64
                    ])
                    .collect::<Vec<_>>()
            ),
        ),
        Effect::WatchFaster { camera, required } => {
            (format!("cam{} faster {required}", camera.0 + 1), String::new())
        }
        Effect::SensorCondition { sensor, condition, last, .. } => {
            let last = last.as_ref().map(|r| format!(" at {}", r.value)).unwrap_or_default();
            (format!("sensor {sensor} {}", condition.as_str()), last)
        }
        Effect::SensorAlarm { reading, active } => {
            (format!("alarm {} {active}", reading.sensor), format!(" at {}", reading.value))
        }
    }
}
