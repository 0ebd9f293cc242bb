//! A box without cameras that writes as hard as it can: reports, receipts, incidents, in the mix of a busy street.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, Result};
use kerbside_crypto::sign::CentreKey;
use kerbside_crypto::sign::SigningKey;
use kerbside_domain::detection::Group;
use kerbside_domain::detection::ReportObject;
use kerbside_domain::frame::{BBox, CameraIx};
use kerbside_domain::kind::{Act, Kind};
use kerbside_domain::report::{Cause, IncidentState, Phase, Report};
use kerbside_domain::time::{Clock, ClockQuality, Moment, SystemClock, rfc3339};
use kerbside_trace::delivery::{DeliverySettings, Item, Ledger, Recovery, SavedIncident};
use kerbside_wire::{self as wire, CameraName, Identity};
use serde_json::json;

use super::promise::{Ack, Promise};

/// Small, so that rounds of seconds cross the borders of segments.
const SEGMENT_BYTES: u64 = 128 << 10;

pub fn identity() -> Identity {
    Identity {
        division: "310112".into(),
        edge_id: "fault-box".into(),
        utc_offset_s: 8 * 3600,
        cameras: vec![CameraName { id: "cam1".into(), ..CameraName::default() }],
        version: env!("CARGO_PKG_VERSION").into(),
        ..Identity::default()
    }
}

/// A clock that is known to be right: expiry and commands are judged by it.
pub fn clock() -> Arc<dyn Clock> {
    let clock = SystemClock::new();
    clock.set_quality(ClockQuality::Ntp);
    Arc::new(clock)
}

pub fn settings(dir: &Path) -> DeliverySettings {
    DeliverySettings { segment_bytes: SEGMENT_BYTES, keys: keys(), ..DeliverySettings::new(dir, true) }
}

pub fn open(dir: &Path) -> Result<(Ledger, Recovery)> {
    Ok(Ledger::open(settings(dir), identity(), clock())?)
}

/// Revision 1 of an incident: about what a stall is reported with.
pub fn report(incident: &str, at: Moment) -> Report {
    let bbox = BBox { x: 0.31, y: 0.52, w: 0.12, h: 0.2 };
    Report {
        incident_id: incident.into(),
        revision: 1,
        phase: Phase::Opened,
        cause: Cause::Dwell,
        state: IncidentState::Open,
        kind: Kind::StallOccupying,
        act: Some(Act::InProgress),
        confidence: 0.91,
        at,
        first_seen: at,
        started: at,
        last_seen: at,
        dwell_s: 186.0,
        count: 2,
        camera: CameraIx(0),
        zone: "sidewalk-1".into(),
        rule: "no-vending".into(),
        bbox,
        objects: vec![ReportObject {
            track: Some(17),
            label: "stall".into(),
            group: Group::Stall,
            confidence: 0.93,
            bbox,
        }],
        reasons: Vec::new(),
        evidence: Vec::new(),
        evidence_pending: Vec::new(),
        sensor: None,
        previous: None,
        recheck: None,
    }
}

/// The message that says so, as it is committed; its CloudEvents id is `incident.0001`.
pub fn message(who: &Identity, incident: &str, at: Moment) -> Item {
    Item::Message(Box::new(wire::matter(who, &report(incident, at), None, None).into()))
}

/// What the centre answers, signed: it counts whatever the broker has.
pub fn receipt(id: &str) -> Vec<u8> {
    let data = json!({"id": id, "result": "accepted", "case_no": "2026-1", "target": identity().source()});
    let text = data.to_string();
    wire::signed::envelope(wire::receipt::RECEIPT, id, "2026-01-01T00:00:00Z", "ops", key(), &text)
        .into_bytes()
}

/// Topic of [`receipt`].
pub fn receipt_topic() -> String {
    format!("{}/receipt", wire::topic::root("310112", "fault-box"))
}

/// Signs for the centre of these boxes.
#[allow(clippy::expect_used)] // It fails the row that needed it.
pub(super) fn key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a folder for a key");
        SigningKey::create(&dir.path().join("ops.key")).expect("a key")
    })
}

/// Topic and signed message of a command that is good for a day.
pub fn command(id: &str, at: Moment) -> (String, Vec<u8>) {
    let time = |ms| rfc3339(at.wall_ms + ms, 0);
    let data = json!({"id": id, "target": identity().source(), "verb": "snapshot", "args": {}, "actor": "desk-3",
        "issued_at": time(0), "expires_at": time(86_400_000)});
    let text = data.to_string();
    let body =
        wire::signed::envelope(wire::command::COMMAND, id, "2026-01-01T00:00:00Z", "ops", key(), &text);
    (format!("{}/cmd/snapshot", wire::topic::root("310112", "fault-box")), body.into_bytes())
}

/// A grant that is good for a day, as it comes down.
pub fn grant(id: &str, at: Moment) -> Vec<u8> {
    let expires_at = rfc3339(at.wall_ms + 86_400_000, 0);
    let data = json!({"id": id, "target": identity().source(), "path": "2026-11-21/01J/r1-clip.mp4",
        "sha256": "ab".repeat(32), "expires_at": expires_at, "method": "MQTT", "offset": 7});
    let text = data.to_string();
    wire::signed::envelope(wire::grant::GRANT, id, "2026-01-01T00:00:00Z", "ops", key(), &text).into_bytes()
}

/// Those whose commands and grants count.
pub fn keys() -> Vec<CentreKey> {
    vec![CentreKey::new("ops", key().public())]
}

/// Writes in a mix that `seed` makes.
#[derive(Debug)]
pub struct Writer {
    rng: fastrand::Rng,
    prefix: String,
    next: u64,
    /// Reports that wait for their receipt.
    open: Vec<String>,
}

impl Writer {
    /// `round` keeps the ids of one round apart from those of the others.
    pub fn new(seed: u64, round: u64) -> Writer {
        let rng = fastrand::Rng::with_seed(seed ^ round.wrapping_mul(0x9E37_79B9));
        Writer { rng, prefix: format!("01FAULT{round:06}"), next: 0, open: Vec::new() }
    }

    fn next_id(&mut self) -> String {
        self.next += 1;
        format!("{}{:013}", self.prefix, self.next)
    }

    /// One call or a few, each acknowledgement noted. An error ends the round.
    pub fn step(&mut self, ledger: &mut Ledger, promise: &mut Promise) -> Result<()> {
        match self.rng.u8(..11) {
            0..=4 => {
                let count = self.rng.usize(1..4);
                let incidents: Vec<String> = (0..count).map(|_| self.next_id()).collect();
                self.report(ledger, promise, &incidents)
            }
            5..=7 => self.receipt(ledger, promise),
            8 => self.incident(ledger, promise),
            9 => self.command(ledger, promise),
            _ => {
                ledger.upkeep()?;
                Ok(())
            }
        }
    }

    /// Makes a store that has lived: many reports in few syncs, and then some of everything.
    pub fn fill(&mut self, ledger: &mut Ledger, promise: &mut Promise, reports: u64) -> Result<()> {
        for _ in 0..reports.div_ceil(50) {
            let incidents: Vec<String> = (0..50).map(|_| self.next_id()).collect();
            self.report(ledger, promise, &incidents)?;
        }
        (0..60).try_for_each(|_| self.step(ledger, promise))
    }

    /// Reports durable with one sync.
    pub fn report(&mut self, ledger: &mut Ledger, promise: &mut Promise, incidents: &[String]) -> Result<()> {
        let at = ledger.now();
        let items = incidents.iter().map(|i| message(ledger.identity(), i, at)).collect();
        for (incident, done) in incidents.iter().zip(ledger.commit(items)?) {
            let id = format!("{incident}.0001");
            promise.acknowledged(Ack::Message { id: id.clone(), seq: done.seq.unwrap_or(0) });
            self.open.push(id);
        }
        Ok(())
    }

    fn receipt(&mut self, ledger: &mut Ledger, promise: &mut Promise) -> Result<()> {
        if self.open.is_empty() {
            return Ok(());
        }
        let id = self.open.swap_remove(self.rng.usize(..self.open.len()));
        promise.trying_receipt(&id);
        let inbound = ledger.incoming(&receipt_topic(), &receipt(&id), false)?;
        promise.acknowledged(Ack::Receipt { id });
        if let Some(inbound) = inbound
            && self.rng.bool()
        {
            ledger.commit(vec![Item::Consumed(inbound.n)])?;
            promise.acknowledged(Ack::Consumed { upto: inbound.n });
        }
        Ok(())
    }

    fn command(&mut self, ledger: &mut Ledger, promise: &mut Promise) -> Result<()> {
        let (topic, payload) = command(&self.next_id(), ledger.now());
        ledger.incoming(&topic, &payload, false)?.context("a good command was not obeyed")?;
        promise.acknowledged(Ack::Command { topic, payload });
        Ok(())
    }

    fn incident(&mut self, ledger: &mut Ledger, promise: &mut Promise) -> Result<()> {
        let id = format!("01FAULTINCIDENT{:011}", self.rng.u8(..20));
        let version = ledger.now().wall_ms.unsigned_abs() * 1000 + self.next;
        self.next += 1;
        let record = Some(json!({"version": version, "text": "x".repeat(self.rng.usize(..600))}));
        ledger.commit(vec![Item::Incident(SavedIncident { id: id.clone(), place: None, record })])?;
        promise.acknowledged(Ack::Incident { id, version });
        Ok(())
    }
}
