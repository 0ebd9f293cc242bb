//! How a message looks in the terminal: Chinese and English, for people.

use std::path::Path;

use kerbside_domain::kind::Kind;
use kerbside_domain::patrol::DoubtReason;
use kerbside_site::geo::CodeTable;
use serde_json::Value;

/// What is said of a message; `None` for what would only be noise.
pub(super) fn lines(event: &Value, retain: bool, evidence_dir: Option<&Path>) -> Option<String> {
    let kind = event.get("type")?.as_str()?.strip_prefix("kerbside.")?;
    let data = event.get("data")?;
    if kind.starts_with("matter.") {
        return matter(event, data, evidence_dir);
    }
    let who = box_name(event);
    let time = clock_time(event);
    let text = |key: &str| data.get(key).and_then(Value::as_str).unwrap_or("?");
    let kept = if retain { " (retained)" } else { "" };
    match kind.split('.').collect::<Vec<_>>().as_slice() {
        ["device", "state", ..] => {
            let (zh, en) = match text("state") {
                "online" => ("上线", "online"),
                "offline" => ("离线", "offline, on purpose"),
                "lost" => ("失联", "lost by the broker"),
                other => ("状态", other),
            };
            Some(format!("{time}  设备{zh}  {who} {en}{kept}"))
        }
        ["patrol", ..] => {
            let (zh, en) = match text("verdict") {
                "all_well" => ("平安报告", "all well"),
                "open_matters" => ("巡查报告：有未结事项", "open matters"),
                "degraded" => ("巡查报告：不能确认平安", "degraded, nobody can say that all is well"),
                other => ("巡查报告", other),
            };
            Some(format!("{time}  {zh}  {who} patrol report: {en}{}{kept}", doubts(data)))
        }
        ["camera", "state", ..] => {
            let (zh, en) = match text("state") {
                "watching" => ("正常", "watching"),
                "blind" => ("无法看清", "blind"),
                "off" => ("无画面", "off"),
                other => ("状态", other),
            };
            let why = Some(text("why")).filter(|why| *why != "?").map(|why| format!(": {why}"));
            let why = why.unwrap_or_default();
            Some(format!("{time}  摄像机{zh}  {} camera {en}{why}  {who}{kept}", text("camera_id")))
        }
        ["sensor", "alarm", ..] => {
            let active = data.get("active").and_then(Value::as_bool).unwrap_or(false);
            let (zh, en) = if active { ("告警", "alarm") } else { ("告警解除", "alarm over") };
            let value = data.get("result").map(Value::to_string).unwrap_or_default();
            Some(format!(
                "{time}  传感器{zh}  {} {value} {} {en}  {who}",
                text("sensor"),
                text("unitOfMeasurement")
            ))
        }
        ["command", "reply", ..] => Some(format!(
            "{time}  指令回复  {} {}: {}  {who}",
            text("verb"),
            text("command_id"),
            text("result")
        )),
        ["evidence", "failed", ..] => {
            Some(format!("{time}  证据缺失  evidence failed: {}  {who}", text("reason")))
        }
        _ => None,
    }
}

fn matter(event: &Value, data: &Value, evidence_dir: Option<&Path>) -> Option<String> {
    let text = |pointer: &str| data.pointer(pointer).and_then(Value::as_str);
    let (zh, en) = match text("/phase")? {
        "opened" => ("发现", "OPENED"),
        "updated" => ("更新", "updated"),
        "cleared" => ("消失", "cleared"),
        "withdrawn" => ("撤回", "withdrawn"),
        "recheck" => ("复核", "recheck"),
        other => ("", other),
    };
    let kind = text("/kind")?;
    let name = text("/matter/name").map_or_else(|| kind_zh(kind), str::to_owned);
    let code = text("/matter/code").map(|c| format!(" {c}")).unwrap_or_default();
    let confidence = data.get("confidence").and_then(Value::as_f64).unwrap_or(0.0) * 100.0;
    let mut out = format!(
        "{}  {zh} {en:<9} {kind} {name}{code}  {confidence:.0} %  {}/{}",
        clock_time(event),
        box_name(event),
        text("/device/camera_id").unwrap_or("?"),
    );
    out.push_str(&format!(
        "\n          地点 place: {}  区域 zone: {}  停留 dwell: {} s  编号 id: {}",
        place(data),
        text("/zone/id").unwrap_or("?"),
        data.get("dwell_s").map(Value::to_string).unwrap_or_default(),
        event.get("id").and_then(Value::as_str).unwrap_or("?"),
    ));
    if let (Some(state), Some(because)) = (text("/state"), text("/reported_because")) {
        let zh = match state {
            "open" => "存在",
            "cleared" => "已消失",
            "withdrawn" => "已撤回",
            _ => "",
        };
        let previous = text("/previous").map(|id| format!("  前一事件 previous: {id}")).unwrap_or_default();
        out.push_str(&format!("\n          状态 state: {zh} {state}, {because}{previous}"));
    }
    if let Some(result) = text("/recheck/result") {
        let zh = match result {
            "cleared" => "已消失",
            "persisting" => "仍存在",
            _ => "无法观察",
        };
        let why = text("/recheck/why").unwrap_or("?");
        out.push_str(&format!("\n          复核 rechecked: {zh} {result} ({why})"));
    }
    for item in data.get("evidence").and_then(Value::as_array).into_iter().flatten() {
        let role = item.get("role").and_then(Value::as_str).unwrap_or("?");
        let what = match item.get("path").and_then(Value::as_str) {
            Some(path) => {
                evidence_dir.map_or_else(|| path.to_owned(), |dir| dir.join(path).display().to_string())
            }
            None => item.get("state").and_then(Value::as_str).unwrap_or("?").to_owned(),
        };
        out.push_str(&format!("\n          证据 evidence: {:<9} {what}", role));
    }
    Some(out)
}

/// Every reason of a patrol report for which nobody may say that all is well, one a line.
fn doubts(data: &Value) -> String {
    let line = |doubt: &Value| {
        let text = |key: &str| doubt.get(key).and_then(Value::as_str);
        let reason = text("reason").unwrap_or("?");
        let known = DoubtReason::ALL.into_iter().find(|known| known.as_str() == reason);
        let (zh, en) = match known {
            Some(known) => known.text(),
            None => ("原因", reason),
        };
        let about = text("camera_id").or(text("sensor")).map(|id| format!(" {id}")).unwrap_or_default();
        let detail = text("detail").map(|detail| format!(": {detail}")).unwrap_or_default();
        let seconds = doubt.get("seconds").map(|s| format!(", {s} s")).unwrap_or_default();
        format!("\n          {zh} {en}{about}{detail}{seconds}")
    };
    data.get("why").and_then(Value::as_array).into_iter().flatten().map(line).collect()
}

fn place(data: &Value) -> String {
    let at = |i: usize| data.pointer(&format!("/location/geometry/coordinates/{i}")).and_then(Value::as_f64);
    let (Some(lon), Some(lat)) = (at(0), at(1)) else { return "unknown 未知".to_owned() };
    let accuracy = data.pointer("/location/properties/accuracy_m").and_then(Value::as_f64);
    let accuracy = accuracy.map(|a| format!(" ±{a:.1} m")).unwrap_or_default();
    let grid = data.pointer("/grid/unit_grid").and_then(Value::as_str);
    let grid = grid.map(|g| format!(" 网格 {g}")).unwrap_or_default();
    format!("{lat:.6}, {lon:.6}{accuracy}{grid}")
}

/// `hh:mm:ss` of the event's own time, in the site's own offset.
fn clock_time(event: &Value) -> &str {
    event.get("time").and_then(Value::as_str).and_then(|t| t.get(11..19)).unwrap_or("??:??:??")
}

fn box_name(event: &Value) -> &str {
    event.get("source").and_then(Value::as_str).and_then(|s| s.rsplit(':').next()).unwrap_or("?")
}

/// Chinese name of a kind, for messages without a coded matter: that of the code table in force.
fn kind_zh(kind: &str) -> String {
    let matter = Kind::parse(kind).and_then(|kind| CodeTable::shipped().matter(kind, ""));
    matter.map(|matter| matter.name).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn a_patrol_in_the_terminal_names_its_reasons() {
        let event = json!({"source": "urn:kerbside:310112:mh-xz-017", "type": "kerbside.patrol.report.v1",
            "time": "2026-11-21T08:31:05.120+08:00", "data": {"verdict": "degraded", "why": [
                {"reason": "camera_blind", "camera_id": "cam1", "detail": "covered", "seconds": 36.5},
                {"reason": "sensor_alarm", "sensor": "smoke-1"}, {"reason": "of_a_later_version"}]}});
        expect![[r#"
            08:31:05  巡查报告：不能确认平安  mh-xz-017 patrol report: degraded, nobody can say that all is well
                      摄像机无法看清 camera blind cam1: covered, 36.5 s
                      传感器告警 sensor alarm smoke-1
                      原因 of_a_later_version"#]]
        .assert_eq(&lines(&event, false, None).unwrap());
        let event = json!({"source": "urn:kerbside:310112:mh-xz-017", "type": "kerbside.camera.state.v1",
            "time": "2026-11-21T08:31:05.120+08:00",
            "data": {"camera_id": "cam1", "state": "off", "why": "unreachable"}});
        expect!["08:31:05  摄像机无画面  cam1 camera off: unreachable  mh-xz-017 (retained)"]
            .assert_eq(&lines(&event, true, None).unwrap());
    }

    #[test]
    fn an_incident_in_the_terminal() {
        let event = json!({"id": "01J.0002", "source": "urn:kerbside:310112:mh-xz-017",
            "type": "kerbside.matter.opened.v1", "time": "2026-11-21T08:31:05.120+08:00",
            "data": {"phase": "opened", "state": "open", "reported_because": "dwell", "previous": "01H", "kind": "waste.exposed", "confidence": 0.91, "dwell_s": 61.5,
                "matter": {"code": "06010", "name": "暴露垃圾"},
                "location": {"geometry": {"coordinates": [121.3761234, 31.1124567]}, "properties": {"accuracy_m": 2.8}},
                "grid": {"unit_grid": "310112001002003"}, "device": {"camera_id": "cam1"}, "zone": {"id": "sidewalk-1"},
                "evidence": [{"role": "trigger", "path": "2026/a.jpg", "state": "available"},
                             {"role": "clip", "state": "pending"}]}});
        let text = lines(&event, false, Some(Path::new("/var/lib/kerbside/evidence"))).unwrap();
        expect![[r#"
            08:31:05  发现 OPENED    waste.exposed 暴露垃圾 06010  91 %  mh-xz-017/cam1
                      地点 place: 31.112457, 121.376123 ±2.8 m 网格 310112001002003  区域 zone: sidewalk-1  停留 dwell: 61.5 s  编号 id: 01J.0002
                      状态 state: 存在 open, dwell  前一事件 previous: 01H
                      证据 evidence: trigger   /var/lib/kerbside/evidence/2026/a.jpg
                      证据 evidence: clip      pending"#]]
        .assert_eq(&text);
    }
}
