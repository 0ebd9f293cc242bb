//! What is said of a file.

/// What was done to a file after the camera had made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Outlines and text were drawn in.
    DrawnIn,
    /// Its pictures were encoded again, in a codec that is played everywhere.
    Encoded,
}

/// What is said of one file.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Names the file among all of the world; the manifest's own id is made of it and of the file's content.
    pub id: String,
    /// The file's name.
    pub title: String,
    /// When the camera saw it, RFC 3339; `None` where nobody vouches for the clock.
    pub captured_at: Option<String>,
    /// `None`: it is as the camera made it.
    pub edit: Option<Edit>,
    /// Facts for people and programs, an object. Some readers show a list of numbers as empty: write objects instead.
    pub facts: serde_json::Value,
}
