//! FLV files whose stream changes on its way: the tags of one file after those of another, as a camera over HTTP-FLV sends them
//! when it is told to change its resolution.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

/// "FLV", version, flags, the length of this head, and a zero.
const HEAD: usize = 13;
const VIDEO: u8 = 9;
const SCRIPT: u8 = 18;

struct Tag<'a> {
    kind: u8,
    at_ms: u32,
    body: &'a [u8],
}

/// Writes `second` behind `first`, its times later by `offset_ms`.
pub fn join(first: &Path, second: &Path, offset_ms: u32, out: &Path) -> Result<()> {
    let (a, b) = (std::fs::read(first)?, std::fs::read(second)?);
    let mut joined = a.get(..HEAD).context("no FLV")?.to_vec();
    // The second byte of a video tag says what it holds: 2 is the end of the sequence.
    let ends = |tag: &Tag<'_>| tag.kind == VIDEO && tag.body.get(1) == Some(&2);
    for tag in tags(&a).into_iter().filter(|tag| !ends(tag)) {
        push(&mut joined, &tag);
    }
    let from_second: Vec<Tag<'_>> = tags(&b).into_iter().filter(|tag| tag.kind != SCRIPT).collect();
    ensure!(!from_second.is_empty(), "{}: no tags", second.display());
    for tag in from_second {
        push(&mut joined, &Tag { at_ms: tag.at_ms + offset_ms, ..tag });
    }
    Ok(std::fs::write(out, joined)?)
}

fn tags(file: &[u8]) -> Vec<Tag<'_>> {
    let mut rest = file.get(HEAD..).unwrap_or_default();
    let mut tags = Vec::new();
    while let [kind, a, b, c, t1, t2, t3, t0, _, _, _, after @ ..] = rest {
        let len = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let Some(body) = after.get(..len) else { break };
        tags.push(Tag { kind: *kind, at_ms: u32::from_be_bytes([*t0, *t1, *t2, *t3]), body });
        // The length of the tag once more.
        rest = after.get(len + 4..).unwrap_or_default();
    }
    tags
}

fn push(out: &mut Vec<u8>, tag: &Tag<'_>) {
    let (len, at) = ((tag.body.len() as u32).to_be_bytes(), tag.at_ms.to_be_bytes());
    out.extend([tag.kind, len[1], len[2], len[3], at[1], at[2], at[3], at[0], 0, 0, 0]);
    out.extend(tag.body);
    out.extend((tag.body.len() as u32 + 11).to_be_bytes());
}
