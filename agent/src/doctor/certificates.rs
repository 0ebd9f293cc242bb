//! Certificates of the link: readable, in date, and in the name of this box.

use std::path::Path;

use x509_cert::Certificate;
use x509_cert::der::Decode;

use super::Finding;
use crate::config::Site;
use crate::time::Clock;

const TLS: (&str, &str) = ("certificate", "证书");
const SOON_S: i64 = 30 * 86_400;

/// All files of [centre.tls]; nothing if there is none.
pub(super) fn check(site: &Site, clock: &dyn Clock) -> Vec<Finding> {
    let Some(tls) = &site.centre.tls else { return Vec::new() };
    let now_s = clock.now().wall_ms / 1000;
    let mut findings = vec![certificate("ca_file", &tls.ca_file, now_s, None)];
    let edge_id = site.device.edge_id.as_str();
    findings.extend(tls.cert_file.as_ref().map(|path| certificate("cert_file", path, now_s, Some(edge_id))));
    findings.extend(tls.key_file.as_ref().map(|path| key(path)));
    findings
}

fn certificate(key: &str, path: &Path, now_s: i64, edge_id: Option<&str>) -> Finding {
    let ask = "ask the centre for a new one";
    let shown = format!("{key} {}", path.display());
    let certificates = match read(path) {
        Ok(certificates) => certificates,
        Err(why) => return Finding::wrong(TLS, format!("{shown}: {why}"), ask),
    };
    let Some(first) = certificates.first() else {
        return Finding::wrong(
            TLS,
            format!("{shown}: holds no certificate"),
            "it must be PEM: -----BEGIN CERTIFICATE-----",
        );
    };
    // A chain is as old as its oldest part.
    let ends_s = certificates.iter().map(ends_s).min().unwrap_or(0);
    let begins_s = certificates.iter().map(begins_s).max().unwrap_or(0);
    let date = |s: i64| crate::time::rfc3339(s.saturating_mul(1000), 0)[..10].to_owned();
    if ends_s < now_s {
        return Finding::wrong(TLS, format!("{shown}: expired on {}", date(ends_s)), ask);
    }
    if begins_s > now_s {
        let mend = "is the clock of this box right?";
        return Finding::wrong(TLS, format!("{shown}: not valid before {}", date(begins_s)), mend);
    }
    if let Some(edge_id) = edge_id.filter(|id| common_name(first).as_deref() != Some(*id)) {
        let name = common_name(first).unwrap_or_else(|| "nobody".into());
        let what = format!("{shown}: is that of \"{name}\", but edge_id is \"{edge_id}\"");
        return Finding::wrong(
            TLS,
            what,
            "the CN must be the edge_id: the centre lets a box publish only under its own name",
        );
    }
    let what = format!("{shown}: valid until {}", date(ends_s));
    if ends_s - now_s < SOON_S { Finding::advice(TLS, what, ask) } else { Finding::good(TLS, what) }
}

fn key(path: &Path) -> Finding {
    let shown = format!("key_file {}", path.display());
    let read = std::fs::File::open(path)
        .and_then(|file| rustls_pemfile::private_key(&mut std::io::BufReader::new(file)));
    match read {
        Ok(Some(_)) => Finding::good(TLS, format!("{shown}: holds a private key")),
        Ok(None) => {
            Finding::wrong(TLS, format!("{shown}: holds no private key"), "it must be PEM, PKCS#8 or PKCS#1")
        }
        Err(e) => {
            Finding::wrong(TLS, format!("{shown}: {e}"), "the user of the service must be able to read it")
        }
    }
}

fn read(path: &Path) -> Result<Vec<Certificate>, String> {
    let file = std::fs::File::open(path).map_err(|e| e.to_string())?;
    rustls_pemfile::certs(&mut std::io::BufReader::new(file))
        .map(|der| {
            let der = der.map_err(|e| e.to_string())?;
            Certificate::from_der(&der).map_err(|e| format!("not a certificate: {e}"))
        })
        .collect()
}

fn ends_s(certificate: &Certificate) -> i64 {
    certificate.tbs_certificate.validity.not_after.to_unix_duration().as_secs() as i64
}

fn begins_s(certificate: &Certificate) -> i64 {
    certificate.tbs_certificate.validity.not_before.to_unix_duration().as_secs() as i64
}

/// The CN (2.5.4.3) of the subject.
fn common_name(certificate: &Certificate) -> Option<String> {
    let subject = &certificate.tbs_certificate.subject;
    let attribute = subject.0.iter().flat_map(|rdn| rdn.0.iter()).find(|a| a.oid.to_string() == "2.5.4.3")?;
    String::from_utf8(attribute.value.value().to_vec()).ok()
}
