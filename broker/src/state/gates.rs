//! What gates sign: the items that they hold, and how commands ended. It is checked before it is kept, by the
//! key that the gate is known by. Another gate's token is no such key.

use expacti_audit::Entry;
use expacti_protocol::command::{Outcome, Submission};
use expacti_protocol::digest::Digest;
use expacti_protocol::http::PrincipalView;
use expacti_protocol::ids::CommandId;
use expacti_protocol::principal::Role;
use expacti_protocol::signed::SignedText;
use expacti_signing::{Delivery, ITEM_NAMESPACE, Item, Report, fingerprint_of, is_signed_by};

use super::holder::{Holder, Stated, check_report, is_about, refused};
use super::model::State;
use super::open::OpenCommand;
use super::ports::{GateId, Now, Refusal, Write};
use super::shown::{Kept, Shown};

impl State {
    /// A gate has connected under this name.
    pub(crate) fn gate_came(&mut self, gate: GateId, name: &str) {
        self.gate_names.insert(gate, name.to_owned());
    }

    /// A gate has gone.
    pub(crate) fn gate_went(&mut self, gate: GateId) {
        self.gate_names.remove(&gate);
    }

    /// Who holds a submission: refuses one that the gate has not signed as it is known to sign.
    pub(super) fn holder(
        &mut self,
        gate: GateId,
        submission: &Submission,
        length: usize,
        now: Now,
    ) -> Result<Holder, Refusal> {
        let name = self.gate_names.get(&gate).cloned();
        let known = name.as_ref().and_then(|name| self.principals.get(name));
        let known = known.filter(|principal| principal.role == Role::Gate).cloned();
        let Some(signed) = &submission.item else {
            return match known.and_then(|gate| gate.public_key) {
                Some(_) => Err(refused("this gate signs what it holds, and this is not signed")),
                None => Ok(Holder { name, stated: None }),
            };
        };
        let item = Item::parse(&signed.statement)
            .map_err(|e| refused(&format!("the gate's statement of the item is none: {e}")))?;
        is_signed_by(signed, ITEM_NAMESPACE, &item.gate).map_err(|e| {
            refused(&format!("the gate's signature of the item does not count: {e}"))
        })?;
        let info = &self.session_of(submission)?.view.info;
        if !is_about(&item, submission, length, info) {
            return Err(refused("what the gate signed is not what it submitted"));
        }
        let key = fingerprint_of(&item.gate).map_err(|e| refused(&e.to_string()))?;
        if let Some(principal) = known {
            match &principal.public_key {
                None => self.know_gate(principal, &item.gate, &key, now)?,
                Some(own) if fingerprint_of(own).as_ref() == Ok(&key) => {}
                Some(own) => {
                    return Err(refused(&format!(
                        "the gate {} is known by the key {own}, and signs with {key}: if its key was \
                         changed, remove the gate and add it again",
                        principal.name
                    )));
                }
            }
        }
        let item_sha256 = Digest::of(signed.statement.as_bytes());
        Ok(Holder { name, stated: Some(Stated { key, item_sha256 }) })
    }

    /// The first key that a gate signs with is the one it is known by.
    fn know_gate(
        &mut self,
        mut principal: PrincipalView,
        key: &str,
        fingerprint: &str,
        now: Now,
    ) -> Result<(), Refusal> {
        let key: Vec<&str> = key.split_whitespace().take(2).collect();
        let entry = Entry::new("gate_key_added", &now.rfc3339())
            .with("principal", principal.name.as_str())
            .with("public_key", key.join(" "))
            .with("fingerprint", fingerprint);
        principal.public_key = Some(key.join(" "));
        let (id, body) = (principal.id.clone(), Kept::exact(&principal)?);
        self.principals.insert(principal.name.clone(), principal);
        self.writes.push(Write::PrincipalBody { id, body });
        self.audit(&entry)
    }

    /// Takes a gate's report of the end of a command that it holds. Refused where the gate signs, and has not
    /// signed exactly this.
    pub(super) fn take_report(
        &mut self,
        id: &CommandId,
        outcome: &Outcome,
        report: Option<SignedText>,
    ) -> Result<(), Refusal> {
        let Some(open) = self.commands.get(id) else {
            return Err(Refusal::not_found(format!("command {id}")));
        };
        let read = check_report(&open.view, open.holder.stated.as_ref(), outcome, report.as_ref())?;
        let hidden = open.has_hidden_digest();
        let is_shown = read.is_some_and(|read| !hidden && may_be_written(&read, open, &report));
        if let Some(open) = self.commands.get_mut(id) {
            open.report = report.filter(|_| is_shown);
        }
        Ok(())
    }

    /// Who may still say how a command ended that is over: the gate that held it, which its submission in the
    /// log names.
    pub(crate) fn late_holder(
        &self,
        gate: GateId,
        lines: &[(u64, String)],
    ) -> Result<Holder, Refusal> {
        let holder = lines.iter().find_map(|(_, line)| Holder::of_entry(line));
        let name = self.gate_names.get(&gate);
        match holder {
            Some(holder) if holder.name.is_some() && holder.name.as_ref() == name => Ok(holder),
            Some(_) | None => Err(Refusal::not_entitled("the command belongs to another gate")),
        }
    }
}

/// Whether nothing in a report holds a secret, or would let one be guessed.
fn may_be_written(report: &Report, open: &OpenCommand, signed: &Option<SignedText>) -> bool {
    // Of what is secret the view has another digest.
    let digest = |released: &Delivery| released.sha256 == open.view.sha256;
    let text = signed.as_ref().map(|signed| signed.statement.as_str()).unwrap_or_default();
    report.released.as_ref().is_none_or(digest) && **Shown::text(text, &open.secrets) == *text
}
