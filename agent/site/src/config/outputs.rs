//! The tables of outputs: what speaks or shines at the place when a rule warns.

use toml::Spanned;

use super::check::Check;
use super::instruments::{Output, OutputWay};
use super::raw;
use super::read::Table;
use super::values;

#[derive(Clone, Copy)]
enum Way {
    Player,
    Http,
    Mqtt,
    Gpio,
}

const WAYS: [(&str, Way); 4] =
    [("player", Way::Player), ("http", Way::Http), ("mqtt", Way::Mqtt), ("gpio", Way::Gpio)];
const METHODS: [(&str, &str); 3] = [("GET", "GET"), ("POST", "POST"), ("PUT", "PUT")];
/// Longest body or payload, bytes: an order to a speaker, not a recording.
const MAX_TEXT: usize = 4096;

pub(super) fn all(cx: &mut Check<'_>, root: &mut Table<'_>, has_broker: bool) -> Vec<Output> {
    let mut outputs: Vec<Output> = Vec::new();
    for table in root.take_tables("output", "[[output]]", cx.sink) {
        let output = output(cx, table, &outputs, has_broker);
        outputs.extend(output);
    }
    outputs
}

fn output(cx: &mut Check<'_>, table: Table<'_>, before: &[Output], has_broker: bool) -> Option<Output> {
    let name = table.named("[[output]]");
    let span = table.span.clone();
    let raw: raw::Output = table.read(&[], cx.sink);
    let here = (name.as_str(), &span);
    let id_at = cx.required("id", &raw.id, here, "\"speaker-1\"");
    let id = id_at.as_ref().map(|v| cx.id("id", v)).unwrap_or_default();
    if let Some(v) = id_at.filter(|_| before.iter().any(|o| o.id == id)) {
        cx.repeated(v.span(), format!("output id \"{id}\" is used twice"))
            .help("give each output its own id");
    }
    let kind = cx.required("kind", &raw.kind, here, "\"player\"");
    let way = kind.and_then(|v| cx.word("kind", &v, &WAYS));
    if let Some(way) = way {
        foreign_keys(cx, &raw, way);
    }
    let way = match way? {
        Way::Player => player(cx, &raw, here),
        Way::Http => http(cx, &raw, here),
        Way::Mqtt => mqtt(cx, &raw, here, has_broker),
        Way::Gpio => gpio(cx, &raw, here),
    };
    Some(Output { id, way: way? })
}

/// Keys that belong to another kind of output.
fn foreign_keys(cx: &mut Check<'_>, raw: &raw::Output, way: Way) {
    let span = |found: Option<std::ops::Range<usize>>, key: &'static str, ours: bool| {
        found.filter(|_| !ours).map(|span| (span, key))
    };
    let at = |v: &raw::At<String>| v.as_ref().map(Spanned::span);
    let (player, http) = (matches!(way, Way::Player), matches!(way, Way::Http));
    let (mqtt, gpio) = (matches!(way, Way::Mqtt), matches!(way, Way::Gpio));
    let keys = [
        span(raw.program.as_ref().map(Spanned::span), "program", player),
        span(at(&raw.file), "file", player),
        span(at(&raw.url), "url", http),
        span(at(&raw.method), "method", http),
        span(at(&raw.body), "body", http),
        span(at(&raw.username), "username", http),
        span(at(&raw.password_file), "password_file", http),
        span(at(&raw.topic), "topic", mqtt),
        span(at(&raw.payload), "payload", mqtt),
        span(at(&raw.chip), "chip", gpio),
        span(raw.line.as_ref().map(Spanned::span), "line", gpio),
        span(raw.on_s.as_ref().map(Spanned::span), "on_s", gpio),
        span(raw.active_low.as_ref().map(Spanned::span), "active_low", gpio),
    ];
    for (span, key) in keys.into_iter().flatten() {
        cx.sink.at(span, format!("`{key}` does not belong to this kind of output")).help(
            "player: program, file; http: url, method, body, username, password_file; mqtt: topic, payload; \
             gpio: chip, line, on_s, active_low",
        );
    }
}

type Here<'a> = (&'a str, &'a std::ops::Range<usize>);

fn player(cx: &mut Check<'_>, raw: &raw::Output, here: Here<'_>) -> Option<OutputWay> {
    let file = cx.required("file", &raw.file, here, "\"sounds/welcome.wav\"");
    let file = file.and_then(|v| cx.existing("file", &v));
    let program: Vec<String> = match &raw.program {
        None => vec!["aplay".to_owned(), "-q".to_owned()],
        Some(list) => list.get_ref().iter().map(|word| word.get_ref().clone()).collect(),
    };
    if let Some(list) = raw.program.as_ref().filter(|_| program.first().is_none_or(String::is_empty)) {
        let what = "`program` names no program";
        cx.sink.at(list.span(), what).help("for example: program = [\"aplay\", \"-q\"]");
        return None;
    }
    Some(OutputWay::Player { program, file: file? })
}

fn http(cx: &mut Check<'_>, raw: &raw::Output, here: Here<'_>) -> Option<OutputWay> {
    let url = cx.required("url", &raw.url, here, "\"http://192.168.1.9/play?file=3\"")?;
    let method = raw.method.as_ref().and_then(|v| cx.word("method", v, &METHODS)).unwrap_or("POST");
    let body = bounded(cx, "body", &raw.body);
    let password = raw.password_file.as_ref().and_then(|v| cx.existing("password_file", v));
    let login = match (&raw.username, &raw.password_file) {
        (Some(user), Some(_)) => password.map(|file| (user.get_ref().clone(), file)),
        (None, None) => None,
        (Some(v), None) => {
            cx.sink.at(v.span(), "`username` without `password_file`").help("add password_file");
            None
        }
        (None, Some(v)) => {
            cx.sink.at(v.span(), "`password_file` without `username`").help("add username");
            None
        }
    };
    match address(url.get_ref()) {
        Ok((host, port, path)) => Some(OutputWay::Http { method, host, port, path, body, login }),
        Err(why) => {
            cx.sink
                .at(url.span(), why)
                .help("allowed: http://host[:port]/path; user and password have keys of their own");
            None
        }
    }
}

/// Host, port and path of a speaker's address.
fn address(url: &str) -> Result<(String, u16, String), String> {
    let rest = match (url.strip_prefix("http://"), url.starts_with("https://")) {
        (Some(rest), _) => rest,
        (None, true) => return Err("`url` begins with https://, which is not spoken to outputs".to_owned()),
        (None, false) => return Err(format!("`url` \"{url}\" is no address of an IP speaker")),
    };
    let cut = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(cut);
    if authority.contains('@') {
        return Err("`url` holds a user: write username and password_file".to_owned());
    }
    if path.chars().any(|c| c.is_whitespace() || c.is_control() || !c.is_ascii()) {
        return Err("`url` holds characters that must be written as %XX".to_owned());
    }
    let (host, port) = values::host_port(authority, 80)?;
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Ok((host, port, path))
}

fn mqtt(cx: &mut Check<'_>, raw: &raw::Output, here: Here<'_>, has_broker: bool) -> Option<OutputWay> {
    let topic = cx.required("topic", &raw.topic, here, "\"speakers/1/play\"")?;
    let payload = bounded(cx, "payload", &raw.payload);
    if let Some(fault) = values::topic_fault(topic.get_ref()) {
        cx.sink.at(topic.span(), fault).help("for example: topic = \"speakers/1/play\"");
        return None;
    }
    if !has_broker {
        let what = "an output of kind `mqtt` without [sensors] broker: nobody would take its message";
        cx.sink.at(topic.span(), what).help("add [sensors] with broker = \"mqtt://127.0.0.1:1884\"");
    }
    Some(OutputWay::Mqtt { topic: topic.into_inner(), payload })
}

fn gpio(cx: &mut Check<'_>, raw: &raw::Output, here: Here<'_>) -> Option<OutputWay> {
    let chip = cx.required("chip", &raw.chip, here, "\"/dev/gpiochip0\"");
    let line = cx.required("line", &raw.line, here, "17");
    let chip = chip?;
    if !chip.get_ref().starts_with("/dev/") {
        let what = format!("`chip` \"{}\" is no GPIO chip", chip.get_ref());
        cx.sink.at(chip.span(), what).help("for example: chip = \"/dev/gpiochip0\"");
    }
    line.as_ref()?;
    Some(OutputWay::Gpio {
        chip: chip.get_ref().into(),
        line: cx.whole("line", &raw.line, 0..=1023, 0),
        on_s: cx.whole("on_s", &raw.on_s, 1..=600, 20) as u16,
        active_low: raw.active_low.as_ref().is_some_and(|v| *v.get_ref()),
    })
}

/// A text that is sent as it is.
fn bounded(cx: &mut Check<'_>, key: &str, value: &raw::At<String>) -> String {
    let Some(v) = value else { return String::new() };
    if v.get_ref().len() > MAX_TEXT {
        let what = format!("`{key}` has {} bytes", v.get_ref().len());
        cx.sink.at(v.span(), what).help(format!("allowed: up to {MAX_TEXT} bytes"));
        return String::new();
    }
    v.get_ref().clone()
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn addresses_of_speakers() {
        let good = [
            ("http://10.0.0.9", ("10.0.0.9", 80, "/")),
            ("http://10.0.0.9:8080/play?file=3", ("10.0.0.9", 8080, "/play?file=3")),
            ("http://speaker?x=1", ("speaker", 80, "/?x=1")),
            ("http://[fe80::1]:81/a", ("fe80::1", 81, "/a")),
        ];
        for (url, (host, port, path)) in good {
            assert_eq!(address(url), Ok((host.to_owned(), port, path.to_owned())), "{url}");
        }
        let bad = [
            ("https://10.0.0.9/", "`url` begins with https://, which is not spoken to outputs"),
            ("rtsp://10.0.0.9/", "`url` \"rtsp://10.0.0.9/\" is no address of an IP speaker"),
            ("http://u:p@10.0.0.9/", "`url` holds a user: write username and password_file"),
            ("http://10.0.0.9/a b", "`url` holds characters that must be written as %XX"),
        ];
        for (url, why) in bad {
            assert_eq!(address(url), Err(why.to_owned()), "{url}");
        }
    }
}
