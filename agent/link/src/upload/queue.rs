//! Which upload goes next. Pure: one that waits for its server, or for a server that hangs, holds up no other.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use kerbside_domain::time::{Moment, Mono, doubled_s};
use kerbside_wire::Grant;
use kerbside_wire::limits::GRANT_LIFE_MS;

use super::destination::Destination;
use crate::tuning::{UPLOAD_RETRY_MAX_S, UPLOAD_RETRY_S, UPLOADS_AT_ONCE};

/// Pieces through the link: they have a place of their own beside those by HTTP.
const BY_MQTT: &str = "mqtt";

/// A grant that is not over.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pending {
    pub(super) grant: Grant,
    /// Grants with the same key go one after the other.
    key: String,
    /// Why the last attempt was none.
    pub(super) last: Option<String>,
}

impl Pending {
    fn new(grant: Grant) -> Self {
        let key = match Destination::of(&grant) {
            _ if grant.is_by_mqtt() => BY_MQTT.to_owned(),
            Ok(destination) => destination.key(),
            // What has no destination fails by itself.
            Err(_) => format!("none {}", grant.id),
        };
        Pending { grant, key, last: None }
    }
}

#[derive(Clone, Copy, Debug)]
struct Backoff {
    until: Mono,
    /// So often in a row.
    failures: u32,
}

/// The delivery keeps a bounded number of grants; no more come here.
#[derive(Debug, Default)]
pub(super) struct UploadQueue {
    /// In the order of their turns.
    waiting: VecDeque<Pending>,
    busy: BTreeSet<String>,
    /// Destinations that failed last time.
    backoffs: BTreeMap<String, Backoff>,
}

impl UploadQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn push(&mut self, grant: Grant) {
        self.waiting.push_back(Pending::new(grant));
    }

    /// The next whose destination is neither busy nor to be left alone for a while. It is busy from now on.
    pub(super) fn next(&mut self, now: Mono) -> Option<Pending> {
        let http_is_full = self.busy.iter().filter(|key| *key != BY_MQTT).count() >= UPLOADS_AT_ONCE;
        let is_ready = |Pending { key, .. }: &Pending| {
            let left_alone = self.backoffs.get(key).is_some_and(|b| b.until > now);
            !self.busy.contains(key) && !left_alone && (key == BY_MQTT || !http_is_full)
        };
        let ix = self.waiting.iter().position(is_ready)?;
        let pending = self.waiting.remove(ix)?;
        self.busy.insert(pending.key.clone());
        Some(pending)
    }

    /// The upload is over, one way or the other, and its destination works.
    pub(super) fn over(&mut self, pending: &Pending) {
        self.busy.remove(&pending.key);
        self.backoffs.remove(&pending.key);
    }

    /// Later again, behind the others; its destination is left alone for longer each time.
    pub(super) fn put_back(&mut self, pending: Pending, why: String, now: Mono) {
        let failures = self.backoffs.get(&pending.key).map_or(0, |b| b.failures);
        let until = now.plus_s(doubled_s(UPLOAD_RETRY_S, failures, UPLOAD_RETRY_MAX_S));
        self.busy.remove(&pending.key);
        self.backoffs.insert(pending.key.clone(), Backoff { until, failures: failures.saturating_add(1) });
        self.waiting.push_back(Pending { last: Some(why), ..pending });
    }

    /// Those whose time is over. They are out. A grant of a journal that was written when its end was not bounded gets one.
    pub(super) fn expired(&mut self, now: Moment) -> Vec<Pending> {
        let latest = now.wall_ms.saturating_add(GRANT_LIFE_MS);
        for grant in self.waiting.iter_mut().map(|p| &mut p.grant).filter(|_| now.is_vouched()) {
            grant.expires_at_ms = grant.expires_at_ms.min(latest);
        }
        let all = std::mem::take(&mut self.waiting).into_iter();
        let (over, waiting): (Vec<_>, Vec<_>) = all.partition(|p| p.grant.left_s(now) == Some(0.0));
        self.waiting = waiting.into();
        let waits: BTreeSet<&String> = self.waiting.iter().map(|pending| &pending.key).collect();
        self.backoffs.retain(|key, _| waits.contains(key) || self.busy.contains(key));
        over
    }
}

#[cfg(test)]
mod tests {
    use kerbside_domain::time::ClockQuality;

    use super::*;
    use crate::upload::tests::any_grant;

    fn grant(id: &str, url: &str) -> Grant {
        Grant { id: id.to_owned(), url: url.to_owned(), expires_at_ms: 1_000_000, ..any_grant() }
    }

    fn next(queue: &mut UploadQueue, s: f64) -> Option<String> {
        queue.next(Mono::from_s(s)).map(|p| p.grant.id)
    }

    fn pending(id: &str, url: &str) -> Pending {
        Pending::new(grant(id, url))
    }

    #[test]
    fn a_server_that_fails_holds_up_only_its_own_and_each_of_those_has_its_turn() {
        let mut queue = UploadQueue::default();
        let (bad1, bad2) = (pending("bad1", "https://bad/1"), pending("bad2", "https://bad/2"));
        for pending in [&bad1, &bad2, &pending("good", "https://good/1")] {
            queue.push(pending.grant.clone());
        }
        assert_eq!(next(&mut queue, 0.0).as_deref(), Some("bad1"));
        assert_eq!(next(&mut queue, 0.0).as_deref(), Some("good"), "one at a time to a server");
        assert_eq!(next(&mut queue, 0.0), None);
        queue.put_back(bad1.clone(), "hangs".into(), Mono::ZERO);
        assert_eq!(next(&mut queue, 1.9), None, "left alone for a while");
        assert_eq!(next(&mut queue, 2.0).as_deref(), Some("bad2"), "the other one's turn");
        queue.put_back(bad2, "hangs".into(), Mono::from_s(2.0));
        assert_eq!(next(&mut queue, 5.9), None, "for twice as long");
        assert_eq!(next(&mut queue, 6.0).as_deref(), Some("bad1"));
        queue.over(&bad1);
        assert_eq!(next(&mut queue, 6.0).as_deref(), Some("bad2"), "it works again");
    }

    #[test]
    fn few_go_at_once_and_pieces_through_the_link_have_a_place_of_their_own() {
        let mut queue = UploadQueue::default();
        for i in 0..5 {
            queue.push(grant(&format!("g{i}"), &format!("https://host{i}/x")));
        }
        queue.push(grant("m1", ""));
        queue.push(grant("m2", ""));
        let mut going = Vec::new();
        while let Some(id) = next(&mut queue, 0.0) {
            going.push(id);
        }
        assert_eq!(going, ["g0", "g1", "m1"]);
    }

    #[test]
    fn what_waits_for_its_server_still_expires() {
        let mut queue = UploadQueue::default();
        queue.push(grant("late", "https://bad/1"));
        let late = queue.next(Mono::ZERO).unwrap();
        queue.put_back(late, "connect: refused".into(), Mono::ZERO);
        let at = |wall_ms, quality| Moment { wall_ms, quality, ..Moment::default() };
        assert!(queue.expired(at(i64::MAX, ClockQuality::None)).is_empty(), "nobody can say");
        assert!(queue.expired(at(999_999, ClockQuality::Ntp)).is_empty());
        let over = queue.expired(at(1_000_000, ClockQuality::Ntp));
        assert_eq!(over[0].last.as_deref(), Some("connect: refused"));
        assert!(queue.is_empty() && queue.backoffs.is_empty());
        // Of an earlier version, for ever.
        queue.push(Grant { expires_at_ms: i64::MAX, ..grant("old", "https://bad/1") });
        assert!(queue.expired(at(1_000_000, ClockQuality::Ntp)).is_empty());
        assert_eq!(queue.expired(at(1_000_000 + GRANT_LIFE_MS, ClockQuality::Ntp)).len(), 1);
    }
}
