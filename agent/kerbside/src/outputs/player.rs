//! A program of the box plays a sound file: `aplay -q file`.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::error::OutputError;

/// A sound that plays longer is stopped; what was heard of it counts.
const LONGEST: Duration = Duration::from_secs(60);

/// Plays to the end. The program gets no input and its own words go nowhere: its exit status says how it went.
pub(super) async fn play(program: &[String], file: &Path) -> Result<(), OutputError> {
    let (name, arguments) = program.split_first().ok_or(OutputError::Unknown)?;
    let mut command = Command::new(name);
    command.args(arguments).arg(file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| OutputError::Start(name.clone(), error))?;
    match tokio::time::timeout(LONGEST, child.wait()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(OutputError::Ended(name.clone(), status)),
        Ok(Err(error)) => Err(OutputError::Start(name.clone(), error)),
        Err(_) => {
            tracing::info!(program = name, "the sound was stopped after {} s", LONGEST.as_secs());
            Ok(())
        }
    }
}
