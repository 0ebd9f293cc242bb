//! Topics of the contract, and who may speak on them. Root `cg/v1/{division}/{edge_id}`.

/// `cg/v1/{division}/{edge_id}`.
pub fn root(division: &str, edge_id: &str) -> String {
    format!("cg/v1/{division}/{edge_id}")
}

/// What a box subscribes to, all with QoS 1.
pub fn subscriptions(division: &str, edge_id: &str) -> Vec<String> {
    let root = root(division, edge_id);
    vec![
        format!("{root}/receipt"),
        format!("{root}/case"),
        format!("{root}/grant"),
        format!("{root}/cmd/+"),
        format!("cg/v1/{division}/all/cmd/+"),
    ]
}

/// Whether reports of incidents go there.
pub fn is_report(topic: &str) -> bool {
    topic.strip_prefix("cg/v1/").and_then(|rest| rest.split('/').nth(2)) == Some("matter")
}

/// What a message of the centre is, by its topic alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InboundTopic<'a> {
    Receipt,
    Case,
    Grant,
    Command { verb: &'a str, to_all: bool },
}

/// `None`: not for this box.
pub(crate) fn parse_inbound<'a>(topic: &'a str, division: &str, edge_id: &str) -> Option<InboundTopic<'a>> {
    let rest = topic.strip_prefix("cg/v1/")?.strip_prefix(division)?.strip_prefix('/')?;
    if let Some(verb) = rest.strip_prefix("all/cmd/") {
        return is_word(verb).then_some(InboundTopic::Command { verb, to_all: true });
    }
    match rest.strip_prefix(edge_id)?.strip_prefix('/')? {
        "receipt" => Some(InboundTopic::Receipt),
        "case" => Some(InboundTopic::Case),
        "grant" => Some(InboundTopic::Grant),
        other => {
            let verb = other.strip_prefix("cmd/")?;
            is_word(verb).then_some(InboundTopic::Command { verb, to_all: false })
        }
    }
}

/// A level that may stand in a topic as it is: `[A-Za-z0-9._-]{1,64}`.
pub fn is_word(level: &str) -> bool {
    !level.is_empty()
        && level.len() <= 64
        && level.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-'))
}

/// A level from a name that may hold anything; what cannot stand in a topic becomes `-`.
pub fn word(name: &str) -> String {
    let word: String = name
        .chars()
        .take(64)
        .map(|c| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '-' })
        .collect();
    if word.is_empty() { "-".to_owned() } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_the_centre_is_known_by_its_topic() {
        let parse = |t| parse_inbound(t, "310112", "mh-xz-017");
        assert_eq!(parse("cg/v1/310112/mh-xz-017/receipt"), Some(InboundTopic::Receipt));
        assert_eq!(parse("cg/v1/310112/mh-xz-017/case"), Some(InboundTopic::Case));
        let verb = InboundTopic::Command { verb: "snapshot", to_all: false };
        assert_eq!(parse("cg/v1/310112/mh-xz-017/cmd/snapshot"), Some(verb));
        let verb = InboundTopic::Command { verb: "resend", to_all: true };
        assert_eq!(parse("cg/v1/310112/all/cmd/resend"), Some(verb));
        for wrong in [
            "cg/v1/310112/mh-xz-018/receipt",
            "cg/v1/310112/mh-xz-0171/receipt",
            "cg/v1/310113/mh-xz-017/receipt",
            "cg/v1/310112/mh-xz-017/cmd/",
            "cg/v1/310112/mh-xz-017/cmd/a/b",
            "cg/v1/310112/mh-xz-017/state",
            "receipt",
            "",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
