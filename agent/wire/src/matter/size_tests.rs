//! No message about an incident is longer than the contract says, whatever is in it; and what it must not leave out is in it.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::CameraName;
use crate::identity::ZoneName;
use crate::message::message_body;
use crate::outgoing::{Outgoing, published};
use crate::testing::{at, report, who};
use crate::tests::{place, recorded, schemas, stall};
use kerbside_domain::detection::ReportObject;
use kerbside_domain::evidence::{EvidenceItem, EvidenceRole};
use kerbside_domain::model::ModelName;
use kerbside_domain::report::{Cause, IncidentState, Recheck, RecheckResult};
use kerbside_site::geo::GridNames;
use kerbside_site::limits as site_limits;

/// Everything a message is made of.
#[derive(Clone, Debug)]
struct Whole {
    who: Identity,
    report: Report,
    place: Place,
    matter: Matter,
}

impl Whole {
    /// As it goes to the broker, with the largest numbers that the trace can add.
    fn outgoing(&self) -> Outgoing {
        let Whole { who, report, place, matter } = self;
        let message = super::matter(who, report, Some(place), Some(matter));
        let body = message_body(&message, who, u64::MAX, at(186.3));
        let record = crate::Recorded { n: u64::MAX, ..recorded(&body) };
        published(record, who).expect("it is a message")
    }

    fn parts(&self) -> Parts<'_> {
        Parts { who: &self.who, report: &self.report, place: Some(&self.place), matter: Some(&self.matter) }
    }
}

/// Bytes of a packet without its topic.
fn length(outgoing: &Outgoing) -> usize {
    outgoing.packet_len() - outgoing.topic.len()
}

fn text(bytes: usize) -> String {
    // The longest way to fill them: each of these characters takes two bytes of JSON.
    "\"".repeat(bytes / 2)
}

fn name(bytes: usize) -> Option<String> {
    Some("长".repeat(bytes / 3))
}

/// A report whose every text is as long as a checked site and the stages of the box can make it: `n` of 100 parts of it.
fn filled(n: usize) -> Whole {
    let part = |most: usize| most * n / 100;
    let id = |most: usize| "z".repeat(part(most).max(1));
    let names = |n: usize| name(part(site_limits::NAME_BYTES).max(3)).filter(|_| n > 0);
    let zone = ZoneName { id: id(32), name: names(n), rules: vec![(id(32), names(n).unwrap_or_default())] };
    let camera = CameraName {
        id: id(32),
        name: names(n),
        zones: vec![zone],
        gb28181_id: Some("31011200001320000017".into()),
    };
    let model = || Some(ModelName { name: id(200), version: id(200), sha256: "ab".repeat(32) });
    let mut who = Identity { edge_id: id(32), cameras: vec![camera], ..who() };
    who.models = kerbside_domain::model::ModelNames { street: model(), close_up: model(), witness: model() };
    let mut report = report(&"Z".repeat(26), 99_999_999);
    report.zone = id(32);
    report.rule = id(32);
    report.cause = Cause::VehicleOrPerson;
    report.state = IncidentState::Withdrawn;
    report.phase = Phase::Withdrawn;
    report.previous = Some("Z".repeat(26));
    report.sensor = Some(kerbside_domain::report::SensorWitness {
        id: "s".repeat(32),
        value: -123_456.789,
        unit: "度".repeat(16),
    });
    report.dwell_s = 999_999.9;
    let object = ReportObject { label: id(200).into(), ..report.objects[0].clone() };
    report.objects = vec![object; 9];
    report.reasons = vec![("appeared_with".into(), Value::from(text(part(900))))];
    report.evidence = files(limits::MATTER_FILES);
    report.evidence_pending = Vec::new();
    let mut matter = stall();
    matter.scheme = id(site_limits::SCHEME_BYTES);
    matter.code = id(site_limits::CODE_BYTES);
    matter.name = text(part(site_limits::NAME_BYTES).max(2));
    if let Some(category) = &mut matter.category {
        (category.name, category.office) = (text(part(site_limits::NAME_BYTES).max(2)), names(n));
    }
    let levels = GridNames { division: names(n), street: names(n), community: names(n), unit_grid: names(n) };
    let place = Place {
        address: Some(text(part(site_limits::ADDRESS_BYTES).max(2))),
        candidates: vec!["310112001002003".into(); n],
        grid_names: levels,
        ..place()
    };
    Whole { who, report, place, matter }
}

fn files(count: usize) -> Vec<EvidenceItem> {
    let file = |n: usize| EvidenceItem {
        id: format!("r99999999-annotated{n}"),
        role: EvidenceRole::Annotated,
        media: "application/json".into(),
        path: format!("2026-11-21/{}/r99999999-annotated{n}.jpg", "Z".repeat(26)),
        bytes: u64::MAX,
        sha256: "ab".repeat(32),
        captured: at(0.0),
        masked: true,
        enlarged: None,
        from_sub_stream: false,
        signature: None,
    };
    (0..count).map(file).collect()
}

/// The same as the answer to a recheck that many commands ordered.
fn rechecked(whole: Whole) -> Whole {
    let Whole { who, mut report, place, matter } = whole;
    report.phase = Phase::Recheck;
    report.evidence = Vec::new();
    report.evidence_pending = vec![EvidenceRole::After];
    report.recheck = Some(Recheck {
        result: RecheckResult::Unobservable,
        why: "place_not_seen_since_learning".into(),
        frames: 9999,
        commands: vec!["c".repeat(limits::ID); 16],
    });
    Whole { who, report, place, matter }
}

/// What must never be left out.
fn assert_whole(whole: &Whole, outgoing: &Outgoing) {
    assert!(length(outgoing) <= limits::MATTER, "{} bytes", length(outgoing));
    let body: Value = serde_json::from_slice(&outgoing.body).expect("JSON");
    schemas().check(&body).expect("the contract");
    let data = &body["data"];
    assert_eq!(data["state"], serde_json::to_value(whole.report.state).expect("a word"));
    assert_eq!(data["location"]["properties"]["address"].as_str(), whole.place.address.as_deref());
    let told = data["evidence"].as_array().expect("a list");
    let paths: Vec<&str> = told.iter().filter_map(|e| e["path"].as_str()).collect();
    let expected: Vec<&str> = whole.report.evidence.iter().map(|e| e.path.as_str()).collect();
    assert_eq!(paths, expected, "{data}");
    let left_out = whole.report.objects.len() - data["objects"].as_array().expect("a list").len();
    assert_eq!(data["omitted"]["objects"].as_u64().unwrap_or(0), left_out as u64, "what is left out is said");
    for (part, pointer) in [("reasons", "/reasons"), ("names", "/zone/name"), ("model", "/model/name")] {
        let said = data["omitted"]["parts"].as_array().is_some_and(|parts| parts.contains(&part.into()));
        assert!(said || data.pointer(pointer).is_some(), "{part} is missing and not said: {data}");
    }
}

/// Without the last step the longest legal message would not fit; with it, nothing that matters is left out.
#[test]
fn the_longest_legal_message_needs_the_last_step_and_fits() {
    let longest = filled(100);
    let before_the_last = &STEPS[..STEPS.len() - 1];
    assert!(before_the_last.iter().all(|step| longest.parts().shortened(*step).is_none()));
    for whole in [longest.clone(), rechecked(longest)] {
        let outgoing = whole.outgoing();
        assert_whole(&whole, &outgoing);
        println!("{:?}: {} of {} bytes", whole.report.phase, length(&outgoing), limits::MATTER);
    }
}

/// A usual report is told whole.
#[test]
fn a_usual_message_leaves_nothing_out() {
    let mut usual = report("01JD7Z6T6V8Q0M5N3K2H1G9F8E", 1);
    usual.evidence.clear();
    let message = super::matter(&who(), &usual, Some(&place()), Some(&stall()));
    let data: Value = serde_json::from_str(&message.data).expect("JSON");
    assert_eq!(data.get("omitted"), None);
}

#[test]
fn what_goes_first_is_what_is_needed_least() {
    let mut many = filled(30);
    let object = many.report.objects[0].clone();
    many.report.objects =
        (0..200).map(|i| ReportObject { confidence: i as f32 / 200.0, ..object.clone() }).collect();
    many.report.reasons.clear();
    many.report.evidence.clear();
    let body: Value = serde_json::from_slice(&many.outgoing().body).expect("JSON");
    assert_eq!(body["data"]["objects"][0]["confidence"], 0.995, "the surest stays");
    assert!(body["data"]["omitted"]["objects"].as_u64() >= Some(192), "{body}");
    assert!(body["data"]["zone"]["name"].is_string(), "names stay: {body}");
}

/// No message is longer even where a text is longer than any checked site gives.
#[test]
fn what_no_checked_site_gives_is_cut() {
    for bytes in [300, 5_000, 100_000] {
        let long = "长".repeat(bytes / 3);
        let mut whole = filled(100);
        whole.place.address = Some(long.clone());
        whole.report.zone.clone_from(&long);
        whole.matter.name.clone_from(&long);
        whole.report.incident_id.clone_from(&long);
        whole.who.cameras[0].id.clone_from(&long);
        whole.report.evidence = files(bytes / 10);
        let outgoing = whole.outgoing();
        assert!(length(&outgoing) <= limits::MATTER, "{}", length(&outgoing));
        let body: Value = serde_json::from_slice(&outgoing.body).expect("JSON");
        assert_eq!(body["data"]["omitted"]["files"], bytes / 10);
        assert_eq!(body["data"]["state"], "withdrawn");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_site_says_the_message_fits_and_says_what_matters(
        n in 1usize..=100,
        objects in 0usize..12,
        count in 0usize..=limits::MATTER_FILES,
        is_recheck in any::<bool>(),
        reasons in 0usize..4000,
    ) {
        let mut whole = filled(n);
        whole.report.objects.truncate(objects);
        whole.report.evidence = files(count);
        whole.report.reasons.push(("notes".into(), Value::from("x".repeat(reasons))));
        if is_recheck {
            whole = rechecked(whole);
        }
        assert_whole(&whole, &whole.outgoing());
    }
}
