//! Takes secrets out of what is printed. Where it is in doubt it hides more.

use super::percent::decoded;

/// What stands for a secret.
const MARK: &str = "***";
/// A key with one of these in its name has a secret for a value.
const SECRET_WORDS: [&str; 16] = [
    "pass", "pwd", "psw", "token", "auth", "secret", "key", "sign", "sig", "user", "usr", "login", "cred",
    "account", "sess", "pw",
];
/// The same for keys of the site file, where names of files and users are no secrets.
const SECRET_KEYS: [&str; 6] = ["pass", "pwd", "psw", "token", "secret", "pw"];

/// A line of a site file as a problem shows it. Its characters keep their places up to what is hidden.
pub fn hide_line(line: &str) -> String {
    if let Some((key, _)) = line.split_once('=') {
        let name = key.trim().to_lowercase();
        if SECRET_KEYS.iter().any(|word| name.contains(word)) && !name.trim_matches('"').ends_with("_file") {
            return format!("{key}= {MARK}");
        }
    }
    let after = |at: usize, len: usize| line.split_at(at + len);
    match (line.find("://"), line.find('"')) {
        (Some(at), _) => {
            let (head, rest) = after(at, 3);
            format!("{head}{}", after_userinfo(rest))
        }
        (None, Some(at)) => {
            let (head, rest) = after(at, 1);
            format!("{head}{}", hide_token(rest))
        }
        (None, None) => line.to_owned(),
    }
}

/// The words of a pipeline.
pub(super) fn words(pipeline: &str) -> impl Iterator<Item = &str> {
    pipeline.split(|c: char| c.is_whitespace() || c == '"')
}

/// A word such as `user-pw=SECRET`.
pub(super) fn is_secret_property(word: &str) -> bool {
    let (key, value) = word.split_once('=').unwrap_or_default();
    let key = key.to_lowercase();
    !value.is_empty() && SECRET_KEYS.iter().any(|word| key.contains(word))
}

/// One word that may be an address nobody can read.
pub(super) fn hide_token(text: &str) -> String {
    match text.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}", after_userinfo(rest)),
        // As in `admin:password@host`, where the scheme was forgotten.
        None if text.split_once('@').is_some_and(|(before, _)| before.contains(':')) => after_userinfo(text),
        None => target(text),
    }
}

fn after_userinfo(rest: &str) -> String {
    match rest.rsplit_once('@') {
        Some((_, rest)) => format!("{MARK}@{}", target(rest)),
        None => target(rest),
    }
}

/// Path and query without what follows the first secret key, in whatever style: `?password=`, `/user=admin_password=`.
pub(super) fn target(text: &str) -> String {
    match secret_at(text) {
        Some(at) => format!("{}{MARK}{}", &text[..at], tail(&text[at..])),
        None => match text.find("://") {
            // An address inside an address.
            Some(at) => format!("{}{}", &text[..at + 3], after_userinfo(&text[at + 3..])),
            None => text.to_owned(),
        },
    }
}

/// What `target` hides.
pub(super) fn secret_of_target(text: &str) -> Option<String> {
    secret_at(text).map(|at| text[at..].to_owned())
}

/// The quotation mark that ends the value in a line stays.
fn tail(hidden: &str) -> &str {
    if hidden.trim_end().ends_with('"') { "\"" } else { "" }
}

/// Where the value of the first secret key begins. A value that is empty hides nothing.
fn secret_at(text: &str) -> Option<usize> {
    let is_key = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '%');
    text.match_indices('=').find_map(|(at, _)| {
        let key = text[..at].rsplit(|c| !is_key(c)).next().unwrap_or_default();
        let key = decoded(key).to_lowercase();
        let hides = SECRET_WORDS.iter().any(|word| key.contains(word));
        (hides && at + 1 < text.len()).then_some(at + 1)
    })
}
