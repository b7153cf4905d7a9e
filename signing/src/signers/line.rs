//! One line of a list of signers, as `ssh-keygen` reads it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousTimestamp, TimeZone};
use russh::keys::ssh_key::public::KeyData;

use crate::keys;
use crate::pattern::{Patterns, is_wild};

/// The longest name of a person, in bytes.
const MAX_NAME: usize = 256;

/// A key, and for whom and what it counts.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// Where it stands.
    pub(super) number: usize,
    pub(super) principals: Patterns,
    /// The key is that of an authority, whose certificates count.
    pub(super) authority: bool,
    pub(super) namespaces: Option<Patterns>,
    /// The first second at which it counts.
    pub(super) valid_after: Option<i64>,
    /// The last second at which it counts: OpenSSH takes "at or before".
    pub(super) valid_before: Option<i64>,
    pub(super) key: KeyData,
}

/// Whether a text can be the name of one person.
pub(crate) fn is_name(text: &str) -> bool {
    let plain = |letter: char| letter.is_alphanumeric() || letter.is_ascii_graphic();
    !text.is_empty()
        && text.len() <= MAX_NAME
        && !is_wild(text)
        && !text.contains(['!', ',', '"'])
        && text.chars().all(plain)
}

impl Line {
    /// Reads a line; `None` where there is nothing in it.
    pub(super) fn parse(
        number: usize,
        text: &str,
        zone: &TimeZone,
    ) -> Result<Option<Self>, String> {
        let text = text.trim_matches(is_space);
        if text.is_empty() || text.starts_with('#') {
            return Ok(None);
        }
        let (principals, rest) = principals(text)?;
        let principals = Patterns::parse(principals).ok_or_else(|| {
            format!("{principals:?} is no list of names: write NAME[,NAME…] in front of the key")
        })?;
        let mut options = Options::default();
        let key = if is_key(rest) {
            public_key(rest)?
        } else {
            let rest = options.read(rest, zone)?;
            public_key(rest.trim_start_matches(is_space))?
        };
        let line = Self {
            number,
            principals,
            authority: options.authority,
            namespaces: options.namespaces,
            valid_after: options.valid_after,
            valid_before: options.valid_before,
            key,
        };
        if !line.authority && line.person().is_none() {
            return Err("the first name says whose key it is: write one name without wildcards \
                        first, which the others do not exclude"
                .to_owned());
        }
        Ok(Some(line))
    }

    /// Whose key it is; nobody's where it is that of an authority.
    pub(super) fn person(&self) -> Option<&str> {
        let named = |name: &&str| !self.authority && is_name(name) && self.principals.matches(name);
        self.principals.first().filter(named)
    }
}

/// A public key and a comment, as in `authorized_keys`.
pub(super) fn public_key(text: &str) -> Result<KeyData, String> {
    let mut words = text.split(is_space).filter(|word| !word.is_empty());
    let (Some(kind), Some(key)) = (words.next(), words.next()) else {
        return Err("there is no public key: write KIND KEY, as in a file.pub".to_owned());
    };
    let blob = STANDARD.decode(key).map_err(|_| "the public key is no base64".to_owned())?;
    let data = keys::plain(&blob).map_err(|fault| fault.to_string())?;
    if data.algorithm().as_str() == kind {
        Ok(data)
    } else {
        Err(format!("the key is not of the kind {kind:?} that is written in front of it"))
    }
}

/// Whether a text begins with the kind of a key; no option does.
fn is_key(text: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-", "rsa-"].iter().any(|kind| text.starts_with(kind))
}

fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\r')
}

/// The names in front, which may be in quotes, and what follows.
fn principals(text: &str) -> Result<(&str, &str), String> {
    let alone = || "there is nothing but names: write NAME KIND KEY".to_owned();
    let (names, rest) = match text.strip_prefix('"') {
        Some(quoted) => {
            quoted.split_once('"').ok_or_else(|| "a quotation mark is not closed".to_owned())?
        }
        None => text.split_at(text.find(is_space).ok_or_else(alone)?),
    };
    if !rest.starts_with(is_space) {
        return Err(if rest.is_empty() { alone() } else { format!("{rest:?} follows the names") });
    }
    Ok((names, rest.trim_start_matches(is_space)))
}

#[derive(Default)]
struct Options {
    authority: bool,
    namespaces: Option<Patterns>,
    valid_after: Option<i64>,
    valid_before: Option<i64>,
}

impl Options {
    /// Takes the options in front of a text, and returns what follows.
    fn read<'a>(&mut self, text: &'a str, zone: &TimeZone) -> Result<&'a str, String> {
        let mut rest = text;
        loop {
            let end = rest.find([',', '=', ' ', '\t', '\r']).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            let value = match after.strip_prefix('=') {
                Some(value) => {
                    let (value, after) = quoted(name, value)?;
                    rest = after;
                    Some(value)
                }
                None => {
                    rest = after;
                    None
                }
            };
            self.take(&name.to_ascii_lowercase(), value, zone)?;
            match rest.strip_prefix(',') {
                Some(next) => rest = next,
                None if rest.is_empty() || rest.starts_with(is_space) => break,
                None => return Err(format!("there is something behind the option {name:?}")),
            }
        }
        let ordered = |(after, before): (i64, i64)| after < before;
        if !self.valid_after.zip(self.valid_before).is_none_or(ordered) {
            return Err("valid-before is not later than valid-after".to_owned());
        }
        Ok(rest)
    }

    fn take(&mut self, name: &str, value: Option<String>, zone: &TimeZone) -> Result<(), String> {
        let twice = match (name, value) {
            ("cert-authority", None) => std::mem::replace(&mut self.authority, true),
            ("namespaces", Some(value)) => {
                let list = Patterns::parse(&value)
                    .ok_or_else(|| format!("namespaces={value:?} is no list of patterns"))?;
                self.namespaces.replace(list).is_some()
            }
            // Of two times that it may mean, the one at which less counts.
            ("valid-after", Some(value)) => {
                let time = time(name, &value, zone, AmbiguousTimestamp::later)?;
                self.valid_after.replace(time).is_some()
            }
            ("valid-before", Some(value)) => {
                let time = time(name, &value, zone, AmbiguousTimestamp::earlier)?;
                self.valid_before.replace(time).is_some()
            }
            ("namespaces" | "valid-after" | "valid-before", None) => {
                return Err(format!("{name} needs a value: {name}=\"…\""));
            }
            _ => {
                return Err(format!(
                    "{name:?} is neither a kind of key nor one of the options cert-authority, \
                     namespaces=\"…\", valid-after=\"…\", valid-before=\"…\""
                ));
            }
        };
        if twice { Err(format!("{name} is there twice")) } else { Ok(()) }
    }
}

/// A value in quotes, in which `\"` is a quotation mark, and what follows.
fn quoted<'a>(name: &str, text: &'a str) -> Result<(String, &'a str), String> {
    let wrong = || format!("the value of {name} is not in quotation marks: {name}=\"…\"");
    let mut rest = text.strip_prefix('"').ok_or_else(wrong)?;
    let mut value = String::new();
    loop {
        if let Some(next) = rest.strip_prefix("\\\"") {
            value.push('"');
            rest = next;
        } else if let Some(next) = rest.strip_prefix('"') {
            return Ok((value, next));
        } else {
            let mut letters = rest.chars();
            value.push(letters.next().ok_or_else(wrong)?);
            rest = letters.as_str();
        }
    }
}

/// A time as OpenSSH takes it: `YYYYMMDD[HHMM[SS]]`, local unless a `Z` follows.
fn time(
    name: &str,
    text: &str,
    zone: &TimeZone,
    choose: fn(AmbiguousTimestamp) -> Result<Timestamp, jiff::Error>,
) -> Result<i64, String> {
    let wrong = || format!("{name}={text:?} is no time: write YYYYMMDD[HHMM[SS]][Z]");
    let (digits, zone) = match text.strip_suffix(['Z', 'z']) {
        Some(digits) => (digits, &TimeZone::UTC),
        None => (text, zone),
    };
    let civil = civil(digits).ok_or_else(wrong)?;
    let time = choose(zone.to_ambiguous_timestamp(civil)).map_err(|_| wrong())?;
    if time.as_second() > 0 { Ok(time.as_second()) } else { Err(wrong()) }
}

fn civil(digits: &str) -> Option<DateTime> {
    if !matches!(digits.len(), 8 | 12 | 14) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |from: usize, to: usize| match digits.get(from..to) {
        None => Some(0),
        Some(part) => part.parse::<i16>().ok(),
    };
    let small = |from: usize| number(from, from + 2).and_then(|value| i8::try_from(value).ok());
    DateTime::new(number(0, 4)?, small(4)?, small(6)?, small(8)?, small(10)?, small(12)?, 0).ok()
}
