//! What the desk makes durable: items for the delivery, made from what the core says. Pure.

use kerbside_domain::evidence::EvidenceOutcome;
use kerbside_domain::report::Report;
use kerbside_seeing::incident::IncidentRecord;
use kerbside_site::config::Site;
use kerbside_site::place::Placer;
use kerbside_trace::delivery::{Delivery, Item, SavedIncident};
use kerbside_wire as wire;

pub(super) fn of_report(site: &Site, placer: &Placer, delivery: &Delivery, report: &Report) -> Vec<Item> {
    let place = placer.place(report.camera, report.bbox);
    let matter = site.codes.matter(report.kind, &site.device.division);
    let draft = wire::matter(delivery.identity(), report, place.as_ref(), matter.as_ref());
    let answers = report.recheck.iter().flat_map(|r| r.commands.iter().map(move |id| (id, r)));
    let answers = answers.map(|(id, recheck)| {
        let detail = serde_json::json!({"incident_id": report.incident_id, "revision": report.revision,
            "result": recheck.result, "why": recheck.why});
        wire::reply(id, "recheck", "done", None, detail, report.at)
    });
    [draft].into_iter().chain(answers).map(|d| Item::Message(Box::new(d))).collect()
}

/// The message that names durable files, or says which do not come.
pub(super) fn of_outcome(
    delivery: &Delivery,
    outcome: &EvidenceOutcome,
    at: kerbside_domain::time::Moment,
) -> Vec<Item> {
    let id = format!("{}-r{}", outcome.incident_id, outcome.revision).to_lowercase();
    let mut items = Vec::new();
    if !outcome.items.is_empty() {
        let (who, about) = (delivery.identity(), wire::About::Incident(&outcome.incident_id));
        let draft = wire::evidence_manifest(who, &id, about, outcome.revision, &outcome.items, at);
        items.push(Item::Message(Box::new(draft)));
    }
    if let Some(shortfall) = &outcome.shortfall {
        let draft = wire::evidence_failed(&id, &outcome.incident_id, shortfall, at);
        items.push(Item::Message(Box::new(draft)));
    }
    items
}

pub(super) fn saved(record: &IncidentRecord) -> Option<SavedIncident> {
    let value = serde_json::to_value(record).ok()?;
    let place = record.camera_id.as_ref().map(|camera| format!("{camera}/{}", record.report.zone));
    Some(SavedIncident { id: record.report.incident_id.clone(), place, record: Some(value) })
}

/// All that the core knows. `None` if a record cannot be written down: who is missing would be forgotten.
pub(super) fn whole(records: &[IncidentRecord]) -> Option<Item> {
    records.iter().map(saved).collect::<Option<Vec<_>>>().map(Item::Snapshot)
}

pub(super) fn tell(site: &Site, report: &Report) {
    let camera = site.camera(report.camera).map_or("?", |c| c.id.as_str());
    tracing::info!(
        incident = report.incident_id,
        revision = report.revision,
        phase = ?report.phase,
        cause = report.cause,
        kind = report.kind.as_str(),
        camera,
        zone = report.zone,
        confidence = report.confidence,
        "report"
    );
}
