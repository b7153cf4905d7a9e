//! Bodies of the HTTP requests and answers, as the client and the server share them.

mod changes;

use expacti_engine::{Requirement, Rule, StdinCover, Vote, Voter, missing};
use serde::{Deserialize, Serialize};

pub use self::changes::{
    Action, Applied, Change, Changed, PrincipalAdded, Step, Wanted, WantedAgent,
};
use crate::principal::Role;
use crate::proof::{Pin, ProofNeeded};
use crate::reviewer::ErrorCode;

/// The body of every answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What kind of refusal.
    pub code: ErrorCode,
    /// What failed and why.
    pub message: String,
    /// What the request lacked, if that is why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<ProofNeeded>,
}

/// `GET /v1/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The broker's version.
    pub version: String,
    /// [`crate::PROTOCOL_VERSION`].
    pub protocol: u32,
    /// The broker's process.
    pub pid: u32,
    /// Started at, in seconds since the Unix epoch.
    pub started_at: i64,
    /// Commands that wait.
    pub pending: u64,
    /// Open sessions.
    pub sessions: u64,
    /// Connected reviewers.
    pub reviewers: u64,
    /// Connected gates.
    pub gates: u64,
    /// Entries of the audit log.
    pub audit_entries: u64,
    /// SHA-256 of its last line.
    pub audit_head: String,
    /// Whom the broker takes the caller for.
    pub principal: String,
    /// With which role.
    pub role: Role,
    /// What the caller must know.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// `POST /v1/principals`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewPrincipal {
    /// A name: letters, digits, `.`, `_`, `-`, `@`, at most 64.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// An agent's public key, in the form of an `authorized_keys` line; or that of the authority
    /// which signs its certificates: `cert-authority,principals="NAME,…" TYPE KEY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// The person who answers for an agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The user of the broker's machine who is this person: no token is needed there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unix_user: Option<UnixUser>,
}

/// A user of the broker's machine. The number counts only while the name belongs to it: both are given
/// away anew when an account is removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnixUser {
    /// Its name.
    pub name: String,
    /// Its number.
    pub uid: u32,
}

/// A principal as the broker shows it, never with its token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrincipalView {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// An agent's public key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    /// The person who answers for an agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The user of the broker's machine who is this person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unix_user: Option<UnixUser>,
    /// Who answered for an agent of that name, or with that key, before: they stay behind it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_owners: Vec<String>,
    /// Added at, in seconds since the Unix epoch.
    pub created_at: i64,
}

/// A key with which a person signs what they allow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKey {
    /// Whose.
    pub person: String,
    /// `TYPE BASE64`.
    pub public_key: String,
    /// `SHA256:…`.
    pub fingerprint: String,
    /// Who added it.
    pub added_by: String,
    /// When, in seconds since the Unix epoch.
    pub added_at: i64,
}

/// The body of `POST /v1/signing-keys`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewSigningKey {
    /// Whose.
    pub person: String,
    /// The line of a `.pub` file.
    pub public_key: String,
}

/// The body of `POST /v1/signing-keys/remove`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldSigningKey {
    /// `SHA256:…`.
    pub fingerprint: String,
}

/// The answer to `GET /v1/rulebook`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulebookView {
    /// What is in force now, as it would be signed: canonical JSON.
    pub proposed: String,
    /// What was signed last.
    pub signed: Option<crate::signed::SignedRulebook>,
    /// Both say the same.
    pub same: bool,
}

/// The answer to `POST /v1/principals`: the only time the token is shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrincipalCreated {
    /// The principal.
    #[serde(flatten)]
    pub principal: PrincipalView,
    /// Its bearer token; null for agents, which log in with their key.
    pub token: Option<String>,
}

impl std::fmt::Debug for PrincipalCreated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrincipalCreated")
            .field("principal", &self.principal)
            .finish_non_exhaustive()
    }
}

/// A target of a team's deployment: `GET|POST|DELETE /v1/targets`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The name agents use.
    pub name: String,
    /// The user on the target, unless the agent names one.
    pub user: String,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Its host keys, each in the form `ssh-ed25519 AAAA…`; at least one.
    pub host_keys: Vec<String>,
    /// `production`, `eu`, …
    #[serde(default)]
    pub tags: Vec<String>,
    /// The users that agents may name there, besides `user`; of an empty list, any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logins: Vec<String>,
}

/// The gate asks who a public key is: `POST /v1/gate/agent-key`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentKeyQuery {
    /// The key as `ssh-ed25519 AAAA…`, without a comment.
    pub public_key: String,
}

/// A comment on a decision: `POST /v1/commands/{id}/decision` takes a `DecisionMessage` without
/// `id` and `ref`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionBody {
    /// Allow or deny.
    pub allow: bool,
    /// What to tell the agent.
    #[serde(default)]
    pub comment: Option<String>,
    /// SHA-256 of the command as shown.
    #[serde(default)]
    pub sha256: Option<crate::digest::Digest>,
    /// With an allow of a grantable item: keys that may pass unreviewed after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<crate::command::Grant>,
    /// With an allow: the standard input, as shown, that is allowed with the command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<crate::input::InputRef>,
    /// With an allow: standard input that may flow after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_grant: Option<crate::input::InputGrant>,
    /// With an allow: go on trusting what only looks in that account, whatever this may change.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trust: bool,
    /// With an allow: what the reviewer has signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// The reviewer's signature of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// With an allow of somebody who has set one: their PIN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<Pin>,
}

/// The body of `POST /v1/pin`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewPin {
    /// The new PIN.
    pub pin: Pin,
}

/// One person's approval of a rule or of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who.
    pub by: String,
    /// With which role.
    pub role: Role,
    /// When, in seconds since the Unix epoch.
    pub at: i64,
}

impl Approval {
    /// The person as policies count them.
    pub fn voter(&self) -> Voter {
        self.role.voter(&self.by)
    }
}

/// A rule as the broker keeps it. One that allows counts only where those who approved it would be
/// enough to allow the command itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleView {
    /// The rule.
    #[serde(flatten)]
    pub rule: Rule,
    /// Who approved it: its author, and whoever else did since.
    #[serde(default)]
    pub approvals: Vec<Approval>,
}

/// The body of `POST /v1/rules/{id}/cover`: what a rule is to cover beside what it covers now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RuleCover {
    /// A terminal.
    pub terminal: bool,
    /// Standard input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdin: Option<StdinCover>,
}

/// A rule from the time when a rule allowed a terminal and standard input without saying so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlierRule {
    /// The rule.
    pub rule: Rule,
    /// The options of `expacti rules cover` that let it allow what it did.
    pub options: String,
}

impl RuleView {
    /// Why this rule, though it matches, does not allow a command by itself: the people who approved
    /// it could not have allowed the command either. `None` when they are enough. `agent` and
    /// `owner` are those of the command: their approvals do not count for it.
    pub fn gap(
        &self,
        requirement: &Requirement,
        agent: &str,
        owner: Option<&str>,
    ) -> Option<String> {
        let votes: Vec<Vote> = self
            .approvals
            .iter()
            .map(Approval::voter)
            .filter(|voter| !voter.is_agent_or_owner(agent, owner))
            .map(|voter| Vote { voter, allow: true })
            .collect();
        let missing = missing(requirement, &votes);
        (missing > 0).then(|| {
            format!(
                "rule {} allows it, but {}; {} more must approve the rule",
                self.rule.id, requirement.why, missing
            )
        })
    }
}

/// The answer to `POST /v1/rules/ensure`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesEnsured {
    /// The rules that were missing.
    pub added: Vec<RuleView>,
    /// Those that were there already; they were left as they are.
    pub present: Vec<RuleView>,
}

/// The answer to `POST /v1/commands/{id}/reveal`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revealed {
    /// Which command.
    pub id: crate::ids::CommandId,
    /// Its exact bytes.
    #[serde(flatten)]
    pub text: crate::command::CommandText,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use expacti_engine::PolicyKind;

    use super::*;

    #[test]
    fn a_rule_allows_no_more_than_those_who_approved_it_could() {
        let rule = serde_json::json!({
            "id": "rule_1", "kind": "exact", "pattern": "id", "effect": "allow",
            "approvals": [
                {"by": "ann", "role": "owner", "at": 1}, {"by": "boss", "role": "admin", "at": 2},
            ],
        });
        let view: RuleView = serde_json::from_value(rule).unwrap();
        let needs = |min| Requirement {
            kind: PolicyKind::Role,
            role: Some("admin".to_owned()),
            min,
            ..Requirement::default()
        };
        assert_eq!(view.gap(&needs(2), "bot", None), None, "the owner is an admin too");
        let gap = view.gap(&needs(2), "bot", Some("boss")).unwrap();
        assert!(gap.contains("1 more must approve the rule"), "{gap}");
        let gap = view.gap(&needs(3), "bot", None).unwrap();
        assert!(gap.starts_with("rule rule_1 allows it, but "), "{gap}");
    }
}
