//! Whose word counts, and until when: the centre's keys by today's date, and what is taken unsigned.

use kerbside_crypto::sign::CentreKey;
use kerbside_domain::time::{Clock, rfc3339};
use kerbside_site::config::Site;

use super::finding::{Area, Finding};

/// A key is warned of from that long before its end, ms.
const SOON_MS: i64 = 30 * 86_400_000;

pub(super) fn check(site: &Site, clock: &dyn Clock) -> Vec<Finding> {
    let now = clock.now().wall_ms;
    let mut findings: Vec<Finding> = site.centre.keys.iter().map(|key| of_key(key, now)).collect();
    let unsigned: Vec<&str> = [
        (!site.centre.signed_receipts && site.centre.receipts).then_some("receipts"),
        (!site.centre.signed_cases).then_some("case states"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !unsigned.is_empty() {
        let what = format!("{} count without a signature", unsigned.join(" and "));
        let remedy =
            "if the centre signs them, demand it: require_signed = [\"receipt\", \"case\"] in [centre]";
        findings.push(Finding::advice(Area::Trust, what, remedy));
    }
    findings
}

fn of_key(key: &CentreKey, now: i64) -> Finding {
    let id = &key.id;
    match (key.not_before_ms, key.not_after_ms) {
        (_, Some(end)) if end <= now => {
            let what = format!("the key \"{id}\" has ended at {}", rfc3339(end, 0));
            Finding::wrong(Area::Trust, what, "put the centre's new key into the site file, then SIGHUP")
        }
        (Some(begin), _) if begin > now => {
            let what = format!("the key \"{id}\" counts from {} on", rfc3339(begin, 0));
            Finding::advice(
                Area::Trust,
                what,
                "nothing, if another key counts until then; else check the clock",
            )
        }
        (_, Some(end)) if end - now < SOON_MS => {
            let what = format!("the key \"{id}\" ends at {}", rfc3339(end, 0));
            Finding::advice(
                Area::Trust,
                what,
                "put the centre's next key into the site file beside it, then SIGHUP",
            )
        }
        (_, Some(end)) => {
            Finding::good(Area::Trust, format!("the key \"{id}\" counts until {}", rfc3339(end, 0)))
        }
        (_, None) => Finding::good(Area::Trust, format!("the key \"{id}\" counts; it has no end")),
    }
}

#[cfg(test)]
mod tests {
    use kerbside_crypto::sign::PublicKey;

    use super::*;
    use crate::doctor::Level;

    #[test]
    fn a_key_is_judged_by_the_date() {
        let public = PublicKey::parse(&format!("ed25519:{}", "9b".repeat(32))).unwrap();
        let level = |from: Option<i64>, to: Option<i64>| {
            let key = CentreKey { not_before_ms: from, not_after_ms: to, ..CentreKey::new("ops", public) };
            of_key(&key, 100 * SOON_MS).level
        };
        assert_eq!(level(None, None), Level::Good);
        assert_eq!(level(Some(0), Some(102 * SOON_MS)), Level::Good);
        assert_eq!(level(None, Some(101 * SOON_MS - 1)), Level::Advice);
        assert_eq!(level(Some(101 * SOON_MS), None), Level::Advice);
        assert_eq!(level(None, Some(100 * SOON_MS)), Level::Wrong);
    }
}
