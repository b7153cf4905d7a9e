//! The targets of a team's gates. None is kept without its host key.

use expacti_audit::Entry;
use expacti_protocol::http::{Action, Changed, Target};

use super::authority::needs_admin;
use super::model::State;
use super::ports::{Now, Peer, Refusal, Write};
use super::shown::Kept;

/// Refuses a target that could not be reached, or not be told from others.
fn check(target: &Target) -> Result<(), Refusal> {
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
    if let Some(odd) =
        target.logins.iter().find(|l| l.is_empty() || l.starts_with('-') || !l.chars().all(plain))
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
    Ok(())
}

impl State {
    /// Adds or replaces a target. Where policies or denying rules go by targets, that needs the approval
    /// that policies ask for: a machine of theirs could get another name, or a name another machine.
    pub(crate) fn add_target(
        &mut self,
        by: &Peer,
        target: Target,
        now: Now,
    ) -> Result<Changed<Target>, Refusal> {
        needs_admin(by, "change targets")?;
        check(&target)?;
        if self.targets.get(&target.name) != Some(&target)
            && let Some(change) =
                self.propose(by, Action::SetTarget { target: target.clone() }, now)?
        {
            return Ok(Changed::Waiting { change: Box::new(change) });
        }
        self.keep_target(by, &target, Vec::new(), now)?;
        Ok(Changed::Done(target))
    }

    pub(super) fn keep_target(
        &mut self,
        by: &Peer,
        target: &Target,
        approved_by: Vec<String>,
        now: Now,
    ) -> Result<(), Refusal> {
        self.targets.insert(target.name.clone(), target.clone());
        let text = Kept::exact(target)?;
        self.writes.push(Write::Target { name: target.name.clone(), body: Some(text.clone()) });
        let entry = Entry::new("target_added", &now.rfc3339())
            .with("target", target.name.as_str())
            .with("by", by.name.as_str())
            .with_some("approved_by", (!approved_by.is_empty()).then_some(approved_by))
            .with(
                "body",
                serde_json::from_str::<serde_json::Value>(text.as_str()).unwrap_or_default(),
            );
        self.audit(&entry)?;
        self.rename_sessions();
        Ok(())
    }

    /// Removes a target.
    pub(crate) fn remove_target(
        &mut self,
        by: &Peer,
        name: &str,
        now: Now,
    ) -> Result<Changed<Target>, Refusal> {
        needs_admin(by, "change targets")?;
        let target = self
            .targets
            .get(&name.to_owned())
            .cloned()
            .ok_or_else(|| Refusal::not_found(format!("target {name}")))?;
        let action = Action::RemoveTarget { target: target.clone() };
        if let Some(change) = self.propose(by, action, now)? {
            return Ok(Changed::Waiting { change: Box::new(change) });
        }
        self.drop_target(by, &target, Vec::new(), now)?;
        Ok(Changed::Done(target))
    }

    pub(super) fn drop_target(
        &mut self,
        by: &Peer,
        target: &Target,
        approved_by: Vec<String>,
        now: Now,
    ) -> Result<(), Refusal> {
        self.targets.remove(&target.name);
        self.writes.push(Write::Target { name: target.name.clone(), body: None });
        let entry = Entry::new("target_removed", &now.rfc3339())
            .with("target", target.name.as_str())
            .with("by", by.name.as_str())
            .with_some("approved_by", (!approved_by.is_empty()).then_some(approved_by));
        self.audit(&entry)?;
        self.rename_sessions();
        Ok(())
    }

    /// The targets, by name.
    pub(crate) fn target_list(&self) -> Vec<Target> {
        let mut all: Vec<_> = self.targets.values().cloned().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }
}
