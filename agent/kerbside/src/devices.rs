//! The program `kerbside-devices`: the capture child where a camera is a device or a pipeline (`v4l2:`, `gst:`,
//! `backend = "opencv"`). `kerbside` starts it; it stands beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() != Some("capture") {
        eprintln!("kerbside-devices is a part of kerbside, which starts it; see: kerbside --help");
        return ExitCode::from(kerbside::cli::exit::CONFIG);
    }
    kerbside_media::child::capture::main(Some(kerbside_media::child::device::run))
}
