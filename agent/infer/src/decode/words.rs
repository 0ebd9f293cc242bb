//! Probabilities of a whole picture become one detection a sum of words, each of them about all of the picture.

use kerbside_domain::detection::Detection;
use kerbside_domain::frame::BBox;

use super::scored_box::rounded;
use crate::manifest::Manifest;

/// `probabilities`: one a class. Every sum is told, in the order of its list, also one of nothing.
pub(super) fn sums(manifest: &Manifest, probabilities: &[f32]) -> Vec<Detection> {
    let sums = manifest.words.iter().flat_map(|words| &words.sums);
    let bbox = BBox { x: 0.0, y: 0.0, w: 1.0, h: 1.0 };
    sums.map(|sum| {
        let all: f32 = sum.classes.iter().filter_map(|&class| probabilities.get(class)).sum();
        let confidence = rounded(all.clamp(0.0, 1.0));
        Detection { label: sum.name.clone(), group: sum.group, confidence, bbox }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::decode::decode_outputs;
    use crate::fake::frame_of;
    use crate::manifest::Words;

    const MANIFEST: &str = "name = 't'\nversion = '1'\nfile = 't.onnx'\nlicence = 'x'\nprovenance = 'x'\n\
                            sha256 = '0000000000000000000000000000000000000000000000000000000000000000'\n\
                            [input]\nwidth = 32\nheight = 32\nlayout = 'nhwc'\ndtype = 'uint8'\ncolor = 'rgb'\n\
                            fit = 'stretch'\n[output]\nfamily = 'words'\nwords = 'w.toml'\n";
    const LIST: &str = "classes = 'c.txt'\n[[sum]]\nname = 'goods'\ngroup = 'stall'\nwords = ['fig', 'hay']\n\
                        [[sum]]\nname = 'waste'\ngroup = 'waste'\nwords = ['packet']\n";

    fn said(shape: &[i64], probabilities: &[f32]) -> Result<Vec<(String, f32)>, String> {
        let mut manifest = Manifest::parse(Path::new("t.toml"), MANIFEST).unwrap();
        manifest.words = Some(Words::parse(Path::new("w.toml"), LIST, "fig\npacket\nsuit\nhay\n").unwrap());
        let output = [("said".to_owned(), shape.to_vec(), probabilities.to_vec())];
        let seen = decode_outputs(&manifest, &frame_of(8, 8, |_, _| [0; 3]), &output)?;
        Ok(seen.into_iter().map(|d| (d.label.to_string(), d.confidence)).collect())
    }

    #[test]
    fn each_sum_adds_its_words_and_no_other() {
        let said = said(&[1, 4], &[0.25, 0.0, 0.625, 0.125]).unwrap();
        assert_eq!(said, [("goods".to_owned(), 0.375), ("waste".to_owned(), 0.0)]);
    }

    #[test]
    fn a_network_of_other_classes_is_refused() {
        let why = said(&[1, 5], &[0.2; 5]).expect_err("must be refused");
        assert!(why.contains("[1, 4]: one number for each line of its file of classes"), "{why}");
        assert!(said(&[1, 4], &[f32::NAN; 4]).is_err());
    }
}
