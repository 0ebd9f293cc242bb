//! Tries out how well a child is confined: starts one as any other and tells it to do what it must not be able to.

use std::process::ExitStatus;

use super::cell::{Cell, Ports};
use super::enclosure::{self, Sealed};
use super::program::CaptureProgram;
use super::{said, start};
use crate::confinement::Confinement;
use crate::proto::{self, Act, Greeting, ProbeAnswer, ProtoError, Stage};

/// What became of an act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeOutcome {
    /// It succeeded.
    Done,
    /// It was refused, and with what.
    Denied(String),
    /// The kernel ended the child for trying.
    Killed,
}

/// The probe itself failed.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    #[error("cannot start {program}: {cause}")]
    Start { program: String, cause: std::io::Error },
    #[error("the probe ended without an answer: {status}")]
    NoAnswer { status: ExitStatus },
    #[error(transparent)]
    Proto(#[from] ProtoError),
}

/// Has a child of `program` try `act`. `port`: of the camera that it counts as watching.
pub fn probe(
    program: &CaptureProgram,
    stage: Stage,
    port: u16,
    act: &Act,
) -> Result<ProbeOutcome, ProbeError> {
    run(program, stage, port, act).map(|(outcome, _)| outcome)
}

/// What stands around a child of `program` that watches a camera on a network, as a child really started finds it.
pub fn confinement(program: &CaptureProgram) -> Result<Confinement, ProbeError> {
    run(program, Stage::Watching, 554, &Act::Nothing).map(|(_, stands)| stands)
}

fn run(
    program: &CaptureProgram,
    stage: Stage,
    port: u16,
    act: &Act,
) -> Result<(ProbeOutcome, Confinement), ProbeError> {
    let failed = |cause| ProbeError::Start { program: program.path.display().to_string(), cause };
    let mut command = program.command();
    command.args(["--probe", stage.name()]);
    let (ports, newest_abi) = match stage {
        Stage::Opening | Stage::Watching => (Ports::Only(vec![port, 53]), program.walls.newest_abi),
        Stage::Clip => (Ports::Only(Vec::new()), program.walls.newest_abi),
        Stage::Devices => (Ports::Any, program.walls.newest_abi),
        Stage::Free => (Ports::Any, 0),
    };
    let cell = Cell { ports, newest_abi, devices: stage == Stage::Devices, ..program.cell() };
    let (sender, said_of_it) = crossbeam_channel::bounded(2);
    let mut started = start::start(command, cell, "probe-pipe", move |mut stdout| {
        let greeting =
            proto::read_message(&mut stdout).map(|m| m.map(|(greeting, _)| Heard::Greeting(greeting)));
        // Whoever listens knows from a missing message that it failed.
        let _ = sender.send(greeting);
        let answer = proto::read_message(&mut stdout).map(|m| m.map(|(answer, _)| Heard::Answer(answer)));
        let _ = sender.send(answer);
        let _ = std::io::copy(&mut stdout, &mut std::io::sink());
    })
    .map_err(failed)?;
    said::log("probe".to_owned(), started.stderr.take());
    let greeting = match said_of_it.recv() {
        Ok(Ok(Some(Heard::Greeting(greeting)))) => greeting,
        Ok(Err(error)) => return Err(error.into()),
        Ok(Ok(_)) | Err(_) => return Err(no_answer(&mut started)),
    };
    if let Some(mut stdin) = started.child.stdin.take() {
        proto::write_message(&mut stdin, act, &[])?;
    }
    let outcome = match said_of_it.recv() {
        Ok(Ok(Some(Heard::Answer(ProbeAnswer { denied: None })))) => ProbeOutcome::Done,
        Ok(Ok(Some(Heard::Answer(ProbeAnswer { denied: Some(why) })))) => ProbeOutcome::Denied(why),
        Ok(_) | Err(_) if was_killed(&mut started) => ProbeOutcome::Killed,
        Ok(Err(error)) => return Err(error.into()),
        Ok(Ok(_)) | Err(_) => return Err(no_answer(&mut started)),
    };
    let stands = enclosure::confinement(&started.entered, &greeting, &Sealed::Yes);
    let _ = started.child.wait();
    Ok((outcome, stands))
}

/// One of the two messages of a probe.
enum Heard {
    Greeting(Greeting),
    Answer(ProbeAnswer),
}

/// By the signal that a filter of system calls sends.
fn was_killed(started: &mut start::Started) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    const SIGSYS: i32 = 31;
    started.child.wait().is_ok_and(|status| status.signal() == Some(SIGSYS))
}

fn no_answer(started: &mut start::Started) -> ProbeError {
    let _ = started.child.kill();
    match started.child.wait() {
        Ok(status) => ProbeError::NoAnswer { status },
        Err(cause) => ProbeError::Start { program: "the probe".to_owned(), cause },
    }
}
