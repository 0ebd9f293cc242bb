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
/// `$1`: the request, `$2`: the extended key usages of the leaf, or nothing for those that it asks for.
const CLAIMS: &str = r#"set -e
ca='basicConstraints=critical,CA:true
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
'
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout root.key -out root.pem -days 9 -subj /O=City/CN=root \
  -addext keyUsage=critical,keyCertSign
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout middle.key -out middle.csr -subj /O=City/CN=middle
printf '%sauthorityKeyIdentifier=keyid\n' "$ca" > middle.ext
openssl x509 -req -in middle.csr -CA root.pem -CAkey root.key -CAcreateserial -days 9 -extfile middle.ext -out middle.pem
printf 'authorityKeyIdentifier=keyid\n' > leaf.ext
if [ -n "$2" ]; then
  printf 'extendedKeyUsage=%s\nkeyUsage=critical,digitalSignature\nsubjectKeyIdentifier=hash\n' "$2" >> leaf.ext
  copy=none
else
  copy=copy
fi
openssl x509 -req -in "$1" -CA middle.pem -CAkey middle.key -CAcreateserial -days 5 -extfile leaf.ext -copy_extensions $copy -out leaf.pem
cat leaf.pem middle.pem root.pem > chain.pem"#;

/// A root, an authority below it, and the certificate that it makes of a request: `chain.pem`, its parts `leaf.pem`,
/// `middle.pem`, `root.pem`. With `purposes` the leaf is for those, not for what the request asks.
pub fn claim_certificate(dir: &Path, request: &Path, purposes: &str) -> Result<()> {
    shell(dir, CLAIMS, &[&request.to_string_lossy(), purposes])
}

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
