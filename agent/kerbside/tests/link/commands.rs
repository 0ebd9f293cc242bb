//! What the centre's client says of a broker that refuses.

use clap::Parser as _;
use kerbside::cli::{Cli, Command};
use kerbside_testkit::{Does, QuirkyBroker};

use super::*;

/// What became of a command with these words.
fn command(does: Does, words: &[&str]) -> anyhow::Result<bool> {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("centre.key");
    kerbside_crypto::sign::SigningKey::create(&key).unwrap();
    let broker = QuirkyBroker::start(does).unwrap();
    let url = format!("mqtt://127.0.0.1:{}", broker.port());
    let fixed = ["kerbside", "command", "--broker", &url, "--division", "310112", "--edge", "mh-xz-017"];
    let signed = ["--key", key.to_str().unwrap(), "--key-id", "ops", "--actor", "somebody", "--wait", "60"];
    let cli = Cli::try_parse_from(fixed.iter().chain(&signed).chain(words)).unwrap();
    let Command::Command(args) = cli.command else { panic!("{cli:?}") };
    runtime().block_on(centre::send_command(*args, &mut Vec::new()))
}

#[test]
fn a_refused_message_is_an_error_with_its_name_and_no_success() {
    let receipt: &[&str] = &["receipt", "--args", r#"{"id":"M1","result":"accepted"}"#];
    let refuses = |end, code| Does::Refuses { end, code };
    for (does, words, said) in [
        (refuses("/receipt", 0x87), receipt, "not authorised"),
        (refuses("/receipt", 0x97), receipt, "quota exceeded"),
        (refuses("/receipt", 0x90), receipt, "topic name invalid"),
        (refuses("/receipt", 0x80), receipt, "does not name"),
        // Nobody would answer: it is said at once, not after the wait.
        (refuses("/cmd/ping", 0x87), &["ping"], "not authorised"),
        (Does::RefusesSubscription { end: "/reply" }, &["ping"], "refuses the subscription: NotAuthorized"),
    ] {
        let error = command(does, words).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains(said), "{does:?}: {error}");
    }
    assert!(command(Does::Everything, receipt).unwrap());
}
