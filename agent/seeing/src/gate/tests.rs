//! Scenes made in code: what a gate says of them.

mod light;
mod objects;
mod scene;
mod street;
mod vehicles;
