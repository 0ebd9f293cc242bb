//! Whether NTP disciplines the machine's clock, according to the machine's own services. It knows nothing of GNSS.

use std::path::Path;
use std::process::{Command, Stdio};

/// Whether the machine's clock is synchronised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synchronised {
    /// With the name of the service that says so.
    Yes(&'static str),
    No,
    /// No service that knows it is there.
    Unknown,
}

/// Asks systemd-timesyncd's mark, then timedatectl (which asks the kernel, whoever disciplines it), then chrony.
/// Starts up to two processes, one after the other; may take seconds where the system bus hangs.
pub fn synchronised() -> Synchronised {
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return Synchronised::Yes("systemd-timesyncd");
    }
    match output_of("timedatectl", &["show", "--property=NTPSynchronized", "--value"]).as_deref() {
        Some("yes") => return Synchronised::Yes("the kernel"),
        Some("no") => return Synchronised::No,
        _ => {}
    }
    output_of("chronyc", &["-c", "tracking"]).map_or(Synchronised::Unknown, |line| chrony(&line))
}

/// `chronyc -c tracking`: the first of its fields is the reference, the last the leap status.
fn chrony(line: &str) -> Synchronised {
    let mut fields = line.split(',');
    match (fields.next(), fields.next_back()) {
        // Nothing, or its own clock as a reference of last resort.
        (Some("00000000" | "7F7F0101"), _) | (_, Some("Not synchronised")) => Synchronised::No,
        (Some(_), Some("Normal" | "Insert second" | "Delete second")) => Synchronised::Yes("chrony"),
        _ => Synchronised::Unknown,
    }
}

fn output_of(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chrony_vouches_only_with_a_reference_of_its_own() {
        let line = |reference: &str, leap: &str| {
            format!("{reference},a.example,3,1795221065.1,0.0,0.0,0.0,1.0,0.0,0.0,0.01,0.001,64.0,{leap}")
        };
        let table = [
            (line("A29FC87B", "Normal"), Synchronised::Yes("chrony")),
            (line("A29FC87B", "Insert second"), Synchronised::Yes("chrony")),
            (line("00000000", "Not synchronised"), Synchronised::No),
            (line("7F7F0101", "Normal"), Synchronised::No),
            ("506 Cannot talk to daemon".to_owned(), Synchronised::Unknown),
            (String::new(), Synchronised::Unknown),
        ];
        for (line, expected) in table {
            assert_eq!(chrony(&line), expected, "{line}");
        }
    }
}
