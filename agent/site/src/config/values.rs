//! Small languages inside values: ids, addresses, hours, offsets. Pure: text in; a plain value, or a sentence about the fault, out.

use super::site::{Hours, Proxy, ProxyLogin};
pub(super) use crate::camera_url::host_port;

/// `[a-z0-9-]{1,32}`: what fits a topic level, a certificate's CN and a file name.
pub(super) fn is_id(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// A valid id that is similar to the text, if one can be made of it.
pub(super) fn id_like(text: &str) -> Option<String> {
    let made: String = text
        .chars()
        .filter(|c| c.is_ascii())
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(32)
        .collect();
    let made = made.trim_matches('-').to_owned();
    is_id(&made).then_some(made)
}

pub(super) fn is_division(text: &str) -> bool {
    text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0')
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) secure: bool,
    pub(super) host: String,
    pub(super) port: u16,
    /// Over WebSocket: the path.
    pub(super) websocket: Option<String>,
}

/// The same, and `ws://host[:port][/path]` or `wss://host[:port][/path]`; ports default to 80 and 443, the path to `/mqtt`.
pub(super) fn centre_url(text: &str) -> Result<Address, String> {
    let (secure, rest) = match (text.strip_prefix("ws://"), text.strip_prefix("wss://")) {
        (Some(rest), _) => (false, rest),
        (_, Some(rest)) => (true, rest),
        _ => return mqtt_url(text),
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, "mqtt"));
    if authority.contains('@') {
        return Err("an address must not carry a user or password".into());
    }
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '#' | '"' | '\\' | '<' | '>');
    if !path.chars().all(is_plain) {
        return Err("a path must be plain letters, digits and punctuation; write others as %XX".into());
    }
    let (host, port) = host_port(authority, if secure { 443 } else { 80 })?;
    Ok(Address { secure, host, port, websocket: Some(format!("/{path}")) })
}

/// `http://[user:password@]host:port`. No fault that is found repeats the password.
pub(super) fn proxy_url(text: &str) -> Result<Proxy, String> {
    let Some(rest) = text.strip_prefix("http://") else {
        return Err("a proxy is reached by http://; what goes through it may be TLS all the same".into());
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (login, address) = match rest.rsplit_once('@') {
        Some((login, address)) => (Some(login), address),
        None => (None, rest),
    };
    let (host, port) = host_port(address, 0).map_err(|_| "the proxy's host or port is wrong".to_owned())?;
    if port == 0 {
        return Err("the proxy's port is missing".into());
    }
    let login = login.map(|login| {
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let plain =
            |text| unescaped(text).ok_or("a % in user or password must be followed by two hex digits");
        Ok::<_, &str>(ProxyLogin { user: plain(user)?, password: plain(password)? })
    });
    Ok(Proxy { host, port, login: login.transpose()? })
}

/// `%40` is `@`.
fn unescaped(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let pair = [bytes.next()?, bytes.next()?];
        out.push(u8::from_str_radix(std::str::from_utf8(&pair).ok()?, 16).ok()?);
    }
    String::from_utf8(out).ok()
}

/// `mqtt://host[:port]` or `mqtts://host[:port]`; ports default to 1883 and 8883.
pub(super) fn mqtt_url(text: &str) -> Result<Address, String> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err("this is no address: it must begin with mqtt:// or mqtts://".to_owned());
    };
    let secure = match scheme {
        "mqtt" => false,
        "mqtts" => true,
        other => return Err(format!("`{other}://` is not spoken here: only mqtt:// and mqtts://")),
    };
    if rest.contains('@') {
        return Err("an address must not carry a user or password".into());
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = host_port(rest, if secure { 8883 } else { 1883 })?;
    Ok(Address { secure, host, port, websocket: None })
}

/// Seconds east of UTC of `+08:00`.
pub(super) fn utc_offset(text: &str) -> Option<i32> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let minutes = i32::from(clock(rest)?);
    (minutes <= 14 * 60).then_some(sign * minutes * 60)
}

/// Minutes of `HH:MM`, up to 24:00.
fn clock(text: &str) -> Option<u16> {
    let (h, m) = text.split_once(':')?;
    let two =
        |t: &str| (t.len() == 2 && t.bytes().all(|b| b.is_ascii_digit())).then(|| t.parse::<u16>().ok());
    let minutes = two(h)?? * 60 + two(m)??;
    (two(m)?? < 60 && minutes <= 24 * 60).then_some(minutes)
}

pub(super) const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// `mon-fri`, `sat`, `mon,wed,fri`, `sat-mon`.
pub(super) fn days(text: &str) -> Result<[bool; 7], String> {
    let day = |t: &str| {
        let t = t.trim();
        DAYS.iter().position(|d| *d == t).ok_or_else(|| format!("`{t}` is no day of the week"))
    };
    let mut set = [false; 7];
    for part in text.split(',') {
        let (from, to) = match part.split_once('-') {
            Some((from, to)) => (day(from)?, day(to)?),
            None => (day(part)?, day(part)?),
        };
        let mut at = from;
        set[at] = true;
        while at != to {
            at = (at + 1) % 7;
            set[at] = true;
        }
    }
    Ok(set)
}

/// `07:00-21:00`; `21:00-06:00` runs over midnight.
pub(super) fn hours(text: &str) -> Result<(u16, u16), String> {
    let Some((from, to)) = text.split_once('-') else {
        return Err(format!("`{text}` is no span of hours"));
    };
    let of = |t: &str| clock(t.trim()).ok_or_else(|| format!("`{}` is no time of day", t.trim()));
    let (from, to) = (of(from)?, of(to)?);
    if from == 24 * 60 {
        return Err("a span cannot begin at 24:00".into());
    }
    if from == to {
        return Err(format!("`{text}` is empty: it ends when it begins"));
    }
    Ok((from, to))
}

/// An MQTT topic that one sensor publishes on: no wildcards, no control characters.
pub(super) fn topic_fault(topic: &str) -> Option<&'static str> {
    if topic.is_empty() {
        Some("a topic must not be empty")
    } else if topic.len() > 200 {
        Some("a topic must not be longer than 200 bytes")
    } else if topic.contains(['+', '#']) {
        Some("a topic of one sensor must not hold the wildcards `+` and `#`")
    } else if topic.chars().any(char::is_control) || topic.starts_with('$') {
        Some("a topic must not hold control characters nor begin with `$`")
    } else {
        None
    }
}

/// A whole week, for tests and defaults.
pub(super) fn always() -> Hours {
    Hours { days: [true; 7], from_min: 0, to_min: 24 * 60 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let ok = |t: &str| mqtt_url(t).map(|a| (a.secure, a.host, a.port));
        assert_eq!(ok("mqtt://127.0.0.1"), Ok((false, "127.0.0.1".into(), 1883)));
        assert_eq!(ok("mqtts://centre.example:18883/"), Ok((true, "centre.example".into(), 18883)));
        assert_eq!(ok("mqtt://[::1]:1884"), Ok((false, "::1".into(), 1884)));
        for bad in [
            "localhost:1883",
            "tcp://h",
            "mqtt://",
            "mqtt://h:0",
            "mqtt://h:65536",
            "mqtt://u:p@h",
            "mqtt://[::1",
        ] {
            assert!(mqtt_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_of_a_centre_may_be_websockets() {
        let ok = |t: &str| centre_url(t).map(|a| (a.secure, a.host, a.port, a.websocket));
        assert_eq!(ok("mqtts://h"), Ok((true, "h".into(), 8883, None)));
        assert_eq!(ok("ws://h"), Ok((false, "h".into(), 80, Some("/mqtt".into()))));
        assert_eq!(ok("wss://[::1]:8084/"), Ok((true, "::1".into(), 8084, Some("/".into()))));
        assert_eq!(ok("ws://h:9001/a/b?c=1"), Ok((false, "h".into(), 9001, Some("/a/b?c=1".into()))));
        for bad in ["ws://", "wss://u:p@h/mqtt", "ws://h/a b", "ws://h/a#b", "http://h"] {
            assert!(centre_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn proxies_and_no_fault_repeats_the_password() {
        let login =
            |user: &str, password: &str| Some(ProxyLogin { user: user.into(), password: password.into() });
        let ok = |t: &str| proxy_url(t).map(|p| (p.host, p.port, p.login));
        assert_eq!(ok("http://proxy:3128"), Ok(("proxy".into(), 3128, None)));
        assert_eq!(ok("http://u:p@10.0.0.1:8080/"), Ok(("10.0.0.1".into(), 8080, login("u", "p"))));
        assert_eq!(ok("http://u:p%40%3a%23@h:1"), Ok(("h".into(), 1, login("u", "p@:#"))));
        assert_eq!(ok("http://u:p@w@[::1]:1"), Ok(("::1".into(), 1, login("u", "p@w"))));
        for bad in
            ["https://u:canary@h:1", "http://u:canary@h", "http://u:canary@h:x", "http://u:canary%zz@h:1"]
        {
            assert!(!proxy_url(bad).unwrap_err().contains("canary"), "{bad}");
        }
        assert!(!format!("{:?}", proxy_url("http://u:canary@h:1").unwrap()).contains("canary"));
    }

    #[test]
    fn offsets_and_hours() {
        assert_eq!(utc_offset("+08:00"), Some(28_800));
        assert_eq!(utc_offset("-03:30"), Some(-12_600));
        assert_eq!(utc_offset("08:00"), None);
        assert_eq!(utc_offset("+15:00"), None);
        assert_eq!(utc_offset("é8:00"), None);
        assert_eq!(hours("07:00-21:00"), Ok((420, 1260)));
        assert_eq!(hours("21:00-06:00"), Ok((1260, 360)));
        assert_eq!(hours("00:00-24:00"), Ok((0, 1440)));
        for bad in ["7:00-21:00", "07:00", "07:60-08:00", "25:00-26:00", "09:00-09:00", "24:00-01:00", ""] {
            assert!(hours(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn days_run_over_the_weekend() {
        let sat_mon = days("sat-mon").unwrap();
        assert_eq!(sat_mon, [true, false, false, false, false, true, true]);
        assert_eq!(days("mon,wed").unwrap(), [true, false, true, false, false, false, false]);
        assert!(days("mon-funday").is_err());
        assert!(days("").is_err());
    }

    #[test]
    fn ids() {
        assert!(is_id("mh-xz-017"));
        assert!(!is_id("MH_017"));
        assert_eq!(id_like("MH_017").as_deref(), Some("mh-017"));
        assert_eq!(id_like("街口"), None);
    }
}
