//! Sign: Ed25519 keys of the centre's people and of the box: made, kept in files, used. Knows nothing of what is signed.
//!
//! Private keys are PKCS#8 in PEM, as `openssl genpkey -algorithm ed25519` writes them too. Public keys are text: `ed25519:`
//! and 64 hex digits, or a PEM file for tools that are not ours. Signatures are 128 hex digits, or their 64 bytes in a file
//! beside what was signed.

use std::fmt;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use x509_cert::der::pem;

/// PKCS#8 of a bare Ed25519 seed (RFC 8410, section 7), which follows.
const PKCS8_HEAD: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
const LABEL: &str = "PRIVATE KEY";
/// SubjectPublicKeyInfo of an Ed25519 key (RFC 8410, section 4), whose 32 bytes follow.
const SPKI_HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const PUBLIC_LABEL: &str = "PUBLIC KEY";
const SCHEME: &str = "ed25519:";

/// What can go wrong with a key file.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It cannot be read or written.
    #[error("key file {path}: {cause}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// It holds something else.
    #[error("key file {path}: {why}; an Ed25519 private key in PEM (PKCS#8) is expected")]
    NotAKey {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// No key can be made.
    #[error("the system gives no random numbers")]
    Random,
}

/// Whose signature is believed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// `ed25519:` and 64 hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        bytes_of(text.strip_prefix(SCHEME)?).map(PublicKey)
    }

    /// A key as a person gives it: `ed25519:` and 64 hex digits, the digits alone, or a PEM text.
    pub fn from_text(text: &str) -> Option<Self> {
        let text = text.trim();
        PublicKey::parse(text).or_else(|| bytes_of(text).map(PublicKey)).or_else(|| PublicKey::from_pem(text))
    }

    /// The key in a PEM text (`BEGIN PUBLIC KEY`).
    pub fn from_pem(text: &str) -> Option<Self> {
        let (label, der) = pem::decode_vec(text.as_bytes()).ok()?;
        let key = der.strip_prefix(&SPKI_HEAD).filter(|_| label == PUBLIC_LABEL)?;
        key.try_into().ok().map(PublicKey)
    }

    /// As `openssl pkey -pubin` reads it.
    pub fn to_pem(&self) -> String {
        let der = [SPKI_HEAD.as_slice(), &self.0].concat();
        // Only an encoding longer than memory fails.
        pem::encode_string(PUBLIC_LABEL, pem::LineEnding::LF, &der).unwrap_or_default()
    }

    /// The key as RFC 8032 writes it.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether `signature` (128 hex digits) is this key's over `message`.
    pub fn verifies(&self, message: &[u8], signature: &str) -> bool {
        bytes_of::<64>(signature).is_some_and(|signature| self.verifies_bytes(message, &signature))
    }

    /// The same with the bytes of a signature.
    pub fn verifies_bytes(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }
}

impl Serialize for PublicKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        PublicKey::parse(&text).ok_or_else(|| serde::de::Error::custom("not ed25519:<64 hex>"))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SCHEME)?;
        f.write_str(&crate::hash::hex(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A key of the centre, as the site names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CentreKey {
    /// The name that a message gives in `keyid`.
    pub id: String,
    /// Its public half.
    pub public: PublicKey,
    /// What it may sign, in the words of who asks; `None`: everything.
    pub scope: Option<Vec<String>>,
    /// It counts from then on, wall clock, ms.
    pub not_before_ms: Option<i64>,
    /// It counts until then, wall clock, ms.
    pub not_after_ms: Option<i64>,
}

impl CentreKey {
    /// One that may sign everything, for ever.
    pub fn new(id: impl Into<String>, public: PublicKey) -> Self {
        CentreKey { id: id.into(), public, scope: None, not_before_ms: None, not_after_ms: None }
    }

    /// Whether one of these words is within its scope.
    pub fn may_sign(&self, words: &[&str]) -> bool {
        let Some(scope) = &self.scope else { return true };
        scope.iter().any(|allowed| words.contains(&allowed.as_str()))
    }

    /// Whether it counts at that time.
    pub fn counts_at(&self, wall_ms: i64) -> bool {
        self.not_before_ms.is_none_or(|from| from <= wall_ms)
            && self.not_after_ms.is_none_or(|to| wall_ms < to)
    }
}

/// A private key. Never shown.
pub struct SigningKey(Ed25519KeyPair);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public())
    }
}

impl SigningKey {
    /// Reads a key file.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let file = |cause| KeyError::File { path: path.to_owned(), cause };
        let not = |why: String| KeyError::NotAKey { path: path.to_owned(), why };
        SigningKey::from_pem(&std::fs::read(path).map_err(file)?).map_err(not)
    }

    /// The key in a PEM text; the error says why there is none.
    pub fn from_pem(text: &[u8]) -> Result<Self, String> {
        let (label, der) = pem::decode_vec(text).map_err(|e| e.to_string())?;
        if label != LABEL {
            return Err(format!("it holds a {label}"));
        }
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map(SigningKey).map_err(|e| e.to_string())
    }

    /// Makes a key and writes it to a new file that only its owner can read, durably.
    pub fn create(path: &Path) -> Result<Self, KeyError> {
        let mut der = PKCS8_HEAD.to_vec();
        let mut seed = [0u8; 32];
        SystemRandom::new().fill(&mut seed).map_err(|_| KeyError::Random)?;
        der.extend_from_slice(&seed);
        let not = |why: String| KeyError::NotAKey { path: path.to_owned(), why };
        let text = pem::encode_string(LABEL, pem::LineEnding::LF, &der).map_err(|e| not(e.to_string()))?;
        let written =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).and_then(
                |mut file| {
                    file.write_all(text.as_bytes())?;
                    file.sync_all()
                },
            );
        written.map_err(|cause| KeyError::File { path: path.to_owned(), cause })?;
        SigningKey::read(path)
    }

    /// The key of that file, made at the first call. A file that holds no key is never overwritten.
    pub fn read_or_create(path: &Path) -> Result<Self, KeyError> {
        match SigningKey::read(path) {
            Err(KeyError::File { cause, .. }) if cause.kind() == std::io::ErrorKind::NotFound => {
                let key = SigningKey::create(path)?;
                let folder = path.parent().unwrap_or(Path::new("."));
                let synced = std::fs::File::open(folder).and_then(|f| f.sync_all());
                synced.map_err(|cause| KeyError::File { path: folder.to_owned(), cause })?;
                Ok(key)
            }
            read => read,
        }
    }

    /// Its public half.
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.public_key().as_ref());
        PublicKey(bytes)
    }

    /// 128 hex digits.
    pub fn sign(&self, message: &[u8]) -> String {
        crate::hash::hex(&self.sign_bytes(message))
    }

    /// The 64 bytes of the signature, as other people's tools expect them in a file.
    pub fn sign_bytes(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }
}

fn bytes_of<const N: usize>(hex: &str) -> Option<[u8; N]> {
    if hex.len() != 2 * N || !hex.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c)) {
        return None;
    }
    let mut out = [0u8; N];
    for (byte, pair) in out.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::key;

    #[test]
    fn rfc_8032_test_1() {
        let key = key();
        assert_eq!(
            key.public().to_string(),
            "ed25519:d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
        let signature = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
        assert_eq!(key.sign(b""), signature);
        assert!(key.public().verifies(b"", signature));
        for (message, signature) in [
            (&b"x"[..], signature.to_owned()),
            (b"", signature.replace("e5", "e4")),
            (b"", signature.to_uppercase()),
            (b"", String::new()),
            (b"", format!("{signature}00")),
        ] {
            assert!(!key.public().verifies(message, &signature), "{signature}");
        }
    }

    #[test]
    fn a_key_file_is_made_once_for_its_owner_alone_and_never_overwritten() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("box.key");
        let made = SigningKey::read_or_create(&path).unwrap().public();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(SigningKey::read_or_create(&path).unwrap().public(), made);
        assert!(matches!(SigningKey::create(&path), Err(KeyError::File { .. })));
        std::fs::write(&path, "rubbish").unwrap();
        assert!(matches!(SigningKey::read_or_create(&path), Err(KeyError::NotAKey { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), b"rubbish");
    }

    #[test]
    fn a_person_gives_a_public_key_in_three_forms() {
        let public = key().public();
        let text = public.to_string();
        let pem = public.to_pem();
        assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA"), "{pem}");
        for form in [text.as_str(), text.trim_start_matches("ed25519:"), &pem, &format!("  {text}\n")] {
            assert_eq!(PublicKey::from_text(form), Some(public), "{form}");
        }
        for wrong in ["", "ed25519", &pem.replace("PUBLIC", "PRIVATE"), &pem.replace("MCow", "MCox")] {
            assert_eq!(PublicKey::from_text(wrong), None, "{wrong}");
        }
        assert!(public.verifies_bytes(b"x", &key().sign_bytes(b"x")));
        assert!(!public.verifies_bytes(b"y", &key().sign_bytes(b"x")));
        assert!(!public.verifies_bytes(b"x", b""));
    }

    #[test]
    fn public_keys_are_text_of_one_form() {
        let text = key().public().to_string();
        assert_eq!(PublicKey::parse(&text).unwrap().to_string(), text);
        for wrong in ["", "ed25519:", &text.to_uppercase(), &text[8..], &format!("{text}0")] {
            assert!(PublicKey::parse(wrong).is_none(), "{wrong}");
        }
    }
}
