//! Sentences in, fixes out.

use proptest::prelude::*;

use super::*;
use crate::sensor::fix::FixDoubt;
use kerbside_domain::time::Mono;

/// A sentence with its checksum.
fn sentence(body: &str) -> Vec<u8> {
    let sum = body.bytes().fold(0u8, |sum, b| sum ^ b);
    format!("${body}*{sum:02X}").into_bytes()
}

fn second(s: f64) -> Moment {
    Moment { mono: Mono::from_s(s), wall_ms: 1_795_248_000_000 + (s * 1000.0) as i64, ..Moment::default() }
}

/// One epoch of a receiver at `s` seconds after 08:00:00 UTC on 2026-11-21.
fn epoch(s: u32, lat: &str, lon: &str) -> [Vec<u8>; 2] {
    let time = format!("08{:02}{:02}.00", s / 60, s % 60);
    [
        sentence(&format!("GNRMC,{time},A,{lat},N,{lon},E,0.02,,211126,,,A")),
        sentence(&format!("GNGGA,{time},{lat},N,{lon},E,1,12,0.8,9.4,M,8.0,M,,")),
    ]
}

fn run(lines: &[Vec<u8>]) -> (Vec<Fix>, LineCounts) {
    let mut assembler = Assembler::default();
    let mut fixes: Vec<Fix> = lines
        .iter()
        .enumerate()
        .filter_map(|(i, line)| assembler.push(line, second(i as f64 / 2.0)))
        .collect();
    fixes.extend(assembler.finish());
    (fixes, assembler.counts())
}

#[test]
fn an_epoch_is_put_together_from_its_sentences() {
    let (fixes, counts) = run(&epoch(5, "3106.7440", "12122.5648"));
    assert_eq!(counts, LineCounts { good: 2, ..LineCounts::default() });
    let fix = &fixes[0];
    assert!((fix.lon_deg - 121.376_08).abs() < 1e-6 && (fix.lat_deg - 31.112_4).abs() < 1e-6, "{fix:?}");
    assert_eq!((fix.sats, fix.hdop, fix.quality), (Some(12), Some(0.8), FixQuality::Autonomous));
    assert_eq!(fix.utc_ms, Some(1_795_248_005_000));
    assert_eq!((fix.at, fix.doubts.as_slice()), (second(0.0), &[][..]));
}

#[test]
fn epochs_are_told_apart_by_their_time() {
    let lines: Vec<_> = (0..5).flat_map(|s| epoch(s, "3106.7440", "12122.5648")).collect();
    let (fixes, _) = run(&lines);
    let times: Vec<_> = fixes.iter().map(|f| f.utc_ms.unwrap() - 1_795_248_000_000).collect();
    assert_eq!(times, [0, 1000, 2000, 3000, 4000]);
}

#[test]
fn a_receiver_without_a_fix_gives_none() {
    let lines =
        [sentence("GNRMC,080000.00,V,,,,,,,211126,,,N"), sentence("GNGGA,080000.00,,,,,0,00,99.9,,,,,,")];
    assert_eq!(run(&lines).0, []);
}

#[test]
fn a_wrong_checksum_is_counted_and_not_used() {
    let mut lines: Vec<_> = epoch(0, "3106.7440", "12122.5648").into();
    for line in &mut lines {
        line[20] ^= 1;
    }
    let (fixes, counts) = run(&lines);
    assert_eq!((fixes.len(), counts.wrong_checksum), (0, 2));
}

#[test]
fn doubtful_fixes_say_why() {
    let home = ("3106.7440", "12122.5648");
    let far = ("3206.7440", "12122.5648");
    let mut lines: Vec<_> = (0..3).flat_map(|s| epoch(s, home.0, home.1)).collect();
    lines.extend(epoch(3, far.0, far.1));
    lines.extend(epoch(1800, home.0, home.1));
    lines.push(sentence("GPGGA,083001.00,3106.7440,N,12122.5648,E,8,12,0.8,9.4,M,8.0,M,,"));
    let (fixes, _) = run(&lines);
    let doubts: Vec<&[FixDoubt]> = fixes.iter().map(|f| f.doubts.as_slice()).collect();
    let (jump, time, simulated) = (FixDoubt::Jump, FixDoubt::TimeJump, FixDoubt::Simulated);
    assert_eq!(doubts, [&[][..], &[], &[], &[jump], &[time], &[simulated]]);
}

#[test]
fn a_box_that_was_carried_away_is_believed_in_the_end() {
    let home = epoch(0, "3106.7440", "12122.5648");
    let lines: Vec<_> =
        home.into_iter().chain((1..=70).flat_map(|s| epoch(s, "3206.7440", "12122.5648"))).collect();
    let (fixes, _) = run(&lines);
    assert_eq!(fixes.iter().filter(|f| !f.doubts.is_empty()).count(), 60);
    assert_eq!(fixes.last().unwrap().doubts, []);
}

#[test]
fn many_wrong_checksums_cast_doubt_on_the_rest() {
    let mut lines = Vec::new();
    for s in 0..12 {
        lines.extend(epoch(s, "3106.7440", "12122.5648"));
        lines.push(b"$GNRMC,080000.00,A*00".to_vec());
    }
    let (fixes, _) = run(&lines);
    assert_eq!(fixes.last().unwrap().doubts, [FixDoubt::Checksums]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_line_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..160)) {
        let mut assembler = Assembler::default();
        let _ = assembler.push(&bytes, second(0.0));
        let _ = assembler.finish();
    }

    /// Well-summed sentences with wild fields: they reach the parsers behind the checksum.
    #[test]
    fn no_field_makes_it_panic(
        kind in "GN(RMC|GGA|GNS|ZDA|GSV|GSA|GLL|VTG|TXT)",
        fields in proptest::collection::vec("[0-9]{0,8}(\\.[0-9]{0,5})?|[A-Z]{0,5}|-?[0-9]{1,3}|[é~*,$]", 0..20),
    ) {
        let mut assembler = Assembler::default();
        let line = sentence(&format!("{kind},{}", fields.join(",")));
        for s in 0..2 {
            if let Some(fix) = assembler.push(&line, second(f64::from(s))) {
                prop_assert!(fix.lon_deg.abs() <= 180.0 && fix.lat_deg.abs() <= 90.0);
            }
        }
        let _ = assembler.finish();
    }
}
