//! The outcome for a person, in both languages: the lists, the files, and the verdict last where the eye is.

use std::io::{Result, Write};

use super::judge::{JudgedFile, Outcome, Standing, Verdict};
use super::listing::{Listing, Signed};

pub(super) fn outcome(outcome: &Outcome, out: &mut impl Write) -> Result<()> {
    outcome.listings.iter().try_for_each(|listing| list(listing, out))?;
    outcome.files.iter().try_for_each(|one| file(one, out))?;
    verdict(outcome, out)
}

fn list(listing: &Listing, out: &mut impl Write) -> Result<()> {
    let Listing { path, incident_id, kind, camera_id, seal, .. } = listing;
    let kind = kind.as_deref().map(|kind| format!(", {kind}")).unwrap_or_default();
    let camera = camera_id.as_deref().map(|id| format!(", camera {id}")).unwrap_or_default();
    match &listing.signed {
        Signed::Wrongly(why) => writeln!(out, "✗ changed 已改动   {path}: {why}")?,
        Signed::ByNobody => writeln!(out, "! unsigned 未签名  {path}: incident {incident_id}{kind}{camera}")?,
        Signed::ByTheGivenKey | Signed::ByItsOwnKey => {
            writeln!(out, "✓ genuine 真实     {path}: incident {incident_id}{kind}{camera}")?;
        }
    }
    if let Some(seal) = seal.as_ref().filter(|_| listing.signed.counts()) {
        let after = seal.journal.map(|at| format!(", after journal record {}", at.n)).unwrap_or_default();
        writeln!(out, "    signed 签名于 {} by {} {}{after}", seal.time, seal.source, seal.key)?;
    }
    if let Some(covered) = &listing.covered {
        let number = covered.number.map(|n| format!(" number {n}")).unwrap_or_default();
        writeln!(
            out,
            "    journal record {} names it; checkpoint{number} over record {} ({}), signed {}, covers it\n    \
             存证日志第 {} 条记载，检查点覆盖至第 {} 条；可与中心保存的检查点核对",
            covered.record, covered.n, covered.hash, covered.signed_at, covered.record, covered.n
        )?;
    }
    Ok(())
}

fn file(file: &JudgedFile, out: &mut impl Write) -> Result<()> {
    let mark = match file.standing {
        Standing::Genuine => '✓',
        Standing::Unsigned => '!',
        Standing::Missing | Standing::Changed(_) | Standing::Added(_) => '✗',
    };
    let (english, chinese) = file.standing.words();
    let why = file.standing.why().map(|why| format!(": {why}")).unwrap_or_default();
    writeln!(out, "{mark} {english} {chinese}  {}{why}", file.path)
}

fn verdict(outcome: &Outcome, out: &mut impl Write) -> Result<()> {
    let manifests = outcome.listings.iter().filter(|l| l.is_manifest);
    let own = manifests.clone().find_map(|l| l.seal.as_ref()).map(|seal| seal.key.to_string());
    let own = own.as_deref().unwrap_or("?");
    let given = outcome.key.map(|key| key.to_string()).unwrap_or_default();
    let covered = manifests.clone().filter(|l| l.covered.is_some()).count();
    if matches!(outcome.verdict, Verdict::Genuine | Verdict::Consistent)
        && covered < manifests.clone().count()
    {
        writeln!(
            out,
            "    no checkpoint of the journal is with {} of the manifests",
            manifests.count() - covered
        )?;
    }
    match outcome.verdict {
        Verdict::Genuine => writeln!(
            out,
            "GENUINE 真实: every file is as the box signed it, by the key that you gave, {given}\n\
             每个文件都与设备所签一致，签名密钥即您给出的密钥"
        ),
        Verdict::Consistent => writeln!(
            out,
            "CONSISTENT 一致: every file is as it was signed, by the key that the evidence brings itself, {own}\n    \
             that proves nothing about whose key it is: compare it with the box's birth message at the centre, and pass --key\n\
             每个文件都与签名一致，但密钥由证据自带；请向中心核对设备公钥后用 --key 再验"
        ),
        Verdict::Unsigned => {
            writeln!(out, "UNSIGNED 未签名: nobody vouches for some of it\n部分内容没有签名，无人担保")
        }
        Verdict::Missing => writeln!(
            out,
            "MISSING 缺失: something that was signed is not here; what is here is as it was signed\n\
             有已签名的文件缺失；其余文件与签名一致"
        ),
        Verdict::Changed => writeln!(out, "CHANGED 已改动: this is not what the box signed\n与设备所签不符"),
    }
}
