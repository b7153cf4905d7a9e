//! The people who review, and their keys.

use std::path::PathBuf;

use expacti_protocol::principal::Role;
use nix::unistd::User;
use serde_json::Value;

use super::account::Child;
use crate::failure::Failure;
use crate::machine::publish;
use crate::print;

/// Somebody who reviews, as a user of this machine.
#[derive(Debug)]
pub(super) struct Reviewer {
    /// The user, and the person.
    pub(super) name: String,
    /// The public key, as `TYPE BASE64`.
    pub(super) key: Option<String>,
    fingerprint: Option<String>,
}

impl Reviewer {
    /// For the plan.
    pub(super) fn planned(&self) -> String {
        let name = print::safe(&self.name);
        match &self.fingerprint {
            Some(fingerprint) => format!("{name:<13} who signs with {fingerprint}"),
            None => format!("{name:<13} without a key: whatever runs as {name} can approve"),
        }
    }
}

/// Reads what was named, before anything happens.
pub(super) fn read(names: &[String], keys: &[PathBuf]) -> Result<Vec<Reviewer>, Failure> {
    if !keys.is_empty() && keys.len() != names.len() {
        return Err(Failure::usage(format!(
            "{} --reviewer and {} --key: name a key for each reviewer, in the same order, or none at all",
            names.len(),
            keys.len()
        )));
    }
    let mut all = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let user = User::from_name(name)
            .map_err(|e| Failure::failed(format!("failed to look up the user {name:?}: {e}")))?;
        match user {
            None => {
                return Err(Failure::usage(format!(
                    "--reviewer {name}: there is no such user on this machine; make one: useradd -m {name}"
                )));
            }
            Some(user) if user.uid.is_root() || user.name == crate::machine::SERVICE_USER => {
                return Err(Failure::usage(format!(
                    "--reviewer {name}: this user is the owner of the service; name a person's"
                )));
            }
            Some(_) => {}
        }
        let key = keys.get(at).map(|path| {
            let text = std::fs::read_to_string(path)
                .map_err(|e| Failure::failed(format!("failed to read {}: {e}", path.display())))?;
            let fingerprint = expacti_signing::fingerprint_of(&text)
                .map_err(|why| Failure::usage(format!("--key {}: {why}", path.display())))?;
            let words: Vec<&str> = text.split_ascii_whitespace().take(2).collect();
            Ok::<_, Failure>((words.join(" "), fingerprint))
        });
        let (key, fingerprint) = key.transpose()?.unzip();
        all.push(Reviewer { name: name.clone(), key, fingerprint });
    }
    Ok(all)
}

/// Tells the broker, in the data directory or, if the service runs already, over its socket. Returns all who
/// decide as users of the machine.
pub(super) fn register(child: &Child<'_>, reviewers: &[Reviewer]) -> Result<Vec<String>, Failure> {
    let parse = |text: String| -> Result<Vec<Value>, Failure> {
        serde_json::from_str(&text)
            .map_err(|e| Failure::failed(format!("failed to read the list of reviewers: {e}")))
    };
    let people = parse(child.run(&["reviewer", "list", "--json"])?)?;
    let keys = parse(child.run(&["reviewer", "key", "list", "--json"])?)?;
    for reviewer in reviewers {
        let name = reviewer.name.as_str();
        match people.iter().find(|person| person.get("name") == Some(&name.into())) {
            None => {
                child.run(&["reviewer", "add", name, "--unix-user", name])?;
            }
            Some(known) if known.pointer("/unix_user/name") == Some(&name.into()) => {}
            Some(_) => {
                return Err(Failure::failed(format!(
                    "there is a {name} already who is not the user {name} of this machine: sudo expacti reviewer \
                     remove {name}, and try again"
                )));
            }
        }
        let (Some(key), Some(fingerprint)) = (&reviewer.key, &reviewer.fingerprint) else {
            continue;
        };
        let is_known =
            |known: &Value| known.get("fingerprint") == Some(&fingerprint.as_str().into());
        if keys.iter().any(is_known) {
            continue;
        }
        // Where the service can read it.
        let [config, ..] = child.home.dirs();
        let file = config.join(".reviewer.pub");
        publish(&file, &format!("{key}\n"))?;
        let added = child.run(&["reviewer", "key", "add", name, &file.display().to_string()]);
        let _ = std::fs::remove_file(&file);
        added?;
    }
    let decides = |person: &&Value| {
        let role = person.get("role").and_then(Value::as_str).and_then(Role::parse);
        role.is_some_and(Role::may_decide) && person.pointer("/unix_user/name").is_some()
    };
    let known = people.iter().filter(decides).filter_map(|p| p.get("name")?.as_str());
    let mut all: Vec<String> = known.map(str::to_owned).collect();
    all.extend(reviewers.iter().map(|reviewer| reviewer.name.clone()));
    all.sort();
    all.dedup();
    Ok(all)
}
