//! Streets in words: scripted frames in, effects out as golden text.

mod again;
mod always;
mod cameras;
mod dates;
mod ended;
mod found;
mod lives;
mod refusals;
mod sensors;
mod street;
mod warned;
