//! Cores with other rules on the inputs that one replay recorded: the clip is not played again.

use kerbside_domain::frame::CameraIx;
use kerbside_domain::lang::Lang;
use kerbside_domain::model::ModelNames;
use kerbside_domain::report::Report;
use kerbside_media::CaptureProgram;
use kerbside_seeing::incident::{Core, Effect, Input};
use kerbside_site::config::{Rule, Site};

use super::options::Options;
use super::start_wall_ms;

/// A replay of `clip` with the first camera of the site, without a truth, whose inputs are recorded.
pub(crate) fn recorded(
    site: &Site,
    clip: &std::path::Path,
    out: &std::path::Path,
    exe: &CaptureProgram,
    models: ModelNames,
) -> Options {
    Options {
        site: site.clone(),
        camera: CameraIx(0),
        clip: clip.to_owned(),
        out: out.to_owned(),
        annotated: None,
        truth: None,
        start_wall_ms: start_wall_ms(None, site.device.utc_offset_s),
        realtime: false,
        lang: Lang::En,
        exe: exe.clone(),
        models,
        record_inputs: true,
        hold_s: 0.0,
    }
}

/// The site with each of its rules changed.
pub(crate) fn with_rules(site: &Site, change: impl Fn(&mut Rule)) -> Site {
    let mut site = site.clone();
    site.cameras.iter_mut().flat_map(|c| &mut c.zones).flat_map(|z| &mut z.rules).for_each(change);
    site
}

/// All reports of a core with this site on these inputs.
pub(crate) fn reports_of(site: &Site, inputs: &[Input]) -> Vec<Report> {
    let (mut core, mut effects) = (Core::new(site), Vec::new());
    for input in inputs {
        core.step(input.clone(), &mut effects);
    }
    let reports = effects.into_iter().filter_map(|effect| match effect {
        Effect::Report(report) => Some(*report),
        _ => None,
    });
    reports.collect()
}
