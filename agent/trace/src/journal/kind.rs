//! The kinds of record. In a record's line a kind is text; one of a later version is kept as it reads.

/// What a record is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// Heads each segment: counters that survive the drop of old segments.
    Segment,
    /// The program was started.
    Boot,
    /// Something goes out.
    Message,
    /// The broker has these messages.
    Puback,
    /// A message was taken out of the outbox before its time, with a reason. In the line `buried`.
    DeadLettered,
    /// The centre has a message.
    Receipt,
    /// A step in the life of the centre's own case.
    Case,
    /// The centre wants a file.
    Grant,
    /// The core has taken in what came down, up to a record number.
    Consumed,
    /// The core's own record of an incident.
    Incident,
    /// A command of the centre, and what was decided.
    Command,
    /// An upload got so far.
    Upload,
    /// The link came up or was lost.
    Link,
    /// A message of the centre was refused.
    Refused,
    /// An entry was too long and is left out.
    Oversized,
    /// What opening found wrong.
    Recovered,
    /// A camera sees, or does not.
    Camera,
    /// The box stands elsewhere.
    Position,
    /// Old evidence was deleted.
    Evidence,
    /// The wall clock jumped or was put right.
    Clock,
    /// Anything for the trace only.
    Note,
    /// A kind of a later version.
    Other(String),
}

impl RecordKind {
    pub fn as_str(&self) -> &str {
        match self {
            RecordKind::Segment => "segment",
            RecordKind::Boot => "boot",
            RecordKind::Message => "message",
            RecordKind::Puback => "puback",
            RecordKind::DeadLettered => "buried",
            RecordKind::Receipt => "receipt",
            RecordKind::Case => "case",
            RecordKind::Grant => "grant",
            RecordKind::Consumed => "consumed",
            RecordKind::Incident => "incident",
            RecordKind::Command => "command",
            RecordKind::Upload => "upload",
            RecordKind::Link => "link",
            RecordKind::Refused => "refused",
            RecordKind::Oversized => "oversized",
            RecordKind::Recovered => "recovered",
            RecordKind::Camera => "camera",
            RecordKind::Position => "position",
            RecordKind::Evidence => "evidence",
            RecordKind::Clock => "clock",
            RecordKind::Note => "note",
            RecordKind::Other(text) => text,
        }
    }

    /// All that this version writes.
    pub const ALL: [RecordKind; 21] = [
        RecordKind::Segment,
        RecordKind::Boot,
        RecordKind::Message,
        RecordKind::Puback,
        RecordKind::DeadLettered,
        RecordKind::Receipt,
        RecordKind::Case,
        RecordKind::Grant,
        RecordKind::Consumed,
        RecordKind::Incident,
        RecordKind::Command,
        RecordKind::Upload,
        RecordKind::Link,
        RecordKind::Refused,
        RecordKind::Oversized,
        RecordKind::Recovered,
        RecordKind::Camera,
        RecordKind::Position,
        RecordKind::Evidence,
        RecordKind::Clock,
        RecordKind::Note,
    ];

    /// Whether it may stand in a record as it is.
    pub fn is_writable(&self) -> bool {
        let text = self.as_str();
        !text.is_empty()
            && text.len() <= 40
            && text.bytes().all(|c| c.is_ascii_lowercase() || c == b'.' || c == b'_')
    }
}

impl From<&str> for RecordKind {
    fn from(text: &str) -> Self {
        let known = RecordKind::ALL.into_iter().find(|kind| kind.as_str() == text);
        known.unwrap_or_else(|| RecordKind::Other(text.to_owned()))
    }
}

impl std::fmt::Display for RecordKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_reads_as_it_is_written_also_one_of_a_later_version() {
        for kind in RecordKind::ALL {
            assert!(kind.is_writable());
            assert_eq!(RecordKind::from(kind.as_str()), kind);
        }
        assert_eq!(RecordKind::from("weather.seen").to_string(), "weather.seen");
        for wrong in ["", "No Kind", "x\"y", &"x".repeat(41)] {
            assert!(!RecordKind::from(wrong).is_writable(), "{wrong}");
        }
    }
}
