//! The files of a replay: reports as the centre would get them, and the timeline.

use std::fs::File;
use std::io::Write as _;

use anyhow::Context as _;

use super::options::Options;
use super::scoring::{FirstReport, StateChange};
use super::timeline;
use crate::why::{Entry, NoPicture, Picture};
use kerbside_domain::camera_state::CameraState;
use kerbside_domain::lang::Lang;
use kerbside_domain::report::Report;
use kerbside_domain::time::Mono;
use kerbside_seeing::incident::refusal::Fate;
use kerbside_seeing::incident::{Refusal, Standing};
use kerbside_site::config::Site;
use kerbside_site::place::Placer;
use kerbside_wire::Identity;

/// Where reports and states of the camera go.
pub(super) struct Output<'a> {
    site: Site,
    who: Identity,
    placer: Placer,
    envelopes: File,
    refusals: File,
    timeline: File,
    lang: Lang,
    /// What was said last of each thing and rule, in the order of their first mention.
    refused: Vec<Entry>,
    /// The first report of each incident.
    pub(super) reports: Vec<FirstReport>,
    pub(super) states: Vec<StateChange>,
    /// Gets each line of the timeline too.
    print: &'a mut dyn FnMut(&str),
}

impl<'a> Output<'a> {
    /// Creates the files.
    pub(super) fn create(
        site: &Site,
        options: &Options,
        print: &'a mut dyn FnMut(&str),
    ) -> anyhow::Result<Self> {
        let create = |name: &str| {
            let path = options.out.join(name);
            File::create(&path).with_context(|| format!("creating {}", path.display()))
        };
        Ok(Output {
            site: site.clone(),
            who: Identity::from_site(site).with_models(options.models.clone()),
            placer: Placer::new(site),
            envelopes: create("incidents.ndjson")?,
            refusals: create("refusals.ndjson")?,
            timeline: create("timeline.txt")?,
            lang: options.lang,
            refused: Vec::new(),
            reports: Vec::new(),
            states: Vec::new(),
            print,
        })
    }

    pub(super) fn report(&mut self, report: &Report) -> anyhow::Result<()> {
        let place = self.placer.place(report.camera, report.bbox);
        let matter = self.site.codes.matter(report.kind, &self.site.device.division);
        let message = kerbside_wire::matter(&self.who, report, place.as_ref(), matter.as_ref());
        writeln!(self.envelopes, "{}", message.envelope(&self.who, None)).context("incidents.ndjson")?;
        let at_s = report.at.mono.since_s(Mono::ZERO);
        self.reports.extend(FirstReport::of(report, &self.site));
        self.line(&timeline::report(at_s, report, matter.as_ref()))
    }

    /// Said once for each reason, and when the thing has gone unjudged; that it left after all is not news.
    pub(super) fn refused(&mut self, refusal: &Refusal) -> anyhow::Result<()> {
        let camera = self.site.camera(refusal.camera).map_or("?", |c| c.id.as_str());
        let offset_s = self.site.device.utc_offset_s;
        let entry = Entry::of(refusal, camera, offset_s, Picture::None(NoPicture::Replay));
        let earlier = self.refused.iter().position(|e| e.id == entry.id);
        let is_news = earlier.is_none_or(|at| self.refused[at].why.kind() != entry.why.kind());
        writeln!(self.refusals, "{}", serde_json::to_string(&entry)?).context("refusals.ndjson")?;
        let line = timeline::refused(refusal.to.mono.since_s(Mono::ZERO), &entry, self.lang);
        match earlier {
            Some(at) => self.refused[at] = entry,
            None => self.refused.push(entry),
        }
        if is_news { self.line(&line) } else { Ok(()) }
    }

    /// What was no incident in the end, a sentence each. `standing`: what stands there when the clip is over.
    pub(super) fn refusals(&self, standing: &[Standing]) -> Vec<String> {
        let reported = |e: &&Entry| matches!(e.fate, Fate::Reported { .. });
        let refused = self.refused.iter().filter(|e| !reported(e));
        let mut sentences: Vec<String> = refused
            .map(|e| {
                let head = self.lang.pick("not reported: ", "未上报：");
                format!("{head}{}", e.sentence(self.lang))
            })
            .collect();
        for thing in standing.iter().filter(|s| s.incident_id.is_none()) {
            let unjudged = thing.rules.iter().filter(|r| r.why.is_none());
            let early = unjudged.filter(|r| r.dwell.value < r.dwell.threshold);
            sentences.extend(early.map(|rule| {
                let head = self.lang.pick("not yet: ", "尚未上报：");
                format!("{head}{}", timeline::unfinished(thing, rule, self.lang))
            }));
        }
        sentences
    }

    pub(super) fn camera(&mut self, at_s: f64, state: CameraState) -> anyhow::Result<()> {
        self.states.push((at_s, state));
        self.line(&timeline::camera(at_s, state))
    }

    pub(super) fn warning(&mut self, at_s: f64, by: &[String]) -> anyhow::Result<()> {
        self.line(&timeline::warning(at_s, by))
    }

    fn line(&mut self, line: &str) -> anyhow::Result<()> {
        (self.print)(line);
        writeln!(self.timeline, "{line}").context("timeline.txt")
    }
}
