//! What is missing of a request, and why. The text goes to the officer who reads the report.

use std::fmt;

use kerbside_domain::evidence::EvidenceRole;

use super::files::{FileError, role_name};

/// Something that was requested and is not there.
#[derive(Debug)]
pub(super) enum Shortfall {
    /// All pictures of the request.
    Pictures(Missing),
    /// Pictures of one moment.
    Roles(Vec<EvidenceRole>, Missing),
    Clip(Missing),
    /// The clip was made before its post-roll had passed.
    ClipCutShort,
    /// Pictures show another moment, so many seconds later (or earlier, negative), because that of the one requested is damaged.
    Shifted(Vec<EvidenceRole>, f64),
    /// So many seconds are left out of the clip: they are damaged.
    ClipWithoutDamage(f64),
    /// No browser plays the clip.
    ClipUnplayable {
        codec: String,
        why: String,
    },
    Manifest(FileError),
    /// The two streams of the camera show different pictures: width and height of the large one, then of the small one, px.
    OtherAspect((u32, u32), (u32, u32)),
    /// Its copy without heads and number plates.
    Masked(EvidenceRole, Missing),
    /// It is there, but bears no signature.
    Unsigned(EvidenceRole, String),
    /// What the first manifest of a revision named is not named again.
    EarlierManifest,
}

/// Why it is not there.
#[derive(Debug)]
pub(super) enum Missing {
    DiskNearlyFull,
    MomentNotInRing,
    SpanNotInRing,
    NoPackets,
    NoClipRequested,
    NoPictureMade,
    NoClipMade,
    /// What the clip child said, or the picture.
    Child(String),
    /// Nobody could look for people in it.
    NotMasked(String),
    File(FileError),
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shortfall::Pictures(why) => write!(f, "pictures: {why}"),
            Shortfall::Roles(roles, why) => {
                let names: Vec<&str> = roles.iter().map(|role| role_name(*role)).collect();
                write!(f, "{}: {why}", names.join(", "))
            }
            Shortfall::Clip(why) => write!(f, "clip: {why}"),
            Shortfall::ClipCutShort => f.write_str("clip cut short: too many waited"),
            Shortfall::Shifted(roles, s) => {
                let names: Vec<&str> = roles.iter().map(|role| role_name(*role)).collect();
                let when = if *s < 0.0 { "earlier" } else { "later" };
                write!(
                    f,
                    "{}: the picture of that moment came damaged; the nearest whole one is {:.1} s {when}",
                    names.join(", "),
                    s.abs()
                )
            }
            Shortfall::ClipWithoutDamage(s) => write!(f, "clip: {s:.1} s came damaged and are left out"),
            Shortfall::ClipUnplayable { codec, why } => {
                write!(f, "clip: no browser plays {codec}, and it could not be encoded again: {why}")
            }
            Shortfall::Manifest(error) => write!(f, "manifest: {error}"),
            Shortfall::OtherAspect((w, h), (sub_w, sub_h)) => write!(
                f,
                "main_url shows {w}x{h}, url {sub_w}x{sub_h}: the pictures differ, and boxes in them may be off"
            ),
            Shortfall::Masked(role, why) => write!(f, "{} masked: {why}", role_name(*role)),
            Shortfall::Unsigned(role, why) => write!(f, "{} not signed: {why}", role_name(*role)),
            Shortfall::EarlierManifest => f.write_str(
                "the manifest of the pictures is not as it was written: its files are left out here",
            ),
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Missing::DiskNearlyFull => "the disk is nearly full",
            Missing::MomentNotInRing => "the ring no longer holds that moment",
            Missing::SpanNotInRing => "the ring no longer holds that span",
            Missing::NoPackets => "no packets",
            Missing::NoClipRequested => "no clip was asked for",
            Missing::NoPictureMade => "the cutter gave no picture",
            Missing::NoClipMade => "the cutter wrote no clip",
            Missing::Child(why) => why,
            Missing::NotMasked(why) => return write!(f, "it could not be masked: {why}"),
            Missing::File(error) => return error.fmt(f),
        })
    }
}

impl From<FileError> for Missing {
    fn from(error: FileError) -> Self {
        Missing::File(error)
    }
}

/// All shortfalls of one outcome as its text; `None` if nothing is missing.
pub(super) fn text(shortfalls: &[Shortfall]) -> Option<String> {
    let texts: Vec<String> = shortfalls.iter().map(Shortfall::to_string).collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_officer_reads_what_is_missing_and_why() {
        let roles = vec![EvidenceRole::Trigger, EvidenceRole::Annotated];
        let table = [
            (Shortfall::Pictures(Missing::DiskNearlyFull), "pictures: the disk is nearly full"),
            (
                Shortfall::Roles(roles, Missing::MomentNotInRing),
                "trigger, annotated: the ring no longer holds that moment",
            ),
            (Shortfall::Clip(Missing::SpanNotInRing), "clip: the ring no longer holds that span"),
            (Shortfall::Clip(Missing::Child("codec vp9".into())), "clip: codec vp9"),
            (Shortfall::Unsigned(EvidenceRole::Clip, "box \"moof\"".into()), "clip not signed: box \"moof\""),
            (Shortfall::ClipCutShort, "clip cut short: too many waited"),
            (
                Shortfall::Shifted(vec![EvidenceRole::Before], -0.44),
                "before: the picture of that moment came damaged; the nearest whole one is 0.4 s earlier",
            ),
            (Shortfall::ClipWithoutDamage(1.26), "clip: 1.3 s came damaged and are left out"),
            (
                Shortfall::ClipUnplayable { codec: "mjpeg".into(), why: "no encoder".into() },
                "clip: no browser plays mjpeg, and it could not be encoded again: no encoder",
            ),
        ];
        for (shortfall, text) in table {
            assert_eq!(shortfall.to_string(), text);
        }
        assert_eq!(text(&[]), None);
        let both = [Shortfall::ClipCutShort, Shortfall::Clip(Missing::NoPackets)];
        assert_eq!(text(&both).as_deref(), Some("clip cut short: too many waited; clip: no packets"));
    }
}
