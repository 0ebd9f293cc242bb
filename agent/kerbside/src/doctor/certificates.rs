//! Certificates: those of the link readable, in date, and in the name of this box; those of the evidence for its key.

use std::path::Path;

use super::finding::{Area, Finding};
use kerbside_c2pa::{Chain as EvidenceChain, Problem};
use kerbside_crypto::sign::{KeyError, SigningKey};
use kerbside_domain::time::Clock;
use kerbside_link::certificates::{Chain, EXPIRY_WARNING_S};
use kerbside_site::config::Site;
use kerbside_trace::delivery::KEY_FILE;

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
    let renew = "ask the centre for a new one";
    let shown = format!("{key} {}", path.display());
    let chain = match Chain::read(path) {
        Ok(Some(chain)) => chain,
        Ok(None) => {
            return Finding::wrong(
                Area::Certificate,
                format!("{shown}: holds no certificate"),
                "it must be PEM: -----BEGIN CERTIFICATE-----",
            );
        }
        Err(why) => return Finding::wrong(Area::Certificate, format!("{shown}: {why}"), renew),
    };
    let Chain { begins_s, ends_s, common_name } = chain;
    if ends_s < now_s {
        return Finding::wrong(Area::Certificate, format!("{shown}: expired on {}", date(ends_s)), renew);
    }
    if begins_s > now_s {
        let remedy = "is the clock of this box right?";
        return Finding::wrong(
            Area::Certificate,
            format!("{shown}: not valid before {}", date(begins_s)),
            remedy,
        );
    }
    if let Some(edge_id) = edge_id.filter(|id| common_name.as_deref() != Some(*id)) {
        let name = common_name.unwrap_or_else(|| "nobody".into());
        let what = format!("{shown}: is that of \"{name}\", but edge_id is \"{edge_id}\"");
        return Finding::wrong(
            Area::Certificate,
            what,
            "the CN must be the edge_id: the centre lets a box publish only under its own name",
        );
    }
    let what = format!("{shown}: valid until {}", date(ends_s));
    if ends_s - now_s < EXPIRY_WARNING_S {
        Finding::advice(Area::Certificate, what, renew)
    } else {
        Finding::good(Area::Certificate, what)
    }
}

/// What vouches for the signature in pictures and clips.
pub(super) fn evidence_chain(site: &Site, clock: &dyn Clock) -> Finding {
    let file = site.chain_file();
    let shown = format!("signature of evidence, {}", file.display());
    let wrong = |why: String| {
        let remedy = "kerbside key csr, have the authority sign it, kerbside key chain FILE";
        Finding::wrong(Area::Certificate, format!("{shown}: {why}"), remedy)
    };
    let key = match SigningKey::read(&site.device.data_dir.join(KEY_FILE)) {
        Ok(key) => key,
        Err(KeyError::File { cause, .. }) if cause.kind() == std::io::ErrorKind::NotFound => {
            let what = "signature of evidence: this box has no key yet";
            return Finding::advice(Area::Certificate, what, "the first `kerbside run` makes it");
        }
        Err(error) => return wrong(error.to_string()),
    };
    let chain = match EvidenceChain::read(&file) {
        Ok(Some(chain)) => chain,
        Ok(None) => {
            let what = format!("{shown} is not there: verifiers find it valid and the signer unknown");
            let remedy = "kerbside key csr, have an authority sign it, kerbside key chain FILE";
            return Finding::advice(Area::Certificate, what, remedy);
        }
        Err(error) => return wrong(error.to_string()),
    };
    let problems: Vec<String> = chain.problems(&key.public()).iter().map(Problem::to_string).collect();
    if !problems.is_empty() {
        return wrong(problems.join("; "));
    }
    let (now_s, (begins_s, ends_s)) = (clock.now().wall_ms / 1000, chain.validity_s());
    match ends_s {
        _ if ends_s < now_s => wrong(format!("expired on {}", date(ends_s))),
        _ if begins_s > now_s => Finding::wrong(
            Area::Certificate,
            format!("{shown}: not valid before {}", date(begins_s)),
            "is the clock of this box right?",
        ),
        _ if ends_s - now_s < EXPIRY_WARNING_S => {
            let what = format!("{shown}: valid until {}", date(ends_s));
            Finding::advice(Area::Certificate, what, "ask for a new one with `kerbside key csr`")
        }
        _ => Finding::good(Area::Certificate, format!("{shown}: valid until {}", date(ends_s))),
    }
}

fn date(s: i64) -> String {
    kerbside_domain::time::rfc3339(s.saturating_mul(1000), 0).get(..10).unwrap_or_default().to_owned()
}

fn key(path: &Path) -> Finding {
    let shown = format!("key_file {}", path.display());
    match kerbside_link::tls::holds_private_key(path) {
        Ok(true) => Finding::good(Area::Certificate, format!("{shown}: holds a private key")),
        Ok(false) => Finding::wrong(
            Area::Certificate,
            format!("{shown}: holds no private key"),
            "it must be PEM, PKCS#8 or PKCS#1",
        ),
        Err(e) => Finding::wrong(
            Area::Certificate,
            format!("{shown}: {e}"),
            "the user of the service must be able to read it",
        ),
    }
}
