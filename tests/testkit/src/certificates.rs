//! A private certification authority, by the system's openssl.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// `$@`: the names.
const SCRIPT: &str = r#"set -e
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=test-ca
printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\n' > ext
for name in "$@"; do
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $name.key -out $name.csr -subj /CN=$name
  openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out $name.pem -days 2 -extfile ext
done"#;
/// `$1`: subject alternative names, then the names.
const MORE: &str = r#"set -e
printf "subjectAltName=$1\n" > other.ext; shift
for name in "$@"; do
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $name.key -out $name.csr -subj /CN=$name
  openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out $name.pem -days 2 -extfile other.ext
done"#;
/// `$1`: the name.
const RENEWAL: &str = r#"openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -days 2 -extfile ext -out new.pem && mv new.pem "$1.pem""#;

/// Makes `ca.pem` and, signed by it, `NAME.pem` with `NAME.key` for each name, all good for 127.0.0.1 and localhost.
pub fn certificates(dir: &Path, names: &[&str]) -> Result<()> {
    shell(dir, SCRIPT, names)
}

/// Further ones of the same authority, good for `hosts` (as `DNS:wrong.example`) and nobody else.
pub fn certificates_of(dir: &Path, hosts: &str, names: &[&str]) -> Result<()> {
    shell(dir, MORE, &[&[hosts], names].concat())
}

/// Puts another certificate in the place of `NAME.pem`, for the same key, in one step.
pub fn renew_certificate(dir: &Path, name: &str) -> Result<()> {
    shell(dir, RENEWAL, &[name])
}

fn shell(dir: &Path, script: &str, names: &[&str]) -> Result<()> {
    let output =
        Command::new("sh").args(["-c", script, "sh"]).args(names).current_dir(dir).output().context("sh")?;
    ensure!(output.status.success(), "openssl: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
