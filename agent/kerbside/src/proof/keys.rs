//! The box's key as people handle it: its public half as text and PEM, and the key that follows it.

use std::io::Write;
use std::path::Path;

use anyhow::Context as _;
use kerbside_crypto::sign::{PublicKey, SigningKey};
use kerbside_trace::delivery::{KEY_FILE, NEXT_KEY_FILE};

/// A key file is one line or a few; more is something else.
const LONGEST_KEY_FILE: u64 = 4096;

/// A public key as a person gives it: the text itself, or the name of a file that holds it.
pub(crate) fn public_key(text: &str) -> anyhow::Result<PublicKey> {
    if let Some(key) = PublicKey::from_text(text) {
        return Ok(key);
    }
    let expected = "a public key is expected: ed25519: and 64 hex digits, or a PEM file (BEGIN PUBLIC KEY)";
    let path = Path::new(text);
    let is_short = std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.len() <= LONGEST_KEY_FILE);
    anyhow::ensure!(is_short, "--key {text}: {expected}");
    let found = std::fs::read_to_string(path).ok().as_deref().and_then(PublicKey::from_text);
    found.with_context(|| format!("--key {text}: {expected}"))
}

/// `kerbside evidence public-key`. `data`: the box's data folder, or a key file.
pub(super) fn show(data: &Path, out: &mut impl Write) -> anyhow::Result<()> {
    let path = if data.is_dir() { data.join(KEY_FILE) } else { data.to_owned() };
    let public = SigningKey::read(&path)?.public();
    writeln!(out, "{}{public}", public.to_pem()).context("standard output")
}

/// `kerbside evidence new-key`.
pub(super) fn renew(data: &Path, out: &mut impl Write) -> anyhow::Result<()> {
    let old = SigningKey::read(&data.join(KEY_FILE))
        .context("only a box that has a key can hand over to another")?;
    let new = SigningKey::create(&data.join(NEXT_KEY_FILE))?;
    writeln!(
        out,
        "{}\nsigns from the next start on; {} signs that change.\n\
         Tell the centre the new key: the next birth message names it too.",
        new.public(),
        old.public()
    )
    .context("standard output")
}
