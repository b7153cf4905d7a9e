//! One entry before it is chained.

use serde_json::{Map, Value};

/// The longest line in bytes; a command is at most 1 MiB, and JSON may escape each byte to six.
pub const MAX_LINE: usize = 16 * 1024 * 1024;

/// An entry: its kind, its time and what it says. `seq` and `prev` come from the chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    fields: Map<String, Value>,
}

/// An entry that cannot be part of the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// The canonical form does not exist (a number that is not finite).
    #[error("an audit entry cannot be written in canonical form: {0}")]
    Canonical(String),
    /// Past [`MAX_LINE`].
    #[error("an audit entry of {0} bytes is longer than the log takes ({MAX_LINE} bytes)")]
    TooLong(usize),
}

impl Entry {
    /// An entry of that kind (`decision`, `released`, …) at that time (RFC 3339, UTC).
    pub fn new(kind: &str, time: &str) -> Self {
        let mut fields = Map::new();
        fields.insert("kind".to_owned(), Value::from(kind));
        fields.insert("time".to_owned(), Value::from(time));
        Self { fields }
    }

    /// The same entry with one more field; `seq`, `prev`, `kind` and `time` stay what they are.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        if !matches!(name, "seq" | "prev" | "kind" | "time") {
            self.fields.insert(name.to_owned(), value.into());
        }
        self
    }

    /// The same entry with one more field, when there is a value.
    #[must_use]
    pub fn with_some(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// What a field says, if it is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name)?.as_str()
    }

    /// The same entry with each field but `kind` and `time` as `change` leaves it.
    #[must_use]
    pub fn map(mut self, mut change: impl FnMut(&str, &mut Value)) -> Self {
        for (name, value) in &mut self.fields {
            if !matches!(name.as_str(), "kind" | "time") {
                change(name, value);
            }
        }
        self
    }

    /// The entry's line at that place of the chain.
    pub(crate) fn line(&self, seq: u64, prev: &str) -> Result<String, EntryError> {
        let mut fields = self.fields.clone();
        fields.insert("seq".to_owned(), Value::from(seq));
        fields.insert("prev".to_owned(), Value::from(prev));
        canonical(&Value::Object(fields))
    }
}

/// The canonical text of a value.
pub(crate) fn canonical(value: &Value) -> Result<String, EntryError> {
    let text = serde_json_canonicalizer::to_string(value)
        .map_err(|e| EntryError::Canonical(e.to_string()))?;
    if text.len() > MAX_LINE { Err(EntryError::TooLong(text.len())) } else { Ok(text) }
}
