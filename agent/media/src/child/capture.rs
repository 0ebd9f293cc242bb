//! The capture child: `kerbside capture`, or `kerbside-devices`. One camera's demuxing and decoding in a process of its own.
//!
//! It has a memory limit, a clean environment, the pipe to its parent and the camera's socket, nothing else. It ends when the
//! parent says so or is gone. Whatever goes wrong in here costs one camera a few seconds.

use std::process::ExitCode;

pub use super::error::CaptureError;
pub use super::parent_link::ParentLink;
use super::{confine, libav};
use crate::proto::{self, CaptureEvent, FromChild, OpenSource, SourceFault};
use crate::url;

/// Reads a source until it ends.
pub type Reader = fn(&OpenSource, &mut ParentLink) -> Result<(), CaptureError>;

/// Runs the child until its source or its parent ends. Nobody reads the exit code: the parent goes by the messages.
/// `devices`: reads devices and pipelines. It is handed in, so that a program without it is not linked with what they need.
pub fn main(devices: Option<Reader>) -> ExitCode {
    confine::begin();
    match serve(devices) {
        Ok(()) | Err(CaptureError::ParentGone) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kerbside capture: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(devices: Option<Reader>) -> Result<(), CaptureError> {
    let mut parent = ParentLink::connect()?;
    parent.send(&FromChild::Hello { version: proto::VERSION })?;
    let open = parent.first_command()?;
    confine::limit_memory(open.memory_bytes);
    let result = match devices {
        _ if !url::is_device(&open.url, open.opencv) => libav::run(&open, &mut parent),
        Some(read) => read(&open, &mut parent),
        None => {
            let text = "this program reads no devices: kerbside-devices does";
            Err(CaptureError::source(SourceFault::Other, text))
        }
    };
    parent.send_stats()?;
    match result {
        Ok(()) => parent.event(CaptureEvent::Ended),
        Err(CaptureError::Source { fault, text }) => {
            parent.event(CaptureEvent::Failed { fault, text: redact(&text, &open) })
        }
        Err(other) => Err(other),
    }
}

/// Error texts go into logs: without the url's user and password.
fn redact(text: &str, open: &OpenSource) -> String {
    text.replace(&open.url, &url::redacted(&open.url))
}
