//! `kerbside key new` and `key show FILE`: makes a key of the centre, or shows the public half of one.

use std::io::Write;
use std::path::Path;

use kerbside_crypto::sign::SigningKey;
use kerbside_wire::topic;

/// Makes a key and prints its public half.
pub fn new_key(file: &Path, out: &mut impl Write) -> anyhow::Result<()> {
    print(file, &SigningKey::create(file)?, out)
}

/// Prints the public half of a key, as it goes into the site file.
pub fn show_key(file: &Path, out: &mut impl Write) -> anyhow::Result<()> {
    print(file, &SigningKey::read(file)?, out)
}

fn print(path: &Path, key: &SigningKey, out: &mut impl Write) -> anyhow::Result<()> {
    let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    writeln!(
        out,
        "[[centre.key]]\nid = {:?}\npublic = \"{}\"",
        topic::word(&name).to_lowercase(),
        key.public()
    )?;
    Ok(())
}
