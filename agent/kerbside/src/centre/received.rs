//! Which messages came already (de-duplication by source and id), and the counts.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use serde_json::Value;

/// What was received.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Distinct incidents that were opened.
    pub incidents: usize,
    /// Distinct messages.
    pub messages: u64,
    /// The same message again: at-least-once at work.
    pub duplicates: u64,
    pub malformed: u64,
    /// Sequence numbers of each source that are still missing between the lowest and the highest received.
    pub gaps: u64,
}

#[derive(Debug, Default)]
pub struct ReceivedEvents {
    events: HashSet<(String, String)>,
    /// Incident id to its number in order of arrival.
    incidents: BTreeMap<String, usize>,
    sequences: BTreeMap<String, HashSet<u64>>,
}

impl ReceivedEvents {
    /// Takes one event into account. False: it came before, or is none.
    pub fn take(&mut self, event: &Value, tally: &mut Tally) -> bool {
        let text = |key: &str| event.get(key).and_then(Value::as_str);
        let (Some(source), Some(id), Some(kind)) = (text("source"), text("id"), text("type")) else {
            tally.malformed += 1;
            return false;
        };
        if !self.events.insert((source.to_owned(), id.to_owned())) {
            tally.duplicates += 1;
            return false;
        }
        tally.messages += 1;
        if let Some(seq) = text("sequence").and_then(|s| s.parse().ok()) {
            self.sequences.entry(source.to_owned()).or_default().insert(seq);
            tally.gaps = self.sequences.values().map(gaps).sum();
        }
        let incident = event.pointer("/data/incident_id").and_then(Value::as_str);
        if let Some(incident) = incident.filter(|_| kind.starts_with("kerbside.matter.opened.")) {
            let next = self.incidents.len() + 1;
            self.incidents.entry(incident.to_owned()).or_insert(next);
            tally.incidents = self.incidents.len();
        }
        true
    }

    /// A case number for an incident, the same each time.
    pub fn case_no(&self, incident: &str) -> String {
        format!("W-{:05}", self.incidents.get(incident).copied().unwrap_or(0))
    }
}

fn gaps(sequences: &HashSet<u64>) -> u64 {
    match (sequences.iter().min(), sequences.iter().max()) {
        (Some(low), Some(high)) => high - low + 1 - sequences.len() as u64,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_same_message_counts_once_and_gaps_show() {
        let (mut received, mut tally) = (ReceivedEvents::default(), Tally::default());
        let event = |id: &str, seq: u64, kind: &str, incident: &str| {
            json!({"source": "urn:a", "id": id, "type": format!("kerbside.{kind}.v1"),
                "sequence": format!("{seq:020}"), "data": {"incident_id": incident}})
        };
        assert!(received.take(&event("A.0001", 3, "matter.opened", "A"), &mut tally));
        assert!(!received.take(&event("A.0001", 3, "matter.opened", "A"), &mut tally));
        assert!(received.take(&event("A.0002", 6, "matter.updated", "A"), &mut tally));
        assert!(received.take(&event("B.0001", 5, "matter.opened", "B"), &mut tally));
        assert!(!received.take(&json!({"id": 1}), &mut tally));
        assert_eq!(tally, Tally { incidents: 2, messages: 3, duplicates: 1, malformed: 1, gaps: 1 });
        assert_eq!((received.case_no("A"), received.case_no("B")), ("W-00001".into(), "W-00002".into()));
    }
}
