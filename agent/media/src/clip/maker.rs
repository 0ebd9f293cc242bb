//! The parent's side of `capture --clip`: gives a job to a child and waits for its answer, never longer than the limit.

use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, select};

use crate::clip_job::{ClipJob, ClipOutput};
use crate::parent::{CaptureProgram, start_clip};
use crate::proto::{self, ClipAnswer, ClipMessage, Greeting, ProtoError, StreamHeader};
use crate::tuning::CLIP_LIMIT;

/// How clips are made: in the program by a child process, in tests by a closure.
pub type ClipMaker = Box<dyn FnMut(&ClipJob) -> Result<ClipOutput, String> + Send>;

/// Makes clips in child processes.
pub fn in_child(program: CaptureProgram) -> ClipMaker {
    Box::new(move |job| make(&program, CLIP_LIMIT, job).map_err(|error| error.to_string()))
}

/// A job came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClipError {
    #[error("cannot start {program}: {cause}")]
    Start { program: String, cause: std::io::Error },
    #[error("{path}: {cause}")]
    File { path: String, cause: std::io::Error },
    #[error("the child took longer than {limit_s} s")]
    TooLong { limit_s: f64 },
    #[error("the child ended without an answer ({packets} packets, codec {codec})")]
    NoAnswer { packets: usize, codec: String },
    #[error(transparent)]
    Proto(#[from] ProtoError),
}

/// Has a child write the files of a job. Each still has its own result; a clip that fails is logged and counts as not written.
///
/// The files are made here, empty: the child can write these and no others. What it leaves empty is removed again.
pub fn make(program: &CaptureProgram, limit: Duration, job: &ClipJob) -> Result<ClipOutput, ClipError> {
    let files: Vec<&Path> = job
        .clip
        .iter()
        .chain(job.stills.iter().map(|still| &still.path))
        .map(|path| path.as_path())
        .collect();
    for path in &files {
        make_empty(path).map_err(|cause| ClipError::File { path: path.display().to_string(), cause })?;
    }
    let made = in_time(program, limit, job, &files);
    for path in files {
        if std::fs::metadata(path).is_ok_and(|file| file.len() == 0) {
            // It says nothing; whoever wants the file reads in the answer that it is not there.
            let _ = std::fs::remove_file(path);
        }
    }
    made.map(output)
}

/// In place of what an earlier job left, and never through a link that somebody put there.
fn make_empty(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    std::fs::File::create_new(path).map(drop)
}

/// What a clip child says.
enum Said {
    Greeting(Greeting),
    Answer(ClipAnswer),
}

fn in_time(
    program: &CaptureProgram,
    limit: Duration,
    job: &ClipJob,
    files: &[&Path],
) -> Result<ClipAnswer, ClipError> {
    let start = |cause| ClipError::Start { program: program.path.display().to_string(), cause };
    let timeout = crossbeam_channel::after(limit);
    let (sender, said) = crossbeam_channel::bounded(2);
    let mut child = start_clip(program, files, move |stdout| relay(stdout, &sender)).map_err(start)?;
    let next = || next(&said, &timeout, limit, job);
    let Said::Greeting(greeting) = next()? else { return Err(no_answer(job)) };
    if greeting.version != proto::VERSION {
        return Err(ProtoError::Version { theirs: greeting.version }.into());
    }
    child.greeted(&greeting)?;
    let stdin = child.stdin();
    std::thread::scope(|scope| {
        // Writing blocks. It ends when the child does, also when we kill it.
        scope.spawn(|| {
            // A failed write needs no report: the child died, and its missing answer is the error.
            let _ = stdin.map(|stdin| send_job(stdin, job));
        });
        let answer = next();
        drop(child);
        match answer? {
            Said::Answer(answer) if answer.stills.len() == job.stills.len() => Ok(answer),
            Said::Answer(_) | Said::Greeting(_) => Err(no_answer(job)),
        }
    })
}

fn next(
    said: &Receiver<Result<Option<Said>, ProtoError>>,
    timeout: &Receiver<std::time::Instant>,
    limit: Duration,
    job: &ClipJob,
) -> Result<Said, ClipError> {
    let message = select! {
        recv(said) -> message => message,
        recv(timeout) -> _ => return Err(ClipError::TooLong { limit_s: limit.as_secs_f64() }),
    };
    match message {
        Ok(Ok(Some(said))) => Ok(said),
        Ok(Err(error)) => Err(error.into()),
        Ok(Ok(None)) | Err(_) => Err(no_answer(job)),
    }
}

fn no_answer(job: &ClipJob) -> ClipError {
    ClipError::NoAnswer { packets: job.packets.len(), codec: job.stream.codec.clone() }
}

/// On the child's own thread: greeting, answer, and then its end, since the child dies with this thread.
fn relay(mut stdout: ChildStdout, said: &Sender<Result<Option<Said>, ProtoError>>) {
    let greeting = proto::read_message(&mut stdout).map(|m| m.map(|(greeting, _)| Said::Greeting(greeting)));
    let _ = said.send(greeting);
    let answer = proto::read_message(&mut stdout).map(|m| m.map(|(answer, _)| Said::Answer(answer)));
    let _ = said.send(answer);
    let _ = std::io::copy(&mut stdout, &mut std::io::sink());
}

fn output(answer: ClipAnswer) -> ClipOutput {
    if let Some(Err(why)) = &answer.clip {
        tracing::warn!(why, "clip not written");
    }
    let clip = answer.clip.and_then(Result::ok);
    ClipOutput { clip, stills: answer.stills.into_iter().map(|still| still.map(|info| info.pts)).collect() }
}

fn send_job(stdin: ChildStdin, job: &ClipJob) -> Result<(), ProtoError> {
    let mut out = BufWriter::with_capacity(256 * 1024, stdin);
    let (clip, stills) = (job.clip.clone(), job.stills.clone());
    let header = ClipMessage::Job { stream: StreamHeader::of(&job.stream), clip, stills };
    proto::write_message(&mut out, &header, &[&job.stream.extradata])?;
    for p in &job.packets {
        let (key, refresh, damaged) = (p.key, p.refresh, p.damaged);
        let (pts, dts, duration) = (p.pts, p.dts, p.duration);
        let header = ClipMessage::Packet { pts, dts, duration, key, refresh, damaged };
        proto::write_message(&mut out, &header, &[&p.data])?;
    }
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use kerbside_domain::frame::{Packet, StreamInfo, Turn};
    use kerbside_domain::time::Moment;

    fn job() -> ClipJob {
        let stream = StreamInfo {
            epoch: 1,
            codec: "h264".into(),
            width: 64,
            height: 36,
            turn: Turn::NONE,
            time_base: (1, 1000),
            fps: 25.0,
            extradata: Bytes::new(),
        };
        let at = Moment::default();
        let data = Bytes::from(vec![0; 200_000]);
        let (epoch, key, refresh, damaged) = (1, true, 0, false);
        let packets = vec![Packet { epoch, pts: 0, dts: 0, duration: 40, key, refresh, damaged, at, data }];
        ClipJob { stream, packets, clip: None, stills: Vec::new() }
    }

    fn sh(script: &str) -> CaptureProgram {
        let args = vec!["-c".into(), script.into()];
        CaptureProgram { path: "/bin/sh".into(), args, ..CaptureProgram::default() }
    }

    #[test]
    fn a_child_that_dies_or_talks_nonsense_is_an_error_with_its_facts() {
        let limit = Duration::from_secs(60);
        let error = make(&sh("exit 1"), limit, &job()).unwrap_err();
        assert_eq!(error.to_string(), "the child ended without an answer (1 packets, codec h264)");
        let error = make(&sh("echo hello"), limit, &job()).unwrap_err();
        assert_eq!(error.to_string(), "not a message: magic [68, 65, 6c, 6c]");
        let none = CaptureProgram::of("/nonexistent/kerbside");
        let error = make(&none, limit, &job()).unwrap_err();
        assert!(error.to_string().starts_with("cannot start /nonexistent/kerbside: "), "{error}");
    }

    #[test]
    fn a_child_that_hangs_is_killed_at_the_limit() {
        let error = make(&sh("exec sleep 1000"), Duration::from_millis(50), &job()).unwrap_err();
        assert_eq!(error.to_string(), "the child took longer than 0.05 s");
    }
}
