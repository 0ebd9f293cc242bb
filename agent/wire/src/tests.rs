//! Golden text of what leaves the box.

use expect_test::{Expect, expect};
use serde_json::Value;

use super::*;
use crate::testing::{at, report, who};
use kerbside_domain::evidence::*;

use kerbside_domain::frame::{BBox, CameraIx};
use kerbside_domain::kind::Kind;
use kerbside_domain::patrol::*;
use kerbside_domain::reading::*;
use kerbside_domain::report::*;

use kerbside_domain::kind::Category;
use kerbside_site::geo::{AlsoCode, GridNames, Matter, NamedCategory};
use kerbside_site::place::{Method, Place};

pub(crate) fn place() -> Place {
    Place {
        lon_deg: 121.376_123_4,
        lat_deg: 31.112_456_7,
        accuracy_m: 2.83,
        method: Method::Homography,
        camera_point: (121.37608, 31.1124),
        gcj02: Some((121.3806, 31.1104)),
        address: None,
        unit_grid: Some("310112001002003".into()),
        candidates: vec![],
        grid_names: GridNames::default(),
    }
}

pub(crate) fn stall() -> Matter {
    Matter {
        scheme: "GB/T 47678.5-2026".into(),
        code: "09006".into(),
        code11: Some("31011209006".into()),
        name: "占道经营".into(),
        also: vec![AlsoCode { scheme: "GB/T 30428.2-2013".into(), code: "04-06".into() }],
        category: Some(NamedCategory {
            id: Category::StreetOrder,
            name: "街面秩序".into(),
            office: Some("城管执法".into()),
        }),
    }
}

/// The journal record that holds `body`, with a fixed head.
pub(crate) fn recorded(body: &str) -> Recorded<'_> {
    let [prev, hash] = [b"before".as_slice(), b"this"].map(kerbside_crypto::hash::Hash::of);
    Recorded { n: 5000, prev, hash, body }
}

fn contract_dir() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../edge-config/contract")
}

pub(crate) fn schemas() -> &'static kerbside_testkit::Contract {
    static READ: std::sync::OnceLock<kerbside_testkit::Contract> = std::sync::OnceLock::new();
    READ.get_or_init(|| kerbside_testkit::Contract::read(&contract_dir()).unwrap())
}

fn check(message: &Message, expected: Expect) {
    let outgoing = published(recorded(&message_body(message, &who(), 4217, at(186.3))), &who()).unwrap();
    let body: Value = serde_json::from_slice(&outgoing.body).expect("what is published is JSON");
    assert_eq!(body["data"]["journal"]["n"], 5000);
    schemas().check(&body).unwrap();
    let text = String::from_utf8(outgoing.body).unwrap();
    let (text, _) = text.split_once(",\"journal\":").unwrap();
    let expiry = outgoing.expiry_s.map(|s| format!(" expires {s}")).unwrap_or_default();
    let retain = if outgoing.retain { " retained" } else { "" };
    expected.assert_eq(&format!("{} qos {}{retain}{expiry}\n{text}\n", outgoing.topic, outgoing.qos));
}

#[test]
fn matter_opened() {
    let message = matter(&who(), &report("01JD7Z6T6V8Q0M5N3K2H1G9F8E", 1), Some(&place()), Some(&stall()));
    check(
        &message,
        expect![[r#"
            cg/v1/310112/mh-xz-017/matter/09006/opened qos 1
            {"specversion":"1.0","id":"01JD7Z6T6V8Q0M5N3K2H1G9F8E.0001","source":"urn:kerbside:310112:mh-xz-017","type":"kerbside.matter.opened.v1","subject":"310112/310112001002003/09006","time":"2026-11-21T08:34:11.120+08:00","recordedtime":"2026-11-21T08:34:11.420+08:00","datacontenttype":"application/json","sequence":"00000000000000004217","correlationid":"01JD7Z6T6V8Q0M5N3K2H1G9F8E","data":{"incident_id":"01JD7Z6T6V8Q0M5N3K2H1G9F8E","revision":1,"phase":"opened","state":"open","reported_because":"dwell","kind":"stall.occupying","matter":{"scheme":"GB/T 47678.5-2026","code":"09006","code11":"31011209006","name":"占道经营","also":[{"scheme":"GB/T 30428.2-2013","code":"04-06"}],"act":"in_progress"},"category":{"id":"street_order","name":"街面秩序"},"office":"城管执法","legal_status":"lead","confidence":0.91,"started":"2026-11-21T08:31:05.120+08:00","first_seen":"2026-11-21T08:31:05.120+08:00","last_seen":"2026-11-21T08:34:11.120+08:00","dwell_s":186.0,"count":2,"location":{"type":"Feature","geometry":{"type":"Point","coordinates":[121.3761234,31.1124567]},"properties":{"datum":"WGS84","accuracy_m":2.8,"method":"homography","camera_point":[121.37608,31.1124],"gcj02":[121.3806,31.1104]}},"grid":{"division":"310112","unit_grid":"310112001002003","scheme":"GB/T 47678.3","candidates":[]},"device":{"edge_id":"mh-xz-017","camera_id":"cam1","gb28181_id":"31011200001320000017"},"zone":{"id":"sidewalk-1","rule":"no-vending"},"objects":[{"track":17,"label":"stall","confidence":0.93,"bbox_norm":[0.31,0.52,0.12,0.2]}],"reasons":{"attended_share":0.8},"evidence":[{"id":"ev1","role":"trigger","media":"image/jpeg","bytes":186233,"sha256":"abababababababababababababababababababababababababababababababab","captured_at":"2026-11-21T08:34:11.120+08:00","state":"available","path":"2026-11-21/a.jpg"},{"role":"clip","state":"pending"}],"clock":{"source":"ntp","synced":true}
        "#]],
    );
}

#[test]
fn what_is_unknown_is_absent() {
    let bare = Report {
        act: None,
        objects: vec![],
        reasons: vec![],
        evidence: vec![],
        evidence_pending: vec![],
        phase: Phase::Cleared,
        state: IncidentState::Cleared,
        cause: Cause::Gone,
        ..report("01JD7Z6T6V8Q0M5N3K2H1G9F8E", 3)
    };
    check(
        &matter(&who(), &bare, None, None),
        expect![[r#"
            cg/v1/310112/mh-xz-017/matter/uncoded/cleared qos 1
            {"specversion":"1.0","id":"01JD7Z6T6V8Q0M5N3K2H1G9F8E.0003","source":"urn:kerbside:310112:mh-xz-017","type":"kerbside.matter.cleared.v1","subject":"310112/-/uncoded","time":"2026-11-21T08:34:11.120+08:00","recordedtime":"2026-11-21T08:34:11.420+08:00","datacontenttype":"application/json","sequence":"00000000000000004217","correlationid":"01JD7Z6T6V8Q0M5N3K2H1G9F8E","data":{"incident_id":"01JD7Z6T6V8Q0M5N3K2H1G9F8E","revision":3,"phase":"cleared","state":"cleared","reported_because":"gone","kind":"stall.occupying","legal_status":"lead","confidence":0.91,"started":"2026-11-21T08:31:05.120+08:00","first_seen":"2026-11-21T08:31:05.120+08:00","last_seen":"2026-11-21T08:34:11.120+08:00","dwell_s":186.0,"count":2,"grid":{"division":"310112","candidates":[]},"device":{"edge_id":"mh-xz-017","camera_id":"cam1","gb28181_id":"31011200001320000017"},"zone":{"id":"sidewalk-1","rule":"no-vending"},"objects":[],"evidence":[],"clock":{"source":"ntp","synced":true}
        "#]],
    );
}

/// An all-well report of a quarter of an hour.
fn patrolled(camera: CameraPatrol) -> PatrolReport {
    PatrolReport {
        from: at(0.0),
        to: at(900.0),
        period_s: 900.0,
        verdict: PatrolVerdict::AllWell,
        why: vec![],
        cameras: vec![camera],
        open: vec![],
        cleared: vec![],
        cleared_more: 0,
        sensors: vec![],
        commands: vec![],
    }
}

/// An incident that stood in the tenth minute of it.
fn listed(n: usize) -> PatrolIncident {
    PatrolIncident {
        id: format!("01JD7Z6T6V8Q0M5N3K2H1G9{n:03}"),
        kind: Kind::WasteExposed,
        camera: CameraIx(0),
        bbox: BBox { x: 0.3, y: 0.5, w: 0.1, h: 0.2 },
        zone: "sidewalk-1".into(),
        from: at(540.0),
        to: at(600.0),
    }
}

#[test]
fn a_patrol_that_is_in_doubt_names_every_reason() {
    let about_camera = |reason| Doubt { camera: Some(CameraIx(0)), ..Doubt::new(reason) };
    let covered = Doubt {
        detail: Some("covered".into()),
        seconds: Some(36.51),
        ..about_camera(DoubtReason::CameraBlind)
    };
    let silent = Doubt {
        sensor: Some("smoke-1".into()),
        seconds: Some(180.0),
        ..Doubt::new(DoubtReason::SensorSilent)
    };
    let (condition, sensor) = (SensorCondition::Silent, "smoke-1".into());
    let age_s = Some(180.0);
    let sensor =
        SensorPatrol { sensor, condition, value: Some(82.0), unit: "ppm".into(), age_s, alarm: true };
    let report = PatrolReport {
        verdict: PatrolVerdict::Degraded,
        why: vec![covered, about_camera(DoubtReason::FramesNotAnalysed), silent],
        open: vec![listed(1)],
        cleared: vec![listed(2)],
        cleared_more: 1,
        sensors: vec![sensor],
        commands: vec!["c-7".into()],
        ..patrolled(CameraPatrol::default())
    };
    check(
        &patrol(&who(), &report, &|_| Some("310112001002003".into()), 4216),
        expect![[r#"
        cg/v1/310112/mh-xz-017/patrol qos 1 retained expires 1800
        {"specversion":"1.0","id":"s00000000000000004217","source":"urn:kerbside:310112:mh-xz-017","type":"kerbside.patrol.report.v1","time":"2026-11-21T08:46:05.120+08:00","recordedtime":"2026-11-21T08:34:11.420+08:00","datacontenttype":"application/json","sequence":"00000000000000004217","data":{"verdict":"degraded","why":[{"reason":"camera_blind","camera_id":"cam1","detail":"covered","seconds":36.5},{"reason":"frames_not_analysed","camera_id":"cam1"},{"reason":"sensor_silent","sensor":"smoke-1","seconds":180.0}],"from":"2026-11-21T08:31:05.120+08:00","to":"2026-11-21T08:46:05.120+08:00","cameras":[{"camera_id":"cam1","watched_s":0.0,"blind_s":0.0,"moved_s":0.0,"off_s":0.0,"looks":0,"looks_due":0}],"sensors":[{"sensor":"smoke-1","condition":"silent","value":82.0,"unit":"ppm","age_s":180.0,"alarm":true}],"open":[{"id":"01JD7Z6T6V8Q0M5N3K2H1G9001","kind":"waste.exposed","camera_id":"cam1","zone":"sidewalk-1","grid":"310112001002003","from":"2026-11-21T08:40:05.120+08:00","to":"2026-11-21T08:41:05.120+08:00"}],"open_incidents":["01JD7Z6T6V8Q0M5N3K2H1G9001"],"cleared":[{"id":"01JD7Z6T6V8Q0M5N3K2H1G9002","kind":"waste.exposed","camera_id":"cam1","zone":"sidewalk-1","grid":"310112001002003","from":"2026-11-21T08:40:05.120+08:00","to":"2026-11-21T08:41:05.120+08:00"}],"cleared_more":1,"cleared_by_themselves":2,"commands":["c-7"],"last_sequence":4216,"clock":{"source":"ntp","synced":true}
    "#]],
    );
}

#[test]
fn a_patrol_report_stays_below_4_kib_and_counts_what_it_left_out() {
    let report = PatrolReport {
        open: (0..64).map(listed).collect(),
        cleared: (64..128).map(listed).collect(),
        cleared_more: 7,
        why: (0..40).map(|_| Doubt::new(DoubtReason::ClockUnvouched)).collect(),
        ..patrolled(CameraPatrol::default())
    };
    let message = patrol(&who(), &report, &|_| Some("310112001002003".into()), 4216);
    let outgoing = published(recorded(&message_body(&message, &who(), 4217, at(900.0))), &who()).unwrap();
    assert!(outgoing.body.len() <= crate::limits::PATROL, "{}", outgoing.body.len());
    let body: Value = serde_json::from_slice(&outgoing.body).unwrap();
    schemas().check(&body).unwrap();
    let count = |list: &str| body["data"][list].as_array().unwrap().len();
    assert_eq!((count("open"), body["data"]["open_more"].as_u64()), (4, Some(60)));
    assert_eq!((count("cleared"), body["data"]["cleared_more"].as_u64()), (4, Some(67)));
    assert_eq!((count("why"), body["data"]["why_more"].as_u64()), (8, Some(32)));
    assert_eq!(body["data"]["cleared_by_themselves"], 71);
}

/// With every number of incidents, also just below the bound: what MQTT 5 adds counts too.
#[test]
fn a_patrol_report_passes_a_broker_that_takes_4_kib_whatever_is_open() {
    let mut longest = 0;
    for open in 0..64 {
        for sensors in 0..8 {
            let sensor = |n: usize| SensorPatrol {
                sensor: format!("smoke-{n}").into(),
                condition: SensorCondition::Fresh,
                value: Some(82.0),
                unit: "ppm".into(),
                age_s: Some(1.0),
                alarm: false,
            };
            let report = PatrolReport {
                open: (0..open).map(listed).collect(),
                sensors: (0..sensors).map(sensor).collect(),
                ..patrolled(CameraPatrol::default())
            };
            let message = patrol(&who(), &report, &|_| Some("310112001002003".into()), 4216);
            let body = message_body(&message, &who(), 4217, at(900.0));
            let outgoing = published(recorded(&body), &who()).unwrap();
            longest = longest.max(outgoing.packet_len() - outgoing.topic.len());
        }
    }
    assert!((3600..=crate::limits::PATROL).contains(&longest), "{longest}");
}

#[test]
fn a_camera_says_what_it_can_see() {
    use kerbside_domain::camera_state::{Blind, CameraState, Off};
    check(
        &camera(&who(), CameraIx(0), CameraState::Off(Off::Unreachable), at(60.0)),
        expect![[r#"
        cg/v1/310112/mh-xz-017/camera/cam1 qos 1 retained
        {"specversion":"1.0","id":"s00000000000000004217","source":"urn:kerbside:310112:mh-xz-017","type":"kerbside.camera.state.v1","time":"2026-11-21T08:32:05.120+08:00","recordedtime":"2026-11-21T08:34:11.420+08:00","datacontenttype":"application/json","sequence":"00000000000000004217","data":{"camera_id":"cam1","gb28181_id":"31011200001320000017","state":"off","why":"unreachable","since":"2026-11-21T08:32:05.120+08:00","cure":{"en":"check power, cable, address and port of the camera","zh":"检查摄像机的供电、网线、地址和端口"},"clock":{"source":"ntp","synced":true}
    "#]],
    );
    for state in [CameraState::Watching, CameraState::Blind(Blind::Covered)] {
        let envelope = camera(&who(), CameraIx(0), state, at(60.0)).envelope(&who(), None);
        let value: Value = serde_json::from_str(&envelope).unwrap();
        schemas().check(&value).unwrap();
        assert_eq!(value["data"]["why"].as_str(), state.words().1);
        assert!(value["data"].get("cure").is_none());
    }
}

fn reading() -> Reading {
    Reading {
        sensor: "bin-1".into(),
        phenomenon: at(0.0),
        arrived: at(0.5),
        value: 86.5,
        unit: "%".into(),
        suspicious: None,
    }
}

#[test]
fn the_others() {
    let camera =
        CameraPatrol { watched_s: 880.0, off_s: 20.0, frames: 4300, frames_due: 4500, ..Default::default() };
    let round = patrolled(camera);
    check(
        &patrol(&who(), &round, &|_| Some("310112001002003".into()), 4216),
        expect![[r#"
            cg/v1/310112/mh-xz-017/patrol qos 1 retained expires 1800
            {"specversion":"1.0","id":"s00000000000000004217","source":"urn:kerbside:310112:mh-xz-017","type":"kerbside.patrol.report.v1","time":"2026-11-21T08:46:05.120+08:00","recordedtime":"2026-11-21T08:34:11.420+08:00","datacontenttype":"application/json","sequence":"00000000000000004217","data":{"verdict":"all_well","why":[],"from":"2026-11-21T08:31:05.120+08:00","to":"2026-11-21T08:46:05.120+08:00","cameras":[{"camera_id":"cam1","watched_s":880.0,"blind_s":0.0,"moved_s":0.0,"off_s":20.0,"looks":4300,"looks_due":4500}],"sensors":[],"open":[],"open_incidents":[],"cleared":[],"cleared_by_themselves":0,"last_sequence":4216,"clock":{"source":"ntp","synced":true}
        "#]],
    );
    check(
        &state(&who(), Presence::Online, 3_000_001, Some(4216), None, at(0.0)),
        expect![[r#"
        cg/v1/310112/mh-xz-017/state qos 1 retained
        {"specversion":"1.0","id":"state.3000001.online","source":"urn:kerbside:310112:mh-xz-017","type":"kerbside.device.state.v1","time":"2026-11-21T08:31:05.120+08:00","recordedtime":"2026-11-21T08:34:11.420+08:00","datacontenttype":"application/json","sequence":"00000000000000004217","data":{"state":"online","session":3000001,"edge_id":"mh-xz-017","version":"0.1.0","last_sequence":4216,"clock":{"source":"ntp","synced":true}
    "#]],
    );
    let reading = reading();
    check(
        &observation(&who(), &reading),
        expect![[r#"
        cg/v1/310112/mh-xz-017/obs/bin-1 qos 0 expires 3600
        {"specversion":"1.0","id":"s00000000000000004217","source":"urn:kerbside:310112:mh-xz-017","type":"kerbside.sensor.observation.v1","time":"2026-11-21T08:31:05.620+08:00","recordedtime":"2026-11-21T08:34:11.420+08:00","datacontenttype":"application/json","sequence":"00000000000000004217","data":{"sensor":"bin-1","phenomenonTime":"2026-11-21T08:31:05.120+08:00","resultTime":"2026-11-21T08:31:05.620+08:00","result":86.5,"unitOfMeasurement":"%"
    "#]],
    );
    check(
        &alarm(&who(), &reading, true),
        expect![[r#"
        cg/v1/310112/mh-xz-017/obs/bin-1 qos 1
        {"specversion":"1.0","id":"s00000000000000004217","source":"urn:kerbside:310112:mh-xz-017","type":"kerbside.sensor.alarm.v1","time":"2026-11-21T08:31:05.620+08:00","recordedtime":"2026-11-21T08:34:11.420+08:00","datacontenttype":"application/json","sequence":"00000000000000004217","data":{"sensor":"bin-1","phenomenonTime":"2026-11-21T08:31:05.120+08:00","resultTime":"2026-11-21T08:31:05.620+08:00","result":86.5,"unitOfMeasurement":"%","active":true
    "#]],
    );
    let at_last = SensorCondition::Silent;
    check(
        &sensor_condition(&who(), "bin-1", at_last, Some(&reading), at(700.0)),
        expect![[r#"
        cg/v1/310112/mh-xz-017/obs/bin-1 qos 1
        {"specversion":"1.0","id":"s00000000000000004217","source":"urn:kerbside:310112:mh-xz-017","type":"kerbside.sensor.alarm.v1","time":"2026-11-21T08:42:45.120+08:00","recordedtime":"2026-11-21T08:34:11.420+08:00","datacontenttype":"application/json","sequence":"00000000000000004217","data":{"sensor":"bin-1","condition":"silent","active":false,"phenomenonTime":"2026-11-21T08:31:05.120+08:00","resultTime":"2026-11-21T08:31:05.620+08:00","result":86.5,"unitOfMeasurement":"%"
    "#]],
    );
    check(
        &sensor_condition(&who(), "bin-2", at_last, None, at(700.0)),
        expect![[r#"
        cg/v1/310112/mh-xz-017/obs/bin-2 qos 1
        {"specversion":"1.0","id":"s00000000000000004217","source":"urn:kerbside:310112:mh-xz-017","type":"kerbside.sensor.alarm.v1","time":"2026-11-21T08:42:45.120+08:00","recordedtime":"2026-11-21T08:34:11.420+08:00","datacontenttype":"application/json","sequence":"00000000000000004217","data":{"sensor":"bin-2","condition":"silent","active":false
    "#]],
    );
    check(
        &evidence_failed("ev1", "01JD", "clip degraded to snapshot: queue full", at(0.0)),
        expect![[r#"
        cg/v1/310112/mh-xz-017/evidence/ev1/ready qos 1
        {"specversion":"1.0","id":"s00000000000000004217","source":"urn:kerbside:310112:mh-xz-017","type":"kerbside.evidence.failed.v1","time":"2026-11-21T08:31:05.120+08:00","recordedtime":"2026-11-21T08:34:11.420+08:00","datacontenttype":"application/json","sequence":"00000000000000004217","correlationid":"01JD","data":{"id":"ev1","incident_id":"01JD","reason":"clip degraded to snapshot: queue full"
    "#]],
    );
    check(
        &reply("c1", "restart", ReplyResult::Refused, Some("expired"), Value::Null, at(0.0)),
        expect![[r#"
        cg/v1/310112/mh-xz-017/reply qos 1 expires 86400
        {"specversion":"1.0","id":"s00000000000000004217","source":"urn:kerbside:310112:mh-xz-017","type":"kerbside.command.reply.v1","time":"2026-11-21T08:31:05.120+08:00","recordedtime":"2026-11-21T08:34:11.420+08:00","datacontenttype":"application/json","sequence":"00000000000000004217","correlationid":"c1","data":{"command_id":"c1","reason":"expired","result":"refused","verb":"restart"
    "#]],
    );
}

#[test]
fn a_recheck_says_what_was_found_and_closes_nothing() {
    let found = Recheck {
        result: RecheckResult::Unobservable,
        why: "hidden".into(),
        frames: 0,
        commands: vec!["01JD8".into()],
    };
    let again = Report {
        phase: Phase::Recheck,
        cause: Cause::Recheck,
        recheck: Some(found),
        objects: vec![],
        evidence: vec![],
        evidence_pending: vec![EvidenceRole::After],
        ..report("01JD7Z6T6V8Q0M5N3K2H1G9F8E", 4)
    };
    check(
        &matter(&who(), &again, None, None),
        expect![[r#"
            cg/v1/310112/mh-xz-017/matter/uncoded/recheck qos 1
            {"specversion":"1.0","id":"01JD7Z6T6V8Q0M5N3K2H1G9F8E.0004","source":"urn:kerbside:310112:mh-xz-017","type":"kerbside.matter.recheck.v1","subject":"310112/-/uncoded","time":"2026-11-21T08:34:11.120+08:00","recordedtime":"2026-11-21T08:34:11.420+08:00","datacontenttype":"application/json","sequence":"00000000000000004217","correlationid":"01JD7Z6T6V8Q0M5N3K2H1G9F8E","data":{"incident_id":"01JD7Z6T6V8Q0M5N3K2H1G9F8E","revision":4,"phase":"recheck","state":"open","reported_because":"recheck","kind":"stall.occupying","legal_status":"lead","confidence":0.91,"started":"2026-11-21T08:31:05.120+08:00","first_seen":"2026-11-21T08:31:05.120+08:00","last_seen":"2026-11-21T08:34:11.120+08:00","dwell_s":186.0,"count":2,"grid":{"division":"310112","candidates":[]},"device":{"edge_id":"mh-xz-017","camera_id":"cam1","gb28181_id":"31011200001320000017"},"zone":{"id":"sidewalk-1","rule":"no-vending"},"objects":[],"reasons":{"attended_share":0.8},"evidence":[{"role":"after","state":"pending"}],"clock":{"source":"ntp","synced":true},"recheck":{"result":"unobservable","why":"hidden","looks":0,"commands":["01JD8"],"bbox_norm":[0.31,0.52,0.12,0.2]}
        "#]],
    );
}

#[test]
fn evidence_and_checkpoints() {
    let items = report("I", 1).evidence;
    check(
        &evidence_manifest(&who(), "i-r1", ManifestSubject::Incident("I"), 1, &items, at(0.0)),
        expect![[r#"
        cg/v1/310112/mh-xz-017/evidence/i-r1/manifest qos 1
        {"specversion":"1.0","id":"s00000000000000004217","source":"urn:kerbside:310112:mh-xz-017","type":"kerbside.evidence.manifest.v1","time":"2026-11-21T08:31:05.120+08:00","recordedtime":"2026-11-21T08:34:11.420+08:00","datacontenttype":"application/json","sequence":"00000000000000004217","correlationid":"I","data":{"incident_id":"I","revision":1,"files":[{"id":"ev1","role":"trigger","media":"image/jpeg","path":"2026-11-21/a.jpg","bytes":186233,"sha256":"abababababababababababababababababababababababababababababababab","captured_at":"2026-11-21T08:34:11.120+08:00"}]
    "#]],
    );
    check(
        &evidence_manifest(&who(), "cmd-c1-cam1", ManifestSubject::Command("c1"), 1, &items, at(0.0)),
        expect![[r#"
            cg/v1/310112/mh-xz-017/evidence/cmd-c1-cam1/manifest qos 1
            {"specversion":"1.0","id":"s00000000000000004217","source":"urn:kerbside:310112:mh-xz-017","type":"kerbside.evidence.manifest.v1","time":"2026-11-21T08:31:05.120+08:00","recordedtime":"2026-11-21T08:34:11.420+08:00","datacontenttype":"application/json","sequence":"00000000000000004217","correlationid":"c1","data":{"command_id":"c1","revision":1,"files":[{"id":"ev1","role":"trigger","media":"image/jpeg","path":"2026-11-21/a.jpg","bytes":186233,"sha256":"abababababababababababababababababababababababababababababababab","captured_at":"2026-11-21T08:34:11.120+08:00"}]
        "#]],
    );
    let grant = grant::Grant {
        until: None,
        id: "g1".into(),
        path: "2026-11-21/01JINCIDENT/r1-clip.mp4".into(),
        sha256: "ab".repeat(32),
        expires_at_ms: 0,
        issued_at_ms: 0,
        url: "https://centre.example/ev1?X-Signature=secret".into(),
        offset: 0,
        headers: std::collections::BTreeMap::new(),
        resumable: false,
        unmasked: false,
        own: false,
    };
    check(
        &evidence_ready(&grant, 186_233, at(0.0)),
        expect![[r#"
        cg/v1/310112/mh-xz-017/evidence/01jincident/ready qos 1
        {"specversion":"1.0","id":"s00000000000000004217","source":"urn:kerbside:310112:mh-xz-017","type":"kerbside.evidence.ready.v1","time":"2026-11-21T08:31:05.120+08:00","recordedtime":"2026-11-21T08:34:11.420+08:00","datacontenttype":"application/json","sequence":"00000000000000004217","correlationid":"01JINCIDENT","data":{"id":"r1-clip","incident_id":"01JINCIDENT","grant_id":"g1","path":"2026-11-21/01JINCIDENT/r1-clip.mp4","uri":"https://centre.example/ev1","sha256":"abababababababababababababababababababababababababababababababab","bytes":186233
    "#]],
    );
    check(
        &evidence_not_sent(&grant, "the server answers 403 Forbidden", at(0.0)),
        expect![[r#"
        cg/v1/310112/mh-xz-017/evidence/01jincident/ready qos 1
        {"specversion":"1.0","id":"s00000000000000004217","source":"urn:kerbside:310112:mh-xz-017","type":"kerbside.evidence.failed.v1","time":"2026-11-21T08:31:05.120+08:00","recordedtime":"2026-11-21T08:34:11.420+08:00","datacontenttype":"application/json","sequence":"00000000000000004217","correlationid":"01JINCIDENT","data":{"id":"r1-clip","incident_id":"01JINCIDENT","grant_id":"g1","path":"2026-11-21/01JINCIDENT/r1-clip.mp4","sha256":"abababababababababababababababababababababababababababababababab","reason":"the server answers 403 Forbidden"
    "#]],
    );
    check(
        &evidence_damaged("2026-11-21/01JINCIDENT/r1-clip.mp4", "its SHA-256 is another", at(0.0)),
        expect![[r#"
            cg/v1/310112/mh-xz-017/evidence/01jincident/ready qos 1
            {"specversion":"1.0","id":"s00000000000000004217","source":"urn:kerbside:310112:mh-xz-017","type":"kerbside.evidence.failed.v1","time":"2026-11-21T08:31:05.120+08:00","recordedtime":"2026-11-21T08:34:11.420+08:00","datacontenttype":"application/json","sequence":"00000000000000004217","correlationid":"01JINCIDENT","data":{"id":"r1-clip","incident_id":"01JINCIDENT","path":"2026-11-21/01JINCIDENT/r1-clip.mp4","reason":"its SHA-256 is another"
        "#]],
    );
    let hash = kerbside_crypto::hash::Hash::of(b"4217");
    let chain = checkpoint::Chain {
        number: 3,
        previous: Some(kerbside_crypto::hash::Hash::of(b"2")),
        first_n: 4000,
        first_prev: kerbside_crypto::hash::Hash::of(b"3999"),
        next_key: Some(kerbside_crypto::testing::key().public()),
        stopped: true,
    };
    check(
        &checkpoint(&who(), &kerbside_crypto::testing::key(), (4217, hash), chain, at(0.0)),
        expect![[r#"
            cg/v1/310112/mh-xz-017/audit qos 1
            {"specversion":"1.0","id":"s00000000000000004217","source":"urn:kerbside:310112:mh-xz-017","type":"kerbside.audit.checkpoint.v1","time":"2026-11-21T08:31:05.120+08:00","recordedtime":"2026-11-21T08:34:11.420+08:00","datacontenttype":"application/json","sequence":"00000000000000004217","data":{"chain":{"first_n":4000,"first_prev":"sha256:f7bb120e80490b714177ebaeff95174a418361c9755298461be85ae2367a6edc","next_key":"ed25519:d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a","number":3,"previous":"sha256:d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35","signature":"998ee4be15037858c24d3b8b59ca7083d4a6a7e3d4a18fa80d560848797ad89217274ac60a3353dade8b2ec59a5aadddb953c7ed5e2c256bfae9747dcf4cb701","stopped":true},"hash":"sha256:7ec7bbd3677bee60f1e0c58b2967299b9985afad73acfde38966d76f30cc4f88","key":"ed25519:d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a","n":4217,"signature":"1224e961cf69544bc72d03ebfe816242833d31c6f0903ac446c1446a935442838dd5fdb180bad7d87836d6e2d27d4172fa123b199ac6be31ce9c46d4d8883b0b"
        "#]],
    );
    let place = kerbside_domain::position::Position {
        lon_deg: 121.37608,
        lat_deg: 31.1124,
        accuracy_m: 2.5,
        source: kerbside_domain::position::PositionSource::GnssMean,
        frozen: true,
        at: at(0.0),
        suspicious: None,
    };
    check(
        &position(&place, at(0.0)),
        expect![[r#"
        cg/v1/310112/mh-xz-017/position qos 1 retained
        {"specversion":"1.0","id":"s00000000000000004217","source":"urn:kerbside:310112:mh-xz-017","type":"kerbside.device.position.v1","time":"2026-11-21T08:31:05.120+08:00","recordedtime":"2026-11-21T08:34:11.420+08:00","datacontenttype":"application/json","sequence":"00000000000000004217","data":{"lon_deg":121.37608,"lat_deg":31.1124,"accuracy_m":2.5,"source":"gnss_mean","frozen":true
    "#]],
    );
    let values = serde_json::json!({"cameras": {"cam1": {"state": "blind", "reason": "moved"}, "cam2": null}, "open_incidents": 1, "outbox": [0, 1, 2, 3]});
    check(
        &health(values.as_object().unwrap(), at(0.0)),
        expect![[r#"
        cg/v1/310112/mh-xz-017/health qos 0 expires 300
        {"specversion":"1.0","id":"s00000000000000004217","source":"urn:kerbside:310112:mh-xz-017","type":"kerbside.device.health.v1","time":"2026-11-21T08:31:05.120+08:00","recordedtime":"2026-11-21T08:34:11.420+08:00","datacontenttype":"application/json","sequence":"00000000000000004217","data":{"cameras":{"cam1":{"reason":"moved","state":"blind"},"cam2":null},"clock":{"source":"ntp","synced":true},"open_incidents":1,"outbox":[0,1,2,3]
    "#]],
    );
}

/// Two incidents at 08:34, one of them false, and a patrol from 08:31 to 09:31.
#[test]
fn statistics_count_in_the_hour_of_the_report_whatever_comes_when() {
    let mut account =
        statistics::Statistics::new(at(0.0).wall_ms - 31 * 60_000 - 5_120, at(86_400.0).wall_ms);
    let patrol_report = PatrolReport {
        to: at(3600.0),
        verdict: PatrolVerdict::OpenMatters,
        ..patrolled(CameraPatrol { watched_s: 3000.0, ..Default::default() })
    };
    let ordered = PatrolReport { commands: vec!["c-1".into()], ..patrol_report.clone() };
    let settled = Report {
        phase: Phase::Settled,
        state: IncidentState::Settled,
        cause: Cause::Gone,
        ..report("01D", 1)
    };
    let said: [Message; 6] = [
        matter(&who(), &settled, None, None).into(),
        patrol(&who(), &ordered, &|_| None, 2),
        matter(&who(), &report("01A", 1), None, None).into(),
        matter(&who(), &report("01B", 1), None, None).into(),
        matter(&who(), &report("01B", 2), None, None).into(),
        patrol(&who(), &patrol_report, &|_| None, 3),
    ];
    said.iter().for_each(|message| account.message(&message.envelope(&who(), None)));
    let receipt = |id: &str, result| kerbside_domain::case::Receipt {
        id: id.into(),
        result,
        case_no: None,
        due_at: None,
        reason: None,
        signed_by: None,
    };
    use kerbside_domain::case::{CaseState, CaseUpdate, ReceiptResult};
    let case = |id: &str, state, reason: Option<&str>| CaseUpdate {
        incident_id: id.into(),
        case_no: None,
        state,
        reason: reason.map(str::to_owned),
        signed_by: None,
    };
    for id in ["01A.0001", "01B.0001", "01B.0002", "01C.0001"] {
        account.receipt(&receipt(id, ReceiptResult::Accepted));
        account.receipt(&receipt(id, ReceiptResult::Duplicate));
    }
    for update in [
        case("01A", CaseState::Filed, None),
        case("01A", CaseState::Closed, None),
        case("01A", CaseState::Reopened, None),
        case("01B", CaseState::Voided, Some("误报")),
        case("01C", CaseState::Closed, None),
    ] {
        account.case(&update);
    }
    check(
        &statistics::statistics(&who(), &account, true, at(86_400.0)),
        expect![[r#"
            cg/v1/310112/mh-xz-017/statistics qos 1 retained
            {"specversion":"1.0","id":"s00000000000000004217","source":"urn:kerbside:310112:mh-xz-017","type":"kerbside.device.statistics.v1","time":"2026-11-22T08:31:05.120+08:00","recordedtime":"2026-11-21T08:34:11.420+08:00","datacontenttype":"application/json","sequence":"00000000000000004217","data":{"from":"2026-11-21T08:00:00.000+08:00","to":"2026-11-22T08:31:05.120+08:00","complete":true,"columns":["hour","reported","accepted","filed","closed","rejected_false","settled"],"rules":[{"camera_id":"cam1","zone":"sidewalk-1","rule":"no-vending","total":[3,2,1,0,1,1],"rows":[[0,3,2,1,0,1,1]]}],"watched":[{"camera_id":"cam1","total_s":3000.0,"by_hour_s":[1445.7,1554.3,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0]}],"clock":{"source":"ntp","synced":true}
        "#]],
    );
}

#[test]
fn the_last_will_keeps_the_contract_too() {
    let will = state(&who(), Presence::Lost, 3, None, None, at(0.0)).envelope(&who(), None);
    schemas().check(&serde_json::from_str(&will).unwrap()).unwrap();
}

#[test]
fn what_comes_down_has_schemas_that_know_right_from_wrong() {
    let contract = schemas();
    let right = |text: &str| contract.check(&serde_json::from_str(text).unwrap());
    right(r#"{"specversion":"1.0","type":"kerbside.receipt.v1","id":"x","data":{"id":"01J.0001","result":"accepted","case_no":"2026-7","more":1}}"#).unwrap();
    right(r#"{"specversion":"1.0","type":"kerbside.case.state.v1","data":{"incident_id":"01J","state":"shelved_by_moonlight"}}"#).unwrap();
    right(r#"{"specversion":"1.0","type":"kerbside.receipt.v1","data":{"id":"","result":"accepted"}}"#)
        .unwrap_err();
    right(r#"{"specversion":"1.0","type":"kerbside.nonsense.v1","data":{}}"#).unwrap_err();
    use crate::testing::command::{data, sealed};
    use crate::testing::grant;
    let span = serde_json::json!({"camera_id": "cam1", "from": "2026-11-21T08:30:50+08:00", "to": "2026-11-21T08:31:00+08:00"});
    for (verb, args) in [
        ("resend", serde_json::json!({"from": 3, "to": 9})),
        ("log.pull", serde_json::json!({"last": 20, "kinds": ["refused"]})),
        ("recheck", serde_json::json!({"incident_id": "I"})),
        ("snapshot", Value::Null),
        ("clip", span),
        ("detector.pause", serde_json::json!({"for_s": 600})),
        ("patrol", serde_json::json!({})),
        ("restart", serde_json::json!({})),
        ("statistics", Value::Null),
        ("statistics", serde_json::json!({"from": "2026-11-21T00:00:00+08:00"})),
    ] {
        right(&sealed(&data("c1", verb, args))).unwrap();
        right(&sealed(&data("c1", verb, serde_json::json!({"nonsense": 1})))).unwrap_err();
    }
    right(&sealed(&data("c1", "shell", Value::Null))).unwrap_err();
    right(&grant::sealed(&grant::data("g1"))).unwrap();
    right(&grant::sealed(&serde_json::json!({"id": "g1"}))).unwrap_err();
    let mut by_mqtt = grant::data("g1");
    by_mqtt["method"] = "MQTT".into();
    right(&grant::sealed(&by_mqtt)).unwrap_err();
    by_mqtt.as_object_mut().unwrap().remove("url");
    right(&grant::sealed(&by_mqtt)).unwrap();
    by_mqtt.as_object_mut().unwrap().remove("method");
    right(&grant::sealed(&by_mqtt)).unwrap_err();
    let unsigned = sealed(&data("c1", "restart", Value::Null)).replace("\"signature\"", "\"s\"");
    right(&unsigned).unwrap_err();
}

/// Whoever writes a consumer begins with an example.
#[test]
fn every_schema_has_an_example_that_is_right() {
    let mut examples = 0;
    for entry in std::fs::read_dir(contract_dir()).unwrap() {
        let path = entry.unwrap().path();
        let schema: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let Some(types) = schema.pointer("/properties/type/enum").and_then(Value::as_array) else { continue };
        let of_schema = schema["examples"].as_array().unwrap_or_else(|| panic!("{}", path.display()));
        assert!(!of_schema.is_empty(), "{}", path.display());
        for example in of_schema {
            assert!(types.contains(&example["type"]), "{}: {}", path.display(), example["type"]);
            schemas().check(example).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
            examples += 1;
        }
    }
    assert!(examples >= schemas().types().count() - 4, "{examples}");
}

/// The AsyncAPI document names every schema, and every topic that the box hears.
#[test]
fn asyncapi_and_schemas_agree() {
    let text = std::fs::read_to_string(contract_dir().join("asyncapi.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["asyncapi"], "3.1.0");
    let mut types: Vec<String> = Vec::new();
    for (name, message) in document["components"]["messages"].as_object().unwrap() {
        let file = message.pointer("/payload/schema/$ref").and_then(Value::as_str);
        let file = file.unwrap_or_else(|| panic!("{name} has no schema"));
        let schema = std::fs::read(contract_dir().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
        let schema: Value = serde_json::from_slice(&schema).unwrap();
        let of_file = schema["properties"]["type"]["enum"].as_array().unwrap();
        types.extend(of_file.iter().map(|t| t.as_str().unwrap().to_owned()));
    }
    types.sort();
    assert_eq!(types, schemas().types().collect::<Vec<_>>());
    for operation in document["operations"].as_object().unwrap().values() {
        let channel = operation.pointer("/channel/$ref").and_then(Value::as_str).unwrap();
        assert!(document.pointer(channel.trim_start_matches('#')).is_some(), "{channel}");
    }
    let addresses: Vec<String> = document["channels"]
        .as_object()
        .unwrap()
        .values()
        .map(|c| {
            c["address"].as_str().unwrap().replace("{division}", "310112").replace("{edge_id}", "mh-xz-017")
        })
        .collect();
    for filter in topic::subscriptions("310112", "mh-xz-017") {
        let filter = filter.replace('+', "{verb}");
        assert!(addresses.contains(&filter), "{filter} in {addresses:?}");
    }
}

/// A centre that receipts what has a `reply` in AsyncAPI is sent nothing twice.
#[test]
fn asyncapi_says_which_messages_want_a_receipt() {
    let text = std::fs::read_to_string(contract_dir().join("asyncapi.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let mut said = std::collections::BTreeMap::new();
    for operation in document["operations"].as_object().unwrap().values().filter(|o| o["action"] == "send") {
        let to = operation.pointer("/reply/channel/$ref").and_then(Value::as_str);
        assert!(to.is_none_or(|channel| channel == "#/channels/receipt"), "{operation}");
        for message in operation["messages"].as_array().unwrap() {
            let name = message["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
            said.insert(name.to_owned(), to.is_some());
        }
    }
    let reading = reading();
    let account = statistics::Statistics::new(at(0.0).wall_ms, at(60.0).wall_ms);
    let round = patrolled(CameraPatrol::default());
    let messages: [Message; 9] = [
        matter(&who(), &report("01A", 1), None, None).into(),
        patrol(&who(), &round, &|_| None, 1),
        camera(&who(), CameraIx(0), kerbside_domain::camera_state::CameraState::Watching, at(0.0)),
        state(&who(), Presence::Online, 1, None, None, at(0.0)),
        health(&serde_json::Map::new(), at(0.0)),
        observation(&who(), &reading),
        alarm(&who(), &reading, true),
        reply("c1", "patrol", ReplyResult::Done, None, Value::Null, at(0.0)),
        statistics::statistics(&who(), &account, true, at(60.0)),
    ];
    for message in &messages {
        let wants = awaits_receipt(message.priority, message.qos, message.conflation_key.is_some());
        let name = message.kind.trim_end_matches(".v1");
        let name = if name.starts_with("matter.") { "matter" } else { name };
        assert_eq!(said.remove(name), Some(wants), "{name}");
    }
    // Evidence and where the box is: nothing of it is repeated for want of a receipt.
    assert!(!awaits_receipt(Priority::Evidence, 1, false));
    assert!(said.values().all(|wants| !wants), "{said:?}");
}

#[test]
fn what_is_published_is_a_function_of_the_record() {
    let message = matter(&who(), &report("01JD7Z6T6V8Q0M5N3K2H1G9F8E", 1), None, Some(&stall()));
    let body = message_body(&message, &who(), 4217, at(186.3));
    assert_eq!(published(recorded(&body), &who()), published(recorded(&body), &who()));
    let (head, envelope) = parse_message(&body).unwrap();
    assert_eq!(
        (head.seq, head.priority, head.id.as_str()),
        (4217, Priority::Incident, "01JD7Z6T6V8Q0M5N3K2H1G9F8E.0001")
    );
    assert!(serde_json::from_str::<Value>(envelope).is_ok());
}

/// Of a smoke detector that no camera sees.
fn of_sensor(id: &str) -> Report {
    let witness =
        kerbside_domain::report::SensorWitness { id: "smoke-1".into(), value: 82.0, unit: "ppm".into() };
    let (zone, rule) = (String::new(), String::new());
    let (camera, sensor) = (kerbside_domain::frame::CameraIx::NONE, Some(witness));
    Report {
        kind: Kind::FireSmoke,
        act: None,
        cause: Cause::Sensor,
        camera,
        zone,
        rule,
        sensor,
        ..report(id, 1)
    }
}

#[test]
fn what_a_sensor_alone_reports_is_counted_by_sensor_and_what_nobody_vouches_for_as_omitted() {
    let mut account = statistics::Statistics::new(at(0.0).wall_ms, at(86_400.0).wall_ms);
    let nobody = Report { sensor: None, ..of_sensor("01C") };
    let seen = Report { camera: CameraIx(0), ..of_sensor("01B") };
    for report in [of_sensor("01A"), seen, nobody, report("01D", 1)] {
        let message = matter(&who(), &report, None, None);
        account.message(&message.envelope(&who(), None));
    }
    let message = statistics::statistics(&who(), &account, true, at(86_400.0));
    let event: Value = serde_json::from_str(&message.envelope(&who(), None)).unwrap();
    schemas().check(&event).unwrap();
    let data = &event["data"];
    let counts = serde_json::json!({"sensor": "smoke-1", "kind": "fire.smoke",
        "total": [2, 0, 0, 0, 0, 0], "rows": [[0, 2, 0, 0, 0, 0, 0]]});
    assert_eq!((&data["sensors"], &data["omitted"]), (&serde_json::json!([counts]), &1.into()));
    assert_eq!(data["rules"].as_array().map(Vec::len), Some(1));
}

#[test]
fn what_a_sensor_reports_names_it_and_neither_camera_nor_zone_where_there_is_none() {
    let witness =
        kerbside_domain::report::SensorWitness { id: "help-1".into(), value: 1.0, unit: "1".into() };
    let report = Report {
        kind: kerbside_domain::kind::Kind::CallHelp,
        act: None,
        cause: Cause::Pressed,
        count: 3,
        camera: kerbside_domain::frame::CameraIx::NONE,
        zone: String::new(),
        rule: String::new(),
        objects: Vec::new(),
        reasons: Vec::new(),
        evidence: Vec::new(),
        evidence_pending: Vec::new(),
        sensor: Some(witness),
        ..crate::testing::report("01JD7Z6T6V8Q0M5N3K2H1G9F8E", 3)
    };
    let message = matter(&who(), &report, None, None);
    let outgoing = published(recorded(&message_body(&message, &who(), 4217, at(186.3))), &who()).unwrap();
    assert_eq!(outgoing.topic, "cg/v1/310112/mh-xz-017/matter/uncoded/updated");
    let body: Value = serde_json::from_slice(&outgoing.body).unwrap();
    schemas().check(&body).unwrap();
    let data = &body["data"];
    let sensor = serde_json::json!({"id": "help-1", "result": 1.0, "unitOfMeasurement": "1"});
    assert_eq!(
        (&data["sensor"], &data["count"], &data["reported_because"]),
        (&sensor, &3.into(), &"pressed".into())
    );
    assert!(
        data["zone"].is_null() && data["device"]["camera_id"].is_null() && data["matter"].is_null(),
        "{data}"
    );
}
