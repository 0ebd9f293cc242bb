//! The certificate files of a site: in whose name and for how long they count, and whether they were replaced. Opens no connection.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use kerbside_domain::time::rfc3339;
use kerbside_site::config::Tls;

pub use crate::tuning::EXPIRY_WARNING_S;

/// All certificates of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// A chain is as old as its oldest part, and counts from its newest; Unix time, s.
    pub begins_s: i64,
    pub ends_s: i64,
    /// The CN of the first.
    pub common_name: Option<String>,
}

impl Chain {
    /// `Ok(None)`: there is none in the file.
    pub fn read(path: &Path) -> Result<Option<Chain>, String> {
        let read = CertificateDer::pem_file_iter(path).map_err(|e| e.to_string())?.map(|der| {
            let der = der.map_err(|e| e.to_string())?;
            Certificate::from_der(&der).map_err(|e| format!("not a certificate: {e}"))
        });
        let all = read.collect::<Result<Vec<_>, String>>()?;
        let validity = |c: &Certificate| c.tbs_certificate.validity;
        let begins = all.iter().map(|c| seconds(validity(c).not_before.to_unix_duration())).max();
        let ends = all.iter().map(|c| seconds(validity(c).not_after.to_unix_duration())).min();
        let common_name = all.first().and_then(common_name);
        Ok(begins.zip(ends).map(|(begins_s, ends_s)| Chain { begins_s, ends_s, common_name }))
    }
}

fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

/// The CN (2.5.4.3) of the subject.
fn common_name(certificate: &Certificate) -> Option<String> {
    let subject = &certificate.tbs_certificate.subject;
    let attribute = subject.0.iter().flat_map(|rdn| rdn.0.iter()).find(|a| a.oid.to_string() == "2.5.4.3")?;
    String::from_utf8(attribute.value.value().to_vec()).ok()
}

fn chains(tls: &Tls) -> impl Iterator<Item = (&Path, Chain)> {
    let files = [Some(&tls.ca_file), tls.cert_file.as_ref()].into_iter().flatten();
    files.filter_map(|path| Some((path.as_path(), Chain::read(path).ok()??)))
}

/// It is later than that, whatever the clock says: what the box holds was made by then. Unix time, s.
pub fn no_earlier_than_s(tls: &Tls) -> i64 {
    let put_there = [Some(&tls.ca_file), tls.cert_file.as_ref()].into_iter().flatten();
    let put_there = put_there.filter_map(|path| Some(path.metadata().ok()?.mtime()));
    chains(tls).map(|(_, chain)| chain.begins_s).chain(put_there).max().unwrap_or(0)
}

/// When the first of them ends. Unix time, s.
pub fn ends_s(tls: &Tls) -> Option<i64> {
    chains(tls).map(|(_, chain)| chain.ends_s).min()
}

/// What a person should know soon: files that have expired or will.
pub fn warnings(tls: &Tls, now_s: i64) -> Vec<String> {
    let date = |s: i64| rfc3339(s.saturating_mul(1000), 0).get(..10).unwrap_or_default().to_owned();
    let say = |(path, chain): (&Path, Chain)| match chain.ends_s - now_s {
        left if left >= EXPIRY_WARNING_S => None,
        left if left < 0 => Some(format!("{} expired on {}", path.display(), date(chain.ends_s))),
        left => {
            Some(format!("{} expires in {} days, on {}", path.display(), left / 86_400, date(chain.ends_s)))
        }
    };
    chains(tls).filter_map(say).collect()
}

/// Shows that a file was replaced: its inode, length and time of change; `None`: it is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamps(Vec<Option<(u64, u64, i64, i64)>>);

impl Stamps {
    pub fn of<'a>(files: impl Iterator<Item = &'a Path>) -> Stamps {
        let stamp = |file: &Path| {
            let m = file.metadata().ok()?;
            Some((m.ino(), m.len(), m.mtime(), m.mtime_nsec()))
        };
        Stamps(files.map(stamp).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_warned_of_in_time_and_dates_the_box() {
        let dir = tempfile::tempdir().unwrap();
        kerbside_testkit::certificates(dir.path(), &["server", "mh-xz-017"]).unwrap();
        let file = |name: &str| dir.path().join(name);
        let tls = Tls { ca_file: file("ca.pem"), cert_file: Some(file("mh-xz-017.pem")), key_file: None };
        let own = Chain::read(&file("mh-xz-017.pem")).unwrap().unwrap();
        assert_eq!((own.common_name.as_deref(), own.ends_s - own.begins_s), (Some("mh-xz-017"), 2 * 86_400));
        assert_eq!(ends_s(&tls), Chain::read(&file("ca.pem")).unwrap().map(|ca| ca.ends_s.min(own.ends_s)));
        // A box whose clock stands at 1970 takes the time from what it was given.
        assert!(no_earlier_than_s(&tls) >= own.begins_s);
        let said = |now_s| warnings(&tls, now_s).join("; ");
        assert!(said(own.begins_s).contains("mh-xz-017.pem expires in 2 days"), "{}", said(own.begins_s));
        assert!(said(own.ends_s + 5).contains("mh-xz-017.pem expired on"));
        assert_eq!(said(own.begins_s - 40 * 86_400), "");
    }

    #[test]
    fn a_replaced_file_shows() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("box.pem");
        let stamps = || Stamps::of([file.as_path()].into_iter());
        let missing = stamps();
        std::fs::write(&file, "a").unwrap();
        let first = stamps();
        assert!(missing != first && first == stamps());
        let other = dir.path().join("new.pem");
        std::fs::write(&other, "b").unwrap();
        std::fs::rename(&other, &file).unwrap();
        assert_ne!(first, stamps());
    }
}
