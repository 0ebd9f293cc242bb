//! Inspect: `kerbside journal`, for whoever must know what a box said and whether its trace is whole. Reads only.

mod segments;
mod show;
mod verify;

#[cfg(test)]
mod forgery_tests;
#[cfg(test)]
mod tests;

use std::io::Write;

use crate::cli::{JournalCommand, exit};

/// Runs the command, writing to `out`; the exit code.
pub fn run(command: &JournalCommand, out: &mut impl Write) -> anyhow::Result<u8> {
    match command {
        JournalCommand::Verify(args) => verify::run(args, out),
        JournalCommand::Show(args) => show::run(args, out).map(|()| exit::OK),
    }
}
