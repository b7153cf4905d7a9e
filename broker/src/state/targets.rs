//! The targets of a team's gates. None is kept without its host key.

use expacti_audit::Entry;
use expacti_protocol::http::Target;

use super::authority::needs_admin;
use super::model::State;
use super::ports::{Now, Peer, Refusal, Write};
use super::shown::Kept;

impl State {
    /// Adds or replaces a target.
    pub(crate) fn add_target(
        &mut self,
        by: &Peer,
        target: Target,
        now: Now,
    ) -> Result<Target, Refusal> {
        needs_admin(by, "change targets")?;
        if target.name.is_empty()
            || target.host.is_empty()
            || target.port == 0
            || target.user.is_empty()
        {
            return Err(Refusal::invalid("a target needs a name and user@host:port"));
        }
        if target.name.contains('%') || target.name.contains(char::is_whitespace) {
            return Err(Refusal::invalid("a target's name holds no '%' and no white space"));
        }
        if target.host_keys.is_empty() {
            return Err(Refusal::invalid("a target needs its host key: see ssh-keyscan(1)"));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
        if let Some(odd) = target
            .logins
            .iter()
            .find(|l| l.is_empty() || l.starts_with('-') || !l.chars().all(plain))
        {
            return Err(Refusal::invalid(format!(
                "{odd:?} is no login name: letters, digits, '.', '_', '-', '@'"
            )));
        }
        if !target.logins.is_empty() && !target.logins.contains(&target.user) {
            return Err(Refusal::invalid(format!(
                "{:?}, the user of the target's address, is not in the list of its logins: add it",
                target.user
            )));
        }
        self.targets.insert(target.name.clone(), target.clone());
        let text = Kept::exact(&target)?;
        self.writes.push(Write::Target { name: target.name.clone(), body: Some(text.clone()) });
        let entry = Entry::new("target_added", &now.rfc3339())
            .with("target", target.name.as_str())
            .with("by", by.name.as_str())
            .with(
                "body",
                serde_json::from_str::<serde_json::Value>(text.as_str()).unwrap_or_default(),
            );
        self.audit(&entry)?;
        Ok(target)
    }

    /// Removes a target.
    pub(crate) fn remove_target(
        &mut self,
        by: &Peer,
        name: &str,
        now: Now,
    ) -> Result<Target, Refusal> {
        needs_admin(by, "change targets")?;
        let target = self
            .targets
            .remove(&name.to_owned())
            .ok_or_else(|| Refusal::not_found(format!("target {name}")))?;
        self.writes.push(Write::Target { name: name.to_owned(), body: None });
        let entry = Entry::new("target_removed", &now.rfc3339())
            .with("target", name)
            .with("by", by.name.as_str());
        self.audit(&entry)?;
        Ok(target)
    }

    /// The targets, by name.
    pub(crate) fn target_list(&self) -> Vec<Target> {
        let mut all: Vec<_> = self.targets.values().cloned().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }
}
