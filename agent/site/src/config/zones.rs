//! Zones of a camera and their rules: polygon, kinds, dwell, schedule, permits.

use std::ops::Range;

use toml::Spanned;

use super::check::{Check, SiteFacts};
use super::problem::{nearest, one_of, suggestions};
use super::raw;
use super::read::Table;
use super::site::{Camera, Hours, Permit, Rule, WarnFirst, Zone};
use super::with::{self, With, WithMode};
use super::{shape, values};
use crate::geo::smallest::{self, Reach};
use crate::limits;
use kerbside_domain::kind::Kind;

pub(super) fn zone(cx: &mut Check<'_>, mut table: Table<'_>, facts: &SiteFacts<'_>, camera: &Camera) -> Zone {
    let name = table.named("[[camera.zone]]");
    let span = table.span.clone();
    let rule_tables = table.take_tables("rule", "[[camera.zone.rule]]", cx.sink);
    let raw: raw::Zone = table.read(&["rule"], cx.sink);
    let here = (name.as_str(), &span);
    let id_at = cx.required("id", &raw.id, here, "\"sidewalk-1\"");
    let id = id_at.as_ref().map(|v| cx.id("id", v)).unwrap_or_default();
    if let Some(v) = id_at.filter(|_| camera.zones.iter().any(|z| z.id == id)) {
        let what = format!("zone id \"{id}\" is used twice in camera \"{}\"", camera.id);
        cx.repeated(v.span(), what).help("give each zone of a camera its own id");
    }
    let example = "[[0.05, 0.55], [0.95, 0.55], [0.98, 0.98], [0.02, 0.98]]";
    let polygon = cx.required("polygon_norm", &raw.polygon_norm, here, example);
    let mut zone = Zone {
        id,
        name: cx.text("name", &raw.name, limits::NAME_BYTES),
        polygon_norm: Vec::new(),
        frontage: raw.frontage.is_some_and(|v| v.into_inner()),
        rules: vec![],
    };
    if let Some(polygon) = polygon {
        zone.polygon_norm = corners(cx, &polygon);
    }
    if rule_tables.is_empty() && !zone.frontage {
        let what = format!("{name} has no rule: nothing in it would be reported");
        cx.sink.at(span.clone(), what).help("add a [[camera.zone.rule]], or remove the zone");
    }
    for table in rule_tables {
        let rule = rule(cx, table, facts, camera, &zone);
        zone.rules.push(rule);
    }
    zone
}

fn corners(cx: &mut Check<'_>, polygon: &Spanned<Vec<Spanned<[f64; 2]>>>) -> Vec<(f32, f32)> {
    let mut points: Vec<(f64, f64)> =
        polygon.get_ref().iter().map(|p| (p.get_ref()[0], p.get_ref()[1])).collect();
    // A ring closed as in GeoJSON means the same.
    if points.len() > 3 && points.first() == points.last() {
        points.pop();
    }
    if let Some(fault) = shape::polygon_fault(&points) {
        let corner = fault.corner.and_then(|i| polygon.get_ref().get(i));
        let span = corner.map_or(polygon.span(), |c| c.span());
        cx.sink.at(span, fault.what).help(
            "allowed: 3 to 64 corners [x, y] in shares of the picture, 0 to 1, in order along the border",
        );
    }
    points.iter().map(|&(x, y)| (x as f32, y as f32)).collect()
}

fn rule(
    cx: &mut Check<'_>,
    mut table: Table<'_>,
    facts: &SiteFacts<'_>,
    camera: &Camera,
    zone: &Zone,
) -> Rule {
    let name = table.named("[[camera.zone.rule]]");
    let span = table.span.clone();
    let schedule_tables =
        table.take_tables("schedule", "schedule = [{ days = \"...\", hours = \"...\" }]", cx.sink);
    let permit_tables = table.take_tables(
        "permits",
        "permits = [{ holder = \"...\", days = \"...\", hours = \"...\" }]",
        cx.sink,
    );
    let warn_table = table.take_table("warn", "[camera.zone.rule.warn]", cx.sink);
    let raw: raw::Rule = table.read(&["schedule", "permits", "warn"], cx.sink);
    let here = (name.as_str(), &span);
    let id_at = cx.required("id", &raw.id, here, "\"no-dumping\"");
    let id = id_at.as_ref().map(|v| cx.id("id", v)).unwrap_or_default();
    if let Some(v) = id_at.filter(|_| zone.rules.iter().any(|r| r.id == id)) {
        let what = format!("rule id \"{id}\" is used twice in zone \"{}\"", zone.id);
        cx.repeated(v.span(), what).help("give each rule of a zone its own id");
    }
    let kinds_at = cx.required("kinds", &raw.kinds, here, "[\"waste.exposed\"]");
    let kinds = kinds_at.map(|v| kinds(cx, &v, facts)).unwrap_or_default();
    if let Some(v) = raw.min_size_m2.as_ref().filter(|_| camera.control_points.is_empty()) {
        let what = "`min_size_m2` needs a homography, and this camera has no control points";
        cx.sink.at(v.span(), what).help("use min_area_norm, or add 6 or more [[camera.control_point]]");
    }
    let min_size_m2 =
        raw.min_size_m2.is_some().then(|| cx.number("min_size_m2", &raw.min_size_m2, 0.0..=1000.0, 0.0));
    let dwell_s = cx.number("dwell_s", &raw.dwell_s, 0.5..=86_400.0, 60.0);
    warn_of_too_small(cx, &raw, camera, zone);
    Rule {
        id,
        name: cx.text("name", &raw.name, limits::NAME_BYTES),
        kinds,
        dwell_s,
        min_area_norm: cx.number("min_area_norm", &raw.min_area_norm, 0.0..=1.0, 0.0005) as f32,
        min_size_m2,
        schedule: schedule_tables.into_iter().filter_map(|t| hours_of(cx, "schedule", t)).collect(),
        permits: permit_tables.into_iter().filter_map(|t| permit(cx, t)).collect(),
        sensitivity: cx.whole("sensitivity", &raw.sensitivity, 1..=10, 5) as u8,
        repeat_s: cx.number("repeat_s", &raw.repeat_s, 0.0..=604_800.0, 1800.0),
        clear_after_s: cx.number("clear_after_s", &raw.clear_after_s, 1.0..=86_400.0, 30.0),
        warn: warn_table.map(|table| warn(cx, table, facts, dwell_s)),
        with: with_sensor(cx, &raw, facts),
    }
}

/// A rule that asks for less than the gate sees gets it where it is near enough; that is said before somebody relies on it.
fn warn_of_too_small(cx: &mut Check<'_>, raw: &raw::Rule, camera: &Camera, zone: &Zone) {
    let seen_norm = smallest::area_norm();
    if let Some(v) = raw.min_area_norm.as_ref().filter(|v| (0.0..seen_norm).contains(v.get_ref())) {
        let what = format!(
            "a dark thing is reported from {seen_norm:.5} of the picture on, smaller ones are not seen"
        );
        cx.sink.warn(v.span(), what);
    }
    let Some(v) = &raw.min_size_m2 else { return };
    let reach = camera.ground().and_then(|ground| smallest::of_zone(&ground, &zone.polygon_norm));
    let Some(Reach { far, .. }) = reach else { return };
    let wanted_m = v.get_ref().max(0.0).sqrt();
    if wanted_m < far.strong_m {
        let what = format!(
            "at the far edge of zone \"{}\", {:.0} m away, a dark thing is reported from a width of {:.1} m on; {} m\u{b2} is {wanted_m:.1} m",
            zone.id,
            far.distance_m,
            far.strong_m,
            v.get_ref(),
        );
        cx.sink.warn(v.span(), what);
    }
}

const WITH_MODES: [(&str, WithMode); 3] =
    [("both", WithMode::Both), ("either", WithMode::Either), ("faster", WithMode::Faster)];

/// A sensor's say in the rule.
fn with_sensor(cx: &mut Check<'_>, raw: &raw::Rule, facts: &SiteFacts<'_>) -> Option<With> {
    let mode = raw.with_mode.as_ref().and_then(|v| cx.word("with_mode", v, &WITH_MODES)).unwrap_or_default();
    let for_s = cx.number("with_for_s", &raw.with_for_s, 0.0..=3600.0, 60.0);
    let Some(v) = &raw.with else {
        let spans = [raw.with_mode.as_ref().map(Spanned::span), raw.with_for_s.as_ref().map(Spanned::span)];
        for span in spans.into_iter().flatten() {
            cx.sink
                .at(span, "it says how a sensor counts, and there is no `with`")
                .help("add with = \"bin-1 > 85\"");
        }
        return None;
    };
    if let Some(v) = raw.with_for_s.as_ref().filter(|_| mode != WithMode::Faster) {
        cx.sink.at(v.span(), "`with_for_s` counts only with with_mode = \"faster\"").help("remove it");
    }
    match with::parse(v.get_ref(), facts.sensors) {
        Ok(with) => Some(With { mode, for_s, ..with }),
        Err(fault) => {
            // Where the text stands as it is between its quotes, the place within it is known.
            let (span, quoted) = (v.span(), v.get_ref().len() + 2);
            let is_plain = span.len() == quoted;
            let at = span.start + 1 + fault.at.start..span.start + 1 + fault.at.end.max(fault.at.start + 1);
            let at = if is_plain && at.end < span.end { at } else { span };
            let problem = cx.sink.at(at, format!("`with`: {}", fault.what));
            for line in fault.help {
                problem.help(line);
            }
            None
        }
    }
}

fn kinds(cx: &mut Check<'_>, list: &Spanned<Vec<Spanned<String>>>, facts: &SiteFacts<'_>) -> Vec<Kind> {
    let names = || Kind::SEEN.into_iter().map(Kind::as_str);
    if list.get_ref().is_empty() {
        cx.sink
            .at(list.span(), "`kinds` is empty: the rule would report nothing")
            .help(format!("allowed: {}", one_of(names())));
    }
    let mut kinds = Vec::new();
    for v in list.get_ref() {
        let text = v.get_ref();
        match Kind::parse(text).filter(|kind| Kind::SEEN.contains(kind)) {
            None => {
                let advice = suggestions(text, "allowed", names());
                cx.sink.at(v.span(), format!("unknown kind `{text}`")).advise(advice);
            }
            Some(kind) if kinds.contains(&kind) => {
                cx.sink.at(v.span(), format!("kind `{text}` is named twice"));
            }
            Some(kind) => {
                if !facts.codes.knows(kind) {
                    let what = format!("kind `{text}` has no code in the scheme {}", facts.codes.scheme());
                    cx.sink.at(v.span(), what).help("add it to the table of [codes], or leave the kind out");
                }
                kinds.push(kind);
            }
        }
    }
    kinds
}

fn hours_of(cx: &mut Check<'_>, key: &str, table: Table<'_>) -> Option<Hours> {
    let span = table.span.clone();
    let raw: raw::Hours = table.read(&[], cx.sink);
    hours(cx, (key, &span), &raw.days, &raw.hours)
}

fn permit(cx: &mut Check<'_>, table: Table<'_>) -> Option<Permit> {
    let span = table.span.clone();
    let raw: raw::Permit = table.read(&[], cx.sink);
    let holder = cx.required("holder", &raw.holder, ("permits", &span), "\"night market, licence 17\"");
    let hours = hours(cx, ("permits", &span), &raw.days, &raw.hours)?;
    if let Some(v) = raw.welcome_at.as_ref().filter(|v| v.get_ref().trim().is_empty()) {
        cx.sink.at(v.span(), "`welcome_at` is empty").help("name where vendors are welcome, or remove it");
    }
    let welcome_at = cx.text("welcome_at", &raw.welcome_at, limits::WELCOME_BYTES);
    Some(Permit { holder: holder?.into_inner(), hours, welcome_at })
}

/// Warn first: `after_s` is the rule's dwell unless it says otherwise.
fn warn(cx: &mut Check<'_>, mut table: Table<'_>, facts: &SiteFacts<'_>, dwell_s: f64) -> WarnFirst {
    let name = "[camera.zone.rule.warn]";
    let span = table.span.clone();
    let quiet = table.take_tables("quiet", "quiet = [{ hours = \"21:00-07:00\" }]", cx.sink);
    let raw: raw::Warn = table.read(&["quiet"], cx.sink);
    let by = cx.required("by", &raw.by, (name, &span), "[\"speaker-1\"]");
    let mut outputs: Vec<String> = Vec::new();
    if let Some(list) = by.as_ref().filter(|list| list.get_ref().is_empty()) {
        let what = "`by` is empty: nothing would be said at the place";
        cx.sink.at(list.span(), what).help("name an [[output]], or remove [camera.zone.rule.warn]");
    }
    for v in by.iter().flat_map(|list| list.get_ref()) {
        let id = v.get_ref();
        if outputs.contains(id) {
            cx.sink.at(v.span(), format!("output \"{id}\" is named twice"));
        } else if facts.outputs.iter().any(|output| &output.id == id) {
            outputs.push(id.clone());
        } else {
            let names = || facts.outputs.iter().map(|output| output.id.as_str());
            let problem = cx.sink.at(v.span(), format!("there is no [[output]] \"{id}\""));
            if let Some(near) = nearest(id, names()) {
                problem.help(format!("did you mean \"{near}\"?"));
            }
            problem.help("add an [[output]] with this id: something that speaks or shines at the place");
        }
    }
    WarnFirst {
        after_s: cx.number("after_s", &raw.after_s, 0.5..=86_400.0, dwell_s),
        wait_s: cx.number("wait_s", &raw.wait_s, 5.0..=86_400.0, 120.0),
        by: outputs,
        quiet: quiet.into_iter().filter_map(|t| hours_of(cx, "quiet", t)).collect(),
    }
}

/// `days` may be left out (every day), `hours` too (all day), but not both.
fn hours(
    cx: &mut Check<'_>,
    here: (&str, &Range<usize>),
    days: &raw::At<String>,
    hours: &raw::At<String>,
) -> Option<Hours> {
    if days.is_none() && hours.is_none() {
        let what = format!("an entry of `{}` says neither days nor hours", here.0);
        cx.sink.at(here.1.clone(), what).help("for example: { days = \"mon-sun\", hours = \"07:00-21:00\" }");
        return None;
    }
    let mut set = values::always();
    if let Some(v) = days {
        match values::days(v.get_ref()) {
            Ok(days) => set.days = days,
            Err(why) => {
                let allowed =
                    "allowed: mon tue wed thu fri sat sun, spans and lists: \"mon-fri\", \"sat,sun\"";
                cx.sink.at(v.span(), format!("`days`: {why}")).help(allowed);
            }
        }
    }
    if let Some(v) = hours {
        match values::hours(v.get_ref()) {
            Ok((from, to)) => (set.from_min, set.to_min) = (from, to),
            Err(why) => {
                let allowed =
                    "allowed: HH:MM-HH:MM, for example \"07:00-21:00\"; \"21:00-06:00\" runs over midnight";
                cx.sink.at(v.span(), format!("`hours`: {why}")).help(allowed);
            }
        }
    }
    Some(set)
}
