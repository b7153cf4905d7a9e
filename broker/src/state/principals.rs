//! Principals: people, agents and gates. Nobody must be able to meet a quorum with people of their
//! own making, and whoever is removed is cut off at once.

use expacti_audit::Entry;
use expacti_protocol::http::{Action, Changed, NewPrincipal, PrincipalView};
use expacti_protocol::ids::PrincipalId;
use expacti_protocol::principal::Role;
use expacti_protocol::session::SessionInfo;

use super::authority::needs_admin;
use super::credential::{AUTHORITY, bare_key, credential};
use super::model::State;
use super::ports::{Now, Peer, PrincipalRow, Refusal, Write};
use super::shown::Kept;

impl State {
    /// Adds a principal; `token_hash` is that of the token its owner will be shown. One that a
    /// policy would count needs the approval that this asks for: otherwise an admin could meet a
    /// quorum with people of their own making.
    pub(crate) fn add_principal(
        &mut self,
        by: &Peer,
        new: NewPrincipal,
        token_hash: Option<String>,
        now: Now,
    ) -> Result<Changed<PrincipalView>, Refusal> {
        needs_admin(by, "add principals")?;
        let new = self.with_owner(by, new)?;
        self.check_principal(&new)?;
        // Who says of an agent that it is their own only takes a vote away: theirs.
        let own = new.role == Role::Agent && new.owner.as_ref() == Some(&by.name);
        if !own {
            let action =
                Action::AddPrincipal { principal: new.clone(), token_hash: token_hash.clone() };
            if let Some(change) = self.propose(by, action, now)? {
                return Ok(Changed::Waiting { change: Box::new(change) });
            }
        }
        self.keep_principal(by, &new, token_hash, Vec::new(), now).map(Changed::Done)
    }

    /// An agent always has somebody who answers for it: whoever adds it, if nobody is named.
    pub(super) fn with_owner(&self, by: &Peer, new: NewPrincipal) -> Result<NewPrincipal, Refusal> {
        match (&new.owner, new.role) {
            (Some(_), Role::Agent) | (None, _) => {}
            (Some(owner), role) => {
                return Err(Refusal::invalid(format!(
                    "only an agent has an owner: {} is a {role}, and {owner} cannot be its owner",
                    new.name
                )));
            }
        }
        if new.role != Role::Agent {
            return Ok(new);
        }
        let owner = new.owner.clone().unwrap_or_else(|| by.name.clone());
        let person = owner == self.owner
            || self
                .principals
                .get(&owner)
                .is_some_and(|p| !matches!(p.role, Role::Agent | Role::Gate));
        if !person {
            return Err(Refusal::invalid(format!(
                "nobody is called {owner}, who is to answer for the agent {}: add that person first \
                 (expacti reviewer add {owner}), or name another owner",
                new.name
            )));
        }
        Ok(NewPrincipal { owner: Some(owner), ..new })
    }

    /// Who answered for agents of that name, or with that key, before.
    fn former_owners(&self, new: &NewPrincipal, public_key: Option<&String>) -> Vec<String> {
        if new.role != Role::Agent {
            return Vec::new();
        }
        let same = |agent: &&PrincipalView| {
            agent.name == new.name
                || public_key.is_some() && agent.public_key.as_ref() == public_key
        };
        let of = |agent: &PrincipalView| {
            agent.owner.iter().chain(&agent.former_owners).cloned().collect::<Vec<_>>()
        };
        let mut owners: Vec<String> =
            self.former_agents.values().filter(same).flat_map(of).collect();
        owners.sort();
        owners.dedup();
        owners.retain(|owner| Some(owner) != new.owner.as_ref());
        owners
    }

    /// Whether this person answers for the agent of a session, or did so, or is that agent.
    pub(super) fn is_behind(&self, person: &str, info: &SessionInfo) -> bool {
        let agent = self.principals.get(&info.agent).filter(|p| p.role == Role::Agent);
        let owners = agent.into_iter().flat_map(|p| p.owner.iter().chain(&p.former_owners));
        person == info.agent
            || info.owner.as_deref() == Some(person)
            || owners.into_iter().any(|owner| owner == person)
    }

    /// What is wrong with a new principal; its key as it is kept otherwise.
    fn check_principal(&self, new: &NewPrincipal) -> Result<Option<String>, Refusal> {
        if new.role == Role::Owner {
            return Err(Refusal::invalid("there is one owner: the user of the broker's machine"));
        }
        let good = !new.name.is_empty()
            && new.name.len() <= 64
            && new.name.chars().all(|c| c.is_ascii_alphanumeric() || ".-_@".contains(c));
        if !good {
            return Err(Refusal::invalid(format!(
                "{:?} is not a name: use letters, digits, '.', '_', '-', '@', at most 64",
                new.name
            )));
        }
        if self.principals.get(&new.name).is_some() {
            return Err(Refusal::invalid(format!("there is a principal {} already", new.name)));
        }
        self.check_unix_user(new)?;
        let public_key = new.public_key.as_deref().map(credential).transpose()?;
        if new.role == Role::Agent && public_key.is_none() {
            return Err(Refusal::invalid(
                "an agent logs in with a key or a certificate: name its public key or the authority",
            ));
        }
        if let Some(key) = &public_key
            && let Some(other) =
                self.principals.values().find(|p| p.public_key.as_ref() == Some(key))
        {
            return Err(Refusal::invalid(format!("that key belongs to {} already", other.name)));
        }
        Ok(public_key)
    }

    pub(super) fn keep_principal(
        &mut self,
        by: &Peer,
        new: &NewPrincipal,
        token_hash: Option<String>,
        approved_by: Vec<String>,
        now: Now,
    ) -> Result<PrincipalView, Refusal> {
        // Others may have come since it was proposed.
        let public_key = self.check_principal(new)?;
        let view = PrincipalView {
            id: PrincipalId::new().to_string(),
            name: new.name.clone(),
            role: new.role,
            public_key: public_key.clone(),
            owner: new.owner.clone(),
            unix_user: new.unix_user.clone(),
            former_owners: self.former_owners(new, public_key.as_ref()),
            created_at: now.seconds(),
        };
        self.principals.insert(view.name.clone(), view.clone());
        self.writes.push(Write::Principal {
            id: view.id.clone(),
            row: Some(PrincipalRow {
                name: view.name.clone(),
                role: view.role,
                token_hash,
                public_key: view.public_key.clone(),
                body: Kept::exact(&view)?,
            }),
        });
        let entry = Entry::new("principal_added", &now.rfc3339())
            .with("principal", view.name.as_str())
            .with("role", view.role.as_str())
            .with("by", by.name.as_str())
            .with_some("public_key", view.public_key.clone())
            .with_some("owner", view.owner.clone())
            .with_some("unix_user", view.unix_user.as_ref().map(|user| user.name.clone()))
            .with_some(
                "former_owners",
                (!view.former_owners.is_empty()).then(|| view.former_owners.clone()),
            )
            .with_some("approved_by", (!approved_by.is_empty()).then_some(approved_by));
        self.audit(&entry)?;
        if view.role.may_decide() {
            self.tell_pending()?;
        }
        Ok(view)
    }

    /// Removes a principal: its token and key open nothing any more.
    pub(crate) fn remove_principal(
        &mut self,
        by: &Peer,
        name: &str,
        now: Now,
    ) -> Result<PrincipalView, Refusal> {
        needs_admin(by, "remove principals")?;
        self.drop_principal(by, name, now)
    }

    pub(super) fn drop_principal(
        &mut self,
        by: &Peer,
        name: &str,
        now: Now,
    ) -> Result<PrincipalView, Refusal> {
        let view = self
            .principals
            .remove(&name.to_owned())
            .ok_or_else(|| Refusal::not_found(format!("principal {name}")))?;
        self.writes.push(Write::Principal { id: view.id.clone(), row: None });
        let entry = Entry::new("principal_removed", &now.rfc3339())
            .with("principal", name)
            .with("by", by.name.as_str());
        self.audit(&entry)?;
        if view.role.may_decide() && view.name != self.owner {
            self.forget_signing_keys(name);
            self.forget_reviewer(name);
            self.forget_votes(name, now)?;
            self.forget_approvals(name)?;
            self.forget_rule_approvals(name, now)?;
        }
        if view.role == Role::Agent {
            self.former_agents.insert(view.id.clone(), view.clone());
            self.writes.push(Write::FormerAgent { id: view.id.clone(), body: Kept::exact(&view)? });
            let open: Vec<_> = self
                .sessions
                .iter()
                .filter(|(_, s)| s.view.info.agent == name)
                .map(|(id, s)| (id.clone(), s.gate))
                .collect();
            for (id, gate) in open {
                self.cut_off(&id, gate, &by.name, "the agent was removed", now)?;
            }
        }
        Ok(view)
    }

    /// The principals, by name.
    pub(crate) fn principal_list(&self) -> Vec<PrincipalView> {
        let mut all: Vec<_> = self.principals.values().cloned().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// The agents that log in with certificates, by name.
    pub(crate) fn certified_agents(&self) -> Vec<PrincipalView> {
        let certified = |p: &PrincipalView| {
            p.role == Role::Agent
                && p.public_key.as_deref().is_some_and(|key| key.starts_with(AUTHORITY))
        };
        self.principal_list().into_iter().filter(certified).collect()
    }

    /// The agent with that public key.
    pub(crate) fn agent_of_key(&self, key: &str) -> Option<PrincipalView> {
        let key = bare_key(key).ok()?;
        self.principals
            .values()
            .find(|p| p.role == Role::Agent && p.public_key.as_deref() == Some(key.as_str()))
            .cloned()
    }
}
