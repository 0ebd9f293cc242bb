//! How urgent a message is.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Messages of a lower priority wait while one of a higher priority is queued. In the journal a number, 0 to 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// State of the box and reports of incidents: never dropped.
    Incident,
    /// Replies to commands, patrol reports, alarms of sensors.
    Reply,
    /// Manifests of evidence and what became of it; checkpoints.
    Evidence,
    /// Observations, position, health: the oldest goes first when room is short.
    Telemetry,
}

impl Priority {
    /// From the most urgent to the least.
    pub const ALL: [Priority; 4] =
        [Priority::Incident, Priority::Reply, Priority::Evidence, Priority::Telemetry];

    /// 0 for the most urgent.
    pub fn index(self) -> usize {
        match self {
            Priority::Incident => 0,
            Priority::Reply => 1,
            Priority::Evidence => 2,
            Priority::Telemetry => 3,
        }
    }

    /// As logs and metrics say it.
    pub fn as_str(self) -> &'static str {
        match self {
            Priority::Incident => "incident",
            Priority::Reply => "reply",
            Priority::Evidence => "evidence",
            Priority::Telemetry => "telemetry",
        }
    }
}

impl Serialize for Priority {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.index() as u64)
    }
}

/// A number beyond 3 is of a later version, and the least urgent here.
impl<'de> Deserialize<'de> for Priority {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let index = u8::deserialize(deserializer)?;
        Ok(Priority::ALL.get(usize::from(index)).copied().unwrap_or(Priority::Telemetry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_the_journal_a_priority_is_its_number() {
        assert_eq!(serde_json::to_string(&Priority::ALL).unwrap(), "[0,1,2,3]");
        let read: Vec<Priority> = serde_json::from_str("[0,1,2,3,9]").unwrap();
        assert_eq!(read, [Priority::ALL.as_slice(), &[Priority::Telemetry]].concat());
    }
}
