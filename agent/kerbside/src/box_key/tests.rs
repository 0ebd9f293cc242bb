//! A box asks for a certificate, gets one, and refuses one that is not its own or has expired.

use kerbside_testkit::claim_certificate;

use super::*;

fn site(dir: &Path) -> Site {
    let site = crate::app::tests::site(dir);
    std::fs::create_dir_all(&site.device.data_dir).unwrap();
    site
}

fn said(print: impl FnOnce(&mut Vec<u8>) -> anyhow::Result<()>) -> String {
    let mut out = Vec::new();
    print(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_chain_is_asked_for_made_and_installed() {
    let dir = tempfile::tempdir().unwrap();
    let site = site(dir.path());
    let error = csr(&site, None, &mut Vec::new()).unwrap_err().to_string();
    assert!(error.contains("first `kerbside run`"), "{error}");

    let key = SigningKey::create(&site.device.data_dir.join(KEY_FILE)).unwrap();
    let shown = said(|out| show(&site, out));
    assert!(shown.contains(&key.public().to_string()), "{shown}");
    assert!(
        shown.contains("\nfingerprint sha256:") && shown.contains("-----BEGIN PUBLIC KEY-----"),
        "{shown}"
    );

    let request = dir.path().join("box.csr");
    std::fs::write(&request, said(|out| csr(&site, Some("闵行区"), out))).unwrap();
    claim_certificate(dir.path(), &request, "").unwrap();
    let chain = dir.path().join("chain.pem");
    let (begins_s, ends_s) = Chain::read(&chain).unwrap().unwrap().validity_s();

    let install = |now_s: i64| {
        let mut installed = false;
        let text = said(|out| {
            installed = install_chain(&site, &chain, now_s, out)?;
            Ok(())
        });
        (installed, text)
    };
    let (installed, text) = install(ends_s + 1);
    assert!(!installed && text.contains("it expired on ") && text.contains("not installed"), "{text}");
    assert!(!site.chain_file().exists());
    // A box whose clock stands at 1970 gets its chain all the same.
    let (installed, text) = install(0);
    assert!(installed && text.contains("not valid yet: is the clock"), "{text}");
    let (installed, text) = install(begins_s + 1);
    assert!(
        installed && text.contains("vouched for by CN=middle,O=City") && text.contains("闵行区"),
        "{text}"
    );
    let kept = Chain::read(&site.chain_file()).unwrap().unwrap();
    assert_eq!(kept.problems(&key.public()), []);

    // The chain of another box.
    std::fs::remove_file(site.device.data_dir.join(KEY_FILE)).unwrap();
    SigningKey::create(&site.device.data_dir.join(KEY_FILE)).unwrap();
    let (installed, text) = install(begins_s + 1);
    assert!(!installed && text.contains("certificate 1 is not for the key of this box"), "{text}");
    assert!(text.contains("`kerbside key csr` prints on this box"), "{text}");
}
