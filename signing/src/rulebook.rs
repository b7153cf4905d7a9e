//! What people have agreed on beside single decisions: which rules allow and deny, which policies ask for
//! whom, who answers for which agent. All of it is signed as one, so that nobody can leave a part out.

use std::collections::BTreeMap;

use expacti_engine::{Policy, Rule};
use expacti_protocol::signed::SignedRulebook;
use serde::{Deserialize, Serialize};

use crate::approval::{Need, RulesRequirement, enough};
use crate::check::{MAX_STATEMENTS, Reason};
use crate::signers::{Person, Signers};
use crate::sshsig::Signed;
use crate::statement::{StatementError, VERSION, parse_up_to, text_up_to};

/// What signatures of rules are made for.
pub const RULES_NAMESPACE: &str = "expacti-rules";
/// The longest text of all rules, in bytes.
pub const MAX_RULEBOOK: usize = 8 * 1024 * 1024;
/// How far in the future rules may have been signed, in seconds: clocks differ.
const AHEAD: i64 = 300;

/// The purpose of a [`Rulebook`]; also the namespace of its signatures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RulebookPurpose {
    /// `expacti-rules`.
    #[default]
    #[serde(rename = "expacti-rules")]
    Rules,
}

/// What a target's name stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Its host.
    pub host: String,
    /// The fingerprints of its host keys, `SHA256:…`.
    pub host_keys: Vec<String>,
    /// The port there.
    pub port: u16,
    /// Its tags: rules and policies ask for them.
    pub tags: Vec<String>,
}

/// All rules, policies and owners of one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rulebook {
    /// The person behind each registered agent, where there is one.
    pub agents: BTreeMap<String, Option<String>>,
    /// Counts the rulebooks of a broker: a gate takes none with a lower number than it has seen.
    pub epoch: u64,
    /// When it was made, in seconds since the Unix epoch.
    pub made_at: i64,
    /// What each person may do: policies ask for roles.
    pub people: BTreeMap<String, String>,
    /// Who must approve what.
    pub policies: Vec<Policy>,
    /// Always `expacti-rules`.
    pub purpose: RulebookPurpose,
    /// What is allowed and denied without a person.
    pub rules: Vec<Rule>,
    /// What each target is.
    pub targets: BTreeMap<String, Place>,
    /// Always 1.
    pub version: u32,
}

/// Rules that do not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RulebookFault {
    /// They are no rules.
    #[error("what the broker passed on as signed rules cannot be used: {0}")]
    Unreadable(#[from] StatementError),
    /// Not enough people signed.
    #[error("the signed rules do not count: {0}")]
    NotEnough(String),
    /// They were signed too long ago.
    #[error(
        "the rules were signed {hours} hours ago, and {most} are taken: somebody has to sign them again \\
         (expacti rules sign)"
    )]
    Old {
        /// How long ago.
        hours: i64,
        /// How old they may be.
        most: u32,
    },
    /// They were signed in the future.
    #[error("the rules were signed in the future: look at the clocks")]
    Ahead,
}

impl Rulebook {
    /// The canonical text.
    ///
    /// # Errors
    /// When it cannot be written as JSON, or is too long.
    pub fn text(&self) -> Result<String, StatementError> {
        text_up_to(self, MAX_RULEBOOK)
    }

    /// Reads a canonical text.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, StatementError> {
        let read: Self = parse_up_to(text, MAX_RULEBOOK)?;
        if read.version != VERSION {
            return Err(StatementError::Unreadable(format!("it has version {}", read.version)));
        }
        Ok(read)
    }

    /// Whether it says the same as another, whenever they were made.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        let timeless = |book: &Self| Self { epoch: 0, made_at: 0, ..book.clone() };
        timeless(self) == timeless(other)
    }
}

impl RulesRequirement {
    /// The rules that people have agreed on, and those people; their age is another question.
    ///
    /// # Errors
    /// When they do not count, with the reason.
    pub fn agreed(
        &self,
        signed: &SignedRulebook,
        signers: &Signers,
        now: i64,
    ) -> Result<(Rulebook, Vec<Person>), RulebookFault> {
        let book = Rulebook::parse(&signed.statement)?;
        let mut people: Vec<Person> = Vec::new();
        let mut faults = Vec::new();
        for signature in signed.signatures.iter().take(MAX_STATEMENTS) {
            match signer(&signed.statement, signature, signers, now) {
                Ok(person) if people.contains(&person) => {}
                Ok(person) => people.push(person),
                Err(fault) => faults.push(fault.to_string()),
            }
        }
        let need = Need {
            signatures: self.signatures,
            by: self.by.clone(),
            touch: self.touch,
            verify: self.verify,
        };
        enough(&[need], &people, None).map_err(|missing| {
            let all = std::iter::once(missing.to_string()).chain(faults);
            RulebookFault::NotEnough(all.collect::<Vec<_>>().join("; "))
        })?;
        Ok((book, people))
    }

    /// Whether rules of that time may still be used.
    ///
    /// # Errors
    /// When they are too old, or of the future.
    pub fn is_current(&self, made_at: i64, now: i64) -> Result<(), RulebookFault> {
        let age = now.saturating_sub(made_at);
        if age < -AHEAD {
            return Err(RulebookFault::Ahead);
        }
        if age > i64::from(self.max_age_hours).saturating_mul(3600) {
            let (hours, most) = (age / 3600, self.max_age_hours);
            return Err(RulebookFault::Old { hours, most });
        }
        Ok(())
    }
}

fn signer(statement: &str, signature: &str, signers: &Signers, now: i64) -> Result<Person, Reason> {
    let verified = Signed::parse(signature)?.verify(RULES_NAMESPACE, statement.as_bytes())?;
    Ok(signers.person(&verified, RULES_NAMESPACE, now)?)
}
