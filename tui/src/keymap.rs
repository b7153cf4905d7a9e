//! Which key does what: the one source of the footer, the help and the configuration. It must
//! never give "allow" to a key that people press without looking.

use std::collections::BTreeMap;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde::{Deserialize, Deserializer};

/// What a key can do outside of text fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Action {
    Allow,
    AllowTrusting,
    Deny,
    DenyComment,
    Grant,
    Undo,
    NextRequest,
    Down,
    Up,
    PageDown,
    PageUp,
    Home,
    End,
    NextPane,
    PreviousPane,
    PaneQueue,
    PaneSessions,
    PaneRequest,
    PaneLive,
    Open,
    Back,
    Filter,
    FindNext,
    Reveal,
    Rule,
    Replay,
    Kill,
    Pause,
    Tiles,
    History,
    Rules,
    Audit,
    CopyCommand,
    CopyId,
    Mute,
    Help,
    Redraw,
    Suspend,
    Quit,
}

/// What belongs to an action.
struct Binding {
    action: Action,
    /// Its name in the configuration.
    name: &'static str,
    /// Its keys, unless the configuration has others.
    keys: &'static [&'static str],
    /// Its word in the footer.
    label: &'static str,
    /// Its line in the help.
    help: &'static str,
}

const fn bind(
    action: Action,
    name: &'static str,
    keys: &'static [&'static str],
    label: &'static str,
    help: &'static str,
) -> Binding {
    Binding { action, name, keys, label, help }
}

/// Every action: its name, keys, word in the footer, and line in the help.
const BINDINGS: &[Binding] = &[
    bind(Action::Allow, "allow", &["a"], "allow", "allow the request shown"),
    bind(
        Action::AllowTrusting,
        "allow-trusting",
        &["T"],
        "allow+trust",
        "allow it and keep trusting the account",
    ),
    bind(Action::Deny, "deny", &["d"], "deny", "deny it at once"),
    bind(
        Action::DenyComment,
        "deny-comment",
        &["D"],
        "deny+comment",
        "deny it and tell the agent why",
    ),
    bind(Action::Grant, "grant", &["g"], "grant", "allow it and what follows (asks)"),
    bind(Action::Undo, "undo", &["u"], "undo", "take back an allow still held"),
    bind(Action::NextRequest, "next", &["n"], "next", "the next request that waits"),
    bind(Action::Down, "down", &["j", "down"], "down", "down"),
    bind(Action::Up, "up", &["k", "up"], "up", "up"),
    bind(
        Action::PageDown,
        "page-down",
        &["space", "pagedown", "ctrl-d"],
        "page",
        "a page down, on to the end",
    ),
    bind(Action::PageUp, "page-up", &["b", "pageup", "ctrl-u"], "page up", "a page up"),
    bind(Action::Home, "home", &["<", "home"], "top", "to the beginning"),
    bind(Action::End, "end", &[">", "end", "G"], "end", "to the end"),
    bind(Action::NextPane, "next-pane", &["tab"], "pane", "the next pane"),
    bind(Action::PreviousPane, "previous-pane", &["backtab"], "pane back", "the pane before"),
    bind(Action::PaneQueue, "pane-queue", &["1"], "queue", "the queue"),
    bind(Action::PaneSessions, "pane-sessions", &["2"], "sessions", "the sessions"),
    bind(Action::PaneRequest, "pane-request", &["3"], "request", "the request"),
    bind(Action::PaneLive, "pane-live", &["4"], "live", "the live view"),
    bind(Action::Open, "open", &["enter"], "open", "look closer: request or live view"),
    bind(Action::Back, "back", &["esc"], "back", "back; clears a filter"),
    bind(Action::Filter, "filter", &["/"], "filter", "filter level:high target:web; or search"),
    bind(Action::FindNext, "find-next", &["N"], "next match", "the next match of a search"),
    bind(Action::Reveal, "reveal", &["v"], "reveal", "show, hide what was typed without echo"),
    bind(Action::Rule, "rule", &["w"], "rule", "propose a narrow rule that expires"),
    bind(Action::Replay, "replay", &["r"], "replay", "replay the session"),
    bind(Action::Kill, "kill", &["K"], "kill", "end the session (asks)"),
    bind(Action::Pause, "pause", &["p"], "pause", "pause or resume the session (asks)"),
    bind(Action::Tiles, "tiles", &["t"], "tiles", "several live sessions side by side"),
    bind(Action::History, "history", &["h"], "history", "what was decided"),
    bind(Action::Rules, "rules", &["R"], "rules", "the rules"),
    bind(Action::Audit, "audit", &["A"], "audit", "the audit log"),
    bind(Action::CopyCommand, "copy", &["c"], "copy", "copy the command (OSC 52)"),
    bind(Action::CopyId, "copy-id", &["C"], "copy id", "copy the id (OSC 52)"),
    bind(Action::Mute, "mute", &["m"], "mute", "bell and notifications on, off"),
    bind(Action::Help, "help", &["?"], "help", "all keys"),
    bind(Action::Redraw, "redraw", &["ctrl-l"], "redraw", "draw the screen afresh"),
    bind(Action::Suspend, "suspend", &["ctrl-z"], "suspend", "to the shell; fg comes back"),
    bind(Action::Quit, "quit", &["q", "ctrl-c"], "quit", "quit; what waits keeps waiting"),
];

/// One key with its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    code: KeyCode,
    ctrl: bool,
    alt: bool,
}

impl Key {
    /// The key of an event; Shift counts only where it changes the character.
    pub(crate) fn of(event: &KeyEvent) -> Self {
        Self {
            code: event.code,
            ctrl: event.modifiers.contains(KeyModifiers::CONTROL),
            alt: event.modifiers.contains(KeyModifiers::ALT),
        }
    }

    fn parse(name: &str) -> Option<Self> {
        let (mut rest, mut ctrl, mut alt) = (name, false, false);
        loop {
            if let Some(r) = rest.strip_prefix("ctrl-").filter(|r| !r.is_empty()) {
                (rest, ctrl) = (r, true);
            } else if let Some(r) = rest.strip_prefix("alt-").filter(|r| !r.is_empty()) {
                (rest, alt) = (r, true);
            } else {
                break;
            }
        }
        let mut chars = rest.chars();
        let code = match (chars.next(), chars.next()) {
            (Some(c), None) if !c.is_control() && c != ' ' => KeyCode::Char(c),
            _ => match rest {
                "space" => KeyCode::Char(' '),
                "enter" => KeyCode::Enter,
                "esc" => KeyCode::Esc,
                "tab" => KeyCode::Tab,
                "backtab" => KeyCode::BackTab,
                "up" => KeyCode::Up,
                "down" => KeyCode::Down,
                "left" => KeyCode::Left,
                "right" => KeyCode::Right,
                "home" => KeyCode::Home,
                "end" => KeyCode::End,
                "pageup" => KeyCode::PageUp,
                "pagedown" => KeyCode::PageDown,
                "insert" => KeyCode::Insert,
                "delete" => KeyCode::Delete,
                "backspace" => KeyCode::Backspace,
                _ => KeyCode::F(rest.strip_prefix('f')?.parse().ok().filter(|n| *n <= 12)?),
            },
        };
        Some(Self { code, ctrl, alt })
    }

    /// Whether it is pressed on purpose: not Enter, Space, an arrow, or what an input method makes.
    fn is_deliberate(self) -> bool {
        matches!(self.code, KeyCode::Char('!'..='~') | KeyCode::F(_))
    }

    fn name(self) -> String {
        let base = match self.code {
            KeyCode::Char(' ') => "space".to_owned(),
            KeyCode::Char(c) => c.to_string(),
            KeyCode::F(n) => format!("f{n}"),
            KeyCode::PageUp => "pgup".to_owned(),
            KeyCode::PageDown => "pgdn".to_owned(),
            KeyCode::BackTab => "shift-tab".to_owned(),
            other => format!("{other:?}").to_lowercase(),
        };
        match (self.ctrl, self.alt) {
            (true, _) => format!("^{}", base.to_uppercase()),
            (false, true) => format!("alt-{base}"),
            _ => base,
        }
    }
}

/// A key map that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyMapError {
    /// No such action.
    #[error("there is no action {0:?}; did you mean {1:?}?")]
    Action(String, &'static str),
    /// Two actions want one key.
    #[error("the key {0:?} is given to both {1:?} and {2:?}")]
    Conflict(String, &'static str, &'static str),
    /// No such key.
    #[error("{0:?} is not a key: write one character, ctrl-x, alt-x, f1 to f12, enter, esc, tab …")]
    Key(String),
    /// A decision on a key that is pressed without looking.
    #[error("{0:?} cannot be the key of {1:?}: it is pressed without looking")]
    Unsafe(String, &'static str),
}

/// Which key does what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMap {
    keys: Vec<(Action, Vec<Key>)>,
}

impl Default for KeyMap {
    fn default() -> Self {
        let keys = BINDINGS
            .iter()
            .map(|b| (b.action, b.keys.iter().filter_map(|k| Key::parse(k)).collect()))
            .collect();
        Self { keys }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl<'de> Deserialize<'de> for KeyMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let table = BTreeMap::<String, OneOrMore>::deserialize(deserializer)?;
        Self::with(table.into_iter().map(|(name, keys)| match keys {
            OneOrMore::One(key) => (name, vec![key]),
            OneOrMore::More(keys) => (name, keys),
        }))
        .map_err(serde::de::Error::custom)
    }
}

impl KeyMap {
    /// The default keys with some actions on others: `("deny", ["x"])`.
    ///
    /// # Errors
    /// Names the action or key that is unknown, given twice, or not safe.
    pub fn with(
        changes: impl IntoIterator<Item = (String, Vec<String>)>,
    ) -> Result<Self, KeyMapError> {
        let mut map = Self::default();
        for (name, keys) in changes {
            let Some(binding) = BINDINGS.iter().find(|b| b.name == name) else {
                let names = BINDINGS.iter().map(|b| b.name);
                let nearest = names.min_by_key(|n| distance(n, &name));
                return Err(KeyMapError::Action(name, nearest.unwrap_or("help")));
            };
            let mut parsed = Vec::new();
            for key in keys {
                let k = Key::parse(&key).ok_or_else(|| KeyMapError::Key(key.clone()))?;
                if binding.action.decides() && !k.is_deliberate() {
                    return Err(KeyMapError::Unsafe(key, binding.name));
                }
                parsed.push(k);
            }
            if let Some((_, keys)) = map.keys.iter_mut().find(|(a, _)| *a == binding.action) {
                *keys = parsed;
            }
        }
        // Only now: two actions may have exchanged their keys.
        let mut taken: Vec<(Key, Action)> = Vec::new();
        for (action, keys) in &map.keys {
            for key in keys {
                if let Some((_, other)) = taken.iter().find(|(k, _)| k == key) {
                    return Err(KeyMapError::Conflict(key.name(), other.name(), action.name()));
                }
                taken.push((*key, *action));
            }
        }
        Ok(map)
    }

    /// What a key does.
    pub fn action(&self, event: &KeyEvent) -> Option<Action> {
        let key = Key::of(event);
        self.keys.iter().find(|(_, keys)| keys.contains(&key)).map(|(action, _)| *action)
    }

    /// The first key of an action, as people write it; empty when it has none.
    pub fn key(&self, action: Action) -> String {
        self.keys
            .iter()
            .find(|(a, _)| *a == action)
            .and_then(|(_, keys)| keys.first())
            .map(|k| k.name())
            .unwrap_or_default()
    }

    /// Every action that has a key: its keys and its line of help.
    pub fn help(&self) -> Vec<(String, &'static str)> {
        self.keys
            .iter()
            .filter(|(_, keys)| !keys.is_empty())
            .map(|(action, keys)| {
                let names: Vec<String> = keys.iter().map(|k| k.name()).collect();
                (names.join(" "), action.help())
            })
            .collect()
    }
}

impl Action {
    fn binding(self) -> Option<&'static Binding> {
        BINDINGS.iter().find(|b| b.action == self)
    }

    /// Whether it makes a decision, or begins one.
    fn decides(self) -> bool {
        matches!(self, Self::Allow | Self::Deny | Self::DenyComment | Self::Grant)
    }

    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        self.binding().map_or("", |b| b.name)
    }

    /// Its word in the footer.
    pub fn label(self) -> &'static str {
        self.binding().map_or("", |b| b.label)
    }

    /// Its line in the help.
    pub fn help(self) -> &'static str {
        self.binding().map_or("", |b| b.help)
    }
}

/// Edit distance, for "did you mean".
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut last = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, cb) in row.iter_mut().skip(1).zip(b.chars()) {
            let next = (last + usize::from(ca != cb)).min(*cell + 1).min(left + 1);
            last = *cell;
            *cell = next;
            left = next;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn press(c: char) -> KeyEvent {
        KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)
    }

    #[test]
    fn the_signature_keys() {
        let map = KeyMap::default();
        assert_eq!(map.action(&press('a')), Some(Action::Allow));
        assert_eq!(map.action(&press('d')), Some(Action::Deny));
        assert_eq!(map.action(&press('D')), Some(Action::DenyComment));
        let ctrl = KeyEvent::new(KeyCode::Char('a'), KeyModifiers::CONTROL);
        assert_eq!(map.action(&ctrl), None);
        // Every action of the table has its keys, none twice.
        assert_eq!(KeyMap::with([]).unwrap(), map);
        assert!(map.keys.iter().zip(BINDINGS).all(|((_, keys), b)| keys.len() == b.keys.len()));
    }

    #[test]
    fn from_a_config_file() {
        let map: KeyMap = toml::from_str("allow = 'y'\ndeny = ['x', 'f9']").unwrap();
        assert_eq!(map.action(&press('y')), Some(Action::Allow));
        assert_eq!(map.action(&press('a')), None);
        assert_eq!(map.key(Action::Deny), "x");
        for (text, wrong) in [
            ("alow = 'y'", "did you mean \"allow\"?"),
            ("allow = 'd'", "given to both"),
            ("allow = 'enter'", "pressed without looking"),
            ("allow = 'space'", "pressed without looking"),
            ("allow = 'é'", "pressed without looking"),
            ("quit = 'foo'", "is not a key"),
        ] {
            let error = toml::from_str::<KeyMap>(text).unwrap_err().to_string();
            assert!(error.contains(wrong), "{text}: {error}");
        }
    }
}
