//! `kerbside key csr`, `key chain` and `key show --config`: the key with which a box signs its evidence, and the certificates that
//! vouch for it. The key itself is made by the box at its first start and never leaves it.

use std::io::Write;
use std::path::Path;

use anyhow::{Context as _, bail};
use kerbside_c2pa::{Chain, Problem, public_key_fingerprint, request};
use kerbside_crypto::sign::SigningKey;
use kerbside_domain::time::rfc3339;
use kerbside_site::config::Site;
use kerbside_trace::delivery::KEY_FILE;

use crate::durable;

/// Prints a request for a certificate in the name of the box.
pub fn csr(site: &Site, organisation: Option<&str>, out: &mut impl Write) -> anyhow::Result<()> {
    let request = request(&key(site)?, organisation, &site.device.edge_id)?;
    Ok(out.write_all(request.as_bytes())?)
}

/// Prints the public half of the box's key.
pub fn show(site: &Site, out: &mut impl Write) -> anyhow::Result<()> {
    let public = key(site)?.public();
    writeln!(out, "box {}\npublic key {public}", site.device.edge_id)?;
    writeln!(out, "fingerprint {}", public_key_fingerprint(&public)?)?;
    Ok(out.write_all(public.to_pem().as_bytes())?)
}

/// Checks a chain and puts it where the site says; whether it is there now. `now_s`: Unix time.
pub fn install_chain(site: &Site, file: &Path, now_s: i64, out: &mut impl Write) -> anyhow::Result<bool> {
    let Some(chain) = Chain::read(file)? else { bail!("{}: there is no such file", file.display()) };
    let problems = chain.problems(&key(site)?.public());
    for problem in &problems {
        writeln!(out, "{problem}")?;
    }
    let (begins_s, ends_s) = chain.validity_s();
    if ends_s < now_s {
        writeln!(out, "it expired on {}", day(ends_s))?;
    }
    if !problems.is_empty() || ends_s < now_s {
        writeln!(out, "{}: not installed. {}", file.display(), cure(&problems))?;
        return Ok(false);
    }
    let path = site.chain_file();
    durable::write_public(&path, chain.to_pem()?.as_bytes()).with_context(|| path.display().to_string())?;
    let (owner, authority) = chain.names();
    writeln!(out, "installed as {}", path.display())?;
    writeln!(out, "{owner}, vouched for by {authority}, from {} to {}", day(begins_s), day(ends_s))?;
    if begins_s > now_s {
        writeln!(out, "it is not valid yet: is the clock of this box right?")?;
    }
    writeln!(out, "a running box takes it for the next file that it signs")?;
    Ok(true)
}

fn cure(problems: &[Problem]) -> &'static str {
    if problems.contains(&Problem::OtherKey) {
        "A certificate is for one box: ask for one with the request that `kerbside key csr` prints on this box"
    } else {
        "Have the authority make it anew: `kerbside key csr` asks for what is needed; the file holds the box's certificate first"
    }
}

fn key(site: &Site) -> anyhow::Result<SigningKey> {
    let path = site.device.data_dir.join(KEY_FILE);
    SigningKey::read(&path)
        .context("a box makes its key at its first `kerbside run`; its user alone can read it")
}

fn day(s: i64) -> String {
    rfc3339(s.saturating_mul(1000), 0).get(..10).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
