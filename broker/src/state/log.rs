//! The audit log: entries are chained here, and written with what they are about.

use expacti_audit::Entry;
use expacti_protocol::command::CommandView;
use expacti_protocol::digest::Digest;

use super::model::State;
use super::ports::{Now, Refusal, Write};
use super::shown::{self, Secrets};

impl State {
    /// Chains an entry and has it written, without the secrets of the command it is about.
    pub(crate) fn audit(&mut self, entry: &Entry) -> Result<(), Refusal> {
        let id = entry.text("command_id").and_then(|id| id.parse().ok());
        let open = id.and_then(|id| self.commands.get(&id));
        let secrets = open.map(|open| open.secrets.clone()).unwrap_or_default();
        let covered = open.and_then(|open| open.key.as_ref()).map(|key| key.cover_entry(entry));
        self.audit_about(covered.as_ref().unwrap_or(entry), &secrets)
    }

    /// The same about a command that is not open.
    pub(super) fn audit_about(&mut self, entry: &Entry, secrets: &Secrets) -> Result<(), Refusal> {
        let shown = shown::entry(entry.clone(), secrets);
        let link = self.chain.append(&shown).map_err(|e| Refusal::failed(e.to_string()))?;
        self.writes.push(Write::Audit { seq: link.seq, line: link.line, hash: link.hash });
        Ok(())
    }

    /// A checkpoint: everything up to now is signed. Nothing new needs no new signature.
    pub(crate) fn checkpoint(&mut self, now: Now) -> Result<(), Refusal> {
        if self.checkpointed == self.chain.len() && !self.chain.is_empty() {
            return Ok(());
        }
        let open = Entry::new("checkpoint", &now.rfc3339()).with("key", self.signer.public_key());
        let message =
            self.chain.checkpoint_message(&open).map_err(|e| Refusal::failed(e.to_string()))?;
        let signature = self
            .signer
            .sign(&message)
            .map_err(|e| Refusal::failed(format!("failed to sign a checkpoint: {e}")))?;
        self.audit(&open.with("signature", signature))?;
        self.checkpointed = self.chain.len();
        Ok(())
    }

    /// An entry about a command, with the fields every such entry has.
    pub(crate) fn entry_for(&self, kind: &str, view: &CommandView, now: Now) -> Entry {
        let text = view.masked.as_ref().unwrap_or(&view.text.command);
        Entry::new(kind, &now.rfc3339())
            .with("command_id", view.id.as_str())
            .with("session_id", view.session_id.as_str())
            .with("command", text.as_str())
            .with("command_sha256", self.written_digest(view).to_string())
    }

    /// The digest that is written down: never that of what was typed without echo.
    fn written_digest(&self, view: &CommandView) -> Digest {
        self.commands.get(&view.id).and_then(|open| open.salted_digest).unwrap_or(view.sha256)
    }
}
