//! Whether what people signed is enough to deliver exactly one item, within exactly these limits. It must
//! never count a statement that is about anything else.

use std::fmt;

use expacti_protocol::command::Grant;
use expacti_protocol::input::{InputGrant, InputRef};
use expacti_protocol::signed::SignedText;

use crate::approval::{Missing, Need, enough, is_owner};
use crate::signers::{Person, SignerFault, Signers};
use crate::sshsig::{SigFault, Signed};
use crate::statement::{Allowed, Decision, Item, StatementError};

/// The most statements that are read for one item.
pub const MAX_STATEMENTS: usize = 16;
/// What a reviewer's signature is made for.
pub const DECISION_NAMESPACE: &str = "expacti-decision";
/// What the gate's signature of an item is made for.
pub const ITEM_NAMESPACE: &str = "expacti-item";

/// What is delivered with an item, and what may follow unseen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Keys that may pass.
    pub grant: Option<Grant>,
    /// The standard input that goes with it.
    pub input: Option<InputRef>,
    /// Standard input that may flow.
    pub input_grant: Option<InputGrant>,
}

/// Why a statement does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It is no statement.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// Its signature is none.
    #[error(transparent)]
    Signature(#[from] SigFault),
    /// It is nobody's.
    #[error(transparent)]
    Signer(#[from] SignerFault),
    /// It is about another request to the broker.
    #[error("{0}")]
    Request(&'static str),
    /// It does not have this item's challenge.
    #[error("it is not about this command")]
    OtherItem,
    /// It has this item's challenge more than once.
    #[error("it is about this command more than once")]
    Twice,
    /// It has this item's challenge, and something of the item is different.
    #[error("it is about something else than what is held")]
    Differs,
    /// Other standard input was allowed with it, or none.
    #[error("it allows other standard input than what would go with the command")]
    Input,
    /// Fewer keys may pass, or none.
    #[error("it allows fewer keys to pass than would")]
    Grant,
    /// Less standard input may flow, or none.
    #[error("it allows less standard input to flow than would")]
    InputGrant,
}

/// A statement that was not counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Which, from 1.
    pub number: usize,
    /// Who made it, where that is known.
    pub person: Option<String>,
    /// Why not.
    pub reason: Reason,
}

/// The statements are not enough.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There are too many to read.
    #[error("{0} signed statements came; at most {MAX_STATEMENTS} are read")]
    TooMany(usize),
    /// Some are missing.
    #[error("{missing}{}", LeftOutList(left_out))]
    NotEnough {
        /// What is missing.
        missing: Missing,
        /// What was not counted, and why.
        left_out: Vec<LeftOut>,
    },
}

/// Checks that what people signed is enough to deliver an item within these limits, at a time in seconds
/// since the Unix epoch. Returns those who count, each once for each key;
/// the owner of the agent is not among them.
///
/// # Errors
/// When it is not enough, with what is missing and why the others do not count.
pub fn approve(
    needs: &[Need],
    item: &Item,
    delivered: &Limits,
    signed: &[SignedText],
    signers: &Signers,
    now: i64,
) -> Result<Vec<Person>, Refused> {
    if signed.len() > MAX_STATEMENTS {
        return Err(Refused::TooMany(signed.len()));
    }
    let mut people: Vec<Person> = Vec::new();
    let mut left_out = Vec::new();
    for (at, signed) in signed.iter().enumerate() {
        let number = at + 1;
        let person = match signer(signed, signers, now) {
            Ok(person) => person,
            Err(reason) => {
                left_out.push(LeftOut { number, person: None, reason });
                continue;
            }
        };
        match covers(&signed.statement, item, delivered) {
            Ok(()) if people.contains(&person) => {}
            Ok(()) => people.push(person),
            Err(reason) => left_out.push(LeftOut { number, person: Some(person.name), reason }),
        }
    }
    let owner = item.session.owner.as_deref();
    match enough(needs, &people, owner) {
        Ok(()) => Ok(people.into_iter().filter(|person| !is_owner(person, owner)).collect()),
        Err(missing) => Err(Refused::NotEnough { missing, left_out }),
    }
}

/// Whose statement it is.
fn signer(signed: &SignedText, signers: &Signers, now: i64) -> Result<Person, Reason> {
    let verified = Signed::parse(&signed.signature)?
        .verify(DECISION_NAMESPACE, signed.statement.as_bytes())?;
    Ok(signers.person(&verified, DECISION_NAMESPACE, now)?)
}

/// Whether a statement allows an item within these limits.
fn covers(statement: &str, item: &Item, delivered: &Limits) -> Result<(), Reason> {
    let decision = Decision::parse(statement)?;
    let about = |allowed: &&Allowed| allowed.item.challenge == item.challenge;
    let mut about = decision.decisions.iter().filter(about);
    let allowed = match (about.next(), about.next()) {
        (Some(allowed), None) => allowed,
        (None, _) => return Err(Reason::OtherItem),
        (Some(_), Some(_)) => return Err(Reason::Twice),
    };
    if allowed.item != *item {
        return Err(Reason::Differs);
    }
    if allowed.input != delivered.input {
        return Err(Reason::Input);
    }
    let within = |given: Grant| allowed.grant.is_some_and(|most| given.smallest(most) == given);
    if !delivered.grant.is_none_or(within) {
        return Err(Reason::Grant);
    }
    let within =
        |given: InputGrant| allowed.input_grant.is_some_and(|most| given.smallest(most) == given);
    if !delivered.input_grant.is_none_or(within) {
        return Err(Reason::InputGrant);
    }
    Ok(())
}

struct LeftOutList<'a>(&'a [LeftOut]);

impl fmt::Display for LeftOutList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for LeftOut { number, person, reason } in self.0 {
            match person {
                Some(person) => write!(f, "; the signature of {person} does not count: {reason}")?,
                None => write!(f, "; signature {number} does not count: {reason}")?,
            }
        }
        Ok(())
    }
}
