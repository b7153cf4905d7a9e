//! Who is at the other end of a connection.

use expacti_engine::Voter;
use serde::{Deserialize, Serialize};

/// What a principal may do. One principal has one role; the stronger include the weaker among
/// people (owner, admin, reviewer, viewer), while agents and gates stand apart: neither of them
/// can ever decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Administers principals, rules and policies, and decides.
    Admin,
    /// Runs programs whose commands are held; asks, never decides.
    Agent,
    /// Holds commands on behalf of agents; never decides.
    Gate,
    /// The person the local broker belongs to: all rights.
    Owner,
    /// Decides.
    Reviewer,
    /// Looks, never decides.
    Viewer,
}

impl Role {
    /// Whether this role may allow or deny commands.
    pub fn may_decide(self) -> bool {
        matches!(self, Self::Admin | Self::Owner | Self::Reviewer)
    }

    /// Whether this role may see commands, sessions, recordings and the log.
    pub fn may_view(self) -> bool {
        self.may_decide() || matches!(self, Self::Viewer)
    }

    /// Whether this role may change principals, rules and policies.
    pub fn may_administer(self) -> bool {
        matches!(self, Self::Admin | Self::Owner)
    }

    /// A person with this role, as policies count them.
    pub fn voter(self, person: &str) -> Voter {
        Voter::new(person, self.as_str())
    }

    /// The role's name on the wire and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Agent => "agent",
            Self::Gate => "gate",
            Self::Owner => "owner",
            Self::Reviewer => "reviewer",
            Self::Viewer => "viewer",
        }
    }

    /// The role with that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Admin, Self::Agent, Self::Gate, Self::Owner, Self::Reviewer, Self::Viewer]
            .into_iter()
            .find(|role| role.as_str() == name)
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
