//! Chains of certificates, made by openssl: what is wrong with one is named before any verifier sees it.

#![allow(clippy::unwrap_used)] // What fails here fails the test.

use std::path::Path;

use anyhow::{Context as _, Result};
use kerbside_c2pa::{Chain, Problem, request};
use kerbside_crypto::sign::SigningKey;
use kerbside_crypto::testing::key;
use kerbside_testkit::claim_certificate;

/// `chain.pem` for this key, its parts beside it; with `purposes` for those alone.
fn made(dir: &Path, key: &SigningKey, purposes: &str) -> Result<Chain> {
    std::fs::write(dir.join("box.csr"), request(key, None, "box-1")?)?;
    claim_certificate(dir, &dir.join("box.csr"), purposes)?;
    Chain::read(&dir.join("chain.pem"))?.context("no chain")
}

fn joined(dir: &Path, names: &[&str]) -> Result<Chain> {
    let parts =
        names.iter().map(|name| std::fs::read_to_string(dir.join(name))).collect::<Result<String, _>>()?;
    Ok(Chain::from_pem(parts.as_bytes())?)
}

fn texts(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(Problem::to_string).collect()
}

#[test]
fn a_chain_of_an_authority_has_no_problems_and_comes_out_as_it_went_in() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let chain = made(dir.path(), &key(), "")?;
    assert_eq!(chain.problems(&key().public()), []);
    let (begins, ends) = chain.validity_s();
    assert_eq!(ends - begins, 5 * 86_400, "it ends with its leaf");
    assert_eq!(chain.names(), ("CN=box-1".to_owned(), "CN=middle,O=City".to_owned()));
    assert_eq!(Chain::from_pem(chain.to_pem()?.as_bytes())?, chain);
    assert_eq!(joined(dir.path(), &["leaf.pem", "middle.pem"])?, chain, "the root goes without saying");
    Ok(())
}

#[test]
fn what_verifiers_would_refuse_is_named() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let dir = dir.path();
    let public = key().public();
    made(dir, &key(), "")?;
    let other = SigningKey::create(&dir.join("other.key"))?.public();
    let leaf_first = joined(dir, &["leaf.pem", "middle.pem"])?;
    assert_eq!(texts(&leaf_first.problems(&other)), ["certificate 1 is not for the key of this box"]);

    let swapped = texts(&joined(dir, &["middle.pem", "leaf.pem"])?.problems(&public));
    for problem in [
        "certificate 1 is not for the key of this box",
        "certificate 1: it is that of an authority",
        "certificate 1: the extended key usage claimSigning (1.3.6.1.4.1.62558.2.1) is missing",
        "certificate 2: it is not that of an authority",
        "certificate 2: the key usage keyCertSign is missing",
        "certificate 1 is not signed by certificate 2: it was issued by \"CN=root,O=City\", the next is \"CN=box-1\"",
    ] {
        assert!(swapped.iter().any(|p| p == problem), "{problem} is not among {swapped:#?}");
    }

    made(dir, &key(), "emailProtection,1.3.6.1.5.5.7.3.36")?;
    let purposes = texts(&joined(dir, &["leaf.pem", "middle.pem"])?.problems(&public));
    assert_eq!(
        purposes,
        ["certificate 1: the extended key usage claimSigning (1.3.6.1.4.1.62558.2.1) is missing"]
    );
    Ok(())
}

/// Two authorities of one name: the leaf of one below the other.
#[test]
fn a_leaf_below_another_authority_of_the_same_name_is_found() -> Result<()> {
    let (one, other) = (tempfile::tempdir()?, tempfile::tempdir()?);
    made(one.path(), &key(), "")?;
    made(other.path(), &key(), "")?;
    std::fs::copy(other.path().join("middle.pem"), one.path().join("other.pem"))?;
    let chain = joined(one.path(), &["leaf.pem", "other.pem"])?;
    assert_eq!(
        texts(&chain.problems(&key().public())),
        ["certificate 1 is not signed by certificate 2: it names another key of its authority"]
    );
    // With the same identifiers the signature decides: one byte of it is changed.
    let mut pem = std::fs::read_to_string(one.path().join("leaf.pem"))?;
    let at = pem.trim_end().len() - "-----END CERTIFICATE-----".len() - 9;
    let flipped = if pem.as_bytes()[at] == b'A' { "B" } else { "A" };
    pem.replace_range(at..=at, flipped);
    std::fs::write(one.path().join("leaf.pem"), pem)?;
    let chain = joined(one.path(), &["leaf.pem", "middle.pem"])?;
    assert_eq!(
        texts(&chain.problems(&key().public())),
        ["certificate 1 is not signed by certificate 2: the signature is wrong"]
    );
    Ok(())
}

#[test]
fn what_is_no_chain_is_said() {
    assert!(Chain::read(Path::new("/nonexistent/chain.pem")).unwrap().is_none());
    let key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
    let large = "x".repeat(65 * 1024);
    for (text, why) in [
        ("", "it holds 0 certificates"),
        ("something else", "it holds 0 certificates"),
        (key, "it holds a PRIVATE KEY"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "certificate 1: "),
        ("-----BEGIN CERTIFICATE-----\nnot base64\n", "certificate 1: "),
        (large.as_str(), "more than 65536 bytes"),
    ] {
        let error = Chain::from_pem(text.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(why), "{text:.40}: {error}");
        assert!(error.contains("a chain is PEM, the certificate of the box first"), "{error}");
    }
}
