//! `kerbside key`: makes a key of the centre, or shows the public half of one.

use std::io::Write;
use std::path::Path;

use kerbside_crypto::sign::SigningKey;
use kerbside_wire::topic;

use crate::cli::KeyCommand;

/// `kerbside key`: makes a key, or shows the public half of one.
pub fn key_command(args: &KeyCommand, out: &mut impl Write) -> anyhow::Result<()> {
    let (path, key): (&Path, _) = match args {
        KeyCommand::New { file } => (file, SigningKey::create(file)?),
        KeyCommand::Show { file } => (file, SigningKey::read(file)?),
    };
    let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    writeln!(
        out,
        "[[centre.key]]\nid = {:?}\npublic = \"{}\"",
        topic::word(&name).to_lowercase(),
        key.public()
    )?;
    Ok(())
}
