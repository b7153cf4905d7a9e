//! A person who votes, and who has no vote. It must never let an agent, or the person who answers
//! for it, decide on the agent's own commands.

use serde::{Deserialize, Serialize};

/// A person who votes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voter {
    /// Who; two tokens of one person are one person.
    pub person: String,
    /// What they may do, e.g. `admin`.
    pub roles: Vec<String>,
}

impl Voter {
    /// A person as policies count them: with their role, and the owner of the broker as an admin
    /// too.
    #[must_use]
    pub fn new(person: &str, role: &str) -> Self {
        let mut roles = vec![role.to_owned()];
        if role == "owner" {
            roles.push("admin".to_owned());
        }
        Self { person: person.to_owned(), roles }
    }

    /// Whether this person is the agent itself or the person who answers for it. Neither may vote
    /// on the agent's commands, nor does their approval of a rule count for them.
    #[must_use]
    pub fn is_agent_or_owner(&self, agent: &str, owner: Option<&str>) -> bool {
        self.person == agent || owner == Some(self.person.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_of_the_broker_is_an_admin_too() {
        assert_eq!(Voter::new("ann", "owner").roles, ["owner", "admin"]);
        assert_eq!(Voter::new("bob", "reviewer").roles, ["reviewer"]);
    }

    #[test]
    fn neither_the_agent_nor_its_owner_votes() {
        let voter = |name: &str| Voter::new(name, "admin");
        assert!(voter("bot").is_agent_or_owner("bot", Some("boss")));
        assert!(voter("boss").is_agent_or_owner("bot", Some("boss")));
        assert!(!voter("ann").is_agent_or_owner("bot", Some("boss")));
        assert!(!voter("boss").is_agent_or_owner("bot", None));
    }
}
