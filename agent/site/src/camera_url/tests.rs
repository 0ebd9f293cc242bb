use super::*;

fn network(text: &str) -> NetworkUrl {
    match CameraUrl::parse(text) {
        Ok(CameraUrl::Network(url)) => url,
        other => panic!("{text}: {other:?}"),
    }
}

fn login(text: &str) -> (String, String, String) {
    let url = network(text);
    let login = url.login.clone().expect("a login");
    (login.user, login.password, format!("{}{}", url.address(), url.target))
}

#[test]
fn passwords_are_taken_as_they_are_written() {
    let rest = "10.0.0.2:554/s1";
    let cases = [
        ("admin:pa#ss", "pa#ss"),
        ("admin:pa/ss", "pa/ss"),
        ("admin:pa?ss", "pa?ss"),
        ("admin:pa@ss", "pa@ss"),
        ("admin:pa:ss", "pa:ss"),
        ("admin:50%off", "50%off"),
        ("admin:pa%23ss", "pa#ss"),
        ("admin:%E5%AF%86", "密"),
        ("admin:密码", "密码"),
        ("admin:a#b/c?d", "a#b/c?d"),
        ("admin:", ""),
    ];
    for (userinfo, password) in cases {
        let got = login(&format!("rtsp://{userinfo}@{rest}"));
        assert_eq!(got, ("admin".into(), password.into(), rest.into()), "{userinfo}");
        // Written for a library it is read the same.
        let again = network(&network(&format!("rtsp://{userinfo}@{rest}")).with_login());
        assert_eq!(again.login.expect("a login").password, password);
    }
}

#[test]
fn an_address_that_holds_a_secret_is_known_in_every_way_of_writing() {
    let holds = |text: &str| CameraUrl::parse(text).unwrap_or_else(|f| panic!("{text}: {f}")).holds_secret();
    for text in [
        "rtsp://viewer:secret@10.0.0.2/1",
        "rtsp://viewer:a/b@10.0.0.2/1",
        "rtsp://viewer:a#b@10.0.0.2/1",
        "rtsp://viewer:a?b@10.0.0.2/1",
        "rtsp://viewer:a@b@10.0.0.2/1",
        "RTSP://viewer:secret@[::1]:554/1",
        "http://10.0.0.2/video.mjpg?token=abc",
        "rtsp://10.0.0.2/user=admin_password=abc_channel=1",
        "gst:rtspsrc location=rtsp://viewer:secret@10.0.0.2/1 ! decodebin",
        "gst:rtspsrc location=\"rtsp://viewer:a/b@10.0.0.2/1\" ! decodebin",
        "gst:rtspsrc user-id=viewer user-pw=secret location=rtsp://10.0.0.2/1 ! decodebin",
    ] {
        assert!(holds(text), "{text}");
    }
    for text in [
        "rtsp://10.0.0.2/a:b@c",
        "rtsp://viewer:@10.0.0.2/1",
        "http://10.0.0.2/video.mjpg?channel=1",
        "clips/a:b@c.mp4",
        "v4l2:/dev/video0",
        "gst:rtspsrc location=rtsp://10.0.0.2/1 ! decodebin ! appsink max-buffers=1",
    ] {
        assert!(!holds(text), "{text}");
    }
}

#[test]
fn what_stands_behind_the_host_is_no_password() {
    let url = network("rtsp://u:p@w@10.0.0.2:554/a@b");
    assert_eq!((url.address().as_str(), url.target.as_str()), ("10.0.0.2:554", "/a@b"));
    let url = network("rtsp://10.0.0.2/a@b");
    assert_eq!((url.login.is_none(), url.port, url.target.as_str()), (true, 554, "/a@b"));
    let url = network("RTSPS://[::1]/x?y=1");
    assert_eq!((url.address().as_str(), url.target.as_str()), ("[::1]:322", "/x?y=1"));
}

#[test]
fn what_can_be_read_in_two_ways_is_refused_with_its_cure_and_without_the_secret() {
    let cases = [
        ("rtsp://admin:12/SECRET9@127.0.0.1:1/s1", 15, "%2F"),
        ("rtsp://admin:12#SECRET9@127.0.0.1:1/s1", 15, "%23"),
        ("rtsp://admin:12?SECRET9@127.0.0.1:1/s1", 15, "%3F"),
        ("rtsp://10.0.0.2/s1#SECRET9", 18, "%23"),
        ("rtsp://admin:SECRET9#a", 7, "%23"),
        ("rtsp://admin:SEC RET9@10.0.0.2/s1", 16, "%20"),
        ("rtsp://admin:a/b@c.d/e@f.g/SECRET9", 14, "%2F"),
        ("rtsp:/admin:SECRET9@10.0.0.2/s1", 4, "rtsp://"),
        ("rstp://admin:SECRET9@10.0.0.2/s1", 0, "rtsp://"),
        ("rtsp://admin:SECRET9@10.0.0.2:99999/s1", 21, "PORT"),
    ];
    for (text, at, help) in cases {
        let fault = CameraUrl::parse(text).expect_err(text);
        assert_eq!(fault.at, at, "{text}: {fault}");
        assert!(fault.to_string().contains(help), "{text}: {fault}");
        assert!(!fault.to_string().contains("SECRET9"), "{fault}");
    }
}

#[test]
fn files_devices_and_pipelines_are_told_apart() {
    let file = |path: &str| Ok(CameraUrl::File(path.into()));
    assert_eq!(CameraUrl::parse("2026-11-27T10:00:00.mp4"), file("2026-11-27T10:00:00.mp4"));
    assert_eq!(CameraUrl::parse("http:foo.mp4"), file("http:foo.mp4"));
    assert_eq!(CameraUrl::parse("file:rtsp:/x"), file("rtsp:/x"));
    assert_eq!(CameraUrl::parse("file:///a b"), file("/a b"));
    assert_eq!(CameraUrl::parse("v4l2:/dev/video0"), Ok(CameraUrl::Device("/dev/video0".into())));
    assert_eq!(CameraUrl::parse("gst:a ! b"), Ok(CameraUrl::Pipeline("a ! b".into())));
    assert!(CameraUrl::parse("v4l2:video0").is_err() && CameraUrl::parse("gst: ").is_err());
}

/// Every place where a camera's secret can stand.
const CANARIES: [&str; 16] = [
    "rtsp://admin:SECRET9@10.0.0.2/s1",
    "rtsp://SECRET9@10.0.0.2/s1",
    "rtsp://admin:SEC#SECRET9@10.0.0.2/s1",
    "rtsp://admin:SEC/SECRET9@10.0.0.2/s1",
    "rtsp://admin:12/SECRET9@127.0.0.1:1/s1",
    "rtsp://admin:SECRET9@@10.0.0.2/s1",
    "rtsp://127.0.0.1:1/user=admin_password=SECRET9_channel=1_stream=1.sdp",
    "rtsp://127.0.0.1:1/user=admin&password=SECRET9&channel=1&stream=0.sdp?",
    "rtsp://127.0.0.1:1/mode=real&idc=1&ids=1?userName=a&passWord=SECRET9",
    "http://127.0.0.1:1/flv?port=1935&app=bcs&stream=channel0_main.bcs&user=admin&password=SECRET9",
    "http://127.0.0.1:1/live?%70assword=SECRET9",
    "http://127.0.0.1:1/live.flv?sign=SECRET9&t=1",
    "http://127.0.0.1:1/live.flv?t=1;access_token=SECRET9",
    "rtsp://10.0.0.1/proxy/rtsp://admin:SECRET9@10.0.0.2/s1",
    "gst:rtspsrc location=rtsp://admin:SECRET9@10.0.0.2/s1 user-pw=SECRET9 ! decodebin ! appsink",
    "admin:SECRET9@10.0.0.2/s1",
];

#[test]
fn no_secret_is_printed_wherever_it_stands() {
    for text in CANARIES {
        let shown = [
            hide_url(text),
            hide_text(&format!("cannot open {text}: it failed")),
            hide_text(&format!("\"{text}\"")),
            hide_line(&format!("url = \"{text}\"")),
            format!("{:?}", CameraUrl::parse(text)),
        ];
        for shown in &shown[..4] {
            assert!(!shown.contains("SECRET9"), "{text} -> {shown}");
        }
        // A path may be printed whole; a forgotten scheme makes one.
        assert!(!shown[4].contains("SECRET9") || text.starts_with("admin:"), "{text} -> {}", shown[4]);
    }
}

#[test]
fn what_is_no_secret_stays() {
    let same = [
        "rtsp://10.0.0.2:554/a",
        "http://10.0.0.2:80/video?channel=1&subtype=0",
        "clips/a.mp4",
        "rtsp://10.0.0.2:554/cam/realmonitor?channel=1&subtype=1",
    ];
    for text in same {
        assert_eq!(hide_url(text), text);
        assert_eq!(hide_text(text), text);
        assert_eq!(hide_line(text), text);
    }
    assert_eq!(hide_url("rtsp://u:p@w@10.0.0.2:554/a@b"), "rtsp://***@10.0.0.2:554/a@b");
    assert_eq!(hide_line("key_file = \"/etc/kerbside/box.key\""), "key_file = \"/etc/kerbside/box.key\"");
    assert_eq!(hide_line("username = \"box\""), "username = \"box\"");
    assert_eq!(hide_line("password = \"SECRET9\""), "password = ***");
    assert_eq!(hide_line("url = \"mqtt://u:SECRET9@h\""), "url = \"mqtt://***@h\"");
}
