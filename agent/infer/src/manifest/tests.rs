//! Manifests, good and bad.

use std::path::Path;

use kerbside_domain::detection::Group;

use super::*;
use expect_test::{Expect, expect};

const GOOD: &str = r#"
name = "street"
version = "1.0.0"
file = "street.onnx"
sha256 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
licence = "Apache-2.0"
provenance = "made here"
[input]
width = 320
height = 192
layout = "nhwc"
dtype = "uint8"
color = "rgb"
fit = "stretch"
[output]
family = "boxes-scores"
nms_iou = 0.5
max_detections = 100
[[label]]
index = 1
name = "bag"
group = "waste"
min_score = 0.3
[[label]]
index = 0
name = "person"
group = "person"
min_score = 0.4
"#;

#[test]
fn a_manifest_is_read() {
    let manifest = Manifest::parse(Path::new("models/street.toml"), GOOD).unwrap();
    assert_eq!(manifest.model, Path::new("models/street.onnx"));
    assert_eq!(manifest.sha256, "a".repeat(64));
    let labels: Vec<_> = manifest.labels.iter().map(|l| (l.index, &*l.name, l.group)).collect();
    assert_eq!(labels, [(0, "person", Group::Person), (1, "bag", Group::Waste)]);
}

fn check(change: (&str, &str), expect: Expect) {
    assert!(GOOD.contains(change.0), "{}", change.0);
    let text = GOOD.replacen(change.0, change.1, 1);
    let error = Manifest::parse(Path::new("m.toml"), &text).expect_err("must be refused");
    expect.assert_eq(&error.to_string());
}

#[test]
fn every_problem_names_its_field() {
    check(
        ("street.onnx", "../street.onnx"),
        expect![[r#"m.toml: file: "../street.onnx" must lie beside the manifest, without a path"#]],
    );
    check(("AAAA", "AAA"), expect!["m.toml: sha256: not 64 hexadecimal digits"]);
    check(("width = 320", "width = 8"), expect!["m.toml: input.width: 8 is not within 16..=2048 px"]);
    check(
        ("fit = \"stretch\"", "fit = \"stretch\"\nmean = [1.0, 2.0, 3.0]\npad = 3"),
        expect![[
            r#"m.toml: input.mean, input.scale: a uint8 input takes the bytes as they are; input.pad: only with fit = "letterbox""#
        ]],
    );
    check(
        ("boxes-scores\"\nnms_iou = 0.5", "yolox\"\nnms_iou = 1.5"),
        expect!["m.toml: output.nms_iou: 1.5 is not within 0..1"],
    );
    check(("index = 0", "index = 1"), expect!["m.toml: label[1].index: 1 is taken twice"]);
    check(("nms_iou = 0.5\n", ""), expect!["m.toml: output.nms_iou: missing"]);
    check(
        ("nms_iou", "words = \"w.toml\"\nnms_iou"),
        expect![[r#"m.toml: output.words: only with family = "words""#]],
    );
    check(
        ("min_score = 0.3", "min_score = nan"),
        expect!["m.toml: label[0].min_score: NaN is not within 0..1"],
    );
}

#[test]
fn unknown_words_are_refused_with_their_line() {
    let text = GOOD.replace("\"nhwc\"", "\"hwcn\"");
    let error = Manifest::parse(Path::new("m.toml"), &text).expect_err("must be refused").to_string();
    assert!(error.contains("line 11") && error.contains("hwcn"), "{error}");
    let text = GOOD.replace("[output]", "colour = 1\n[output]");
    let error = Manifest::parse(Path::new("m.toml"), &text).expect_err("must be refused").to_string();
    assert!(error.contains("unknown field `colour`"), "{error}");
}
