//! CloudEvents that came down unsigned: the box reads type and data; other fields are the centre's own business.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::refusal::{Refusal, malformed, wrong_type};

#[derive(Deserialize)]
struct Event<T> {
    specversion: String,
    #[serde(rename = "type")]
    kind: String,
    data: T,
}

/// `data` of an envelope of type `kind`.
pub(crate) fn data<T: DeserializeOwned>(payload: &[u8], kind: &str) -> Result<T, Refusal> {
    let event: Event<T> = serde_json::from_slice(payload).map_err(|e| malformed(&e))?;
    if event.specversion != "1.0" || event.kind != kind {
        return Err(wrong_type(&event.kind, kind));
    }
    Ok(event.data)
}
