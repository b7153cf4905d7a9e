//! The settings of the service, which only root writes: who may sign, what needs a signature, and what leads
//! the commands of every account to it.

use std::path::{Path, PathBuf};

use expacti_protocol::home::Home;

use super::people::Reviewer;
use crate::failure::Failure;
use crate::machine::{self, publish};

/// For every account.
const CLIENT: &str = "\
# Written by `sudo expacti setup`: the commands of every account talk to the service of this machine. Any other
# setting of config.toml can stand here as well; an account's own config.toml goes before it.
service = true
";

/// The settings of a service without a reviewer's key.
const UNSIGNED: &str = "\
# The settings of the service of this machine (expacti config show lists them all). Only root may write here;
# after a change: sudo systemctl restart expacti
#
# No reviewer has a key, so approvals are not signed. `sudo expacti setup --reviewer NAME --key FILE.pub` changes
# that.
";

/// The settings of one with such a key.
const SIGNED: &str = "\
# The settings of the service of this machine (expacti config show lists them all). Only root may write here;
# after a change: sudo systemctl restart expacti

[approval]
signers = \"allowed_signers\"

# Every command needs a signature of one person on that list. Add level, targets, effects, touch = true and so on
# to ask for less or more (docs/SIGNING.md).
[[approval.require]]
signatures = 1

# What holds no secret may be read by SFTP without a decision. To be asked about every file:
# [reads]
# ask = true
";

/// Who may sign.
fn signers_file(home: &Home) -> PathBuf {
    let [config, ..] = home.dirs();
    config.join("allowed_signers")
}

/// All of them.
pub(super) fn all(home: &Home) -> [PathBuf; 3] {
    [home.config_file(), machine::client_file(), signers_file(home)]
}

/// Writes what is missing; what was changed by hand is left, and what is to be told is returned.
pub(super) fn write(home: &Home, reviewers: &[Reviewer]) -> Result<Vec<String>, Failure> {
    let mut notes = Vec::new();
    let signing = reviewers.iter().any(|reviewer| reviewer.key.is_some());
    if signing {
        add_signers(&signers_file(home), reviewers)?;
    }
    let file = home.config_file();
    let fresh = if signing { SIGNED } else { UNSIGNED };
    match machine::read_roots(&file)? {
        None => publish(&file, fresh)?,
        Some(text) if text == UNSIGNED => publish(&file, fresh)?,
        Some(text) if signing && !asks_for_signatures(&text) => notes.push(format!(
            "{} was changed by hand and asks for no signatures; add:\n\n{}",
            file.display(),
            SIGNED
                .lines()
                .filter(|line| !line.starts_with('#'))
                .collect::<Vec<_>>()
                .join("\n")
                .trim()
        )),
        Some(_) => {}
    }
    let client = machine::client_file();
    let says = machine::read_roots(&client)?;
    let leads = says.as_deref().is_some_and(|text| {
        text.parse::<toml::Table>()
            .is_ok_and(|t| t.get("service") == Some(&toml::Value::Boolean(true)))
    });
    if !leads {
        publish(&client, CLIENT)?;
    }
    Ok(notes)
}

/// Whether settings name a list of signers and at least one requirement.
pub(super) fn asks_for_signatures(text: &str) -> bool {
    let table: toml::Table = text.parse().unwrap_or_default();
    let approval = table.get("approval").and_then(toml::Value::as_table);
    approval.is_some_and(|approval| {
        approval.contains_key("signers")
            && approval
                .get("require")
                .and_then(toml::Value::as_array)
                .is_some_and(|a| !a.is_empty())
    })
}

/// Adds a line for each key that has none.
fn add_signers(file: &Path, reviewers: &[Reviewer]) -> Result<(), Failure> {
    let before = machine::read_roots(file)?.unwrap_or_default();
    let mut text = before.clone();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    for reviewer in reviewers {
        let Some(key) = &reviewer.key else { continue };
        let line = format!("{} namespaces=\"expacti-*\" {key}", reviewer.name);
        if !text.lines().any(|known| known == line) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    if text == before { Ok(()) } else { publish(file, &text) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_are_what_they_say() {
        assert!(asks_for_signatures(SIGNED));
        for other in [UNSIGNED, CLIENT, "", "[approval]\nsigners = 'x'", "broken ="] {
            assert!(!asks_for_signatures(other), "{other}");
        }
    }
}
