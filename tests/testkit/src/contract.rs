//! The contract as files: whatever a test sees on the wire is held against the schemas of `edge-config/contract/`.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};

use jsonschema::{Retrieve, Uri, Validator};
use serde_json::Value;

/// Validators by CloudEvents type.
#[derive(Debug)]
pub struct Contract(BTreeMap<String, Validator>);

/// Finds `common.json` beside the schema; nothing is fetched.
struct Beside(PathBuf);

impl Retrieve for Beside {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn Error + Send + Sync>> {
        let name = uri.path().as_str().rsplit('/').next().unwrap_or_default();
        Ok(serde_json::from_slice(&std::fs::read(self.0.join(name))?)?)
    }
}

impl Contract {
    /// Reads all schemas in `dir`.
    pub fn read(dir: &Path) -> Result<Contract, Box<dyn Error>> {
        let mut by_type = BTreeMap::new();
        for entry in std::fs::read_dir(dir)? {
            let path = entry?.path();
            let schema: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
            let Some(types) = schema.pointer("/properties/type/enum").and_then(Value::as_array) else {
                continue;
            };
            for kind in types.iter().filter_map(Value::as_str) {
                let options = jsonschema::options().with_retriever(Beside(dir.to_owned()));
                let validator = options.build(&schema).map_err(|e| format!("{}: {e}", path.display()))?;
                by_type.insert(kind.to_owned(), validator);
            }
        }
        Ok(Contract(by_type))
    }

    /// Types that have a schema.
    pub fn types(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// What is wrong with a message.
    pub fn check(&self, event: &Value) -> Result<(), String> {
        let kind = event["type"].as_str().unwrap_or_default();
        let validator = self.0.get(kind).ok_or_else(|| format!("no schema for type {kind:?}"))?;
        let wrong: Vec<String> =
            validator.iter_errors(event).map(|e| format!("{}: {e}", e.instance_path())).collect();
        if wrong.is_empty() { Ok(()) } else { Err(format!("{}\n{event}", wrong.join("\n"))) }
    }
}
