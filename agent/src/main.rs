//! The program `kerbside`: command line and exit codes.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        #[cfg(feature = "camera")]
        ["capture"] => kerbside::source::capture::main(),
        #[cfg(feature = "camera")]
        ["capture", "--cut"] => kerbside::source::cut::main(),
        _ => ExitCode::from(78),
    }
}
