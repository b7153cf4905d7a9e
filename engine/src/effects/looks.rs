//! What only looks: it reads what is no secret, and nothing is different afterwards.

use super::model::{Class, Effects};
use super::places;
use super::walk::Performed;

/// What a rule says of looking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looking {
    /// This machine's own addresses may be asked.
    pub loopback: bool,
    /// Only what lies below one of these is read; empty: everywhere.
    pub under: Vec<String>,
    /// Below these, files of the working directory may configure programs.
    pub trusted: Vec<String>,
    /// Files in the home directory may have been changed to configure programs.
    pub tainted: bool,
}

/// Why a command does not only look; `None` if it does.
/// `terminal`: it has one, on which a pager or an editor takes commands of its own.
pub(crate) fn objection(command: &Performed, looking: &Looking, terminal: bool) -> Option<String> {
    let effects = &command.effects;
    if !effects.closed {
        return Some(effects.why.clone().unwrap_or_else(|| "it is not understood".to_owned()));
    }
    if terminal && effects.terminal != "plain" {
        return Some(format!("on a terminal it is a {}", effects.terminal));
    }
    touches(effects).or_else(|| acts(command, looking)).or_else(|| within(effects, &looking.under))
}

fn touches(effects: &Effects) -> Option<String> {
    if let Some(touched) = effects.writes.first() {
        return Some(format!("writes {}", touched.path));
    }
    if let Some(touched) = effects.deletes.first() {
        return Some(format!("deletes {}", touched.path));
    }
    for touched in &effects.reads {
        match touched.class {
            Class::Plain | Class::System => {}
            Class::Device => return Some(format!("reads {}", touched.path)),
            Class::Secret if touched.open || touched.deep => {
                return Some(format!("{} may hold secrets", touched.path));
            }
            Class::Secret => return Some(format!("{} holds a secret", touched.path)),
        }
    }
    // Names are no secret, unless somebody looks for them.
    let hunted = effects.lists.iter().find(|touched| {
        touched.class == Class::Secret
            && !touched.open
            && !touched.deep
            && places::is_hunt(&touched.path)
    });
    hunted.map(|touched| format!("looks for a secret: {}", touched.path))
}

fn acts(command: &Performed, looking: &Looking) -> Option<String> {
    let effects = &command.effects;
    if effects.runs_unseen {
        return Some("runs code that is not on the line".to_owned());
    }
    if effects.private {
        return Some("reads what may hold secrets".to_owned());
    }
    if let Some(change) = effects.changes.first() {
        return Some(format!("changes a {change}"));
    }
    if effects.redefines {
        return Some("later words may mean something else after it".to_owned());
    }
    match effects.network.as_str() {
        "none" => {}
        "loopback" if looking.loopback => {}
        "loopback" => return Some("reaches this machine's own addresses".to_owned()),
        _ => return Some("reaches the network".to_owned()),
    }
    if !matches!(effects.stdin.as_str(), "unused" | "filter") {
        return Some("does more with its standard input than to pass it on".to_owned());
    }
    for place in &effects.configured_by {
        let trusted = match place.as_str() {
            "home" => !looking.tainted,
            "cwd" => command.directories.as_ref().is_some_and(|all| {
                all.iter().all(|directory| {
                    looking.trusted.iter().any(|trusted| places::is_beneath(directory, trusted))
                })
            }),
            _ => true,
        };
        if !trusted {
            return Some(match place.as_str() {
                "cwd" => "files in the working directory configure it".to_owned(),
                _ => "files in the home directory configure it, and they may have been changed"
                    .to_owned(),
            });
        }
    }
    None
}

fn within(effects: &Effects, under: &[String]) -> Option<String> {
    if under.is_empty() {
        return None;
    }
    let outside = effects.reads.iter().chain(&effects.lists).find(|touched| {
        !under.iter().any(|directory| places::is_beneath(&touched.path, directory))
    });
    outside.map(|touched| format!("{} lies outside of what the rule is for", touched.path))
}
