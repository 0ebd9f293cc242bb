//! What a bad camera, pole, lens or link does to a film, as filters of ffmpeg. Pure: names and numbers in, arguments out.

use anyhow::{Context as _, bail};

/// One way to spoil a film, and how strongly.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Degradation {
    sort: Sort,
    strength: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    None,
    Crf,
    Small,
    Crop,
    Sway,
    Exposure,
    Noise,
    Night,
    Soft,
    Fps,
    Vibration,
    Bands,
    Drops,
}

/// Name, sort, strength if none is given, and the strengths that make sense. The unit stands in `says`.
const SORTS: [(&str, Sort, f64, std::ops::RangeInclusive<f64>); 13] = [
    ("none", Sort::None, 0.0, 0.0..=0.0),
    ("crf", Sort::Crf, 38.0, 0.0..=51.0),
    ("small", Sort::Small, 352.0, 64.0..=4096.0),
    ("crop", Sort::Crop, 8.0, 2.0..=64.0),
    ("sway", Sort::Sway, 1.0, 0.0..=32.0),
    ("exposure", Sort::Exposure, 1.0, 0.0..=50.0),
    ("noise", Sort::Noise, 18.0, 0.0..=100.0),
    ("night", Sort::Night, 0.7, 0.1..=2.0),
    ("soft", Sort::Soft, 2.2, 0.1..=20.0),
    ("fps", Sort::Fps, 5.0, 0.2..=60.0),
    ("vibration", Sort::Vibration, 1.0, 0.0..=32.0),
    ("bands", Sort::Bands, 6.0, 0.0..=100.0),
    ("drops", Sort::Drops, 6.0, 1.0..=12.0),
];

/// The rows of `all`, the control first; two of them at two strengths.
const ALL: [&str; 15] = [
    "none",
    "crf",
    "small",
    "crop",
    "sway:1",
    "sway:2",
    "exposure:1",
    "exposure:3",
    "noise",
    "night",
    "soft",
    "fps",
    "vibration",
    "bands",
    "drops",
];

/// Periods of the sway and the vibration, Hz: a mast in the wind, and a lorry that idles beside it.
const SWAY_HZ: (f64, f64) = (0.9, 0.7);
const VIBRATION_HZ: (f64, f64) = (11.3, 8.7);
const EXPOSURE_HZ: f64 = 1.3;
/// One turn, as the filters write it.
const TURN: &str = "6.283";

/// What the command line asks for, in its order; `all` stands for the whole table.
pub(super) fn read(asked: &[String]) -> anyhow::Result<Vec<Degradation>> {
    let mut out = Vec::new();
    for word in asked {
        if word == "all" {
            for row in ALL {
                out.push(Degradation::read(row)?);
            }
        } else {
            out.push(Degradation::read(word)?);
        }
    }
    Ok(out)
}

impl Degradation {
    fn read(word: &str) -> anyhow::Result<Degradation> {
        // `sway1` as well as `sway:1`.
        let digits = word.find(|c: char| c.is_ascii_digit()).map(|at| word.split_at(at));
        let parts = word.split_once(':').or(digits);
        let (name, strength) = parts.map_or((word, None), |(name, strength)| (name, Some(strength)));
        let Some((_, sort, usual, range)) = SORTS.into_iter().find(|s| s.0 == name) else {
            let names = SORTS.map(|s| s.0).join(", ");
            bail!("--degrade {word}: there is no {name:?}; the names are {names} and all");
        };
        let strength = match strength {
            None => usual,
            Some(text) => text.parse().with_context(|| format!("--degrade {word}: {text:?} is no number"))?,
        };
        if !range.contains(&strength) {
            bail!("--degrade {word}: the strength of {name} is {} to {}", range.start(), range.end());
        }
        Ok(Degradation { sort, strength })
    }

    /// Whether the film is left as it is.
    pub(super) fn is_none(&self) -> bool {
        self.sort == Sort::None
    }

    /// As a file name.
    pub(super) fn slug(&self) -> String {
        let name = SORTS.iter().find(|s| s.1 == self.sort).map_or("none", |s| s.0);
        if self.is_none() { name.to_owned() } else { format!("{name}-{}", self.strength) }
    }

    /// As a row of the table names it.
    pub(super) fn says(&self) -> String {
        let s = self.strength;
        match self.sort {
            Sort::None => "nothing".to_owned(),
            Sort::Crf => format!("H.264, crf {s}"),
            Sort::Small => format!("{s} px wide"),
            Sort::Crop => format!("cut by {s} px and scaled back"),
            Sort::Sway => format!("sway of +-{s} px"),
            Sort::Exposure => format!("exposure hunts by +-{s} %"),
            Sort::Noise => format!("noise {s}"),
            Sort::Night => format!("grey, contrast {s}"),
            Sort::Soft => format!("soft lens, sigma {s} px"),
            Sort::Fps => format!("{s} frames a second"),
            Sort::Vibration => format!("vibration of +-{s} px"),
            Sort::Bands => format!("bands of flicker, +-{s} grey levels"),
            Sort::Drops => format!("{s} drops on the lens"),
        }
    }

    /// The quality that the film is encoded with, H.264 crf.
    pub(super) fn crf(&self) -> f64 {
        if self.sort == Sort::Crf { self.strength } else { 20.0 }
    }

    /// The filter graph, px of the film. `seed` 0 has no phase.
    pub(super) fn graph(&self, seed: u32) -> String {
        let s = self.strength;
        let phase = f64::from(seed) * 0.7;
        match self.sort {
            Sort::None | Sort::Crf => "null".to_owned(),
            Sort::Small => format!("scale={s}:-2"),
            Sort::Crop => format!("crop=iw-{s}:ih-{s},scale=iw+{s}:ih+{s}"),
            Sort::Sway => shaken(s, SWAY_HZ, phase),
            Sort::Vibration => shaken(s, VIBRATION_HZ, phase),
            Sort::Exposure => {
                format!("eq=brightness={}*sin({TURN}*t*{EXPOSURE_HZ}+{phase}):eval=frame", s / 100.0)
            }
            Sort::Noise => format!("noise=alls={s}:allf=t:all_seed={}", 123_457 + seed),
            Sort::Night => format!("hue=s=0,eq=contrast={s}"),
            Sort::Soft => format!("gblur=sigma={s}"),
            Sort::Fps => format!("fps={s}"),
            Sort::Bands => format!(
                "geq=lum='clip(lum(X,Y)+{s}*sin({TURN}*(1.5*Y/H+0.9*T)+{phase}),0,255)':cb='cb(X,Y)':cr='cr(X,Y)'"
            ),
            Sort::Drops => drops(s as u32, seed),
        }
    }
}

/// A window that goes to and fro in the film, scaled back to the film's size.
fn shaken(by_px: f64, hz: (f64, f64), phase: f64) -> String {
    // The smallest even margin of at least four px within which the window may go.
    let margin = (2.0 * (by_px / 2.0).ceil()).max(4.0);
    let (x, y) = (format!("sin({TURN}*t*{}+{phase})", hz.0), format!("cos({TURN}*t*{}+{phase})", hz.1));
    let both = 2.0 * margin;
    format!("crop=iw-{both}:ih-{both}:{margin}+{by_px}*{x}:{margin}+{by_px}*{y},scale=iw+{both}:ih+{both}")
}

/// Discs in which the film is seen through water: blurred.
fn drops(count: u32, seed: u32) -> String {
    let mut random = fastrand::Rng::with_seed(u64::from(seed));
    let discs = (0..count.max(1)).map(|_| {
        let (x, y, r) = (random.f64(), random.f64(), 0.02 + 0.04 * random.f64());
        format!("lt(hypot(X/W-{x:.3},(Y/H-{y:.3})*H/W),{r:.3})")
    });
    let within = discs.collect::<Vec<_>>().join("+");
    format!("split[a][b];[b]gblur=sigma=9[c];[a][c]blend=all_expr='if({within},B,A)'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_begins_with_its_control_and_has_the_strengths_that_were_measured() {
        let rows = read(&["all".to_owned()]).unwrap();
        assert!(rows[0].is_none() && rows[1..].iter().all(|row| !row.is_none()));
        let graph = |row: usize| rows[row].graph(0);
        assert_eq!(graph(4), "crop=iw-8:ih-8:4+1*sin(6.283*t*0.9+0):4+1*cos(6.283*t*0.7+0),scale=iw+8:ih+8");
        assert_eq!(graph(7), "eq=brightness=0.03*sin(6.283*t*1.3+0):eval=frame");
        assert_eq!(read(&["exposure3".to_owned()]).unwrap(), rows[7..8]);
        assert_ne!(rows[4].graph(1), graph(4));
        assert_ne!(rows[14].graph(1), graph(14));
    }

    #[test]
    fn a_wrong_name_or_strength_says_what_is_right() {
        for (word, says) in [
            ("rain", "the names are none, crf"),
            ("sway:far", "\"far\" is no number"),
            ("exposure:70", "the strength of exposure is 0 to 50"),
            ("sway:NaN", "0 to 32"),
        ] {
            let error = format!("{:#}", read(&[word.to_owned()]).unwrap_err());
            assert!(error.contains(says), "{word}: {error}");
        }
    }
}
