//! What the centre states of itself: receipts and case states. It may sign them as it signs commands, and a site may demand it:
//! whoever can write at a broker could end reports and cases otherwise.
//!
//! Signed text as everywhere ([`crate::signed`]); `data` then names the box (`target`), so that it is worth nothing on another, and
//! a case state when it was issued (`issued_at`), so that nobody can play an old end of a case again.

use kerbside_crypto::sign::CentreKey;
use kerbside_domain::time::Moment;
use kerbside_site::config::Centre;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::identity::Identity;
use crate::limits;
use crate::refusal::{NotGenuine, Refusal, instant, malformed};
use crate::signed::{Signed, target};
use crate::text::clipped;

/// What must be signed, whoever says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MustSign {
    /// `require_signed` holds "receipt".
    pub receipts: bool,
    /// `require_signed` holds "case".
    pub cases: bool,
}

impl MustSign {
    /// As the site says.
    pub fn of(centre: &Centre) -> MustSign {
        MustSign { receipts: centre.signed_receipts, cases: centre.signed_cases }
    }
}

/// A statement as it came; that it is the centre's is not believed yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement<T> {
    /// What it says.
    pub said: T,
    /// The text that may be signed, and the signature.
    pub signed: Signed,
    about: About,
}

/// The part of `data` that a signature needs.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
struct About {
    #[serde(default)]
    target: Option<String>,
    #[serde(default)]
    issued_at: Option<String>,
}

/// Whether a recording of it could do harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// The same again says the same.
    Harmless,
    /// It must be fresh.
    Harmful,
}

impl<T> Statement<T> {
    /// Reads the envelope and what it says.
    pub(crate) fn read<D: DeserializeOwned>(
        payload: &[u8],
        kind: &'static str,
        said: impl FnOnce(D) -> Result<T, Refusal>,
    ) -> Result<Statement<T>, Refusal> {
        let signed = Signed::read(payload, kind)?;
        let data: D = serde_json::from_str(&signed.text).map_err(|e| malformed(&e))?;
        let said = said(data)?;
        let about = if signed.is_signed() {
            serde_json::from_str(&signed.text).map_err(|e| malformed(&e))?
        } else {
            About::default()
        };
        Ok(Statement { said, signed, about })
    }

    /// Id of the key that vouches for it; `None`: nobody does, and nobody must. A signature that is there must be good, but where
    /// the site names no key nobody looks at it.
    pub fn vouched_by(
        &self,
        what: &str,
        (who, keys, must): (&Identity, &[CentreKey], bool),
        replay: Replay,
        now: Moment,
    ) -> Result<Option<String>, Refusal> {
        if !must && (!self.signed.is_signed() || keys.is_empty()) {
            return Ok(None);
        }
        let not_genuine = Refusal::Statement;
        let key = self.signed.signer(keys, &[what], now).map_err(not_genuine)?;
        let named = self.about.target.as_deref().unwrap_or_default();
        if named != target(who, false) {
            return Err(not_genuine(NotGenuine::OtherBox(clipped(named))));
        }
        if replay == Replay::Harmful {
            self.fresh(now)?;
        }
        Ok(Some(key.id.clone()))
    }

    /// A box that does not know the time knows at least that the same text came before.
    fn fresh(&self, now: Moment) -> Result<(), Refusal> {
        let stale = Refusal::Statement(NotGenuine::NotFresh);
        let Some(text) = &self.about.issued_at else { return Err(stale) };
        let issued_at_ms = instant("issued_at", text)?;
        let age_ms = now.wall_ms.saturating_sub(issued_at_ms);
        let in_time = (-limits::CLOCK_SKEW_MS..=limits::STATEMENT_LIFE_MS).contains(&age_ms);
        if in_time || !now.is_vouched() { Ok(()) } else { Err(stale) }
    }
}

#[cfg(test)]
mod tests {
    use kerbside_domain::time::ClockQuality;

    use super::*;
    use crate::testing::{NOW_MS, keys, who};
    use crate::{case, receipt, signed};
    use serde_json::{Value, json};

    fn now() -> Moment {
        Moment { wall_ms: NOW_MS, quality: ClockQuality::Ntp, ..Moment::default() }
    }

    fn sealed(kind: &str, data: &Value) -> String {
        let key = kerbside_crypto::testing::key();
        signed::envelope(kind, "r1", "2026-11-21T08:30:00+08:00", "ops-2026", &key, &data.to_string())
    }

    fn closed() -> Value {
        json!({"incident_id": "01J", "state": "closed", "target": who().source(), "issued_at": "2026-11-21T08:30:00+08:00"})
    }

    fn judged(payload: &str, keys: &[CentreKey], must: bool) -> String {
        let statement = case::read(payload.as_bytes()).unwrap();
        match statement.vouched_by("case", (&who(), keys, must), Replay::Harmful, now()) {
            Ok(Some(key)) => format!("signed by {key}"),
            Ok(None) => "unsigned".to_owned(),
            Err(why) => why.to_string(),
        }
    }

    #[test]
    fn a_signed_statement_counts_for_its_box_while_it_is_fresh_and_by_a_key_that_may() {
        let good = sealed(case::CASE_STATE, &closed());
        assert_eq!(judged(&good, &keys(), true), "signed by ops-2026");
        assert_eq!(judged(&good, &[], false), "unsigned", "nobody can look at it");
        assert!(judged(&good, &[], true).contains("no key"));
        let changed = |key: &str, value: Value| {
            let mut data = closed();
            data[key] = value;
            judged(&sealed(case::CASE_STATE, &data), &keys(), false)
        };
        assert!(changed("target", json!("urn:kerbside:310112:mh-xz-018")).contains("another box"));
        assert!(changed("target", Value::Null).contains("another box"));
        assert!(changed("issued_at", json!("2026-11-14T08:30:00+08:00")).contains("too long ago"));
        assert!(changed("issued_at", json!("2026-11-21T08:40:00+08:00")).contains("in the future"));
        assert!(changed("issued_at", Value::Null).contains("without `issued_at`"));
        assert!(judged(&good.replace("closed", "voided"), &keys(), false).contains("not that of key"));
        // A grant's or a receipt's signature is another one.
        let other = sealed("kerbside.receipt.v1", &closed()).replace("kerbside.receipt.v1", case::CASE_STATE);
        assert!(judged(&other, &keys(), false).contains("not that of key"));
        let of_key = |change: fn(&mut CentreKey)| {
            let mut keys = keys();
            change(&mut keys[0]);
            judged(&good, &keys, false)
        };
        assert!(of_key(|k| k.scope = Some(vec!["receipt".into()])).contains("may not sign case"));
        assert_eq!(of_key(|k| k.scope = Some(vec!["case".into()])), "signed by ops-2026");
        assert!(of_key(|k| k.not_after_ms = Some(NOW_MS)).contains("does not count now"));
        assert!(of_key(|k| k.not_before_ms = Some(NOW_MS + 1)).contains("does not count now"));
    }

    #[test]
    fn an_unsigned_one_counts_only_where_nobody_demands_more() {
        let plain = json!({"specversion": "1.0", "type": case::CASE_STATE, "data": {"incident_id": "01J", "state": "closed"}});
        assert_eq!(judged(&plain.to_string(), &keys(), false), "unsigned");
        assert_eq!(judged(&plain.to_string(), &keys(), true), "not the centre's word: not signed");
        let receipt = json!({"specversion": "1.0", "type": receipt::RECEIPT, "data": {"id": "01J.0001", "result": "accepted"}});
        let receipt = receipt::read(receipt.to_string().as_bytes()).unwrap();
        let vouched = receipt.vouched_by("receipt", (&who(), &keys(), false), Replay::Harmless, now());
        assert_eq!((vouched, receipt.said.id.as_str()), (Ok(None), "01J.0001"));
    }

    #[test]
    fn without_the_time_a_signature_counts_and_its_age_does_not() {
        let late = Moment { wall_ms: 0, quality: ClockQuality::None, ..Moment::default() };
        let statement = case::read(sealed(case::CASE_STATE, &closed()).as_bytes()).unwrap();
        let vouched = statement.vouched_by("case", (&who(), &keys(), true), Replay::Harmful, late);
        assert_eq!(vouched, Ok(Some("ops-2026".to_owned())));
    }
}
