//! A signed command from a terminal, and the box's answer. What a centre's own software does, for people and tests.

use std::fs::File;
use std::io::{Seek as _, Write};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Filter, Packet};
use rumqttc::v5::{AsyncClient, Event};
use serde_json::{Map, Value, json};

use super::broker::{self, BrokerAddress, connect};
use crate::cli::CommandArgs;
use kerbside_crypto::sign::SigningKey;
use kerbside_domain::time::{Clock, SystemClock, rfc3339};
use kerbside_wire::{case, chunk, command, grant, receipt, signed, topic};

/// Not a verb of `cmd/`: the grant for one file of evidence.
const GRANT_VERB: &str = "grant";
/// Nor these: what the centre states of a message or of its own case. No answer comes.
const STATEMENTS: [(&str, &str); 2] = [("receipt", receipt::RECEIPT), ("case", case::CASE_STATE)];

/// A command ready to publish.
#[derive(Clone, Debug)]
pub struct PreparedCommand {
    pub id: String,
    pub topic: String,
    pub body: String,
    /// Where the answer comes, if one does.
    pub replies: Option<String>,
}

/// Makes and signs a command valid from `now_ms` on.
pub fn prepare(args: &CommandArgs, now_ms: i64) -> anyhow::Result<PreparedCommand> {
    let key = SigningKey::read(&args.key)?;
    let id = args.id.clone().unwrap_or_else(|| ulid::Ulid::generate().to_string());
    let target = if args.all { "all" } else { args.edge.as_deref().context("--edge BOX or --all")? };
    ensure!(topic::is_word(&args.verb), "{:?} is no verb", args.verb);
    if let Some((place, kind)) = STATEMENTS.iter().find(|(verb, _)| *verb == args.verb) {
        return statement(args, &key, (place, kind), id, now_ms);
    }
    let mut data = json!({
        "id": id,
        "target": format!("urn:kerbside:{}:{target}", args.division),
        "issued_at": rfc3339(now_ms, 0),
        "expires_at": rfc3339(now_ms + (args.expires * 1000.0) as i64, 0),
        "actor": args.actor,
    });
    let (kind, place, answer) = match args.verb.as_str() {
        GRANT_VERB => (grant::GRANT, GRANT_VERB.to_owned(), "evidence/+/ready"),
        verb => (command::COMMAND, format!("cmd/{verb}"), "reply"),
    };
    let arguments = arguments(args)?;
    if let Some(map) = data.as_object_mut() {
        match arguments {
            Value::Object(of_grant) if args.verb == GRANT_VERB => map.extend(of_grant),
            arguments => map.extend([("verb".to_owned(), json!(args.verb)), ("args".to_owned(), arguments)]),
        }
    }
    let time = rfc3339(now_ms, 0);
    let body = signed::envelope(kind, &id, &time, &args.key_id, &key, &data.to_string());
    let root = format!("cg/v1/{}/{target}", args.division);
    let answering = if args.all { "+" } else { target };
    Ok(PreparedCommand {
        id,
        topic: format!("{root}/{place}"),
        body,
        replies: Some(format!("cg/v1/{}/{answering}/{answer}", args.division)),
    })
}

/// A signed receipt or case state: what it says stands in `--args`.
fn statement(
    args: &CommandArgs,
    key: &SigningKey,
    (place, kind): (&str, &str),
    id: String,
    now_ms: i64,
) -> anyhow::Result<PreparedCommand> {
    let edge = args.edge.as_deref().context("a receipt or a case state is for one box: --edge BOX")?;
    let Value::Object(mut data) = arguments(args)? else { bail!("--args: a JSON object is expected") };
    let (time, root) = (rfc3339(now_ms, 0), topic::root(&args.division, edge));
    data.insert("target".to_owned(), json!(format!("urn:kerbside:{}:{edge}", args.division)));
    data.insert("issued_at".to_owned(), json!(time));
    let body = signed::envelope(kind, &id, &time, &args.key_id, key, &Value::Object(data).to_string());
    Ok(PreparedCommand { id, topic: format!("{root}/{place}"), body, replies: None })
}

fn arguments(args: &CommandArgs) -> anyhow::Result<Value> {
    let mut all: Map<String, Value> = match &args.args {
        Some(text) => serde_json::from_str(text).context("--args: a JSON object is expected")?,
        None => Map::new(),
    };
    let texts = [
        ("camera_id", &args.camera),
        ("incident_id", &args.incident),
        ("from", &args.from),
        ("to", &args.to),
    ];
    all.extend(texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), json!(text.as_ref()?)))));
    all.extend(args.for_s.map(|s| ("for_s".to_owned(), json!(s))));
    if let Some(file) = &args.into {
        ensure!(args.verb == GRANT_VERB, "--into: only a grant brings a file");
        all.insert("method".to_owned(), json!("MQTT"));
        all.insert("offset".to_owned(), json!(file.metadata().map_or(0, |m| m.len())));
    }
    Ok(Value::Object(all))
}

/// A file that comes in pieces.
struct IncomingFile<'a> {
    path: &'a Path,
    file: File,
}

impl<'a> IncomingFile<'a> {
    fn open(path: &'a Path) -> anyhow::Result<Self> {
        let file = File::options().create(true).truncate(false).read(true).write(true).open(path);
        Ok(IncomingFile { path, file: file.with_context(|| path.display().to_string())? })
    }

    /// A piece of this grant goes where it belongs; one may come twice.
    fn take(&self, grant_id: &str, payload: &[u8]) -> anyhow::Result<()> {
        let Some((head, bytes)) = chunk::read(payload) else { return Ok(()) };
        let offset = head["offset"].as_u64().filter(|_| head["grant_id"] == grant_id);
        let Some(offset) = offset else { return Ok(()) };
        self.file.write_all_at(bytes, offset).with_context(|| self.path.display().to_string())
    }

    /// What came is what was promised.
    fn check(&mut self, sha256: &Value) -> anyhow::Result<()> {
        self.file.rewind()?;
        let (found, bytes) = kerbside_crypto::hash::of_file(&mut self.file)?;
        ensure!(*sha256 == json!(found), "{}: {bytes} bytes, SHA-256 {found}", self.path.display());
        self.file.sync_all().with_context(|| self.path.display().to_string())
    }
}

/// Sends the command and waits for its answer, which is printed. True: it says `done`. With `--print` nothing is sent.
pub async fn send_command(args: CommandArgs, out: &mut (impl Write + Send)) -> anyhow::Result<bool> {
    let command = prepare(&args, SystemClock::new().now().wall_ms)?;
    if args.print {
        writeln!(out, "{} {}", command.topic, command.body)?;
        return Ok(true);
    }
    let mut file = args.into.as_deref().map(IncomingFile::open).transpose()?;
    let address = BrokerAddress::from(args.broker);
    let (client, mut poller) = connect(&address, "kerbside-command")?;
    let answered = async {
        loop {
            match poller.poll().await {
                Ok(Event::Incoming(Packet::ConnAck(_))) => {
                    let Some(replies) = &command.replies else {
                        publish(&client, &command)?;
                        continue;
                    };
                    // One subscription, so that nothing is missed after its acknowledgement.
                    let pieces = replies.replace("/ready", "/chunk/+");
                    let filters = file.iter().map(|_| pieces.clone()).chain([replies.clone()]);
                    let filters = filters.map(|filter| Filter::new(filter, QoS::AtLeastOnce));
                    client.try_subscribe_many(filters).context("subscribe")?;
                }
                // Only now, so that no answer is missed.
                Ok(Event::Incoming(Packet::SubAck(ack))) => {
                    broker::subscribed(&ack)?;
                    publish(&client, &command)?;
                }
                Ok(Event::Incoming(Packet::PubAck(ack))) => {
                    broker::taken(&ack).with_context(|| command.topic.clone())?;
                    // The broker has it: nobody answers a statement.
                    if command.replies.is_none() {
                        return Ok(true);
                    }
                }
                Ok(Event::Incoming(Packet::Publish(publish))) => {
                    if let Some(file) = &file {
                        file.take(&command.id, &publish.payload)?;
                    }
                    let event: Value = serde_json::from_slice(&publish.payload).unwrap_or_default();
                    let about = |key: &str| event.pointer(key) == Some(&json!(command.id));
                    if about("/data/command_id") || about("/data/grant_id") {
                        writeln!(out, "{event}")?;
                        let done = event.pointer("/data/result") == Some(&json!("done"));
                        let ready = event["type"] == "kerbside.evidence.ready.v1";
                        if let Some(file) = file.as_mut().filter(|_| ready) {
                            file.check(&event["data"]["sha256"])?;
                        }
                        return Ok(done || ready);
                    }
                }
                Ok(_) => {}
                Err(error) => bail!("broker {}: {error}", address.broker),
            }
        }
    };
    match tokio::time::timeout(Duration::from_secs_f64(args.wait), answered).await {
        Ok(answered) => answered,
        Err(_) => bail!("no answer to {} within {} s; it may still come", command.id, args.wait),
    }
}

fn publish(client: &AsyncClient, command: &PreparedCommand) -> anyhow::Result<()> {
    let body = command.body.clone().into_bytes();
    client.try_publish(command.topic.clone(), QoS::AtLeastOnce, false, body).context("command")
}
