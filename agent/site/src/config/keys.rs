//! `[[centre.key]]`: whose word counts, for what and until when; and what must be signed.

use toml::Spanned;

use super::check::Check;
use super::raw::{self, At};
use super::read::Table;
use kerbside_crypto::sign::{CentreKey, PublicKey};

/// What a key may sign: `command` is every verb.
pub const SCOPES: [&str; 12] = [
    "command",
    "grant",
    "receipt",
    "case",
    "recheck",
    "snapshot",
    "clip",
    "patrol",
    "resend",
    "detector.pause",
    "log.pull",
    "restart",
];

/// Public keys of the centre, each with an id of its own.
pub(super) fn keys(cx: &mut Check<'_>, tables: Vec<Table<'_>>) -> Vec<CentreKey> {
    let mut keys: Vec<CentreKey> = Vec::new();
    for table in tables {
        let span = table.span.clone();
        let raw: raw::CentreKey = table.read(&[], cx.sink);
        let here = ("[[centre.key]]", &span);
        let id = cx.required("id", &raw.id, here, "\"ops-2026\"");
        let public =
            cx.required("public", &raw.public, here, "\"ed25519:...\", as `kerbside key show` prints it");
        let scope = raw.scope.as_ref().map(|scope| words(cx, "scope", scope, &SCOPES));
        let not_before_ms = raw.not_before.as_ref().and_then(|v| instant(cx, "not_before", v));
        let not_after_ms = raw.not_after.as_ref().and_then(|v| instant(cx, "not_after", v));
        if let (Some(from), Some(to), Some(v)) = (not_before_ms, not_after_ms, &raw.not_after)
            && from >= to
        {
            cx.sink
                .at(v.span(), "`not_after` is not later than `not_before`")
                .help("such a key never counts");
        }
        let (Some(id), Some(public)) = (id, public) else { continue };
        let name = cx.id("id", &id);
        if keys.iter().any(|k| k.id == name) {
            cx.repeated(id.span(), format!("the key id \"{name}\" is used twice"))
                .help("a command names its key by id: give each its own");
        }
        let missing: Vec<&str> = [
            raw.not_after.is_none().then_some("has no end (`not_after`)"),
            raw.scope.is_none().then_some("may sign everything (`scope`)"),
        ]
        .into_iter()
        .flatten()
        .collect();
        if !missing.is_empty() {
            let what = format!("the key \"{name}\" {}", missing.join(" and "));
            cx.sink.warn(id.span(), format!("{what}; say how long and for what it counts"));
        }
        let public = public_key(cx, &public);
        keys.extend(public.map(|public| CentreKey {
            scope,
            not_before_ms,
            not_after_ms,
            ..CentreKey::new(name, public)
        }));
    }
    keys
}

fn public_key(cx: &mut Check<'_>, public: &Spanned<String>) -> Option<PublicKey> {
    let key = PublicKey::parse(public.get_ref());
    if key.is_none() {
        let problem = cx.sink.at(public.span(), "`public` is no public key");
        if public.get_ref().contains("PRIVATE KEY") {
            problem.help("this is the private half: it belongs to the centre and on no box");
        }
        problem.help("allowed: ed25519: and 64 hex digits in lower case; `kerbside key show FILE` prints it");
    }
    key
}

/// Whether receipts and case states must be signed.
pub(super) fn required(cx: &mut Check<'_>, list: &At<Vec<Spanned<String>>>, no_key: bool) -> (bool, bool) {
    let Some(list) = list else { return (false, false) };
    let required = words(cx, "require_signed", list, &["receipt", "case"]);
    if no_key && !required.is_empty() {
        cx.sink
            .at(list.span(), "`require_signed` without a key: everything would be refused")
            .help("add a [[centre.key]]");
    }
    let has = |word: &str| required.iter().any(|r| r == word);
    (has("receipt"), has("case"))
}

fn words(
    cx: &mut Check<'_>,
    key: &str,
    list: &Spanned<Vec<Spanned<String>>>,
    known: &[&'static str],
) -> Vec<String> {
    let known: Vec<(&str, &str)> = known.iter().map(|word| (*word, *word)).collect();
    list.get_ref().iter().filter_map(|word| cx.word(key, word, &known)).map(str::to_owned).collect()
}

/// Wall clock, ms.
fn instant(cx: &mut Check<'_>, key: &str, value: &Spanned<String>) -> Option<i64> {
    match chrono::DateTime::parse_from_rfc3339(value.get_ref()) {
        Ok(at) => Some(at.timestamp_millis()),
        Err(_) => {
            let what = format!("`{key}` \"{}\" is no time", value.get_ref());
            cx.sink.at(value.span(), what).help("for example: \"2027-06-30T23:59:59+08:00\" (RFC 3339)");
            None
        }
    }
}
