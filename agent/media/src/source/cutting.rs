//! The parent's side of `capture --cut`: hand a job to a child, wait for its answer, never longer than the limit.

use std::process::{Child, ChildStdin, ChildStdout};
use std::time::Duration;

use super::child::Exe;
use super::proto::{self, CutAnswer, CutHead, ProtoError, StreamHead};
use crate::source::cut_job::{CutDone, CutJob};

#[derive(Debug, thiserror::Error)]
pub enum CutError {
    #[error("cannot start {program}: {why}")]
    Start { program: String, why: std::io::Error },
    #[error("the child took longer than {limit_s} s")]
    TooLong { limit_s: f64 },
    #[error("the child ended without an answer ({packets} packets, codec {codec})")]
    NoAnswer { packets: usize, codec: String },
    #[error(transparent)]
    Proto(#[from] ProtoError),
}

/// Has a child write the job's files. Each picture has its own result; the clip's failure is logged and shows as not written.
pub fn cut(exe: &Exe, limit: Duration, job: &CutJob) -> Result<CutDone, CutError> {
    let start = |why| CutError::Start { program: exe.program.display().to_string(), why };
    let mut command = exe.command();
    command.arg("--cut");
    let mut child = Reaped(command.spawn().map_err(start)?);
    let (stdin, stdout) = (child.0.stdin.take(), child.0.stdout.take());
    let (sender, answers) = crossbeam_channel::bounded(1);
    std::thread::scope(|scope| {
        // Writing and reading block; the child's end (also by our kill) ends both.
        scope.spawn(|| {
            // The child may well die in the middle; its answer, or none, tells.
            let _ = stdin.map(|stdin| tell(stdin, job));
        });
        scope.spawn(|| sender.send(stdout.map(answer)));
        let answer = answers.recv_timeout(limit);
        drop(child);
        match answer {
            Ok(Some(Ok(Some(answer)))) => Ok(done(answer)),
            Ok(Some(Err(error))) => Err(error.into()),
            Ok(Some(Ok(None)) | None) => {
                Err(CutError::NoAnswer { packets: job.packets.len(), codec: job.stream.codec.clone() })
            }
            Err(_) => Err(CutError::TooLong { limit_s: limit.as_secs_f64() }),
        }
    })
}

fn done(answer: CutAnswer) -> CutDone {
    if let Some(Err(why)) = &answer.clip {
        tracing::warn!(why, "clip not written");
    }
    let clip_written = matches!(answer.clip, Some(Ok(())));
    CutDone { clip_written, pictures: answer.pictures.into_iter().map(|p| p.map(drop)).collect() }
}

fn tell(stdin: ChildStdin, job: &CutJob) -> Result<(), ProtoError> {
    let mut out = std::io::BufWriter::with_capacity(256 * 1024, stdin);
    let (clip, pictures) = (job.clip.clone(), job.pictures.clone());
    let head = CutHead::Job { stream: StreamHead::of(&job.stream), clip, pictures };
    proto::write_frame(&mut out, &head, &[&job.stream.extradata])?;
    for p in &job.packets {
        let head = CutHead::Packet { pts: p.pts, dts: p.dts, duration: p.duration, key: p.key };
        proto::write_frame(&mut out, &head, &[&p.data])?;
    }
    Ok(std::io::Write::flush(&mut out)?)
}

fn answer(mut stdout: ChildStdout) -> Result<Option<CutAnswer>, ProtoError> {
    Ok(proto::read_frame(&mut stdout)?.map(|(answer, _)| answer))
}

/// Killed and reaped when dropped.
struct Reaped(Child);

impl Drop for Reaped {
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

    fn job() -> CutJob {
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
        CutJob { stream, packets, clip: None, pictures: Vec::new() }
    }

    fn sh(script: &str) -> Exe {
        Exe { program: "/bin/sh".into(), args: vec!["-c".into(), script.into()] }
    }

    #[test]
    fn a_child_that_dies_or_talks_nonsense_is_an_error_with_its_facts() {
        let limit = Duration::from_secs(60);
        let error = cut(&sh("exit 1"), limit, &job()).unwrap_err();
        assert_eq!(error.to_string(), "the child ended without an answer (1 packets, codec h264)");
        let error = cut(&sh("echo hello"), limit, &job()).unwrap_err();
        assert_eq!(error.to_string(), "not a frame: magic [68, 65, 6c, 6c]");
        let none = Exe { program: "/nonexistent/kerbside".into(), args: Vec::new() };
        let error = cut(&none, limit, &job()).unwrap_err();
        assert!(error.to_string().starts_with("cannot start /nonexistent/kerbside: "), "{error}");
    }

    #[test]
    fn a_child_that_hangs_is_killed_at_the_limit() {
        let error = cut(&sh("exec sleep 1000"), Duration::from_millis(50), &job()).unwrap_err();
        assert_eq!(error.to_string(), "the child took longer than 0.05 s");
    }
}
