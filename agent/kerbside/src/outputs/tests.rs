//! Outputs against real counterparts: programs, a speaker behind Digest, a line that does not exist.

use std::io::Write as _;
use std::path::Path;

use kerbside_domain::frame::CameraIx;
use kerbside_domain::time::{Clock as _, VirtualClock};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

fn player(id: &str, program: &[&str]) -> Output {
    let program = program.iter().map(|word| (*word).to_owned()).collect();
    Output { id: id.into(), way: OutputWay::Player { program, file: "/dev/null".into() } }
}

fn http(port: u16, login: Option<(String, std::path::PathBuf)>) -> Output {
    let (host, path, body) = ("127.0.0.1".to_owned(), "/play?file=3".to_owned(), "{\"volume\":5}".to_owned());
    Output { id: "speaker".into(), way: OutputWay::Http { method: "PUT", host, port, path, body, login } }
}

/// Warns by each list of outputs in turn; what the core hears.
async fn warned(outputs: Vec<Output>, rounds: &[&[&str]], pause_s: f64) -> Vec<bool> {
    let clock = VirtualClock::new(1_795_190_400_000);
    let (results, heard) = crossbeam_channel::bounded(16);
    let speaker = Speaker { broker: None, edge_id: "box".into(), lamps: Lamps::default() };
    let mut stage = Outputs { outputs, speaker, clock: clock.clone(), spoke: HashMap::new(), results };
    for by in rounds {
        let by = by.iter().map(|id| (*id).to_owned()).collect();
        let spoken = stage
            .speak(&Warning { incident_id: "01X".into(), camera: CameraIx(0), at: clock.now(), by })
            .await;
        stage
            .results
            .try_send(Input::Warned { camera: CameraIx(0), incident_id: "01X".into(), spoken })
            .unwrap();
        clock.advance_to(clock.now().mono.plus_s(pause_s));
    }
    let spoken = |input| match input {
        Input::Warned { spoken, .. } => spoken,
        other => panic!("{other:?}"),
    };
    heard.try_iter().map(spoken).collect()
}

#[tokio::test]
async fn a_warning_is_spoken_when_one_output_spoke() {
    let outputs =
        || vec![player("good", &["true"]), player("bad", &["false"]), player("none", &["/no/such"])];
    let rounds: &[&[&str]] = &[&["bad", "none"], &["bad", "good"], &["unknown"], &["bad"]];
    assert_eq!(warned(outputs(), rounds, 60.0).await, [false, true, false, false]);
}

#[tokio::test]
async fn a_second_thing_is_not_shouted_at() {
    let counter = tempfile::NamedTempFile::new().unwrap();
    let count = format!("echo x >> {}", counter.path().display());
    let output = player("speaker", &["sh", "-c", &count]);
    let rounds: &[&[&str]] = &[&["speaker"], &["speaker"], &["speaker"]];
    assert_eq!(warned(vec![output], rounds, HEARD_S * 0.6).await, [true, true, true]);
    let times = std::fs::read_to_string(counter.path()).unwrap().lines().count();
    assert_eq!(times, 2, "the first and the third: the second came within {HEARD_S} s");
}

#[tokio::test]
async fn a_line_that_is_not_there_is_an_error() {
    let way = OutputWay::Gpio { chip: "/dev/gpiochip-none".into(), line: 3, on_s: 1, active_low: false };
    let lamp = Output { id: "lamp".into(), way };
    assert_eq!(warned(vec![lamp], &[&["lamp"]], 1.0).await, [false]);
}

/// Answers 401 with a Digest challenge until a request carries an answer to it; returns all requests.
async fn digest_speaker(requests: usize) -> (u16, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        let mut seen = Vec::new();
        for _ in 0..requests {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut text = Vec::new();
            let mut piece = [0; 4096];
            while !String::from_utf8_lossy(&text).ends_with("{\"volume\":5}") {
                let n = stream.read(&mut piece).await.unwrap();
                assert_ne!(n, 0, "cut off: {}", String::from_utf8_lossy(&text));
                text.extend_from_slice(&piece[..n]);
            }
            let text = String::from_utf8_lossy(&text).into_owned();
            let answer = if text.contains("response=") {
                "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
            } else {
                "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"s\", nonce=\"n1\", qop=\"auth\", \
                 algorithm=SHA-256\r\nContent-Length: 0\r\n\r\n"
            };
            stream.write_all(answer.as_bytes()).await.unwrap();
            seen.push(text);
        }
        seen
    });
    (port, task)
}

fn password_file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[tokio::test]
async fn a_speaker_is_asked_with_digest_and_the_password_stays_on_the_box() {
    let secret = password_file("GEHEIM7\n");
    let (port, speaker) = digest_speaker(2).await;
    let login = Some(("admin".to_owned(), secret.path().to_owned()));
    assert_eq!(warned(vec![http(port, login)], &[&["speaker"]], 1.0).await, [true]);
    let requests = speaker.await.unwrap();
    assert!(requests[0].starts_with("PUT /play?file=3 HTTP/1.1\r\n"), "{requests:?}");
    assert!(
        requests[1].contains("username=\"admin\"") && !requests.concat().contains("GEHEIM7"),
        "{requests:?}"
    );
}

#[tokio::test]
async fn errors_name_the_cure_and_no_password() {
    let (port, speaker) = digest_speaker(1).await;
    let order = |port, login| http::Order {
        method: "PUT",
        host: "127.0.0.1".into(),
        port,
        path: "/".into(),
        body: "{\"volume\":5}".into(),
        login,
    };
    let error = order(port, None).send().await.unwrap_err().to_string();
    assert!(error.contains("write username and password_file"), "{error}");
    speaker.await.unwrap();
    let missing = Some(("admin".to_owned(), Path::new("/no/such/file").to_owned()));
    let (port, speaker) = digest_speaker(1).await;
    let error = order(port, missing).send().await.unwrap_err().to_string();
    assert!(error.contains("its password in /no/such/file cannot be read"), "{error}");
    speaker.await.unwrap();
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let error = order(free, None).send().await.unwrap_err().to_string();
    assert!(error.contains("Connection refused"), "{error}");
}
