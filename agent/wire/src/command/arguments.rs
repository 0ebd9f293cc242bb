//! The arguments of each verb, and their bounds.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::action::{CommandAction, StageAction, StoreAction};
use crate::limits;
use crate::refusal::{CommandRefusal, instant};
use crate::text::clipped;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResendArgs {
    from: u64,
    to: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogPullArgs {
    #[serde(default)]
    kinds: Vec<String>,
    last: u32,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatisticsArgs {
    from: Option<String>,
    to: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecheckArgs {
    incident_id: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct SnapshotArgs {
    camera_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClipArgs {
    camera_id: String,
    from: String,
    to: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PauseArgs {
    camera_id: Option<String>,
    for_s: f64,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoArgs {}

/// Arguments that are left out altogether are an empty object.
fn args<T: DeserializeOwned>(value: &Value) -> Result<T, CommandRefusal> {
    let value = if value.is_null() { Value::Object(serde_json::Map::new()) } else { value.clone() };
    serde_json::from_value(value).map_err(|e| CommandRefusal::Arguments(clipped(&e.to_string())))
}

/// What a verb with these arguments makes the box do.
pub(super) fn action(verb: &str, value: &Value) -> Result<CommandAction, CommandRefusal> {
    match verb {
        "resend" => resend(args(value)?).map(CommandAction::Store),
        "log.pull" => log_pull(args(value)?).map(CommandAction::Store),
        "statistics" => statistics(args(value)?).map(CommandAction::Store),
        "recheck" => {
            let RecheckArgs { incident_id } = args(value)?;
            Ok(CommandAction::Stage(StageAction::Recheck { incident_id: clipped(&incident_id) }))
        }
        "snapshot" => {
            let SnapshotArgs { camera_id } = args(value)?;
            Ok(CommandAction::Stage(StageAction::Snapshot { camera_id }))
        }
        "clip" => clip(args(value)?).map(CommandAction::Stage),
        "detector.pause" => pause(args(value)?).map(CommandAction::Stage),
        "patrol" => {
            let NoArgs {} = args(value)?;
            Ok(CommandAction::Stage(StageAction::Patrol))
        }
        "restart" => {
            let NoArgs {} = args(value)?;
            Ok(CommandAction::Stage(StageAction::Restart))
        }
        other => Err(CommandRefusal::UnknownVerb(clipped(other))),
    }
}

fn resend(ResendArgs { from, to }: ResendArgs) -> Result<StoreAction, CommandRefusal> {
    if from <= to && to - from < limits::RESEND {
        Ok(StoreAction::Resend { from, to })
    } else {
        let why = format!("from..to must be at most {} sequence numbers, in order", limits::RESEND);
        Err(CommandRefusal::Arguments(why))
    }
}

fn log_pull(LogPullArgs { kinds, last }: LogPullArgs) -> Result<StoreAction, CommandRefusal> {
    if (1..=limits::LOG_RECORDS).contains(&last) && kinds.len() <= limits::LOG_KINDS {
        Ok(StoreAction::LogPull { kinds, last })
    } else {
        let (records, kinds) = (limits::LOG_RECORDS, limits::LOG_KINDS);
        Err(CommandRefusal::Arguments(format!("last must be 1 to {records}, kinds at most {kinds}")))
    }
}

fn statistics(StatisticsArgs { from, to }: StatisticsArgs) -> Result<StoreAction, CommandRefusal> {
    let at = |what, text: Option<String>| match text {
        Some(text) => instant(what, &text).map(Some).map_err(|e| CommandRefusal::Arguments(e.to_string())),
        None => Ok(None),
    };
    let (from_ms, to_ms) = (at("from", from)?, at("to", to)?);
    let span_ms = from_ms.zip(to_ms).map(|(from, to)| to.saturating_sub(from));
    if span_ms.is_some_and(|ms| !(1..=limits::STATISTICS_MS).contains(&ms)) {
        let days = limits::STATISTICS_MS / 86_400_000;
        return Err(CommandRefusal::Arguments(format!("from..to must be at most {days} days, in order")));
    }
    Ok(StoreAction::Statistics { from_ms, to_ms })
}

fn clip(ClipArgs { camera_id, from, to }: ClipArgs) -> Result<StageAction, CommandRefusal> {
    let at = |what, text: &str| instant(what, text).map_err(|e| CommandRefusal::Arguments(e.to_string()));
    let (from_ms, to_ms) = (at("from", &from)?, at("to", &to)?);
    if from_ms < to_ms && (to_ms - from_ms) as f64 <= limits::CLIP_S * 1000.0 {
        Ok(StageAction::Clip { camera_id, from_ms, to_ms })
    } else {
        let why = format!("from..to must be at most {} s, in order", limits::CLIP_S);
        Err(CommandRefusal::Arguments(why))
    }
}

fn pause(PauseArgs { camera_id, for_s }: PauseArgs) -> Result<StageAction, CommandRefusal> {
    if (0.0..=limits::PAUSE_S).contains(&for_s) {
        Ok(StageAction::Pause { camera_id, for_s })
    } else {
        Err(CommandRefusal::Arguments(format!("for_s must be 0 to {}", limits::PAUSE_S)))
    }
}
