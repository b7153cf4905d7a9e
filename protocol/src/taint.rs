//! Accounts in which programs may be no longer what they are called.

use serde::{Deserialize, Serialize};

use crate::ids::CommandId;

/// What may have changed an account: until it is cleared, what only looks is asked about there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaintView {
    /// The target.
    pub target: String,
    /// Its address.
    #[serde(default)]
    pub host: String,
    /// Its port.
    #[serde(default)]
    pub port: u16,
    /// Its host key's fingerprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_key: Option<String>,
    /// The account; what `root` ran concerns all of that target.
    pub user: String,
    /// Whose command it was.
    pub agent: String,
    /// Who answers for that agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The command.
    pub command_id: CommandId,
    /// Its text, secrets masked.
    pub command: String,
    /// Why it counts.
    pub why: String,
    /// When it ran, in seconds since the Unix epoch.
    pub at: i64,
    /// The rules that allowed it. What a rule lets pass an agent can do at any time: it counts from when
    /// one of them has ended. Empty: a person allowed it, and it counts at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// Whether it counts now.
    #[serde(default)]
    pub in_force: bool,
}

/// The body of `POST /v1/taints/clear`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClearTaint {
    /// Which target.
    pub target: String,
    /// Which account; every account there if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}
