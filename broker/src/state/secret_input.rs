//! Secrets in standard input. Whoever decides sees them; afterwards they are masked like those of a
//! command, and what is written down instead of their digest lets nobody guess them.

use expacti_engine::input_secrets;
use expacti_protocol::command::ItemKind;
use expacti_protocol::ids::CommandId;

use super::digest_key::DigestKey;
use super::model::State;
use super::ports::Refusal;
use super::shown::Secrets;

impl State {
    /// What an item holds that must be seen nowhere once it is decided: of standard input, as the
    /// command reads it behind what it was given.
    pub(super) fn secrets_of(
        &self,
        kind: ItemKind,
        parent: Option<&CommandId>,
        bytes: &[u8],
    ) -> Secrets {
        match parent.and_then(|id| self.commands.get(id)).filter(|_| kind == ItemKind::Stdin) {
            Some(reader) => Secrets::of_input(reader.reads.mask(bytes)),
            None => Secrets::of(bytes),
        }
    }

    /// A command is open now: from here on it is known what its input holds.
    pub(super) fn open_input(&mut self, id: &CommandId) -> Result<(), Refusal> {
        let Some(open) = self.commands.get_mut(id) else { return Ok(()) };
        let Some(input) = open.view.input.as_deref_mut() else { return Ok(()) };
        if open.view.kind == ItemKind::Stdin {
            input.secret |= open.view.masked.is_some();
        } else {
            open.reads = input_secrets(&self.snapshot.tables, &open.bytes, &input.report);
            input.secret = open.reads.is_secret();
        }
        if !input.secret {
            return Ok(());
        }
        if open.key.is_none() {
            open.key = Some(DigestKey::new(false)?);
        }
        // What all that the command read adds up to is written down at its end.
        let parent = open.view.parent.clone().filter(|_| open.view.kind == ItemKind::Stdin);
        if let Some(reader) = parent.and_then(|id| self.commands.get_mut(&id)) {
            reader.view.input.get_or_insert_default().secret = true;
            if reader.key.is_none() {
                reader.key = Some(DigestKey::new(false)?);
            }
        }
        Ok(())
    }

    /// More of it has come.
    pub(super) fn mask_joined(&mut self, id: &CommandId) -> Result<(), Refusal> {
        let Some(open) = self.commands.get_mut(id) else { return Ok(()) };
        let masked = open.reads.mask(&open.joined.bytes);
        let Some(input) = open.view.input.as_deref_mut() else { return Ok(()) };
        input.secret |= masked.masked;
        if input.secret && open.key.is_none() {
            open.key = Some(DigestKey::new(false)?);
        }
        open.secrets.set_input(masked);
        Ok(())
    }

    /// An item was released: what its command reads next comes behind it.
    pub(super) fn give_input(&mut self, id: &CommandId) {
        let Some(open) = self.commands.get(id) else { return };
        let (to, bytes) = match (open.view.kind, &open.view.parent) {
            (ItemKind::Stdin, Some(parent)) => (parent.clone(), open.bytes.to_vec()),
            (ItemKind::Exec, _) => {
                let approved = open.view.input.as_deref().and_then(|input| input.approved);
                let n = approved.and_then(|given| usize::try_from(given.bytes).ok()).unwrap_or(0);
                (id.clone(), open.joined.bytes.get(..n).unwrap_or_default().to_vec())
            }
            _ => return,
        };
        if !bytes.is_empty()
            && let Some(open) = self.commands.get_mut(&to)
        {
            open.reads.give(&bytes);
        }
    }
}
