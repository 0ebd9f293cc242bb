//! `camera.state`: what a camera can see, at each change. Retained, so that whoever comes later reads it.

use kerbside_domain::camera_state::CameraState;
use kerbside_domain::frame::CameraIx;
use kerbside_domain::time::Moment;
use serde::Serialize;

use crate::clock::ClockTrust;
use crate::identity::{CameraName, Identity};
use crate::message::Message;
use crate::priority::Priority;
use crate::text::to_json;
use crate::topic;

#[derive(Serialize)]
struct CameraStateData<'a> {
    camera_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    gb28181_id: Option<&'a str>,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
    since: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cure: Option<Cure>,
    clock: ClockTrust,
}

#[derive(Serialize)]
struct Cure {
    en: &'static str,
    zh: &'static str,
}

/// `camera.state`: the state that the camera is in since `since`. While it waits, a later one takes its place.
pub fn camera(who: &Identity, ix: CameraIx, state: CameraState, since: Moment) -> Message {
    let CameraName { id, gb28181_id, .. } = who.camera(ix);
    let (word, why) = state.words();
    let cure = match state {
        CameraState::Off(reason) => reason.cure().map(|(en, zh)| Cure { en, zh }),
        CameraState::Watching | CameraState::Blind(_) => None,
    };
    let data = CameraStateData {
        camera_id: &id,
        gb28181_id: gb28181_id.as_deref(),
        state: word,
        why,
        since: who.time(since),
        cure,
        clock: since.quality.into(),
    };
    let topic = format!("camera/{}", topic::word(&id));
    let mut message = Message::new("camera.state.v1", topic, Priority::Reply, since, to_json(&data));
    message.retain = true;
    message.conflation_key = Some(format!("camera/{id}"));
    message
}
