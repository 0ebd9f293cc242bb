//! What a `verify` command said, for the tests of journal and evidence.

use serde_json::Value;

/// As text, and as JSON.
pub(crate) struct Said {
    pub(crate) code: u8,
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl Said {
    /// Runs the command twice: for text, and (true) for JSON. `run` gives exit code and output.
    pub(crate) fn by(mut run: impl FnMut(bool) -> (u8, Vec<u8>)) -> Said {
        let ((code, text), (_, json)) = (run(false), run(true));
        Said { code, text: String::from_utf8(text).unwrap(), json: serde_json::from_slice(&json).unwrap() }
    }

    #[track_caller]
    pub(crate) fn is(&self, code: u8, verdict: &str, says: &[&str]) {
        let Said { code: found, text, json } = self;
        assert!(*found == code && json["verdict"] == verdict, "{found}\n{text}\n{json}");
        for wanted in says {
            assert!(text.contains(wanted), "no {wanted:?} in\n{text}");
        }
    }
}
