//! The parent's side of `capture --clip`: gives a job to a child and waits for its answer, never longer than the limit.

use std::io::{BufWriter, Write as _};
use std::process::{Child, ChildStdin, ChildStdout};
use std::time::Duration;

use crate::clip_job::{ClipJob, ClipOutput};
use crate::parent::CaptureProgram;
use crate::proto::{self, ClipAnswer, ClipMessage, ProtoError, StreamHeader};
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
    #[error("the child took longer than {limit_s} s")]
    TooLong { limit_s: f64 },
    #[error("the child ended without an answer ({packets} packets, codec {codec})")]
    NoAnswer { packets: usize, codec: String },
    #[error(transparent)]
    Proto(#[from] ProtoError),
}

/// Has a child write the files of a job. Each still has its own result; a clip that fails is logged and counts as not written.
pub fn make(program: &CaptureProgram, limit: Duration, job: &ClipJob) -> Result<ClipOutput, ClipError> {
    let start = |cause| ClipError::Start { program: program.path.display().to_string(), cause };
    let mut command = program.command();
    command.arg("--clip");
    let mut child = KillOnDrop(command.spawn().map_err(start)?);
    let (stdin, stdout) = (child.0.stdin.take(), child.0.stdout.take());
    let (sender, answers) = crossbeam_channel::bounded(1);
    std::thread::scope(|scope| {
        // Writing and reading block. Both end when the child does, also when we kill it.
        scope.spawn(|| {
            // A failed write needs no report: the child died, and its missing answer is the error.
            let _ = stdin.map(|stdin| send_job(stdin, job));
        });
        scope.spawn(|| sender.send(stdout.map(read_answer)));
        let answer = answers.recv_timeout(limit);
        drop(child);
        match answer {
            Ok(Some(Ok(Some(answer)))) => Ok(output(answer)),
            Ok(Some(Err(error))) => Err(error.into()),
            Ok(Some(Ok(None)) | None) => {
                Err(ClipError::NoAnswer { packets: job.packets.len(), codec: job.stream.codec.clone() })
            }
            Err(_) => Err(ClipError::TooLong { limit_s: limit.as_secs_f64() }),
        }
    })
}

fn output(answer: ClipAnswer) -> ClipOutput {
    if let Some(Err(why)) = &answer.clip {
        tracing::warn!(why, "clip not written");
    }
    let clip_written = matches!(answer.clip, Some(Ok(())));
    ClipOutput { clip_written, stills: answer.stills.into_iter().map(|still| still.map(drop)).collect() }
}

fn send_job(stdin: ChildStdin, job: &ClipJob) -> Result<(), ProtoError> {
    let mut out = BufWriter::with_capacity(256 * 1024, stdin);
    let (clip, stills) = (job.clip.clone(), job.stills.clone());
    let header = ClipMessage::Job { stream: StreamHeader::of(&job.stream), clip, stills };
    proto::write_message(&mut out, &header, &[&job.stream.extradata])?;
    for p in &job.packets {
        let header = ClipMessage::Packet { pts: p.pts, dts: p.dts, duration: p.duration, key: p.key };
        proto::write_message(&mut out, &header, &[&p.data])?;
    }
    Ok(out.flush()?)
}

fn read_answer(mut stdout: ChildStdout) -> Result<Option<ClipAnswer>, ProtoError> {
    Ok(proto::read_message(&mut stdout)?.map(|(answer, _)| answer))
}

/// A child that is killed and reaped when this is dropped.
struct KillOnDrop(Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use kerbside_domain::frame::{Packet, StreamInfo};
    use kerbside_domain::time::Moment;

    fn job() -> ClipJob {
        let stream = StreamInfo {
            epoch: 1,
            codec: "h264".into(),
            width: 64,
            height: 36,
            time_base: (1, 1000),
            fps: 25.0,
            extradata: Bytes::new(),
        };
        let at = Moment::default();
        let data = Bytes::from(vec![0; 200_000]);
        let packets = vec![Packet { epoch: 1, pts: 0, dts: 0, duration: 40, key: true, at, data }];
        ClipJob { stream, packets, clip: None, stills: Vec::new() }
    }

    fn sh(script: &str) -> CaptureProgram {
        CaptureProgram { path: "/bin/sh".into(), args: vec!["-c".into(), script.into()] }
    }

    #[test]
    fn a_child_that_dies_or_talks_nonsense_is_an_error_with_its_facts() {
        let limit = Duration::from_secs(60);
        let error = make(&sh("exit 1"), limit, &job()).unwrap_err();
        assert_eq!(error.to_string(), "the child ended without an answer (1 packets, codec h264)");
        let error = make(&sh("echo hello"), limit, &job()).unwrap_err();
        assert_eq!(error.to_string(), "not a message: magic [68, 65, 6c, 6c]");
        let none = CaptureProgram { path: "/nonexistent/kerbside".into(), args: Vec::new() };
        let error = make(&none, limit, &job()).unwrap_err();
        assert!(error.to_string().starts_with("cannot start /nonexistent/kerbside: "), "{error}");
    }

    #[test]
    fn a_child_that_hangs_is_killed_at_the_limit() {
        let error = make(&sh("exec sleep 1000"), Duration::from_millis(50), &job()).unwrap_err();
        assert_eq!(error.to_string(), "the child took longer than 0.05 s");
    }
}
