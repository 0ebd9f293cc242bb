//! When a rule is in force: weekly hours in the site's own time, without the hours that somebody has a permit for.

use kerbside_site::config::{Hours, Permit, Rule};

const DAY_MIN: i64 = 24 * 60;
/// 2025-01-01: a clock that stands before it is wrong, for this program is younger.
const EARLIEST_MS: i64 = 1_735_689_600_000;

/// Whether a rule applies at a moment, and if not, why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RuleStatus {
    /// It applies.
    InForce,
    /// Its hours are over.
    OutsideSchedule,
    /// Somebody may be there now.
    Permitted {
        /// Who has the permit.
        holder: String,
        /// When it applies.
        hours: Hours,
    },
}

/// The schedule comes first, then the permits. An empty schedule is always. Hours cannot be judged by a clock that woke up in 1970:
/// the rule applies, for an officer can put aside what was reported, and not see what was not.
pub(crate) fn rule_status(rule: &Rule, wall_ms: i64, utc_offset_s: i32) -> RuleStatus {
    if wall_ms < EARLIEST_MS {
        return RuleStatus::InForce;
    }
    if !rule.schedule.is_empty() && !rule.schedule.iter().any(|h| hours_include(h, wall_ms, utc_offset_s)) {
        return RuleStatus::OutsideSchedule;
    }
    let includes_now = |permit: &&Permit| hours_include(&permit.hours, wall_ms, utc_offset_s);
    match rule.permits.iter().find(includes_now) {
        Some(Permit { holder, hours, .. }) => {
            RuleStatus::Permitted { holder: holder.clone(), hours: hours.clone() }
        }
        None => RuleStatus::InForce,
    }
}

/// Whether a moment lies in any of these hours; no hours hold none. A clock that woke up in 1970 is in none.
pub(crate) fn is_within(hours: &[Hours], wall_ms: i64, utc_offset_s: i32) -> bool {
    wall_ms >= EARLIEST_MS && hours.iter().any(|h| hours_include(h, wall_ms, utc_offset_s))
}

/// Whether a moment lies in weekly hours. `from_min` belongs to the hours, `to_min` does not. `to_min <= from_min` runs over midnight and belongs to the day it began.
fn hours_include(hours: &Hours, wall_ms: i64, utc_offset_s: i32) -> bool {
    let local_min = (wall_ms + i64::from(utc_offset_s) * 1000).div_euclid(60_000);
    let minute = local_min.rem_euclid(DAY_MIN);
    // 1970-01-01 was a Thursday: day 3 of a week that starts on Monday.
    let weekday = (local_min.div_euclid(DAY_MIN) + 3).rem_euclid(7) as usize;
    let (from, to) = (i64::from(hours.from_min), i64::from(hours.to_min));
    let today = hours.days[weekday];
    if to > from {
        return today && minute >= from && minute < to;
    }
    let yesterday = hours.days[(weekday + 6) % 7];
    (today && minute >= from) || (yesterday && minute < to)
}

/// Weekly hours as OpenStreetMap writes opening hours: `Mo-Fr 07:00-21:00; Sa,Su 08:00-12:00`.
pub(crate) fn hours_text(hours: &[Hours]) -> String {
    let texts: Vec<String> = hours.iter().map(one_text).collect();
    texts.join("; ")
}

fn one_text(hours: &Hours) -> String {
    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    let span = format!("{}-{}", clock(hours.from_min), clock(hours.to_min));
    match days_text(&hours.days) {
        Some(days) => format!("{days} {span}"),
        None => span,
    }
}

/// Runs of days; `None`: every day.
fn days_text(days: &[bool; 7]) -> Option<String> {
    const NAMES: [&str; 7] = ["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"];
    if days.iter().all(|day| *day) {
        return None;
    }
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for day in (0..days.len()).filter(|day| days[*day]) {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == day => *last = day,
            _ => runs.push((day, day)),
        }
    }
    let texts = runs.into_iter().map(|(from, to)| match to - from {
        0 => NAMES[from].to_owned(),
        1 => format!("{},{}", NAMES[from], NAMES[to]),
        _ => format!("{}-{}", NAMES[from], NAMES[to]),
    });
    Some(texts.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHINA_S: i32 = 8 * 3600;
    /// 2026-11-21 is a Saturday; 00:00 +08:00.
    const SATURDAY_MS: i64 = 1_795_190_400_000;

    fn at(day: i64, hour: i64, minute: i64) -> i64 {
        SATURDAY_MS + ((day * 24 + hour) * 60 + minute) * 60_000
    }

    fn days(text: &str) -> [bool; 7] {
        let mut days = [false; 7];
        for (i, letter) in text.chars().enumerate() {
            days[i] = letter != '-';
        }
        days
    }

    #[test]
    fn the_anchor_of_these_tests_is_a_saturday_midnight() {
        assert_eq!(kerbside_domain::time::rfc3339(SATURDAY_MS, CHINA_S), "2026-11-21T00:00:00.000+08:00");
    }

    #[test]
    fn hours_as_text() {
        let hours = |text: &str, from: u16, to: u16| Hours { days: days(text), from_min: from, to_min: to };
        let table = [
            (vec![hours("MTWTFSS", 7 * 60, 21 * 60)], "07:00-21:00"),
            (
                vec![hours("MTWTF--", 450, 1260), hours("-----SS", 480, 0)],
                "Mo-Fr 07:30-21:00; Sa,Su 08:00-00:00",
            ),
            (vec![hours("M-WTF-S", 0, 1440)], "Mo,We-Fr,Su 00:00-24:00"),
            (vec![], ""),
        ];
        for (hours, text) in table {
            assert_eq!(hours_text(&hours), text);
        }
    }

    #[test]
    fn hours_in_the_sites_own_time() {
        let weekend_mornings = Hours { days: days("-----SS"), from_min: 6 * 60, to_min: 12 * 60 };
        let night_of_friday = Hours { days: days("----F--"), from_min: 22 * 60, to_min: 5 * 60 };
        let all_day_monday = Hours { days: days("M------"), from_min: 0, to_min: 0 };
        let table = [
            (&weekend_mornings, at(0, 5, 59), false),
            (&weekend_mornings, at(0, 6, 0), true),
            (&weekend_mornings, at(1, 11, 59), true),
            (&weekend_mornings, at(1, 12, 0), false),
            (&weekend_mornings, at(2, 8, 0), false),
            (&night_of_friday, at(-1, 21, 59), false),
            (&night_of_friday, at(-1, 22, 0), true),
            (&night_of_friday, at(0, 4, 59), true),
            (&night_of_friday, at(0, 5, 0), false),
            (&night_of_friday, at(0, 22, 30), false),
            (&night_of_friday, at(-1, 3, 0), false),
            (&all_day_monday, at(2, 0, 0), true),
            (&all_day_monday, at(2, 23, 59), true),
            (&all_day_monday, at(3, 0, 0), false),
        ];
        for (hours, wall_ms, holds) in table {
            let when = kerbside_domain::time::rfc3339(wall_ms, CHINA_S);
            assert_eq!(hours_include(hours, wall_ms, CHINA_S), holds, "{hours:?} at {when}");
        }
    }
}
