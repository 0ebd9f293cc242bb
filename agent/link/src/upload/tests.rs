//! A scripted server on loopback: it stores, breaks off, knows how far it got, or refuses.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, mpsc};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;

use super::task::Uploads;
use kerbside_site::config::{Proxy, Tls};
use kerbside_testkit::{ConnectProxy, PutServer, certificates, certificates_of};

use super::*;
use kerbside_domain::time::{Clock, ClockQuality, SystemClock};
use kerbside_testkit::LIMIT;
use kerbside_trace::delivery::{Delivery, DeliverySettings};
use kerbside_wire::Grant;
use kerbside_wire::testing::who;

/// What the server does with one request.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// Reads all and answers with this line and these headers.
    Answer(&'static str),
    /// Reads so many bytes of the body and breaks off.
    BreakAfter(usize),
}

#[derive(Debug, PartialEq)]
struct ReceivedRequest {
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

/// Serves the acts, one connection each; the requests that came.
fn serve(acts: Vec<Act>) -> (u16, mpsc::Receiver<ReceivedRequest>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, requests) = mpsc::channel();
    std::thread::spawn(move || {
        for act in acts {
            let (stream, _) = listener.accept().unwrap();
            sender.send(request(stream, act)).unwrap();
        }
    });
    (port, requests)
}

fn request(stream: TcpStream, act: Act) -> ReceivedRequest {
    let mut reader = BufReader::new(stream);
    let mut headers = BTreeMap::new();
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    headers.insert("request".to_owned(), line.trim().to_owned());
    loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers["content-length"].parse().unwrap();
    let (take, answer) = match act {
        Act::Answer(answer) => (length, Some(answer)),
        Act::BreakAfter(bytes) => (bytes, None),
    };
    let mut body = vec![0; take];
    reader.read_exact(&mut body).unwrap();
    if let Some(answer) = answer {
        write!(reader.get_mut(), "HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n").unwrap();
    }
    ReceivedRequest { headers, body }
}

const FILE: &str = "2026-11-21/01JINCIDENT/r1-clip.mp4";

struct Bench {
    _dir: tempfile::TempDir,
    uploader: Uploader,
    content: Vec<u8>,
    sha256: String,
}

fn bench() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let evidence_dir = dir.path().join("evidence");
    let content: Vec<u8> = (0..300_000u32).map(|i| (i * 31 % 251) as u8).collect();
    std::fs::create_dir_all(evidence_dir.join(FILE).parent().unwrap()).unwrap();
    std::fs::write(evidence_dir.join(FILE), &content).unwrap();
    let clock = SystemClock::new();
    clock.set_quality(ClockQuality::Ntp);
    let clock: Arc<dyn Clock> = Arc::new(clock);
    let (delivery, _) =
        Delivery::open(DeliverySettings::new(dir.path(), true), who(), clock.clone()).unwrap();
    let sha256 =
        kerbside_crypto::hash::Hash::of(&content).to_string().trim_start_matches("sha256:").to_owned();
    let uploader = Uploader {
        evidence_dir,
        delivery,
        clock,
        trust: None,
        local_allowed: true,
        proxy: None,
        masked_only: false,
    };
    Bench { _dir: dir, uploader, content, sha256 }
}

/// Of nothing, for tests that look at one field.
pub(super) fn any_grant() -> Grant {
    Grant {
        until: None,
        id: "g1".into(),
        path: FILE.into(),
        sha256: "ab".repeat(32),
        expires_at_ms: 0,
        issued_at_ms: 0,
        url: String::new(),
        offset: 0,
        headers: BTreeMap::new(),
        resumable: false,
        unmasked: false,
        own: false,
    }
}

fn grant(bench: &Bench, url: String, resumable: bool) -> Grant {
    Grant {
        sha256: bench.sha256.clone(),
        expires_at_ms: bench.uploader.clock.now().wall_ms + 3_600_000,
        url,
        headers: [("x-amz-meta-case".to_owned(), "W-1".to_owned())].into(),
        resumable,
        ..any_grant()
    }
}

/// The ends of the uploads of these grants, in the order in which they came, as many as `count`.
fn ends(bench: &Bench, grants: &[Grant], count: usize) -> Vec<(String, Value)> {
    let runtime = crate::testing::runtime();
    let ends = runtime.block_on(async {
        let (sender, granted) = tokio::sync::mpsc::channel(grants.len());
        for grant in grants {
            sender.send(grant.clone()).await.unwrap();
        }
        let mut uploads = Uploads::new(bench.uploader.clone(), granted);
        let mut ends = Vec::new();
        while ends.len() < count {
            let end = tokio::time::timeout(LIMIT, uploads.next_end()).await.expect("an end");
            ends.push(end.unwrap());
        }
        ends
    });
    runtime.shutdown_background();
    ends.into_iter().map(|m| (m.kind, serde_json::from_str(&m.data).unwrap())).collect()
}

fn upload(bench: &Bench, grant: &Grant) -> (String, Value) {
    ends(bench, std::slice::from_ref(grant), 1).remove(0)
}

#[test]
fn a_file_is_put_with_its_checksum_and_what_was_granted() {
    let bench = bench();
    let (port, requests) = serve(vec![Act::Answer("200 OK")]);
    let url = format!("http://127.0.0.1:{port}/bucket/clip?X-Signature=secret");
    let (kind, data) = upload(&bench, &grant(&bench, url, false));
    assert_eq!(kind, "evidence.ready.v1", "{data}");
    assert_eq!(data["uri"], format!("http://127.0.0.1:{port}/bucket/clip"), "the key in it is for nobody");
    assert_eq!((&data["sha256"], &data["path"]), (&bench.sha256.clone().into(), &FILE.into()));
    let request = requests.recv().unwrap();
    assert_eq!(request.body, bench.content);
    assert_eq!(request.headers["request"], "PUT /bucket/clip?X-Signature=secret HTTP/1.1");
    assert_eq!(request.headers["x-amz-meta-case"], "W-1");
    assert_eq!(request.headers["host"], format!("127.0.0.1:{port}"));
    assert!(request.headers["content-digest"].starts_with("sha-256=:"));
}

#[test]
fn a_broken_upload_goes_on_where_the_server_is_or_from_the_start() {
    let bench = bench();
    let (port, requests) = serve(vec![
        Act::BreakAfter(100_000),
        Act::Answer("308 Permanent Redirect\r\nrange: bytes=0-65535"),
        Act::Answer("201 Created"),
    ]);
    let (kind, data) = upload(&bench, &grant(&bench, format!("http://127.0.0.1:{port}/a"), true));
    assert_eq!(kind, "evidence.ready.v1", "{data}");
    requests.recv().unwrap();
    let question = requests.recv().unwrap();
    assert_eq!((question.headers["content-range"].as_str(), question.body.len()), ("bytes */300000", 0));
    let rest = requests.recv().unwrap();
    assert_eq!(rest.headers["content-range"], "bytes 65536-299999/300000");
    assert_eq!(rest.body, bench.content[65536..]);

    // A server that cannot be asked would take an empty question for the file.
    let (port, requests) = serve(vec![Act::BreakAfter(100_000), Act::Answer("200 OK")]);
    upload(&bench, &grant(&bench, format!("http://127.0.0.1:{port}/a"), false));
    requests.recv().unwrap();
    assert_eq!(requests.recv().unwrap().body, bench.content);
}

#[test]
fn what_must_not_leave_stays_and_the_centre_hears_why() {
    let bench = bench();
    let good = grant(&bench, "https://127.0.0.1:1/a".into(), false);
    let (port, _requests) = serve(vec![Act::Answer("403 Forbidden")]);
    let table: [(&str, Grant); 5] = [
        ("403 Forbidden", Grant { url: format!("http://127.0.0.1:{port}/a"), ..good.clone() }),
        ("in the clear", Grant { url: "http://centre.example/a".into(), ..good.clone() }),
        ("not the one that was granted", Grant { sha256: "ab".repeat(32), ..good.clone() }),
        ("No such file", Grant { path: "2026-11-21/01JINCIDENT/r9-clip.mp4".into(), ..good.clone() }),
        ("expired", Grant { url: "http://127.0.0.1:1/a".into(), expires_at_ms: 0, ..good }),
    ];
    for (why, grant) in table {
        let (kind, data) = upload(&bench, &grant);
        assert_eq!(kind, "evidence.failed.v1", "{why}");
        assert!(data["reason"].as_str().unwrap().contains(why), "{why}: {data}");
    }
}

/// Where a site sends masked pictures only, an original needs the word; who has none hears what to write.
#[test]
fn an_original_leaves_by_the_word_alone_where_the_site_masks() {
    let mut bench = bench();
    bench.uploader.masked_only = true;
    let folder = std::path::Path::new(FILE).parent().unwrap().to_owned();
    let copy = folder.join("r1-trigger-masked.jpg").to_string_lossy().into_owned();
    std::fs::write(bench.uploader.evidence_dir.join(&copy), &bench.content).unwrap();
    let (port, _requests) = serve(vec![Act::Answer("200 OK"), Act::Answer("200 OK")]);
    let granted = |path: &str, unmasked| Grant {
        path: path.into(),
        unmasked,
        ..grant(&bench, format!("http://127.0.0.1:{port}/a"), false)
    };
    let (kind, data) = upload(&bench, &granted(FILE, false));
    assert_eq!(kind, "evidence.failed.v1");
    assert!(data["reason"].as_str().unwrap().contains("\"unmasked\": true"), "{data}");
    for (path, unmasked) in [(FILE, true), (copy.as_str(), false)] {
        let (kind, data) = upload(&bench, &granted(path, unmasked));
        assert_eq!(kind, "evidence.ready.v1", "{data}");
    }
}

/// Accepts, reads nothing and answers nothing, for as long as the listener lives.
fn hanging() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

#[test]
fn a_server_that_hangs_or_is_not_there_holds_up_nobody_else() {
    let bench = bench();
    let hangs = hanging();
    let (port, _requests) = serve(vec![Act::Answer("200 OK")]);
    let granted = |id: &str, url: String| Grant { id: id.into(), ..grant(&bench, url, false) };
    let grants = [
        granted("hangs", format!("http://{}/a", hangs.local_addr().unwrap())),
        granted("refuses", "http://127.0.0.1:1/a".into()),
        granted("good", format!("http://127.0.0.1:{port}/a")),
    ];
    let ends = ends(&bench, &grants, 1);
    assert_eq!((ends[0].0.as_str(), &ends[0].1["grant_id"]), ("evidence.ready.v1", &"good".into()));
}

#[test]
fn what_never_can_work_is_refused_at_once() {
    let mut bench = bench();
    let (port, _requests) = serve(vec![
        Act::Answer("302 Found\r\nlocation: http://127.0.0.1:1/internal"),
        Act::Answer("308 Permanent Redirect\r\nrange: bytes=0-18446744073709551615"),
    ]);
    let here = format!("http://127.0.0.1:{port}/a");
    for (url, why) in [
        (here.as_str(), "redirects are not followed"),
        (here.as_str(), "is none"),
        ("ftp://127.0.0.1/a", "only https"),
        ("gopher://centre.example/a", "only https"),
    ] {
        let (kind, data) = upload(&bench, &grant(&bench, url.to_owned(), false));
        assert_eq!(kind, "evidence.failed.v1", "{url}");
        assert!(data["reason"].as_str().unwrap().contains(why), "{why}: {data}");
    }
    bench.uploader.local_allowed = false;
    for url in [
        "http://127.0.0.1:1/a",
        "https://localhost:1/a",
        "https://[::ffff:127.0.0.1]:1/",
        "https://169.254.1.1/",
    ] {
        let (kind, data) = upload(&bench, &grant(&bench, url.to_owned(), false));
        let reason = data["reason"].as_str().unwrap();
        assert!(kind == "evidence.failed.v1" && reason.contains("local_uploads"), "{url}: {data}");
    }
}

#[test]
fn only_a_regular_file_leaves_and_a_pipe_blocks_nobody() {
    let bench = bench();
    let set = bench.uploader.evidence_dir.join("2026-11-21/01JINCIDENT");
    std::fs::write(set.join("secret"), "key of the box").unwrap();
    std::os::unix::fs::symlink(set.join("secret"), set.join("link")).unwrap();
    let pipe = std::process::Command::new("mkfifo").arg(set.join("pipe")).status().unwrap();
    assert!(pipe.success());
    let sha256 = kerbside_crypto::hash::Hash::of(b"key of the box").to_string();
    let sha256 = sha256.trim_start_matches("sha256:");
    for (name, why) in [("link", "a link is not followed"), ("pipe", "not a regular file")] {
        let (path, sha256) = (format!("2026-11-21/01JINCIDENT/{name}"), sha256.to_owned());
        let granted = Grant { path, sha256, ..grant(&bench, "http://127.0.0.1:1/a".into(), false) };
        let (kind, data) = upload(&bench, &granted);
        assert_eq!(kind, "evidence.failed.v1", "{name}");
        assert!(data["reason"].as_str().unwrap().contains(why), "{data}");
    }
}

/// Fails, once, whoever asks it from within an upload.
#[derive(Debug)]
struct FaultyClock(SystemClock, std::sync::atomic::AtomicBool);

impl Clock for FaultyClock {
    fn now(&self) -> kerbside_domain::time::Moment {
        let in_upload = tokio::task::try_id().is_some();
        assert!(
            !in_upload || self.1.swap(true, std::sync::atomic::Ordering::Relaxed),
            "the fault of this test"
        );
        self.0.now()
    }
}

#[test]
fn a_fault_of_the_program_ends_its_own_upload_and_no_other() {
    let mut bench = bench();
    bench.uploader.clock = Arc::new(FaultyClock(SystemClock::new(), Default::default()));
    let dir = tempfile::tempdir().unwrap();
    let clock = bench.uploader.clock.clone();
    let (delivery, opened) = Delivery::open(DeliverySettings::new(dir.path(), true), who(), clock).unwrap();
    bench.uploader.delivery = delivery;
    let centre = std::thread::spawn(move || centre(opened.link, 1 << 20, Vec::new()));
    let expires_at_ms = bench.uploader.clock.now().wall_ms + 3_600_000;
    let granted = |id: &str| Grant { id: id.into(), expires_at_ms, ..grant(&bench, String::new(), false) };
    let ends = ends(&bench, &[granted("first"), granted("second")], 2);
    let said = |i: usize| (ends[i].0.as_str(), ends[i].1["grant_id"].as_str().unwrap());
    assert_eq!(said(0), ("evidence.failed.v1", "first"));
    assert_eq!(said(1), ("evidence.ready.v1", "second"));
    bench.uploader.delivery.close().unwrap();
    centre.join().unwrap();
}

#[test]
fn https_trusts_the_configured_ca_and_no_other() {
    let certified = tempfile::tempdir().unwrap();
    kerbside_testkit::certificates(certified.path(), &["server", "mh-xz-017"]).unwrap();
    let mut bench = bench();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/a", listener.local_addr().unwrap());
    // openssl serves the handshake and answers whatever comes.
    let pem = |name: &str| certified.path().join(name);
    let config = server_config(&pem("server.pem"), &pem("server.key"));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut tls = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut tls = rustls::Stream::new(&mut tls, &mut stream);
            let mut taken = Vec::new();
            let mut block = [0; 65536];
            while taken.len() < 300_000 {
                match tls.read(&mut block) {
                    Ok(0) | Err(_) => break,
                    Ok(n) => taken.extend_from_slice(&block[..n]),
                }
            }
            let _ = tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        }
    });
    let ca = |file: std::path::PathBuf| kerbside_site::config::Tls {
        ca_file: file,
        cert_file: None,
        key_file: None,
    };
    bench.uploader.trust = Some(ca(pem("ca.pem")));
    let (kind, data) = upload(&bench, &grant(&bench, url.clone(), false));
    assert_eq!(kind, "evidence.ready.v1", "{data}");
    let other = tempfile::tempdir().unwrap();
    kerbside_testkit::certificates(other.path(), &["server", "mh-xz-017"]).unwrap();
    bench.uploader.trust = Some(ca(other.path().join("ca.pem")));
    let soon = bench.uploader.clock.now().wall_ms + 1000;
    let (kind, data) = upload(&bench, &Grant { expires_at_ms: soon, ..grant(&bench, url, false) });
    assert!(kind == "evidence.failed.v1" && data["reason"].as_str().unwrap().contains("TLS"), "{data}");
}

fn server_config(cert: &Path, key: &Path) -> Arc<rustls::ServerConfig> {
    let certs = CertificateDer::pem_file_iter(cert).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Arc::new(builder.unwrap().with_no_client_auth().with_single_cert(certs, key).unwrap())
}

/// What a broker does with one piece.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Take,
    /// Takes it, and the connection breaks before it says so.
    LoseAcknowledgement,
    Break,
}

/// Reports from a thread of its own.
fn tell(link: &kerbside_trace::delivery::LinkPort, report: kerbside_trace::delivery::LinkReport) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(runtime.block_on(link.reporter.report(report)));
}

/// Plays link, broker and centre on the delivery's own line until the file is whole: pieces by offset, their lengths as they came.
fn centre(
    mut link: kerbside_trace::delivery::LinkPort,
    max_packet: usize,
    mut fates: Vec<Fate>,
) -> (Vec<u8>, Vec<usize>) {
    use kerbside_trace::delivery::{LinkReport, LinkRequest};
    let (mut epoch, mut whole, mut lengths) = (0, Vec::new(), Vec::new());
    let mut connect = |link: &kerbside_trace::delivery::LinkPort| {
        epoch += 1;
        let session = epoch;
        tell(link, LinkReport::Connected { epoch, session, session_present: true, window: 8, max_packet });
        epoch
    };
    let mut now = connect(&link);
    fates.reverse();
    while let Some(request) = link.requests.blocking_recv() {
        let LinkRequest::Publish { epoch, outgoing, .. } = request else { continue };
        let Some((head, bytes)) = kerbside_wire::chunk::read(&outgoing.body) else {
            tell(&link, LinkReport::Acknowledged { epoch, seq: outgoing.seq });
            continue;
        };
        if epoch != now {
            continue;
        }
        let (offset, total) =
            (head["offset"].as_u64().unwrap() as usize, head["total"].as_u64().unwrap() as usize);
        let fate = fates.pop().unwrap_or(Fate::Take);
        if fate != Fate::Break {
            lengths.push(bytes.len());
            assert!(offset <= whole.len(), "a gap before {offset}");
            whole.truncate(offset);
            whole.extend_from_slice(bytes);
        }
        if fate == Fate::Take {
            tell(&link, LinkReport::Acknowledged { epoch, seq: outgoing.seq });
        } else {
            tell(&link, LinkReport::Disconnected { epoch, why: "script".into() });
            now = connect(&link);
        }
        if whole.len() == total && fate == Fate::Take {
            break;
        }
    }
    (whole, lengths)
}

/// The message at the end of an upload over MQTT, and what the centre has.
fn by_mqtt(offset: u64, max_packet: usize, fates: Vec<Fate>) -> (String, Vec<u8>, Vec<usize>, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = bench();
    let clock = bench.uploader.clock.clone();
    let (delivery, opened) = Delivery::open(DeliverySettings::new(dir.path(), true), who(), clock).unwrap();
    bench.uploader.delivery = delivery;
    let centre = std::thread::spawn(move || centre(opened.link, max_packet, fates));
    let (kind, data) = upload(&bench, &Grant { offset, ..grant(&bench, String::new(), false) });
    bench.uploader.delivery.close().unwrap();
    let (whole, lengths) = centre.join().unwrap();
    assert!(kind != "evidence.ready.v1" || data["uri"] == "mqtt:evidence/01jincident/chunk", "{data}");
    (kind, whole, lengths, bench.content)
}

#[test]
fn pieces_go_on_from_what_was_acknowledged() {
    let fates = vec![Fate::Take, Fate::LoseAcknowledgement, Fate::Take, Fate::Break];
    let (kind, whole, lengths, content) = by_mqtt(0, 1 << 20, fates);
    assert_eq!((kind.as_str(), whole == content), ("evidence.ready.v1", true));
    assert!(lengths.iter().all(|n| *n <= 32 * 1024) && lengths.len() <= 13, "{lengths:?}");
}

#[test]
fn a_broker_that_takes_little_gets_little_and_one_that_breaks_on_everything_is_given_up() {
    let (kind, whole, lengths, content) = by_mqtt(0, 10_000, Vec::new());
    assert_eq!((kind.as_str(), whole == content, lengths.first()), ("evidence.ready.v1", true, Some(&8192)));
    let (kind, ..) = by_mqtt(0, 500, Vec::new());
    assert_eq!(kind, "evidence.failed.v1");
    let (kind, ..) = by_mqtt(0, 1 << 20, vec![Fate::Break; 40]);
    assert_eq!(kind, "evidence.failed.v1");
}

#[test]
fn the_centre_says_where_to_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = bench();
    let clock = bench.uploader.clock.clone();
    let (delivery, mut opened) =
        Delivery::open(DeliverySettings::new(dir.path(), true), who(), clock).unwrap();
    bench.uploader.delivery = delivery;
    let grant = Grant { offset: 299_000, ..grant(&bench, String::new(), false) };
    let centre = std::thread::spawn(move || {
        use kerbside_trace::delivery::{LinkReport, LinkRequest};
        let up = LinkReport::Connected {
            epoch: 1,
            session: 1,
            session_present: true,
            window: 8,
            max_packet: 1 << 20,
        };
        tell(&opened.link, up);
        let mut pieces = Vec::new();
        while let Some(request) = opened.link.requests.blocking_recv() {
            let LinkRequest::Publish { epoch, outgoing, .. } = request else { continue };
            tell(&opened.link, LinkReport::Acknowledged { epoch, seq: outgoing.seq });
            if let Some((head, bytes)) = kerbside_wire::chunk::read(&outgoing.body) {
                pieces.push((head["offset"].as_u64().unwrap(), bytes.to_vec()));
            }
        }
        pieces
    });
    let (kind, _) = upload(&bench, &grant);
    bench.uploader.delivery.close().unwrap();
    assert_eq!(kind, "evidence.ready.v1");
    assert_eq!(centre.join().unwrap(), [(299_000, bench.content[299_000..].to_vec())]);
}

/// The name of the server is known to the proxy alone; TLS is between the box and the server.
#[test]
fn an_upload_goes_through_the_site_s_proxy() {
    let mut bench = bench();
    let dir = tempfile::tempdir().unwrap();
    certificates(dir.path(), &["server"]).unwrap();
    certificates_of(dir.path(), "DNS:upload.test", &["upload"]).unwrap();
    let file = |name: &str| dir.path().join(name);
    let server = PutServer::start_tls(&file("upload.pem"), &file("upload.key")).unwrap();
    let through = ConnectProxy::start(None).unwrap();
    bench.uploader.trust = Some(Tls { ca_file: file("ca.pem"), cert_file: None, key_file: None });
    bench.uploader.local_allowed = false;
    bench.uploader.proxy = Some(Proxy { host: "127.0.0.1".into(), port: through.port(), login: None });
    let url = format!("https://upload.test:{}/a", server.port());
    let (kind, data) = upload(&bench, &grant(&bench, url, false));
    assert_eq!(kind, "evidence.ready.v1", "{data}");
    assert_eq!(server.bytes(), bench.content);
    assert_eq!(through.asked(), [format!("upload.test:{} 200", server.port())]);
    // The proxy is no way to what hangs on the box's own wire.
    for url in ["https://169.254.1.1/a", "https://127.0.0.1/a", "https://localhost/a"] {
        let (kind, data) = upload(&bench, &grant(&bench, url.to_owned(), false));
        let reason = data["reason"].as_str().unwrap();
        assert!(kind == "evidence.failed.v1" && reason.contains("local_uploads"), "{url}: {data}");
    }
    assert_eq!(through.asked().len(), 1);
}
