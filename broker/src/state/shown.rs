//! The one door through which text leaves the decision: what is kept, logged, sent or shown after it
//! is made here, and nothing else can make it. The masker sees every string of it, whatever field that
//! is in, so that a new field is no way round.

use std::ops::Deref;

use expacti_audit::Entry;
use expacti_engine::{Masked, Policy, Reading, mask_arguments, mask_secrets};
use expacti_protocol::http::{Change, PrincipalView, RuleView, SigningKey, Target};
use expacti_protocol::signed::SignedRulebook;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ports::{Refusal, Reviewer};

/// Fields that name, prove or measure something: they hold no text of anybody's, and must stay exact.
const EXACT: [&str; 11] = [
    "command_base64",
    "fingerprint",
    "id",
    "key",
    "kind",
    "parent",
    "public_key",
    "rulebook_signature",
    "signature",
    "signed",
    "time",
];

fn is_exact(field: &str) -> bool {
    EXACT.contains(&field) || field.ends_with("sha256") || field.ends_with("_id")
}

/// The secrets of a command, by which they are found in whatever else tells of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secrets {
    command: Masked,
    /// Those in the standard input that came with it.
    input: Masked,
}

impl Secrets {
    /// Those in the bytes of a command.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { command: mask_secrets(bytes), input: Masked::default() }
    }

    /// Those in an item of standard input.
    pub(super) fn of_input(item: Masked) -> Self {
        Self { command: item, input: Masked::default() }
    }

    /// Standard input came with the command.
    pub(super) fn set_input(&mut self, input: Masked) {
        self.input = input;
    }

    /// The standard input with its secrets masked, if there are any.
    pub(super) fn input(&self) -> Option<&str> {
        self.input.masked.then_some(self.input.text.as_str())
    }

    /// A text that may quote standard input.
    pub(super) fn quoted(&self, text: &str) -> String {
        let text = self.input.apply_to_quote(text);
        self.command.apply_strictly(&text)
    }

    /// A text about something with these secrets.
    fn apply(&self, text: &str) -> String {
        let text = self.command.apply(text);
        if self.input.masked { self.input.apply(&text) } else { text }
    }

    /// Those in an item that was read already.
    pub(crate) fn read(item: &Reading<'_>) -> Self {
        Self { command: item.masked(), input: Masked::default() }
    }

    /// The command with its secrets masked, if there are any.
    pub(crate) fn masked(&self) -> Option<&str> {
        self.command.masked.then_some(self.command.text.as_str())
    }

    /// Where a span of the command is in the masked text.
    pub(crate) fn span(&self, span: [usize; 2]) -> [usize; 2] {
        self.command.span(span)
    }
}

/// What passed the masker. There is no other way to make one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shown<T>(T);

impl<T> Deref for Shown<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Shown<T> {
    /// The value, to be sent.
    pub(crate) fn into_inner(self) -> T {
        self.0
    }

    /// The value inside another that adds no text.
    pub(super) fn within<U>(self, wrap: fn(Box<T>) -> U) -> Shown<U> {
        Shown(wrap(Box::new(self.0)))
    }
}

impl Shown<String> {
    /// A text about something with these secrets.
    pub(crate) fn text(text: &str, secrets: &Secrets) -> Self {
        Self(secrets.apply(text))
    }

    /// A text that stands for itself.
    pub(crate) fn plain(text: &str) -> Self {
        Self::text(text, &Secrets::default())
    }
}

impl<T: Serialize + DeserializeOwned> Shown<T> {
    /// A value with every string in it masked.
    pub(crate) fn of(value: &T, secrets: &Secrets) -> Result<Self, Refusal> {
        let failed = |e: serde_json::Error| {
            Refusal::failed(format!("failed to mask secrets, so nothing is shown: {e}"))
        };
        let mut value = serde_json::to_value(value).map_err(failed)?;
        mask("", &mut value, secrets);
        serde_json::from_value(value).map(Self).map_err(failed)
    }

    /// The same as it is kept in the database.
    pub(crate) fn kept(&self) -> Result<Kept, Refusal> {
        json(&self.0)
    }
}

fn mask(field: &str, value: &mut Value, secrets: &Secrets) {
    match value {
        Value::String(_) if is_exact(field) => {}
        Value::String(text) => *text = secrets.apply(text),
        Value::Object(fields) => {
            for (name, value) in fields {
                mask(name, value, secrets);
            }
        }
        Value::Array(items) => {
            for item in &mut *items {
                match item.as_array_mut().map(Vec::as_mut_slice) {
                    // The name of a variable and its value.
                    Some([Value::String(name), Value::String(value)]) => {
                        let pair = secrets.apply(&format!("{name}={value}"));
                        if pair != format!("{name}={value}") {
                            *value = match pair.strip_prefix(&format!("{name}=")) {
                                Some(masked) => masked.to_owned(),
                                None => pair,
                            };
                        }
                    }
                    _ => mask(field, item, secrets),
                }
            }
            // The arguments of a program are told by each other.
            if field == "program" {
                let words: Option<Vec<String>> =
                    items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
                if let Some(words) = words {
                    *items = mask_arguments(&words).into_iter().map(Value::String).collect();
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// An entry for the log, with every string in it masked.
pub(super) fn entry(entry: Entry, secrets: &Secrets) -> Entry {
    entry.map(|field, value| mask(field, value, secrets))
}

/// The text of a row of the database.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kept(String);

impl Kept {
    /// What people have set up, and what only works as it was set up: a rule whose pattern is masked
    /// would match nothing.
    pub(crate) fn exact<T: SetUp>(value: &T) -> Result<Self, Refusal> {
        json(value)
    }

    /// The row.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

fn json<T: Serialize>(value: &T) -> Result<Kept, Refusal> {
    serde_json::to_string(value).map(Kept).map_err(|e| Refusal::failed(e.to_string()))
}

/// What an admin sets up.
pub(crate) trait SetUp: Serialize {}

impl SetUp for Change {}
impl SetUp for Policy {}
impl SetUp for PrincipalView {}
impl SetUp for Reviewer {}
impl SetUp for SignedRulebook {}
impl SetUp for SigningKey {}
impl SetUp for RuleView {}
impl SetUp for Target {}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use expacti_protocol::session::SessionInfo;

    use super::*;

    #[test]
    fn every_string_passes_whatever_it_is_called() {
        let words = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let info = SessionInfo {
            reason: Some("the token=S3cr-et9x expired".into()),
            program: words(&["env", "PGPASSWORD=S3cr et9", "sshpass", "-p", "S3cr-et9x", "bot"]),
            with: words(&["https://a:S3cr-et9x@h/"]),
            client: Some("Authorization: Bearer S3cr-et9x".into()),
            ..SessionInfo::default()
        };
        let shown = Shown::of(&info, &Secrets::default()).unwrap();
        assert!(!format!("{shown:?}").contains("S3cr"), "{shown:?}");
        assert_eq!(shown.program.len(), info.program.len());
        assert_eq!(shown.program.first().unwrap(), "env");
        assert_eq!(shown.program.last().unwrap(), "bot");
    }

    #[test]
    fn what_must_stay_exact_does() {
        let key = "password=S3cr-et9x";
        let before = Entry::new("checkpoint", "now").with("key", key).with("signature", key);
        assert_eq!(entry(before.clone(), &Secrets::default()), before);
        let after = entry(before.with("anything", key), &Secrets::default());
        assert!(format!("{after:?}").contains("password=•••"), "{after:?}");
    }

    #[test]
    fn a_variable_that_goes_along_is_told_by_its_name() {
        let secrets = Secrets::default();
        let mut value = serde_json::json!({"env": [["LANG", "C"], ["API_TOKEN", "S3cr-et9x"]]});
        mask("", &mut value, &secrets);
        assert_eq!(value, serde_json::json!({"env": [["LANG", "C"], ["API_TOKEN", "•••"]]}));
    }
}
