//! The timeline of a replay, for officers and technicians: a line for each event.

use kerbside_domain::camera_state::CameraState;
use kerbside_domain::kind::Act;
use kerbside_domain::lang::Lang;
use kerbside_domain::report::{Cause, Phase, Report};
use kerbside_seeing::incident::refusal::text;
use kerbside_seeing::incident::{RuleStanding, Standing};
use kerbside_site::geo::Matter;

use crate::why::{Entry, place};

/// `   12.4 s  opened    waste.exposed 暴露垃圾  sidewalk/no-dumping  0.87  in progress`
pub(super) fn report(at_s: f64, report: &Report, matter: Option<&Matter>) -> String {
    let phase = match report.phase {
        Phase::Opened => "opened",
        Phase::Updated => report.cause.as_str(),
        Phase::Cleared => "cleared",
        Phase::Withdrawn => "withdrawn",
        Phase::Settled => "settled",
        Phase::Recheck => "recheck",
    };
    let name = matter.map(|m| format!(" {}", m.name)).unwrap_or_default();
    let act = match report.act {
        Some(Act::InProgress) => "  seen being left",
        Some(Act::FoundAfter) => "  found after",
        None => "",
    };
    let mut line = format!(
        "{at_s:8.1} s  {phase:<10} {}{name}  {}/{}  {:.2}{act}",
        report.kind.as_str(),
        report.zone,
        report.rule,
        report.confidence
    );
    if report.phase == Phase::Opened {
        let because: Vec<String> = report.reasons.iter().map(|(k, v)| format!("{k} {v}")).collect();
        line.push_str(&format!("\n{:12}because {}", "", because.join(", ")));
    }
    if report.cause == Cause::Evidence {
        for item in &report.evidence {
            line.push_str(&format!("\n{:12}{} ({} bytes)", "", item.path, item.bytes));
        }
    }
    line
}

/// A replay says nothing at any place.
pub(super) fn warning(at_s: f64, by: &[String]) -> String {
    format!("{at_s:8.1} s  warning    by {} (not spoken in a replay)", by.join(", "))
}

/// `   64.5 s  refused    stall at 0.42,0.42 (0.10 x 0.20)  sidewalk/no-vending  57 s, gone  gone or changed before its dwell: ...`
pub(super) fn refused(at_s: f64, entry: &Entry, lang: Lang) -> String {
    let head = lang.pick(format!("{at_s:8.1} s  refused   "), format!("{at_s:8.1} 秒  未上报   "));
    format!("{head} {}", entry.sentence(lang))
}

/// For the end of a replay: what a rule had seen of a thing when the clip was over.
pub(super) fn unfinished(standing: &Standing, rule: &RuleStanding, lang: Lang) -> String {
    let thing = standing.label.as_deref().unwrap_or(lang.pick("thing", "物体"));
    let dwell = text::check(lang, &rule.dwell);
    let place = place(&standing.bbox);
    let (zone, rule) = (&rule.zone, &rule.rule);
    lang.pick(
        format!("{thing} at {place}  {zone}/{rule}  the clip ended before its dwell: {dwell}"),
        format!("{thing} 位于 {place}  {zone}/{rule}  片段结束时未满停留时间：{dwell}"),
    )
}

pub(super) fn camera(at_s: f64, state: CameraState) -> String {
    let text = match state {
        CameraState::Watching => "watching".to_owned(),
        CameraState::Blind(why) => format!("blind: {}", reason(&why)),
        CameraState::Off(why) => format!("off: {}", reason(&why)),
    };
    format!("{at_s:8.1} s  camera     {text}")
}

fn reason(why: &impl serde::Serialize) -> String {
    let text = serde_json::to_value(why).ok();
    text.as_ref().and_then(|v| v.as_str()).unwrap_or("?").replace('_', " ")
}
