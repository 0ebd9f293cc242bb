//! The capture child: `kerbside capture`, or `kerbside-devices`. One camera's demuxing and decoding in a process of its own.
//!
//! It has a clean environment, the pipes to its parent and the camera's socket; what else it could reach, `confine` and the
//! parent's `cell` hold. It ends when the parent says so or is gone. Whatever goes wrong in here costs one camera a few seconds.

use std::process::ExitCode;

use super::confine::{self, Kind};
pub use super::error::CaptureError;
pub use super::parent_link::ParentLink;
use super::{http, rtsp};
use super::{libav, libav_log};
use crate::proto::{self, CaptureEvent, FromChild, Greeting, OpenSource, SourceFault};
use crate::url;

/// Reads a source until it ends.
pub type Reader = fn(&OpenSource, &mut ParentLink) -> Result<(), CaptureError>;

/// Runs the child until its source or its parent ends. Nobody reads the exit code: the parent goes by the messages.
/// `devices`: reads devices and pipelines. It is handed in, so that a program without it is not linked with what they need.
pub fn main(devices: Option<Reader>) -> ExitCode {
    let kind = if devices.is_some() { Kind::Devices } else { Kind::Capture };
    let unfiltered = confine::begin(kind).err();
    match serve(devices, kind, unfiltered) {
        Ok(()) | Err(CaptureError::ParentGone) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kerbside capture: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(devices: Option<Reader>, kind: Kind, unfiltered: Option<String>) -> Result<(), CaptureError> {
    let mut parent = ParentLink::connect(kind)?;
    parent.send(&FromChild::Hello(Greeting { version: proto::VERSION, unfiltered }))?;
    let open = parent.first_command()?;
    if let Err(why) = confine::before_opening(&open.url, kind) {
        parent.stays_open(why);
    }
    libav_log::install();
    let result = match devices {
        _ if !url::is_device(&open.url, open.opencv) => read_stream(&open, &mut parent),
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
            // Where it is to be followed the address must be whole.
            let text = if fault == SourceFault::Redirected { text } else { redact(&text, &open) };
            parent.event(CaptureEvent::Failed { fault, text })
        }
        Err(other) => Err(other),
    }
}

/// A camera on a network, or a file.
fn read_stream(open: &OpenSource, parent: &mut ParentLink) -> Result<(), CaptureError> {
    match url::network(&open.url) {
        Some(camera) if camera.scheme.is_rtsp() && !open.libav => rtsp::run(&camera, open, parent),
        Some(camera) if !camera.scheme.is_rtsp() => http::run(&camera, open, parent),
        _ => libav::run(open, parent),
    }
}

/// Error texts go into logs: without the url's user and password.
fn redact(text: &str, open: &OpenSource) -> String {
    url::hide(text, &open.url)
}
