//! Outputs: what speaks or shines at the place when a rule warns. The core says which; this stage does it, and says whether it
//! could. It must not know rules.
//!
//! | file | owns |
//! |---|---|
//! | `player` | a program of the box plays a sound file |
//! | `http` | an IP speaker is asked by HTTP, with Basic or Digest |
//! | `mqtt` | a message on the broker of the box's sensors |
//! | `gpio` | a line is switched on for a while |

mod error;
mod gpio;
mod http;
mod mqtt;
mod player;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;
use kerbside_domain::time::{Clock, Mono};
use kerbside_seeing::incident::{Input, Warning};
use kerbside_site::config::{Output, OutputWay, Site};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::error::OutputError;
use self::gpio::Lamps;

/// Warnings on their way to the outputs. The newest is refused beyond, and the core is told.
pub(crate) const QUEUE: usize = 8;
/// Who stands there has heard what was said this short a time ago, s: a second thing is not shouted at.
const HEARD_S: f64 = 20.0;
/// A speaker or broker that does not answer within this time has not spoken.
const LIMIT: Duration = Duration::from_secs(10);

/// The stage: one task.
pub(crate) struct Outputs {
    outputs: Vec<Output>,
    speaker: Speaker,
    clock: Arc<dyn Clock>,
    /// When each output last spoke.
    spoke: HashMap<String, Mono>,
    results: Sender<Input>,
}

/// What the ways need of the box, and the lamps that are on.
#[derive(Clone)]
struct Speaker {
    broker: Option<(String, u16)>,
    edge_id: String,
    lamps: Lamps,
}

impl Outputs {
    pub(crate) fn new(site: &Site, clock: Arc<dyn Clock>, results: Sender<Input>) -> Self {
        let speaker = Speaker {
            broker: site.sensors.broker.clone(),
            edge_id: site.device.edge_id.clone(),
            lamps: Lamps::default(),
        };
        Outputs { outputs: site.outputs.clone(), speaker, clock, spoke: HashMap::new(), results }
    }

    /// Runs until nobody warns any more. One warning after the other: two voices at once are none.
    pub(crate) async fn run(mut self, mut warnings: mpsc::Receiver<Warning>) {
        while let Some(warning) = warnings.recv().await {
            let spoken = self.speak(&warning).await;
            let Warning { incident_id, camera, .. } = warning;
            if self.results.try_send(Input::Warned { camera, incident_id, spoken }).is_err() {
                tracing::warn!("the core is busy: it does not learn whether the warning was spoken");
            }
        }
    }

    /// Whether at least one of its outputs spoke, or has just spoken.
    async fn speak(&mut self, warning: &Warning) -> bool {
        let now = self.clock.now().mono;
        let (mut at_work, mut spoken) = (JoinSet::new(), false);
        for id in &warning.by {
            if self.spoke.get(id).is_some_and(|at| now.since_s(*at) < HEARD_S) {
                spoken = true;
                continue;
            }
            let output = self.outputs.iter().find(|output| &output.id == id).cloned();
            let (id, speaker) = (id.clone(), self.speaker.clone());
            at_work.spawn(async move {
                let result = match output {
                    Some(output) => speaker.use_output(output).await,
                    None => Err(OutputError::Unknown),
                };
                (id, result)
            });
        }
        while let Some(done) = at_work.join_next().await {
            match done {
                Ok((id, Ok(()))) => {
                    spoken = true;
                    self.spoke.insert(id, self.clock.now().mono);
                }
                Ok((id, Err(error))) => {
                    tracing::warn!(output = id, %error, incident = warning.incident_id, "the warning was not spoken");
                }
                Err(error) => tracing::error!(%error, "an output broke off"),
            }
        }
        spoken
    }
}

impl Speaker {
    async fn use_output(self, Output { id, way }: Output) -> Result<(), OutputError> {
        match way {
            OutputWay::Player { program, file } => player::play(&program, &file).await,
            OutputWay::Http { method, host, port, path, body, login } => {
                let request = http::Order { method, host, port, path, body, login };
                limited(request.send()).await
            }
            OutputWay::Mqtt { topic, payload } => {
                let Some((host, port)) = self.broker else {
                    return Err(OutputError::Refused("there is no broker of sensors".to_owned()));
                };
                // Two that speak at once must not take each other's connection.
                let client = format!("{}-outputs-{id}", self.edge_id);
                limited(mqtt::publish(&client, (host, port), &topic, payload)).await
            }
            OutputWay::Gpio { chip, line, on_s, active_low } => {
                self.lamps.switch_on(chip, line, Duration::from_secs(on_s.into()), active_low)
            }
        }
    }
}

async fn limited(order: impl Future<Output = Result<(), OutputError>>) -> Result<(), OutputError> {
    tokio::time::timeout(LIMIT, order).await.unwrap_or(Err(OutputError::Silent(LIMIT.as_secs())))
}

#[cfg(test)]
mod tests;
