//! The files of a replay: reports as the centre would get them, and the timeline.

use std::fs::File;
use std::io::Write as _;

use anyhow::Context as _;

use super::options::Options;
use super::scoring::{FirstReport, StateChange};
use super::timeline;
use kerbside_domain::camera_state::CameraState;
use kerbside_domain::report::Report;
use kerbside_domain::time::Mono;
use kerbside_site::config::Site;
use kerbside_site::place::Placer;
use kerbside_wire::Identity;

/// Where reports and states of the camera go.
pub(super) struct Output<'a> {
    site: Site,
    who: Identity,
    placer: Placer,
    envelopes: File,
    timeline: File,
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
            timeline: create("timeline.txt")?,
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
