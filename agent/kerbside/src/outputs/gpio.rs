//! A line of a GPIO chip is on for a while: a lamp, a relay.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gpiocdev::Request;
use gpiocdev::line::Value;
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use super::error::OutputError;

/// A chip and the offset of a line.
type Line = (PathBuf, u32);

/// The lines that are on, one task each; a line goes back to its rest when its request is dropped.
#[derive(Clone, Default)]
pub(super) struct Lamps {
    on: Arc<Mutex<HashMap<Line, JoinHandle<()>>>>,
}

impl Lamps {
    /// Returns at once. A line that is on already stays on for its time.
    pub(super) fn switch_on(
        &self,
        chip: PathBuf,
        line: u32,
        for_: Duration,
        active_low: bool,
    ) -> Result<(), OutputError> {
        let mut on = self.on.lock();
        on.retain(|_, task| !task.is_finished());
        if on.contains_key(&(chip.clone(), line)) {
            return Ok(());
        }
        let mut wanted = Request::builder();
        wanted.on_chip(&chip).with_consumer("kerbside").with_line(line).as_output(Value::Active);
        if active_low {
            wanted.as_active_low();
        }
        let refused = |error| OutputError::Refused(format!("{} line {line}: {error}", chip.display()));
        let request = wanted.request().map_err(refused)?;
        let lit = tokio::spawn(async move {
            tokio::time::sleep(for_).await;
            if let Err(error) = request.set_value(line, Value::Inactive) {
                tracing::warn!(%error, line, "a GPIO line was not switched off; it is given back");
            }
        });
        on.insert((chip, line), lit);
        Ok(())
    }
}
