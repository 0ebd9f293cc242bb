//! Hostile input for everything that reads what others wrote: mutated samples, each from its own printed seed.
//!
//! `make fuzz` runs every target for a while; `faults fuzz TARGET SEED` repeats one case. A target must not panic, and each
//! asserts what must hold of its answer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use kerbside::sensor::{Assembler, GpsdParser, LineBuffer};
use kerbside_domain::time::{ClockQuality, Moment, Mono};
use kerbside_trace::journal::{Damage, record, scan};
use kerbside_wire::{self as wire, Inbound, JudgedGrant, SignedGrant, inbound};

use kerbside_testkit::repo;
use kerbside_testkit::wait::now;

use crate::faults::writer;

/// Reads the input; an error says what did not hold.
type Target = fn(&[u8]) -> Result<()>;

/// By the name that `faults fuzz NAME` takes, with samples of what is right.
fn targets() -> Vec<(&'static str, Target, Vec<Vec<u8>>)> {
    vec![
        (
            "configuration",
            configuration,
            texts(&[
                "edge-config/one-camera.toml",
                "edge-config/four-cameras.toml",
                "test-videos/kerb-day.site.toml",
            ]),
        ),
        ("manifest", manifest, texts(&["models/street.toml", "models/test/tiny-ssd.toml"])),
        ("outputs", outputs, FAMILIES.iter().map(|family| output_of(family)).collect()),
        ("nmea", nmea, vec![SENTENCES.into()]),
        ("gpsd", gpsd, vec![GPSD.into()]),
        ("journal", journal, vec![segment()]),
        ("child", child, vec![hello()]),
        (
            "signed",
            signed,
            vec![writer::command("c1", moment()).1, writer::grant("g1", moment()), writer::receipt("r1")],
        ),
        (
            "chunk",
            chunk,
            vec![b"{\"type\":\"kerbside.evidence.chunk.v1\",\"bytes\":3,\"offset\":7}\nabc".into()],
        ),
        ("down", down, vec![writer::receipt("01FAULT.0001"), CASE.into(), COMMAND.into()]),
    ]
}

const SENTENCES: &str = "$GNGGA,080000.00,3106.7440,N,12122.5648,E,1,12,0.8,9.4,M,8.0,M,,*77\r\n$GNRMC,080000.00,A,3106.7440,N,12122.5648,E,0.0,,211126,,,A*6C\r\n$GPGSV,3,1,11,03,03,111,00,04,15,270,00,06,01,010,00,13,06,292,00*74\r\n";
const GPSD: &str = r#"{"class":"TPV","device":"/dev/ttyS1","mode":3,"time":"2026-11-21T00:31:05.000Z","lat":31.1124,"lon":121.37608,"altHAE":9.4,"epx":2.1,"epy":2.2}
{"class":"SKY","hdop":0.8,"uSat":12}
"#;
const CASE: &str = r#"{"specversion":"1.0","type":"kerbside.case.state.v1","data":{"incident_id":"01JD","case_no":"2026-1","state":"filed","reason":"x"}}"#;
const COMMAND: &str = r#"{"specversion":"1.0","type":"kerbside.command.v1","data":{"id":"c1","actor":"duty","issued_at":"2026-11-21T08:31:05+08:00","expires_at":"2027-11-21T08:31:05+08:00","args":{"from":1,"to":9}}}"#;

/// Runs `cases` of each target (or of the one named), or as many as fit into `time`. Fails with the seed to repeat.
pub fn run(only: Option<&str>, first_seed: u64, cases: u64, time: Option<Duration>) -> Result<u64> {
    let all = targets();
    let wanted: Vec<_> = all.iter().filter(|(name, _, _)| only.is_none_or(|o| o == *name)).collect();
    if wanted.is_empty() {
        bail!(
            "no target {only:?}; there are {}",
            all.iter().map(|(n, _, _)| *n).collect::<Vec<_>>().join(", ")
        );
    }
    let each = time.map(|t| t / wanted.len() as u32);
    let mut done = 0;
    for (name, target, samples) in wanted {
        let begun = now();
        let mut seed = first_seed;
        while each.map_or(seed < first_seed + cases, |each| begun.elapsed() < each) {
            one(name, *target, samples, seed)?;
            seed += 1;
        }
        println!("{name}: {} cases from seed {first_seed}, nothing broke", seed - first_seed);
        done += seed - first_seed;
    }
    Ok(done)
}

fn one(name: &str, target: Target, samples: &[Vec<u8>], seed: u64) -> Result<()> {
    let input = mutated(samples, &mut fastrand::Rng::with_seed(seed));
    let problem = match catch_unwind(AssertUnwindSafe(|| target(&input))) {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => format!("{error:#}"),
        Err(_) => "it panicked".to_owned(),
    };
    let shown = String::from_utf8_lossy(&input).chars().take(2000).collect::<String>();
    bail!("{name}, seed {seed}: {problem}\nrepeat with: faults fuzz {name} {seed}\n{shown:?}")
}

/// A sample with some harm done to it.
fn mutated(samples: &[Vec<u8>], rng: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = samples[rng.usize(..samples.len())].clone();
    for _ in 0..rng.u32(1..8) {
        if bytes.is_empty() {
            break;
        }
        let at = rng.usize(..bytes.len());
        let end = (at + rng.usize(..40)).min(bytes.len());
        match rng.u8(..9) {
            0 => bytes[at] ^= 1 << rng.u8(..8),
            1 => bytes[at] = rng.u8(..),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let copy = bytes[at..end].to_vec();
                let to = rng.usize(..=bytes.len());
                drop(bytes.splice(to..to, copy));
            }
            4 => bytes.truncate(at),
            5 => {
                let other = &samples[rng.usize(..samples.len())];
                let from = rng.usize(..=other.len());
                drop(bytes.splice(at..end, other[from..].iter().take(60).copied()));
            }
            6 | 7 => number(&mut bytes, at, rng),
            _ => drop(bytes.splice(at..at, "\u{0}\u{feff}汉\"\\\n[[{,".bytes().take(rng.usize(..12)))),
        }
    }
    bytes
}

/// Puts an unlikely value in the place of the next number.
fn number(bytes: &mut Vec<u8>, from: usize, rng: &mut fastrand::Rng) {
    const ODD: [&str; 12] = [
        "-1",
        "0",
        "1e308",
        "-1e-308",
        "nan",
        "inf",
        "99999999999999999999",
        "18446744073709551615",
        "2147483648",
        "0.5",
        "1e3",
        "\"\"",
    ];
    let Some(start) = bytes.iter().skip(from).position(u8::is_ascii_digit).map(|at| at + from) else {
        return;
    };
    let len = bytes[start..].iter().take_while(|b| b.is_ascii_digit() || **b == b'.').count();
    drop(bytes.splice(start..start + len, ODD[rng.usize(..ODD.len())].bytes()));
}

fn texts(paths: &[&str]) -> Vec<Vec<u8>> {
    paths.iter().filter_map(|p| std::fs::read(repo().join(p)).ok()).collect()
}

fn moment() -> Moment {
    Moment { mono: Mono(7_000_000), wall_ms: 1_795_221_065_120, ..Moment::default() }
}

fn configuration(input: &[u8]) -> Result<()> {
    let text = String::from_utf8_lossy(input);
    // Paths in it begin where the samples lie.
    if let Err(problems) = kerbside_site::config::parse(&text, &repo().join("edge-config/fuzz.toml")) {
        let text_of_problems = problems.to_string();
        if text_of_problems.trim().is_empty() {
            bail!("refused without a word");
        }
    }
    Ok(())
}

fn manifest(input: &[u8]) -> Result<()> {
    let parsed = kerbside_infer::Manifest::parse(Path::new("fuzz.toml"), &String::from_utf8_lossy(input));
    if let Err(error) = parsed
        && error.to_string().is_empty()
    {
        bail!("refused without a word");
    }
    Ok(())
}

const FAMILIES: [&str; 4] = ["boxes-scores", "yolox", "yolov8", "ssd"];

/// What a network of 32x32 px and two labels says, as text: the family, then a line an output with name, shape and numbers.
fn output_of(family: &str) -> Vec<u8> {
    let numbers =
        |count: usize, of: &[f32]| of.iter().cycle().take(count).map(|n| format!(" {n}")).collect::<String>();
    let outputs = match family {
        "yolox" => format!("out 1,21,7{}\n", numbers(21 * 7, &[0.5, 0.5, 1.0, 1.0, 0.9, 0.8, 0.1])),
        "yolov8" => format!("out 1,6,5{}\n", numbers(30, &[16.0, 8.0, 12.0, 0.7, 0.2])),
        "ssd" => format!(
            "boxes 1,5,4{}\nclasses 1,5{}\nscores 1,5{}\n",
            numbers(20, &[0.1, 0.2, 0.6, 0.7, 0.0, 0.5, 1.0]),
            numbers(5, &[1.0, 2.0]),
            numbers(5, &[0.9, 0.3, 0.6])
        ),
        _ => format!(
            "boxes 1,5,4{}\nscores 1,5,2{}\n",
            numbers(20, &[0.1, 0.2, 0.6, 0.7, 0.0, 0.5, 1.0]),
            numbers(10, &[0.9, 0.1, 0.3])
        ),
    };
    format!("{family}\n{outputs}").into_bytes()
}

/// Whatever a network says is refused with a reason, or becomes boxes within the picture.
fn outputs(input: &[u8]) -> Result<()> {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.lines();
    let family = lines.next().filter(|first| FAMILIES.contains(first)).unwrap_or("yolox");
    let label = |n: u8| format!("[[label]]\nindex = {n}\nname = 'l{n}'\ngroup = 'waste'\nmin_score = 0.25\n");
    let manifest = format!(
        "name = 't'\nversion = '1'\nfile = 't.onnx'\nsha256 = '{}'\nlicence = 'x'\nprovenance = 'x'\n[input]\nwidth = 32\nheight = 32\n\
         layout = 'nhwc'\ndtype = 'uint8'\ncolor = 'rgb'\nfit = 'letterbox'\n[output]\nfamily = '{family}'\nnms_iou = 0.5\nmax_detections = 4\n{}{}",
        "0".repeat(64),
        label(0),
        label(1)
    );
    let manifest = kerbside_infer::Manifest::parse(Path::new("fuzz.toml"), &manifest)?;
    let outputs: Vec<_> = lines.filter_map(output).collect();
    let frame = kerbside_infer::frame_of(64, 36, |_, _| [0; 3]);
    match kerbside_infer::decode_outputs(&manifest, &frame, &outputs) {
        Err(why) if why.is_empty() => bail!("refused without a word"),
        Err(_) => Ok(()),
        Ok(all) if all.len() > 4 => bail!("{} detections", all.len()),
        Ok(all) => all.iter().try_for_each(|d| {
            let b = d.bbox;
            let inside = b.x >= 0.0 && b.y >= 0.0 && b.x + b.w <= 1.0001 && b.y + b.h <= 1.0001;
            let whole = inside && b.w > 0.0 && b.h > 0.0 && (0.25..=1.0).contains(&d.confidence);
            anyhow::ensure!(whole, "no detection of this picture: {d:?}");
            Ok(())
        }),
    }
}

/// A line of [`output_of`]; what is no number of it is left out.
fn output(line: &str) -> Option<(String, Vec<i64>, Vec<f32>)> {
    let mut words = line.split_whitespace();
    let (name, shape) = (words.next()?, words.next()?);
    let shape = shape.split(',').filter_map(|side| side.parse().ok()).collect();
    Some((name.to_owned(), shape, words.filter_map(|word| word.parse().ok()).collect()))
}

fn nmea(input: &[u8]) -> Result<()> {
    let (mut lines, mut assembler) = (LineBuffer::new(128), Assembler::default());
    let mut fixes = Vec::new();
    lines.push(input, |line| fixes.extend(assembler.push(line, moment())));
    fixes.extend(assembler.finish());
    for fix in fixes {
        if !(fix.lat_deg.abs() <= 90.0 && fix.lon_deg.abs() <= 180.0) {
            bail!("a fix that is no place: {fix:?}");
        }
    }
    Ok(())
}

fn gpsd(input: &[u8]) -> Result<()> {
    let mut parser = GpsdParser::default();
    for fix in input.split(|b| *b == b'\n').filter_map(|line| parser.push(line, moment())) {
        if !(fix.lat_deg.abs() <= 90.0 && fix.lon_deg.abs() <= 180.0) {
            bail!("a fix that is no place: {fix:?}");
        }
    }
    Ok(())
}

fn segment() -> Vec<u8> {
    let mut out = Vec::new();
    let mut prev = kerbside_crypto::hash::Hash::default();
    for n in 1..=6 {
        let stamp =
            record::Stamp { n, prev, boot: "01JD7Z6T6V8Q0M5N3K2H1G9F8E", at: moment(), utc_offset_s: 28_800 };
        let item = writer::message(&writer::identity(), "01FAULT", moment());
        let kerbside_trace::delivery::Item::Message(message) = item else { break };
        let body = wire::message_body(&message, &writer::identity(), n, moment());
        prev = record::seal(&mut out, &stamp, if n % 3 == 0 { "note" } else { "message" }, &body);
    }
    out
}

/// Every record that is believed is one that was written; the numbers only grow; all others are counted.
fn journal(input: &[u8]) -> Result<()> {
    let good = segment();
    let (mut tip, mut damage, mut seen) = (scan::Tip::default(), Damage::default(), Vec::new());
    scan::segment(input, &mut tip, None, &mut damage, &mut |record, offset, len| {
        let _ = wire::published(record.recorded(), &writer::identity());
        seen.push((record, offset, len));
    });
    for (record, _, _) in &seen {
        let hash = record.hash.to_string();
        if !good.windows(hash.len()).any(|w| w == hash.as_bytes()) {
            bail!("record {} was never written", record.n);
        }
    }
    if !seen.windows(2).all(|w| w[0].0.n < w[1].0.n) {
        bail!("numbers do not grow");
    }
    let missing = 6 - seen.len() as u64;
    // At the end only the index knows that something is missing.
    let counted = damage.missing_count() + (6 - seen.last().map_or(0, |(r, _, _)| r.n));
    if missing != counted {
        bail!("{missing} are missing, {counted} are counted: {damage:?}");
    }
    Ok(())
}

fn hello() -> Vec<u8> {
    use kerbside_media::proto;
    let mut out = Vec::new();
    let greeting = proto::Greeting { version: proto::VERSION, unfiltered: None };
    let _ = proto::write_from_child(&mut out, &proto::FromChild::Hello(greeting));
    let frame = proto::RawFrame {
        epoch: 1,
        pts: 0,
        level: kerbside_domain::frame::Level::L2,
        width: 2,
        height: 2,
        rgb: vec![1; 12].into(),
        luma: vec![1; 160 * 90].into(),
    };
    let _ = proto::write_from_child(&mut out, &proto::FromChild::Frame(frame));
    out
}

/// What a capture child writes into its pipe: a length that is a lie must not be believed.
fn child(input: &[u8]) -> Result<()> {
    let mut rest = input;
    for _ in 0..10 {
        if !matches!(kerbside_media::proto::read_from_child(&mut rest), Ok(Some(_))) {
            break;
        }
    }
    Ok(())
}

/// Nobody but who signed it is obeyed: whatever still counts says what was signed.
fn signed(input: &[u8]) -> Result<()> {
    let (who, keys) = (writer::identity(), writer::keys());
    let now = Moment { quality: ClockQuality::Ntp, ..moment() };
    let judged = SignedGrant::read(input).and_then(|grant| grant.judged(&who, &keys, now, |_| false));
    if let Ok(JudgedGrant { grant, .. }) = judged
        && (grant.id.as_str(), grant.path.as_str(), grant.offset) != ("g1", "2026-11-21/01J/r1-clip.mp4", 7)
    {
        bail!("not what was granted: {grant:?}");
    }
    if let Ok(Inbound::Receipt(receipt)) = inbound::parse(&who, &writer::receipt_topic(), input, false)
        && receipt.vouched_by("receipt", (&who, &keys, true), wire::Replay::Harmless, now).is_ok()
        && receipt.said.id != "r1"
    {
        bail!("not what was stated: {receipt:?}");
    }
    let topic = writer::command("c1", moment()).0;
    if let Ok(Inbound::Command(command)) = inbound::parse(&who, &topic, input, false)
        && command.signer(&who, &keys, now).is_ok()
        && (command.id.as_str(), command.verb.as_str(), command.actor.as_str())
            != ("c1", "snapshot", "desk-3")
    {
        bail!("not what was ordered: {command:?}");
    }
    Ok(())
}

/// A piece of a file is as long as it says, or it is none.
fn chunk(input: &[u8]) -> Result<()> {
    match wire::chunk::read(input) {
        Some((head, bytes)) if head["bytes"] != bytes.len() => bail!("{head} with {} bytes", bytes.len()),
        _ => Ok(()),
    }
}

/// Whatever comes down on any topic is understood or refused with a reason.
fn down(input: &[u8]) -> Result<()> {
    let who = writer::identity();
    for topic in ["receipt", "case", "grant", "cmd/resend", "cmd/restart"] {
        let topic = format!("cg/v1/310112/fault-box/{topic}");
        if let Err(refusal) = inbound::parse(&who, &topic, input, false)
            && refusal.to_string().is_empty()
        {
            bail!("refused without a word");
        }
    }
    Ok(())
}
