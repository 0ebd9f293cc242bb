//! How far this machine confines the children that decode: by a real child, which says what stands and then tries to get out.

use std::path::{Path, PathBuf};

use kerbside_media::parent::{self, ProbeOutcome};
use kerbside_media::proto::{Act, Stage};
use kerbside_media::{CaptureProgram, Confinement, Wall, Walls};

use super::finding::{Area, Finding};

/// Where a kernel falls short.
const REMEDY: &str = "Landlock needs kernel 5.13 or newer with `landlock` in its parameter lsm=, for TCP 6.7; system calls need CONFIG_SECCOMP_FILTER; \
                      confine = \"required\" in [device] lets no camera run without";

/// What stands around a child of this program within these walls. `site`: a file that it must not read. `Err`: it could not be
/// started, or it did what it must not.
pub fn confined(site: Option<&Path>, walls: Walls) -> Result<Confinement, String> {
    let program = CaptureProgram::this().map_err(|error| error.to_string())?.with_walls(walls);
    let stands = parent::confinement(&program).map_err(|error| error.to_string())?;
    let foreign = site.map_or_else(|| PathBuf::from("/etc/passwd"), Path::to_owned);
    for act in [Act::Read(foreign), Act::Execute("/bin/sh".into()), Act::Listen] {
        let outcome =
            parent::probe(&program, Stage::Watching, 554, &act).map_err(|error| error.to_string())?;
        if outcome == ProbeOutcome::Done {
            return Err(format!("a child that was told to could do this: {act:?}"));
        }
    }
    Ok(stands)
}

/// One line in both languages.
pub(super) fn finding(confined: Result<Confinement, String>) -> Finding {
    match confined {
        Err(why) => Finding::wrong(Area::Confinement, why, REMEDY),
        Ok(stands) => {
            let what = format!("{stands}  {}", stands.chinese());
            let walls = stands.walls();
            if walls.iter().all(|(_, wall)| wall.is_whole()) {
                Finding::good(Area::Confinement, what)
            } else if walls.iter().any(|(_, wall)| matches!(wall, Wall::None(_))) {
                Finding::wrong(Area::Confinement, what, REMEDY)
            } else {
                Finding::advice(Area::Confinement, what, REMEDY)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_is_judged_by_what_it_lacks() {
        let whole = || Wall::Whole("Landlock ABI 2".to_owned());
        let level = |network, system_calls| {
            let found = finding(Ok(Confinement { files: whole(), network, system_calls }));
            assert!(
                found.what.contains("files yes (Landlock ABI 2)") && found.what.contains("文件：已隔离"),
                "{found:?}"
            );
            found.level
        };
        use super::super::finding::Level;
        assert_eq!(level(whole(), whole()), Level::Good);
        assert_eq!(level(Wall::Part("kernel 6.1".to_owned()), whole()), Level::Advice);
        assert_eq!(level(whole(), Wall::None("seccomp: refused".to_owned())), Level::Wrong);
        assert_eq!(finding(Err("it read the site file".to_owned())).level, Level::Wrong);
    }
}
