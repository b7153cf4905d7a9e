//! The configuration, and where each value came from: flags override the environment, which
//! overrides the user's file, which overrides that of the machine.

use std::path::{Path, PathBuf};

use expacti_broker::{Webhook, WitnessConfig};
use expacti_gate::{ApprovalConfig, ReadPolicy};
use expacti_protocol::client::{Endpoint, Token};
use expacti_protocol::home::Home;
use expacti_signing::Settings;
use expacti_tui::{QuietHours, QuietHoursError};
use serde_json::Value as Json;
use toml::{Table, Value};

use crate::cli::Global;
use crate::failure::Failure;
use crate::{machine, units};

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Default,
    /// The variable.
    Environment(&'static str),
    /// `config.toml`.
    File,
    /// `client.toml` of the machine.
    Machine,
    /// The flag.
    Flag(&'static str),
}

/// What a key of `config.toml` may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Array,
    Bool,
    Table,
    Text,
}

impl Kind {
    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Array => value.is_array(),
            Self::Bool => value.is_bool(),
            Self::Table => value.is_table(),
            Self::Text => value.is_str(),
        }
    }
}

/// Every key of `config.toml` with what it holds and means; sections are tables of their own.
const KEYS: &[(&str, Kind, &str)] = &[
    ("agent", Kind::Text, "the name of wrapped programs' agent"),
    (
        "ask_shell",
        Kind::Bool,
        "let the gate ask targets which shell an account has, where a rule needs to know",
    ),
    (
        "approval.require",
        Kind::Array,
        "what the gate itself asks for before it delivers: [[approval.require]] with level, targets, tags, \
         effects, signatures, by, touch, verify",
    ),
    ("approval.revoked", Kind::Text, "a file of keys that count for nothing any more"),
    (
        "approval.rules",
        Kind::Table,
        "let the gate go by rules only as people have signed them: signatures, by, touch, verify, \
         max_age_hours",
    ),
    (
        "approval.signers",
        Kind::Text,
        "the file of those who may sign, as OpenSSH's allowed_signers",
    ),
    ("approval.tags", Kind::Table, "targets by tag, for approval.require"),
    ("broker", Kind::Text, "the broker's address"),
    (
        "notify",
        Kind::Bool,
        "desktop notifications by the broker of this machine while no reviewer is connected",
    ),
    ("reads.ask", Kind::Bool, "ask about every file that is read by SFTP"),
    (
        "reads.roots",
        Kind::Array,
        "directories of targets beneath which files that hold no secret may be read unasked by SFTP; \
         without them: everywhere",
    ),
    ("review.ascii", Kind::Bool, "draw with ASCII characters only"),
    ("review.bell", Kind::Bool, "ring the terminal bell for new requests"),
    (
        "review.confirm",
        Kind::Table,
        "what an allow needs per level: low, medium, high, critical = none | y | target-name",
    ),
    ("review.keys", Kind::Table, "the key map"),
    ("review.notify", Kind::Bool, "desktop notifications"),
    ("review.quiet_hours", Kind::Text, "no bell, sound or notifications then, such as 22:00-07:00"),
    ("review.sound", Kind::Bool, "let the desktop play a sound with its notifications"),
    ("review_url", Kind::Text, "where people decide, for webhooks; {id} stands for the command"),
    ("risk", Kind::Table, "changes to the risk tables"),
    ("service", Kind::Bool, "talk to the service of this machine, which `expacti setup` makes"),
    (
        "signing_key",
        Kind::Text,
        "the key that signs what you allow: a private key file, or a .pub whose key the ssh-agent has",
    ),
    ("timeout", Kind::Text, "time to decide where no policy says otherwise, 5s to 24h"),
    ("token_file", Kind::Text, "the file of the token to show the broker"),
    (
        "webhook",
        Kind::Array,
        "who is told over HTTP: [[webhook]] with url, format, events and so on",
    ),
    ("witness", Kind::Array, "who cosigns the heads of the log: [[witness]] with url and key"),
];

/// The effective configuration.
#[derive(Debug)]
pub(crate) struct Config {
    /// Where everything lives.
    pub(crate) home: Home,
    file: PathBuf,
    table: Table,
    /// What root says for every account.
    machine: Table,
    broker: Option<(String, Source)>,
    token_file: Option<(PathBuf, Source)>,
}

/// The switches of `[review]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReviewSwitches {
    pub(crate) ascii: bool,
    pub(crate) bell: bool,
    pub(crate) notify: bool,
    pub(crate) sound: bool,
}

/// One value for `config show`.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Entry {
    key: String,
    value: Json,
    from: String,
}

impl Config {
    /// Reads the file, and overrides it by environment and flags.
    pub(crate) fn load(global: &Global) -> Result<Self, Failure> {
        let uid = rustix::process::geteuid().as_raw();
        let env = |name: &str| std::env::var(name).ok();
        let mut machine = Table::new();
        // Whoever names a directory means that one.
        if env("EXPACTI_HOME").is_none_or(|dir| dir.is_empty()) {
            let file = machine::client_file();
            if let Some(text) = machine::read_roots(&file)? {
                machine = parse(&file, &text)?;
            }
        }
        let says = |table: &Table| table.get("service").and_then(Value::as_bool);
        let service = says(&machine) == Some(true) && machine::is_service_user();
        let mut home = if service {
            Home::of_service()
        } else {
            Home::from_env(env, uid).map_err(|e| Failure::usage(e.to_string()))?
        };
        let file = home.config_file();
        let table = match read(&file, service)? {
            Some(text) => parse(&file, &text)?,
            None => Table::new(),
        };
        if service {
            machine = Table::new();
        } else if says(&table).or(says(&machine)) == Some(true) {
            home = home.with_service();
        }
        let text = |key: &str| {
            let of = |table: &Table| table.get(key).and_then(Value::as_str).map(str::to_owned);
            let own = of(&table).map(|text| (text, Source::File));
            own.or_else(|| of(&machine).map(|text| (text, Source::Machine)))
        };
        // clap has read the environment for the flag; tell the two apart for `config show`.
        let broker = match &global.broker {
            Some(url) => {
                let env = std::env::var("EXPACTI_BROKER").ok();
                let from = if env.as_ref() == Some(url) {
                    Source::Environment("EXPACTI_BROKER")
                } else {
                    Source::Flag("--broker")
                };
                Some((url.clone(), from))
            }
            None => text("broker"),
        };
        let token_file = match &global.token_file {
            Some(path) => Some((path.clone(), Source::Flag("--token-file"))),
            None => text("token_file").map(|(path, source)| (PathBuf::from(path), source)),
        };
        Ok(Self { home, file, table, machine, broker, token_file })
    }

    /// Whether the broker is that of the machine's service, which this command neither starts nor stands in
    /// for.
    pub(crate) fn is_led_to_service(&self) -> bool {
        self.is_local() && self.home.service().is_some() && !self.home.is_service()
    }

    /// Whether the broker is this machine's, which is started when it is needed.
    pub(crate) fn is_local(&self) -> bool {
        self.broker.is_none()
    }

    /// The broker to talk to, and as whom.
    pub(crate) fn endpoint(&self) -> Result<Endpoint, Failure> {
        let endpoint = match &self.broker {
            Some((url, _)) => Endpoint::parse(url)?,
            None => Endpoint::unix(self.home.broker_socket()),
        };
        Ok(endpoint.with_token(self.token()?))
    }

    /// The token, from `--token-file` or `EXPACTI_TOKEN`.
    pub(crate) fn token(&self) -> Result<Option<Token>, Failure> {
        let env = std::env::var("EXPACTI_TOKEN").ok().filter(|t| !t.trim().is_empty());
        match (&self.token_file, env) {
            (Some((_, Source::File | Source::Machine)), Some(token)) | (None, Some(token)) => {
                Ok(Some(Token::new(&token)))
            }
            (Some((path, _)), _) => match expacti_protocol::private::read(path) {
                Ok(text) if !text.trim().is_empty() => Ok(Some(Token::new(&text))),
                Ok(_) => Err(Failure::usage(format!("the token file {} is empty", path.display()))),
                Err(e) => Err(Failure::usage(format!(
                    "failed to read the token file {}: {e}",
                    path.display()
                ))),
            },
            (None, None) => Ok(None),
        }
    }

    fn lookup(&self, key: &str) -> Option<&Value> {
        self.found(key).map(|(value, _)| value)
    }

    fn found(&self, key: &str) -> Option<(&Value, Source)> {
        let own = Self::within(&self.table, key).map(|value| (value, Source::File));
        own.or_else(|| Self::within(&self.machine, key).map(|value| (value, Source::Machine)))
    }

    fn within<'a>(table: &'a Table, key: &str) -> Option<&'a Value> {
        let mut value = None;
        let mut table = Some(table);
        for part in key.split('.') {
            value = table?.get(part);
            table = value.and_then(Value::as_table);
        }
        value
    }

    fn bool(&self, key: &str, default: bool) -> bool {
        self.lookup(key).and_then(Value::as_bool).unwrap_or(default)
    }

    /// `agent`.
    pub(crate) fn agent(&self) -> Option<String> {
        self.lookup("agent").and_then(Value::as_str).map(str::to_owned)
    }

    /// `timeout` in seconds.
    pub(crate) fn timeout(&self) -> Result<u64, Failure> {
        let Some(text) = self.lookup("timeout").and_then(Value::as_str) else { return Ok(60) };
        let seconds = units::seconds(text)?;
        if (5..=86_400).contains(&seconds) {
            Ok(seconds)
        } else {
            Err(Failure::usage(format!(
                "{}: timeout = {text:?} must be 5s to 24h",
                self.file.display()
            )))
        }
    }

    /// The switches of `[review]`.
    pub(crate) fn review(&self) -> ReviewSwitches {
        ReviewSwitches {
            ascii: self.bool("review.ascii", false),
            bell: self.bool("review.bell", true),
            notify: self.bool("review.notify", true),
            sound: self.bool("review.sound", true),
        }
    }

    /// `review.quiet_hours`.
    pub(crate) fn quiet_hours(&self) -> Result<Option<QuietHours>, Failure> {
        let text = self.lookup("review.quiet_hours").and_then(Value::as_str);
        text.map(str::parse).transpose().map_err(|e: QuietHoursError| {
            Failure::usage(format!("{}: review.quiet_hours: {e}", self.file.display()))
        })
    }

    /// `ask_shell`.
    pub(crate) fn ask_shell(&self) -> bool {
        self.bool("ask_shell", true)
    }

    /// `[reads]`: what may be read by SFTP without a decision.
    pub(crate) fn reads(&self) -> Result<ReadPolicy, Failure> {
        let wrong = |what: &str| Failure::usage(format!("{}: {what}", self.file.display()));
        let ask = self.bool("reads.ask", false);
        let Some(roots) = self.lookup("reads.roots").and_then(Value::as_array) else {
            return Ok(if ask { ReadPolicy::Nothing } else { ReadPolicy::Harmless });
        };
        if ask {
            return Err(wrong("reads.ask = true and reads.roots exclude each other: keep one"));
        }
        let roots: Option<Vec<_>> =
            roots.iter().map(|root| root.as_str().map(str::to_owned)).collect();
        let roots = roots.ok_or_else(|| wrong("reads.roots: each directory is a text"))?;
        ReadPolicy::beneath(roots).map_err(|e| wrong(&format!("reads.roots: {e}")))
    }

    /// `[approval]`: what the gate asks for before it delivers.
    pub(crate) fn approval(&self) -> Result<Option<ApprovalConfig>, Failure> {
        let wrong = |what: &str| Failure::usage(format!("{}: {what}", self.file.display()));
        let Some(table) = self.lookup("approval").and_then(Value::as_table) else {
            return Ok(None);
        };
        let mut table = table.clone();
        let mut path = |key: &str| {
            let path = table.remove(key)?.as_str().map(PathBuf::from)?;
            // Beside the configuration, where the path is not absolute.
            Some(self.file.parent().map_or_else(|| path.clone(), |directory| directory.join(&path)))
        };
        let (signers, revoked) = (path("signers"), path("revoked"));
        let signers = signers.ok_or_else(|| {
            wrong("approval.signers: name the file of those who may sign (ssh-keygen(1), ALLOWED SIGNERS)")
        })?;
        let settings: Settings = Value::Table(table)
            .try_into()
            .map_err(|error: toml::de::Error| wrong(&format!("approval: {}", error.message())))?;
        let seen = self.home.rulebook_seen();
        Ok(Some(ApprovalConfig { settings, signers, revoked, seen }))
    }

    /// `signing_key`.
    pub(crate) fn signing_key(&self) -> Option<PathBuf> {
        let text = self.lookup("signing_key").and_then(Value::as_str)?;
        Some(match (text.strip_prefix("~/"), std::env::home_dir()) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(text),
        })
    }

    /// `notify`: whether the broker of this machine shows notifications by itself.
    pub(crate) fn notify(&self) -> bool {
        self.bool("notify", true)
    }

    /// `review_url`.
    pub(crate) fn review_url(&self) -> Option<String> {
        self.lookup("review_url").and_then(Value::as_str).map(str::to_owned)
    }

    /// `[[webhook]]`, each checked: a wrong one stops the broker rather than staying silent.
    pub(crate) fn webhooks(&self) -> Result<Vec<Webhook>, Failure> {
        let all = self.lookup("webhook").and_then(Value::as_array).cloned().unwrap_or_default();
        all.into_iter()
            .map(|value| {
                let hook: Webhook = value.try_into().map_err(|e: toml::de::Error| {
                    Failure::usage(format!("{}: webhook: {}", self.file.display(), e.message()))
                })?;
                hook.check()
                    .map_err(|e| Failure::usage(format!("{}: {e}", self.file.display())))?;
                Ok(hook)
            })
            .collect()
    }

    /// `[[witness]]`, each checked.
    pub(crate) fn witnesses(&self) -> Result<Vec<WitnessConfig>, Failure> {
        let wrong = |what: &str| Failure::usage(format!("{}: {what}", self.file.display()));
        let all = self.lookup("witness").and_then(Value::as_array).cloned().unwrap_or_default();
        all.into_iter()
            .map(|value| {
                let witness: WitnessConfig = value
                    .try_into()
                    .map_err(|e: toml::de::Error| wrong(&format!("witness: {}", e.message())))?;
                witness.check().map_err(|e| wrong(&e))?;
                Ok(witness)
            })
            .collect()
    }

    /// A section as TOML text, for the crate that parses it.
    pub(crate) fn section(&self, key: &str) -> Option<String> {
        self.lookup(key).and_then(Value::as_table).and_then(|t| toml::to_string(t).ok())
    }

    /// Every effective value.
    pub(crate) fn show(&self) -> Result<Vec<Entry>, Failure> {
        let [config, data, runtime] = self.home.dirs().map(|d| d.display().to_string());
        let home = match std::env::var_os("EXPACTI_HOME") {
            Some(_) => Source::Environment("EXPACTI_HOME"),
            None => Source::Default,
        };
        let mut all = vec![
            self.entry("config_dir", config, home),
            self.entry("data_dir", data, home),
            self.entry("runtime_dir", runtime, home),
        ];
        for (key, ..) in KEYS {
            let (value, source) = self.effective(key)?;
            all.push(self.entry(key, value, source));
        }
        all.push(match std::env::var_os("EXPACTI_TOKEN") {
            Some(_) => self.entry("token", "(set)", Source::Environment("EXPACTI_TOKEN")),
            None => self.entry("token", Json::Null, Source::Default),
        });
        Ok(all)
    }

    fn effective(&self, key: &str) -> Result<(Json, Source), Failure> {
        Ok(match (key, self.found(key)) {
            ("broker", _) => match &self.broker {
                Some((url, source)) => (url.clone().into(), *source),
                None => (self.endpoint()?.display().into(), Source::Default),
            },
            ("token_file", _) => match &self.token_file {
                Some((path, source)) => (path.display().to_string().into(), *source),
                None => (Json::Null, Source::Default),
            },
            // An address may be a secret.
            ("webhook", Some((value, source))) => {
                let count = value.as_array().map_or(0, Vec::len);
                (format!("{count} configured").into(), source)
            }
            (_, Some((value, source))) => (serde_json::to_value(value)?, source),
            ("timeout", None) => ("60s".into(), Source::Default),
            ("ask_shell" | "review.notify" | "review.bell" | "review.sound", None) => {
                (true.into(), Source::Default)
            }
            ("review.ascii" | "reads.ask" | "service", None) => (false.into(), Source::Default),
            (_, None) => (Json::Null, Source::Default),
        })
    }

    fn entry(&self, key: &str, value: impl Into<Json>, source: Source) -> Entry {
        let from = match source {
            Source::Default => "default".to_owned(),
            Source::Environment(name) | Source::Flag(name) => name.to_owned(),
            Source::File => self.file.display().to_string(),
            Source::Machine => machine::client_file().display().to_string(),
        };
        Entry { key: key.to_owned(), value: value.into(), from }
    }
}

impl Entry {
    /// One row for people.
    pub(crate) fn row(&self) -> Vec<String> {
        let value = match &self.value {
            Json::String(s) => crate::print::safe(s),
            Json::Null => "-".to_owned(),
            other => crate::print::safe(&other.to_string()),
        };
        vec![self.key.clone(), value, self.from.clone()]
    }
}

/// The configuration file, if there is one. That of the service is root's.
fn read(file: &Path, service: bool) -> Result<Option<String>, Failure> {
    if service {
        return machine::read_roots(file);
    }
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Failure::failed(format!("failed to read {}: {e}", file.display()))),
    }
}

fn parse(file: &Path, text: &str) -> Result<Table, Failure> {
    let wrong = |what: String| Failure::usage(format!("{}: {what}", file.display()));
    let table: Table = text.parse().map_err(|e: toml::de::Error| wrong(e.to_string()))?;
    check(&table, "").map_err(wrong)?;
    Ok(table)
}

/// Refuses unknown keys and values of the wrong kind.
fn check(table: &Table, above: &str) -> Result<(), String> {
    for (name, value) in table {
        let key = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        match KEYS.iter().find(|(known, ..)| *known == key) {
            Some((_, kind, what)) => {
                if !kind.fits(value) {
                    return Err(format!("{key} ({what}) cannot be {value}"));
                }
            }
            None if value.as_table().is_some_and(|_| {
                KEYS.iter().any(|(known, ..)| known.starts_with(&format!("{key}.")))
            }) =>
            {
                if let Some(inner) = value.as_table() {
                    check(inner, &key)?;
                }
            }
            None => {
                let nearest = KEYS
                    .iter()
                    .map(|(known, ..)| (strsim::damerau_levenshtein(known, &key), *known))
                    .min()
                    .map_or("", |(_, known)| known);
                return Err(format!("unknown key {key:?}; did you mean {nearest:?}?"));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_name_the_nearest() {
        let bad = |text: &str| parse(Path::new("c"), text).unwrap_err();
        for (text, expected) in [
            ("timout = '5s'", "\"timeout\""),
            ("[review]\nbel = true", "\"review.bell\""),
            ("broker = 7", "cannot be 7"),
            ("[reads]\nroot = ['/srv']", "\"reads.roots\""),
            ("broker = ", "c: TOML"),
        ] {
            let message = format!("{:?}", bad(text));
            let expected = expected.replace('"', "\\\"");
            assert!(message.contains(&expected), "{message}");
        }
        parse(Path::new("c"), "[reads]\nask=false\nroots=['/srv']").unwrap();
        parse(Path::new("c"), "timeout='5s'\n[review.keys]\nallow='x'\n[risk]\nx=1").unwrap();
    }
}
