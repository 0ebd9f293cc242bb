//! What a key of the centre may sign, in the words of a site file: verbs of commands, `command` for all of them, and these.

/// Every command.
pub const COMMAND: &str = "command";
/// Grants of evidence.
pub const GRANT: &str = "grant";
/// Receipts.
pub const RECEIPT: &str = "receipt";
/// Case states.
pub const CASE: &str = "case";

#[cfg(test)]
mod tests {
    use kerbside_site::config::SCOPES;

    #[test]
    fn the_site_knows_every_word_and_every_verb() {
        for word in [super::COMMAND, super::GRANT, super::RECEIPT, super::CASE] {
            assert!(SCOPES.contains(&word), "{word}");
        }
        let verbs =
            ["resend", "log.pull", "recheck", "snapshot", "clip", "patrol", "detector.pause", "restart"];
        for verb in verbs {
            let known = crate::command::knows(verb);
            assert!(known && SCOPES.contains(&verb), "{verb}");
        }
        let others = SCOPES.iter().filter(|word| !verbs.contains(word));
        assert_eq!(others.count(), 4, "a verb of the site that no command has");
    }
}
