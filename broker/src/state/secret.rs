//! Secrets in commands: reviewers see them while they decide; after that somebody has to ask, which
//! goes to the log. What is typed without echo is kept nowhere at all.

use expacti_protocol::command::{CommandState, CommandText, CommandView, ItemKind, SECRET_MASK};
use expacti_protocol::digest::Digest;
use expacti_protocol::ids::CommandId;
use expacti_protocol::reviewer::ErrorCode;

use super::mask_input;
use super::ports::Refusal;
use super::shown::{Secrets, Shown};

/// The gate's note on a change of a file that holds secrets.
const SECRET_PATH: &str = "a path of secrets";

/// Random bytes before a secret's own, thrown away afterwards.
const SALT: usize = 32;

/// A digest that stands for the bytes in what is written down. Nobody can find the bytes from it,
/// not even by trying all passwords: the salt is not kept.
pub(super) fn salted_digest(bytes: &[u8]) -> Result<Digest, Refusal> {
    let mut salted = vec![0; SALT];
    getrandom::fill(&mut salted)
        .map_err(|e| Refusal::failed(format!("no random bytes to hide a secret with: {e}")))?;
    salted.extend_from_slice(bytes);
    Ok(Digest::of(&salted))
}

/// Takes everything out of a view that tells of the bytes.
pub(super) fn hide(view: &mut CommandView, salted_digest: Digest) {
    view.text = CommandText { command: SECRET_MASK.to_owned(), command_base64: None };
    view.masked = Some(SECRET_MASK.to_owned());
    view.sha256 = salted_digest;
    view.preview = None;
    view.closest = None;
    for term in &mut view.terms {
        term.span = [0, SECRET_MASK.len()];
        term.why = "not kept: typed without echo".to_owned();
    }
    for anomaly in &mut view.anomalies {
        anomaly.evidence = "not kept: typed without echo".to_owned();
    }
}

/// Puts the mask in the place of the text and of its preview, where they hold secrets. What else tells
/// of them is found by [`Shown::of`].
pub(super) fn mask(view: &mut CommandView, secrets: &Secrets) {
    if let Some(masked) = &view.masked {
        view.text = CommandText { command: masked.clone(), command_base64: None };
        for term in &mut view.terms {
            term.span = secrets.span(term.span);
        }
    }
    mask_input::mask(view, secrets);
    // What a file of secrets holds need not look like one.
    if view.preview.is_some()
        && view.kind == ItemKind::File
        && view.notes.iter().any(|note| note == SECRET_PATH)
    {
        view.preview = Some(format!("not kept: {SECRET_PATH}"));
    }
}

/// Whoever only looks does not see secrets.
pub(crate) fn for_viewer(mut view: CommandView) -> Result<Shown<CommandView>, Refusal> {
    let bytes = view.text.bytes().map_err(|e| Refusal::failed(e.to_string()))?;
    let secrets = Secrets::of(&bytes);
    if view.interactive.as_ref().is_some_and(|i| i.secret) && view.state == CommandState::Pending {
        let nothing = Digest::of(view.id.as_str().as_bytes());
        hide(&mut view, nothing);
    } else {
        // Found now or when it came in; of standard input it was found with what came before it.
        view.masked = match view.kind {
            ItemKind::Stdin => view.masked.or(secrets.masked().map(str::to_owned)),
            _ => secrets.masked().map(str::to_owned).or(view.masked),
        };
        mask(&mut view, &secrets);
        mask_input::mask_for_viewer(&mut view);
    }
    Shown::of(&view, &secrets)
}

/// The refusal to show secrets of a command that is over.
pub(crate) fn not_kept(id: &CommandId) -> Refusal {
    Refusal::new(
        ErrorCode::TooLate,
        format!("the secrets of command {id} were not kept: it is decided or over"),
    )
}
