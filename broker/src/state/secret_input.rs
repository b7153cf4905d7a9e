//! Secrets in standard input. Whoever decides sees them; afterwards they are masked like those of a
//! command, and what is written down instead of their digest lets nobody guess them.

use std::fmt;

use expacti_audit::Entry;
use expacti_engine::input_secrets;
use expacti_protocol::command::{CommandView, ItemKind};
use expacti_protocol::digest::{Digest, StreamSummary};
use expacti_protocol::ids::CommandId;
use expacti_protocol::input::CommandInput;

use super::content;
use super::model::State;
use super::ports::Refusal;
use super::shown::Secrets;

/// Stands in the place of bytes that are not kept.
const NOT_KEPT: &str = "not kept: the input holds secrets";

/// The fields of an entry that are digests of standard input.
const DIGESTS: [&str; 2] = ["input_sha256", "stdin_sha256"];

/// The key to the digests of one command's standard input that are written down. It is kept nowhere: equal
/// input of this command has equal digests, and that is all that they tell.
#[derive(Clone)]
pub(crate) struct DigestKey {
    key: [u8; 32],
    /// What is in the view comes from the disk, and has been through another key.
    recovered: bool,
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestKey")
    }
}

impl DigestKey {
    fn new(recovered: bool) -> Result<Self, Refusal> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)
            .map_err(|e| Refusal::failed(format!("no random bytes to hide a secret with: {e}")))?;
        Ok(Self { key, recovered })
    }

    /// For a command from the disk.
    pub(super) fn recovered(view: &CommandView) -> Option<Self> {
        let secret = view.input.as_deref().is_some_and(|input| input.secret);
        // Without random bytes its digests say nothing at all.
        secret.then(|| Self::new(true).unwrap_or(Self { key: [0; 32], recovered: true }))
    }

    fn digest(&self, plain: &Digest) -> Digest {
        let keyed = [self.key.as_slice(), plain.as_bytes()].concat();
        Digest::of(&keyed)
    }

    /// Puts other digests into a view.
    pub(super) fn cover(&self, view: &mut CommandView) {
        if !self.recovered
            && let Some(input) = view.input.as_deref_mut()
        {
            let came = input.came.as_mut().map(|came| &mut came.given);
            for given in came.into_iter().chain(&mut input.approved) {
                given.sha256 = self.digest(&given.sha256);
            }
        }
        if let Some(outcome) = &mut view.outcome {
            let stdin = outcome.stdin.map(|stdin| stdin.sha256);
            let same = |stream: &&mut StreamSummary| Some(stream.sha256) == stdin;
            let streams = [&mut outcome.stdin, &mut outcome.stdout, &mut outcome.stderr];
            for stream in streams.into_iter().flatten().filter(same) {
                stream.sha256 = self.digest(&stream.sha256);
            }
        }
    }

    /// Puts other digests into an entry for the log.
    pub(super) fn cover_entry(&self, entry: &Entry) -> Entry {
        let plain = |field: &str| entry.text(field).map(str::to_owned);
        let secret: Vec<String> = DIGESTS.iter().filter_map(|field| plain(field)).collect();
        if secret.is_empty() {
            return entry.clone();
        }
        let covered = entry.clone().map(|field, value| {
            let digest = value.as_str().filter(|text| secret.iter().any(|one| one == text));
            if field.ends_with("_sha256")
                && let Some(Ok(plain)) = digest.map(str::parse::<Digest>)
            {
                *value = self.digest(&plain).to_string().into();
            }
        });
        covered.with("input_secret", true)
    }
}

/// Masks the standard input of a view, and what tells of it.
pub(super) fn mask(view: &mut CommandView, secrets: &Secrets) {
    let is_item = view.kind == ItemKind::Stdin;
    let item_masked = is_item && view.masked.is_some();
    let Some(input) = view.input.as_deref_mut() else { return };
    let secret = input.secret || item_masked || secrets.input().is_some();
    if let Some(came) = input.came.as_mut() {
        if came.text.is_some()
            && let Some(masked) = secrets.input()
        {
            came.text = Some(masked.to_owned());
        }
        if secret && came.kind == content::BINARY {
            came.preview = vec![NOT_KEPT.to_owned()];
        }
    }
    // An item may be told of with what came before it.
    if !secret && !is_item {
        return;
    }
    for term in &mut view.terms {
        term.why = secrets.quoted(&term.why);
    }
    for anomaly in &mut view.anomalies {
        anomaly.evidence = secrets.quoted(&anomaly.evidence);
    }
    let told = view.notes.iter_mut().chain([&mut view.rule_why]).chain(&mut view.taints);
    for text in told {
        *text = secrets.quoted(text);
    }
}

/// The same for somebody who may never see them, of a view that holds them all.
pub(super) fn mask_for_viewer(view: &mut CommandView) {
    let secret = view.input.as_deref().is_some_and(|input| input.secret);
    let item = view.kind == ItemKind::Stdin && view.masked.is_some();
    if view.kind == ItemKind::Stdin {
        // It may quote what came before, of which nothing is known here.
        view.notes.clear();
    }
    if !secret && !item {
        return;
    }
    let nothing = Digest::of(view.id.as_str().as_bytes());
    if let Some(input) = view.input.as_deref_mut() {
        hide(input, nothing);
    }
    if item {
        view.sha256 = nothing;
    }
    for term in &mut view.terms {
        NOT_KEPT.clone_into(&mut term.why);
    }
    for anomaly in &mut view.anomalies {
        NOT_KEPT.clone_into(&mut anomaly.evidence);
    }
    view.notes.clear();
}

fn hide(input: &mut CommandInput, digest: Digest) {
    if let Some(came) = input.came.as_mut() {
        came.given.sha256 = digest;
        came.text = came.text.is_some().then(|| NOT_KEPT.to_owned());
        came.preview.clear();
    }
    if let Some(approved) = input.approved.as_mut() {
        approved.sha256 = digest;
    }
}

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
