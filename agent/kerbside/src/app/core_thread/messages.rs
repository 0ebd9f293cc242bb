//! Messages and records made from the core's output. Pure.

use kerbside_domain::evidence::EvidenceOutcome;
use kerbside_domain::patrol::{PatrolIncident, PatrolReport};
use kerbside_domain::report::Report;
use kerbside_domain::time::Moment;
use kerbside_seeing::incident::IncidentRecord;
use kerbside_site::config::Site;
use kerbside_site::place::Placer;
use kerbside_trace::delivery::{Delivery, Item, SavedIncident};
use kerbside_wire::{self as wire, ReplyResult};

/// The report itself, then a reply to each command that ordered a recheck.
pub(super) fn of_report(site: &Site, placer: &Placer, delivery: &Delivery, report: &Report) -> Vec<Item> {
    // Of a box that moves, where it was when the thing was last seen.
    let when = report.last_seen.mono;
    let place = match &report.sensor {
        Some(sensor) => placer.place_sensor(&sensor.id, report.camera, report.bbox, when),
        None => placer.place_at(report.camera, report.bbox, when),
    };
    let matter = site.codes.matter(report.kind, &site.device.division);
    let who = delivery.identity().with_names_of(site);
    let message = wire::matter(&who, report, place.as_ref(), matter.as_ref());
    let replies = report.recheck.iter().flat_map(|r| r.commands.iter().map(move |id| (id, r)));
    let replies = replies.map(|(id, recheck)| {
        let detail = serde_json::json!({"incident_id": report.incident_id, "revision": report.revision,
            "result": recheck.result, "why": recheck.why});
        wire::reply(id, "recheck", ReplyResult::Done, None, detail, report.at)
    });
    [message.into()].into_iter().chain(replies).map(|m| Item::Message(Box::new(m))).collect()
}

/// The patrol report, then a reply to each command that ordered it.
pub(super) fn of_patrol(placer: &Placer, delivery: &Delivery, report: &PatrolReport) -> Vec<Item> {
    let who = delivery.identity();
    let last = delivery.stats().map(|s| s.last_seq).unwrap_or_default();
    let grid = |incident: &PatrolIncident| {
        placer.place_at(incident.camera, incident.bbox, incident.to.mono)?.unit_grid
    };
    let message = wire::patrol(who, report, &grid, last);
    let replies = report.commands.iter().map(|id| {
        let why: Vec<&str> = report.why.iter().map(|doubt| doubt.reason.as_str()).collect();
        let detail = serde_json::json!({"verdict": report.verdict, "why": why,
            "from": who.time(report.from), "to": who.time(report.to)});
        wire::reply(id, "patrol", ReplyResult::Done, None, detail, report.to)
    });
    [message].into_iter().chain(replies).map(|m| Item::Message(Box::new(m))).collect()
}

/// The message that names durable files, and the one that reports a shortfall.
pub(super) fn of_outcome(delivery: &Delivery, outcome: &EvidenceOutcome, at: Moment) -> Vec<Item> {
    let incident_id = outcome.subject.set_id();
    let id = format!("{incident_id}-r{}", outcome.revision).to_lowercase();
    let mut items = Vec::new();
    if !outcome.items.is_empty() {
        let (who, about) = (delivery.identity(), wire::ManifestSubject::Incident(&incident_id));
        let message = wire::evidence_manifest(who, &id, about, outcome.revision, &outcome.items, at);
        items.push(Item::Message(Box::new(message)));
    }
    if let Some(shortfall) = &outcome.shortfall {
        let message = wire::evidence_failed(&id, &incident_id, shortfall, at);
        items.push(Item::Message(Box::new(message)));
    }
    items
}

pub(super) fn saved(record: &IncidentRecord) -> Option<SavedIncident> {
    let value = serde_json::to_value(record).ok()?;
    let place = record.camera_id.as_ref().map(|camera| format!("{camera}/{}", record.report.zone));
    Some(SavedIncident { id: record.report.incident_id.clone(), place, record: Some(value) })
}

/// All incidents of the core. `None` if one cannot be serialised: an incident that is missing here would be deleted.
pub(super) fn all_incidents(records: &[IncidentRecord]) -> Option<Item> {
    records.iter().map(saved).collect::<Option<Vec<_>>>().map(Item::AllIncidents)
}

pub(super) fn log_report(site: &Site, report: &Report) {
    let camera = site.camera(report.camera).map_or("?", |c| c.id.as_str());
    tracing::info!(
        incident = report.incident_id,
        revision = report.revision,
        phase = ?report.phase,
        cause = report.cause.as_str(),
        kind = report.kind.as_str(),
        camera,
        zone = report.zone,
        confidence = report.confidence,
        "report"
    );
}
